"""Bring your own table: any CSV file with a target and a silo column."""

from pathlib import Path

import numpy as np
import pandas as pd

from bfl_ref.data.federation import Table, same_record_group

MAX_CATEGORIES = 50
"""A text column with more values than this is an identifier or free text, not a category."""


def csv(path: str | Path, *, target: str, silo: str, patient: str | None = None) -> Table:
    """Read a table as it is; number columns are scaled later, text columns become categories.

    target: a column with two values; the positive one is 1, True, or the last in sorting order (named in the notes).
    silo: the hospital of each row.   patient: whose row it is; without it, equal rows count as one patient.
    Raises ValueError for a file or column that is not there, a missing target, a target without exactly two values, a
    column of mostly numbers with junk between them, a text column of more than MAX_CATEGORIES values, infinite numbers,
    and a table without feature columns.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no CSV file at {path}")
    try:
        raw = pd.read_csv(path, skipinitialspace=True)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise ValueError(f"expected a comma-separated table with a header in {path}: {error}") from error
    for role, column in (("target", target), ("silo", silo), ("patient", patient)):
        if column is not None and column not in raw:
            raise ValueError(f"{path.name}: no {role} column {column!r}; columns: {', '.join(raw.columns)}")
    if len(raw) == 0:
        raise ValueError(f"{path.name}: no rows")
    if raw[target].isna().any():
        raise ValueError(
            f"{path.name}: target {target!r} is missing (NaN) in {raw[target].isna().sum()} rows"
        )
    values = sorted(raw[target].unique(), key=str)
    if len(values) != 2:
        raise ValueError(
            f"{path.name}: target {target!r} needs exactly 2 values, got {len(values)}: {values[:5]}"
        )
    features = raw.drop(columns=[name for name in (target, silo, patient) if name is not None])
    if features.shape[1] == 0:
        raise ValueError(f"{path.name}: no feature columns besides {target!r} and {silo!r}")
    owner = same_record_group(features.assign(silo=raw[silo])) if patient is None else raw[patient].to_numpy()
    if pd.isna(owner).any():
        raise ValueError(f"{path.name}: patient {patient!r} is missing in {pd.isna(owner).sum()} rows")
    return Table(
        name=path.stem,
        features=pd.DataFrame({name: checked(features[name], path.name) for name in features}),
        label=(raw[target] == values[1]).to_numpy(dtype=np.int64),
        silo=raw[silo].to_numpy(dtype=object),
        patient=owner,
        notes=(
            f"positive: {target} == {values[1]}",
            "patients: " + (f"column {patient}" if patient else "unknown; equal rows count as one patient"),
        ),
    )


def checked(column: pd.Series, file: str) -> pd.Series:
    """The column as floats or as categories; ValueError where neither is meant (see `csv`)."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        if np.isinf(column.to_numpy(dtype=float)).any():
            raise ValueError(f"{file}: column {column.name!r} holds infinite numbers")
        return column.astype(float)
    observed = column.dropna()
    number = pd.to_numeric(observed, errors="coerce")
    junk = observed[number.isna()]
    if len(junk) < len(observed) / 2:
        where = f"row {junk.index[0] + 1}"
        raise ValueError(f"{file}: column {column.name!r} is numeric but holds {junk.iloc[0]!r} ({where})")
    if observed.nunique() > MAX_CATEGORIES:
        raise ValueError(
            f"{file}: text column {column.name!r} has {observed.nunique()} values, more than {MAX_CATEGORIES}: "
            "drop it, or pass it as patient= if it names patients"
        )
    return column.astype(str).where(column.notna())
