"""The lottery of hospitals and the committee's draw: by hand, against frequencies, against closed forms."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from bfl_ref.audit_arithmetic import binomial_interval
from bfl_ref.governance import selection, validators
from bfl_ref.governance.reputation import Evidence, ReputationParameters, Standing, record
from bfl_ref.governance.rewards import TOKEN
from bfl_ref.governance.selection import NO_SEED, Candidate, SelectionParameters
from bfl_ref.governance.validators import ValidatorParameters

REPUTATION = ReputationParameters()
LOTTERY = SelectionParameters(seats=2, stake_cap=4, patience=7)
STAKE = 100


FRESH = Standing()


def weight(standing=FRESH, stake=STAKE, round_id=10, typical=5, points=2000):
    return selection.weight(LOTTERY, points, Candidate(standing, stake), round_id, typical, STAKE)


def test_weight_is_the_product_worked_by_hand():
    assert weight() == 2000 * 4 * 16 * 1
    assert weight(Standing(bucket=3)) == 2000 * 7 * 16
    assert weight(Standing(bucket=9)) == 2000 * 9 * 16  # nothing above the typical bucket 5
    assert weight(stake=150) == 2000 * 4 * 24
    assert weight(stake=156) == 2000 * 4 * 24  # floor(24.96)
    assert selection.weight(LOTTERY, 2000, Candidate(FRESH, 0), 10, 5, 0) == 2000 * 4 * 16  # no minimum stake
    assert weight(stake=10_000) == 2000 * 4 * 64  # four times the minimum at most
    assert weight(Standing(since=4)) == 2000 * 4 * 16 * 7  # waits since round 4
    assert weight(Standing(since=4, selected=9)) == 2000 * 4 * 16 * 1  # selected in the round before
    assert weight(Standing(since=4, selected=7)) == 2000 * 4 * 16 * 3
    assert weight(Standing(since=1), round_id=500) == 2000 * 4 * 16 * 8  # patience


def test_draw_by_hand():
    seed, weights = bytes(range(32)), [5, 0, 3, 9, 1]
    left, expected = list(weights), []
    for t in range(3):
        number = int.from_bytes(keccak(encode(["bytes32", "uint256"], [seed, t])), "big") % sum(left)
        places = [i for i, w in enumerate(left) for _ in range(w)]
        expected.append(places[number])
        left[places[number]] = 0
    assert selection.draw(seed, weights, 3) == tuple(expected)
    assert selection.draw(seed, weights, 4) == (0, 2, 3, 4)
    assert selection.draw(seed, [], 4) == selection.draw(seed, [0, 0], 1) == ()


def test_select_leaves_out_the_unready_poor_and_badly_reputed():
    failed = record(REPUTATION, Standing(since=1), 4, Evidence(0, REPUTATION.failed))
    fresh, old = Standing(), Standing(since=1, selected=2)
    stood = [(fresh, STAKE, True), (old, STAKE, True), (failed, STAKE, True), (old, STAKE - 1, True)]
    stood += [(old, STAKE, False), (old, 2 * STAKE, True)]
    candidates = [Candidate(*each) for each in stood]
    found = selection.select(LOTTERY, REPUTATION, candidates, 5, b"\1" * 32, 0, STAKE)
    assert found.eligible == (0, 1, 5) and found.newcomers == (0,)
    assert found.weights == (2000 * 4 * 16, 2000 * 4 * 16 * 3, 2000 * 4 * 32 * 3)
    drawn = selection.draw(b"\1" * 32, found.weights, 2)
    assert found.selected == tuple(found.eligible[i] for i in drawn)
    everyone = selection.select(LOTTERY, REPUTATION, candidates, 5, NO_SEED, 0, STAKE)
    assert everyone.selected == (0, 1, 5)
    crowd = [Candidate(fresh, STAKE)] * 130
    found = selection.select(LOTTERY, REPUTATION, crowd, 5, NO_SEED, 0, STAKE)
    assert found.selected == tuple(range(128)) and found.newcomers == tuple(range(16))
    noted = selection.note_selection(fresh, 5, selected=False, newcomer=True)
    assert noted.since == 5 and noted.selected == 0 and selection.waited(noted, 8) == 3


def test_first_draw_has_the_frequencies_of_the_weights():
    weights, draws = [1, 2, 3, 10, 4], 4000
    seen = Counter(selection.draw(keccak(i.to_bytes(4, "big")), weights, 1)[0] for i in range(draws))
    for i, w in enumerate(weights):
        low, high = binomial_interval(w / sum(weights), draws, 0.999)
        assert low <= seen[i] / draws <= high


@given(st.binary(min_size=32, max_size=32), st.lists(st.integers(0, 2**40), max_size=30), st.integers(0, 12))
def test_drawn_are_distinct_of_positive_weight_and_as_many_as_can_be(seed, weights, seats):
    drawn = selection.draw(seed, weights, seats)
    assert len(set(drawn)) == len(drawn) == min(seats, sum(w > 0 for w in weights))
    assert all(weights[i] for i in drawn)


def test_pool_is_whoever_stakes_enough_and_has_half_of_the_best_score():
    rules = ValidatorParameters(penalty=50)
    assert validators.pool(rules, [9000, 4500, 4499, 8000, 9999, 4500], [50, 60, 99, 49, 0, 50]) == (0, 1, 5)
    assert validators.pool(rules, [9000, 4000, 100, 4000, 99], [50] * 5) == (
        0,
        1,
        3,
    )  # down to the third best
    assert validators.pool(rules, [9000, 10], [50, 50]) == (0, 1)
    assert validators.pool(rules, [], []) == ()


def test_committee_by_hand_and_one_seat_an_operator():
    seed = b"\7" * 32
    left, expected = list("abcdefg"), []
    for t in range(5):
        place = int.from_bytes(keccak(seed + t.to_bytes(32, "big")), "big") % len(left)
        expected.append("abcdefg".index(left[place]))
        left[place] = left[-1]
        left.pop()
    assert validators.draw(seed, list("abcdefg"), 5, 1) == tuple(expected)
    capped = validators.draw(seed, list("aaaaabc"), 5, 1)
    assert sorted("aaaaabc"[i] for i in capped) == ["a", "b", "c"]
    assert len(validators.draw(seed, list("aaaaabc"), 5, 3)) == 5


def test_two_thirds_rounds_up():
    assert [validators.two_thirds(n) for n in (3, 4, 5, 6, 7, 9)] == [2, 3, 4, 4, 5, 6]


@given(st.integers(1, 60), st.data())
def test_capture_probability_is_the_hypergeometric_tail(pool, data):
    coalition, seats = data.draw(st.integers(0, pool)), data.draw(st.integers(0, pool))
    needed = data.draw(st.integers(0, seats + 1))
    expected = hypergeom(pool, coalition, seats).sf(needed - 1)
    assert validators.capture_probability(pool, coalition, seats, needed) == pytest.approx(
        expected, abs=1e-12
    )


def test_capture_probability_worked_by_hand_and_bad_arguments():
    assert validators.capture_probability(6, 2, 3, 2) == float(Fraction(4, 20))
    with pytest.raises(ValueError, match="got 7, 3, 6"):
        validators.capture_probability(6, 7, 3, 2)


def test_a_third_captures_a_drawn_committee_as_often_as_the_closed_form_says():
    pool, coalition, seats, rounds = 30, 10, 5, 10_000
    needed, captured = validators.two_thirds(seats), 0
    for i in range(rounds):
        seed = validators.seed_of(1, "0x" + 40 * "1", i, bytes(32))
        captured += sum(j < coalition for j in validators.draw(seed, range(pool), seats, 1)) >= needed
    expected = validators.capture_probability(pool, coalition, seats, needed)
    low, high = binomial_interval(expected, rounds)
    assert low <= captured / rounds <= high and expected < 0.04


def test_top_scorers_are_captured_by_the_patient():
    scores = [9000] * 4 + [8900] * 8
    members = [f"0x{i:040x}" for i in range(12)]
    assert all(set(validators.top_scorers(scores, members, 5)) >= {0, 1, 2, 3} for _ in range(3))
    tied = validators.top_scorers([5000] * 12, members[::-1], 2)
    assert tied == (11, 10)


def test_seat_seed_depends_on_all_of_its_parts():
    parts = (1, "0x" + 40 * "1", 1, bytes(32))
    others = [
        (2, *parts[1:]),
        (1, "0x" + 40 * "2", *parts[2:]),
        (*parts[:2], 2, bytes(32)),
        (*parts[:3], b"\1" * 32),
    ]
    assert len({validators.seed_of(*p) for p in [parts, *others]}) == 5


def test_default_parameters_are_in_tokens():
    assert ValidatorParameters().penalty == 50 * TOKEN and np.isclose(ValidatorParameters().fee / TOKEN, 5)
