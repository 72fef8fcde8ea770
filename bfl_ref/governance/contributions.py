"""What a group's update does to the model, by a validator's own rows (IContributions).

    score = (loss before - loss with this group's update alone) / loss before,  in 1/10,000, held within -10,000 .. 10,000

loss: mean log loss of the integer logistic regression. Each logit is an exact integer; the float64 loss of it is rounded to
2^-20, and these integers are summed, so that the score is the same in any order of rows. The lower median over the
validators counts: less than half of them cannot move it beyond what one of the others said.
"""

from collections.abc import Sequence

import numpy as np

from ..fixed_point import FEATURE_BITS, WEIGHT_BITS, quantise
from ..integers import next_of_sums
from .reputation import SCORE_ONE
from .settlement import lower_median

MIN_SCORERS = 3
LOSS_BITS = 20


def log_loss(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> int:
    """Summed log loss of the model w (36 halves,) on rows x (m, d), y (m,) in {0, 1}, in 2^-20.

    ln(1 + exp(-z)) for y = 1,  ln(1 + exp(z)) for y = 0,  z = (w v) / 2^21,  v = quantise(x)
    """
    z = (quantise(x).astype(np.int64) @ w) / (1 << FEATURE_BITS + WEIGHT_BITS)
    losses = np.logaddexp(0, np.where(y == 1, -z, z))
    return int(np.rint(losses * (1 << LOSS_BITS)).astype(np.int64).sum())


def group_score(loss_before: int, loss_after: int) -> int:
    """10,000 (before - after) / before, rounded towards minus infinity, within +-10,000.

    Losses in any common unit, not below 0. Before 0: nothing can become better, and what becomes worse scores -10,000.
    """
    if min(loss_before, loss_after) < 0:
        raise ValueError(f"expected losses of at least 0, got {loss_before}, {loss_after}")
    if loss_before == 0:
        return 0 if loss_after == 0 else -SCORE_ONE
    return max(-SCORE_ONE, SCORE_ONE * (loss_before - loss_after) // loss_before)


def score_groups(
    model: np.ndarray, totals: Sequence[bytes], weights: Sequence[int], x: np.ndarray, y: np.ndarray
) -> list[int]:
    """A validator's scores of a round's groups by its rows x (m, d), y (m,).

    model: (slots,), the one that the round began with.  totals, weights: of each group, as the contract has them.
    ValueError for no rows, or totals and weights of different numbers.
    """
    if len(y) == 0 or len(x) != len(y):
        raise ValueError(f"expected at least one row and a label each, got {len(x)} rows, {len(y)} labels")
    before = log_loss(model, x, y)
    return [
        group_score(before, log_loss(next_of_sums(model, [total], weight), x, y))
        for total, weight in zip(totals, weights, strict=True)
    ]


def medians(revealed: Sequence[Sequence[int]]) -> list[int] | None:
    """Lower median for each group; None if fewer than three validators revealed. revealed: scores of each validator."""
    if len(revealed) < MIN_SCORERS:
        return None
    return [lower_median(column) for column in zip(*revealed, strict=True)]
