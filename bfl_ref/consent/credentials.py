"""A consent as a W3C Verifiable Credential 2.0 that its patient issues and its grantee shows.

    credential = the terms as JSON-LD + proof;   proofValue = the patient's EIP-712 signature over the terms

What is signed are the terms, not the JSON: the same signature serves the contract. So nothing may stand in the document
that the terms do not give: `verify` makes the document again from the terms it read and refuses any other. In W3C's words
the patient is the issuer and the grantee the holder; contract and terms call the patient the holder of the record's rights.

An account that is a contract (ERC-1271) has no signature that can be checked without its chain: `verify` refuses it, the
contract asks it. The proof type is this package's own; its context names are under bfl-ref.invalid, which resolves nowhere.
"""

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from jsonschema import Draft202012Validator

from ..store import canonical_json
from .identity import account_did, address_of
from .status_list import StatusList
from .terms import CONSENT_TYPE, Domain, Purpose, Terms, consent_id, consent_message

VOCABULARY = "https://bfl-ref.invalid/consent/1"
_SCHEMA_FILE = Path(__file__).with_name("credential.schema.json")
_SECOND = "%Y-%m-%dT%H:%M:%SZ"
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_CONTEXT = [
    "https://www.w3.org/ns/credentials/v2",
    {
        name: f"{VOCABULARY}#{name}"
        for name in (
            "ConsentCredential",
            "ConsentEip712Signature",
            "custodian",
            "eip712",
            "purpose",
            "resource",
        )
    }
    | {"salt": f"{VOCABULARY}#salt"},
]


class RejectedCredential(Exception):
    """Base of every reason to refuse a credential. expected, got: where two values differ."""

    def __init__(self, expected: object = None, got: object = None) -> None:
        super().__init__(f"expected {expected}, got {got}")
        self.expected, self.got = expected, got


class MalformedCredential(RejectedCredential):
    """Not the document that any terms give: shape, spelling, or something that nobody signed."""


class OtherChain(RejectedCredential):
    """Signed for another chain."""


class OtherContract(RejectedCredential):
    """Signed for another contract."""


class NotSignedByHolder(RejectedCredential):
    """The signature is not the patient's over these terms. got: whose it is, if anybody's."""


class NotYetValid(RejectedCredential):
    """expected: first second in which it holds; got: now."""


class Expired(RejectedCredential):
    """expected: first second in which it holds no longer; got: now."""


class WrongGrantee(RejectedCredential):
    """For another than who asks."""


class WrongPurpose(RejectedCredential):
    """For another purpose than is asked for."""


class WrongResource(RejectedCredential):
    """About another record."""


class Revoked(RejectedCredential):
    """Its bit in the custodian's status list is set."""


def sign(terms: Terms, domain: Domain, patient: LocalAccount) -> dict[str, Any]:
    """The credential. ValueError if the terms are another patient's."""
    if patient.address != terms.holder:
        raise ValueError(f"expected the key of {terms.holder}, got that of {patient.address}")
    return document(terms, domain, bytes(patient.sign_message(consent_message(terms, domain)).signature))


def document(terms: Terms, domain: Domain, signature: bytes) -> dict[str, Any]:
    """The one credential that these terms and this signature (65 bytes r | s | v) give."""
    holder, grantee, custodian = (
        account_did(each, domain.chain_id) for each in (terms.holder, terms.grantee, terms.custodian)
    )
    return {
        "@context": _CONTEXT,
        "id": f"urn:bfl-ref:consent:0x{consent_id(terms, domain).hex()}",
        "type": ["VerifiableCredential", "ConsentCredential"],
        "issuer": holder,
        "validFrom": rfc3339(terms.valid_from_s),
        "validUntil": rfc3339(terms.valid_until_s),
        "credentialSubject": {
            "id": grantee,
            "custodian": custodian,
            "resource": f"0x{terms.resource.hex()}",
            "purpose": str(terms.purpose),
            "salt": f"0x{terms.salt.hex()}",
        },
        "credentialStatus": {
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(terms.status_index),
            "statusListCredential": f"{custodian}/status-list",
        },
        "credentialSchema": {"id": f"{VOCABULARY}/credential.schema.json", "type": "JsonSchema"},
        "proof": {
            "type": "ConsentEip712Signature",
            "proofPurpose": "assertionMethod",
            "verificationMethod": f"{holder}#blockchainAccountId",
            "eip712": {"domain": domain.to_eip712(), "primaryType": "Consent", "types": CONSENT_TYPE},
            "proofValue": f"0x{signature.hex()}",
        },
    }


