"""What the contracts speak of, as plain values: the structs and enums of contracts/src/interfaces, field by field."""

import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, is_dataclass
from enum import IntEnum, IntFlag
from typing import Any

from ..store import cid_from_parts, cid_parts


class Role(IntFlag):
    """Roles of a member, a bit mask. Who holds AUDITOR alone reads, and does not vote."""

    HOSPITAL = 1
    AGGREGATOR = 2
    VALIDATOR = 4
    AUDITOR = 8


class Phase(IntEnum):
    """Phases of a round in their order, and its two outcomes. IDLE: not opened."""

    IDLE = 0
    SELECT = 1
    TRAIN = 2
    COMMIT = 3
    DRAW = 4
    PROVE = 5
    SHARE = 6
    AGGREGATE = 7
    FINALISE = 8
    SETTLE = 9
    FINALISED = 10
    ABORTED = 11


class AbortReason(IntEnum):
    """Why a round was aborted."""

    TOO_FEW_HOSPITALS = 0
    TOO_FEW_COMMITMENTS = 1
    NO_CANDIDATE = 2
    NO_QUORUM = 3
    NO_BEACON = 4
    TOO_FEW_SURVIVORS = 5
    NO_SUM = 6


class Stage(IntEnum):
    """Where one of a round's two beacon values stands. NONE: not asked for yet."""

    NONE = 0
    COMMIT = 1
    REVEAL = 2
    REBUILD = 3
    CLOSED = 4


class SecretState(IntEnum):
    """What is known of a beacon secret. FALSE: its shares fit no committed secret. LOST: neither revealed nor rebuilt."""

    NONE = 0
    DEALT = 1
    REVEALED = 2
    REBUILT = 3
    FALSE = 4
    LOST = 5


class ConsentState(IntEnum):
    NONE = 0
    GRANTED = 1
    WITHDRAWN = 2


class Denial(IntEnum):
    """Why access is denied; of several reasons the first."""

    NONE = 0
    NOT_GRANTED = 1
    WITHDRAWN = 2
    ERASED = 3
    WRONG_GRANTEE = 4
    WRONG_PURPOSE = 5
    NOT_YET_VALID = 6
    EXPIRED = 7
    STATUS_UNPROVEN = 8
    REVOKED = 9


@dataclass(frozen=True)
class Content:
    """A file kept off chain. cid: where it is. digest: 32 bytes, the protocol's own digest of what it holds."""

    cid: str
    digest: bytes

    def to_abi(self) -> tuple[bytes, bytes, int]:
        """(sha-256 inside the CID, digest, codec). ValueError for a CID that is not ours or a digest of another length."""
        if len(self.digest) != 32:
            raise ValueError(f"expected a digest of 32 bytes, got {len(self.digest)}")
        sha256, codec = cid_parts(self.cid)
        return sha256, self.digest, codec


@dataclass(frozen=True)
class Member:
    """roles: zero if it is no member. position: 1 + index in `members`. version: membership version of its last change."""

    roles: Role
    position: int
    version: int


@dataclass(frozen=True)
class Proposal:
    """A call that the consortium makes once its members want it.

    deadline: last block to vote and to queue it, once queued to execute it.  ready_block: first block to execute it; 0: not
    queued.
    """

    target: str
    deadline: int
    ready_block: int
    executed: bool
    data: bytes


@dataclass(frozen=True)
class Stake:
    """A member's stake in the token's smallest unit. unlock_block: first block in which `unlocking` can be withdrawn."""

    active: int
    unlocking: int
    unlock_block: int
    freezes: int


@dataclass(frozen=True)
class Model:
    """A version of the global model, the round that made it (0: genesis) and the block in which it came in force."""

    content: Content
    round_id: int
    block_number: int


@dataclass(frozen=True)
class RoundParameters:
    """min_stake: active stake that a hospital needs, smallest unit. min_hospitals: how many a round needs.

    verified: whether training is committed to step by step and audited.  shared: whether updates are shared among a
    committee and never opened, which only verified rounds can be.
    """

    min_stake: int
    min_hospitals: int
    verified: bool = False
    shared: bool = False

    def to_abi(self) -> tuple[int, int, bool, bool]:
        return self.min_stake, self.min_hospitals, self.verified, self.shared


@dataclass(frozen=True)
class TrainingParameters:
    """How hospitals of a verified round train and are audited.

    halves: of a row, 1 or 2.  epochs: 1..64.  rate: learning rate * 256, 1..65535.  clip: clip norm * 8, 1..32.  noise:
    0 (none)..4000.  audit_rate: steps audited, per 10,000.  penalty: slashed for an unproven audit; audit_fee: its share for
    who closes the audits; beacon_penalty: slashed for a beacon secret kept back; all three in the token's smallest unit.
    """

    halves: int = 1
    epochs: int = 1
    rate: int = 256
    clip: int = 8
    noise: int = 0
    audit_rate: int = 1000
    penalty: int = 0
    audit_fee: int = 0
    beacon_penalty: int = 0

    def to_abi(self) -> tuple[int, ...]:
        return astuple(self)


