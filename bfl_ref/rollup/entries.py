"""Entries: what happens in the rollup, 6 elements or 24 bytes each, and published in that form.

    header = kind + 16 from + 16384 to | payload[5]            each element 4 bytes big-endian, below p

    kind         by       payload                                   effect
    1 TRANSFER   owner    amount                                    from's balance -> to's
    2 LOCK       owner    amount                                    balance -> stake
    3 UNLOCK     owner    amount                                    stake -> balance
    4 RECORD     owner    digest[5]                                 record = digest: a submission
    5 ACCESS     owner    digest[5]                                 none, it is on record who read what
    6 WITHDRAW   owner    amount                                    balance -> main chain
    7 ROTATE     owner    next key[5]                               key = next, nonce + 1; ends every signed list
    8 DEPOSIT    queue    amount                                    to's balance grows (rewards too)
    9 EVIDENCE   queue    positive, negative                        to's evidence grows
    10 REKEY     queue    key[5]                                    to's key = key, nonce + 1: enrolment, cancelling
    11 EXIT      queue    balance, stake                            forced: all that to had -> main chain
    12 CLOSE     prover   balance, stake, nonce, positive, negative from's values after the batch

An owner's entry but TRANSFER has to = from; the queue's have from = 0, CLOSE has to = 0. Amounts, balances and stakes are
below 2^29; what of a payload is not used is zero. So every entry has one encoding, and nothing else decodes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ..stark.field import P, from_bytes
from .accounts import ACCOUNTS, AMOUNT_LIMIT
from .refusals import MalformedEntry

ELEMENTS, PAYLOAD = 6, 5
ENTRY_BYTES = 4 * ELEMENTS
FROM, TO = 16, 16 * ACCOUNTS  # the header's weights


class Kind(IntEnum):
    """Number of each kind of entry."""

    TRANSFER = 1
    LOCK = 2
    UNLOCK = 3
    RECORD = 4
    ACCESS = 5
    WITHDRAW = 6
    ROTATE = 7
    DEPOSIT = 8
    EVIDENCE = 9
    REKEY = 10
    EXIT = 11
    CLOSE = 12

    @property
    def by_owner(self) -> bool:
        """The account itself signs it."""
        return self <= Kind.ROTATE

    @property
    def by_queue(self) -> bool:
        """The main chain's queue hands it in."""
        return Kind.DEPOSIT <= self <= Kind.EXIT


_AMOUNTS = {  # how many leading elements are amounts
    Kind.TRANSFER: 1,
    Kind.LOCK: 1,
    Kind.UNLOCK: 1,
    Kind.WITHDRAW: 1,
    Kind.DEPOSIT: 1,
    Kind.EXIT: 2,
    Kind.CLOSE: 2,
}
_USED = _AMOUNTS | {Kind.EVIDENCE: 2, Kind.CLOSE: 5}  # of the payload; all of it for other kinds


@dataclass(frozen=True)
class Entry:
    """sender is the header's `from`. MalformedEntry (a ValueError) for what has no encoding."""

    kind: Kind
    sender: int
    to: int
    payload: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (0 <= self.sender < ACCOUNTS and 0 <= self.to < ACCOUNTS):
            raise MalformedEntry(f"expected accounts from 0 to {ACCOUNTS - 1}, got {self.sender}, {self.to}")
        if len(self.payload) != PAYLOAD or not all(0 <= x < P for x in self.payload):
            raise MalformedEntry(f"expected {PAYLOAD} elements from 0 to p - 1, got {self.payload}")
        amounts, used = _AMOUNTS.get(self.kind, 0), _USED.get(self.kind, PAYLOAD)
        if any(x >= AMOUNT_LIMIT for x in self.payload[:amounts]) or any(self.payload[used:]):
            raise MalformedEntry(
                f"{self.kind.name}: expected {amounts} amounts below 2^29, zeros after {used} elements; got {self.payload}"
            )
        if self.kind.by_owner and self.kind != Kind.TRANSFER and self.to != self.sender:
            raise MalformedEntry(f"{self.kind.name}: expected to = from, got {self.to} and {self.sender}")
        if (self.kind.by_queue and self.sender) or (self.kind == Kind.CLOSE and self.to):
            raise MalformedEntry(
                f"{self.kind.name}: expected one account and 0, got {self.sender} -> {self.to}"
            )

    @property
    def amount(self) -> int:
        """The payload's first element, where it is an amount."""
        return self.payload[0]

    @property
    def elements(self) -> tuple[int, ...]:
        """(6,): header and payload."""
        return self.kind + FROM * self.sender + TO * self.to, *self.payload

    def to_bytes(self) -> bytes:
        """24 bytes."""
        return encode([self])


def encode(entries: Iterable[Entry]) -> bytes:
    """24 bytes each, in order."""
    return np.array([entry.elements for entry in entries], ">u4").tobytes()


def decode(data: bytes) -> list[Entry]:
    """Inverse of `encode`. MalformedEntry for bytes that are not entries, each in its one encoding."""
    if len(data) % ENTRY_BYTES:
        raise MalformedEntry(f"expected a multiple of {ENTRY_BYTES} bytes, got {len(data)}")
    try:
        rows = from_bytes(data).view(np.ndarray).reshape(-1, ELEMENTS).tolist()
    except ValueError as error:
        raise MalformedEntry(str(error)) from None
    return [_entry(header, tuple(payload)) for header, *payload in rows]


def _entry(header: int, payload: tuple[int, ...]) -> Entry:
    kind, sender, to = header % FROM, header // FROM % ACCOUNTS, header // TO
    if not min(Kind) <= kind <= max(Kind):
        raise MalformedEntry(f"expected a kind from 1 to {max(Kind)}, got {kind}")
    return Entry(Kind(kind), sender, to, payload)


def transfer(sender: int, to: int, amount: int) -> Entry:
    return Entry(Kind.TRANSFER, sender, to, (amount, 0, 0, 0, 0))


def lock(index: int, amount: int) -> Entry:
    return Entry(Kind.LOCK, index, index, (amount, 0, 0, 0, 0))


def unlock(index: int, amount: int) -> Entry:
    return Entry(Kind.UNLOCK, index, index, (amount, 0, 0, 0, 0))


def record(index: int, digest: tuple[int, ...]) -> Entry:
    return Entry(Kind.RECORD, index, index, digest)


def access(index: int, digest: tuple[int, ...]) -> Entry:
    return Entry(Kind.ACCESS, index, index, digest)


def withdraw(index: int, amount: int) -> Entry:
    return Entry(Kind.WITHDRAW, index, index, (amount, 0, 0, 0, 0))


def rotate(index: int, key: tuple[int, ...]) -> Entry:
    return Entry(Kind.ROTATE, index, index, key)


def deposit(to: int, amount: int) -> Entry:
    return Entry(Kind.DEPOSIT, 0, to, (amount, 0, 0, 0, 0))


def evidence(to: int, positive: int, negative: int) -> Entry:
    return Entry(Kind.EVIDENCE, 0, to, (positive, negative, 0, 0, 0))


def rekey(to: int, key: tuple[int, ...]) -> Entry:
    return Entry(Kind.REKEY, 0, to, key)


def exit_all(to: int, balance: int, stake: int) -> Entry:
    """A forced exit: `exit` is a builtin."""
    return Entry(Kind.EXIT, 0, to, (balance, stake, 0, 0, 0))


def close(index: int, closing: tuple[int, ...]) -> Entry:
    """closing: `Account.closing` after the batch."""
    return Entry(Kind.CLOSE, index, 0, closing)
