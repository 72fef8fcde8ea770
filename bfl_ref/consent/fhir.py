"""A consent as the HL7 FHIR R4 resource `Consent`, and back without loss.

    terms                         Consent
    holder                        patient, performer (by identifier: its DID)
    custodian                     organization
    grantee                       provision.actor, role IRCP
    purpose                       provision.purpose (v3-ActReason)
    resource                      provision.data, an identifier
    from, until                   provision.period; FHIR's end is the last second, ours the first after it
    status index, salt, domain    extensions (FHIR has no place for them)

The whole credential travels as `sourceAttachment`, so that a FHIR server keeps the proof too; `from_fhir` reads the
elements and refuses a resource whose attachment says something else. Source: FHIR R4 (4.0.1), Consent.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from ..store import canonical_json, parse_json
from .credentials import MalformedCredential, document, read, rfc3339, seconds
from .identity import account_did, address_of
from .terms import Domain, Purpose, Terms, consent_id

_EXTENSION = "https://bfl-ref.invalid/fhir/StructureDefinition/"
_SYSTEM = "http://terminology.hl7.org/CodeSystem/"
_RESOURCE = "urn:bfl-ref:resource"
_URI = "urn:ietf:rfc:3986"
_SCOPES = {Purpose.TREAT: "treatment", Purpose.ETREAT: "treatment"} | dict.fromkeys(
    (Purpose.HRESCH, Purpose.BIORCH, Purpose.CLINTRCH), "research"
)


class MalformedConsent(ValueError):
    """A FHIR resource that no terms give. why."""

    def __init__(self, why: object) -> None:
        super().__init__(f"no Consent of this profile: {why}")
        self.why = why


def to_fhir(credential: Mapping[str, Any], status: str = "active") -> dict[str, Any]:
    """The FHIR resource of a credential, which is read and not verified. MalformedCredential.

    status: active, or inactive once withdrawn.
    """
    if status not in ("active", "inactive"):
        raise ValueError(f"expected status active or inactive, got {status!r}")
    terms, domain, _ = read(credential)
    patient, grantee, custodian = (
        {"identifier": {"system": _URI, "value": account_did(each, domain.chain_id)}}
        for each in (terms.holder, terms.grantee, terms.custodian)
    )
    record = {"identifier": {"system": _RESOURCE, "value": terms.resource.hex()}}
    return {
        "resourceType": "Consent",
        "id": consent_id(terms, domain).hex(),
        "extension": [
            {"url": f"{_EXTENSION}status-list-index", "valueUnsignedInt": terms.status_index},
            {"url": f"{_EXTENSION}salt", "valueString": terms.salt.hex()},
            {"url": f"{_EXTENSION}chain-id", "valueString": str(domain.chain_id)},
            {"url": f"{_EXTENSION}contract", "valueString": domain.contract},
        ],
        "status": status,
        "scope": _concept("consentscope", _SCOPES.get(terms.purpose, "patient-privacy")),
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": patient,
        "performer": [patient],
        "organization": [custodian],
        "sourceAttachment": {
            "contentType": "application/vc",
            "data": base64.b64encode(canonical_json(dict(credential))).decode(),
        },
        "policyRule": _concept("v3-ActCode", "OPTIN"),
        "provision": {
            "type": "permit",
            "period": {"start": rfc3339(terms.valid_from_s), "end": rfc3339(terms.valid_until_s - 1)},
            "actor": [{"role": _concept("v3-ParticipationType", "IRCP"), "reference": grantee}],
            "purpose": [{"system": f"{_SYSTEM}v3-ActReason", "code": str(terms.purpose)}],
            "data": [{"meaning": "instance", "reference": record}],
        },
    }


def from_fhir(consent: Mapping[str, Any]) -> tuple[Terms, Domain, dict[str, Any]]:
    """(terms and domain from the elements, the attached credential). MalformedConsent, also if the two differ.

    The credential is not verified: `credentials.verify` does that.
    """
    try:
        extensions = {one["url"].removeprefix(_EXTENSION): one for one in consent["extension"]}
        provision = consent["provision"]
        (actor,), (purpose,), (data,) = (provision[name] for name in ("actor", "purpose", "data"))
        (organization,) = consent["organization"]
        domain = Domain(int(extensions["chain-id"]["valueString"]), extensions["contract"]["valueString"])
        terms = Terms(
            holder=address_of(consent["patient"]["identifier"]["value"]),
            grantee=address_of(actor["reference"]["identifier"]["value"]),
            custodian=address_of(organization["identifier"]["value"]),
            resource=bytes.fromhex(data["reference"]["identifier"]["value"]),
            purpose=Purpose(purpose["code"]),
            valid_from_s=seconds(provision["period"]["start"]),
            valid_until_s=seconds(provision["period"]["end"]) + 1,
            status_index=extensions["status-list-index"]["valueUnsignedInt"],
            salt=bytes.fromhex(extensions["salt"]["valueString"]),
        )
        credential = parse_json(base64.b64decode(consent["sourceAttachment"]["data"], validate=True))
        _, _, signature = read(credential)
        again = to_fhir(document(terms, domain, signature), consent["status"])
    except (KeyError, TypeError, AttributeError, ValueError, MalformedCredential, binascii.Error) as error:
        raise MalformedConsent(f"{type(error).__name__}: {error}") from None
    if again != consent:
        differ = sorted(key for key in {*again, *consent} if again.get(key) != consent.get(key))
        raise MalformedConsent(f"other than its terms give: {', '.join(differ)}")
    return terms, domain, credential


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{_SYSTEM}{system}", "code": code}]}
