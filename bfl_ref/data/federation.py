"""From one clinical table to a federation: split by patient, then scale with sums that hospitals may share.

Nothing is fitted on pooled rows. What a hospital gives away so that all can scale alike is, per numeric column of its
training rows, a count, a sum and a sum of squares, and per categorical column the values it uses (`Statistics`).
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

CLIP = 4.0
"""Features are clipped to [-CLIP, CLIP]: the range of the signed 8-bit, 5-fractional-bit numbers that are proven."""


@dataclass(frozen=True)
class Silo:
    """One hospital's rows. Test rows are only ever read to score a model.

    x_train (n, d), x_test (m, d): float32 in [-CLIP, CLIP].   y_train (n,), y_test (m,): int64, 0 or 1, both present.
    patients_train (n,), patients_test (m,): str; pseudonyms, no patient on both sides; empty if rows carry none.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    patients_train: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=str))
    patients_test: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=str))


@dataclass(frozen=True)
class Federation:
    """Hospitals with the same features and task. notes: what was mended, merged or left out, for the reader."""

    name: str
    feature_names: tuple[str, ...]
    silos: tuple[Silo, ...]
    notes: tuple[str, ...]

    @property
    def x_test(self) -> np.ndarray:
        """The common test set: all hospitals' test rows, in silo order. (m, d) float32."""
        return np.concatenate([silo.x_test for silo in self.silos])

    @property
    def y_test(self) -> np.ndarray:
        """Labels of `x_test`. (m,) int64."""
        return np.concatenate([silo.y_test for silo in self.silos])


@dataclass(frozen=True)
class Table:
    """What a loader hands over: mended, not yet split, nothing fitted.

    features (n, d): numeric columns may hold NaN; text columns are categories, missing as NaN.
    label, silo, patient (n,): 0/1, hospital, patient pseudonym.   ready: columns are already on a public scale.
    """

    name: str
    features: pd.DataFrame
    label: np.ndarray
    silo: np.ndarray
    patient: np.ndarray
    notes: tuple[str, ...]
    ready: bool = False


@dataclass(frozen=True)
class Statistics:
    """What one hospital publishes about its training rows; `combine` adds them up.

    count, total, squares (numeric columns,): observed values, their sum and sum of squares.   rows: training rows.
    values: per categorical column the sorted values in use.
    """

    rows: int
    count: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    values: tuple[tuple[str, ...], ...]


def same_record_group(frame: pd.DataFrame) -> np.ndarray:
    """A number per row, equal for rows that agree in every column: they may be one patient, so they stay together."""
    return frame.groupby(list(frame.columns), dropna=False, sort=False).ngroup().to_numpy()


def numeric_columns(features: pd.DataFrame) -> list[str]:
    """Names of the columns that are scaled; all others are categories."""
    return [name for name in features if pd.api.types.is_numeric_dtype(features[name])]


def describe(features: pd.DataFrame) -> Statistics:
    """The sums of one hospital's training rows. features (n, d) as in `Table`."""
    numeric = numeric_columns(features)
    x = features[numeric].to_numpy(dtype=np.float64)
    categories = [features[name].dropna().astype(str) for name in features if name not in numeric]
    return Statistics(
        rows=len(features),
        count=np.isfinite(x).sum(axis=0),
        total=np.nansum(x, axis=0),
        squares=np.nansum(x * x, axis=0),
        values=tuple(tuple(sorted(set(column))) for column in categories),
    )


def combine(parts: list[Statistics]) -> Statistics:
    """Add the hospitals' sums and unite their category values: the only thing the hospitals learn of each other."""
    return Statistics(
        rows=sum(part.rows for part in parts),
        count=np.sum([part.count for part in parts], axis=0),
        total=np.sum([part.total for part in parts], axis=0),
        squares=np.sum([part.squares for part in parts], axis=0),
        values=tuple(
            tuple(sorted(set().union(*columns))) for columns in zip(*(p.values for p in parts), strict=True)
        ),
    )


