"""What the rollup's contract speaks of, as plain values: the structs of its interfaces, and how it packs digests.

A digest (root, key, record, sibling) is a tuple of elements below p, as everywhere in the package; the contract has them in
4 bytes each, the first one highest.
"""

from dataclasses import dataclass
from struct import unpack
from typing import Protocol

Digest = tuple[int, ...]


@dataclass(frozen=True)
class RollupParameters:
    """Fixed at deployment.

    turn: blocks of a sequencer's turn.  force: blocks that an item may wait in the queue, at least 2 turn.  delay: blocks
    before what left an account can be claimed.  run: entries pushed at once at most, no more than the verifier's statement
    has room for, in entries and in accounts.  bond: of a sequencer; fee: its part for who freezes; in the smallest unit.
    """

    turn: int = 25
    force: int = 300
    delay: int = 25
    run: int = 32
    bond: int = 0
    fee: int = 0


@dataclass(frozen=True)
class QueueItem:
    """A run of entries that a batch has to take. digest: 240 bits of their keccak, 16 of their number.  payer: who paid the
    deposits in it, `amount` units together, or sent it.
    """

    digest: bytes
    payer: str
    amount: int
    block_number: int


@dataclass(frozen=True)
class SequencerSeat:
    """sequencer: the zero address if the seat is free.  It counts in turns from `from_turn` on, and before `until_turn`."""

    sequencer: str
    from_turn: int
    until_turn: int


@dataclass(frozen=True)
class AccountState:
    """An account as the main chain knows it: the first five as the last batch left them.

    owed: units that left it and can be claimed from block `claim_block` on.  escaped: emptied after the rollup froze.
    """

    negative: int
    positive: int
    nonce: int
    stake: int
    balance: int
    owed: int
    claim_block: int
    escaped: bool


class Leaf(Protocol):
    """What a leaf of the state tree holds (`bfl_ref.rollup.Account`). key, record: (5,) elements."""

    @property
    def key(self) -> Digest: ...
    @property
    def record(self) -> Digest: ...
    @property
    def balance(self) -> int: ...
    @property
    def stake(self) -> int: ...
    @property
    def nonce(self) -> int: ...
    @property
    def positive(self) -> int: ...
    @property
    def negative(self) -> int: ...


def packed(elements: Digest, count: int) -> bytes:
    """4 bytes each, big-endian. ValueError for another number of them, or one that does not fit."""
    if len(elements) != count or not all(0 <= element < 2**32 for element in elements):
        raise ValueError(f"expected {count} elements of 4 bytes, got {elements}")
    return b"".join(element.to_bytes(4, "big") for element in elements)


def number_of(elements: Digest) -> int:
    """(5,) -> the number that is a key or a record in the contract."""
    return int.from_bytes(packed(elements, 5), "big")


def unpacked(digest: bytes) -> Digest:
    """(8,): inverse of `packed`."""
    return unpack(">8I", digest)
