"""Distributed noise: each hospital adds a part, and the sum over hospitals has what epsilon asks for.

    round:   S = sum_i (G_i + nu_i)  mod p,    m' = S + floor(m / 2)
             w' = clamp(w - floor((2 m' + D // 2) / D)),    D = 512 N / rate

One local step a round over all of a hospital's rows (FedSGD): G_i is the exact sum of its clipped gradients, nu_i the
protocol's table noise of scale `noise`. Only S leaves the secret sharing; the momentum m is made from opened sums, so it
costs no privacy (held-out heart accuracy at epsilon 4 in five rounds: .809 with it, .802 without). Of h surviving
hospitals c collude, and know their own noise; the other h - c noises are independent, so S hides behind their sum, whose
exact distribution is `distribution.pmf(noise, h - c)`: sums of table noise need no ideal closed under addition.

Epsilon holds against whoever sees S alone and up to c hospitals' secrets: other hospitals, aggregators below the
threshold of the sharing, readers of the chain, users of the model. It does NOT hold against t aggregators together, nor
against more than c colluding hospitals or fewer than h survivors: such a round is to be aborted before S is opened
(`check_survivors`). Without secret sharing, where G_i + nu_i itself is seen, a hospital's epsilon is that of copies = 1,
which is far larger.
"""

from collections.abc import Sequence

import numpy as np

from ..data import Federation
from ..fixed_point import NOISE_TABLE, Hyper, initial_weights, quantise
from ..fixed_point.rule import DIVISOR_RANGE, SEGMENT_ROWS, WEIGHT_LIMIT, step_values
from ..stark.field import P
from .accounting import calibrate
from .training import draw_noise


def honest_noises(survivors: int, colluders: int) -> int:
    """h - c, the noises that nobody in a coalition knows. ValueError unless at least one is left and colluders >= 0."""
    if colluders < 0 or survivors - colluders < 1:
        raise ValueError(f"expected 0 <= colluders < survivors, got {colluders} of {survivors}")
    return survivors - colluders


def calibrate_parts(
    epsilon: float, delta: float, rounds: int, clip: int, *, survivors: int, colluders: int, slots: int = 36
) -> int:
    """The `noise` scale of each hospital for (epsilon, delta) over `rounds` openings with at least `survivors` each."""
    copies = honest_noises(survivors, colluders)
    return calibrate(epsilon, delta, rounds, clip, slots=slots, copies=copies)


def check_survivors(survivors: int, calibrated_for: int) -> None:
    """ValueError if fewer hospitals are left than the noise was calibrated for: the sum must not be opened."""
    if survivors < calibrated_for:
        raise ValueError(
            f"expected at least {calibrated_for} survivors for the noise to suffice, got {survivors}"
        )


def noisy_gradient(w: np.ndarray, v: np.ndarray, y: np.ndarray, hyper: Hyper, nu: np.ndarray) -> np.ndarray:
    """G + nu mod p of one hospital: what it shares. (slots,) int64 in 0..p-1. v (n, slots), any number of rows."""
    total = nu.astype(np.int64)
    silent = np.zeros_like(total)
    for start in range(0, len(v), SEGMENT_ROWS):
        part = slice(start, start + SEGMENT_ROWS)
        total = total + step_values(w, v[part], y[part], hyper, silent).gradient
    return total % P


def open_sum(parts: Sequence[np.ndarray], rows: int, hyper: Hyper) -> np.ndarray:
    """The sum mod p of the hospitals' vectors, read as integers within +-p/2. (slots,) int64.

    ValueError if gradients and noises of that size could wrap around: rows C 2^16 + |parts| max|nu| must stay below p/2.
    """
    most = rows * (hyper.clip << 13) + len(parts) * sum(hyper.scales) * int(NOISE_TABLE.max())
    if 2 * most >= P:
        raise ValueError(f"the sum may reach {most}, expected below p/2 = {P // 2}")
    total = sum((part.astype(np.int64) for part in parts), np.zeros_like(parts[0], np.int64)) % P
    return np.where(total > P // 2, total - P, total)


def step_of_sum(
    w: np.ndarray, momentum: np.ndarray, total: np.ndarray, rows: int, hyper: Hyper
) -> tuple[np.ndarray, np.ndarray]:
    """(w', m') after a round with opened sum `total` over `rows` rows; m is zeros before the first."""
    low, high = DIVISOR_RANGE
    divisor = min(max((512 * rows + hyper.rate // 2) // hyper.rate, low), high)
    momentum = total + momentum // 2
    delta = (2 * momentum + divisor // 2) // divisor
    return np.clip(w - delta, -WEIGHT_LIMIT, WEIGHT_LIMIT - 1), momentum


def distributed_federated(
    federation: Federation, rounds: int, hyper: Hyper, rng: np.random.Generator
) -> np.ndarray:
    """`rounds` rounds of FedSGD with distributed noise, all hospitals surviving. (slots,) int64. hyper.epochs must be 1."""
    if hyper.epochs != 1:
        raise ValueError(f"epochs: expected 1, one step a round, got {hyper.epochs}")
    silos = [(quantise(silo.x_train), silo.y_train) for silo in federation.silos]
    rows = sum(len(y) for _, y in silos)
    w = initial_weights(len(federation.feature_names))
    momentum = np.zeros_like(w)
    for _ in range(rounds):
        parts = [noisy_gradient(w, v, y, hyper, draw_noise(hyper, len(w), rng)) for v, y in silos]
        w, momentum = step_of_sum(w, momentum, open_sum(parts, rows, hyper), rows, hyper)
    return w
