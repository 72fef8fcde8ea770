"""Rounds: phases, hospitals, commitments, candidates, votes, models."""

from dataclasses import dataclass

from ..records import AbortReason, Content, Phase, RoundParameters
from .event import Event


@dataclass(frozen=True)
class ModelRegistered(Event):
    version: int
    round_id: int
    content: Content


@dataclass(frozen=True)
class PhaseAdvanced(Event):
    round_id: int
    from_: Phase
    to: Phase
    deadline: int


@dataclass(frozen=True)
class RoundAborted(Event):
    round_id: int
    phase: Phase
    reason: AbortReason


@dataclass(frozen=True)
class RoundFinalised(Event):
    round_id: int


@dataclass(frozen=True)
class RoundOpened(Event):
    round_id: int
    opener: str
    model_version: int
    model_digest: bytes
    task: Content
    parameters: RoundParameters
    durations: tuple
    members_version: int


@dataclass(frozen=True)
class HospitalSelected(Event):
    round_id: int
    hospital: str
    stake: int


@dataclass(frozen=True)
class UpdateCommitted(Event):
    round_id: int
    hospital: str
    content: Content
    rows: int
    commitment: bytes


@dataclass(frozen=True)
class HospitalDropped(Event):
    round_id: int
    hospital: str


@dataclass(frozen=True)
class CandidateSubmitted(Event):
    round_id: int
    aggregator: str
    content: Content


@dataclass(frozen=True)
class ModelVoted(Event):
    round_id: int
    validator: str
    digest: bytes
    votes: int


@dataclass(frozen=True)
class ParametersSet(Event):
    parameters: RoundParameters
