"""Robust decoding, m = 5 and t = 3 above all: the sum and the liars within the distance, a named failure beyond it.

`both`: each case runs over the fast decoder and over the plain one.
"""

import os
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.sharing import (
    NotDecodable,
    TooFewShares,
    Undecodable,
    decode,
    decode_plain,
    random_coefficients,
    share,
)
from bfl_ref.sharing.reed_solomon import polynomial_through_most
from bfl_ref.sharing.shamir import lagrange, points
from bfl_ref.stark.field import F, P, base, random_base

FULL = os.environ.get("BFL_FULL") == "1"
MANY = settings(max_examples=300 if FULL else 30, deadline=None)
both = pytest.mark.parametrize("decoder", [decode, decode_plain])
M, T, N = 5, 3, 4


def shared(seed: int, m: int = M, t: int = T, n: int = N) -> tuple[F, dict[int, F]]:
    """A vector that is nobody's, and its shares by seat."""
    rng = np.random.default_rng(seed).bytes
    vector = random_base(n, rng)
    return vector, dict(enumerate(share(vector, random_coefficients(n, t, rng), m)))


def without(shares: dict[int, F], missing) -> dict[int, F]:
    return {seat: s.copy() for seat, s in shares.items() if seat not in missing}


def lie(shares: dict[int, F], seat: int, places, rng: np.random.Generator) -> None:
    for j in places:
        shares[seat][j] += F(int(rng.integers(1, P)))


@both
def test_all_present_and_honest_gives_the_sum(decoder):
    vector, shares = shared(0)
    found = decoder(shares, T)
    assert (found.total == vector).all() and (found.wrong, found.margin) == ((), 2)


@both
@pytest.mark.parametrize("liar", range(M))
@pytest.mark.parametrize("places", [[0], [N - 1], [1, 2], range(N)])
def test_one_wrong_and_none_missing_gives_the_sum_and_the_culprit(decoder, liar, places):
    vector, shares = shared(1)
    lie(shares, liar, places, np.random.default_rng(liar))
    found = decoder(shares, T)
    assert (found.total == vector).all() and (found.wrong, found.margin) == ((liar,), 1)


@both
@pytest.mark.parametrize("missing", list(combinations(range(M), 2)))
def test_two_missing_and_none_wrong_gives_the_sum(decoder, missing):
    vector, shares = shared(2)
    found = decoder(without(shares, missing), T)
    assert (found.total == vector).all() and (found.wrong, found.margin) == ((), 0)


@both
@pytest.mark.parametrize(("missing", "liar"), [(a, b) for a, b in product(range(M), repeat=2) if a != b])
def test_one_wrong_and_one_missing_is_a_named_failure(decoder, missing, liar):
    _, shares = shared(3)
    present = without(shares, [missing])
    lie(present, liar, [3], np.random.default_rng(liar))
    with pytest.raises(NotDecodable) as caught:
        decoder(present, T)
    assert (caught.value.present, caught.value.threshold) == (4, T)


@both
@pytest.mark.parametrize("liars", list(combinations(range(M), 2)))
@pytest.mark.parametrize("places", [([1], [1]), ([0], [3]), (range(N), range(N)), (range(N), [2])])
def test_two_wrong_are_a_named_failure(decoder, liars, places):
    """Whether they lie in the same element or in different ones, each of which could be corrected by itself."""
    _, shares = shared(4)
    rng = np.random.default_rng(5)
    for seat, where in zip(liars, places, strict=True):
        lie(shares, seat, where, rng)
    with pytest.raises(NotDecodable):
        decoder(shares, T)


@both
@pytest.mark.parametrize("missing", list(combinations(range(M), 3)))
def test_three_missing_is_a_named_failure(decoder, missing):
    _, shares = shared(6)
    with pytest.raises(TooFewShares) as caught:
        decoder(without(shares, missing), T)
    assert (caught.value.present, caught.value.needed) == (2, T)


@both
@given(st.integers(0, 2**32), st.permutations(range(M)))
@MANY
def test_two_colluders_on_another_polynomial_are_a_named_failure(decoder, seed, order):
    """They agree on the shares of some other vector and both send those."""
    _, shares = shared(seed)
    _, others = shared(seed + 1)
    for seat in order[:2]:
        shares[seat] = others[seat]
    with pytest.raises(NotDecodable):
        decoder(shares, T)


@both
@given(st.integers(0, 2**32), st.permutations(range(M)), st.integers(1, P - 1))
@MANY
def test_colluders_past_the_margin_can_only_pass_by_naming_an_honest_seat(decoder, seed, order, c):
    """The limit of any decoder: two liars add c (x - x_1)(x - x_2) to their shares, x_1, x_2 two honest seats.

    Four of five vectors are then on one polynomial. The wrong sum passes, with margin 1, and names the third honest seat:
    it is that seat's objection, not the decoder, that stops the sum.
    """
    vector, shares = shared(seed)
    *liars, third, first, second = order
    x, (x1, x2) = F([seat + 1 for seat in liars]), F([first + 1, second + 1])
    for seat, shift in zip(liars, (x - x1) * (x - x2) * F(c), strict=True):
        shares[seat] = shares[seat] + shift
    found = decoder(shares, T)
    assert (found.total != vector).any() and (found.wrong, found.margin) == ((third,), 1)


@both
def test_with_the_bare_threshold_nothing_confirms_the_sum_and_the_margin_says_so(decoder):
    vector, shares = shared(7)
    present = without(shares, [0, 3])
    lie(present, 4, [0], np.random.default_rng(0))
    found = decoder(present, T)
    assert (found.total != vector).any() and (found.wrong, found.margin) == ((), 0)


