"""Bitstring Status List 1.0: which of a custodian's consents are revoked.

    encodedList = "u" + base64url(gzip(bits)), no padding;  bit i is the i-th from the left;  131,072 bits at least
    root        = Merkle root over 512 words of 256 bits:  leaf w = keccak256(keccak256(abi.encode(w, word))), pairs sorted

The root goes on chain, so that the contract itself can check one bit (nine hashes), and so that a list from anywhere is
known to be the custodian's: its authority is that transaction, it needs no proof of its own. A consent's place is drawn at
random among the free ones, so it tells nothing of when or after whom; the list holds all of a custodian's consents, and who
fetches it whole shows no interest in anyone. From readers of the chain the list hides nothing: a consent's place is among
its terms there, since the contract checks the bit.

Source: W3C Bitstring Status List v1.0, sections 2 and 3; the tree is that of OpenZeppelin's merkle-tree.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .terms import STATUS_ENTRIES
from .tree import merkle_path, merkle_tree

_BYTES = STATUS_ENTRIES // 8
_WORD = 32
WORDS = _BYTES // _WORD
_MULTIBASE = "u"


class MalformedStatusList(ValueError):
    """Text that is no encoded list of 131,072 entries. why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"expected multibase base64url of gzip of {_BYTES} bytes: {why}")
        self.why = why


class ListFull(ValueError):
    """Every place is taken."""


@dataclass(frozen=True)
class StatusProof:
    """One word of a list and its path to the root, for the contract."""

    word: bytes
    path: tuple[bytes, ...]

    def to_abi(self) -> tuple[bytes, list[bytes]]:
        return self.word, list(self.path)


@dataclass(frozen=True)
class StatusList:
    """131,072 bits, a value: `with_revoked` gives another. bits: 16,384 bytes; bit 0 is the top bit of byte 0."""

    bits: bytes = field(default=bytes(_BYTES), repr=False)

    def __post_init__(self) -> None:
        if len(self.bits) != _BYTES:
            raise MalformedStatusList(f"got {len(self.bits)} bytes")

    def is_revoked(self, index: int) -> bool:
        byte, bit = divmod(_checked(index), 8)
        return bool(self.bits[byte] >> (7 - bit) & 1)

    def with_revoked(self, *indices: int) -> "StatusList":
        """Bits are only ever set: a revocation is for good."""
        bits = bytearray(self.bits)
        for index in indices:
            byte, bit = divmod(_checked(index), 8)
            bits[byte] |= 0x80 >> bit
        return StatusList(bytes(bits))

    def encode(self) -> str:
        """The encodedList. gzip's header leaves writers freedom: compare lists decoded, never as text."""
        writer = zlib.compressobj(wbits=31)
        packed = writer.compress(self.bits) + writer.flush()
        return _MULTIBASE + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()

    @classmethod
    def decode(cls, encoded: str) -> "StatusList":
        """Inverse of `encode`, of any writer's text. MalformedStatusList; never expands more than a list's size."""
        if not isinstance(encoded, str) or not re.fullmatch(_MULTIBASE + "[A-Za-z0-9_-]+", encoded):
            raise MalformedStatusList(f"{_MULTIBASE!r} and base64url letters make it up")
        text = encoded[1:]
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            reader = zlib.decompressobj(wbits=31)
            bits = reader.decompress(packed, _BYTES + 1)
        except (binascii.Error, ValueError, zlib.error) as error:
            raise MalformedStatusList(str(error)) from None
        if not reader.eof or reader.unused_data:
            raise MalformedStatusList("the stream is longer, is cut off, or something follows it")
        return cls(bits)

    @property
    def root(self) -> bytes:
        """32 bytes: what the custodian posts as `digest`."""
        return self._tree[1]

    def proof(self, index: int) -> StatusProof:
        word = _checked(index) // 256
        return StatusProof(self.bits[_WORD * word : _WORD * (word + 1)], merkle_path(self._tree, word))

    @cached_property
    def _tree(self) -> list[bytes]:
        words = (self.bits[_WORD * w : _WORD * (w + 1)] for w in range(WORDS))
        return merkle_tree([w.to_bytes(32) + word for w, word in enumerate(words)])


def free_index(taken: Collection[int], rng: Callable[[int], bytes]) -> int:
    """A place at random among those that are not taken, all equally likely. rng(k): k random bytes. ListFull."""
    if len(taken) >= STATUS_ENTRIES:
        raise ListFull(f"all {STATUS_ENTRIES} places are taken")
    if 2 * len(taken) < STATUS_ENTRIES:
        while (index := int.from_bytes(rng(3)) % STATUS_ENTRIES) in taken:  # 2^24 is a multiple of 2^17
            pass
        return index
    free = [index for index in range(STATUS_ENTRIES) if index not in taken]
    while (draw := int.from_bytes(rng(4))) >= 2**32 - 2**32 % len(free):
        pass
    return free[draw % len(free)]


def list_credential(status: StatusList, issuer: str, url: str, valid_from: str) -> dict[str, Any]:
    """The credential that consents point to. issuer: DID of the custodian. url: where it is. valid_from: RFC 3339."""
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": valid_from,
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": status.encode(),
        },
    }


def list_of(credential: Any) -> StatusList:
    """The list inside such a credential. MalformedStatusList for any other value."""
    try:
        subject = credential["credentialSubject"]
        kind, purpose, encoded = subject["type"], subject["statusPurpose"], subject["encodedList"]
    except (TypeError, KeyError) as error:
        raise MalformedStatusList(f"no status list credential: {error}") from None
    if kind != "BitstringStatusList" or purpose != "revocation":
        raise MalformedStatusList(f"a {kind} for {purpose}")
    return StatusList.decode(encoded)


def _checked(index: int) -> int:
    if not 0 <= index < STATUS_ENTRIES:
        raise ValueError(f"expected an index of 0 to {STATUS_ENTRIES - 1}, got {index}")
    return index
