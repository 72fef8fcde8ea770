"""Shares: secrecy, gone through completely in small fields and sampled in the real one; linearity; the way to and from."""

import os
import secrets
from collections import Counter
from itertools import combinations, product

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from bfl_ref.sharing import random_coefficients, residues, share, signed, sum_shares, uniform
from bfl_ref.sharing.shamir import lagrange, points
from bfl_ref.stark.field import F, P, base

FULL = os.environ.get("BFL_FULL") == "1"
HALF = P // 2


@pytest.mark.parametrize("order", [5, 7])
@pytest.mark.parametrize("threshold", [2, 3, 4])
def test_fewer_than_t_shares_are_uniform_whatever_the_secret(order, threshold):
    """m = 4, every secret, every choice of coefficients: t - 1 shares take each value equally often; t do not."""
    field = galois.GF(order)
    coefficients = field(list(product(range(order), repeat=threshold - 1))).T
    secrets_seen = []
    for secret in range(order):
        seen = share(field([secret] * coefficients.shape[1]), coefficients, 4)
        for coalition in combinations(range(4), threshold - 1):
            counts = Counter(map(tuple, seen[list(coalition)].T.tolist()))
            assert counts == {values: 1 for values in product(range(order), repeat=threshold - 1)}
        secrets_seen.append({tuple(values) for values in seen[:threshold].T.tolist()})
    assert all(not a & b for a, b in combinations(secrets_seen, 2))  # t shares tell all secrets apart


