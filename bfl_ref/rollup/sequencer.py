"""The sequencer: confirms lists, cuts them into batches, and loses nothing of what it confirmed, wherever it is killed.

    submit   a list -> its receipt: the place in the log.  Checked against the state that all before it leads to
    queue    a run of the main chain's queue -> behind all that was confirmed before
    cut      what waits -> the next batch, if there is enough of it, or if the first of it waits for long enough
    settle   what the main chain has -> batches up to there are done with

The log has everything before it counts: a list before its receipt is handed out, a batch before anybody proves it. So a
sequencer that is started again has the same receipts, batches and waiting items, and goes on. Sent again, a list gets the
same receipt; one receipt a list, one list a nonce.

What a receipt is worth: the list will be in a batch of THIS sequencer, or of another that gets it too. If another's batch
comes first (its turn, or this one was too late), `settle` says so, and `yield_to` takes that batch over: what is still right
then waits again, what is not is void, and `fate` says why. A receipt is no proof; final is what the main chain has settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from eth_utils import keccak

from .accounts import Account, Digest, StateTree
from .entries import Entry
from .ledger import Applied, Batch, enact, replay
from .lists import SignedList, check_cover, check_signed
from .log import Log
from .mempool import Ahead, Capacity, Item, batch_of, sort_out, take
from .signatures import Domain4


class ForeignBatch(Exception):
    """The main chain has another batch under that number than this sequencer's: see `yield_to`. number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"batch {number} on the main chain is not the one that was cut here")
        self.number = number


@dataclass(frozen=True)
class Receipt:
    """place: in the log, from 1 on.  digest: keccak of the list's bytes."""

    place: int
    digest: bytes


@dataclass(frozen=True)
class Fate:
    """Of what was confirmed. batch: that took it, None while it waits.  is_settled: that batch is on the main chain.

    refusal: why it is void, since another's batch came before; None if it is not.
    """

    batch: int | None
    is_settled: bool
    refusal: str | None


@dataclass(frozen=True)
class Cut:
    """A batch on its way. number: on the main chain, from 1 on.  tree: the state before.  applied: what it leads to."""

    number: int
    tree: StateTree
    batch: Batch
    applied: Applied