@both
@given(st.data())
@MANY
def test_the_sum_within_the_distance_and_never_a_wrong_one_within_the_margin(decoder, data):
    """Any m, t, missing, liars; they shift by any polynomial of any degree together, or each by itself."""
    m = data.draw(st.integers(2, 9))
    t = data.draw(st.integers(2, m))
    seed = data.draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    vector, shares = shared(seed, m, t, 4)
    order = rng.permutation(m).tolist()
    r = data.draw(st.integers(0, m))
    present = without(shares, order[r:])
    liars = sorted(order[: data.draw(st.integers(0, r))])
    together = random_base((data.draw(st.integers(1, m)), 4), rng.bytes)
    for seat in liars:
        if data.draw(st.booleans(), label="alone"):
            lie(present, seat, [int(rng.integers(4))], rng)
        else:
            powers = F([seat + 1]) ** np.arange(len(together))
            present[seat] = present[seat] + F(powers) @ together
    wrong = tuple(seat for seat in sorted(present) if (present[seat] != shares[seat]).any())
    try:
        found = decoder(present, t)
    except TooFewShares:
        assert r < t
    except NotDecodable:
        assert t <= r < t + 2 * len(wrong)
    else:
        assert found.margin == r - t - len(found.wrong) >= len(found.wrong)
        if len(wrong) <= found.margin:
            assert (found.total == vector).all() and found.wrong == wrong
        elif (found.total != vector).any() and r - len(wrong) >= t:
            assert set(found.wrong) - set(wrong)  # an honest seat is named, and can object
        assert r < t + 2 * len(wrong) or found.wrong == wrong


@given(st.data())
@MANY
def test_fast_and_plain_decoder_agree(data):
    m, n = data.draw(st.integers(2, 9)), data.draw(st.integers(1, 5))
    t = data.draw(st.integers(1, m))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    polynomial = random_base((t, n), rng.bytes)
    vectors = (F(np.arange(1, m + 1))[:, None] ** np.arange(t)) @ polynomial
    shares = {a: vectors[a].view(F) for a in range(m)}
    for seat in rng.permutation(m)[: data.draw(st.integers(0, m))].tolist():
        lie(shares, seat, rng.permutation(n)[: data.draw(st.integers(1, n))], rng)
    present = without(shares, rng.permutation(m)[: data.draw(st.integers(0, 2))].tolist())
    assert outcome(decode, present, t) == outcome(decode_plain, present, t)


def outcome(decoder, shares, threshold):
    try:
        found = decoder(shares, threshold)
    except Undecodable as failed:
        return type(failed), str(failed)
    return found.total.tolist(), found.wrong, found.margin


@given(st.integers(0, 2**32), st.integers(1, 3), st.integers(0, 2), st.integers(0, 4))
@MANY
def test_berlekamp_welch_equals_trying_every_subset(seed, threshold, errors, lies):
    rng = np.random.default_rng(seed)
    r = threshold + 2 * errors + int(rng.integers(2))
    x = points(rng.permutation(12)[:r].tolist())
    y = (x[:, None] ** np.arange(threshold)) @ random_base(threshold, rng.bytes)
    for i in rng.permutation(r)[:lies]:
        y[i] += F(int(rng.integers(1, 3)))
    f = polynomial_through_most(x, y, threshold, errors)
    by_subsets = None
    for chosen in map(list, combinations(range(r), threshold)):
        values = [int((lagrange(x[chosen], at) * y[chosen]).sum()) for at in x]
        if sum(a == b for a, b in zip(values, y.tolist(), strict=True)) >= r - errors:
            by_subsets = values
    assert (None if f is None else f(x).tolist()) == by_subsets


def test_a_liar_in_the_last_of_many_elements_is_found():
    vector, shares = shared(8, n=100_000)
    shares[2][-1] += F(1)
    found = decode(shares, T)
    assert (found.total == vector).all() and found.wrong == (2,)


def test_liars_in_different_elements_are_all_named():
    vector, shares = shared(9, m=9, t=3, n=1000)
    for seat, place in [(0, 999), (4, 0), (8, 500)]:
        shares[seat][place] += F(1)
    found = decode(shares, 3)
    assert (found.total == vector).all() and (found.wrong, found.margin) == ((0, 4, 8), 3)


@both
@pytest.mark.parametrize(
    ("shares", "threshold"),
    [
        ({0: base([1]), 1: base([1, 2])}, 2),
        ({0: base([[1]]), 1: base([[1]])}, 2),
        ({0: base([1]), -1: base([1])}, 2),
        ({0: base([1]), P - 1: base([1])}, 2),
        ({0: base([1])}, 0),
    ],
)
def test_decoders_refuse_what_does_not_fit(decoder, shares, threshold):
    with pytest.raises(ValueError, match="expected"):
        decoder(shares, threshold)


@both
def test_no_error_shows_a_share(decoder):
    shares = {a: base([1_234_567_000 + a * a * a * a * a]) for a in range(5)}
    for present, t in [(shares, 3), (without(shares, [0, 1, 2]), 3), ({**shares, 4: base([1234567, 1])}, 3)]:
        with pytest.raises((Undecodable, ValueError)) as caught:
            decoder(present, t)
        assert "1234567" not in repr(caught.value) + str(caught.value)
    assert issubclass(NotDecodable, Undecodable) and issubclass(TooFewShares, Undecodable)