def read(credential: Any) -> tuple[Terms, Domain, bytes]:
    """(terms, domain, signature) of a credential's JSON, nothing of it verified but the form. MalformedCredential."""
    problem = next(_validator().iter_errors(credential), None)
    if problem is not None:
        raise MalformedCredential(
            f"a {problem.validator} of the schema at {problem.json_path}", problem.message[:200]
        )
    subject, proof = credential["credentialSubject"], credential["proof"]
    said = proof["eip712"]["domain"]
    try:
        domain = Domain(said["chainId"], said["verifyingContract"])
        terms = Terms(
            holder=address_of(credential["issuer"]),
            grantee=address_of(subject["id"]),
            custodian=address_of(subject["custodian"]),
            resource=bytes.fromhex(subject["resource"][2:]),
            purpose=Purpose(subject["purpose"]),
            valid_from_s=seconds(credential["validFrom"]),
            valid_until_s=seconds(credential["validUntil"]),
            status_index=int(credential["credentialStatus"]["statusListIndex"]),
            salt=bytes.fromhex(subject["salt"][2:]),
        )
    except ValueError as error:
        raise MalformedCredential("terms that make sense", error) from None
    return terms, domain, bytes.fromhex(proof["proofValue"][2:])


def verify(
    credential: Any,
    domain: Domain,
    now_s: int,
    *,
    grantee: str | None = None,
    purpose: Purpose | None = None,
    resource: bytes | None = None,
    status: StatusList | None = None,
) -> Terms:
    """The terms, or the first reason against them as a RejectedCredential.

    domain: where it is to count.   grantee (address), purpose, resource: what is asked for; None: not checked here.
    status: the custodian's list in force; None: not checked here. What the chain alone knows (withdrawal, erasure) is not
    checked here: the contract's answer counts.
    """
    terms, signed_for, signature = read(credential)
    for kind, expected, got in (
        (OtherChain, domain.chain_id, signed_for.chain_id),
        (OtherContract, domain.contract, signed_for.contract),
    ):
        if expected != got:
            raise kind(expected, got)
    verify_signature(terms, domain, signature)
    if canonical_json(document(terms, domain, signature)) != canonical_json(credential):
        raise MalformedCredential("the document that the signed terms give", "another")
    verify_terms(terms, now_s, grantee=grantee, purpose=purpose, resource=resource, status=status)
    return terms


def verify_signature(terms: Terms, domain: Domain, signature: bytes) -> None:
    """NotSignedByHolder unless the patient signed these terms for this domain."""
    signer = _signer(terms, domain, signature)
    if signer != terms.holder:
        raise NotSignedByHolder(terms.holder, signer)


def verify_terms(
    terms: Terms,
    now_s: int,
    *,
    grantee: str | None = None,
    purpose: Purpose | None = None,
    resource: bytes | None = None,
    status: StatusList | None = None,
) -> None:
    """The first reason against terms that are signed: time, grantee, purpose, resource, status, as for `verify`."""
    if now_s < terms.valid_from_s:
        raise NotYetValid(terms.valid_from_s, now_s)
    if now_s >= terms.valid_until_s:
        raise Expired(terms.valid_until_s, now_s)
    for refusal, wanted, said in (
        (WrongGrantee, grantee, terms.grantee),
        (WrongPurpose, purpose, terms.purpose),
        (WrongResource, resource, terms.resource),
    ):
        if wanted is not None and wanted != said:
            raise refusal(said, wanted)
    if status is not None and status.is_revoked(terms.status_index):
        raise Revoked("an unset bit", f"bit {terms.status_index} set")


def rfc3339(time_s: int) -> str:
    """Unix seconds as YYYY-MM-DDThh:mm:ssZ."""
    return datetime.fromtimestamp(time_s, UTC).strftime(_SECOND).zfill(20)


def seconds(text: str) -> int:
    """Inverse of `rfc3339`; ValueError for any other text."""
    return int(datetime.strptime(text, _SECOND).replace(tzinfo=UTC).timestamp())


def _signer(terms: Terms, domain: Domain, signature: bytes) -> str | None:
    """Whose signature it is, in the one form that the contract takes: s in the lower half, v 27 or 28."""
    if int.from_bytes(signature[32:64]) > _HALF_ORDER or signature[64] not in (27, 28):
        return None
    try:
        return Account.recover_message(consent_message(terms, domain), signature=signature)
    except Exception:  # eth-keys raises kinds of its own for bytes that are no signature
        return None


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(_SCHEMA_FILE.read_text()))
