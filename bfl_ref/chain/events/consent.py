"""Consent: granted, withdrawn, asked for, posted by the thousand; records enrolled and erased."""

from dataclasses import dataclass

from ..records import Content, Denial
from .event import Event


@dataclass(frozen=True)
class ConsentGranted(Event):
    consent_id: bytes
    holder: str
    grantee: str
    custodian: str
    resource: bytes
    purpose: str
    valid_from: int
    valid_until: int
    status_index: int


@dataclass(frozen=True)
class ConsentWithdrawn(Event):
    consent_id: bytes
    holder: str


@dataclass(frozen=True)
class AccessAllowed(Event):
    request_id: int
    consent_id: bytes
    grantee: str
    custodian: str
    resource: bytes
    purpose: str
    recipient: bytes


@dataclass(frozen=True)
class AccessDenied(Event):
    request_id: int
    consent_id: bytes
    caller: str
    purpose: str
    reason: Denial


@dataclass(frozen=True)
class StatusListPosted(Event):
    """status: the list's file; its digest is the Merkle root."""

    custodian: str
    version: int
    status: Content


@dataclass(frozen=True)
class ConsentsPosted(Event):
    """consents: the file of all consents that the custodian trains under; its digest is the root over their ids."""

    custodian: str
    version: int
    consents: Content


@dataclass(frozen=True)
class RecordEnrolled(Event):
    custodian: str
    resource: bytes
    holder: str


@dataclass(frozen=True)
class RecordErased(Event):
    custodian: str
    resource: bytes
