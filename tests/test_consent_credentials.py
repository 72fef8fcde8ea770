"""A consent's credential: signed and recovered by eth-account, refused by name for each thing that is wrong with it."""

import copy
import json
from dataclasses import fields, replace

import pytest
from consent_cases import DOMAIN, FROM, HOSPITAL, PATIENT, RESEARCHER, TERMS, UNTIL
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from bfl_ref.consent import credentials, terms
from bfl_ref.consent.credentials import (
    Expired,
    MalformedCredential,
    NotSignedByHolder,
    NotYetValid,
    OtherChain,
    OtherContract,
    RejectedCredential,
    Revoked,
    WrongGrantee,
    WrongPurpose,
    WrongResource,
    document,
    read,
    rfc3339,
    seconds,
    sign,
    verify,
)
from bfl_ref.consent.status_list import StatusList
from bfl_ref.consent.terms import Domain, Purpose, Terms, consent_id, resource_of

NOW = FROM + 1
CREDENTIAL = sign(TERMS, DOMAIN, PATIENT)


def paths(value, prefix=()):
    """Every leaf of a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not items:
        yield prefix
    for key, inner in items:
        yield from paths(inner, (*prefix, key))


def changed(value, path, new):
    whole = copy.deepcopy(value)
    at = whole
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return whole


def test_credential_verifies_and_gives_its_terms():
    status = StatusList().with_revoked(TERMS.status_index + 1)
    asked = {"grantee": RESEARCHER.address, "purpose": Purpose.HRESCH, "resource": TERMS.resource}
    assert verify(CREDENTIAL, DOMAIN, NOW, **asked, status=status) == TERMS
    assert read(json.loads(json.dumps(CREDENTIAL)))[:2] == (TERMS, DOMAIN)


def test_signature_is_eth_accounts_over_the_typed_data_that_the_credential_shows():
    """Nothing of ours: the proof's own domain and types, and the terms as the document states them."""
    eip712, subject = CREDENTIAL["proof"]["eip712"], CREDENTIAL["credentialSubject"]
    message = {
        "holder": CREDENTIAL["issuer"].rpartition(":")[2],
        "grantee": subject["id"].rpartition(":")[2],
        "custodian": subject["custodian"].rpartition(":")[2],
        "resource": subject["resource"],
        "purpose": subject["purpose"],
        "validFrom": 1_700_000_000,
        "validUntil": 2_000_000_000,
        "statusIndex": int(CREDENTIAL["credentialStatus"]["statusListIndex"]),
        "salt": subject["salt"],
    }
    assert (CREDENTIAL["validFrom"], CREDENTIAL["validUntil"]) == (
        "2023-11-14T22:13:20Z",
        "2033-05-18T03:33:20Z",
    )
    full = {**eip712, "message": message}
    full["types"] = {
        **eip712["types"],
        "EIP712Domain": [
            {"name": "name", "type": "string"},
            {"name": "version", "type": "string"},
            {"name": "chainId", "type": "uint256"},
            {"name": "verifyingContract", "type": "address"},
        ],
    }
    signed = encode_typed_data(full_message=full)
    assert Account.recover_message(signed, signature=CREDENTIAL["proof"]["proofValue"]) == PATIENT.address
    assert keccak(b"\x19\x01" + signed.header + signed.body) == consent_id(TERMS, DOMAIN)


def test_schema_is_a_schema_and_follows_the_purposes():
    schema = json.loads(credentials._SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(CREDENTIAL)
    assert schema["properties"]["credentialSubject"]["properties"]["purpose"]["enum"] == [*map(str, Purpose)]
    assert schema["$id"] == CREDENTIAL["credentialSchema"]["id"]


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        (NotYetValid, {"now_s": FROM - 1}),
        (Expired, {"now_s": UNTIL}),
        (WrongGrantee, {"grantee": HOSPITAL.address}),
        (WrongPurpose, {"purpose": Purpose.TREAT}),
        (WrongResource, {"resource": bytes(32)}),
        (Revoked, {"status": StatusList().with_revoked(TERMS.status_index)}),
        (OtherChain, {"domain": Domain(1, DOMAIN.contract)}),
        (OtherContract, {"domain": Domain(DOMAIN.chain_id, HOSPITAL.address)}),
    ],
)
def test_what_does_not_fit_is_refused_by_its_own_name(kind, how):
    with pytest.raises(RejectedCredential) as refused:
        verify(CREDENTIAL, **{"domain": DOMAIN, "now_s": NOW, **how})
    assert type(refused.value) is kind


