"""The rollup: accounts, queue, batches, sequencers, and its end."""

from dataclasses import dataclass

from .event import Event


@dataclass(frozen=True)
class AccountOpened(Event):
    owner: str
    index: int


@dataclass(frozen=True)
class EntriesQueued(Event):
    number: int
    payer: str
    amount: int
    entries: bytes


@dataclass(frozen=True)
class BatchSettled(Event):
    number: int
    old_root: bytes
    new_root: bytes
    entries: int
    data_hash: bytes


@dataclass(frozen=True)
class UnitsClaimed(Event):
    owner: str
    amount: int


@dataclass(frozen=True)
class AccountEscaped(Event):
    index: int
    amount: int


@dataclass(frozen=True)
class DepositRefunded(Event):
    number: int
    payer: str
    amount: int


@dataclass(frozen=True)
class SequencerSeated(Event):
    sequencer: str
    seat: int
    from_turn: int


@dataclass(frozen=True)
class SequencerLeaving(Event):
    sequencer: str
    until_turn: int


@dataclass(frozen=True)
class BondPaid(Event):
    to: str
    amount: int


@dataclass(frozen=True)
class RollupAbandoned(Event):
    by: str
    culprit: str
    item: int
