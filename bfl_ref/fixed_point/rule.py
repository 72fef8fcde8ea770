"""The rule of one step: tables, hyper-parameters, and integer DP-SGD on one segment. Format and bounds: the package."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

FEATURE_BITS, WEIGHT_BITS, RESIDUAL_BITS = 5, 16, 11
SEGMENT_ROWS = 512
HALF_SLOTS, HALF_FEATURES = 36, 35
MAX_FEATURES = 64
NORM = 128  # of a row, bias included: 4.0
BIAS_SLOT, BIAS = 35, 1 << FEATURE_BITS
WEIGHT_LIMIT = 1 << 19  # -2^19 <= w < 2^19
TABLE = 4096
DRAWS = 4
CLIPS, CLIP_UNIT = 32, 8  # clip norm = clip / 8
NOISE_LIMIT = 4000
DIVISOR_RANGE = 64, 4096
_NOISE_UNIT = 600
_TOP_RESIDUAL = (1 << RESIDUAL_BITS) - 1


def _sigmoid_table() -> np.ndarray:
    logits = (np.arange(TABLE) - TABLE // 2 + 0.5) / 256
    return np.clip(np.rint(2048 / (1 + np.exp(-logits))), 1, _TOP_RESIDUAL).astype(np.int64)


def _noise_table() -> np.ndarray:
    quantile = NormalDist().inv_cdf
    return np.array([round(_NOISE_UNIT * quantile((d + 0.5) / TABLE)) for d in range(TABLE)], dtype=np.int64)


def _clip_table() -> np.ndarray:
    clip, norm = np.meshgrid(np.arange(1, CLIPS + 1), np.arange(1, NORM + 1), indexing="ij")
    return np.minimum(_TOP_RESIDUAL, (clip << 13) // norm).reshape(-1).astype(np.int64)


# Computed with floats, whose last bits differ between machines: a test pins each by its SHA-256, and no entry lies so
# close to a rounding border that it could tip.
SIGMOID = _sigmoid_table()
"""SIGMOID[i] = round(2048 sigmoid((i - 2048 + 1/2) / 256)), within 1..2047."""
NOISE_TABLE = _noise_table()
"""T[d] = round(600 Phi^-1((d + 1/2) / 4096)): an odd function around d = 2047.5, so its mean is exactly 0."""
CLIP_TABLE = _clip_table()
"""CLIP_TABLE[128 (clip - 1) + M - 1] = min(2047, floor(clip 2^13 / M)): the largest |residual| of a row of norm M."""


def halves_of(features: int) -> int:
    """1 for up to 35 features, 2 for up to 64. ValueError outside 1..64."""
    if not 1 <= features <= MAX_FEATURES:
        raise ValueError(f"expected 1 to {MAX_FEATURES} features, got {features}")
    return 1 if features <= HALF_FEATURES else 2


def slots_of(features: int) -> np.ndarray:
    """Slot 36 (f // 35) + f % 35 of each feature f. (features,) int64."""
    f = np.arange(features)
    return HALF_SLOTS * (f // HALF_FEATURES) + f % HALF_FEATURES


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters of a round, all integers.

    epochs >= 1.   rate: 256 times the learning rate, 1..65535.   clip: 8 times the clip norm, 1..32.
    noise: scale of the noise, 0 (none) to 4000.
    """

    epochs: int
    rate: int
    clip: int
    noise: int

    def __post_init__(self) -> None:
        limits = {
            "epochs": (1, 1 << 20),
            "rate": (1, 65535),
            "clip": (1, CLIPS),
            "noise": (0, NOISE_LIMIT),
        }
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}: expected {low} to {high}, got {getattr(self, name)}")

    def divisor(self, rows: int) -> int:
        """D = 512 rows / rate to the nearest, within 64..4096. rows: of the segment, 1..512."""
        if not 1 <= rows <= SEGMENT_ROWS:
            raise ValueError(f"expected 1 to {SEGMENT_ROWS} rows in a segment, got {rows}")
        low, high = DIVISOR_RANGE
        return min(max((512 * rows + self.rate // 2) // self.rate, low), high)

    def learning_rate(self, rows: int) -> float:
        """2 rows / D: what the step applies to the mean gradient of a segment of `rows` rows."""
        return 2 * rows / self.divisor(rows)

    @property
    def scales(self) -> tuple[int, int, int, int]:
        """(noise, noise + 1, noise + 3, noise + 8), unequal so that the sums of the draws lie dense; zeros without noise."""
        s = self.noise
        return (s, s + 1, s + 3, s + 8) if s else (0, 0, 0, 0)

    @property
    def clip_norm(self) -> float:
        """Largest norm of one row's gradient; a replaced row moves the sum by at most twice this."""
        return self.clip / CLIP_UNIT

    @property
    def noise_std(self) -> float:
        """Exact standard deviation of one coordinate's noise, in units of 2^-16 of the summed gradient."""
        variance = float(NOISE_TABLE @ NOISE_TABLE) / TABLE  # the mean is zero
        return math.sqrt(variance * sum(s * s for s in self.scales))


@dataclass(frozen=True, eq=False)
class StepValues:
    """Everything a step computes, int64. Per row (n,): z, index, residual, norm (M), bound (B), clipped (c).

    Per weight slot (36 halves,): gradient (G), noise (nu), delta, weights (after the step).   divisor: D.
    """

    z: np.ndarray
    index: np.ndarray
    residual: np.ndarray
    norm: np.ndarray
    bound: np.ndarray
    clipped: np.ndarray
    gradient: np.ndarray
    noise: np.ndarray
    divisor: int
    delta: np.ndarray
    weights: np.ndarray


def residuals(w: np.ndarray, v: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """z = sum_j w_j v_j,  index = floor(z / 2^13) + 2048 within 0..4095,  r = SIGMOID[index] - 2048 y;  each (n,)."""
    z = v @ w
    index = np.clip((z >> 13) + TABLE // 2, 0, TABLE - 1)
    return z, index, SIGMOID[index] - (y << RESIDUAL_BITS)


def norms(v: np.ndarray) -> np.ndarray:
    """M = ceil(sqrt(sum_j v_j^2)): (M-1)^2 < sum <= M^2, exactly. (n, slots) -> (n,), within 0..128."""
    total = (v * v).sum(axis=-1)
    floor = np.sqrt(total).astype(np.int64)  # exact: totals are below 2^15
    return floor + (floor * floor < total)


def step_values(w: np.ndarray, v: np.ndarray, y: np.ndarray, hyper: Hyper, nu: np.ndarray) -> StepValues:
    """One step on the rows of one segment.

        G_j = sum_rows clamp(r, -B, B) v_j        delta_j = floor((2 (G_j + nu_j) + D // 2) / D)
        w'_j = clamp(w_j - delta_j, -2^19, 2^19 - 1)

    w, nu (36 halves,) integers.   v (n, 36 halves), y (n,) in {0, 1}: without padding, 1 <= n <= 512.
    ValueError on shapes that do not fit.
    """
    slots = (len(w),)
    if v.ndim != 2 or v.shape[1:] != slots or nu.shape != slots or y.shape != v.shape[:1]:
        raise ValueError(
            f"w, v, y, nu do not fit: got shapes {w.shape}, {v.shape}, {y.shape}, {nu.shape}; "
            "expected (s,), (n, s), (n,), (s,)"
        )
    w, v, y, nu = (a.astype(np.int64) for a in (w, v, y, nu))
    divisor = hyper.divisor(len(v))
    z, index, residual = residuals(w, v, y)
    norm = norms(v)
    bound = CLIP_TABLE[NORM * (hyper.clip - 1) + norm - 1]
    clipped = np.clip(residual, -bound, bound)
    gradient = clipped @ v
    delta = (2 * (gradient + nu) + divisor // 2) // divisor
    weights = np.clip(w - delta, -WEIGHT_LIMIT, WEIGHT_LIMIT - 1)
    return StepValues(z, index, residual, norm, bound, clipped, gradient, nu, divisor, delta, weights)


def step(w: np.ndarray, v: np.ndarray, y: np.ndarray, hyper: Hyper, nu: np.ndarray) -> np.ndarray:
    """The weights after `step_values`. (36 halves,) int64."""
    return step_values(w, v, y, hyper, nu).weights


def aggregate(old: np.ndarray, updates: list[np.ndarray], rows: list[int]) -> np.ndarray:
    """new_j = old_j + floor((sum_i n_i (w_ij - old_j) + N // 2) / N),  N = sum_i n_i;  exact, in any order of hospitals.

    ValueError for no update, unlike shapes or n_i < 1.
    """
    if not updates or len(updates) != len(rows) or min(rows) < 1:
        raise ValueError(f"expected a positive row count per update, got {len(updates)} updates, rows {rows}")
    if any(w.shape != old.shape for w in updates):
        raise ValueError(f"expected updates of shape {old.shape}, got {[w.shape for w in updates]}")
    total = sum(rows)
    moved = sum(n * (w.astype(np.int64) - old) for n, w in zip(rows, updates, strict=True))
    return old + (moved + total // 2) // total
