"""Confirmed and waiting: which items the next batch takes. Pure functions of a state and of items in the log's order.

An item is an account's signed list, or a run of the main chain's queue. A list is confirmed if it is right in the state to
which all items before it lead, one after the other (`Ahead`): signature, nonce, cover. A batch is not one after the other:
what arrives in it counts at its end, an account signs once in it, and it has room for so much. So `take` goes through the
items in their order and leaves waiting what cannot be in this batch:

- a list whose account already signs, is rekeyed or exits in this batch, or spends what it gets in this batch only;
- a run of the queue that rekeys, or lets exit, who already signs, is rekeyed or exits in this batch;
- whatever there is no room for.

And it keeps the order wherever that matters. Behind a list that waits, its account signs nothing and is neither rekeyed nor
exits; behind a run that waits, all of the queue waits, and so do lists of accounts that it rekeys or lets exit; behind an
exit that waits, nothing reaches that account, or the exit would take along what came after it.

So a confirmed list is never lost. The first item of all is always taken: everything before it is in the state, which holds
for each account what `Ahead` said or more (more, if what came before an exit reached the account after it). So each batch
takes something, and each item's turn comes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .accounts import Account, StateTree
from .entries import Entry, Kind, exit_all
from .ledger import Accounts, Batch, outcome, parse, touched
from .lists import SignedList, check_cover, check_signed
from .refusals import Overspend, RefusedBatch, TooLarge
from .signatures import Domain4


@dataclass(frozen=True)
class Capacity:
    """What a batch has room for, by its statement. entries: of queue and lists, ROTATE counted.  accounts: touched."""

    entries: int
    accounts: int

    def check(self, item: "Item") -> None:
        """Returns if a batch has room for the item alone. TooLarge."""
        entries, accounts = len(item.entries), len(item.touches)
        if entries > self.entries or accounts > self.accounts:
            raise TooLarge(
                f"expected at most {self.entries} entries of {self.accounts} accounts, got {entries} of {accounts}"
            )


@dataclass(frozen=True)
class Item:
    """place: in the log, from 1 on.  entries: the list's, or the queue's run (an EXIT in it without its amounts).

    signed: the list; None for a run.  at_s: when it came, in seconds.
    """

    place: int
    entries: tuple[Entry, ...]
    signed: SignedList | None
    at_s: float

    @property
    def touches(self) -> set[int]:
        return touched((), [self.entries]) if self.signed else touched(self.entries, ())

    @property
    def owners(self) -> set[int]:
        """Accounts whose key or whole balance it takes: who signs, or who is rekeyed or exits."""
        if self.signed:
            return {self.signed.index}
        return {entry.to for entry in self.entries if entry.kind in (Kind.REKEY, Kind.EXIT)}

    @property
    def exits(self) -> set[int]:
        return {entry.to for entry in self.entries if entry.kind == Kind.EXIT}


class Ahead(dict[int, Account]):
    """A state, and upon it what items lead to, one after the other."""

    def __init__(self, state: Accounts, items: Iterable[Item] = ()) -> None:
        super().__init__()
        self._state = state
        for item in items:
            self.add(item)

    def __missing__(self, index: int) -> Account:
        return self._state[index]

    def add(self, item: Item) -> None:
        """RefusedBatch, and nothing changed, if the item cannot follow."""
        batch = batch_of(self, [item])
        self.update(outcome(self, batch.queue, [signed.entries for signed in batch.lists]))


def batch_of(state: Accounts, items: Sequence[Item]) -> Batch:
    """The batch of these items: runs in their order, then lists. An EXIT gets what its account has in `state`."""
    queue = [entry for item in items if item.signed is None for entry in item.entries]
    return Batch(
        tuple(_filled(state, entry) for entry in queue), tuple(item.signed for item in items if item.signed)
    )


def take(state: Accounts, items: Iterable[Item], capacity: Capacity) -> tuple[list[Item], bool]:
    """(what the next batch takes, whether anything waits for room only).   items: those that wait, in the log's order."""
    taken: list[Item] = []
    entries, accounts, owners = 0, set[int](), set[int]()
    behind, barred = set[int](), set[int]()  # owners of what waits, and accounts with an exit that waits
    queue_waits = is_full = False
    for item in items:
        touches = item.touches
        follows = not (
            item.owners & (owners | behind) or touches & barred or (queue_waits and not item.signed)
        )
        follows = follows and (item.signed is None or _is_covered(state, item.signed))
        fits = (
            entries + len(item.entries) <= capacity.entries and len(accounts | touches) <= capacity.accounts
        )
        if follows and fits:
            taken.append(item)
            entries += len(item.entries)
            accounts |= touches
            owners |= item.owners
        else:
            behind |= item.owners
            barred |= item.exits
            queue_waits = queue_waits or item.signed is None
            is_full = is_full or follows
    return taken, is_full


def sort_out(
    tree: StateTree, data: bytes, items: Sequence[Item], domain: Domain4
) -> tuple[list[int], dict[int, str]]:
    """(places of items that are in another's batch, place -> refusal of those that are void after it).

    tree, data: after that batch, and its published data.  items: in the log's order; all of the queue that is in the data.
    ValueError if they are not.
    """
    queue, lists, _ = parse(data)
    theirs, entries = {tuple(part) for part in lists}, [_queued(entry) for entry in queue]
    inside, void, ahead = list[int](), dict[int, str](), Ahead(tree)
    for item in items:
        size = len(item.entries)
        if (item.entries in theirs) if item.signed else (tuple(entries[:size]) == item.entries):
            inside.append(item.place)
            entries = entries if item.signed else entries[size:]
            continue
        try:
            if item.signed:
                check_signed(ahead[item.signed.index], item.signed, domain)
            ahead.add(item)
        except RefusedBatch as refusal:
            void[item.place] = f"{type(refusal).__name__}: {refusal}"
    if entries:
        raise ValueError(f"expected all of the queue to be taken in before, got a batch with {entries}")
    return inside, void


def _queued(entry: Entry) -> Entry:
    """As it stood in the queue."""
    return exit_all(entry.to, 0, 0) if entry.kind == Kind.EXIT else entry


def _is_covered(state: Accounts, signed: SignedList) -> bool:
    try:
        check_cover(state[signed.index], signed.entries)
    except Overspend:
        return False
    return True


def _filled(state: Accounts, entry: Entry) -> Entry:
    if entry.kind != Kind.EXIT:
        return entry
    return exit_all(entry.to, state[entry.to].balance, state[entry.to].stake)
