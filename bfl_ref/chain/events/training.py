"""Verified training: registered data, the beacon, audits."""

from dataclasses import dataclass

from ..records import Content, TrainingParameters
from .event import Event


@dataclass(frozen=True)
class DataRegistered(Event):
    hospital: str
    rows: int
    seed_commitment: bytes
    segments: tuple
    leaves: Content


@dataclass(frozen=True)
class RowsLeft(Event):
    hospital: str
    before: int
    rows: int
    segments: tuple
    leaves: Content


@dataclass(frozen=True)
class KeyPublished(Event):
    validator: str
    key: bytes


@dataclass(frozen=True)
class BeaconStarted(Event):
    round_id: int
    validators: tuple
    keys: tuple
    threshold: int
    commit_until: int
    reveal_until: int
    penalty: int


@dataclass(frozen=True)
class SecretsCommitted(Event):
    round_id: int
    validator: str
    commitments: tuple
    share_hashes: tuple
    sealed: bytes


@dataclass(frozen=True)
class SecondAsked(Event):
    round_id: int
    reveal_until: int


@dataclass(frozen=True)
class SecretRevealed(Event):
    round_id: int
    which: int
    validator: str
    secret: int


@dataclass(frozen=True)
class SharePosted(Event):
    round_id: int
    which: int
    dealer: str
    index: int
    share: int


@dataclass(frozen=True)
class SecretRebuilt(Event):
    round_id: int
    which: int
    dealer: str
    secret: int


@dataclass(frozen=True)
class FalselyDealt(Event):
    round_id: int
    which: int
    dealer: str


@dataclass(frozen=True)
class SecretLost(Event):
    round_id: int
    which: int
    dealer: str


@dataclass(frozen=True)
class BeaconFixed(Event):
    round_id: int
    which: int
    value: bytes
    secrets: tuple


@dataclass(frozen=True)
class BeaconFailed(Event):
    round_id: int
    which: int
    secrets: int
    threshold: int


@dataclass(frozen=True)
class TrainingSet(Event):
    parameters: TrainingParameters


@dataclass(frozen=True)
class AuditsBegun(Event):
    round_id: int
    parameters: TrainingParameters
    start: bytes
    data_version: int


@dataclass(frozen=True)
class StatesCommitted(Event):
    round_id: int
    hospital: str
    root: bytes
    states: tuple


@dataclass(frozen=True)
class AuditDrawn(Event):
    round_id: int
    audit_id: int
    hospital: str
    step: int


@dataclass(frozen=True)
class AuditsDrawn(Event):
    round_id: int
    seed: bytes
    steps: int
    audits: int
    until: int


@dataclass(frozen=True)
class AuditPassed(Event):
    round_id: int
    audit_id: int
    hospital: str
    step: int


@dataclass(frozen=True)
class AuditFailed(Event):
    round_id: int
    audit_id: int
    hospital: str
    step: int


@dataclass(frozen=True)
class HospitalExcluded(Event):
    round_id: int
    hospital: str