class Sequencer:
    """`Sequencer.create` once, then `with Sequencer(path, domain, capacity, wait_s) as sequencer`, also after a kill.

    wait_s: seconds after which what waits is cut although there is room.  Not for several threads at once; after an error
    that is not named here it is to be opened again, for what is on disk counts.
    """

    def __init__(self, path: Path | str, domain: Domain4, capacity: Capacity, wait_s: float) -> None:
        """FileNotFoundError, LogInUse, DamagedLog."""
        self.capacity, self.wait_s, self._domain = capacity, wait_s, domain
        self._log = Log(path, domain)
        self._cuts: list[Cut] = []
        self._waiting: list[Item] = []
        self._recover()

    @classmethod
    def create(
        cls,
        path: Path | str,
        domain: Domain4,
        tree: StateTree | None = None,
        settled: int = 0,
        queued: int = 0,
    ) -> None:
        """An empty log. FileExistsError.

        tree, settled, queued: the state after that batch, and the last item of the queue that is in it, as the main chain
        has them.
        """
        Log.create(Path(path), domain, (tree or StateTree()).accounts, settled, queued)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._log.close()

    @property
    def settled(self) -> int:
        """Number of the last batch that is known to be on the main chain."""
        return self._log.settled

    @property
    def queued(self) -> int:
        """Number of the last item of the queue that was taken in."""
        return self._log.queued

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """Batches that were cut and are not settled, in order."""
        return tuple(self._cuts)

    @property
    def waiting(self) -> tuple[Item, ...]:
        """In no batch yet, in order."""
        return tuple(self._waiting)

    def account(self, index: int) -> Account:
        """As everything that was confirmed leads to: what the next list of that account is checked against."""
        return self._ahead[index]

    def submit(self, data: bytes, now_s: float) -> Receipt:
        """Confirms a list, or refuses it by name (RefusedBatch). Sent again, it gets the receipt that it got; unless it fell
        out since: then it is tried again, as if it were new.

        data: `SignedList.to_bytes`.  now_s: the time, in seconds.
        """
        digest = keccak(data)
        if (place := self._log.place_of(digest)) is not None:
            return Receipt(place, digest)
        signed = SignedList.from_bytes(data)
        self.capacity.check(Item(0, signed.entries, signed, now_s))
        account = self._ahead[signed.index]
        check_signed(account, signed, self._domain)
        check_cover(account, signed.entries)
        item = self._log.append_list(signed, digest, now_s)
        self._ahead.add(item)
        self._waiting.append(item)
        return Receipt(item.place, digest)

    def queue(self, number: int, entries: Sequence[Entry], now_s: float) -> None:
        """Takes in an item of the main chain's queue; one that was taken in before is passed over.

        number: from 1 on, without gaps.  entries: its run; an EXIT in it without its amounts.  ValueError for a number that
        is not the next one. RefusedBatch if no batch can ever take it, which the contract rules out.
        """
        if number <= self.queued:
            return
        if number != self.queued + 1:
            raise ValueError(f"expected item {self.queued + 1} of the queue, got {number}")
        tried = Item(0, tuple(entries), None, now_s)
        self.capacity.check(tried)
        Ahead(self._ahead).add(tried)
        item = self._log.append_run(tried.entries, now_s)
        self._ahead.add(item)
        self._waiting.append(item)

    def cut(self, now_s: float, at_once: bool = False) -> Cut | None:
        """The next batch, put down; None if it is not its time.   at_once: whatever waits is enough."""
        if not self._waiting:
            return None
        taken, is_full = take(self._tree, self._waiting, self.capacity)
        assert taken and taken[0] is self._waiting[0], "the first item can always be taken"
        if not (is_full or at_once or now_s - self._waiting[0].at_s >= self.wait_s):
            return None
        made = self._made(self._next, taken)
        self._log.cut(made.number, taken)
        self._push(made)
        places = {item.place for item in taken}
        self._waiting = [item for item in self._waiting if item.place not in places]
        self._ahead = Ahead(self._tree, self._waiting)
        return made

    def proof(self, number: int) -> bytes | None:
        """Of a batch that was cut, if there is one."""
        return self._log.proof(number)

    def keep_proof(self, number: int, proof: bytes) -> None:
        self._log.keep_proof(number, proof)

    def settle(self, number: int, root: Digest) -> None:
        """Takes note of what the main chain has: its last batch, and the root after it. ForeignBatch if that is not ours."""
        if number <= self.settled:
            return
        for position, made in enumerate(self._cuts):
            if made.number == number and made.applied.tree.root == tuple(root):
                self._log.settle(number, self._changed(made.applied.tree))
                self._settled_tree = made.applied.tree
                del self._cuts[: position + 1]
                return
        raise ForeignBatch(number)

    def yield_to(self, number: int, data: bytes, root: Digest) -> None:
        """Takes over a batch of another sequencer, the one after `settled`: its data, the root after it.

        RefusedBatch if the data do not lead there.  ValueError for another number, or if the queue was not taken in before.
        """
        if number != self.settled + 1:
            raise ValueError(f"expected batch {self.settled + 1}, got {number}")
        tree = replay(self._settled_tree, data, root)
        cut = [item for _, taken in self._log.batches() for item in taken]
        items = sorted([*cut, *self._waiting], key=lambda item: item.place)
        inside, void = sort_out(tree, data, items, self._domain)
        self._log.yield_to(number, self._changed(tree), inside, void)
        self._recover()

    def fate(self, receipt: Receipt) -> Fate:
        """What became of a list that was confirmed. ValueError if none was."""
        batch, refusal = self._log.fate_of(receipt.digest)
        return Fate(batch, batch is not None and batch <= self.settled, refusal)

    def _recover(self) -> None:
        self._settled_tree = self._tree = StateTree(self._log.accounts())
        self._cuts = []
        self._next = self._log.settled + 1
        for number, items in self._log.batches():
            assert number == self._next, "batches are cut one after the other"
            self._push(self._made(number, items))
        self._waiting = self._log.waiting()
        self._ahead = Ahead(self._tree, self._waiting)

    def _made(self, number: int, items: list[Item]) -> Cut:
        batch = batch_of(self._tree, items)
        applied = enact(self._tree, batch.queue, [signed.entries for signed in batch.lists])
        return Cut(number, self._tree, batch, applied)

    def _push(self, made: Cut) -> None:
        self._cuts.append(made)
        self._tree, self._next = made.applied.tree, made.number + 1

    def _changed(self, tree: StateTree) -> dict[int, Account]:
        before = self._settled_tree.accounts
        return {i: tree[i] for i in before.keys() | tree.accounts.keys() if tree[i] != before.get(i)}
