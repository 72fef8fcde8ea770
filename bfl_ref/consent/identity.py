"""Decentralised identifiers of patients, hospitals and researchers, made and resolved here: no network, no registry.

    did:key:z<base58btc(0xe7 0x01 | compressed secp256k1 key)>       a key
    did:pkh:eip155:<chain id>:<address>                               an account: the key's hash, or a contract
    did:ethr:[<chain id in hex>:]<address or compressed key>          the same; no chain id: 1

All say by themselves what they stand for. Of did:ethr only the document is made that an identity without entries in an
ERC-1056 registry has: no such registry is deployed here, none is asked, and no network goes by a name. So each is for ever
the same key or account, and no method changes keys.
`Rotation` is this package's own addition: a statement, signed by the old and by the new account, that the new one takes
over, followed by `current`. What it is not: it ends nothing. The old key can still sign; consents granted by the old account
are withdrawn by the old account; who withholds the statement keeps a verifier at the old one; and a thief of the old key can
make such a statement too, which is why two of them by one account stop everything (`ForkedRotation`) instead of the first
winning.

Sources: did:key 0.7 and did:pkh (W3C CCG drafts), the ETHR DID method specification, Multikey of W3C Controlled Identifiers
1.0, CAIP-10, EIP-55.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from coincurve import PublicKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils import keccak, to_checksum_address
from multiformats import multibase, multicodec

_CODEC = "secp256k1-pub"
_CONTEXT = "https://www.w3.org/ns/did/v1"
_RECOVERY = "https://w3id.org/security/suites/secp256k1recovery-2020/v2"
_ROTATION = {
    "Rotation": [
        {"name": "previous", "type": "string"},
        {"name": "next", "type": "string"},
        {"name": "time", "type": "uint64"},
    ]
}


class UnresolvableDid(ValueError):
    """Text that is no did:key of secp256k1, no did:pkh or did:ethr of an EVM chain in a known spelling. did, why."""

    def __init__(self, did: object, why: str) -> None:
        super().__init__(f"{did!r} does not resolve: {why}")
        self.did, self.why = did, why


class FalseRotation(ValueError):
    """A rotation that its old or its new account has not signed. did: whose signature is missing."""

    def __init__(self, did: str) -> None:
        super().__init__(f"{did} has not signed this rotation")
        self.did = did


class ForkedRotation(ValueError):
    """Two rotations lead on from one identifier, or in a circle: the key may be in two hands, and none is followed."""

    def __init__(self, did: str) -> None:
        super().__init__(f"rotations fork or come back at {did}")
        self.did = did


def key_did(public_key: bytes) -> str:
    """did:key of a secp256k1 key, compressed (33 bytes) or not (65). ValueError for bytes that are no point of the curve."""
    compressed = PublicKey(public_key).format(compressed=True)
    return "did:key:" + multibase.encode(multicodec.wrap(_CODEC, compressed), "base58btc")


def account_did(address: str, chain_id: int) -> str:
    """did:pkh of an account, with the checksummed address. ValueError for text that is no address."""
    return f"did:pkh:eip155:{chain_id}:{to_checksum_address(address)}"


def ethr_did(who: str | bytes, chain_id: int) -> str:
    """did:ethr of an account (its address), or of a secp256k1 key. ValueError for text that is no address, or no key."""
    network = "" if chain_id == 1 else f"{chain_id:#x}:"
    name = to_checksum_address(who) if isinstance(who, str) else f"0x{PublicKey(who).format().hex()}"
    return f"did:ethr:{network}{name}"


def address_of(did: str) -> str:
    """The account (checksummed) that a DID stands for: by its name, or its key hashes to it. UnresolvableDid."""
    if did.startswith("did:key:"):
        return _address(_key_of(did))
    return _account_of(did)[1] if not did.startswith("did:ethr:") else _ethr_of(did)[1]


def resolve(did: str) -> dict[str, Any]:
    """The DID document. Its verification methods are for authentication and assertion. UnresolvableDid."""
    more = []
    if did.startswith("did:ethr:"):
        chain_id, address, key = _ethr_of(did)
        fragment, contexts = "controller", [_CONTEXT, _RECOVERY]
        kind = {
            "type": "EcdsaSecp256k1RecoveryMethod2020",
            "blockchainAccountId": f"eip155:{chain_id}:{address}",
        }
        if key is not None:
            said = {"type": "EcdsaSecp256k1VerificationKey2019", "publicKeyHex": key.format().hex()}
            more = [{"id": f"{did}#controllerKey", "controller": did, **said}]
    elif did.startswith("did:key:"):
        _key_of(did)
        fragment = did.removeprefix("did:key:")
        contexts = [_CONTEXT, "https://w3id.org/security/multikey/v1"]
        kind = {"type": "Multikey", "publicKeyMultibase": fragment}
    else:
        chain_id, _ = _account_of(did)
        fragment = "blockchainAccountId"
        contexts = [_CONTEXT, _RECOVERY]
        account = f"eip155:{chain_id}:{did.rpartition(':')[2]}"
        kind = {"type": "EcdsaSecp256k1RecoveryMethod2020", "blockchainAccountId": account}
    methods = [{"id": f"{did}#{fragment}", "controller": did, **kind}, *more]
    names = [method["id"] for method in methods]
    return {
        "@context": contexts,
        "id": did,
        "verificationMethod": methods,
        "authentication": names,
        "assertionMethod": names,
    }


@dataclass(frozen=True)
class Rotation:
    """`next` takes over from `previous`; signed by both. time_s: Unix seconds, as they say; nothing follows from it."""

    previous: str
    next: str
    time_s: int
    by_previous: bytes
    by_next: bytes


def rotate(
    previous: LocalAccount, following: LocalAccount, time_s: int, dids: tuple[str, str] | None = None
) -> Rotation:
    """The statement, signed by both. dids: (previous, next), any DIDs of the two accounts; default: their did:key."""
    names = dids or (_did_of(previous), _did_of(following))
    if names[0] == names[1]:
        raise ValueError(f"expected two identifiers, got {names[0]} twice")
    signed = _statement(*names, time_s)
    return Rotation(
        *names, time_s, previous.sign_message(signed).signature, following.sign_message(signed).signature
    )


def current(did: str, rotations: Iterable[Rotation]) -> str:
    """The last identifier that leads on from `did` by the rotations given, in whatever order; `did` itself if none does.

    Raises FalseRotation for any that is not signed by both, ForkedRotation, UnresolvableDid.
    """
    resolve(did)
    onwards: dict[str, str] = {}
    for one in dict.fromkeys(rotations):
        _check(one)
        if onwards.setdefault(one.previous, one.next) != one.next:
            raise ForkedRotation(one.previous)
    seen = {did}
    while did in onwards:
        did = onwards[did]
        if did in seen:
            raise ForkedRotation(did)
        seen.add(did)
    return did


def _check(one: Rotation) -> None:
    signed = _statement(one.previous, one.next, one.time_s)
    for did, signature in ((one.previous, one.by_previous), (one.next, one.by_next)):
        try:
            signer = Account.recover_message(signed, signature=signature)
        except Exception:  # eth-keys and coincurve raise kinds of their own
            raise FalseRotation(did) from None
        if signer != address_of(did):
            raise FalseRotation(did)


def _statement(previous: str, following: str, time_s: int) -> Any:
    """What both sign. Without chain and contract: an identifier is the same everywhere, and so is who takes it over."""
    message = {"previous": previous, "next": following, "time": time_s}
    return encode_typed_data({"name": "bfl_ref identity", "version": "1"}, _ROTATION, message)


def _did_of(account: LocalAccount) -> str:
    return key_did(PublicKey.from_secret(bytes(account.key)).format())


def _address(key: PublicKey) -> str:
    return to_checksum_address(keccak(key.format(compressed=False)[1:])[12:])


def _ethr_of(did: str) -> tuple[int, str, PublicKey | None]:
    """(chain id, checksummed address, the key if it is in the name)."""
    network, _, name = did.removeprefix("did:ethr:").rpartition(":")
    if network and not re.fullmatch("0x[1-9a-f][0-9a-f]*", network):
        raise UnresolvableDid(did, f"expected a chain id like 0x1, got {network!r}")
    chain_id = int(network, 16) if network else 1
    if re.fullmatch("0x0[23][0-9a-f]{64}", name):
        try:
            key = PublicKey(bytes.fromhex(name[2:]))
        except ValueError as error:
            raise UnresolvableDid(did, str(error)) from None
        return chain_id, _address(key), key
    return chain_id, _checksummed(did, name), None


def _checksummed(did: str, address: str) -> str:
    """All lower case, or mixed with the right checksum."""
    try:
        checksummed = to_checksum_address(address)
    except ValueError as error:
        raise UnresolvableDid(did, str(error)) from None
    if address not in (address.lower(), checksummed):
        raise UnresolvableDid(did, f"expected the checksum of {checksummed}, got {address}")
    return checksummed


def _key_of(did: str) -> PublicKey:
    try:
        codec, key = multicodec.unwrap(multibase.decode(did.removeprefix("did:key:")))
        if codec.name != _CODEC or len(key) != 33:
            raise ValueError(
                f"expected a compressed key of codec {_CODEC}, got {len(key)} bytes of {codec.name}"
            )
        if key_did(bytes(key)) != did:
            raise ValueError("expected base58btc")
        return PublicKey(bytes(key))
    except (ValueError, KeyError) as error:
        raise UnresolvableDid(did, str(error)) from None


def _account_of(did: str) -> tuple[int, str]:
    """(chain id, checksummed address)."""
    parts: Sequence[str] = did.split(":") if isinstance(did, str) else ()
    if len(parts) != 5 or parts[:3] != ["did", "pkh", "eip155"]:
        raise UnresolvableDid(
            did, "expected did:key:z..., did:pkh:eip155:<chain id>:<address> or did:ethr:..."
        )
    chain, address = parts[3:]
    if not chain.isascii() or not chain.isdigit() or str(int(chain)) != chain:
        raise UnresolvableDid(did, f"expected a chain id, got {chain!r}")
    return int(chain), _checksummed(did, address)
