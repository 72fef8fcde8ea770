"""Identifiers resolve to published examples, refuse every other spelling, and rotate only with two signatures."""

from dataclasses import replace

import pytest
from eth_account import Account
from eth_utils import keccak

from bfl_ref.consent.identity import (
    FalseRotation,
    ForkedRotation,
    UnresolvableDid,
    account_did,
    address_of,
    current,
    ethr_did,
    key_did,
    resolve,
    rotate,
)

# Example of the did:key draft (secp256k1) with the key that other implementations read from it.
PUBLISHED = "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"
PUBLISHED_KEY = bytes.fromhex("03874c15c7fda20e539c6e5ba573c139884c351188799f5458b4b41f7924f235cd")
# Example of the did:pkh draft.
ACCOUNT = "did:pkh:eip155:1:0xb9c5714089478a327f09197987f16f9e5d936e8a"

# Example of Veramo's README, with the address that its resolver makes of the key.
ETHR_KEY = "0328939c3dc5af29fe52fea2ab97019d256a6ffd17e7bbc09405e15466f253c910"
ETHR, ETHR_ADDRESS = f"did:ethr:0x{ETHR_KEY}", "0xcaf3C37a127793a4934a7e2831FfEDD9E83Cc8b1"

A, B, C = (Account.from_key(keccak(text=name)) for name in "abc")


def did(account) -> str:
    return key_did(b"\4" + account._key_obj.public_key.to_bytes())


def test_key_did_of_the_published_key_is_the_published_identifier():
    assert key_did(PUBLISHED_KEY) == PUBLISHED
    document = resolve(PUBLISHED)
    (method,) = document["verificationMethod"]
    assert method["publicKeyMultibase"] == PUBLISHED.removeprefix("did:key:")
    assert document["authentication"] == document["assertionMethod"] == [f"{PUBLISHED}#{PUBLISHED[8:]}"]
    assert method["controller"] == document["id"] == PUBLISHED


def test_account_did_of_the_published_example_resolves():
    (method,) = resolve(ACCOUNT)["verificationMethod"]
    assert method["type"] == "EcdsaSecp256k1RecoveryMethod2020"
    assert method["blockchainAccountId"] == ACCOUNT.removeprefix("did:pkh:")
    assert method["id"] == f"{ACCOUNT}#blockchainAccountId"
    assert address_of(ACCOUNT).lower() == ACCOUNT[-42:]
    assert account_did(ACCOUNT[-42:], 1).lower() == ACCOUNT


def test_a_keys_two_identifiers_stand_for_one_account():
    assert address_of(did(A)) == A.address == address_of(account_did(A.address, 5))


def test_ethr_did_of_the_published_example_resolves_without_a_registry():
    document = resolve(ETHR)
    account, key = document["verificationMethod"]
    assert account["id"] == f"{ETHR}#controller" and key["id"] == f"{ETHR}#controllerKey"
    assert account["blockchainAccountId"] == f"eip155:1:{ETHR_ADDRESS}"
    assert key["type"] == "EcdsaSecp256k1VerificationKey2019" and key["publicKeyHex"] == ETHR_KEY
    assert document["authentication"] == document["assertionMethod"] == [account["id"], key["id"]]
    assert address_of(ETHR) == ETHR_ADDRESS and ethr_did(bytes.fromhex(ETHR_KEY), 1) == ETHR
    named = ethr_did(ETHR_ADDRESS, 31337)
    assert named == f"did:ethr:0x7a69:{ETHR_ADDRESS}" and address_of(named) == ETHR_ADDRESS
    (only,) = resolve(named)["verificationMethod"]
    assert only["blockchainAccountId"] == f"eip155:31337:{ETHR_ADDRESS}"
    assert only["type"] == "EcdsaSecp256k1RecoveryMethod2020" and only["controller"] == named


def test_ethr_did_rotates_like_the_others():
    before, after = ethr_did(A.address, 31337), ethr_did(B.address, 31337)
    assert current(before, [rotate(A, B, 10, (before, after))]) == after


@pytest.mark.parametrize(
    "text",
    [
        "did:ethr:",
        "did:ethr:mainnet:" + ETHR_ADDRESS,
        "did:ethr:0x01:" + ETHR_ADDRESS,
        "did:ethr:1:" + ETHR_ADDRESS,
        "did:ethr::" + ETHR_ADDRESS[:-1],
        "did:ethr:" + ETHR_ADDRESS[:-1] + "B",
        "did:ethr:0x02" + 64 * "f",
        "did:ethr:0x04" + ETHR_KEY[2:],
        ETHR.upper(),
        "",
        "did:web:example.com",
        "did:key:",
        "did:key:zQ3sh",
        PUBLISHED + "e",
        PUBLISHED[:-1],
        PUBLISHED.replace("zQ3", "uQ3"),
        "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",  # Ed25519
        "did:key:zDnaeaFCN7zwnqoQUQjVqAdvTQrKz3ThtVPv5sMwMdr4Dzqme",  # something of another codec
        ACCOUNT[:-1],
        ACCOUNT + "0",
        ACCOUNT.replace(":1:", ":01:"),
        ACCOUNT.replace(":1:", ":-1:"),
        ACCOUNT.replace(":1:", "::"),
        ACCOUNT.replace("eip155", "solana"),
        ACCOUNT[:-1] + "A",  # mixed case without the right checksum
        ACCOUNT.upper(),
    ],
)
def test_other_text_does_not_resolve(text):
    with pytest.raises(UnresolvableDid) as refused:
        resolve(text)
    assert refused.value.did == text


def test_rotations_lead_on_in_any_order():
    first, second = rotate(A, B, 10), rotate(B, C, 20)
    for known in ([first, second], [second, first], [second, first, first]):
        assert current(did(A), known) == did(C)
    assert current(did(A), [first]) == did(B)
    assert current(did(A), []) == current(did(A), [second]) == did(A)
    assert current(did(C), [first, second]) == did(C)


def test_rotation_to_an_account_on_a_chain_keeps_the_names_that_were_signed():
    target = account_did(B.address, 31337)
    assert current(did(A), [rotate(A, B, 10, (did(A), target))]) == target


@pytest.mark.parametrize("part", ["previous", "next", "time_s", "by_previous", "by_next"])
def test_rotation_changed_in_any_part_is_refused(part):
    good, other = rotate(A, B, 10), rotate(C, A, 11)
    with pytest.raises(FalseRotation):
        current(did(A), [replace(good, **{part: getattr(other, part)})])


def test_rotation_with_one_signature_is_refused():
    """Nobody is made the successor without knowing, and no successor appoints itself."""
    good = rotate(A, B, 10)
    for half in (replace(good, by_next=good.by_previous), replace(good, by_previous=good.by_next)):
        with pytest.raises(FalseRotation):
            current(did(A), [half])
    with pytest.raises(FalseRotation):
        current(did(A), [replace(good, by_next=b"")])


def test_fork_and_circle_stop_everything():
    fork = [rotate(A, B, 10), rotate(A, C, 9)]
    with pytest.raises(ForkedRotation):
        current(did(A), fork)
    with pytest.raises(ForkedRotation):
        current(did(A), [rotate(A, B, 10), rotate(B, A, 11)])
    with pytest.raises(ValueError, match="twice"):
        rotate(A, A, 1)
