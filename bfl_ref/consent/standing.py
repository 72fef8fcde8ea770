"""Whether a consent holds for training: by its terms, its signature, and what the chain has said up to a block.

The same question is asked by a hospital before it registers rows and before it trains, and by an auditor afterwards.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..chain.events import ConsentWithdrawn, Event, RecordErased
from .credentials import RejectedCredential, verify_terms
from .posted import Signed
from .status_list import StatusList
from .terms import Purpose

TRAINING = Purpose.HRESCH
"""What training in the federation is."""


class Withdrawn(RejectedCredential):
    """Its patient took it back."""


class Erased(RejectedCredential):
    """The record's tombstone stands."""


class OtherCustodian(RejectedCredential):
    """Of another hospital's record."""


@dataclass(frozen=True)
class Standing:
    """What ended up to a block. withdrawn: consents' ids.   erased: (custodian, resource) of tombstones."""

    withdrawn: frozenset[bytes] = field(default_factory=frozenset)
    erased: frozenset[tuple[str, bytes]] = field(default_factory=frozenset)


def standing_of(events: Iterable[Event], last_block: int) -> Standing:
    """From the system's events up to and with a block."""
    said = [event for event in events if event.block <= last_block]
    return Standing(
        frozenset(e.consent_id for e in said if isinstance(e, ConsentWithdrawn)),
        frozenset((e.custodian, e.resource) for e in said if isinstance(e, RecordErased)),
    )


def objection(
    signed: Signed, consent_id: bytes, hospital: str, now_s: int, status: StatusList, standing: Standing
) -> RejectedCredential | None:
    """Why `hospital` may not train under this consent on its own record; None: it may. The signature is not verified here.

    The grantee must be the hospital itself, which trains, and the purpose HRESCH.   status: the hospital's list in force.
    """
    terms = signed.terms
    if terms.custodian != hospital:
        return OtherCustodian(hospital, terms.custodian)
    if consent_id in standing.withdrawn:
        return Withdrawn("a consent in force", f"0x{consent_id.hex()} withdrawn")
    if (hospital, terms.resource) in standing.erased:
        return Erased("a record that is kept", f"a tombstone for 0x{terms.resource.hex()}")
    try:
        verify_terms(terms, now_s, grantee=hospital, purpose=TRAINING, status=status)
    except RejectedCredential as reason:
        return reason
    return None
