"""Consent: identifiers, credentials with an EIP-712 signature, status lists, FHIR, and the contract that decides."""

from .credentials import RejectedCredential, sign, verify
from .fhir import from_fhir, to_fhir
from .identity import Rotation, account_did, address_of, current, ethr_did, key_did, resolve, rotate
from .posted import Signed, agreed, fetch_consents, path_of, post_consents
from .publishing import fetch, publish
from .registry import ConsentRegistry
from .status_list import StatusList, StatusProof, free_index
from .terms import Domain, Purpose, Terms, consent_id, consent_message, resource_of, withdrawal_message

__all__ = [
    "ConsentRegistry",
    "Domain",
    "Purpose",
    "RejectedCredential",
    "Rotation",
    "Signed",
    "StatusList",
    "StatusProof",
    "Terms",
    "account_did",
    "address_of",
    "agreed",
    "consent_id",
    "consent_message",
    "current",
    "ethr_did",
    "fetch",
    "fetch_consents",
    "free_index",
    "from_fhir",
    "key_did",
    "path_of",
    "post_consents",
    "publish",
    "resolve",
    "resource_of",
    "rotate",
    "sign",
    "to_fhir",
    "verify",
    "withdrawal_message",
]
