"""Members, their votes and powers, tokens and stakes."""

from dataclasses import dataclass

from ..records import Role
from .event import Event


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
