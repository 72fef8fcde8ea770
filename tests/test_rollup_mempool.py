"""What a batch takes, and in which order the rest waits: rule by rule, and in random histories that lose nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import Account, StateTree
from bfl_ref.rollup.ledger import outcome
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.mempool import Ahead, Capacity, Item, batch_of, take
from bfl_ref.rollup.refusals import Overspend, RefusedBatch, TooLarge
from bfl_ref.rollup.signatures import CHAINS, VALUE, Signature

NOBODYS = Signature(0, ((0,) * VALUE,) * CHAINS)  # signatures are not looked at here
KEY = (1, 2, 3, 4, 5)
STATE = StateTree({i: Account(KEY, balance=100, stake=50) for i in range(8)})
ROOM = Capacity(100, 100)


def listed(place: int, index: int, *entries: e.Entry) -> Item:
    whole = *entries, e.rotate(index, (place, 0, 0, 0, 0))
    return Item(place, whole, SignedList(index, whole, NOBODYS, 0), float(place))


def run(place: int, *entries: e.Entry) -> Item:
    return Item(place, entries, None, float(place))


def places(items: list[Item], capacity: Capacity = ROOM, state=STATE) -> tuple[list[int], bool]:
    taken, is_full = take(state, items, capacity)
    return [item.place for item in taken], is_full


def exit_of(index: int) -> e.Entry:
    return e.exit_all(index, 0, 0)


def test_everything_goes_into_one_batch_if_it_can():
    items = [listed(1, 1, e.lock(1, 5)), run(2, e.deposit(3, 5)), listed(3, 2, e.transfer(2, 1, 5))]
    assert places(items) == ([1, 2, 3], False)
    batch = batch_of(STATE, items)
    assert batch.queue == (e.deposit(3, 5),) and [s.index for s in batch.lists] == [1, 2]


def test_room_is_kept_and_smaller_lists_pass_those_of_others():
    items = [listed(1, 1), listed(2, 2, *[e.lock(2, 1)] * 3), listed(3, 3), listed(4, 2)]
    assert places(items, Capacity(5, 8)) == ([1, 2], True)
    assert places(items, Capacity(4, 8)) == ([1, 3], True)  # place 4 is behind place 2, of the same account
    paying = [listed(1, 1, e.transfer(1, 2, 1)), listed(2, 3), listed(3, 2)]
    assert places(paying, Capacity(9, 2)) == ([1, 3], True)


def test_second_list_of_an_account_and_what_follows_it_wait():
    items = [listed(1, 1), listed(2, 1), run(3, e.rekey(1, KEY)), run(4, e.deposit(2, 1)), listed(5, 2)]
    assert places(items) == ([1, 5], False)
    assert places(items[1:]) == ([2, 5], False)
    assert places(items[2:]) == ([3, 4, 5], False)


def test_what_arrives_in_a_batch_is_spent_in_the_next():
    items = [listed(1, 1, e.transfer(1, 2, 100)), listed(2, 2, e.withdraw(2, 150)), run(3, exit_of(2))]
    assert places(items) == ([1], False)
    after = Ahead(STATE, items[:1])
    assert places(items[1:], state=after) == ([2], False)
    assert batch_of(Ahead(after, items[1:2]), items[2:]).queue == (e.exit_all(2, 50, 50),)


def test_account_that_is_rekeyed_or_exits_signs_in_the_next_batch():
    for entry in (e.rekey(1, KEY), exit_of(1)):
        assert places([run(1, entry), listed(2, 1), run(3, e.deposit(1, 1)), listed(4, 2)]) == (
            [1, 3, 4],
            False,
        )
    assert places([run(1, e.deposit(1, 1), e.evidence(1, 1, 1)), listed(2, 1)]) == ([1, 2], False)


def test_nothing_passes_an_exit_that_waits_to_the_account():
    items = [
        listed(1, 1),
        run(2, exit_of(1)),
        listed(3, 2, e.transfer(2, 1, 10)),
        listed(4, 3, e.transfer(3, 4, 10)),
        run(5, e.deposit(1, 7)),
    ]
    assert places(items) == ([1, 4], False)
    assert batch_of(STATE, items[1:3]).queue == (e.exit_all(1, 100, 50),)


def test_queue_stays_in_its_order():
    items = [
        run(1, *[e.deposit(1, 1)] * 3),
        run(2, *[e.deposit(2, 1)] * 3),
        run(3, e.deposit(3, 1)),
        listed(4, 4),
    ]
    assert places(items, Capacity(5, 8)) == ([1, 4], True)


def test_item_that_no_batch_has_room_for_is_refused():
    Capacity(4, 3).check(listed(1, 1, *[e.transfer(1, i, 1) for i in (2, 3)]))
    for item in (
        listed(1, 1, *[e.lock(1, 1)] * 4),
        listed(1, 1, *[e.transfer(1, i, 1) for i in (2, 3, 4)]),
        run(1, *[e.deposit(1, 1)] * 5),
    ):
        with pytest.raises(TooLarge, match="at most 4 entries of 3 accounts"):
            Capacity(4, 3).check(item)


def test_ahead_is_one_item_after_the_other_and_unchanged_by_what_it_refuses():
    ahead = Ahead(STATE, [listed(1, 1, e.transfer(1, 2, 100)), listed(2, 2, e.transfer(2, 3, 200))])
    assert [ahead[i].balance for i in (1, 2, 3, 4)] == [0, 0, 300, 100]
    before = dict(ahead)
    with pytest.raises(Overspend):
        ahead.add(listed(3, 1, e.withdraw(1, 1)))
    assert dict(ahead) == before
    ahead.add(run(3, exit_of(3)))
    assert ahead[3] == replace(STATE[3], balance=0, stake=0)


def random_item(rng: np.random.Generator, ahead: Ahead, place: int) -> Item:
    """As it would be confirmed: right after all before it, and spending what there is as a rule."""
    while True:
        index, other = rng.integers(0, 8, 2).tolist()
        have = ahead[index]
        wanted = [
            e.transfer(index, other, have.balance // int(rng.integers(1, 3))),
            e.lock(index, have.balance // 3),
            e.unlock(index, have.stake),
            e.withdraw(index, have.balance // 4),
        ]
        queued = [e.deposit(index, 9), exit_of(index), e.rekey(index, (place, 0, 0, 0, 0))]
        kind = int(rng.integers(8))
        some = [wanted[i] for i in rng.permutation(4)[: rng.integers(3)]]
        item = listed(place, index, *some) if kind < 5 else run(place, queued[kind - 5])
        try:
            ahead.add(item)
        except RefusedBatch:
            continue
        return item


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 12), st.integers(3, 9))
def test_nothing_that_was_confirmed_is_lost_or_turned_round(seed, entries, accounts):
    """Every cut is a right batch that takes the first item; each owner's items, and the queue's, keep their order."""
    rng, capacity = np.random.default_rng(seed), Capacity(entries, accounts)
    state, waiting, done = STATE, list[Item](), list[Item]()
    while len(done) < 60:
        ahead = Ahead(state, waiting)  # all that waits is right
        for _ in range(int(rng.integers(0, 12)) if len(done) + len(waiting) < 60 else 0):
            waiting.append(random_item(rng, ahead, len(done) + len(waiting) + 1))
        if not waiting:
            continue
        taken, _ = take(state, waiting, capacity)
        assert taken[0] is waiting[0] and sum(len(item.entries) for item in taken) <= entries
        batch = batch_of(state, taken)
        changed = outcome(state, batch.queue, [signed.entries for signed in batch.lists])  # it is not refused
        assert len(changed) <= accounts
        state = state.replaced_all(changed)
        waiting = [item for item in waiting if item not in taken]
        done += taken
        after = Ahead(state, waiting)
        assert all(
            after[i].balance >= ahead[i].balance and after[i].stake >= ahead[i].stake for i in range(8)
        )
    for index in range(8):
        mine = [item.place for item in done if index in item.owners]
        assert mine == sorted(mine)
    queued = [item.place for item in done if item.signed is None]
    assert queued == sorted(queued)
    assert sorted(item.place for item in [*done, *waiting]) == list(range(1, len(done) + len(waiting) + 1))
