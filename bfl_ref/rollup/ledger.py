"""The plain rollup: a batch turns a state into the next one. What the proof states, by definition.

Order of the published data:  [entries of the queue] [each signing account's list, ROTATE last] [a CLOSE for each touched
account, index ascending]. Touched is who signs, and whoever is `to` of a TRANSFER or of an entry of the queue.

What arrives in a batch counts at its end:

    TRANSFER + LOCK + WITHDRAW <= old balance            UNLOCK <= old stake
    balance = (exited ? 0 : old) - out + unlocked + received
    stake   = (exited ? 0 : old) - unlocked + locked
    nonce   = old + signed + rekeyed

At most one list, one REKEY and one EXIT an account; who is rekeyed or exits signs no list in that batch.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..stark.field import P
from .accounts import AMOUNT_LIMIT, Account, Digest, StateTree
from .entries import Entry, Kind, close, decode, encode
from .lists import SignedList, check_cover, check_form, check_signed
from .refusals import (
    DoubleExit,
    DoubleList,
    DoubleRekey,
    ExitingAccount,
    MalformedBatch,
    Overflow,
    SpentKey,
    WrongClose,
    WrongExit,
    WrongRoot,
)
from .signatures import Domain4


@dataclass(frozen=True)
class Batch:
    """queue: entries from the main chain, in their order.  lists: in any order."""

    queue: tuple[Entry, ...] = ()
    lists: tuple[SignedList, ...] = ()


@dataclass(frozen=True)
class Applied:
    """tree: the next state.  closes: a CLOSE for each touched account.  data: what is published.

    withdrawals: (account, units) in the data's order, from WITHDRAW and EXIT: what the main chain pays out.
    """

    tree: StateTree
    closes: tuple[Entry, ...]
    data: bytes
    withdrawals: tuple[tuple[int, int], ...]


def apply(tree: StateTree, batch: Batch, domain: Domain4) -> Applied:
    """The next state, or the refusal of the whole batch by name (a RefusedBatch)."""
    for signed in batch.lists:
        check_form(signed.index, signed.entries)
        check_signed(tree[signed.index], signed, domain)
    return enact(tree, batch.queue, [signed.entries for signed in batch.lists])


def enact(tree: StateTree, queue: Sequence[Entry], lists: Sequence[Sequence[Entry]]) -> Applied:
    """What `apply` does once form and signatures are checked."""
    after = outcome(tree, queue, lists)
    closes = tuple(close(index, account.closing) for index, account in after.items())
    entries = [*queue, *(e for part in lists for e in part)]
    withdrawals = tuple(
        (entry.to, sum(entry.payload[:2])) for entry in entries if entry.kind in (Kind.WITHDRAW, Kind.EXIT)
    )
    return Applied(tree.replaced_all(after), closes, encode([*entries, *closes]), withdrawals)


def parse(data: bytes) -> tuple[list[Entry], list[list[Entry]], list[Entry]]:
    """(queue, lists, closes) of published data. MalformedEntry, MalformedBatch."""
    entries = decode(data)
    queue, lists = [e for e in entries if e.kind.by_queue], [list[Entry]()]
    closes = [e for e in entries if e.kind == Kind.CLOSE]
    for entry in entries[len(queue) : len(entries) - len(closes)]:
        lists[-1].append(entry)
        if entry.kind == Kind.ROTATE:
            lists.append([])
    if lists.pop() or [*queue, *(e for part in lists for e in part), *closes] != entries:
        raise MalformedBatch("expected the queue's entries, then lists that end with ROTATE, then closes")
    for part in lists:
        if len({e.sender for e in part}) != 1:
            raise MalformedBatch(f"expected one account in a list, got {sorted({e.sender for e in part})}")
    return queue, lists, closes


def replay(tree: StateTree, data: bytes, root: Digest | None = None) -> StateTree:
    """The state after a batch from its published data alone; that its lists were signed is what a proof is for.

    root: of the state that must result, as the main chain has it.   A RefusedBatch by name, WrongClose and WrongRoot too.
    """
    queue, lists, closes = parse(data)
    applied = enact(tree, queue, lists)
    if applied.closes != tuple(closes):
        raise WrongClose(f"expected {applied.closes}, got {tuple(closes)}")
    if root is not None and applied.tree.root != tuple(root):
        raise WrongRoot(f"expected root {tuple(root)}, got {applied.tree.root}")
    return applied.tree


def touched(queue: Iterable[Entry], lists: Iterable[Sequence[Entry]]) -> set[int]:
    """Accounts that a batch opens."""
    found = {entry.to for entry in queue}
    for part in lists:
        found |= {part[0].sender} | {entry.to for entry in part}
    return found


class Accounts(Protocol):
    """A state, as far as a batch needs it: a `StateTree`, or accounts that no tree was made of yet."""

    def __getitem__(self, index: int, /) -> Account: ...


def outcome(state: Accounts, queue: Sequence[Entry], lists: Sequence[Sequence[Entry]]) -> dict[int, Account]:
    """Touched accounts after the batch, index ascending. A RefusedBatch for what breaks its rules, but signatures."""
    _check_once(queue, lists)
    for part in lists:
        check_cover(state[part[0].sender], part)
    for entry in queue:
        before = state[entry.to]
        if entry.kind == Kind.EXIT and entry.payload[:2] != (before.balance, before.stake):
            raise WrongExit(
                f"account {entry.to} had {before.balance} and {before.stake}, exits with {entry.payload[:2]}"
            )
    values = {index: dict(vars(state[index])) for index in sorted(touched(queue, lists))}
    for entry in [*queue, *(e for part in lists for e in part)]:
        add_effect(entry, values)
    for index, new in values.items():
        if new["balance"] >= AMOUNT_LIMIT or new["stake"] >= AMOUNT_LIMIT:
            raise Overflow(f"account {index} would have {new['balance']} and {new['stake']}")
    return {index: Account(**new) for index, new in values.items()}


def add_effect(entry: Entry, values: dict) -> None:
    """Adds an entry's effect to what the accounts will be at the end."""
    other, amount = values[entry.to], entry.payload[0]
    own = values[entry.sender] if entry.kind.by_owner else other
    match entry.kind:
        case Kind.TRANSFER:
            own["balance"] -= amount
            other["balance"] += amount
        case Kind.LOCK:
            own["balance"] -= amount
            own["stake"] += amount
        case Kind.UNLOCK:
            own["stake"] -= amount
            own["balance"] += amount
        case Kind.RECORD:
            own["record"] = entry.payload
        case Kind.WITHDRAW:
            own["balance"] -= amount
        case Kind.ROTATE | Kind.REKEY:
            other["key"], other["nonce"] = entry.payload, other["nonce"] + 1
        case Kind.DEPOSIT:
            other["balance"] += amount
        case Kind.EVIDENCE:
            other["positive"] = (other["positive"] + entry.payload[0]) % P
            other["negative"] = (other["negative"] + entry.payload[1]) % P
        case Kind.EXIT:
            other["balance"] -= amount
            other["stake"] -= entry.payload[1]


def _check_once(queue: Sequence[Entry], lists: Sequence[Sequence[Entry]]) -> None:
    signing = _once([part[0].sender for part in lists], DoubleList)
    rekeyed = _once([e.to for e in queue if e.kind == Kind.REKEY], DoubleRekey)
    exiting = _once([e.to for e in queue if e.kind == Kind.EXIT], DoubleExit)
    if both := signing & rekeyed:
        raise SpentKey(f"accounts {sorted(both)} get another key in this batch, and sign with the old one")
    if both := signing & exiting:
        raise ExitingAccount(f"accounts {sorted(both)} exit in this batch, and sign")


def _once(indices: list[int], refusal: type[Exception]) -> set[int]:
    if twice := [index for index, count in Counter(indices).items() if count > 1]:
        raise refusal(f"accounts {sorted(twice)}: more than once in a batch")
    return set(indices)
