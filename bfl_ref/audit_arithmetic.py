"""What random audits promise, and what a coalition of validators can still do about it.

    S steps, b of them bad, k audited without replacement:   detection = 1 - C(S-b, k) / C(S, k)
    a cheat that gains g, and loses its stake if caught:     pays unless  stake > g (1 - p) / p

The beacon fixes which steps are audited after all commitments. A validator that keeps its secret back changes nothing: the
others rebuild it. One that dealt shares which do not lead to its secret has a choice of two values, having seen what the
others revealed: its secret counts if it reveals it, and is left out if not, at the price of its beacon penalty. So c
colluders choose among 2^c draws, and

    detection >= 1 - 2^c (1 - p)                             for c < t, the number of shares that rebuild a secret.

t colluders rebuild every secret from the shares that were dealt to them: they know before the training which steps will be
audited, and nothing is promised. Each figure of detection belongs beside what is left of it under collusion.
"""

from itertools import accumulate
from math import comb, exp, lgamma, log, log1p


def detection(steps: int, bad: int, audited: int) -> float:
    """Probability that at least one of `bad` steps is among `audited` drawn of `steps`. ValueError unless all fit."""
    if not (0 <= bad <= steps and 0 <= audited <= steps):
        raise ValueError(f"expected 0 <= bad, audited <= steps, got {bad}, {audited}, {steps}")
    return 1 - comb(steps - bad, audited) / comb(steps, audited)


def break_even_stake(gain: float, p: float) -> float:
    """The stake above which cheating for `gain` does not pay when it is caught with probability p, 0 < p <= 1."""
    if not 0 < p <= 1:
        raise ValueError(f"p: expected above 0, up to 1, got {p}")
    return gain * (1 - p) / p


def threshold(validators: int) -> int:
    """t: shares that rebuild a secret, as Beacon.sol counts them."""
    return validators // 2 + 1


def draws_to_choose_from(colluders: int) -> int:
    """Among how many draws c colluding validators, fewer than the threshold, can choose: 2^c."""
    return 2**colluders


def biased_detection(p: float, colluders: int, validators: int) -> float:
    """What c colluding validators leave of a detection p: max(0, 1 - 2^c (1 - p)); 0 from the threshold on, unless p = 1."""
    if not 0 <= colluders <= validators:
        raise ValueError(f"colluders: expected 0 to {validators}, got {colluders}")
    if colluders >= threshold(validators):
        return float(p == 1)
    return max(0.0, 1 - draws_to_choose_from(colluders) * (1 - p))


def binomial_interval(p: float, draws: int, level: float = 0.99) -> tuple[float, float]:
    """(low, high): the frequency in `draws` independent trials lies within with probability at least `level`.

    The binomial distribution itself: at most (1 - level) / 2 is cut off on each side. ValueError unless 0 <= p <= 1.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p: expected 0 to 1, got {p}")
    if p in (0, 1):
        return p, p
    tail = (1 - level) / 2
    weights = [exp(_log_comb(draws, i) + i * log(p) + (draws - i) * log1p(-p)) for i in range(draws + 1)]
    return _cut(weights, tail) / draws, 1 - _cut(weights[::-1], tail) / draws


def _log_comb(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _cut(weights: list[float], tail: float) -> int:
    """How many of the first weights together are at most `tail`."""
    return sum(total <= tail for total in accumulate(weights))
