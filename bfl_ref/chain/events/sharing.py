"""Shared updates: seats, shares, complaints, sums; and what privacy was spent."""

from dataclasses import dataclass

from ..records import SharingParameters
from .event import Event


@dataclass(frozen=True)
class SharingSet(Event):
    parameters: SharingParameters
    release_verifiers: tuple
    sum_verifiers: tuple


@dataclass(frozen=True)
class SeatsFixed(Event):
    round_id: int
    seats: tuple
    threshold: int
    max_bucket: int


@dataclass(frozen=True)
class RowsWeighed(Event):
    round_id: int
    total_rows: int


@dataclass(frozen=True)
class SharesCommitted(Event):
    round_id: int
    hospital: str
    digests: tuple
    weight: int
    bucket: int


@dataclass(frozen=True)
class SharesAsked(Event):
    round_id: int
    complain_until: int
    until: int


@dataclass(frozen=True)
class Complained(Event):
    round_id: int
    hospital: str
    seat: int


@dataclass(frozen=True)
class HospitalLeftOut(Event):
    round_id: int
    hospital: str
    complaints: int


@dataclass(frozen=True)
class ShareShown(Event):
    round_id: int
    hospital: str
    seat: int
    elements: tuple


@dataclass(frozen=True)
class SharesConfirmed(Event):
    round_id: int
    seat: int


@dataclass(frozen=True)
class SurvivorsFixed(Event):
    round_id: int
    survivors: tuple
    groups: tuple
    weights: tuple
    sum_until: int
    until: int


@dataclass(frozen=True)
class SumSubmitted(Event):
    round_id: int
    group: int
    seat: int
    sum: bytes


@dataclass(frozen=True)
class SumDecoded(Event):
    round_id: int
    group: int
    total: bytes


@dataclass(frozen=True)
class AggregatorFailed(Event):
    round_id: int
    aggregator: str
    offence: bytes


@dataclass(frozen=True)
class BudgetFixed(Event):
    hospital: str
    budget: int
    delta: int


@dataclass(frozen=True)
class PrivacySpent(Event):
    round_id: int
    hospital: str
    spent: int
    budget: int
