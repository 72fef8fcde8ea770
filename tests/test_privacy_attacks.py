"""Membership inference and gradient inversion: they work without privacy, and come down to chance with it."""

import os
from functools import cache

import numpy as np
import pytest

from bfl_ref.data import load
from bfl_ref.fixed_point import Hyper, quantise
from bfl_ref.learning import TrainConfig, initial_weights
from bfl_ref.privacy.dpsgd import PrivateConfig
from bfl_ref.privacy.inversion import (
    divide,
    first_layer_gradient,
    invert_integer_steps,
    invert_linear,
    rows_found,
    summed_gradient,
)
from bfl_ref.privacy.membership import (
    halves,
    integer_fit,
    membership_attack,
    mlp_fit,
    moments,
    private_fit,
    rates,
)

FULL = os.environ.get("BFL_FULL") == "1"
OVERFITTED = TrainConfig(rounds=1, local_epochs=80, batch_rows=100, learning_rate=0.1, weight_decay=0.0)
PRIVATE = PrivateConfig(rounds=1, steps=20, batch_rows=100)
# five rounds of two epochs, clip norm 2: ten releases, for which accounting.calibrate(3, 1e-5, 10, 16) gives this noise
ROUNDS, NOISY = 5, Hyper(2, 4096, 16, 1074)


def draw(seed=0):
    return np.random.default_rng(seed).bytes


@cache
def pool(data_set="thyroid", rows=400):
    """Rows of one hospital's size, from all hospitals' training rows."""
    federation = load(data_set, seed=0, features="clinical" if data_set == "thyroid" else "plain")
    x = np.concatenate([silo.x_train for silo in federation.silos])
    y = np.concatenate([silo.y_train for silo in federation.silos])
    chosen = np.random.default_rng(1).permutation(len(x))[:rows]
    return x[chosen], y[chosen]


def attack(fit, shadows=32, targets=32):
    return membership_attack(fit, *pool(), shadows=shadows, targets=targets, exposed=50, seed=5)


def test_an_overfitted_model_betrays_its_members_and_the_same_attack_fails_at_epsilon_three():
    open_model = attack(mlp_fit(OVERFITTED))
    assert open_model.auc >= 0.65 and open_model.tpr >= 0.05
    private = attack(private_fit(PRIVATE, 3.0, 1e-5, 7), 32, 128 if FULL else 64)
    assert private.auc <= 0.53 and private.tpr <= 0.02


@pytest.mark.parametrize("seed", [3, 4, 5] if FULL else [3])
def test_integer_steps_betray_members_without_noise_and_not_with_it(seed):
    shadows, targets = (512, 1024) if FULL else (128, 256)
    without = attack(integer_fit(ROUNDS, Hyper(2, 4096, 16, 0), seed), shadows, targets)
    assert without.auc >= 0.65
    noisy = attack(integer_fit(ROUNDS, NOISY, seed), shadows, targets)
    assert noisy.auc <= 0.53 and noisy.tpr <= 0.02


def test_each_row_is_in_half_of_the_runs():
    members = halves(10, 7, np.random.default_rng(0))
    assert (members.sum(axis=0) == 5).all() and (members[::2] != members[1::2]).all()


def test_moments_and_rates_of_known_distributions():
    rng = np.random.default_rng(0)
    members = halves(2000, 20, rng)
    phi = rng.normal(0, 2, members.shape) + 3 * members
    inside, outside, spread = moments(phi, members)
    np.testing.assert_allclose(inside, 3, atol=0.3)
    np.testing.assert_allclose(outside, 0, atol=0.3)
    np.testing.assert_allclose(spread, 2, atol=0.2)
    auc, tpr = rates(phi, members)
    assert auc == pytest.approx(0.8556, abs=0.01)  # Phi(1.5 / sqrt 2)
    assert tpr == pytest.approx(0.2043, abs=0.03)  # Phi(1.5 - 2.326)
    chance = rates(rng.random(members.shape), members)
    assert chance == (pytest.approx(0.5, abs=0.01), pytest.approx(0.01, abs=0.005))


def test_attacks_refuse_what_makes_no_sense():
    x, y = pool()
    with pytest.raises(ValueError, match="even number of runs"):
        membership_attack(integer_fit(1, NOISY, 0), x, y, shadows=3, targets=2, exposed=5, seed=0)
    with pytest.raises(ValueError, match="exposed: expected 1 to 400"):
        membership_attack(integer_fit(1, NOISY, 0), x, y, shadows=2, targets=2, exposed=500, seed=0)
    with pytest.raises(ValueError, match="at least 100 rows"):
        invert_integer_steps(quantise(x[:50]), y[:50], NOISY, runs=1, draw=draw())


@pytest.mark.parametrize("data_set", ["thyroid", "heart"])
def test_a_row_is_read_back_exactly_from_a_step_and_lost_behind_noise(data_set):
    x, y = pool(data_set)
    runs = 20000 if FULL else 2000
    without = invert_integer_steps(quantise(x), y, Hyper(2, 4096, 16, 0), runs=400, draw=draw())
    assert without.exact == 1 and without.named == 1 and without.chance <= 0.01
    noisy = invert_integer_steps(quantise(x), y, NOISY, runs=runs, draw=draw())
    assert noisy.exact <= noisy.chance and noisy.feature <= noisy.feature_chance
    # chance 1 in 100; one step of epsilon .9 at most may allow e^.9 times that
    assert noisy.named <= 2.5 * noisy.named_chance


def test_the_row_of_a_lone_patient_is_the_ratio_of_two_weights():
    v = quantise(pool()[0][:1]).astype(np.int64)[0]
    gradient = 700 * v
    before, divisor = np.zeros_like(v), 64
    after = before - (2 * gradient + divisor // 2) // divisor
    assert (divide(summed_gradient(before, after, divisor)) == v).all()
    assert (divide(np.zeros(36)) == 0).all()


def test_first_layer_of_a_network_gives_rows_back_and_noise_takes_them_away():
    x, y = pool()
    weights = initial_weights(TrainConfig(), x.shape[1])
    lone, several, noisy = [], [], []
    for i in range(100):
        one = slice(i, i + 1)
        lone.append(rows_found(invert_linear(*first_layer_gradient(weights, x[one], y[one])), x[one]))
        some = slice(2 * i, 2 * i + 4)
        gradient = first_layer_gradient(weights, x[some], y[some])
        several.append(rows_found(invert_linear(*gradient), x[some]))
        rng = np.random.default_rng(i)  # clip norm 1, noise multiplier 1: less than any setting in use
        scale = max(1.0, np.linalg.norm(gradient[0]))
        blurred = (g / scale + rng.normal(0, 1, g.shape) for g in gradient)
        noisy.append(rows_found(invert_linear(*blurred), x[some]))
    assert np.mean(lone) == 1 and np.mean(several) > 0.05 and np.mean(noisy) == 0
