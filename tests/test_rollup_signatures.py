"""One-time signatures: keys, digests and checks in plain loops over `compress`; any change of what is signed is refused."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from rollup_cases import CHAIN_ID, CONTRACT, DOMAIN

from bfl_ref.rollup import entries as e
from bfl_ref.rollup import signatures
from bfl_ref.rollup.refusals import MalformedList, WrongSignature
from bfl_ref.rollup.signatures import OneTimeKey, Signature, check, domain_elements, sign
from bfl_ref.stark.field import P, base
from bfl_ref.statements.poseidon2 import compress

SEED = bytes(range(32))
KEY = OneTimeKey(SEED, 513, 7)
ENTRIES = (
    e.transfer(513, 9, 1000),
    e.record(513, (5, 4, 3, 2, 1)),
    e.rotate(513, OneTimeKey(SEED, 513, 8).digest),
)


@cache
def signed() -> Signature:
    return sign(KEY, ENTRIES, DOMAIN)


def one(*elements: int) -> list[int]:
    """compress of 16 numbers, by the plain permutation."""
    return [int(x) for x in compress(base(list(elements)))]


def message_by_hand(counter: int) -> list[int]:
    h = [6, 0, 0, 0, 0, 0, 0, 0]
    for entry in ENTRIES:
        h = one(*h, *entry.elements, 0, 6)
    return one(*h, 513, 7, counter, *DOMAIN, 9)


def digits_by_hand(message: list[int]) -> list[int]:
    return [message[j] >> 2 * k & 3 for j in range(4) for k in range(14)]


def chains_by_hand(values: np.ndarray, position: int) -> np.ndarray:
    """All 56 chains (56, 4) one step on."""
    rows = [[*v, 0, 0, 0, 0, 513, 7, 8 * c + position, 0, 0, 0, 0, 8] for c, v in enumerate(values.tolist())]
    return np.asarray(compress(base(np.array(rows).T)))[:4].T


@cache
def positions_by_hand() -> list[np.ndarray]:
    start = []
    for c in range(56):
        digest = keccak(SEED + (513).to_bytes(4, "big") + (7).to_bytes(4, "big") + c.to_bytes(4, "big"))
        start.append([int.from_bytes(digest[i : i + 4], "big") % 2**30 for i in range(0, 16, 4)])
    found = [np.array(start)]
    for position in range(3):
        found.append(chains_by_hand(found[-1], position))
    return found


def key_by_hand(ends: np.ndarray) -> tuple[int, ...]:
    h = [7, 0, 0, 0, 0, 0, 0, 0]
    for i in range(28):
        h = one(*h, *ends[2 * i].tolist(), *ends[2 * i + 1].tolist())
    return tuple(h[:5])


def test_domain_is_four_words_of_30_bits():
    digest = keccak(b"bfl_ref/rollup/1" + CHAIN_ID.to_bytes(32, "big") + bytes.fromhex(CONTRACT[2:]))
    assert tuple(int.from_bytes(digest[i : i + 4], "big") % 2**30 for i in range(0, 16, 4)) == DOMAIN
    assert len({DOMAIN, domain_elements(1, CONTRACT), domain_elements(CHAIN_ID, "0xc1")}) == 3


def test_key_is_the_digest_of_the_ends_of_its_chains():
    found = positions_by_hand()
    assert np.array_equal(KEY.positions, np.stack(found))
    assert KEY.digest == key_by_hand(found[3])


def test_signature_holds_each_chain_at_its_digit():
    counter, values = signed().counter, signed().values
    digits = digits_by_hand(message_by_hand(counter))
    assert sum(digits) == 112
    assert [list(v) for v in values] == [positions_by_hand()[d][c].tolist() for c, d in enumerate(digits)]
    earlier = signatures.message_digest(
        signatures.list_digest(ENTRIES), 513, 7, np.arange(counter + 1), DOMAIN
    )
    sums = signatures.digits_of(earlier).sum(axis=1)
    assert (sums[:-1] != 112).all() and sums[-1] == 112  # the least counter
    assert [int(x) for x in earlier[-1]] == message_by_hand(counter)


def test_signature_is_checked_in_56_steps_by_hand():
    digits = digits_by_hand(message_by_hand(signed().counter))
    values, steps = np.array(signed().values), 0
    for position in range(3):
        moved = chains_by_hand(values, position)
        for c in range(56):
            if digits[c] <= position:
                values[c], steps = moved[c], steps + 1
    assert steps == 56 and key_by_hand(values) == KEY.digest
    check(signed(), KEY.digest, 513, 7, ENTRIES, DOMAIN)


def test_few_elements_lead_to_given_digits_and_few_digests_have_their_sum():
    """The figures of the docstring: 111 bits whichever 31-bit reading of an element is taken, 6,100 tries."""
    readings = []
    for low in (0, 1, 2**27 - 1, 2**27, 2**28 - 2, 2**28 - 1, 0x5555555):
        integers = [low + 2**28 * high for high in range(8)]  # below 2^31
        readings.append(len({x % P for x in integers}))
    assert max(readings) == 8 and 2**111 < (P / 8) ** 4 < 2**112
    ways = np.ones(1, object)
    for _ in range(56):
        ways = np.convolve(ways, np.ones(4, object))
    assert ways.sum() == 4**56 and 6000 < 4**56 / ways[112] < 6100


def refused(signature=None, key=KEY.digest, index=513, nonce=7, entries=ENTRIES, domain=DOMAIN):
    with pytest.raises(WrongSignature):
        check(signature or signed(), key, index, nonce, entries, domain)


def test_anything_else_than_what_was_signed_is_refused():
    refused(key=(*KEY.digest[:4], (KEY.digest[4] + 1) % P))
    refused(index=512)
    refused(nonce=8)
    refused(domain=domain_elements(CHAIN_ID + 1, CONTRACT))
    refused(domain=domain_elements(CHAIN_ID, "0xc1"))
    refused(entries=ENTRIES[1:])
    refused(entries=(ENTRIES[1], ENTRIES[0], ENTRIES[2]))
    refused(entries=(*ENTRIES[:2], e.rotate(513, (1, 2, 3, 4, 5))))
    refused(entries=(e.transfer(513, 9, 1001), *ENTRIES[1:]))
    refused(entries=())


def test_digits_of_another_sum_are_refused_although_all_chains_fit():
    """Without the fixed sum whoever has seen a signature could sign what has larger digits: here, its owner's own chains."""
    digits = digits_by_hand(message_by_hand(signed().counter + 1))
    values = tuple(tuple(KEY.positions[d, c].tolist()) for c, d in enumerate(digits))
    with pytest.raises(WrongSignature, match="the digits sum to"):
        check(Signature(signed().counter + 1, values), KEY.digest, 513, 7, ENTRIES, DOMAIN)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 55), st.integers(0, 3), st.integers(1, P - 1))
