"""A patient's record, encrypted by a key of its own, released on the consent contract's decision alone.

    ciphertext = nonce | AES-256-GCM_k(salt length | salt | record),   authenticated beside it: holder, resource
    wrapped    = key-encryption key over k,                             authenticated beside it: holder, resource, CID
    on chain:    the resource, a salted commitment; nothing else of the record

The row's salt lies inside the ciphertext and dies with the key. The ciphertext is in the content store, so that its CID
binds every byte; the wrapped key is bound to patient and CID, so no entry of the book can be exchanged for another.

A release needs an AccessAllowed of the registry for this request, in a block with so many blocks after it; the consent must
not have been withdrawn since. Each decision releases once: it is put down as used before a key is unwrapped, so a crash
costs the requester a new request, never the patient a second release. The record is sealed for the key that the requester
put on chain with its request: who presents the request's number is of no matter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from eth_utils import keccak

from ..chain.events import AccessAllowed
from ..chain.records import ConsentState, Denial
from ..consent.registry import ConsentRegistry
from ..consent.terms import Domain
from ..sealing import Rng, seal, unseal
from ..store import Store
from .book import Book, Entry
from .buffers import Fill, secret, system_random
from .keys import KEY_BYTES, NONCE_BYTES, TAG_BYTES, DoesNotUnwrap, KeyEncryption

BOOK_FILE = "vault.sqlite"
_TAG = b"bfl_ref/vault/record/1"
_COMMITMENT, _RELEASE = b"bfl_ref/vault/commitment/1", b"bfl_ref/vault/release/1"


class NotReleased(Exception):
    """Base of the reasons to release nothing."""


class NoDecision(NotReleased):
    """No answer to this request stands deep enough in the chain."""


class AccessWasDenied(NotReleased):
    """The contract said no. reason."""

    def __init__(self, reason: Denial) -> None:
        super().__init__(f"the contract denied access: {reason.name}")
        self.reason = reason


class OtherCustodian(NotReleased):
    """The decision is about another hospital's record."""


class ConsentEnded(NotReleased):
    """The consent was withdrawn after the decision."""


class NotKept(NotReleased):
    """No such record is here: it never was, or it is erased."""


class ErasureAsked(NotReleased):
    """The patient wants the record erased: only the custodian itself still gets it, to answer audits that are pending."""


class DamagedRecord(Exception):
    """The ciphertext or the wrapped key is not what was put."""


@dataclass(frozen=True)
class Record:
    """What was put. salt: of the commitment; of a training row, its leaf's."""

    data: bytes
    salt: bytes


def commitment(data: bytes, salt: bytes) -> bytes:
    """The resource of a record that is no training row: keccak256(tag | salt | data), salt of 32 bytes."""
    if len(salt) != 32:
        raise ValueError(f"salt: expected 32 bytes, got {len(salt)}")
    return keccak(_COMMITMENT + salt + data)


def open_release(sealed: bytes, private: bytes, domain: Domain, request_id: int) -> Record:
    """What the requester does with a release. private: the X25519 key to its `recipient`. DoesNotOpen."""
    return _unpacked(unseal(sealed, private, _release_context(domain, request_id)))


