"""The sequencer confirms what is right, cuts in time, remembers everything, and gives way to another's batch."""

import sqlite3
from dataclasses import replace

import pytest
from rollup_cases import DOMAIN
from sequencer_cases import GENESIS, OWNERS, create, opened, signed

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.ledger import Batch, apply
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.log import DamagedLog, LogInUse
from bfl_ref.rollup.mempool import Capacity
from bfl_ref.rollup.refusals import (
    EarlyNonce,
    MalformedEntry,
    MalformedList,
    Overspend,
    RefusedBatch,
    ReplayedNonce,
    TooLarge,
    UnknownAccount,
    WrongSignature,
)
from bfl_ref.rollup.sequencer import Fate, ForeignBatch, Sequencer


@pytest.fixture
def path(tmp_path):
    create(tmp_path / "log")
    return tmp_path / "log"


def settle_all(sequencer: Sequencer) -> None:
    last = sequencer.cuts[-1]
    sequencer.settle(last.number, last.applied.tree.root)


def test_list_gets_a_receipt_and_the_same_one_when_sent_again(path):
    with opened(path) as sequencer:
        lists = [signed(i, 0, e.lock(i, 5)) for i in range(3)]
        receipts = [sequencer.submit(data, 0.0) for data in lists]
        assert [receipt.place for receipt in receipts] == [1, 2, 3]
        assert [sequencer.submit(data, 9.0) for data in lists] == receipts and len(sequencer.waiting) == 3
        assert sequencer.fate(receipts[0]) == Fate(None, False, None)
    with opened(path) as again:
        assert [again.submit(data, 9.0) for data in lists] == receipts and len(again.waiting) == 3
        again.cut(9.0, at_once=True)
        assert again.fate(receipts[0]) == Fate(1, False, None)
        settle_all(again)
        assert again.fate(receipts[0]) == Fate(1, True, None)
        assert again.submit(lists[0], 9.0) == receipts[0] and not again.waiting


def test_next_list_is_checked_after_those_that_were_confirmed(path):
    """Money that a confirmed list brings can be spent, and the next nonce signs, before any batch is cut."""
    with opened(path) as sequencer:
        sequencer.submit(signed(1, 0, e.transfer(1, 2, 1000)), 0.0)
        sequencer.submit(signed(2, 0, e.withdraw(2, 2000)), 0.0)
        sequencer.submit(signed(1, 1, e.unlock(1, 500)), 0.0)
        sequencer.submit(signed(1, 2, e.transfer(1, 3, 500)), 0.0)
        assert (sequencer.account(1).balance, sequencer.account(1).nonce) == (0, 3)
        batches = []
        while made := sequencer.cut(0.0, at_once=True):
            apply(made.tree, made.batch, DOMAIN)  # with all signatures
            batches.append([s.index for s in made.batch.lists])
        assert batches == [[1], [2, 1], [1]]
        settle_all(sequencer)
        assert sequencer.settled == 3 and not sequencer.cuts and not sequencer.waiting


def test_wrong_lists_are_refused_by_name_and_leave_nothing(path):
    good = signed(1, 0, e.lock(1, 5))
    used = SignedList.from_bytes(good)
    with opened(path) as sequencer:
        sequencer.submit(good, 0.0)
        before = sequencer.account(1)
        wrong = [
            (ReplayedNonce, signed(1, 0, e.lock(1, 6))),
            (EarlyNonce, signed(1, 2, e.lock(1, 6))),
            (WrongSignature, replace(used, nonce=1).to_bytes()),
            (Overspend, signed(1, 1, e.lock(1, 996))),
            (UnknownAccount, signed(100, 0)),
            (TooLarge, signed(1, 1, *[e.lock(1, 0)] * 16)),
            (TooLarge, signed(1, 1, *[e.transfer(1, i, 0) for i in range(2, 10)])),
            (MalformedList, good[:900]),
            (MalformedEntry, good[:-1]),
        ]
        for refusal, data in wrong:
            with pytest.raises(RefusedBatch) as refused:
                sequencer.submit(data, 0.0)
            assert type(refused.value) is refusal
        assert len(sequencer.waiting) == 1 and sequencer.account(1) == before


