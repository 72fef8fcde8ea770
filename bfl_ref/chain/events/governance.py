"""Reputation, lottery, validators, scores, rewards, settlement."""

from dataclasses import dataclass

from ...governance.reputation import ReputationParameters
from ...governance.rewards import RewardParameters
from ...governance.selection import SelectionParameters
from ...governance.validators import ValidatorParameters
from ..records import Phase
from .event import Event


@dataclass(frozen=True)
class EvidenceRecorded(Event):
    round_id: int
    member: str
    positive: int
    negative: int
    r: int
    s: int


@dataclass(frozen=True)
class SelectionNoted(Event):
    round_id: int
    selected: tuple


@dataclass(frozen=True)
class ReputationSet(Event):
    parameters: ReputationParameters


@dataclass(frozen=True)
class LotteryDrawn(Event):
    round_id: int
    seed: bytes
    eligible: tuple
    weights: tuple
    selected: tuple


@dataclass(frozen=True)
class SelectionSet(Event):
    parameters: SelectionParameters


@dataclass(frozen=True)
class TypicalBucketSet(Event):
    bucket: int


@dataclass(frozen=True)
class CommitteeDrawn(Event):
    round_id: int
    seed: bytes
    pool: tuple
    committee: tuple


@dataclass(frozen=True)
class OperatorSet(Event):
    member: str
    operator: str


@dataclass(frozen=True)
class Equivocated(Event):
    round_id: int
    validator: str
    reporter: str
    first: bytes
    second: bytes


@dataclass(frozen=True)
class ValidatorsSet(Event):
    parameters: ValidatorParameters


@dataclass(frozen=True)
class ScoresCommitted(Event):
    round_id: int
    validator: str
    commitment: bytes


@dataclass(frozen=True)
class ScoresRevealed(Event):
    round_id: int
    validator: str
    scores: tuple


@dataclass(frozen=True)
class Funded(Event):
    from_: str
    amount: int


@dataclass(frozen=True)
class RewardCredited(Event):
    round_id: int
    member: str
    amount: int


@dataclass(frozen=True)
class RewardsCredited(Event):
    round_id: int
    to_hospitals: int
    to_services: int
    pot: int


@dataclass(frozen=True)
class RewardClaimed(Event):
    member: str
    amount: int


@dataclass(frozen=True)
class RewardParametersSet(Event):
    parameters: RewardParameters


@dataclass(frozen=True)
class RoundSettled(Event):
    round_id: int
    last: Phase
    medians: tuple
