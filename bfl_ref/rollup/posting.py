"""From batches that were cut to batches that are settled: proven side by side, posted one after the other.

A proof of a batch needs the state before it and the batch, not the proof before it: consecutive batches are proven at the
same time. A proof that was made is in the log, and is not made again after a restart. What the main chain has is asked
before anything is posted, so nothing is posted twice, wherever this was killed.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from tqdm.auto import tqdm

from .accounts import Digest
from .sequencer import Cut, Sequencer

Prove = Callable[[Cut], bytes]
"""Runs in the pool, so with processes: a function of a module, or a `partial` of one."""
Post = Callable[[Cut, bytes], None]
"""Hands a batch and its proof to the main chain; returns when it is settled, and raises if it is not."""
Landed = Callable[[], tuple[int, Digest]]
"""Asks the main chain: number of its last batch, 0 if there is none, and the root after it."""


class NotSettled(Exception):
    """`post` returned, and the main chain does not have the batch. number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"batch {number} was posted, and is not on the main chain")
        self.number = number


class Posting:
    """pool: where `prove` runs, for instance `worker_pool()`.  at_once: batches that are being proven at the same time."""

    def __init__(
        self, sequencer: Sequencer, prove: Prove, post: Post, landed: Landed, pool: Executor, at_once: int
    ) -> None:
        self._sequencer, self._prove, self._post, self._landed = sequencer, prove, post, landed
        self._pool, self._at_once = pool, at_once
        self._proofs: list[tuple[Cut, Future[bytes]]] = []

    def advance(self) -> int:
        """Keeps proofs that are made, posts what can be posted, has the next ones made; returns the last settled number.

        Waits for `post`, not for proofs. Raises what `prove` and `post` raise, ForeignBatch and NotSettled; called again, it
        goes on where it was.
        """
        self._sequencer.settle(*self._landed())
        self._keep_proofs()
        for made in self._sequencer.cuts:
            if (proof := self._sequencer.proof(made.number)) is None:
                break
            self._post(made, proof)
            self._sequencer.settle(*self._landed())
            if self._sequencer.settled < made.number:
                raise NotSettled(made.number)
        under_way = [made.number for made, _ in self._proofs]
        for made in self._sequencer.cuts[: self._at_once]:
            if made.number not in under_way and self._sequencer.proof(made.number) is None:
                self._proofs.append((made, self._pool.submit(self._prove, made)))
        return self._sequencer.settled

    def finish(self) -> int:
        """Waits until all that was cut is settled."""
        left = len(self._sequencer.cuts)
        with tqdm(total=left, desc="batches", disable=not left, leave=False) as bar:
            while self._sequencer.cuts:
                self.advance()
                bar.update(left - bar.n - len(self._sequencer.cuts))
                wait([proof for _, proof in self._proofs], return_when=FIRST_COMPLETED)
        return self._sequencer.settled

    def _keep_proofs(self) -> None:
        """Those of batches that still are to come: another's batch may have taken the place of one that was being proven."""
        still = {id(made) for made in self._sequencer.cuts}
        self._proofs = [each for each in self._proofs if id(each[0]) in still]
        for each in [each for each in self._proofs if each[1].done()]:
            self._proofs.remove(each)
            self._sequencer.keep_proof(each[0].number, each[1].result())