def test_two_shares_in_the_real_field_do_not_depend_on_the_update():
    """Chi-square on the joint high bits, the joint residues mod 8 and each bit of all pairs of 5 seats, t = 3.

    All zeros against the largest steps of alternating sign: 26 statistics each, their threshold at 1e-9 together.
    """
    n = 2_000_000 if FULL else 200_000
    rng = np.random.default_rng(1).bytes
    for update in (np.zeros(n, np.int64), HALF * (-1) ** np.arange(n)):
        shares = share(update, random_coefficients(n, 3, rng), 5).view(np.ndarray).astype(np.int64)
        pairs = list(combinations(range(5), 2))
        for a, b in pairs:
            high = Counter(zip(*(shares[[a, b]] * 8 // P).tolist(), strict=True))
            low = Counter(zip(*(shares[[a, b]] % 8).tolist(), strict=True))
            for counts in (high, low):
                _uniform(np.array([counts[cell] for cell in product(range(8), repeat=2)]), 1e-9 / 40)
        for row in shares:  # below 2^27 dividing p - 1, each bit but the top four is fair
            bits = (row[:, None] >> np.arange(20)) & 1
            assert (abs(bits.mean(axis=0) - 0.5) * 2 * np.sqrt(n) < 7.5).all()


def _uniform(counts: np.ndarray, level: float) -> None:
    expected = counts.sum() / len(counts)
    assert ((counts - expected) ** 2 / expected).sum() < chi2.isf(level, len(counts) - 1)


def test_the_statistic_sees_a_share_that_leans_on_the_update():
    """The same test on coefficients that are not uniform: it must be able to fail."""
    rng = np.random.default_rng(2)
    leaning = base(rng.integers(0, P // 2, (2, 20_000)))
    leaning[1] = 0
    first = share(np.zeros(20_000, np.int64), leaning, 5)[0].view(np.ndarray).astype(np.int64)
    with pytest.raises(AssertionError):
        _uniform(np.bincount(first * 8 // P, minlength=8), 1e-9)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_sums_of_shares_are_shares_of_the_sum(data):
    m, h, n = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 6)), data.draw(st.integers(0, 20))
    t = data.draw(st.integers(2, m))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    limit = HALF // h
    updates = [rng.integers(-limit, limit, n, endpoint=True) for _ in range(h)]
    coefficients = [random_coefficients(n, t, rng.bytes) for _ in range(h)]
    shares = [share(u, c, m) for u, c in zip(updates, coefficients, strict=True)]
    sums = [sum_shares([each[a] for each in shares]) for a in range(m)]
    together = share(sum(updates), sum_shares(coefficients), m)
    assert all((a == b).all() for a, b in zip(sums, together, strict=True))
    seats = sorted(rng.permutation(m)[:t].tolist())
    at_zero = lagrange(points(seats), F(0))
    total = sum_shares([weight * sums[a] for weight, a in zip(at_zero, seats, strict=True)])
    assert (signed(total) == sum(updates)).all()


def test_share_equals_the_polynomial_in_python_integers():
    rng = np.random.default_rng(3)
    update, coefficients = rng.integers(-HALF, HALF, 50), random_coefficients(50, 4, rng.bytes)
    found = share(update, coefficients, 6)
    assert (found.dtype, found.shape, type(found)) == (np.uint32, (6, 50), F)
    for a, j in product(range(6), range(50)):
        c = coefficients[:, j].tolist()
        assert int(found[a, j]) == sum(k * (a + 1) ** e for e, k in enumerate([int(update[j]), *c])) % P


@given(st.lists(st.integers(-HALF, HALF)))
@settings(max_examples=100, deadline=None)
def test_signed_is_the_inverse_of_residues(values):
    vector = np.array(values, np.int64)
    elements = residues(vector)
    assert isinstance(elements, F) and (signed(elements) == vector).all()
    assert residues(elements) is elements


def test_signed_at_the_borders():
    assert signed(base([0, 1, HALF, HALF + 1, P - 1])).tolist() == [0, 1, HALF, -HALF, -1]


@pytest.mark.parametrize("value", [HALF + 1, -HALF - 1, 2**62, -(2**63)])
def test_a_value_that_would_wrap_is_refused_and_not_shown(value):
    with pytest.raises(ValueError, match="within") as caught:
        share(np.array([1, value]), random_coefficients(2, 3, secrets.token_bytes), 5)
    assert str(abs(value)) not in str(caught.value)


@pytest.mark.parametrize(
    ("vector", "shape", "seats"),
    [
        (np.zeros(3), (2, 3), 5),  # floats
        (np.zeros(3, int), (2, 4), 5),  # another length
        (np.zeros(3, int), (3,), 5),
        (np.zeros(3, int), (0, 3), 5),  # t = 1: every share would be the update
        (np.zeros(3, int), (5, 3), 5),  # t = 6 > m
        (np.zeros(3, int), (2, 3), P),
    ],
)
def test_share_refuses_what_does_not_fit(vector, shape, seats):
    with pytest.raises(ValueError, match="expected"):
        share(vector, F.Zeros(shape), seats)


def test_other_arguments_that_do_not_fit():
    for n, threshold in [(-1, 3), (3, 1)]:
        with pytest.raises(ValueError, match="expected"):
            random_coefficients(n, threshold, secrets.token_bytes)
    for shares in ([], [base([1]), base([1, 2])]):
        with pytest.raises(ValueError, match="one shape"):
            sum_shares(shares)
    for seats in ([0, 0], [-1], [P - 1]):
        with pytest.raises(ValueError, match="distinct seats"):
            points(seats)


def test_uniform_skips_words_that_are_not_below_p():
    words = [0x80000000 | 5, P - 1, P, 0x7FFFFFFF, 0x80000000 | P, 7, *[9] * 100]
    stream = iter(b"".join(w.to_bytes(4, "little") for w in words))

    def rng(count: int) -> bytes:
        assert count % 4 == 0
        return bytes(next(stream) for _ in range(count))

    assert uniform(4, rng).tolist() == [5, P - 1, 7, 9]


def test_uniform_asks_again_until_it_has_enough():
    calls = iter([b"\xff" * 4, b"\xff" * 4, (3).to_bytes(4, "little") * 8])
    assert uniform(2, lambda _: next(calls)).tolist() == [3, 3]


def test_random_coefficients_are_fresh_from_the_operating_system():
    a, b = (random_coefficients(100, 3, secrets.token_bytes) for _ in range(2))
    assert a.shape == (2, 100) and (a != b).sum() > 190
