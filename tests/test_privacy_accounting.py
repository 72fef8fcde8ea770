"""The noise's exact law, the proved epsilon against reference accountants, the sensitivity of the integer step."""

import math
import os
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from dp_accounting import GaussianDpEvent, SelfComposedDpEvent
from dp_accounting.pld import privacy_loss_distribution
from dp_accounting.rdp import RdpAccountant
from opacus.accountants.analysis import rdp as opacus_rdp

from bfl_ref.fixed_point import NOISE_TABLE, Hyper, norms, quantise, step_values
from bfl_ref.privacy.accounting import (
    calibrate,
    check_budget,
    claim,
    epsilon,
    epsilon_of,
    gaussian_epsilon,
    gaussian_ratio,
    sensitivity,
    sharp_epsilon,
)
from bfl_ref.privacy.distribution import pmf, std
from bfl_ref.privacy.renyi import ORDERS, step_divergence
from bfl_ref.privacy.training import draw_noise
from bfl_ref.stark.field import P

FULL = os.environ.get("BFL_FULL") == "1"
DELTA = 1e-5
SMALL = Hyper(1, 256, 1, 60)


def two_draws(a, b):
    """Law of a T[d] + b T[d'] by definition: all pairs, the pair (0, 0) 121 times in p where others come 120."""
    values = (a * NOISE_TABLE[:, None] + b * NOISE_TABLE[None, :]).ravel()
    weights = np.full(len(values), 120.0)
    weights[0] = 121.0
    shift = (a + b) * int(NOISE_TABLE.max())
    return np.bincount(values + shift, weights / P, 2 * shift + 1)