def test_batch_is_cut_when_it_is_full_or_the_first_item_has_waited(path):
    with opened(path) as sequencer:
        assert sequencer.cut(100.0) is None and sequencer.cut(100.0, at_once=True) is None
        sequencer.submit(signed(0, 0, *[e.lock(0, 1)] * 7), 10.0)
        sequencer.submit(signed(1, 0, *[e.lock(1, 1)] * 5), 12.0)
        assert sequencer.cut(14.0) is None
        sequencer.submit(signed(2, 0, *[e.lock(2, 1)] * 5), 15.0)
        first = sequencer.cut(15.0)  # 8 + 6 + 6 entries: one list must wait
        assert first and [s.index for s in first.batch.lists] == [0, 1] and sequencer.cut(19.9) is None
        second = sequencer.cut(20.0)
        assert second and [s.index for s in second.batch.lists] == [2]
        assert (first.number, second.number) == (1, 2) and second.tree is first.applied.tree


def test_started_again_it_has_the_same_batches_proofs_and_waiting_lists(path):
    sequencer = opened(path, Capacity(4, 8))
    for index in range(OWNERS):
        sequencer.submit(signed(index, 0, e.lock(index, 1)), float(index))
        while sequencer.cut(0.0):
            pass
    sequencer.queue(1, [e.deposit(3, 7)], 7.0)
    sequencer.keep_proof(2, b"proof")
    settled = sequencer.cuts[0]
    sequencer.settle(1, settled.applied.tree.root)
    before = sequencer.cuts, sequencer.waiting, sequencer.account(3), sequencer.queued
    sequencer.close()
    again = opened(path, Capacity(4, 8))
    assert [c.applied.data for c in again.cuts] == [c.applied.data for c in before[0]] and again.cuts
    assert [c.tree.root for c in again.cuts] == [c.tree.root for c in before[0]]
    assert (again.waiting, again.account(3), again.queued) == before[1:] and again.waiting
    assert (again.proof(2), again.proof(1), again.settled) == (b"proof", None, 1)
    again.close()


def test_queue_is_taken_in_order_and_once(path):
    with opened(path) as sequencer:
        for _ in range(2):
            sequencer.queue(1, [e.deposit(1, 5), e.evidence(2, 1, 0)], 0.0)
        with pytest.raises(ValueError, match="expected item 2 of the queue, got 3"):
            sequencer.queue(3, [e.deposit(1, 5)], 0.0)
        sequencer.submit(signed(1, 0, e.withdraw(1, 1005)), 0.0)
        sequencer.queue(2, [e.exit_all(1, 0, 0)], 0.0)
        with pytest.raises(Overspend):
            sequencer.submit(signed(1, 1, e.unlock(1, 500)), 0.0)
        sequencer.queue(3, [e.rekey(2, (1, 2, 3, 4, 5))], 0.0)
        with pytest.raises(ReplayedNonce):
            sequencer.submit(signed(2, 0), 0.0)
        with pytest.raises(TooLarge):
            sequencer.queue(4, [e.deposit(1, 5)] * 17, 0.0)
        assert sequencer.queued == 3
        made = []
        while cut := sequencer.cut(0.0, at_once=True):
            made.append(cut.batch)
        assert made[0].queue == (e.deposit(1, 5), e.evidence(2, 1, 0)) and not made[0].lists
        assert made[1].queue == () and len(made[1].lists) == 1
        assert made[2].queue == (e.exit_all(1, 0, 500), e.rekey(2, (1, 2, 3, 4, 5)))


def test_log_is_opened_once_and_only_as_what_it_is(path, tmp_path):
    with opened(path), pytest.raises(LogInUse):
        opened(path)
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "lost")
    with pytest.raises(FileExistsError):
        create(path)
    with pytest.raises(DamagedLog, match="expected a log of domain"):
        Sequencer(path, (1, 2, 3, 4), Capacity(16, 8), 5.0)
    (tmp_path / "other").write_bytes(b"no database at all, and long enough to be looked at" * 20)
    with pytest.raises(DamagedLog):
        opened(tmp_path / "other")
    sqlite3.connect(tmp_path / "empty").close()
    with pytest.raises(DamagedLog):
        opened(tmp_path / "empty")


def test_log_that_begins_in_the_middle_goes_on_from_there(tmp_path):
    tree = apply(GENESIS, Batch((e.deposit(1, 5),)), DOMAIN).tree
    Sequencer.create(tmp_path / "log", DOMAIN, tree, settled=7, queued=3)
    with opened(tmp_path / "log") as sequencer:
        assert (sequencer.settled, sequencer.queued, sequencer.account(1).balance) == (7, 3, 1005)
        sequencer.queue(4, [e.deposit(1, 5)], 0.0)
        made = sequencer.cut(9.0)
        assert made and made.number == 8 and made.applied.tree[1].balance == 1010


