"""Evidence, its decay and scores, worked by hand and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bfl_ref.governance.reputation import (
    EVIDENCE_LIMIT,
    LARGE,
    Evidence,
    ReputationParameters,
    Standing,
    decay_over,
    evidence_in,
    record,
    score,
)

HALF = ReputationParameters(decay=1 << 31)
DEFAULT = ReputationParameters()


def test_new_identity_has_the_base_rate_and_evidence_moves_it_as_by_hand():
    assert score(DEFAULT, Standing(), 7) == 2000
    kept = record(DEFAULT, Standing(), 1, Evidence(2048))
    assert (kept.positive, kept.negative, kept.written) == (2048, 0, 1)
    assert score(DEFAULT, kept, 1) == (10_000 * 2048 + 2000 * 2048) // 4096 == 6000
    failed = record(DEFAULT, kept, 1, Evidence(0, 16_384))
    assert score(DEFAULT, failed, 1) == 24_576_000 // 20_480 == 1200
    again = record(DEFAULT, failed, 1, Evidence(0, 16_384))
    assert score(DEFAULT, again, 1) == 24_576_000 // 36_864 == 666  # rounded down


def test_evidence_halves_each_round_and_is_rounded_down():
    seen = record(HALF, Standing(), 1, Evidence(2049, 7))
    assert evidence_in(HALF, seen, 2) == Evidence(1024, 3)
    assert evidence_in(HALF, seen, 4) == Evidence(256, 0)
    later = record(HALF, seen, 3, Evidence(1, 1))
    assert (later.positive, later.negative, later.written) == (513, 2, 3)


def test_decay_by_squaring_rounds_each_product_down():
    d = DEFAULT.decay
    assert decay_over(d, 0) == 1 << 32
    assert decay_over(d, 1) == d
    assert decay_over(d, 2) == d * d >> 32
    assert decay_over(d, 3) == d * (d * d >> 32) >> 32
    assert decay_over(d, 5) == d * ((d * d >> 32) ** 2 >> 32) >> 32


@given(st.integers(0, 2**32 - 1), st.integers(0, 100_000))
def test_decay_by_squaring_is_the_power_but_for_rounding(decay, rounds):
    exact = (decay / 2**32) ** rounds * 2**32
    assert exact - 64 * 34 - 1e-6 * exact <= decay_over(decay, rounds) <= exact * (1 + 1e-9) + 1


def test_one_failure_suspends_a_newcomer_until_decay_has_forgotten_most_of_it():
    """Below the threshold as long as a W < (s + W) threshold: until s is 1/8 of it, or 1/72."""
    for rules, rounds in ((DEFAULT, 41), (LARGE, 212)):
        failed = record(rules, Standing(), 1, Evidence(0, rules.failed))
        back = next(n for n in range(2, 400) if score(rules, failed, n) >= rules.threshold)
        assert score(rules, failed, 1) < rules.threshold and back == 1 + rounds


def test_years_without_a_round_leave_nothing_and_the_past_is_refused():
    seen = record(DEFAULT, Standing(), 9, Evidence(EVIDENCE_LIMIT, EVIDENCE_LIMIT))
    assert evidence_in(DEFAULT, seen, 2**32 - 1) == Evidence()
    assert record(DEFAULT, seen, 9, Evidence(1)).positive == EVIDENCE_LIMIT
    with pytest.raises(ValueError, match="expected 9 or later, got 8"):
        record(DEFAULT, seen, 8, Evidence())


evidence = st.builds(Evidence, st.integers(0, 2**20), st.integers(0, 2**20))


@given(st.lists(st.tuples(st.integers(0, 50), evidence), max_size=20), evidence)
def test_scores_stay_in_range_and_move_with_the_evidence(history, last):
    standing, now = Standing(), 0
    for rounds, seen in history:
        now += rounds
        standing = record(DEFAULT, standing, now, seen)
    before = score(DEFAULT, standing, now)
    assert 0 <= before <= 10_000
    better = record(DEFAULT, standing, now, Evidence(last.positive))
    worse = record(DEFAULT, standing, now, Evidence(0, last.negative))
    assert score(DEFAULT, worse, now) <= before <= score(DEFAULT, better, now)
