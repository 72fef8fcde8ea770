"""Groups of at least three that partition the survivors; weights that cannot wrap; the new model from the sum."""

from collections import Counter

import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.fixed_point import aggregate
from bfl_ref.sharing import TooFewSurvivors, combine, partition, residues, signed, sum_shares, weights
from bfl_ref.stark.field import P

BEACONS = st.binary(min_size=32, max_size=32)


@given(st.integers(3, 60), BEACONS)
@settings(max_examples=200, deadline=None)
def test_groups_partition_the_survivors_into_threes_to_fives(k, beacon):
    survivors = [f"hospital {i}" for i in range(k)]
    groups = partition(survivors, beacon)
    sizes = [len(group) for group in groups]
    assert sorted(s for group in groups for s in group) == sorted(survivors)
    assert 3 <= min(sizes) <= max(sizes) <= 5 and max(sizes) - min(sizes) <= 1
    assert len(groups) == (1 if k < 6 else k // 3)
    assert groups == partition(tuple(survivors), beacon)
    if k < 6:
        assert groups == (tuple(survivors),)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_sum_over_fewer_than_three_is_never_opened(k):
    with pytest.raises(TooFewSurvivors) as caught:
        partition(list(range(k)), bytes(32))
    assert caught.value.survivors == k


def test_partition_follows_its_definition():
    """The shuffle in plain steps, as a contract would take them."""
    beacon, order = bytes(range(32)), list(range(10))
    for j in range(9, 0, -1):
        i = int.from_bytes(keccak(beacon + j.to_bytes(32, "big")), "big") % (j + 1)
        order[j], order[i] = order[i], order[j]
    expected = tuple(tuple(sorted(part)) for part in (order[:4], order[4:7], order[7:]))
    assert partition(range(10), beacon) == expected == ((3, 7, 8, 9), (0, 1, 5), (2, 4, 6))


def test_the_beacon_alone_decides_who_is_with_whom():
    together = Counter()
    for i in range(3000):
        for group in partition(range(6), i.to_bytes(32, "big")):
            together.update((a, b) for a in group for b in group if a < b)
    assert len(together) == 15  # each pair is in one group in 2 of 5 cases: 1200, standard deviation 27
    assert all(abs(count - 1200) < 6 * 27 for count in together.values())


@pytest.mark.parametrize(("survivors", "beacon"), [([1, 2, 2], bytes(32)), ([1, 2, 3], bytes(31))])
def test_partition_refuses_a_hospital_twice_or_another_beacon(survivors, beacon):
    with pytest.raises(ValueError, match="expected"):
        partition(survivors, beacon)


@given(st.lists(st.integers(1, 131_072), min_size=1, max_size=128), st.integers(0, 10))
@settings(max_examples=300, deadline=None)
def test_weighted_sums_cannot_wrap(rows, bucket):
    bound = 1 << 10 + bucket
    found = weights(rows, bound)
    assert 2 * sum(found) * bound < P and min(found) >= 1
    if sum(rows) * bound < P // 2:
        assert found == tuple(rows)
    else:
        room = P // 2 // bound - 130
        assert all(abs(a - n * room / sum(rows)) < 1 for a, n in zip(found, rows, strict=True))


def test_weights_exact_as_long_as_they_fit_then_rounded():
    bound = 1 << 20  # norms up to 16: P // 2 // bound = 960, K = 830
    assert weights([500, 459], bound) == (500, 459)
    assert weights([800, 150, 50], bound) == (664, 125, 42)  # 664, 124.5, 41.5
    assert weights([10_000, 1], bound) == (830, 1)  # 829.9, 0.08


@pytest.mark.parametrize(
    ("rows", "bound"), [([], 1), ([3, 0], 1), ([3], 0), ([1] * 129, 1), ([1_000_000], P // 2 // 130)]
)
def test_weights_refuse_what_does_not_fit(rows, bound):
    with pytest.raises(ValueError, match="expected"):
        weights(rows, bound)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_combine_with_row_counts_equals_the_plain_average_bit_for_bit(rows, seed):
    rng = np.random.default_rng(seed)
    old = rng.integers(-(1 << 19), 1 << 19, 36)
    largest = (P // 2 - 1) // sum(rows)
    updates = [old + rng.integers(-largest, largest + 1, 36) for _ in rows]
    assert weights(rows, largest) == tuple(rows)
    shared = [residues(n * (w - old)) for n, w in zip(rows, updates, strict=True)]
    found = combine(old, signed(sum_shares(shared)), sum(rows))
    assert found.dtype == np.int64 and (found == aggregate(old, updates, rows)).all()


def test_combine_rounds_to_the_nearest_half_upwards():
    total = np.array([-7, -6, -5, -2, -1, 0, 1, 2, 5, 6, 7])
    assert combine(np.full(11, 100), total, 4).tolist() == [
        98,
        99,
        99,
        100,
        100,
        100,
        100,
        101,
        101,
        102,
        102,
    ]


def test_combine_refuses_what_does_not_fit():
    for total, a in [(np.zeros(3, int), 4), (np.zeros(2, int), 0)]:
        with pytest.raises(ValueError, match="expected"):
            combine(np.zeros(2, int), total, a)
