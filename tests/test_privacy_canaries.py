"""The audit: no mechanism is proven worse than it claims, and broken ones are caught by the same test."""

import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, norm

from bfl_ref.fixed_point import NORM, Hyper, norms, step_values
from bfl_ref.privacy import dpsgd
from bfl_ref.privacy.accounting import epsilon as integer_epsilon
from bfl_ref.privacy.accounting import sharp_epsilon
from bfl_ref.privacy.canaries import (
    canary_rows,
    clopper_pearson,
    dpsgd_canary,
    epsilon_lower_bound,
    integer_canary,
)
from bfl_ref.privacy.dpsgd import PrivateConfig, calibrate, epsilon

FULL = os.environ.get("BFL_FULL") == "1"
RUNS = 20000 if FULL else 3000
DELTA = 0.05  # where few runs prove most
CLAIMED = Hyper(epochs=1, rate=512, clip=8, noise=169)
CLAIMS = {  # (noise, releases, copies) -> epsilon at DELTA and at 1e-5, as `accounting.epsilon` gives it in a minute each
    (169, 1, 1): (1.0724, 2.9699),
    (293, 3, 1): (1.0837, 2.9017),
    (120, 1, 2): (1.0544, 2.8225),
}
TORCH = PrivateConfig(model="logistic", rounds=1, steps=1, batch_rows=8, clip=0.5)
TORCH_RUNS = 2500 if FULL else 600


def draw(seed=0):
    return np.random.default_rng(seed).bytes


def unclipped_first(w, v, y, hyper, nu):
    """A step that forgets to clip row 0."""
    honest = step_values(w, v, y, hyper, nu)
    excess = (honest.residual - honest.clipped)[0] * v[0]
    return w - (2 * (honest.gradient + excess + nu) + honest.divisor // 2) // honest.divisor


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="a minute each")
@pytest.mark.parametrize("setting", CLAIMS)
def test_claims_are_those_of_the_accountant(setting):
    noise, releases, copies = setting
    for delta, claimed in zip((DELTA, 1e-5), CLAIMS[setting], strict=True):
        found = integer_epsilon(replace(CLAIMED, noise=noise), releases, delta, copies=copies)
        assert claimed - 0.001 < found <= claimed


@pytest.mark.parametrize("setting", CLAIMS)
def test_integer_steps_keep_their_claim(setting):
    """Not more is proven than the exact privacy loss of this very direction, and that is within the claim."""
    noise, releases, copies = setting
    hyper = replace(CLAIMED, noise=noise)
    present, absent = integer_canary(hyper, releases, RUNS, draw(), copies=copies)
    for delta, claimed in zip((DELTA, 1e-5), CLAIMS[setting], strict=True):
        exact = sharp_epsilon(hyper, releases, delta, copies=copies)
        assert epsilon_lower_bound(present, absent, delta) <= exact <= claimed
    assert epsilon_lower_bound(present, absent, DELTA) > 0


def test_the_canary_uses_the_sensitivity_up():
    v = canary_rows(8)
    assert norms(v).max() == NORM
    sums = [
        step_values(np.zeros(36), v, np.array([label] + [0] * 7), CLAIMED, np.zeros(36)) for label in (0, 1)
    ]
    moved = np.linalg.norm(sums[0].gradient - sums[1].gradient)
    limit = 2 * CLAIMED.clip_norm * 2**16
    assert limit / 1.02 < moved <= limit


