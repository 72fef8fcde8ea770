"""Epsilon of the protocol's noisy integer steps, for one patient replaced (row counts are public).

Mechanism: G + nu, G the exact sum of clipped gradients of a segment, nu the table noise of `fixed_point.noise` in every
slot. A row's gradient has norm at most C 2^16 (`CLIP_TABLE`), so replacing it moves G by at most 2 C 2^16 = clip 2^14 in L2:
`sensitivity`. What a step does with G + nu is post-processing. A patient has one row (`settings.one_row_per_patient`),
the row is in one segment, and its segment is used once an epoch: releases per patient = rounds * epochs, and segments
compose in parallel.

    epsilon = min_a  releases D_a + log(1 - 1/a) - (log(delta - lost) + log a) / (a - 1)

(Canonne, Kamath and Steinke 2020, proposition 12) with D_a, and lost = releases * mass, from `renyi.step_divergence`: an
upper bound for every direction of the change. It holds against everyone who does not know the hospital's noise seed - other
members, aggregators, readers of the chain, users of the model - and not against the hospital itself.

`sharp_epsilon` is the exact privacy-loss distribution of the noise for a change along given slots: no proof can get below
it. It is a figure to compare with, never what is claimed.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from dp_accounting.pld import pld_pmf, privacy_loss_distribution
from scipy.special import logsumexp

from ..fixed_point import Hyper
from ..fixed_point.rule import NOISE_LIMIT
from .distribution import pmf, std
from .renyi import ORDERS, step_divergence

SHARES = (0.05, 0.1, 0.2, 0.45)
"""Shares of delta that the excluded event may take; the one with the smallest epsilon is used."""


@dataclass(frozen=True)
class Claim:
    """epsilon: proved at the delta asked for.   mass: of the event that each release excludes, see `renyi`."""

    epsilon: float
    mass: float


def sensitivity(clip: int) -> int:
    """clip 2^14: the most that one replaced row moves the sum of clipped gradients, L2, units of 2^-16.

    ValueError outside 1..32.
    """
    return Hyper(1, 256, clip, 0).clip << 14


def check_budget(epsilon: float, delta: float, patients: int | None = None) -> None:
    """ValueError unless epsilon > 0 and 0 < delta < 1, below 1 / patients where these are given.

    At delta = 1/n, publishing a random patient's whole record would count as private.
    """
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise ValueError(f"epsilon: expected a finite number above 0, got {epsilon}")
    most = 1.0 if patients is None else 1 / patients
    if not 0 < delta < most:
        name = "1" if patients is None else f"1/n = 1/{patients}"
        raise ValueError(f"delta: expected above 0 and below {name}, got {delta}")


def epsilon_of(divergences: Sequence[float] | np.ndarray, delta: float) -> float:
    """The epsilon that follows from Renyi divergences at ORDERS. inf if all are; ValueError for delta outside (0, 1)."""
    check_budget(1.0, delta)
    a, d = np.array(ORDERS), np.asarray(divergences)
    found = d + np.log1p(-1 / a) - (math.log(delta) + np.log(a)) / (a - 1)
    return max(0.0, float(found.min()))


def claim(hyper: Hyper, releases: int, delta: float, *, slots: int = 36, copies: int = 1) -> Claim:
    """What is proved at delta of `releases` steps that read a patient's row; epsilon inf without noise, or if nothing is.

    slots: 36 or 72, of the weights.   copies: independent noises of hyper.noise that are summed (`distributed`).
    ValueError for releases < 1 or delta outside (0, 1).
    """
    check_budget(1.0, delta)
    if releases < 1:
        raise ValueError(f"releases: expected at least 1, got {releases}")
    if hyper.noise == 0:
        return Claim(math.inf, 0.0)
    found = []
    for share in SHARES:
        mass = share * delta / releases
        steps = np.array(divergences(hyper, mass, slots=slots, copies=copies))
        found.append(Claim(epsilon_of(releases * steps, (1 - share) * delta), mass))
    return min(found, key=lambda c: c.epsilon)


def epsilon(hyper: Hyper, releases: int, delta: float, *, slots: int = 36, copies: int = 1) -> float:
    """The epsilon of `claim`."""
    return claim(hyper, releases, delta, slots=slots, copies=copies).epsilon


def divergences(hyper: Hyper, mass: float, *, slots: int = 36, copies: int = 1) -> tuple[float, ...]:
    """D_a of one step at ORDERS, outside an event of `mass`."""
    return step_divergence(hyper.noise, sensitivity(hyper.clip), mass, slots, copies)


def gaussian_epsilon(ratio: float, releases: int, delta: float) -> float:
    """The same epsilon for ideal Gaussian noise of standard deviation ratio * sensitivity: closed form,
    the limit of `epsilon`.
    """
    return epsilon_of(releases * np.array(ORDERS) / (2 * ratio**2), delta)


def sampled_divergences(multiplier: float, rate: float) -> np.ndarray:
    """D_a at ORDERS of a Poisson-sampled Gaussian, one row replaced: the larger of the two ways round, which are equal.

        D_a((1 - q) N(0, z^2) + q N(1, z^2)  ||  (1 - q) N(0, z^2) + q N(-1, z^2))

    multiplier z: noise over clip norm.   rate q: probability of each row, (0, 1]. At q = 1 it is 2 a / z^2.
    By the trapezoidal rule, which for such integrands is exact to many digits. The pair is dp-accounting's.
    """
    if not multiplier > 0 or not 0 < rate <= 1:
        raise ValueError(f"expected a multiplier above 0 and a rate in (0, 1], got {multiplier} and {rate}")
    step = min(multiplier, 1.0) / 20
    reach = 2 * max(ORDERS) + 12 * multiplier
    x = np.arange(-reach, reach, step)
    away = math.log1p(-rate) - x**2 / (2 * multiplier**2) if rate < 1 else np.full_like(x, -np.inf)
    p, q = (np.logaddexp(away, math.log(rate) - (x - s) ** 2 / (2 * multiplier**2)) for s in (1, -1))
    scale = math.log(step / (multiplier * math.sqrt(2 * math.pi)))
    return np.array([(logsumexp(a * p + (1 - a) * q) + scale) / (a - 1) for a in ORDERS])


def gaussian_ratio(epsilon_wanted: float, delta: float, releases: int) -> float:
    """The smallest ratio of `gaussian_epsilon`, by bisection, rounded up by at most one in 10,000."""
    check_budget(epsilon_wanted, delta)
    low, high = 1e-2, 1e4
    while high / low > 1.0001:
        middle = math.sqrt(low * high)
        low, high = (
            (middle, high) if gaussian_epsilon(middle, releases, delta) > epsilon_wanted else (low, middle)
        )
    return high


def calibrate(
    epsilon_wanted: float,
    delta: float,
    releases: int,
    clip: int,
    *,
    patients: int | None = None,
    slots: int = 36,
    copies: int = 1,
) -> int:
    """A `noise` scale whose claim is at most epsilon_wanted: found from the Gaussian's closed form, then made to hold.

    ValueError for a budget that makes no sense (`check_budget`), or one that no noise scale up to 4000 reaches.
    """
    check_budget(epsilon_wanted, delta, patients)
    limit, target = sensitivity(clip), 0.985 * epsilon_wanted
    scales = range(1, NOISE_LIMIT + 1)
    noise = 0
    for _ in range(8):
        wanted = gaussian_ratio(target, delta, releases) * limit
        noise = max(noise + 1, 1 + bisect_left(scales, wanted, key=lambda n: std(n, copies)))
        if noise > NOISE_LIMIT:
            break
        claimed = epsilon(Hyper(1, 256, clip, noise), releases, delta, slots=slots, copies=copies)
        if claimed <= epsilon_wanted:
            return noise
        target *= min(0.997, epsilon_wanted / claimed) if math.isfinite(claimed) else 0.8
    raise ValueError(
        f"epsilon {epsilon_wanted} at delta {delta}: no noise scale up to {NOISE_LIMIT} reaches it over {releases} releases "
        f"at clip {clip}; take a smaller clip, fewer epochs or a larger epsilon"
    )


def sharp_epsilon(hyper: Hyper, releases: int, delta: float, *, split: int = 1, copies: int = 1) -> float:
    """Privacy-loss distribution of a change spread evenly over `split` slots, composed over the releases (dp-accounting,
    pessimistic).

    Upper bound for that direction only; the claim bounds all. ValueError without noise or for split < 1.
    """
    if split < 1:
        raise ValueError(f"split: expected at least 1, got {split}")
    check_budget(1.0, delta)
    shift = math.ceil(sensitivity(hyper.clip) / math.sqrt(split))
    grid = 1e-4 if split == 1 else 1e-5  # rounding up adds at most releases * split * grid
    parts = [_losses(hyper.noise, way * shift, copies, grid) for way in (1, -1)]
    distribution = privacy_loss_distribution.PrivacyLossDistribution(*parts)
    return float(distribution.self_compose(releases * split).get_epsilon_for_delta(delta))


def _losses(noise: int, shift: int, copies: int, grid: float) -> pld_pmf.DensePLDPmf:
    """Distribution of log p(x) / p(x + shift), x ~ p, rounded up to the grid; losses above 20 count as infinite."""
    p = pmf(noise, copies)
    other = np.zeros_like(p)
    if shift > 0:
        other[:-shift] = p[shift:]
    else:
        other[-shift:] = p[:shift]
    here = p > 1e-19  # smaller masses are rounding of the FFT: infinite loss
    with np.errstate(divide="ignore"):
        loss = np.ceil((np.log(p[here]) - np.log(np.where(other[here] > 1e-19, other[here], 0.0))) / grid)
    finite = np.abs(loss) * grid < 20
    low = int(loss[finite].min())
    probabilities = np.bincount((loss[finite] - low).astype(np.int64), p[here][finite])
    return pld_pmf.DensePLDPmf(grid, low, probabilities, max(0.0, 1 - float(probabilities.sum())), True)