def encode(features: pd.DataFrame, shared: Statistics) -> pd.DataFrame:
    """(x - mean) / std clipped to [-CLIP, CLIP], then a 0/1 flag where a value is missing, then one-hot categories.

    mean = total / count, std^2 = squares / count - mean^2, over all hospitals' training rows. A missing value becomes
    the mean, 0; its flag exists only if some training row anywhere misses it. A category that no training row had, or
    a missing one, is a row of zeros. Row-wise: encoding a row needs `shared` and that row alone.
    """
    numeric = numeric_columns(features)
    observed = np.maximum(shared.count, 1)
    mean = shared.total / observed
    variance = np.maximum(shared.squares / observed - mean**2, 0.0)
    # A constant column has no scale; the relative bound keeps rounding in squares - mean^2 from inventing one.
    std = np.where(variance > 1e-12 * np.maximum(mean**2, 1e-12), np.sqrt(variance), 1.0)
    x = features[numeric].to_numpy(dtype=np.float64)
    scaled = np.clip((np.where(np.isfinite(x), x, mean) - mean) / std, -CLIP, CLIP)
    columns = dict(zip(numeric, scaled.T, strict=True))
    for i, name in enumerate(numeric):
        if shared.count[i] < shared.rows:
            columns[f"{name} missing"] = 1.0 - np.isfinite(x[:, i])
    categorical = [name for name in features if name not in numeric]
    for name, values in zip(categorical, shared.values, strict=True):
        text = features[name].astype(str).to_numpy()
        columns |= {f"{name}={value}": (text == value).astype(np.float64) for value in values}
    return pd.DataFrame(columns, index=features.index)


def split(
    label: np.ndarray, patient: np.ndarray, test_fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw one hospital's test rows, per class, whole patients at a time. Returns (n,) bool, True = test row.

    A patient's class is 1 if any of their rows is. Per class with k patients, max(1, round(test_fraction * k)) go to
    the test side and at least one stays.  Raises ValueError if a class has fewer than two patients.
    """
    people, row_of = np.unique(patient, return_inverse=True)
    person_label = np.zeros(len(people), dtype=np.int64)
    np.maximum.at(person_label, row_of, label)
    in_test = np.zeros(len(people), dtype=bool)
    for value in (0, 1):
        members = np.flatnonzero(person_label == value)
        if len(members) < 2:
            raise ValueError(f"expected at least 2 patients of class {value}, got {len(members)}")
        drawn = min(max(1, round(test_fraction * len(members))), len(members) - 1)
        in_test[rng.permutation(members)[:drawn]] = True
    return in_test[row_of]


def federate(table: Table, *, seed: int, test_fraction: float) -> Federation:
    """Split every silo by patient, then encode it; silos in order of falling size, then name.

    Raises ValueError for a fraction outside (0, 1), a missing or non-binary label, a row without a silo, a patient seen
    in two silos, and a silo with too few patients of one class (such a silo can neither be trained on nor scored).
    """
    if not 0.0 < test_fraction < 1.0:
        raise ValueError(f"test_fraction must lie strictly between 0 and 1, got {test_fraction}")
    if pd.isna(table.label).any():
        raise ValueError(f"{table.name}: the target is missing (NaN) in {pd.isna(table.label).sum()} rows")
    if pd.isna(table.silo).any():
        raise ValueError(
            f"{table.name}: {pd.isna(table.silo).sum()} rows belong to no silo (empty silo column)"
        )
    if not np.isin(table.label, (0, 1)).all():
        raise ValueError(f"{table.name}: expected labels 0 and 1, got {sorted(set(table.label))[:5]}")
    label = table.label.astype(np.int64)
    silo_of, patient = table.silo.astype(str), table.patient.astype(str)
    if len(pd.DataFrame({"p": patient, "s": silo_of}).drop_duplicates()) > len(np.unique(patient)):
        raise ValueError(f"{table.name}: a patient appears in two silos; give each patient one silo first")
    names, sizes = np.unique(silo_of, return_counts=True)
    names = names[np.lexsort((names, -sizes))]
    rng = np.random.default_rng(seed)
    rows, test_rows = {}, {}
    for name in names:
        rows[name] = np.flatnonzero(silo_of == name)
        try:
            test_rows[name] = split(label[rows[name]], patient[rows[name]], test_fraction, rng)
        except ValueError as error:
            raise ValueError(f"{table.name}: silo '{name}' cannot be split: {error}") from error
    if table.ready:
        x = table.features
    else:
        parts = [describe(table.features.iloc[rows[name][~test_rows[name]]]) for name in names]
        x = encode(table.features, combine(parts))
    values = x.to_numpy(dtype=np.float32)
    assert np.isfinite(values).all() and np.abs(values).max() <= CLIP
    silos = []
    for name in names:
        train, test = rows[name][~test_rows[name]], rows[name][test_rows[name]]
        silos.append(
            Silo(
                str(name),
                values[train],
                label[train],
                values[test],
                label[test],
                patient[train],
                patient[test],
            )
        )
    return Federation(table.name, tuple(x.columns), tuple(silos), table.notes)
