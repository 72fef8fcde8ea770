"""The game's closed form against best responses, against deviation, against a numerical optimum; break-even stakes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from bfl_ref import audit_arithmetic
from bfl_ref.governance.incentives import (
    active_set,
    best_response,
    best_response_iteration,
    best_reward,
    break_even_stake,
    equilibrium,
    leader_utility,
    utilities,
)

costs_of = st.lists(st.floats(0.5, 10), min_size=2, max_size=12)


def test_two_equal_hospitals_worked_by_hand():
    assert equilibrium(40, [1, 1]).tolist() == [10, 10]  # x = R / 4c
    assert utilities(40, [1, 1], np.array([10.0, 10.0])).tolist() == [10, 10]
    assert equilibrium(12, [1, 2]).tolist() == pytest.approx([12 * 2 / 9, 12 * 1 / 9])


def test_who_is_too_dear_drops_out():
    costs = [1.0, 1.0, 1.9, 2.0, 5.0]
    assert active_set(costs) == (
        0,
        1,
        2,
    )  # of the fourth: 3 * 2.0 >= 1 + 1 + 1.9 + 2.0
    effort = equilibrium(10, costs)
    assert (effort[:3] > 0).all() and effort[3:].tolist() == [0, 0]
    assert active_set([3.0, 1.0]) == (1, 0)  # two are always active
    with pytest.raises(ValueError, match="at least two costs above 0"):
        active_set([1.0])


@given(costs_of, st.floats(0.1, 1000))
@settings(deadline=None)
def test_nobody_gains_by_deviating(costs, reward):
    effort = equilibrium(reward, costs)
    earned = utilities(reward, costs, effort)
    for i, cost in enumerate(costs):
        others = effort.sum() - effort[i]
        assert best_response(reward, cost, others) == pytest.approx(effort[i], abs=1e-6 * reward)
        for factor in (0, 0.5, 0.9, 1.1, 2):
            x = effort[i] * factor if effort[i] else reward * 0.01 * factor
            assert reward * x / (x + others) - cost * x <= earned[i] + 1e-9 * reward


@given(costs_of, st.floats(0.1, 1000))
@settings(deadline=None, max_examples=50)
def test_best_responses_lead_to_the_closed_form(costs, reward):
    found = best_response_iteration(reward, costs)
    assert np.abs(found - equilibrium(reward, costs)).max() <= 1e-6 * reward / min(costs)


def test_iteration_says_when_it_does_not_arrive():
    with pytest.raises(ArithmeticError, match="after 3 steps"):
        best_response_iteration(10, [1, 2, 3], limit=3)


@given(st.floats(0.5, 100), st.floats(0.05, 10))
def test_leaders_reward_is_the_best_one(value, beta):
    best = best_reward(value, beta)
    found = minimize_scalar(
        lambda r: -leader_utility(value, beta, r), bounds=(0, value + 1), method="bounded"
    )
    assert best == max(0, value - 1 / beta)
    assert leader_utility(value, beta, best) >= -found.fun - 1e-6 * value


def test_best_reward_refuses_what_has_no_optimum():
    with pytest.raises(ValueError, match="beta"):
        best_reward(1, 0)


def test_break_even_stake_is_that_of_the_audit_arithmetic():
    assert break_even_stake(2, 0.2, 100, 1) == pytest.approx(2 * 4)  # p = 20 %: four times the gain
    p = audit_arithmetic.detection(40, 2, 4)
    assert break_even_stake(1, 0.1, 40, 2) == pytest.approx((1 - p) / p)
    with pytest.raises(ValueError):
        break_even_stake(1, 0.001, 40, 2)  # nothing is audited