def test_changed_value_is_refused(chain, place, change):
    values = [list(v) for v in signed().values]
    values[chain][place] = (values[chain][place] + change) % P
    refused(replace(signed(), values=tuple(tuple(v) for v in values)))


def test_values_of_two_chains_do_not_stand_for_each_other():
    """The tweak: at the end of a chain, too, where nothing is hashed any more, the order is in the key's digest."""
    values = list(signed().values)
    values[0], values[1] = values[1], values[0]
    refused(replace(signed(), values=tuple(values)))


@settings(max_examples=10, deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 1023),
    st.integers(0, P - 2),
    st.integers(0, 2**29 - 1),
)
def test_signed_lists_are_accepted_for_any_account_and_nonce(seed, index, nonce, amount):
    key = OneTimeKey(seed, index, nonce)
    entries = e.withdraw(index, amount), e.rotate(index, OneTimeKey(seed, index, nonce + 1).digest)
    signature = sign(key, entries, DOMAIN)
    check(signature, key.digest, index, nonce, entries, DOMAIN)
    assert Signature.from_bytes(signature.to_bytes()) == signature and len(signature.to_bytes()) == 900


def test_bytes_that_are_no_signature_are_refused_by_name():
    data = signed().to_bytes()
    for wrong in (data[:-1], data + b"\0", b"", b"\xff" * 900, P.to_bytes(4, "big") + data[4:]):
        with pytest.raises(MalformedList):
            Signature.from_bytes(wrong)


def test_keys_of_other_seeds_accounts_and_nonces_differ_and_show_no_seed():
    keys = [
        KEY,
        replace(KEY, index=514),
        replace(KEY, nonce=8),
        replace(KEY, seed=bytes(32)),
    ]
    assert len({key.digest for key in keys}) == len({key.positions.tobytes() for key in keys}) == 4
    assert SEED.hex() not in repr(KEY) and repr(SEED) not in repr(KEY)
    for changes in ({"seed": bytes(31)}, {"index": 1024}, {"nonce": P}):
        with pytest.raises(ValueError, match="expected 32 bytes"):
            replace(KEY, **changes)
    with pytest.raises(ValueError, match="56 values"):
        Signature(0, signed().values[1:])
    with pytest.raises(ValueError, match="from 0 to p - 1"):
        Signature(P, signed().values)