def test_first_and_last_second_hold():
    for now in (FROM, UNTIL - 1):
        assert verify(CREDENTIAL, DOMAIN, now) == TERMS


def test_replay_with_the_domain_rewritten_is_not_signed():
    for elsewhere in (Domain(1, DOMAIN.contract), Domain(DOMAIN.chain_id, HOSPITAL.address)):
        signature = bytes.fromhex(CREDENTIAL["proof"]["proofValue"][2:])
        with pytest.raises(NotSignedByHolder):
            verify(document(TERMS, elsewhere, signature), elsewhere, NOW)


OTHER_TERMS = replace(
    TERMS,
    grantee=HOSPITAL.address,
    custodian=RESEARCHER.address,
    resource=bytes(32),
    purpose=Purpose.TREAT,
    valid_from_s=FROM + 1,
    valid_until_s=UNTIL + 1,
    status_index=0,
    salt=bytes(32),
    holder=HOSPITAL.address,
)


@pytest.mark.parametrize("field", [f.name for f in fields(Terms)])
def test_each_term_is_signed(field):
    signature = bytes.fromhex(CREDENTIAL["proof"]["proofValue"][2:])
    forged = document(replace(TERMS, **{field: getattr(OTHER_TERMS, field)}), DOMAIN, signature)
    with pytest.raises(NotSignedByHolder):
        verify(forged, DOMAIN, NOW)


@pytest.mark.parametrize("path", list(paths(CREDENTIAL)), ids=lambda path: ".".join(map(str, path)))
def test_every_value_of_the_document_counts(path):
    """Signed or not, nothing in it can be changed, left out or added."""
    for new in (None, "x", [], 7, 31337.0):
        with pytest.raises(RejectedCredential):
            verify(changed(CREDENTIAL, path, new), DOMAIN, NOW)
    for level in range(1, len(path)):
        holder = CREDENTIAL
        for key in path[:level]:
            holder = holder[key]
        if isinstance(holder, dict):
            with pytest.raises(RejectedCredential):
                verify(changed(CREDENTIAL, (*path[:level], "name"), "Jane Doe"), DOMAIN, NOW)


@pytest.mark.parametrize("value", [None, [], "", 1, {}, {"proof": None}, {**CREDENTIAL, "extra": 1}])
def test_other_json_is_malformed(value):
    with pytest.raises(MalformedCredential):
        verify(value, DOMAIN, NOW)


def test_signature_in_any_other_form_is_refused():
    """As the contract does: the turned signature (r, n - s) recovers the same key, and is not taken."""
    signature = bytes.fromhex(CREDENTIAL["proof"]["proofValue"][2:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    turned = (order - int.from_bytes(signature[32:64])).to_bytes(32)
    forms = [
        signature[:32] + turned + bytes([55 - signature[64]]),
        signature[:64] + bytes([signature[64] - 27]),
        bytes(65),
        b"\xff" * 65,
    ]
    for form in forms:
        with pytest.raises(NotSignedByHolder):
            verify(document(TERMS, DOMAIN, form), DOMAIN, NOW)


def test_another_patients_key_does_not_sign():
    with pytest.raises(ValueError, match="expected the key of"):
        sign(TERMS, DOMAIN, HOSPITAL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"holder": PATIENT.address.lower()},
        {"grantee": "did:key:z"},
        {"resource": bytes(31)},
        {"salt": b""},
        {"purpose": "research"},
        {"valid_until_s": FROM},
        {"valid_from_s": -1},
        {"valid_until_s": terms.LAST_SECOND + 1},
        {"status_index": 131_072},
        {"status_index": -1},
    ],
)
def test_senseless_terms_are_a_callers_mistake(wrong):
    with pytest.raises(ValueError):
        replace(TERMS, **wrong)


@given(st.integers(0, terms.LAST_SECOND))
@settings(max_examples=50, deadline=None)
def test_seconds_come_back(time_s):
    assert seconds(rfc3339(time_s)) == time_s


def test_resource_of_a_row_is_its_leaf_or_stands_for_both():
    leaf, second = keccak(b"1"), keccak(b"2")
    assert resource_of(leaf) == leaf
    assert resource_of(leaf + second) == keccak(leaf + second)
    with pytest.raises(ValueError, match="one leaf or two"):
        resource_of(leaf[:-1])
