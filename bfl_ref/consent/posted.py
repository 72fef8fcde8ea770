"""All consents that a hospital trains under, as one file, and on chain the root of the tree over their ids.

    file = safetensors, a row for each consent: its terms and its patient's signature, in the order of the tree's leaves

A file of thousands costs one transaction. It grants no access: the contract answers for consents that were granted to it one
by one. It shows an auditor that every row which is trained on has a patient who signed. Who holds one consent and its path
can prove to anybody that it stands in the file, or compare the file with what was signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address

from ..chain.records import Content
from ..store import Store, pack, unpack
from .credentials import verify_signature
from .registry import ConsentRegistry
from .terms import Domain, Purpose, Terms, consent_id, consent_message
from .tree import merkle_path, merkle_tree

_PURPOSES = list(Purpose)
_SHAPES = {
    "parties": ((3, 20), np.uint8),
    "words": ((2, 32), np.uint8),
    "times": ((2,), np.int64),
    "numbers": ((2,), np.int32),
    "signatures": ((65,), np.uint8),
}


class MalformedConsents(ValueError):
    """Bytes that are no file of consents, or not the one that was posted. why."""

    def __init__(self, why: object) -> None:
        super().__init__(f"no file of consents: {why}")
        self.why = why


@dataclass(frozen=True)
class Signed:
    """Terms and the patient's signature over them (65 bytes r | s | v)."""

    terms: Terms
    signature: bytes

    def verify(self, domain: Domain) -> None:
        """NotSignedByHolder."""
        verify_signature(self.terms, domain, self.signature)


def agreed(terms: Terms, domain: Domain, patient: LocalAccount) -> Signed:
    """What a patient who agrees hands over."""
    return Signed(terms, bytes(patient.sign_message(consent_message(terms, domain)).signature))


def ids_of(consents: Sequence[Signed], domain: Domain) -> list[bytes]:
    return [consent_id(each.terms, domain) for each in consents]


def path_of(consents: Sequence[Signed], domain: Domain, which: int) -> tuple[bytes, ...]:
    """From consent number `which` to the root: what `ConsentRegistry.is_posted` takes."""
    return merkle_path(merkle_tree(ids_of(consents, domain)), which)


def consents_file(consents: Sequence[Signed]) -> bytes:
    said = [each.terms for each in consents]
    columns = {
        "parties": [[_octets(p) for p in (t.holder, t.grantee, t.custodian)] for t in said],
        "words": [[list(t.resource), list(t.salt)] for t in said],
        "times": [[t.valid_from_s, t.valid_until_s] for t in said],
        "numbers": [[_PURPOSES.index(t.purpose), t.status_index] for t in said],
        "signatures": [list(each.signature) for each in consents],
    }
    return pack(
        {name: np.array(column, _SHAPES[name][1]) for name, column in columns.items()}, {"kind": "consents"}
    )


def post_consents(
    registry: ConsentRegistry, store: Store, consents: Sequence[Signed], *, sender: LocalAccount
) -> Content:
    """Puts the file into the store and its root on chain: what the sender trains under from now on."""
    root = merkle_tree(ids_of(consents, registry.domain))[1]
    content = Content(store.put(consents_file(consents)), root)
    registry.post_consents(content, sender=sender)
    return content


def fetch_consents(store: Store, content: Content, domain: Domain) -> list[Signed]:
    """The consents that were posted; no signature is verified. MalformedConsents; what the store raises."""
    try:
        arrays, kind = unpack(store.get(content.cid))
        found = [_signed(*row) for row in zip(*_columns(arrays, kind), strict=True)]
    except (ValueError, IndexError) as error:
        raise MalformedConsents(error) from None
    if not found or merkle_tree(ids_of(found, domain))[1] != content.digest:
        raise MalformedConsents("another root than the posted one")
    return found


def _columns(arrays: dict[str, np.ndarray], kind: Any) -> list[np.ndarray]:
    if kind != {"kind": "consents"} or arrays.keys() != _SHAPES.keys():
        raise ValueError(f"{kind} with {sorted(arrays)}")
    count = len(arrays["times"]) if arrays["times"].ndim else 0
    for name, (shape, dtype) in _SHAPES.items():
        got = arrays[name]
        if got.shape != (count, *shape) or got.dtype != dtype:
            raise ValueError(f"{name}: {got.dtype} of shape {got.shape}")
    return [arrays[name] for name in _SHAPES]


def _signed(parties: Any, words: Any, times: Any, numbers: Any, signature: Any) -> Signed:
    purpose, index = map(int, numbers)
    if purpose < 0:
        raise ValueError(f"no purpose number {purpose}")
    holder, grantee, custodian = (to_checksum_address(party.tobytes()) for party in parties)
    resource, salt = (word.tobytes() for word in words)
    since_s, until_s = map(int, times)
    terms = Terms(holder, grantee, custodian, resource, _PURPOSES[purpose], since_s, until_s, index, salt)
    return Signed(terms, signature.tobytes())


def _octets(address: str) -> list[int]:
    return list(bytes.fromhex(address[2:]))
