"""Audit by canaries: a lower bound on epsilon from running a mechanism many times on two neighbouring data sets.

    (epsilon, delta)-DP:  P(S | present) <= e^epsilon P(S | absent) + delta    for every set S of outputs, and the other way
    =>  epsilon >= ln((p - delta) / q)      p <= P(S | present), q >= P(S | absent) with given confidence (Clopper-Pearson)

Present and absent differ in one patient's row, the canary: the same features at the norm limit, the other label, so that the
clipped gradients are opposite and the sensitivity 2 C is used up. Statistic of a run: the inner product of what is seen (all
states) with the canary's direction, summed over steps, which is the best test for Gaussian noise. The threshold is picked on
the first half of the runs and tested on the second, so the bound needs no assumption about the noise.

A mechanism is caught if the bound exceeds the epsilon claimed at the same delta. A claim is a curve of (epsilon, delta), and
the test needs fewest runs at a large delta, some 5%. Jagielski et al. 2020; Nasr et al. 2023.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import beta

from ..fixed_point import NORM, Hyper, initial_weights, noise, step
from ..fixed_point.rule import BIAS, BIAS_SLOT, HALF_SLOTS
from ..learning import TrainConfig
from ..learning import initial_weights as float_weights
from ..stark.field import random_base
from ..statements.poseidon2 import DIGEST
from .dpsgd import PrivateConfig, train_private
from .inversion import summed_gradient
from .layers import allocate, public_clips
from .randomness import Draw

Step = Callable[[np.ndarray, np.ndarray, np.ndarray, Hyper, np.ndarray], np.ndarray]
"""As fixed_point.step: (w, v, y, hyper, nu) -> weights after the step."""


def clopper_pearson(successes: int, trials: int, confidence: float) -> tuple[float, float]:
    """Exact interval of a probability, each side holding with `confidence`. ValueError unless 0 <= successes <= trials."""
    if not 0 <= successes <= trials or trials < 1 or not 0.5 < confidence < 1:
        raise ValueError(
            f"expected 0 <= successes <= trials and confidence in (.5, 1), got {successes}, {trials}, {confidence}"
        )
    low = beta.ppf(1 - confidence, successes, trials - successes + 1) if successes else 0.0
    high = beta.ppf(confidence, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def epsilon_lower_bound(
    present: np.ndarray, absent: np.ndarray, delta: float, confidence: float = 0.95
) -> float:
    """Largest epsilon that the runs prove, 0 or more. present, absent (runs,): one statistic per run, larger when present.

    One threshold and direction (present or absent, above or below) is picked on the first half of the runs, as the one with
    the largest bound there; the second half gives the bound, each probability at confidence 1 - (1 - confidence) / 2.
    """
    runs = len(present)
    if present.shape != (runs,) or absent.shape != (runs,) or runs < 20:
        raise ValueError(
            f"expected two arrays of one length, 20 or more, got {present.shape}, {absent.shape}"
        )
    if not 0 <= delta < 1 or not 0.5 < confidence < 1:
        raise ValueError(f"expected delta in [0, 1) and confidence in (.5, 1), got {delta}, {confidence}")
    half = runs // 2
    side = (1 + confidence) / 2
    cuts = np.quantile(np.concatenate([present[:half], absent[:half]]), np.linspace(0.005, 0.995, 199))
    options = np.concatenate(  # above each threshold when present, below it when absent
        [
            _bounds(present[:half], absent[:half], cuts, delta, side),
            _bounds(-absent[:half], -present[:half], -cuts, delta, side),
        ]
    )
    best = int(options.argmax())
    if best < len(cuts):
        found = _bounds(present[half:], absent[half:], cuts[best : best + 1], delta, side)
    else:
        best -= len(cuts)
        found = _bounds(-absent[half:], -present[half:], -cuts[best : best + 1], delta, side)
    return max(0.0, float(found[0]))


def _bounds(hit: np.ndarray, false: np.ndarray, cuts: np.ndarray, delta: float, side: float) -> np.ndarray:
    """ln((low(P[hit > cut]) - delta) / high(P[false > cut])) for each cut; -inf where nothing is proven."""
    hits, falses = ((values[:, None] > cuts).sum(axis=0) for values in (hit, false))
    low = np.where(hits > 0, beta.ppf(1 - side, hits, len(hit) - hits + 1), 0)
    high = np.where(falses < len(false), beta.ppf(side, falses + 1, len(false) - falses), 1)
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(low - delta, 0) / high)


def canary_rows(rows: int, slots: int = HALF_SLOTS) -> np.ndarray:
    """(rows, slots) int64: row 0 at the norm limit in the bias and one feature; the others zero but for the bias."""
    v = np.zeros((rows, slots), np.int64)
    v[:, BIAS_SLOT] = BIAS
    v[0, 0] = int((NORM**2 - BIAS**2) ** 0.5)
    return v


def integer_canary(
    hyper: Hyper, releases: int, runs: int, draw: Draw, *, copies: int = 1, rows: int = 8, step: Step = step
) -> tuple[np.ndarray, np.ndarray]:
    """(present, absent), each (runs,): the protocol's own noise and step, `releases` steps a run, model reset before each.

    The reset to zero is what an adversary may choose, and there all gradients are known. The rate is post-processing: the
    smallest keeps weights off their clamp. For clip <= 16 the canary moves the sum by .99 of 2 C, for larger by 4.
    copies: noises of scale hyper.noise that are added, one from each honest hospital of a sum that alone is seen.
    step: of the mechanism audited, a broken one in tests.
    """
    v, w = canary_rows(rows), initial_weights(1)
    hyper = replace(hyper, rate=1)
    direction = v[0] / np.linalg.norm(v[0])
    divisor = hyper.divisor(rows)

    def statistic(label: int) -> float:
        y = np.array([label] + [i % 2 for i in range(rows - 1)])
        secrets = [(random_base(DIGEST, draw), random_base(4, draw)) for _ in range(copies)]
        total = 0.0
        for s in range(releases):
            nu = np.sum([noise(seed, r1, s, len(w), hyper) for seed, r1 in secrets], axis=0)
            total += direction @ summed_gradient(w, step(w, v, y, hyper, nu), divisor)
        return total

    return np.array([statistic(0) for _ in range(runs)]), np.array([statistic(1) for _ in range(runs)])


def dpsgd_canary(
    config: PrivateConfig, multiplier: float, runs: int, draw: Draw, *, rows: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """(present, absent), each (runs,): config.steps steps of one `train_private`, seen through the weights at the end.

    Statistic: sum_l <d_l, step_l> / sigma_l^2, d the noise-free difference. Nothing is sampled if config.batch_rows = rows.
    The learning rate is post-processing: a small one, without momentum, keeps the gradients where they were at the start.
    """
    config = replace(config, learning_rate=1e-3, momentum=0.0)
    x = np.zeros((rows, 4), np.float32)
    x[0] = 4.0
    start = float_weights(TrainConfig(model=config.model, seed=config.seed), x.shape[1])

    def moved(label: int, noise: float, settings: PrivateConfig) -> np.ndarray:
        y = np.array([label] + [i % 2 for i in range(rows - 1)])
        after, _ = train_private(start, x, y, settings, noise, draw)
        return np.concatenate([(start[name] - after[name]).double().numpy().ravel() for name in start])

    sizes = [tensor.numel() for tensor in start.values()]
    layers = config.clipping == "layers"
    clips = public_clips(config.clip, [tensor.shape for tensor in start.values()]).tolist()
    stds = np.array(allocate(clips, sizes, 1.0).stds if layers else [1.0] * len(sizes))
    everyone = replace(config, batch_rows=rows)
    direction = (moved(0, 0.0, everyone) - moved(1, 0.0, everyone)) / np.repeat(stds**2, sizes)
    present, absent = (
        np.array([direction @ moved(label, multiplier, config) for _ in range(runs)]) for label in (0, 1)
    )
    return present, absent
