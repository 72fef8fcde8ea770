"""The beacon off the chain: sharing and rebuilding secrets, and sealed shares that open only where they belong."""

from itertools import combinations, product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref import beacon
from bfl_ref.beacon import (
    KEY_BYTES,
    SEALED_BYTES,
    BadShare,
    Dealing,
    Q,
    deal,
    draw,
    public_key,
    rebuild,
    seal,
    unseal,
)

CONTEXT = b"chain, contract, round, dealer"


def rng(seed: int):
    return np.random.default_rng(seed).bytes


@given(st.data(), st.integers(1, 12), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_any_t_of_n_shares_rebuild_the_secret(data: st.DataObject, holders: int, seed: int) -> None:
    threshold = data.draw(st.integers(1, holders))
    dealing = deal(holders, threshold, rng(seed))
    chosen = data.draw(st.permutations(range(holders)))[:threshold]
    for secret, shares in zip(dealing.secrets, dealing.shares, strict=True):
        assert len(shares) == holders and all(0 <= x < Q for x in (secret, *shares))
        assert rebuild({i: shares[i] for i in chosen}) == secret


def test_fewer_shares_or_a_wrong_one_give_another_number() -> None:
    dealing = deal(7, 4, rng(0))
    secret, shares = dealing.secrets[1], dealing.shares[1]
    for few in combinations(range(7), 3):
        assert rebuild({i: shares[i] for i in few}) != secret
    for wrong in range(4):
        assert rebuild({i: shares[i] + (i == wrong) for i in range(4)}) != secret


def test_fewer_than_t_shares_are_equally_likely_under_every_secret() -> None:
    """Counted out in a small field: whatever two holders see, each secret has as many polynomials that lead to it."""
    with patch.object(beacon, "Q", 11):
        seen: dict[tuple[int, int], dict[int, int]] = {}
        for f in product(range(11), repeat=3):  # t = 3
            first, second = (beacon._evaluate(f, 1 + i) for i in (0, 3))
            counts = seen.setdefault((first, second), {})
            counts[f[0]] = counts.get(f[0], 0) + 1
            assert rebuild({i: beacon._evaluate(f, 1 + i) for i in (0, 2, 3)}) == f[0]
    assert len(seen) == 121 and all(counts == dict.fromkeys(range(11), 1) for counts in seen.values())


def test_secrets_of_a_dealing_and_of_two_dealings_differ() -> None:
    source = rng(0)
    first, second = deal(5, 3, source), deal(5, 3, source)
    assert len({*first.secrets, *second.secrets}) == 4
    assert deal(5, 3, rng(0)) == first  # a validator that starts anew deals the same


@pytest.mark.parametrize("holders, threshold", [(3, 0), (3, 4), (0, 0)])
def test_deal_threshold_outside_the_holders_is_refused(holders: int, threshold: int) -> None:
    with pytest.raises(ValueError, match=f"threshold must be 1 to {holders}, got {threshold}"):
        deal(holders, threshold, rng(0))


def test_draw_reduces_forty_bytes_modulo_q() -> None:
    assert draw(lambda count: b"\xff" * count) == (2**320 - 1) % Q
    assert draw(lambda count: bytes(count)) == 0


# ---------------------------------------------------------------- sealed shares


def sealed_for(count: int = 4) -> tuple[Dealing, list[bytes], bytes]:
    """A dealing, the holders' private keys, the bundle."""
    source = rng(1)
    privates = [source(KEY_BYTES) for _ in range(count)]
    dealing = deal(count, 3, source)
    return dealing, privates, seal(dealing, [public_key(p) for p in privates], CONTEXT, source)


def test_sealed_shares_open_for_their_holder() -> None:
    dealing, privates, sealed = sealed_for()
    assert len(sealed) == KEY_BYTES + 4 * SEALED_BYTES
    for i, private in enumerate(privates):
        assert unseal(sealed, private, CONTEXT, i) == tuple(shares[i] for shares in dealing.shares)


def test_sealed_shares_open_for_nobody_else_and_nowhere_else() -> None:
    _, privates, sealed = sealed_for()
    for i, j in product(range(4), repeat=2):
        if i != j:
            with pytest.raises(BadShare, match=f"holder {j}'s shares do not open: InvalidTag"):
                unseal(sealed, privates[i], CONTEXT, j)
    with pytest.raises(BadShare, match="InvalidTag"):
        unseal(sealed, privates[0], CONTEXT + b"'", 0)


@given(st.integers(0, KEY_BYTES + SEALED_BYTES - 1), st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_damaged_bundle_is_a_bad_share(at: int, bit: int) -> None:
    dealing, privates, sealed = sealed_for()
    damaged = sealed[:at] + bytes([sealed[at] ^ (1 << bit)]) + sealed[at + 1 :]
    if at == KEY_BYTES - 1 and bit == 7:  # X25519 leaves the top bit of a public key out
        assert unseal(damaged, privates[0], CONTEXT, 0) == tuple(s[0] for s in dealing.shares)
        return
    with pytest.raises(BadShare):
        unseal(damaged, privates[0], CONTEXT, 0)


def test_bundle_that_is_too_short_or_has_a_key_of_small_order_is_a_bad_share() -> None:
    _, privates, sealed = sealed_for()
    with pytest.raises(
        BadShare, match=f"expected at least {len(sealed)} sealed bytes, got {len(sealed) - 1}"
    ):
        unseal(sealed[:-1], privates[3], CONTEXT, 3)
    with pytest.raises(BadShare, match="do not open: ValueError"):
        unseal(bytes(KEY_BYTES) + sealed[KEY_BYTES:], privates[0], CONTEXT, 0)


def test_holder_without_a_key_gets_random_bytes_and_the_others_their_shares() -> None:
    source = rng(2)
    privates = [source(KEY_BYTES) for _ in range(3)]
    keys = [public_key(privates[0]), bytes(KEY_BYTES), public_key(privates[2])]
    dealing = deal(3, 2, source)
    sealed = seal(dealing, keys, CONTEXT, source)
    assert len(sealed) == KEY_BYTES + 3 * SEALED_BYTES
    assert unseal(sealed, privates[2], CONTEXT, 2) == tuple(shares[2] for shares in dealing.shares)
    with pytest.raises(BadShare):
        unseal(sealed, privates[1], CONTEXT, 1)


def test_a_key_that_no_secret_can_be_agreed_with_stops_nobody_else():
    """u = 1 has small order: its holder gets nothing, the others open theirs."""
    rng, own = np.random.default_rng(3).bytes, bytes(range(32))
    dealing = deal(2, 2, rng)
    sealed = seal(dealing, [b"\x01" + bytes(31), public_key(own)], b"context", rng)
    assert unseal(sealed, own, b"context", 1) == tuple(shares[1] for shares in dealing.shares)
