"""What the auditor of consents says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """what: its name: UnreadableFile, LeavesDoNotFit, LeafTwice, LeafEntered, HolderChanged, BitCleared, NoStatusList,
    NoConsent, or that of the reason against the row's consent (Withdrawn, Expired, ...).   resource: of the row (0x...).
    """

    what: str
    hospital: str
    round_id: int | None
    resource: str | None
    why: str


@dataclass(frozen=True)
class Checked:
    """A hospital's rows in a round: how many leaves it had registered, and how many of them were under consent."""

    round_id: int
    hospital: str
    leaves: int
    consented: int


@dataclass(frozen=True)
class Departure:
    """A withdrawal of a posted consent. last_round: the last one that its leaf was in; next_round: the hospital's first one
    that was opened after the withdrawal, where the leaf is not. None: there was none.
    """

    consent_id: str
    resource: str
    hospital: str
    block: int
    last_round: int | None
    next_round: int | None


@dataclass(frozen=True)
class ConsentReport:
    """findings: empty if all is well."""

    checked: tuple[Checked, ...]
    departures: tuple[Departure, ...]
    findings: tuple[Finding, ...]
