"""The plain rollup against one written another way, fault by fault, and rebuilt from published data."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rollup_cases import DOMAIN, Case, following, make
from rollup_faults import FAULTS

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import EMPTY, StateTree
from bfl_ref.rollup.entries import Kind, decode, encode
from bfl_ref.rollup.ledger import Batch, apply, parse, replay, touched
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.refusals import (
    MalformedBatch,
    MalformedEntry,
    MalformedList,
    Overspend,
    RefusedBatch,
    WrongClose,
    WrongRoot,
)

CASE = make(1, 40, 6)


def sums_by_hand(case: Case, index: int) -> dict[str, int]:
    """New values of an account by the formulas, from sums over all entries of the batch."""
    old, mine = case.tree[index], [s for s in case.batch.lists if s.index == index]
    every = [*case.batch.queue, *(entry for s in case.batch.lists for entry in s.entries)]

    def total(kind: Kind, to: bool = False, place: int = 0) -> int:
        return sum(x.payload[place] for x in every if x.kind == kind and (x.to if to else x.sender) == index)

    exited = any(x.kind == Kind.EXIT and x.to == index for x in every)
    out = total(Kind.TRANSFER) + total(Kind.LOCK) + total(Kind.WITHDRAW)
    received = total(Kind.TRANSFER, to=True) + total(Kind.DEPOSIT, to=True)
    rekeyed = any(x.kind == Kind.REKEY and x.to == index for x in every)
    assert out <= old.balance and total(Kind.UNLOCK) <= old.stake
    return {
        "balance": (0 if exited else old.balance) - out + total(Kind.UNLOCK) + received,
        "stake": (0 if exited else old.stake) - total(Kind.UNLOCK) + total(Kind.LOCK),
        "nonce": old.nonce + len(mine) + rekeyed,
        "positive": old.positive + total(Kind.EVIDENCE, to=True),
        "negative": old.negative + total(Kind.EVIDENCE, to=True, place=1),
    }


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(2, 9))
def test_batch_has_the_effect_of_the_formulas_and_only_touched_accounts_change(seed, entries, accounts):
    case = make(seed, entries, accounts)
    applied = apply(case.tree, case.batch, DOMAIN)
    opened = touched(case.batch.queue, [s.entries for s in case.batch.lists])
    assert [c.sender for c in applied.closes] == sorted(opened)
    for index in range(0, 1024):
        new, old = applied.tree[index], case.tree[index]
        if index not in opened:
            assert new == old
            continue
        values = sums_by_hand(case, index)
        assert {name: getattr(new, name) for name in values} == values
        (closing,) = [c.payload for c in applied.closes if c.sender == index]
        assert closing == new.closing == tuple(values.values())
        named = [x for x in _entries(case) if x.kind in (Kind.ROTATE, Kind.REKEY) and x.to == index]
        assert new.key == (named[-1].payload if named else old.key) and len(named) <= 1
        records = [x.payload for x in _entries(case) if x.kind == Kind.RECORD and x.sender == index]
        assert new.record == (records[-1] if records else old.record)
    assert StateTree(applied.tree.accounts).root == applied.tree.root


def _entries(case: Case) -> list[e.Entry]:
    return [*case.batch.queue, *(entry for s in case.batch.lists for entry in s.entries)]


def test_generator_makes_every_kind_and_as_many_entries_as_asked():
    case = make(3, 200, 8)
    assert {entry.kind for entry in _entries(case)} == set(Kind) - {Kind.CLOSE} and len(_entries(case)) == 200
    assert make(3, 200, 8).batch == case.batch != make(4, 200, 8).batch


def test_amounts_are_kept_but_for_deposits_and_withdrawals():
    case = make(5, 200, 8)
    applied = apply(case.tree, case.batch, DOMAIN)
    inside = [sum(a.balance + a.stake for a in t.accounts.values()) for t in (case.tree, applied.tree)]
    deposits = sum(x.amount for x in case.batch.queue if x.kind == Kind.DEPOSIT)
    assert inside[1] == inside[0] + deposits - sum(units for _, units in applied.withdrawals)
    paid = [(x.sender, x.amount) for x in _entries(case) if x.kind == Kind.WITHDRAW]
    exits = [(x.to, x.payload[0] + x.payload[1]) for x in case.batch.queue if x.kind == Kind.EXIT]
    assert list(applied.withdrawals) == exits + paid and exits and paid


def test_order_of_lists_changes_the_data_and_not_the_state():
    turned = replace(CASE.batch, lists=CASE.batch.lists[::-1])
    one, other = apply(CASE.tree, CASE.batch, DOMAIN), apply(CASE.tree, turned, DOMAIN)
    assert one.tree.root == other.tree.root and one.data != other.data


@pytest.mark.parametrize("what", FAULTS)
def test_one_fault_is_refused_by_its_name(what):
    refusal, spoil = FAULTS[what]
    apply(CASE.tree, CASE.batch, DOMAIN)
    spoiled = spoil(CASE)
    with pytest.raises(RefusedBatch) as refused:
        apply(spoiled.tree, spoiled.batch, DOMAIN)
    assert type(refused.value) is refusal


def test_batch_of_another_rollup_is_refused():
    with pytest.raises(RefusedBatch) as refused:
        apply(CASE.tree, CASE.batch, (*DOMAIN[:3], DOMAIN[3] ^ 1))
    assert type(refused.value).__name__ == "WrongSignature"


def test_what_arrives_can_be_spent_in_the_next_batch():
    one, other = CASE.batch.lists[0].index, CASE.batch.lists[1].index
    everything = CASE.tree[one].balance
    pay = CASE.signed(one, e.transfer(one, other, everything))
    spend = CASE.signed(other, e.withdraw(other, CASE.tree[other].balance + everything))
    with pytest.raises(Overspend):
        apply(CASE.tree, Batch((), (pay, spend)), DOMAIN)
    after = apply(CASE.tree, Batch((), (pay,)), DOMAIN).tree
    assert apply(after, Batch((), (spend,)), DOMAIN).tree[other].balance == 0


def test_deposits_and_transfers_reach_accounts_without_a_key():
    index, unused = CASE.batch.lists[0].index, next(i for i in range(1024) if CASE.tree[i] == EMPTY)
    batch = Batch((e.deposit(unused, 5),), (CASE.signed(index, e.transfer(index, unused, 6)),))
    found = apply(CASE.tree, batch, DOMAIN).tree[unused]
    assert found == replace(EMPTY, balance=11)


def test_empty_batch_changes_and_publishes_nothing():
    applied = apply(CASE.tree, Batch(), DOMAIN)
    assert (applied.tree.root, applied.data, applied.closes) == (CASE.tree.root, b"", ())
    assert replay(CASE.tree, b"").root == CASE.tree.root


def test_history_is_rebuilt_from_published_data_alone():
    rng, case, rebuilt = np.random.default_rng(6), make(6, 60, 6), make(6, 60, 6).tree
    for _ in range(4):
        applied = apply(case.tree, case.batch, DOMAIN)
        rebuilt = replay(rebuilt, applied.data, applied.tree.root)
        assert rebuilt.accounts == applied.tree.accounts
        case = following(replace(case, tree=applied.tree), rng, 60)


def test_data_names_queue_lists_and_closes():
    applied = apply(CASE.tree, CASE.batch, DOMAIN)
    queue, lists, closes = parse(applied.data)
    assert tuple(queue) == CASE.batch.queue and tuple(closes) == applied.closes
    assert [tuple(part) for part in lists] == [s.entries for s in CASE.batch.lists]
    assert encode(decode(applied.data)) == applied.data


def test_wrong_data_and_wrong_roots_are_refused_by_name():
    applied = apply(CASE.tree, CASE.batch, DOMAIN)
    entries = decode(applied.data)
    queue, lists, closes = parse(applied.data)
    first = closes[0]
    more = replace(first, payload=(first.payload[0] + 1, *first.payload[1:]))
    owned = [entry for part in lists for entry in part]
    wrong = {
        "a close with more": (WrongClose, [*queue, *owned, more, *closes[1:]]),
        "no close": (WrongClose, [*queue, *owned, *closes[1:]]),
        "closes in another order": (WrongClose, [*queue, *owned, closes[1], closes[0], *closes[2:]]),
        "a close twice": (WrongClose, [*entries, closes[-1]]),
        "no ROTATE at the end": (MalformedBatch, [*queue, *owned[:-1], *closes]),
        "the queue behind the lists": (MalformedBatch, [*owned, *queue, *closes]),
        "closes before lists": (MalformedBatch, [*queue, *closes, *owned]),
        "two accounts in one list": (
            MalformedBatch,
            [*queue, e.record(1023, (1, 1, 1, 1, 1)), *owned, *closes],
        ),
    }
    for refusal, data in wrong.values():
        with pytest.raises(RefusedBatch) as refused:
            replay(CASE.tree, encode(data))
        assert type(refused.value) is refusal
    with pytest.raises(MalformedEntry):
        replay(CASE.tree, applied.data[:-1])
    with pytest.raises(WrongRoot):
        replay(CASE.tree, applied.data, (*applied.tree.root[:7], applied.tree.root[7] ^ 1))
    with pytest.raises(RefusedBatch):
        replay(applied.tree, applied.data)  # twice


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_data_are_replayed_or_refused_by_name(data):
    good = bytearray(apply(CASE.tree, CASE.batch, DOMAIN).data)
    for _ in range(data.draw(st.integers(0, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good) // 24)) * 24
    with suppress(RefusedBatch):
        replay(CASE.tree, bytes(good[cut:]))


def test_lists_come_back_from_their_bytes_and_no_other_bytes_pass():
    signed = CASE.batch.lists[0]
    data = signed.to_bytes()
    assert SignedList.from_bytes(data) == signed and len(data) == 8 + 900 + 24 * len(signed.entries)
    wrong = [
        (MalformedList, b""),
        (MalformedList, data[:907]),
        (MalformedList, data[:908]),  # no entry
        (MalformedList, data[:-24]),  # no ROTATE
        (MalformedList, data + data[-24:]),  # two
        (MalformedList, (1024).to_bytes(4, "big") + data[4:]),
        (MalformedList, ((signed.index + 1) % 1024).to_bytes(4, "big") + data[4:]),
        (MalformedList, data[:4] + b"\xff" * 4 + data[8:]),
        (MalformedList, data[:8] + b"\xff" * 4 + data[12:]),
        (MalformedEntry, data[:-1]),
        (MalformedEntry, data[:-4] + b"\xff" * 4),
    ]
    for refusal, other in wrong:
        with pytest.raises(RefusedBatch) as refused:
            SignedList.from_bytes(other)
        assert type(refused.value) is refusal
