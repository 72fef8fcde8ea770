"""Batches are proven side by side and posted in order; errors stop nothing for good, and no proof is made twice."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier

import pytest
from rollup_cases import DOMAIN
from sequencer_cases import GENESIS, FileChain, create, opened, prove, signed

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.ledger import Batch, apply
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.posting import NotSettled, Posting
from bfl_ref.rollup.sequencer import Cut, ForeignBatch
from bfl_ref.workers import worker_pool


class Hand:
    """A pool whose proofs are made when the test says so."""

    def __init__(self):
        self.asked: list[tuple[Cut, Future]] = []

    def submit(self, call, made):
        future: Future = Future()
        self.asked.append((made, future))
        return future

    def make(self, number: int) -> None:
        ((made, future),) = [each for each in self.asked if each[0].number == number and not each[1].done()]
        future.set_result(prove(made))


@pytest.fixture
def chain(tmp_path):
    return FileChain(tmp_path / "chain.json")


@pytest.fixture
def sequencer(tmp_path):
    """Four batches, each of one list."""
    create(tmp_path / "log")
    with opened(tmp_path / "log") as made:
        for nonce in range(4):
            made.submit(signed(1, nonce, e.lock(1, 1)), 0.0)
            assert made.cut(0.0, at_once=True)
        yield made


def test_consecutive_batches_are_proven_at_the_same_time(sequencer, chain):
    barrier = Barrier(2, timeout=60)  # passes two at a time, or breaks

    def prove_together(made: Cut) -> bytes:
        barrier.wait()
        return prove(made)

    with ThreadPoolExecutor(2) as pool:
        assert Posting(sequencer, prove_together, chain.post, chain.landed, pool, 2).finish() == 4
    assert chain.state()[1].stake == 504 and not sequencer.cuts and sequencer.proof(4) is None


def test_batches_are_posted_in_order_whichever_proof_comes_first(sequencer, chain):
    pool = Hand()
    posting = Posting(sequencer, prove, chain.post, chain.landed, pool, 3)
    assert posting.advance() == 0 and [made.number for made, _ in pool.asked] == [1, 2, 3]
    pool.make(3)
    pool.make(2)
    assert posting.advance() == 0 and sequencer.proof(2) and len(pool.asked) == 3
    pool.make(1)
    assert posting.advance() == 3
    assert posting.advance() == 3 and [made.number for made, _ in pool.asked] == [1, 2, 3, 4]
    pool.make(4)
    assert posting.finish() == 4 and chain.landed()[0] == 4


def test_proofs_are_kept_over_a_restart_and_what_landed_is_not_posted_again(sequencer, chain, tmp_path):
    pool = Hand()
    posting = Posting(sequencer, prove, chain.post, chain.landed, pool, 4)
    posting.advance()
    for number in (1, 2, 4):
        pool.make(number)
    real, sequencer.settle = sequencer.settle, lambda *_: None  # killed between landing and noting it
    with pytest.raises(NotSettled):
        posting.advance()
    sequencer.settle = real
    assert chain.landed()[0] == 1 and sequencer.settled == 0
    sequencer.close()
    with opened(tmp_path / "log") as again:
        fresh = Hand()
        posting = Posting(again, prove, chain.post, chain.landed, fresh, 4)
        assert posting.advance() == 2 and [made.number for made, _ in fresh.asked] == [3]
        fresh.make(3)
        assert posting.advance() == 4


def test_failing_proof_or_chain_is_raised_and_tried_again(sequencer, chain):
    failing = [RuntimeError("no proof"), OSError("no chain")]

    def prove_late(made: Cut) -> bytes:
        if made.number == 2 and len(failing) == 2:
            raise failing.pop(0)
        return prove(made)

    def post_late(made: Cut, proof: bytes) -> None:
        if made.number == 3 and failing:
            raise failing.pop(0)
        chain.post(made, proof)

    with ThreadPoolExecutor(1) as pool:
        posting = Posting(sequencer, prove_late, post_late, chain.landed, pool, 2)
        with pytest.raises(RuntimeError, match="no proof"):
            posting.finish()
        with pytest.raises(OSError, match="no chain"):
            posting.finish()
        assert posting.finish() == 4 and not failing


def test_post_that_does_not_settle_is_an_error(sequencer, chain):
    with ThreadPoolExecutor(1) as pool:
        posting = Posting(sequencer, prove, lambda made, proof: None, chain.landed, pool, 2)
        with pytest.raises(NotSettled, match="batch 1"):
            posting.finish()


def test_proof_of_a_batch_that_another_replaced_is_not_used(sequencer, chain):
    pool = Hand()
    posting = Posting(sequencer, prove, chain.post, chain.landed, pool, 1)
    posting.advance()
    other = SignedList.from_bytes(signed(2, 0, e.lock(2, 9)))
    applied = apply(GENESIS, Batch((), (other,)), DOMAIN)
    chain.add(applied.data, applied.tree.root)
    with pytest.raises(ForeignBatch):
        posting.advance()
    pool.make(1)
    sequencer.yield_to(1, applied.data, applied.tree.root)
    assert sequencer.settled == 1 and len(sequencer.waiting) == 4
    while sequencer.cut(0.0, at_once=True):
        pass
    for number in (2, 3, 4, 5):
        posting.advance()
        pool.make(number)
    assert posting.finish() == 5 and chain.state()[1].stake == 504 and chain.state()[2].stake == 509


def prove_there(made: Cut) -> bytes:
    assert apply(made.tree, made.batch, DOMAIN).data == made.applied.data
    return prove(made) + os.getpid().to_bytes(8, "big")


def test_processes_prove(sequencer, chain):
    places = set()

    def post(made: Cut, proof: bytes) -> None:
        places.add(int.from_bytes(proof[32:], "big"))
        chain.post(made, proof[:32])

    with worker_pool(1) as pool:
        assert Posting(sequencer, prove_there, post, chain.landed, pool, 4).finish() == 4
    assert len(places) == 1 and os.getpid() not in places