class Vault:
    """One custodian's records. folder: for the book; keys: must lie elsewhere, in no backup."""

    def __init__(
        self,
        folder: Path | str,
        store: Store,
        keys: KeyEncryption,
        registry: ConsentRegistry,
        custodian: str,
        fill: Fill = system_random,
    ) -> None:
        self.store, self.keys, self.registry, self.custodian, self._fill = (
            store,
            keys,
            registry,
            custodian,
            fill,
        )
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.book = Book(Path(folder) / BOOK_FILE, keys.create)

    def put(self, holder: str, resource: bytes, data: bytes | bytearray, salt: bytes | bytearray) -> str:
        """Encrypts and keeps a record; the CID of its ciphertext. AlreadyKept; ValueError if an erasure came between.

        resource: salted commitment to data (32 bytes). The caller's own buffers are the caller's to wipe.
        """
        if len(resource) != 32 or len(salt) > 255:
            raise ValueError(
                f"expected a resource of 32 and a salt of up to 255 bytes, got {len(resource)}, {len(salt)}"
            )
        nonce = bytearray(NONCE_BYTES)
        self._fill(nonce)
        generation = self.book.generation
        with secret(KEY_BYTES) as key, secret(1 + len(salt) + len(data)) as plain:
            self._fill(key)
            plain[0] = len(salt)
            memoryview(plain)[1 : 1 + len(salt)] = salt
            memoryview(plain)[1 + len(salt) :] = data
            sealed = AESGCM(key).encrypt(nonce, plain, _about(holder, resource))
            cid = self.store.put(bytes(nonce) + sealed)
            try:
                wrapped = self.keys.wrap(generation, key, _about(holder, resource, cid))
                self.book.add(Entry(resource, holder, cid, wrapped), generation)
            except BaseException:
                self.store.delete(cid)
                raise
        return cid

    def release(self, request_id: int, depth: int, rng: Rng) -> bytes:
        """The record of an allowed request, sealed for its recipient: for `open_release`. NotReleased, DecisionUsed.

        depth: blocks that must stand on the decision's.   rng: for the seal, `secrets.token_bytes` outside tests.
        ValueError for a recipient that nothing can be sealed for; the decision is then used all the same.
        """
        decision = self._decision(request_id, depth)
        entry = self.book.entry(decision.resource)
        if entry is None:
            raise NotKept(f"0x{decision.resource.hex()} is not kept here")
        if self.book.erasure(entry.resource) and decision.grantee != self.custodian:
            raise ErasureAsked(f"the patient asked for the erasure of 0x{entry.resource.hex()}")
        self.book.use(request_id)
        with self._opened(entry) as plain:
            context = _release_context(self.registry.domain, request_id)
            return seal(plain, decision.recipient, context, rng)  # type: ignore[arg-type]  # bytes would be a copy

    def rewrapped(self, entry: Entry, old: int, new: int) -> bytes:
        """An entry's key, wrapped by generation `new` instead of `old`."""
        about = _about(entry.holder, entry.resource, entry.cid)
        with secret(KEY_BYTES) as key:
            self.keys.unwrap(old, entry.wrapped, about, key)
            return self.keys.wrap(new, key, about)

    def _decision(self, request_id: int, depth: int) -> AccessAllowed:
        head = self.registry.node.web3.eth.block_number
        answer = self.registry.answer_to(request_id, head - depth) if head >= depth else None
        if answer is None:
            raise NoDecision(f"no answer to request {request_id} under {depth} blocks")
        if not isinstance(answer, AccessAllowed):
            raise AccessWasDenied(answer.reason)
        if answer.custodian != self.custodian:
            raise OtherCustodian(f"expected a record of {self.custodian}, got one of {answer.custodian}")
        if self.registry.state_of(answer.consent_id) is not ConsentState.GRANTED:
            raise ConsentEnded(f"consent 0x{answer.consent_id.hex()} was withdrawn")
        return answer

    @contextmanager
    def _opened(self, entry: Entry) -> Iterator[bytearray]:
        """The plaintext, wiped afterwards. DamagedRecord; what the store and the keys raise."""
        stored = self.store.get(entry.cid)
        with secret(KEY_BYTES) as key, secret(max(len(stored) - NONCE_BYTES - TAG_BYTES, 0)) as plain:
            about = _about(entry.holder, entry.resource)
            try:
                generation = self.book.generation
                self.keys.unwrap(
                    generation, entry.wrapped, _about(entry.holder, entry.resource, entry.cid), key
                )
                AESGCM(key).decrypt_into(stored[:NONCE_BYTES], stored[NONCE_BYTES:], about, plain)
            except (InvalidTag, DoesNotUnwrap) as error:
                raise DamagedRecord(f"{entry.cid}: {type(error).__name__}") from None
            yield plain


def _about(holder: str, resource: bytes, cid: str = "") -> bytes:
    return b"|".join((_TAG, holder.encode(), resource, cid.encode()))


def _release_context(domain: Domain, request_id: int) -> bytes:
    return _RELEASE + f"|{domain.chain_id}|{domain.contract}|{request_id}".encode()


def _unpacked(plain: bytes) -> Record:
    salt = plain[1 : 1 + plain[0]]
    return Record(plain[1 + len(salt) :], salt)
