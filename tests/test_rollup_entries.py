"""Entries: 24 bytes and back, for every kind; and whatever does not come back so is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.entries import Entry, Kind, decode, encode
from bfl_ref.rollup.refusals import MalformedEntry, RefusedBatch
from bfl_ref.stark.field import P

index = st.integers(0, 1023)
amount = st.integers(0, 2**29 - 1)
element = st.integers(0, P - 1)
five = st.tuples(*[element] * 5)
ENTRY = st.one_of(
    st.builds(e.transfer, index, index, amount),
    *[st.builds(make, index, amount) for make in (e.lock, e.unlock, e.withdraw, e.deposit)],
    *[st.builds(make, index, five) for make in (e.record, e.access, e.rotate, e.rekey)],
    st.builds(e.evidence, index, element, element),
    st.builds(e.exit_all, index, amount, amount),
    st.builds(e.close, index, st.tuples(amount, amount, element, element, element)),
)


def by_hand(kind: int, sender: int, to: int, *payload: int) -> bytes:
    words = [kind + 16 * sender + 16384 * to, *payload, *[0] * (5 - len(payload))]
    return b"".join(word.to_bytes(4, "big") for word in words)


def test_each_kind_is_laid_out_as_the_table_says():
    key = (1, 2, 3, 4, P - 1)
    assert encode(
        [
            e.transfer(3, 1023, 2**29 - 1),
            e.lock(3, 4),
            e.unlock(3, 5),
            e.record(3, key),
            e.access(3, key),
            e.withdraw(3, 6),
            e.rotate(3, key),
            e.deposit(3, 7),
            e.evidence(3, 8, 9),
            e.rekey(3, key),
            e.exit_all(3, 10, 11),
            e.close(3, (12, 13, 14, 15, 16)),
        ]
    ) == b"".join(
        [
            by_hand(1, 3, 1023, 2**29 - 1),
            by_hand(2, 3, 3, 4),
            by_hand(3, 3, 3, 5),
            by_hand(4, 3, 3, *key),
            by_hand(5, 3, 3, *key),
            by_hand(6, 3, 3, 6),
            by_hand(7, 3, 3, *key),
            by_hand(8, 0, 3, 7),
            by_hand(9, 0, 3, 8, 9),
            by_hand(10, 0, 3, *key),
            by_hand(11, 0, 3, 10, 11),
            by_hand(12, 3, 0, 12, 13, 14, 15, 16),
        ]
    )
    assert e.lock(3, 4).to_bytes() == by_hand(2, 3, 3, 4)


@given(st.lists(ENTRY, max_size=5))
def test_bytes_come_back_as_the_entries(entries):
    data = encode(entries)
    assert len(data) == 24 * len(entries) and decode(data) == entries


@settings(max_examples=300)
@given(ENTRY, st.integers(0, 23), st.integers(1, 255))
def test_changed_byte_gives_another_entry_or_a_refusal(entry, place, change):
    data = bytearray(entry.to_bytes())
    data[place] ^= change
    try:
        (found,) = decode(bytes(data))
    except MalformedEntry:
        return
    assert found != entry and found.to_bytes() == data  # no two encodings of one entry


@given(st.binary(max_size=72))
def test_any_bytes_are_entries_or_refused_by_name(data):
    try:
        assert encode(decode(data)) == data
    except RefusedBatch as refused:
        assert type(refused) is MalformedEntry


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("no such kind", by_hand(0, 1, 1)),
        ("no such kind", by_hand(13, 1, 1)),
        ("account 1024", by_hand(1, 1, 1024, 5)),
        ("amount of 2^29", by_hand(1, 1, 2, 2**29)),
        ("a second element", by_hand(1, 1, 2, 5, 1)),
        ("a last element", by_hand(8, 0, 2, 5, 0, 0, 0, 1)),
        ("not canonical", by_hand(4, 1, 1, P)),
        ("not canonical", by_hand(9, 0, 1, 2**32 - 1)),
        ("lock of another's", by_hand(2, 1, 2, 5)),
        ("record of another's", by_hand(4, 1, 2, 5)),
        ("rotate of another's", by_hand(7, 1, 2, 5)),
        ("queue with a sender", by_hand(8, 1, 2, 5)),
        ("rekey with a sender", by_hand(10, 1, 1, 5)),
        ("evidence of three", by_hand(9, 0, 1, 1, 1, 1)),
        ("exit of 2^29", by_hand(11, 0, 1, 1, 2**29)),
        ("exit of three", by_hand(11, 0, 1, 1, 1, 1)),
        ("close to another", by_hand(12, 1, 2, 5)),
        ("close with 2^29", by_hand(12, 1, 0, 2**29)),
        ("23 bytes", by_hand(2, 1, 1, 5)[:-1]),
        ("25 bytes", by_hand(2, 1, 1, 5) + b"\0"),
    ],
)
def test_malformed_bytes_are_refused(what, data):
    with pytest.raises(MalformedEntry, match="expected"):
        decode(data)


def test_header_of_every_account_pair_is_below_p():
    largest = Entry(Kind.TRANSFER, 1023, 1023, (0,) * 5).elements[0]
    assert largest == 1 + 16 * 1023 + 16384 * 1023 < P
    assert np.array_equal(decode(e.transfer(1023, 1023, 0).to_bytes())[0].elements, [largest, 0, 0, 0, 0, 0])


def test_wrong_entry_is_a_callers_mistake_too():
    with pytest.raises(ValueError, match="accounts from 0 to 1023"):
        e.transfer(1024, 0, 1)
    with pytest.raises(ValueError, match="amounts below 2\\^29"):
        e.deposit(0, 2**29)
    with pytest.raises(ValueError, match="5 elements"):
        e.record(0, (1, 2, 3))