def test_halved_noise_is_caught():
    present, absent = integer_canary(replace(CLAIMED, noise=CLAIMED.noise // 2), 1, RUNS, draw())
    assert epsilon_lower_bound(present, absent, DELTA) > CLAIMS[169, 1, 1][0]


def test_a_row_that_is_not_clipped_is_caught():
    present, absent = integer_canary(CLAIMED, 1, RUNS, draw(), step=unclipped_first)
    assert epsilon_lower_bound(present, absent, DELTA) > CLAIMS[169, 1, 1][0]


def test_the_part_of_one_hospital_does_not_keep_the_claim_of_the_sum():
    """Three parts of noise 169 / sqrt 3 hide the sum; whoever sees one hospital's own G + nu is not held off."""
    part = replace(CLAIMED, noise=round(CLAIMED.noise / 3**0.5))
    present, absent = integer_canary(part, 1, RUNS, draw())
    assert epsilon_lower_bound(present, absent, DELTA) > CLAIMS[169, 1, 1][0]


@pytest.mark.parametrize(
    "config",
    [
        TORCH,
        replace(TORCH, clipping="flat"),
        replace(TORCH, clipping="ghost"),
        replace(TORCH, batch_rows=4),
        replace(TORCH, model="mlp", clip=0.05),
        replace(TORCH, steps=3, quantile=0.5),
    ],
    ids=["layers", "flat", "ghost", "sampled", "mlp", "adaptive"],
)
def test_dpsgd_keeps_its_claim(config):
    multiplier = calibrate(config, 8, 3.0, 1e-5)
    present, absent = dpsgd_canary(config, multiplier, TORCH_RUNS, draw())
    for delta in (DELTA, 1e-5):
        assert epsilon_lower_bound(present, absent, delta) <= epsilon(config, 8, multiplier, delta)


@pytest.mark.parametrize("clipping", ["layers", "flat"])
def test_broken_dpsgd_is_caught(clipping, monkeypatch):
    config = replace(TORCH, clipping=clipping)
    multiplier = calibrate(config, 8, 3.0, 1e-5)
    claimed = epsilon(config, 8, multiplier, DELTA)
    halved = dpsgd_canary(config, multiplier / 2, TORCH_RUNS, draw())
    assert epsilon_lower_bound(*halved, DELTA) > claimed

    optimizer = {"layers": dpsgd._Layers, "flat": dpsgd._Flat}[clipping]
    honest = optimizer.clip_and_accumulate

    def forgetful(self):
        raw = [g[0].clone() for g in self.grad_samples]
        for g in self.grad_samples:
            g[0] = 0
        honest(self)
        for p, g in zip(self.params, raw, strict=True):
            p.summed_grad += g

    monkeypatch.setattr(optimizer, "clip_and_accumulate", forgetful)
    unclipped = dpsgd_canary(config, multiplier, TORCH_RUNS, draw())
    assert epsilon_lower_bound(*unclipped, DELTA) > claimed


def test_interval_covers_as_often_as_it_says():
    for successes, trials in ((0, 50), (3, 50), (25, 50), (50, 50)):
        low, high = clopper_pearson(successes, trials, 0.95)
        assert low <= successes / trials <= high
        if successes:
            assert binom.sf(successes - 1, trials, low) == pytest.approx(0.05)
        if successes < trials:
            assert binom.cdf(successes, trials, high) == pytest.approx(0.05)


def test_bound_is_below_the_truth_for_gaussians_and_not_far_below():
    """At delta = 0.05, mu = 1: epsilon is where norm.cdf(mu/2 - e/mu) - exp(e) norm.cdf(-mu/2 - e/mu) = delta."""
    grid = np.linspace(0, 5, 5001)
    truth = grid[(norm.cdf(0.5 - grid) - np.exp(grid) * norm.cdf(-0.5 - grid) > DELTA).sum()]
    rng, found = np.random.default_rng(0), []
    for _ in range(40):
        found.append(epsilon_lower_bound(rng.normal(1, 1, 2000), rng.normal(0, 1, 2000), DELTA))
    assert (np.array(found) > truth).sum() <= 5 and np.mean(found) > 0.6 * truth
    same = [epsilon_lower_bound(rng.normal(0, 1, 500), rng.normal(0, 1, 500), 0.0) for _ in range(40)]
    assert np.mean(np.array(same) > 0) <= 0.1


def test_audits_refuse_what_makes_no_sense():
    for bad in ((-1, 5, 0.95), (6, 5, 0.95), (1, 0, 0.95), (1, 5, 1.0)):
        with pytest.raises(ValueError, match="successes"):
            clopper_pearson(*bad)
    with pytest.raises(ValueError, match="20 or more"):
        epsilon_lower_bound(np.zeros(10), np.zeros(10), 0.01)
    with pytest.raises(ValueError, match="delta in"):
        epsilon_lower_bound(np.zeros(30), np.zeros(30), 1.0)
