"""Erasing a record changes nothing in the model; retraining every later round without it does, and exactly."""

import numpy as np
import pytest
from test_privacy_attacks import ROUNDS, pool

from bfl_ref import data
from bfl_ref.fixed_point import Hyper, federated, initial_weights, quantise, replay
from bfl_ref.privacy.forgetting import forgetting
from bfl_ref.privacy.membership import integer_fit

HYPER = Hyper(2, 4096, 16, 0)
ROWS = 100


def test_attack_sees_the_erased_patient_until_the_model_is_trained_again():
    x, y = (each[:ROWS] for each in pool())
    found = forgetting(integer_fit(ROUNDS, HYPER, 3), x, y, shadows=128, targets=32, patients=20, seed=5)
    assert found.before > 0.7 and found.key_dead == found.before and found.changed == 0.0
    assert abs(found.retrained - 0.5) < 0.06
    assert len(found.patients) == 20 and found.trials > 250
    with pytest.raises(ValueError, match="patients: expected 1 to"):
        forgetting(integer_fit(1, HYPER, 3), x, y, shadows=2, targets=2, patients=0, seed=5)


def silos() -> list[tuple[np.ndarray, np.ndarray]]:
    x, y = pool()
    return [(quantise(x[i * ROWS : (i + 1) * ROWS]), y[i * ROWS : (i + 1) * ROWS]) for i in range(3)]


def test_retraining_from_the_first_round_with_the_row_gives_the_model_that_never_saw_it():
    """A hospital joins in round 3 of 5, with a row that is erased later: rounds 3 to 5 again, and no others."""
    first, second, third = silos()
    without = third[0][1:], third[1][1:]
    start = initial_weights(pool()[0].shape[1])
    lived = replay(start, [[first, second]] * 2 + [[first, second, third]] * 3, HYPER)
    never = replay(start, [[first, second]] * 2 + [[first, second, without]] * 3, HYPER)
    again = replay(lived[1], [[first, second, without]] * 3, HYPER)
    assert (again[-1] == never[-1]).all() and (again[-1] != lived[-1]).any()


def test_going_on_without_the_row_is_not_the_model_that_never_saw_it():
    first, second, third = silos()
    without = third[0][1:], third[1][1:]
    start = initial_weights(pool()[0].shape[1])
    went_on = replay(start, [[first, second, third]] * 3 + [[first, second, without]] * 2, HYPER)
    never = replay(start, [[first, second, without]] * 5, HYPER)
    assert (went_on[-1] != never[-1]).any()


def test_replay_is_what_the_federation_trains():
    federation = data.load("wdbc", seed=0)
    rows = [(quantise(silo.x_train), silo.y_train) for silo in federation.silos]
    start = initial_weights(len(federation.feature_names))
    assert (replay(start, [rows] * 3, HYPER)[-1] == federated(federation, 3, HYPER)).all()
    assert replay(start, [], HYPER) == [] and (federated(federation, 0, HYPER) == start).all()
