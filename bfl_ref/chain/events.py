"""What the contracts tell: one frozen dataclass for every event, its fields as in contracts/src/interfaces.

A (cid, digest, codec) that an event carries is one `Content` here. Addresses are checksummed.
"""

from dataclasses import dataclass
from typing import Any

from ..governance.reputation import ReputationParameters
from ..governance.rewards import RewardParameters
from ..governance.selection import SelectionParameters
from ..governance.validators import ValidatorParameters
from .records import (
    AbortReason,
    Content,
    Phase,
    Role,
    RoundParameters,
    SharingParameters,
    TrainingParameters,
    from_names,
)


@dataclass(frozen=True)
class Event:
    """Where an event stands: block, position among the block's logs, transaction hash (0x...), emitting contract."""

    block: int
    log_index: int
    transaction: str
    emitter: str


@dataclass(frozen=True)
class MemberAdmitted(Event):
    member: str
    roles: Role
    version: int


@dataclass(frozen=True)
class MemberRemoved(Event):
    member: str
    roles: Role
    version: int


@dataclass(frozen=True)
class RolesChanged(Event):
    member: str
    previous_roles: Role
    roles: Role
    version: int


@dataclass(frozen=True)
class ConsortiumSealed(Event):
    deployer: str


@dataclass(frozen=True)
class VotingPeriodSet(Event):
    blocks: int


@dataclass(frozen=True)
class DelaySet(Event):
    blocks: int


@dataclass(frozen=True)
class PausedSet(Event):
    paused: bool


@dataclass(frozen=True)
class CallProposed(Event):
    proposal_id: int
    proposer: str
    target: str
    data: bytes
    deadline: int


@dataclass(frozen=True)
class VoteCast(Event):
    proposal_id: int
    member: str


@dataclass(frozen=True)
class ProposalQueued(Event):
    proposal_id: int
    member: str
    ready_block: int
    deadline: int


@dataclass(frozen=True)
class ProposalExecuted(Event):
    proposal_id: int
    executor: str


@dataclass(frozen=True)
class RoleGranted(Event):
    role: bytes
    account: str
    sender: str


@dataclass(frozen=True)
class RoleRevoked(Event):
    role: bytes
    account: str
    sender: str


@dataclass(frozen=True)
class Transfer(Event):
    from_: str
    to: str
    value: int


@dataclass(frozen=True)
class Approval(Event):
    owner: str
    spender: str
    value: int


@dataclass(frozen=True)
class StakeLocked(Event):
    member: str
    amount: int
    active: int


@dataclass(frozen=True)
class UnlockRequested(Event):
    member: str
    amount: int
    unlocking: int
    unlock_block: int


@dataclass(frozen=True)
class StakeWithdrawn(Event):
    member: str
    amount: int


@dataclass(frozen=True)
class StakeSlashed(Event):
    member: str
    slasher: str
    amount: int
    asked: int
    reason: bytes


@dataclass(frozen=True)
class StakesFrozen(Event):
    freezer: str
    members: tuple


@dataclass(frozen=True)
class StakesReleased(Event):
    freezer: str
    members: tuple


@dataclass(frozen=True)
class TreasurySpent(Event):
    to: str
    amount: int


@dataclass(frozen=True)
class UnlockDelaySet(Event):
    blocks: int


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


EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}


def from_log(decoded: Any) -> Event:
    """A dataclass above from what web3 decoded (`contract.events.X().process_log(log)`)."""
    kind = EVENTS[decoded["event"]]
    return kind(
        block=decoded["blockNumber"],
        log_index=decoded["logIndex"],
        transaction=decoded["transactionHash"].to_0x_hex(),
        emitter=decoded["address"],
        **from_names(kind, decoded["args"]),
    )
