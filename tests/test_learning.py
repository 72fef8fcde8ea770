"""FedAvg, its baselines and the headline claims of bfl_ref.learning."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from bfl_ref.data import Federation, Silo, load
from bfl_ref.learning import (
    Scores,
    TrainConfig,
    average,
    centralised,
    chosen_config,
    evaluate,
    federated,
    flatten,
    holdout,
    initial_weights,
    local_only,
    local_update,
    mean_scores,
    network,
    probabilities,
    score,
    train,
    unflatten,
)

FULL = os.environ.get("BFL_FULL") == "1"
SEEDS = (0, 1, 2) if FULL else (0,)
QUICK = TrainConfig(model="mlp", rounds=2, local_epochs=1, seed=5)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """The last bits of a sum depend on how many threads share it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clinics() -> Federation:
    return load("wdbc", seed=0)


def same(a, b) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_initial_weights_mlp_has_layers_64_and_32():
    shapes = {name: tuple(w.shape) for name, w in initial_weights(QUICK, 27).items()}
    assert sorted(shapes.values()) == [(1,), (1, 32), (32,), (32, 64), (64,), (64, 27)]


def test_initial_weights_leave_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    initial_weights(QUICK, 27)
    assert torch.equal(torch.rand(3), expected)


def test_train_one_full_batch_step_equals_the_gradient_by_hand():
    """w' = w - rate * X^T (sigmoid(X w + b) - y) / n, from zero: sigmoid = 1/2."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)).astype(np.float32), rng.integers(0, 2, 12)
    config = TrainConfig(model="logistic", batch_rows=12, learning_rate=0.3, momentum=0.0, weight_decay=0.0)
    got = train(initial_weights(config, 3), x, y, config, 1)
    residual = 0.5 - y
    assert np.allclose(got["0.weight"].numpy()[0], -0.3 * residual @ x / 12, atol=1e-6)
    assert np.allclose(got["0.bias"].numpy(), -0.3 * residual.mean(), atol=1e-6)


def test_train_logistic_to_convergence_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = (rng.random(300) < 1 / (1 + np.exp(-x @ [1.0, -2.0, 0.5, 0.0]))).astype(int)
    config = TrainConfig(model="logistic", batch_rows=300, learning_rate=1.0, weight_decay=0.0)
    got = train(initial_weights(config, 4), x, y, config, 400)
    oracle = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(x, y)
    assert np.allclose(got["0.weight"].numpy(), oracle.coef_, atol=1e-3)


def test_federated_equals_its_round_driven_by_hand(clinics):
    weights = initial_weights(QUICK, len(clinics.feature_names))
    for round_id in range(QUICK.rounds):
        updates = [local_update(weights, silo, QUICK, round_id) for silo in clinics.silos]
        weights = average(updates, [len(silo.x_train) for silo in clinics.silos])
    assert same(weights, federated(clinics, QUICK))


@pytest.mark.parametrize("system", [federated, centralised])
def test_training_same_seed_gives_the_same_bits_and_another_seed_others(clinics, system):
    first = system(clinics, QUICK)
    torch.rand(7)  # the global generator must not matter
    assert same(first, system(clinics, QUICK))
    assert not same(first, system(clinics, replace(QUICK, seed=6)))


def test_local_update_orders_rows_by_round_and_hospital_and_leaves_its_input(clinics):
    start = initial_weights(QUICK, len(clinics.feature_names))
    copy = {name: w.clone() for name, w in start.items()}
    silo = clinics.silos[0]
    assert not same(local_update(start, silo, QUICK, 0), local_update(start, silo, QUICK, 1))
    assert not same(
        local_update(start, silo, QUICK, 0), local_update(start, replace(silo, name="other"), QUICK, 0)
    )
    assert same(start, copy)


def test_training_does_not_read_test_rows(clinics):
    blind = replace(
        clinics,
        silos=tuple(
            replace(s, x_test=np.full_like(s.x_test, np.nan), y_test=1 - s.y_test) for s in clinics.silos
        ),
    )
    assert same(federated(clinics, QUICK), federated(blind, QUICK))
    assert same(centralised(clinics, QUICK), centralised(blind, QUICK))
    assert all(same(a, b) for a, b in zip(local_only(clinics, QUICK), local_only(blind, QUICK), strict=True))


def test_local_only_model_depends_on_its_own_rows_alone(clinics):
    alone = replace(clinics, silos=clinics.silos[:1])
    assert same(local_only(clinics, QUICK)[0], local_only(alone, QUICK)[0])


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.integers(1, 10_000), min_size=1, max_size=6), seed=st.integers(0, 1000))
def test_average_any_rows_equals_the_weighted_mean(rows, seed):
    rng = np.random.default_rng(seed)
    updates = [{"w": torch.from_numpy(rng.normal(size=(2, 3)).astype(np.float32))} for _ in rows]
    expected = np.average([update["w"].numpy() for update in updates], axis=0, weights=rows)
    got = average(updates, rows)["w"]
    assert got.dtype == torch.float32 and np.allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("updates", "rows", "message"),
    [
        ([], [], "expected a positive row count per update, got 0 updates"),
        ([{"w": torch.ones(2)}], [1, 2], "expected a positive row count per update"),
        ([{"w": torch.ones(2)}], [0], r"rows \[0\]"),
        ([{"w": torch.ones(2)}, {"w": torch.ones(3)}], [1, 1], "updates differ in names or shapes"),
        ([{"w": torch.ones(2)}, {"v": torch.ones(2)}], [1, 1], "updates differ in names or shapes"),
    ],
)
def test_average_unusable_updates_raise(updates, rows, message):
    with pytest.raises(ValueError, match=message):
        average(updates, rows)


def test_flatten_and_unflatten_are_inverse_and_alphabetical():
    weights = initial_weights(QUICK, 5)
    vector = flatten(weights)
    assert same(unflatten(vector, weights), weights)
    reordered = dict(reversed(weights.items()))
    assert torch.equal(flatten(reordered), vector)
    first = sorted(weights)[0]
    assert torch.equal(vector[: weights[first].numel()], weights[first].reshape(-1))
    with pytest.raises(ValueError, match=f"expected a vector of {len(vector)} weights, got shape"):
        unflatten(vector[:-1], weights)


def test_score_known_predictions_give_known_scores():
    got = score(np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.6, 0.1, 0.3]))
    # one hit, one miss, one false alarm; 4 of 6 (positive, negative) pairs in order
    assert got == Scores(accuracy=0.6, f1=0.5, auroc=pytest.approx(4 / 6), majority=0.6)


def test_mean_scores_averages_field_by_field():
    assert mean_scores([Scores(0.0, 0.2, 0.4, 0.6), Scores(1.0, 0.4, 0.6, 0.6)]) == Scores(
        0.5, pytest.approx(0.3), 0.5, 0.6
    )


def test_probabilities_of_zero_weights_are_one_half():
    config = TrainConfig(model="logistic")
    assert (probabilities(initial_weights(config, 3), np.ones((4, 3), np.float32), "logistic") == 0.5).all()


def test_holdout_test_rows_are_training_rows_and_partition_them(clinics):
    inner = holdout(clinics, 0)
    for before, after in zip(clinics.silos, inner.silos, strict=True):
        patients = [*after.patients_train, *after.patients_test]
        assert sorted(patients) == sorted(before.patients_train)
        assert set(after.patients_test).isdisjoint(before.patients_test)
        assert len(after.x_test) == len(after.y_test) == len(after.patients_test)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "tree"}, "model: expected 'logistic' or 'mlp', got 'tree'"),
        ({"rounds": 0}, "rounds: expected at least 1, got 0"),
        ({"local_epochs": 0}, "local_epochs: expected at least 1, got 0"),
        ({"batch_rows": -1}, "batch_rows: expected at least 1, got -1"),
        ({"learning_rate": 0.0}, "learning_rate: expected above 0"),
        ({"learning_rate": float("nan")}, "learning_rate: expected above 0"),
        ({"momentum": 1.0}, r"momentum: expected in \[0, 1\)"),
        ({"weight_decay": -1.0}, "weight_decay and seed: expected at least 0"),
        ({"seed": -1}, "weight_decay and seed: expected at least 0"),
    ],
)
def test_train_config_value_out_of_range_raises(change, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**change)


def test_network_gives_one_logit_per_row():
    module = network("mlp", 7)
    module.load_state_dict(initial_weights(QUICK, 7))
    assert module(torch.ones(5, 7)).shape == (5, 1)


def test_silo_without_patients_is_allowed():
    x, y = np.zeros((2, 1), np.float32), np.array([0, 1])
    assert len(Silo("made", x, y, x, y).patients_train) == 0


def test_claim_thyroid_mlp_federated_f1_and_distance_to_centralised():
    fed, central = [], []
    for seed in SEEDS:
        federation, config = load("thyroid", seed=seed), chosen_config("thyroid", "mlp", seed=seed)
        fed.append(evaluate(federated(federation, config), federation, config))
        central.append(evaluate(centralised(federation, config), federation, config))
    mean_fed, mean_central = mean_scores(fed), mean_scores(central)
    assert mean_fed.f1 >= 0.88 and mean_fed.accuracy > mean_fed.majority
    assert abs(mean_fed.accuracy - mean_central.accuracy) <= 0.01


def test_claim_thyroid_logistic_clinical_centralised_f1():
    scores = []
    for seed in SEEDS:
        federation = load("thyroid", features="clinical", seed=seed)
        config = chosen_config("thyroid", "logistic", seed=seed)
        scores.append(evaluate(centralised(federation, config), federation, config))
    assert mean_scores(scores).f1 >= 0.92


def test_claim_heart_mlp_federated_accuracy_and_gain_over_local_only():
    fed, alone = [], []
    for seed in (0, 1, 2):
        federation, config = load("heart", seed=seed), chosen_config("heart", "mlp", seed=seed)
        fed.append(evaluate(federated(federation, config), federation, config))
        alone += [evaluate(weights, federation, config) for weights in local_only(federation, config)]
    assert mean_scores(fed).accuracy >= 0.82
    assert mean_scores(fed).accuracy >= mean_scores(alone).accuracy + 0.05
