"""DP-SGD with noise per layer: accounting, allocation, adaptive clipping, opacus' pitfalls, bad input by name."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from opacus.accountants import PRVAccountant
from opacus.grad_sample import GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping
from scipy.stats import kstest, norm
from torch import nn

from bfl_ref.data import load
from bfl_ref.learning import TrainConfig, evaluate, flatten, initial_weights
from bfl_ref.privacy.dpsgd import (
    PrivateConfig,
    calibrate,
    claim,
    epsilon,
    private_federated,
    row_losses,
    train_private,
)
from bfl_ref.privacy.layers import Allocation, adapt, allocate, public_clips, with_counts
from bfl_ref.privacy.randomness import gaussian, poisson_batch

GAIN = 1.26
MLP = {"sizes": (27 * 64, 64, 64 * 32, 32, 32, 1)}


def draw(seed=0):
    return np.random.default_rng(seed).bytes


def rows(n=40, d=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (n, d)).astype(np.float32)
    return x, (x[:, 0] + rng.normal(0, 1, n) > 0).astype(np.int64)


def start(model="mlp", d=5):
    return initial_weights(TrainConfig(model=model), d)


def gaussian_delta(mu: float, eps: float) -> float:
    """Balle and Wang 2018, theorem 8."""
    return norm.cdf(mu / 2 - eps / mu) - math.exp(eps) * norm.cdf(-mu / 2 - eps / mu)


@pytest.mark.parametrize(("multiplier", "steps"), [(2.0, 1), (8.0, 10), (20.0, 100)])
def test_without_sampling_epsilon_is_that_of_a_gaussian_of_sensitivity_two(multiplier, steps):
    config = PrivateConfig(rounds=1, steps=steps, batch_rows=100)
    found = epsilon(config, 100, multiplier, 1e-5)
    mu = 2 * math.sqrt(steps) / multiplier
    assert gaussian_delta(mu, found) <= 1e-5 <= gaussian_delta(mu, found - 0.03)


def test_sampled_epsilon_lies_between_opacus_for_one_row_more_and_for_two_rows():
    """Replacing is removing and adding, so (2 e, (1 + exp e) d) if one row more or less is (e, d)."""

    def one(delta):
        accountant = PRVAccountant()
        accountant.history = [(2.0, 0.1, 20)]
        return accountant.get_epsilon(delta, eps_error=0.01)

    found = epsilon(PrivateConfig(rounds=1, steps=20, batch_rows=50), 500, 2.0, 1e-5)
    assert 1e-7 * (1 + math.exp(one(1e-7))) <= 1e-5
    assert one(1e-5) < found < 2 * one(1e-7)


@pytest.mark.parametrize("batch_rows", [20, 98])
def test_calibration_meets_its_target_from_below(batch_rows):
    config = PrivateConfig(batch_rows=batch_rows)
    z = calibrate(config, 98, 3.0, 1e-5)
    assert claim(config, 98, z, 1e-5) <= 3.0 < claim(config, 98, 0.98 * z, 1e-5)
    assert 2.0 < epsilon(config, 98, z, 1e-5) <= 3.0


def test_noise_per_layer_costs_less_than_one_flat_norm_for_the_same_privacy():
    rng = np.random.default_rng(0)
    for _ in range(100):
        clips = rng.uniform(0.01, 2, 6)
        layered = allocate(clips, MLP["sizes"], 3.0)
        flat = Allocation(
            (float(np.linalg.norm(clips)),), (3 * float(np.linalg.norm(clips)),) * 6, MLP["sizes"]
        )
        assert layered.sensitivity == pytest.approx(2 / 3) and layered.clips == tuple(clips)
        assert layered.total_variance <= flat.total_variance * (1 + 1e-9)
        for _ in range(5):  # no other split of the same privacy is better
            other = np.array(layered.stds) * rng.uniform(0.8, 1.25, 6)
            other *= np.linalg.norm(clips / other) * 3
            moved = Allocation(layered.clips, tuple(other), layered.sizes)
            assert moved.sensitivity == pytest.approx(2 / 3)
            assert moved.total_variance >= layered.total_variance * (1 - 1e-9)


def test_public_clips_over_the_mlp_gain_a_factor():
    """Total noise against one flat norm of the same sensitivity, 27 features."""
    clips = public_clips(1.0, [(64, 27), (64,), (32, 64), (32,), (1, 32), (1,)])
    assert np.linalg.norm(clips) == pytest.approx(1) and clips[0] / clips[1] == pytest.approx(27**0.5)
    gain = sum(MLP["sizes"]) / allocate(clips, MLP["sizes"], 1.0).total_variance
    assert gain == pytest.approx(GAIN, abs=0.01)


@pytest.mark.parametrize("clipping", ["layers", "flat", "ghost"])
def test_a_step_never_moves_by_more_than_the_clip_norms(clipping):
    """Without noise and with one row replaced: the difference is within 2 C, layer by layer, and attained."""
    config = PrivateConfig(
        rounds=1, steps=1, batch_rows=8, learning_rate=1.0, momentum=0.0, clip=0.3, clipping=clipping
    )
    worst = 0.0
    for seed in range(20):
        x, y = rows(8, seed=seed)
        x[0] *= 4
        one, _ = train_private(start(), x, y, config, 0.0, draw())
        y[0] = 1 - y[0]
        two, _ = train_private(start(), x, y, config, 0.0, draw())
        moved = 8 * (flatten(one) - flatten(two)).norm().item()
        worst = max(worst, moved)
        assert moved <= 2 * 0.3 * (1 + 1e-4)
        if clipping == "layers":
            for name, limit in zip(one, public_clips(0.3, [t.shape for t in one.values()]), strict=True):
                assert 8 * (one[name] - two[name]).norm() <= 2 * limit * (1 + 1e-4)
    assert worst > 2 * 0.3 / 1.5


@pytest.mark.parametrize("clipping", ["layers", "flat", "ghost"])
def test_noise_has_the_variance_that_was_allocated(clipping):
    config = PrivateConfig(
        rounds=1, steps=1, batch_rows=8, learning_rate=1.0, momentum=0.0, clip=0.3, clipping=clipping
    )
    x, y = rows(8)
    quiet, _ = train_private(start(), x, y, config, 0.0, draw())
    sizes = [t.numel() for t in quiet.values()]
    expected = (2.0 * 0.3) * np.ones(6)
    if clipping == "layers":
        expected = np.array(allocate(public_clips(0.3, [t.shape for t in quiet.values()]), sizes, 2.0).stds)
    loud = [train_private(start(), x, y, config, 2.0, draw(seed))[0] for seed in range(60)]
    for name, std in zip(quiet, expected, strict=True):
        noise = 8 * torch.stack([run[name] - quiet[name] for run in loud]).double()
        assert noise.std().item() == pytest.approx(std, rel=3 / (2 * noise.numel()) ** 0.5 + 0.005)


def test_ghost_and_flat_clipping_agree():
    x, y = rows()
    flat, _ = train_private(start(), x, y, PrivateConfig(clipping="flat", batch_rows=20), 1.0, draw())
    ghost, _ = train_private(start(), x, y, PrivateConfig(clipping="ghost", batch_rows=20), 1.0, draw())
    torch.testing.assert_close(flatten(flat), flatten(ghost), rtol=1e-4, atol=1e-5)


def test_normals_are_normal_and_batches_are_poisson():
    sample = gaussian((50, 1000), draw()).numpy()
    assert kstest(sample.ravel(), "norm").pvalue > 0.01
    sizes = [len(poisson_batch(200, 0.3, draw(i))) for i in range(400)]
    assert np.mean(sizes) == pytest.approx(60, abs=1) and np.var(sizes) == pytest.approx(42, rel=0.25)
    assert len(poisson_batch(7, 1.0, draw())) == 7


def test_an_empty_batch_still_releases_noise():
    config = PrivateConfig(rounds=1, steps=1, batch_rows=1, clip=0.5)
    x, y = rows(100)
    seeds = [s for s in range(50) if len(poisson_batch(100, 0.01, draw(s))) == 0]
    for clipping in ("layers", "flat", "ghost"):
        after, _ = train_private(start(), x, y, replace(config, clipping=clipping), 1.0, draw(seeds[0]))
        assert (flatten(after) != flatten(start())).all()


@pytest.mark.parametrize("beginning", [0.01, 100.0])
def test_clip_norms_converge_to_the_quantile_from_both_sides(beginning):
    norms = np.random.default_rng(0).lognormal([0, 1.5], 1, (4000, 2))
    clips = np.full(2, beginning)
    for _ in range(200):
        clips = adapt(clips, (norms <= clips).mean(axis=0), 0.7, 0.2)
    np.testing.assert_allclose(clips, np.quantile(norms, 0.7, axis=0), rtol=0.02)


@pytest.mark.parametrize("beginning", [1e-3, 30.0])
def test_training_adapts_each_layer_to_the_quantile_of_its_own_gradient_norms(beginning):
    x, y = rows(200)
    config = PrivateConfig(
        model="logistic", rounds=1, steps=150, batch_rows=200, learning_rate=1e-6, momentum=0.0,
        clip=beginning, quantile=0.6, quantile_rate=0.3,
    )  # fmt: skip
    _, clips = train_private(start("logistic"), x, y, config, 0.0, draw())
    gradient = 0.5 * np.linalg.norm(x, axis=1)  # |sigmoid(0) - y| = 1/2; the bias' norm is 1/2 for every row
    assert (gradient <= clips[0]).mean() == pytest.approx(0.6, abs=0.02)
    _, noisy = train_private(start("logistic"), x, y, config, 1.0, draw())
    assert (gradient <= noisy[0]).mean() == pytest.approx(0.6, abs=0.15)


def test_counts_and_gradients_share_one_release():
    gradients, count = with_counts(2.0, 0.05, 6)
    assert 1 / gradients**2 + 6 / (2 * count) ** 2 == pytest.approx(1 / 2.0**2)
    assert with_counts(0.0, 0.05, 6) == (0.0, 0.0)


def test_opacus_alone_scales_rows_by_the_batch_in_ghost_mode_and_says_nothing():
    """The pitfall that `row_losses` closes: logits (B, 1) give a sum B times over its bound."""
    torch.manual_seed(0)
    x, labels = torch.randn(64, 5) * 4, (torch.rand(64) < 0.5).float()
    sums = {}
    for shape in ((64, 1), (64,)):
        torch.manual_seed(0)
        module = GradSampleModuleFastGradientClipping(
            nn.Linear(5, 1), max_grad_norm=0.01, loss_reduction="sum"
        )
        optimizer = DPOptimizerFastGradientClipping(
            torch.optim.SGD(module.parameters(), lr=0.1),
            noise_multiplier=0.0, max_grad_norm=0.01, expected_batch_size=64, loss_reduction="sum",
        )  # fmt: skip
        criterion = DPLossFastGradientClipping(
            module, optimizer, nn.BCEWithLogitsLoss(reduction="sum"), loss_reduction="sum"
        )
        optimizer.zero_grad()
        loss = criterion(module(x.requires_grad_()).reshape(shape), labels.reshape(shape))
        loss.backward()
        sums[shape] = math.hypot(*(p.grad.norm().item() for p in module.parameters()))
    assert sums[(64,)] <= 64 * 0.01 < sums[(64, 1)]
    assert row_losses(torch.zeros(4, 1), torch.ones(4)).shape == (4,)


def test_settings_that_make_no_sense_are_refused_by_name():
    for name, bad in {
        "rounds": 0, "steps": 0, "batch_rows": 0, "learning_rate": 0.0, "clip": 0.0, "momentum": 1.0,
        "clipping": "none", "quantile": 1.0, "quantile_rate": -1.0, "count_share": 1.0,
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=name):
            PrivateConfig(**{name: bad})
    with pytest.raises(ValueError, match="clip"):
        PrivateConfig(clip=float("nan"))
    with pytest.raises(ValueError, match="quantile"):
        PrivateConfig(clipping="flat", quantile=0.5)
    with pytest.raises(ValueError, match="clip norm above 0"):
        allocate([1.0, 0.0], [3, 1], 1.0)


def test_privacy_that_cannot_be_is_refused_by_name():
    config = PrivateConfig(batch_rows=64)
    x, y = rows(40)
    with pytest.raises(ValueError, match="batch larger than the silo: batch_rows 64, rows 40"):
        train_private(start(), x, y, config, 1.0, draw())
    with pytest.raises(ValueError, match="batch larger than the silo"):
        calibrate(config, 40, 3.0, 1e-5)
    for target in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="epsilon: expected above 0"):
            calibrate(config, 100, target, 1e-5)
    for delta in (0.0, 0.01, 1.0, -1e-5):
        with pytest.raises(ValueError, match="delta: expected above 0 and below 1/rows"):
            epsilon(config, 100, 1.0, delta)
    for z in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="multiplier: expected"):
            epsilon(config, 100, z, 1e-5)
        if z != 0:
            with pytest.raises(ValueError, match="multiplier"):
                train_private(start(), *rows(100), config, z, draw())


@pytest.mark.parametrize("clipping", ["layers", "flat", "ghost"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_training_by_name(clipping, value):
    x, y = rows(40)
    x[3, 1] = value
    with pytest.raises(ValueError, match="loss: expected finite"):
        train_private(start(), x, y, PrivateConfig(clipping=clipping, batch_rows=40), 1.0, draw())


def test_row_losses_want_one_logit_and_one_label_a_row():
    with pytest.raises(ValueError, match="a logit and a label per row"):
        row_losses(torch.zeros(4, 2), torch.ones(4))
    with pytest.raises(ValueError, match="a logit and a label per row"):
        row_losses(torch.zeros(4, 1), torch.ones(4, 1))


def test_heart_is_learnt_at_epsilon_three():
    federation = load("heart", seed=0)
    found = [
        evaluate(
            private_federated(federation, PrivateConfig(), 3.0, 1e-5, draw(seed)), federation, TrainConfig()
        ).accuracy
        for seed in range(2)
    ]
    assert np.mean(found) >= 0.74
