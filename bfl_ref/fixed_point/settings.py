"""Hyper-parameters of the verified rule per data set, chosen on training rows (learning.holdout), without noise.

Five rounds, at most four epochs (each step is something to audit and costs privacy), clip norm 2: the noise grows with it, 4
has the same log loss within .002 and 1 loses .02 of F1 on plain thyroid and on heart. The rate of the lowest held-out log
loss; then the fewest epochs whose F1 is within .002 of the best. The grid: python -m benchmarks.fixed_point --choose
"""

from .rule import Hyper

VERIFIED = {
    ("thyroid", "plain"): (5, 4, 4096, 16),
    ("thyroid", "clinical"): (5, 4, 4096, 16),
    ("heart", "plain"): (5, 2, 768, 16),
    ("wdbc", "plain"): (5, 4, 768, 16),
}
"""(data set, features) -> (rounds, epochs, rate, clip)."""
DEFAULT = (5, 4, 512, 16)


def verified(data_set: str, features: str = "plain", noise: int = 0) -> tuple[int, Hyper]:
    """(rounds, hyper-parameters) of `VERIFIED`; `DEFAULT` for any other data set."""
    rounds, epochs, rate, clip = VERIFIED.get((data_set, features), DEFAULT)
    return rounds, Hyper(epochs, rate, clip, noise)
