"""Rewards, evidence and group scores of a round."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bfl_ref.data import load
from bfl_ref.fixed_point import Hyper, aggregate, initial_weights, quantise, trajectory
from bfl_ref.governance.contributions import group_score, log_loss, medians, score_groups
from bfl_ref.governance.reputation import LARGE, Evidence
from bfl_ref.governance.rewards import RewardParameters, split
from bfl_ref.governance.settlement import (
    HospitalFacts,
    ValidatorFacts,
    contribution,
    hospital_evidence,
    lower_median,
    quality_evidence,
    seat_evidence,
    typical_bucket,
    validator_evidence,
)
from bfl_ref.stark.field import P

RULES = LARGE


def test_split_worked_by_hand():
    paid = split(RewardParameters(40, 3), 100, [1, 1, 1], 4)
    assert paid.hospitals == (13, 13, 13) and paid.service == 3 and paid.pot == 100 - 39 - 12
    short = split(RewardParameters(40, 3), 45, [2, 1], 4)
    assert short.hospitals == (26, 13) and short.service == (45 - 39) // 4 == 1 and short.pot == 2
    poor = split(RewardParameters(40, 3), 20, [3, 1], 2)
    assert poor.hospitals == (15, 5) and poor.service == 0 and poor.pot == 0
    assert split(RewardParameters(40, 3), 20, [0, 0], 0).hospitals == (0, 0)


@given(
    st.integers(0, 10**24),
    st.lists(st.integers(0, 2**40), max_size=20),
    st.integers(0, 20),
    st.integers(0, 10**22),
)
def test_split_pays_the_pot_and_not_more(pot, contributions, services, reward):
    paid = split(RewardParameters(reward, reward // 7), pot, contributions, services)
    assert paid.pot >= 0 and pot == paid.pot + sum(paid.hospitals) + services * paid.service
    assert sum(paid.hospitals) <= min(reward, pot)
    if sum(contributions):
        assert min(reward, pot) - sum(paid.hospitals) < max(1, len(contributions))


def test_hospital_evidence_takes_the_first_fault():
    assert hospital_evidence(RULES, HospitalFacts(False, True, True, True)) == Evidence(0, 512)
    assert hospital_evidence(RULES, HospitalFacts(True, True, True, True)) == Evidence(0, 16_384)
    assert hospital_evidence(RULES, HospitalFacts(True, False, True, True)) == Evidence(0, 512)
    assert hospital_evidence(RULES, HospitalFacts(True, proven=True)) == Evidence(512, 0)
    assert hospital_evidence(RULES, HospitalFacts(True)) == Evidence(256, 0)


def test_quality_evidence_by_hand():
    scores = (0, 3, 4, 1000, 4000, 10_000, -1, -1000, -4000, -10_000)
    found = [quality_evidence(RULES, q, groups=2) for q in scores]
    assert [e.positive for e in found] == [0, 0, 1, 256, 1024, 1024, 0, 0, 0, 0]
    assert [e.negative for e in found] == [0, 0, 0, 0, 0, 0, 2, 2048, 8192, 8192]
    assert {quality_evidence(RULES, q, groups=1) for q in scores} == {Evidence()}


def test_validator_and_seat_evidence_by_hand():
    assert validator_evidence(RULES, ValidatorFacts(True, voted=True)) == Evidence(256, 0)
    assert validator_evidence(RULES, ValidatorFacts(True)) == Evidence(0, 512)
    assert validator_evidence(RULES, ValidatorFacts(True, True, withheld=True)) == Evidence(256, 512)
    assert validator_evidence(RULES, ValidatorFacts(False, kept_back=1)) == Evidence(0, 512)
    assert validator_evidence(RULES, ValidatorFacts(True, True, falsified=1)) == Evidence(256, 16_384)
    assert validator_evidence(RULES, ValidatorFacts(False, kept_back=1, falsified=1)) == Evidence(0, 16_896)
    assert validator_evidence(RULES, ValidatorFacts(False)) == Evidence()
    assert seat_evidence(RULES, summed=True) == Evidence(256)
    assert seat_evidence(RULES, summed=False) == Evidence(0, 512)


def test_contributions_medians_and_buckets():
    assert [contribution(3, q) for q in (-20_000, -10_000, -1, 0, 50)] == [0, 0, 29_997, 30_000, 30_150]
    assert lower_median([4, 1, 3, 2]) == 2 and lower_median([5]) == 5 and typical_bucket([9, 2, 7]) == 7
    assert medians([[1, 5], [2, 4]]) is None
    assert medians([[1, 5], [2, 4], [-9, 10_000], [7, 0]]) == [1, 4]
    with pytest.raises(ValueError, match="got none"):
        lower_median([])


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=12), st.data())
def test_less_than_half_of_the_validators_do_not_move_the_median_beyond_the_others(honest, data):
    liars = data.draw(st.lists(st.sampled_from([-10_000, 10_000]), max_size=len(honest) - 1))
    found = lower_median(honest + liars)
    assert min(honest) <= found <= max(honest)


def test_group_score_by_hand():
    assert group_score(1000, 900) == 1000
    assert group_score(3, 2) == 3333 and group_score(3, 4) == -3334  # towards minus infinity
    assert group_score(10, 1000) == -10_000 and group_score(10, 0) == 10_000
    assert group_score(0, 0) == 0 and group_score(0, 1) == -10_000
    with pytest.raises(ValueError, match="got 1, -1"):
        group_score(1, -1)


def test_log_loss_is_that_of_the_model_in_any_order_of_rows():
    federation = load("wdbc", seed=0)
    x, y = federation.x_test, federation.y_test
    w = np.random.default_rng(0).integers(-40_000, 40_000, len(initial_weights(x.shape[1])))
    loss = log_loss(w, x, y)
    z = quantise(x).astype(np.float64) @ w / 2**21
    assert loss / 2**20 == pytest.approx(np.log1p(np.exp(np.where(y == 1, -z, z))).sum(), rel=1e-6)
    order = np.random.default_rng(1).permutation(len(y))
    assert log_loss(w, x[order], y[order]) == loss
    assert log_loss(np.zeros_like(w), x, y) == len(y) * round(np.log(2) * 2**20)


def test_groups_with_flipped_labels_score_below_the_honest():
    federation = load("wdbc", seed=0)
    hyper = Hyper(1, 256, 16, 0)
    w0 = initial_weights(len(federation.feature_names))
    silent = np.zeros_like(w0)
    model = w0
    for _ in range(2):
        updates = [
            list(trajectory(model, quantise(s.x_train), s.y_train, hyper, lambda _: silent))[-1]
            for s in federation.silos
        ]
        model = aggregate(model, updates, [len(s.y_train) for s in federation.silos])

    def total(flip: bool) -> tuple[bytes, int]:
        moved, rows = np.zeros_like(model), 0
        for s in federation.silos:
            y = 1 - s.y_train if flip else s.y_train
            moved += len(y) * (
                list(trajectory(model, quantise(s.x_train), y, hyper, lambda _: silent))[-1] - model
            )
            rows += len(y)
        return b"".join(int(v % P).to_bytes(4, "big") for v in moved), rows

    honest, flipped = total(False), total(True)
    found = score_groups(
        model, [honest[0], flipped[0]], [honest[1], flipped[1]], federation.x_test, federation.y_test
    )
    assert found[0] > 0 > found[1]
    # a group's update alone, applied by the same rule as the whole round's
    again = score_groups(model, [flipped[0]], [flipped[1]], federation.x_test, federation.y_test)
    assert again == found[1:]
    with pytest.raises(ValueError, match="got 0 rows"):
        score_groups(model, [], [], federation.x_test[:0], federation.y_test[:0])


def test_median_of_columns_is_each_groups_own():
    rng = random.Random(0)
    table = [[rng.randint(-10_000, 10_000) for _ in range(4)] for _ in range(5)]
    assert medians(table) == [sorted(row[g] for row in table)[2] for g in range(4)]
