"""What goes on the wire: bytes counted, the same total in each mode, strict parsing, seeds expanded as documented."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.sharing import (
    MODES,
    TooFewShares,
    additive_messages,
    additive_total,
    decode,
    expand,
    open_message,
    pack,
    plain_messages,
    random_coefficients,
    seeded_coefficients,
    seeded_messages,
    seeded_seats,
    share,
    signed,
    sum_shares,
    unpack,
)
from bfl_ref.stark.field import F, P, base, random_base

M, T, H, N = 5, 3, 10, 1000
BYTES = {
    "plain": [4 * N] * 5,
    "shamir_seeds": [32] * 2 + [4 * N] * 3,
    "additive": [32] * 4 + [4 * N],
}


def messages(mode: str, update: np.ndarray, rng) -> list[bytes]:
    if mode == "plain":
        return plain_messages(update, random_coefficients(len(update), T, rng), M)
    seeds = [rng(32) for _ in range(seeded_seats(mode, M, T))]
    return seeded_messages(update, seeds, M) if mode == "shamir_seeds" else additive_messages(update, seeds)


def sums(mode: str, updates: list[np.ndarray], rng) -> dict[int, F]:
    """What each of the five aggregators adds up from the messages it gets."""
    sent = [messages(mode, u, rng) for u in updates]
    seeded = seeded_seats(mode, M, T)
    return {
        a: sum_shares([open_message(each[a], a, len(updates[0]), seeded) for each in sent]) for a in range(M)
    }


def updates(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-(P // 2) // H, P // 2 // H, N) for _ in range(H)]


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_gives_the_same_total(mode):
    given_updates = updates()
    found = sums(mode, given_updates, np.random.default_rng(1).bytes)
    total = additive_total(found, M) if mode == "additive" else decode(found, T).total
    assert (signed(total) == sum(given_updates)).all()


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_sends_the_stated_bytes(mode):
    sent = messages(mode, updates()[0], np.random.default_rng(2).bytes)
    assert [len(message) for message in sent] == BYTES[mode]


def test_frugal_uplinks_stay_within_their_factor_of_a_plain_update():
    size = {
        mode: sum(map(len, messages(mode, updates()[0], np.random.default_rng(3).bytes))) for mode in MODES
    }
    assert size["additive"] <= 1.2 * 4 * N and size["shamir_seeds"] <= 3.2 * 4 * N


@pytest.mark.parametrize("missing", [(0, 1), (0, 4), (3, 4)])
def test_shamir_with_seeds_is_as_robust_as_without(missing):
    given_updates = updates(4)
    found = sums("shamir_seeds", given_updates, np.random.default_rng(4).bytes)
    present = {a: s for a, s in found.items() if a not in missing}
    assert (signed(decode(present, T).total) == sum(given_updates)).all()
    found[missing[0]][17] += F(1)
    decoded = decode(found, T)
    assert (signed(decoded.total) == sum(given_updates)).all() and decoded.wrong == (missing[0],)


def test_additive_sharing_needs_every_aggregator_and_names_nobody():
    given_updates = updates(5)
    found = sums("additive", given_updates, np.random.default_rng(5).bytes)
    for a in range(M):
        with pytest.raises(TooFewShares) as caught:
            additive_total({b: s for b, s in found.items() if b != a}, M)
        assert (caught.value.present, caught.value.needed) == (M - 1, M)
    found[1][0] += F(1)
    assert (signed(additive_total(found, M)) != sum(given_updates)).any()  # its docstring says so


@given(st.integers(2, 8), st.data())
@settings(max_examples=25, deadline=None)
def test_seeded_coefficients_put_the_expanded_seeds_on_the_polynomial(m, data):
    t, n = data.draw(st.integers(2, m)), data.draw(st.integers(0, 10))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    seeds = [rng.bytes(32) for _ in range(t - 1)]
    vector = rng.integers(-(P // 2), P // 2, n)
    coefficients = seeded_coefficients(vector, seeds)
    assert (coefficients.shape, coefficients.dtype) == ((t - 1, n), np.uint32)
    shares = share(vector, coefficients, m)
    assert all((shares[a] == expand(seed, n)).all() for a, seed in enumerate(seeds))
    assert (signed(decode(dict(enumerate(shares)), t).total) == vector).all()


def test_expand_zero_seed_gives_the_published_blocks():
    """AES-256 under the zero key of counters 0 (NIST AESAVS, GFSbox zero vector), 1 and 2 (GCM spec, cases 13 and 14)."""
    blocks = (
        "dc95c078a2408989ad48a21492842087 530f8afbc74536b9a963b4f1c4cb738b cea7403d4d606b6e074ec5d3baf39d18"
    )
    words = np.frombuffer(bytes.fromhex(blocks.replace(" ", "")), "<u4") & 0x7FFFFFFF
    kept = [int(w) for w in words if w < P]
    assert len(kept) < len(words)  # the vector shows the rejection, too
    assert expand(bytes(32), len(kept)).tolist() == kept
    assert expand(bytes(32), 100_000)[: len(kept)].tolist() == kept


def test_expand_is_deterministic_a_prefix_of_more_and_below_p():
    seed = bytes(range(32))
    long = expand(seed, 50_000)
    assert int(long.max()) < P and len(long) == 50_000
    for n in (0, 1, 14, 15, 16, 17, 4999):
        assert (expand(seed, n) == long[:n]).all()
    assert (expand(bytes(31) + b"\1", 1000) != expand(bytes(32), 1000)).sum() > 990


def test_pack_is_little_endian_and_unpack_its_inverse():
    assert pack(base([1, P - 1])).hex() == "01000000" + (P - 1).to_bytes(4, "little").hex()
    vector = random_base(100, np.random.default_rng(6).bytes)
    found = unpack(pack(vector), 100)
    assert isinstance(found, F) and found.dtype == np.uint32 and (found == vector).all()
    assert unpack(b"", 0).shape == (0,)


@given(st.binary(max_size=64), st.integers(0, 12))
@settings(max_examples=300, deadline=None)
def test_unpack_takes_canonical_bytes_only(data, n):
    canonical = len(data) == 4 * n and all(
        int.from_bytes(data[i : i + 4], "little") < P for i in range(0, len(data), 4)
    )
    if canonical:
        assert pack(unpack(data, n)) == data
    else:
        with pytest.raises(ValueError, match="expected"):
            unpack(data, n)


def test_unpack_refuses_p_itself_and_says_where_but_not_what():
    secret = P + 1_234_567
    with pytest.raises(ValueError, match="element 2 is not") as caught:
        unpack(np.array([0, P - 1, secret], "<u4").tobytes(), 3)
    assert str(secret) not in str(caught.value)
    with pytest.raises(ValueError, match="element 0"):
        unpack(P.to_bytes(4, "little"), 1)


@pytest.mark.parametrize(("seat", "length"), [(0, 31), (0, 33), (0, 4 * N), (1, 0), (2, 32), (4, 4 * N + 1)])
def test_open_message_refuses_another_kind_or_length(seat, length):
    with pytest.raises(ValueError, match=r"expected (a seed of 32|4000) bytes"):
        open_message(bytes(length), seat, N, seeded=2)


def test_a_vector_of_eight_elements_is_not_taken_for_a_seed():
    data = bytes(range(32))
    assert (open_message(data, 1, 8, seeded=1) == unpack(data, 8)).all()
    assert (open_message(data, 0, 8, seeded=1) == expand(data, 8)).all()


@pytest.mark.parametrize("seeds", [[], [bytes(32)] * 2, [bytes(31)]])
@pytest.mark.parametrize("make", [additive_messages, seeded_coefficients])
def test_no_equal_or_short_seeds_are_refused_and_not_shown(make, seeds):
    with pytest.raises(ValueError, match="seed") as caught:
        make(np.zeros(3, int), seeds)
    assert "\\x00" not in str(caught.value)


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode"):
        seeded_seats("packed", M, T)
