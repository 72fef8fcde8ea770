"""FHIR: valid by HL7's own schema, and every term comes back."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from consent_cases import DOMAIN, PATIENT, TERMS
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft6Validator

from bfl_ref.consent import Purpose, from_fhir, sign, to_fhir
from bfl_ref.consent.credentials import MalformedCredential
from bfl_ref.consent.fhir import MalformedConsent
from bfl_ref.consent.terms import LAST_SECOND, STATUS_ENTRIES

SCHEMA = json.loads((Path(__file__).parent / "vectors/fhir/consent.schema.json").read_text())
CREDENTIAL = sign(TERMS, DOMAIN, PATIENT)
CONSENT = to_fhir(CREDENTIAL)


def problems(consent) -> list[str]:
    return [error.message for error in Draft6Validator(SCHEMA).iter_errors(consent)]


@given(
    st.sampled_from(list(Purpose)),
    st.integers(0, LAST_SECOND - 1),
    st.integers(1, LAST_SECOND),
    st.integers(0, STATUS_ENTRIES - 1),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**64),
)
@settings(max_examples=25, deadline=None)
def test_every_term_comes_back_from_a_valid_resource(purpose, start, length, index, salt, chain_id):
    until = min(start + length, LAST_SECOND)
    made = replace(
        TERMS, purpose=purpose, valid_from_s=start, valid_until_s=until, status_index=index, salt=salt
    )
    domain = replace(DOMAIN, chain_id=chain_id)
    credential = sign(made, domain, PATIENT)
    consent = to_fhir(credential)
    assert problems(consent) == []
    assert from_fhir(json.loads(json.dumps(consent))) == (made, domain, credential)


def test_schema_of_hl7_refuses_what_is_no_consent():
    """The schema must be able to say no."""
    for broken in (
        {**CONSENT, "resourceType": "Patient"},
        {**CONSENT, "status": "granted"},
        {**CONSENT, "id": "0x" + CONSENT["id"]},  # 66 letters are too long for an id
        {**CONSENT, "holder": "x"},
        {**CONSENT, "provision": {**CONSENT["provision"], "period": {"start": "yesterday"}}},
        {key: value for key, value in CONSENT.items() if key != "scope"},
    ):
        assert problems(broken)


def test_period_ends_with_its_last_second():
    assert CONSENT["provision"]["period"] == {"start": "2023-11-14T22:13:20Z", "end": "2033-05-18T03:33:19Z"}


def test_withdrawn_consent_is_inactive():
    inactive = to_fhir(CREDENTIAL, "inactive")
    assert problems(inactive) == [] and inactive["status"] == "inactive"
    assert from_fhir(inactive)[0] == TERMS
    with pytest.raises(ValueError, match="expected status"):
        to_fhir(CREDENTIAL, "revoked")


def test_elements_that_say_other_than_the_signed_credential_are_refused():
    provision = CONSENT["provision"]
    other = sign(replace(TERMS, purpose=Purpose.TREAT), DOMAIN, PATIENT)
    for broken in (
        {},
        {**CONSENT, "provision": {**provision, "purpose": [{**provision["purpose"][0], "code": "TREAT"}]}},
        {**CONSENT, "provision": {**provision, "purpose": provision["purpose"] * 2}},
        {**CONSENT, "provision": {**provision, "type": "deny"}},
        {**CONSENT, "patient": {"reference": "Patient/1"}},
        {**CONSENT, "text": {"status": "generated", "div": "Jane Doe"}},
        {**CONSENT, "sourceAttachment": {"contentType": "application/vc", "data": "AAAA"}},
        {**CONSENT, "sourceAttachment": to_fhir(other)["sourceAttachment"]},
        {**CONSENT, "extension": CONSENT["extension"][:3]},
    ):
        with pytest.raises(MalformedConsent):
            from_fhir(broken)


def test_what_is_no_credential_has_no_resource():
    with pytest.raises(MalformedCredential):
        to_fhir({})