def test_pmf_is_the_law_of_four_draws():
    p, (a, b, c, d) = pmf(2), Hyper(1, 256, 1, 2).scales
    first, second = two_draws(a, b), two_draws(c, d)
    for value in (-30_000, -7_001, -1, 0, 3, 5_000, 33_333):
        i = np.arange(len(first)) - len(first) // 2
        j = value - i + len(second) // 2
        inside = (j >= 0) & (j < len(second))
        exact = first[inside] @ second[j[inside]]
        assert math.isclose(p[len(p) // 2 + value], exact, rel_tol=1e-9, abs_tol=1e-19)


@pytest.mark.parametrize("copies", [1, 3])
def test_pmf_has_the_variance_of_the_noise_and_of_what_is_drawn(copies):
    p = pmf(20, copies)
    x = np.arange(len(p)) - len(p) // 2
    assert p.sum() == pytest.approx(1, abs=1e-12) and p @ x == pytest.approx(0, abs=0.01)
    assert math.sqrt(p @ (x * x)) == pytest.approx(std(20, copies), rel=1e-6)
    drawn = sum(draw_noise(Hyper(1, 256, 1, 20), 100_000, np.random.default_rng(k)) for k in range(copies))
    inside = np.abs(drawn) <= std(20, copies)
    assert inside.mean() == pytest.approx(p[np.abs(x) <= std(20, copies)].sum(), abs=0.006)


@pytest.mark.parametrize("ratio, releases", [*product((1.0, 3.0, 8.0), (1, 10))])
def test_gaussian_epsilon_is_that_of_dp_accounting_and_opacus(ratio, releases):
    accountant = RdpAccountant(list(ORDERS))
    accountant.compose(SelfComposedDpEvent(GaussianDpEvent(ratio), releases))
    got = gaussian_epsilon(ratio, releases, DELTA)
    assert got == pytest.approx(accountant.get_epsilon(DELTA), rel=1e-9)
    found = opacus_rdp.compute_rdp(q=1.0, noise_multiplier=ratio, steps=releases, orders=list(ORDERS))
    assert got == pytest.approx(opacus_rdp.get_privacy_spent(orders=list(ORDERS), rdp=found, delta=DELTA)[0])
    exact = privacy_loss_distribution.from_gaussian_mechanism(ratio / math.sqrt(releases))
    assert exact.get_epsilon_for_delta(DELTA) <= got <= 1.3 * exact.get_epsilon_for_delta(DELTA) + 0.05


def test_ratio_is_the_inverse_of_epsilon():
    for wanted in (0.5, 3.0, 8.0):
        assert gaussian_epsilon(gaussian_ratio(wanted, DELTA, 10), 10, DELTA) == pytest.approx(
            wanted, rel=1e-3
        )


def exact_divergence(d, order, mass):
    """D_a(p || p(. + d)) without the points of largest loss, `mass` of them: no event of that mass leaves less."""
    p = pmf(SMALL.noise)
    other = np.zeros_like(p)
    other[max(0, -d) : len(p) - max(0, d)] = p[max(0, d) : len(p) + min(0, d)]
    here = p > 1e-19
    with np.errstate(divide="ignore"):
        ratio = p[here] / np.where(other[here] > 1e-19, other[here], 0.0)
    worst = np.argsort(-ratio)
    kept = worst[np.searchsorted(np.cumsum(p[here][worst]), mass) :]
    return math.log(p[here][kept] @ ratio[kept] ** (order - 1)) / (order - 1)


@pytest.mark.parametrize("order", [2.0, 5.0, 8.0])
def test_divergence_bound_holds_for_exact_shifts_in_many_directions(order):
    """No direction of length `limit` may have a larger exact divergence, and one slot's comes near the bound."""
    mass, limit = 1e-6, sensitivity(SMALL.clip)
    bound = step_divergence(SMALL.noise, limit, mass)[ORDERS.index(order)]
    for parts, way in product((1, 4, 9, 36), (1, -1)):
        d = way * math.isqrt(limit**2 // parts)
        total = parts * exact_divergence(d, order, mass / parts)
        assert total <= bound <= 1.1 * total
    tiny = [exact_divergence(d, order, mass / 36) for d in (1, SMALL.noise, -SMALL.noise - 1)]
    most = math.isqrt(limit**2 - 35 * (SMALL.noise + 1) ** 2)
    assert exact_divergence(most, order, mass / 36) + 35 * max(tiny) <= bound


@pytest.mark.parametrize("copies", [1, 3])
def test_the_claim_lies_above_the_exact_loss_in_every_direction_tried_and_near_the_gaussian(copies):
    releases = 5
    got = epsilon(SMALL, releases, DELTA, copies=copies)
    gaussian = gaussian_epsilon(std(SMALL.noise, copies) / sensitivity(SMALL.clip), releases, DELTA)
    assert gaussian * 0.999 <= got <= 1.05 * gaussian
    single = sharp_epsilon(SMALL, releases, DELTA, copies=copies)
    for split in (2, 4, 9, 36) if FULL else (4, 36):
        spread = sharp_epsilon(SMALL, releases, DELTA, split=split, copies=copies)
        assert spread <= single + releases * split * 1e-5 + 1e-3 and spread < got


def test_more_slots_releases_or_less_delta_cost_more():
    base = epsilon(SMALL, 5, DELTA)
    assert epsilon(SMALL, 10, DELTA) > base and epsilon(SMALL, 5, DELTA / 10) > base
    assert epsilon(SMALL, 5, DELTA, slots=72) >= base
    assert (
        epsilon(replace(SMALL, noise=0), 5, DELTA)
        == math.inf
        == claim(replace(SMALL, noise=0), 5, DELTA).epsilon
    )


def test_calibrated_noise_keeps_what_was_asked_and_wastes_little():
    noise = calibrate(3.0, DELTA, 10, 2)
    assert 2.85 < epsilon(Hyper(1, 256, 2, noise), 10, DELTA) <= 3.0


def random_row(rng, features):
    row = rng.normal(0, rng.choice([0.1, 1, 5]), (1, features))
    return quantise(row * (rng.random(features) < rng.random()))


def test_sensitivity_is_never_exceeded_by_random_neighbours():
    rng = np.random.default_rng(7)
    silent, largest = np.zeros(36), 0.0
    for _ in range(10_000 if FULL else 600):
        features, rows = int(rng.integers(1, 36)), int(rng.integers(1, 6))
        hyper = Hyper(1, 256, int(rng.integers(1, 33)), 0)
        v = np.concatenate([random_row(rng, features) for _ in range(rows)])
        y, w = rng.integers(0, 2, rows), rng.integers(-(2**17), 2**17, 36)
        other, label = v.copy(), y.copy()
        changed = int(rng.integers(rows))
        other[changed], label[changed] = random_row(rng, features)[0], rng.integers(0, 2)
        moved = (
            step_values(w, v, y, hyper, silent).gradient
            - step_values(w, other, label, hyper, silent).gradient
        )
        largest = max(largest, math.sqrt(float(moved @ moved)) / sensitivity(hyper.clip))
    assert 0.5 < largest <= 1


@pytest.mark.parametrize("clip", [1, 8, 32])
def test_sensitivity_is_attained_by_two_long_rows_that_pull_alike(clip):
    """Two rows of norm near 4 that differ in one feature, which decides: each is predicted wrong, in opposite ways."""
    x = np.full((2, 35), 0.6)
    x[:, 0] = 1.0, -1.0
    v, w = quantise(x), np.zeros(36)
    w[0] = 2**19 - 1
    assert norms(v.astype(np.int64)).min() >= 120
    gradients = [
        step_values(w, v[i : i + 1], np.array([i]), Hyper(1, 256, clip, 0), np.zeros(36)).gradient
        for i in (0, 1)
    ]
    moved = np.linalg.norm(gradients[0] - gradients[1])
    assert sensitivity(clip) / 1.5 <= moved <= sensitivity(clip)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.inf, math.nan])
def test_epsilon_that_makes_no_sense_is_named(wrong):
    with pytest.raises(ValueError, match="epsilon: expected a finite number above 0"):
        calibrate(wrong, DELTA, 5, 8)


def test_other_bad_input_is_named():
    with pytest.raises(ValueError, match="delta: expected above 0 and below 1/n = 1/1000"):
        check_budget(1.0, 1e-3, patients=1000)
    with pytest.raises(ValueError, match="delta"):
        epsilon(SMALL, 5, 0.0)
    with pytest.raises(ValueError, match="releases: expected at least 1"):
        epsilon(SMALL, 0, DELTA)
    with pytest.raises(ValueError, match="clip: expected 1 to 32, got 0"):
        calibrate(1.0, DELTA, 5, 0)
    with pytest.raises(ValueError, match="no noise scale up to 4000"):
        calibrate(0.1, DELTA, 50, 32)
    with pytest.raises(ValueError, match="noise and copies"):
        pmf(0)
    with pytest.raises(ValueError, match="split"):
        sharp_epsilon(SMALL, 5, DELTA, split=0)
    assert epsilon_of([math.inf] * len(ORDERS), DELTA) == math.inf
