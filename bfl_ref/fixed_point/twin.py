"""The float twin: the rule without rounding, in float64, and the bound on what rounding does to a step.

    x      features within +-127/32, bias 1, row norm at most 4 (longer rows are scaled)
    g      mean over the segment of  clip_C((sigmoid(w . x) - y) x),   clip_C(a) = a min(1, C / |a|)
    w'     clamp(w - learning rate * g, -8, 8)

Arrays have the slots of the integer rule, so weights compare as w_fixed / 2^16. No noise: the twin is for accuracy.
"""

import math

import numpy as np

from .. import learning
from ..data import Federation
from .rows import FEATURE_LIMIT, segments_of
from .rule import (
    BIAS_SLOT,
    FEATURE_BITS,
    HALF_SLOTS,
    NORM,
    WEIGHT_BITS,
    WEIGHT_LIMIT,
    Hyper,
    halves_of,
    slots_of,
)

WEIGHT_BOUND = WEIGHT_LIMIT / (1 << WEIGHT_BITS)  # 8.0
_UNIT = 1 << FEATURE_BITS
_ROW_NORM = NORM / _UNIT  # 4.0


def real_rows(x: np.ndarray) -> np.ndarray:
    """What `quantise` rounds: (n, d) -> (n, 36 halves) float64, features limited and scaled to row norm 4, bias 1."""
    limited = np.clip(x.astype(np.float64), -FEATURE_LIMIT / _UNIT, FEATURE_LIMIT / _UNIT)
    square, room = (limited * limited).sum(axis=1), _ROW_NORM**2 - 1
    rows = np.zeros((len(x), HALF_SLOTS * halves_of(x.shape[1])))
    rows[:, slots_of(x.shape[1])] = limited * np.sqrt(room / np.maximum(square, room))[:, None]
    rows[:, BIAS_SLOT] = 1.0
    return rows


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def float_step(
    w: np.ndarray, rows: np.ndarray, y: np.ndarray, learning_rate: float, clip_norm: float
) -> np.ndarray:
    """w' of one segment. w (s,), rows (n, s) from `real_rows`, y (n,) in {0, 1}."""
    bound = clip_norm / np.sqrt((rows * rows).sum(axis=1))
    clipped = np.clip(sigmoid(rows @ w) - y, -bound, bound)
    return np.clip(w - learning_rate * (clipped @ rows) / len(rows), -WEIGHT_BOUND, WEIGHT_BOUND)


def float_train(w: np.ndarray, rows: np.ndarray, y: np.ndarray, hyper: Hyper) -> np.ndarray:
    """One hospital's round: epochs * segments steps at the learning rates that the divisors stand for."""
    segments = segments_of(len(rows))
    for s in range(hyper.epochs * len(segments)):
        part = segments[s % len(segments)]
        rate = hyper.learning_rate(part.stop - part.start)
        w = float_step(w, rows[part], y[part], rate, hyper.clip_norm)
    return w


def float_federated(federation: Federation, rounds: int, hyper: Hyper) -> np.ndarray:
    """FedAvg of `float_train`, weighted n_i / N. (36 halves,) float64."""
    silos = [(real_rows(silo.x_train), silo.y_train) for silo in federation.silos]
    total = sum(len(y) for _, y in silos)
    w = np.zeros(silos[0][0].shape[1])
    for _ in range(rounds):
        w = sum((len(y) / total * float_train(w, rows, y, hyper) for rows, y in silos), np.zeros_like(w))
    return w


def float_scores(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> learning.Scores:
    """Scores of a float model on test rows, limited and scaled as training rows are."""
    return learning.score(y, sigmoid(real_rows(x) @ w))


def step_error_bound(w: np.ndarray, rows: int, hyper: Hyper, row_error: float) -> float:
    """Largest |w_fixed - w_float|_2 after one step from the same w (real units): the package's docstring derives it.

    row_error: the largest |v / 32 - x|_2 over the segment's rows (see there for what it can be).
    """
    rounded = math.sqrt(len(w)) * 1.5 / (1 << WEIGHT_BITS)
    cut = hyper.clip_norm / 32 + 2**-9 if hyper.clip_norm < _ROW_NORM else 0.0
    gradient = (float(np.linalg.norm(w)) + 1) * row_error + 3 / 1024 + cut
    return hyper.learning_rate(rows) * gradient + rounded