def test_another_batch_under_its_number_is_noticed(path):
    with opened(path) as sequencer:
        sequencer.submit(signed(1, 0), 0.0)
        made = sequencer.cut(9.0)
        assert made
        for number, root in ((1, GENESIS.root), (2, made.applied.tree.root)):
            with pytest.raises(ForeignBatch):
                sequencer.settle(number, root)
        sequencer.settle(0, GENESIS.root)  # nothing new
        sequencer.settle(1, made.applied.tree.root)
        assert sequencer.settled == 1


def test_after_anothers_batch_what_is_right_waits_again_and_the_rest_is_void(path):
    """Before: batch 1 of accounts 0, 1, 2, then lists that wait. The other's batch has account 0's list, another list of
    account 1 that pays account 4, and the queue's deposit.
    """
    first = [signed(i, 0, e.transfer(i, 5, 100)) for i in range(3)]
    later = signed(1, 1, e.lock(1, 1)), signed(5, 0, e.withdraw(5, 1250))
    with opened(path) as sequencer:
        receipts = [sequencer.submit(data, 0.0) for data in first]
        sequencer.queue(1, [e.deposit(3, 5)], 0.0)
        assert sequencer.cut(9.0)
        sequencer.keep_proof(1, b"stale")
        receipts += [sequencer.submit(data, 9.0) for data in later]
        sequencer.queue(2, [e.exit_all(4, 0, 0)], 9.0)

        other = signed(1, 0, e.transfer(1, 4, 9), next_seed=bytes(32))
        theirs = SignedList.from_bytes(first[0]), SignedList.from_bytes(other)
        applied = apply(GENESIS, Batch((e.deposit(3, 5),), theirs), DOMAIN)
        with pytest.raises(ForeignBatch):
            sequencer.settle(1, applied.tree.root)
        with pytest.raises(RefusedBatch):
            sequencer.yield_to(1, applied.data, GENESIS.root)
        with pytest.raises(ValueError, match="expected batch 1"):
            sequencer.yield_to(2, applied.data, applied.tree.root)
        sequencer.yield_to(1, applied.data, applied.tree.root)
        sequencer.settle(1, applied.tree.root)

        def check(now: Sequencer) -> None:
            fates = [now.fate(receipt) for receipt in receipts]
            assert fates[0] == Fate(1, True, None) and now.proof(1) is None
            assert [(f.batch, (f.refusal or "").split(":")[0]) for f in fates[1:]] == [
                (None, "ReplayedNonce"),  # account 1 signed another list
                (None, ""),  # account 2's waits again
                (None, "WrongSignature"),  # by the key that the void list named
                (None, "Overspend"),  # account 5 got 200, not 300
            ]
            assert [item.place for item in now.waiting] == [3, 7] and now.queued == 2
            assert now.account(4).balance == 0 and now.account(5).balance == 1200

        check(sequencer)
        sequencer.close()
        with opened(path) as again:
            check(again)
            revived = again.submit(signed(3, 0, e.transfer(3, 5, 50)), 10.0)
            once_more = again.submit(later[1], 10.0)  # right now, with what account 3 pays
            assert once_more.place == revived.place + 1 > receipts[4].place
            assert again.fate(once_more) == Fate(None, False, None)
            with pytest.raises(WrongSignature):
                again.submit(later[0], 10.0)
            while again.cut(20.0, at_once=True):
                pass
            settle_all(again)
            assert again.fate(once_more) == Fate(3, True, None)
            assert again.account(5).balance == 0 and again.account(4).stake == 0


def test_queue_that_was_not_read_must_be_before_anothers_batch_is_taken_over(path):
    applied = apply(GENESIS, Batch((e.deposit(3, 5), e.exit_all(4, 1000, 500))), DOMAIN)
    with opened(path) as sequencer:
        sequencer.queue(1, [e.deposit(3, 5)], 0.0)
        with pytest.raises(ValueError, match="queue to be taken in before"):
            sequencer.yield_to(1, applied.data, applied.tree.root)
        sequencer.queue(2, [e.exit_all(4, 0, 0)], 0.0)
        sequencer.yield_to(1, applied.data, applied.tree.root)
        assert not sequencer.waiting and sequencer.account(4).balance == 0