@dataclass(frozen=True)
class SharingParameters:
    """How updates of a shared round are shared.

    aggregators: seats m, 2..16.  threshold: shares t that give an update, 2..m.  max_bucket: highest norm bucket, 0..10; an
    update stays below 2^max_bucket units of 2^-6.  penalty: slashed for a sum that was not proven in time, and the stake
    that a seat needs, in the token's smallest unit.
    """

    aggregators: int = 5
    threshold: int = 3
    max_bucket: int = 7
    penalty: int = 0

    def to_abi(self) -> tuple[int, ...]:
        return astuple(self)


@dataclass(frozen=True)
class Release:
    """What a hospital commits to and proves of its shares.  digests: 32 bytes for each seat's share.  bucket: the least b
    with squared norm of the update below 4^b, in units of 2^-6.
    """

    digests: tuple[bytes, ...]
    bucket: int
    proof: bytes

    def to_abi(self) -> tuple[list[bytes], int, bytes]:
        return list(self.digests), self.bucket, self.proof


@dataclass(frozen=True)
class Dealing:
    """One beacon secret of one validator. secret: once known. posted: bit i, the share of validator i was posted."""

    commitment: bytes
    share_hashes: bytes
    secret: int
    posted: int
    shares: int
    state: SecretState


@dataclass(frozen=True)
class StateCommitment:
    """A hospital's training in a round: root over its steps + 1 states, audits without a proof, whether it is excluded, and
    whether a proof of its was accepted.
    """

    root: bytes
    steps: int
    outstanding: int
    excluded: bool
    proven: bool


@dataclass(frozen=True)
class Audit:
    """A drawn step of a hospital, from state `step` to state `step + 1`, and whether its proof was accepted."""

    hospital: str
    step: int
    passed: bool


@dataclass(frozen=True)
class PrivacyAccount:
    """A hospital's privacy budget. budget, spent: epsilon in millionths.  delta: units of 1e-18.  round_id: last posting."""

    budget: int
    delta: int
    spent: int
    round_id: int


@dataclass(frozen=True)
class Round:
    """A round as frozen at its opening (down to the counts of its voters, and the task) and as counted since."""

    min_stake: int
    min_hospitals: int
    verified: bool
    shared: bool
    members_version: int
    model_version: int
    aggregators: int
    validators: int
    selected: int
    committed: int
    excluded: int
    submitted: int
    voted: int
    leading: int
    task: Content


@dataclass(frozen=True)
class Participation:
    """What a member did in a round. commitment: zeros if none; cid, codec: of its update, as the contract keeps them.

    voted_for: number of a candidate, 0: it did not vote.
    """

    commitment: bytes
    cid: bytes
    codec: int
    rows: int
    selected: bool
    submitted: bool
    voted_for: int


def from_abi(kind: Any, value: Any) -> Any:
    """A decoded ABI value as `kind`: a record above (by the names of the struct's fields), an enum, a tuple, or as it is."""
    if is_dataclass(kind):
        names = value if isinstance(value, Mapping) else value._asdict()
        if kind is Content:
            return Content(cid_from_parts(names["cid"], names["codec"]), names["digest"])
        return kind(**from_names(kind, names))  # type: ignore[operator]
    if isinstance(kind, type) and issubclass(kind, IntEnum | IntFlag):
        return kind(value)
    return tuple(value) if kind is tuple else value


def from_names(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a record or event declares itself, out of ABI values by their Solidity names.

    A file stands packed in events and storage: `taskCid`, `taskDigest`, `taskCodec` are the field `task`; `cid`, `digest`,
    `codec` are `content`. ValueError if names of the two sides do not match.
    """
    left = {snake(name): value for name, value in values.items()}
    found = {}
    for name, annotation in kind.__annotations__.items():
        if annotation is Content and name not in left:
            prefix = "" if name == "content" else f"{name}_"
            left[name] = {part: left.pop(prefix + part) for part in ("cid", "digest", "codec")}
        found[name] = from_abi(annotation, left.pop(name.rstrip("_")))
    if left:
        raise ValueError(f"expected the fields of {kind.__name__}, got {sorted(left)} besides")
    return found


def snake(name: str) -> str:
    """blockNumber -> block_number, blocks_ -> blocks."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().strip("_")
