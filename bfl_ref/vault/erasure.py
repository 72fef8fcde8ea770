"""Functional erasure: the record becomes unreadable, everywhere it was ever copied to, and the chain says so.

    asked            the wish is put down; from now on only the custodian itself gets the record, for audits that are pending
    (waits)          while the chain may still ask for a proof about the row: an honest hospital is not slashed for obeying
    ciphertext       removed from the store
    key              in one transaction every other patient's key is wrapped again by a new generation, this one's deleted;
                     the old generation is destroyed: wrapped copies in backups and replicas are noise from here on
    tombstone        on chain; the contract denies whatever is asked about this record
    receipt          signed by the custodian, for the patient

Each step is put down before the next one begins, and each can be repeated, so `proceed` is also what resumes after a crash.
One call erases all that are ready, with one new generation.

What erasure does not do: a model that was trained with the row stays as it is; whoever was released the record keeps it;
and that the key is gone nobody can prove, a receipt is a promise with a signature.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount

from ..consent.registry import ConsentRegistry
from ..consent.terms import Domain
from ..store import MissingObject
from .book import Erasure, Step
from .records import NotKept, Vault

TOMBSTONES = 400  # in one transaction
_RECEIPT = {
    "Erasure": [
        {"name": "holder", "type": "address"},
        {"name": "custodian", "type": "address"},
        {"name": "resource", "type": "bytes32"},
        {"name": "time", "type": "uint64"},
    ]
}

Pending = Callable[[bytes], Sequence[str]]
"""resource -> what the chain may still ask about the row. Empty: nothing, now and later, since the row left the segments."""


class FalseReceipt(ValueError):
    """Not the custodian's signature over this receipt, or no tombstone to it."""


@dataclass(frozen=True)
class Receipt:
    """The custodian says: erased by time_s (Unix seconds). signature: EIP-712, in the registry's domain."""

    holder: str
    custodian: str
    resource: bytes
    time_s: int
    signature: bytes


@dataclass(frozen=True)
class Progress:
    """receipts: signed in this call. waiting: resource -> what it waits for."""

    receipts: tuple[Receipt, ...]
    waiting: Mapping[bytes, tuple[str, ...]]


def ask(vault: Vault, holders: Sequence[str], now_s: int) -> None:
    """Puts down the patients' wishes. NotKept for one of whom nothing is kept; then none is put down."""
    known = {entry.holder for entry in vault.book.entries()}
    for holder in holders:
        if holder not in known:
            raise NotKept(f"nothing of {holder} is kept here")
    vault.book.ask_erasure(holders, now_s)


def proceed(
    vault: Vault,
    hospital: LocalAccount,
    pending: Pending,
    now_s: int,
    at: Callable[[str], None] = lambda place: None,
) -> Progress:
    """Carries every erasure that was asked for as far as it can be; also what resumes after a crash.

    hospital: the custodian's key.   now_s: for the receipts.   at(place): called between any two things that last, for
    tests.
    """
    book, keys = vault.book, vault.keys
    if hospital.address != vault.custodian:
        raise ValueError(f"expected the key of {vault.custodian}, got that of {hospital.address}")
    _destroy_old(vault)

    asked = {erasure.resource: tuple(pending(erasure.resource)) for erasure in book.erasures(Step.ASKED)}
    ready = [erasure for erasure in book.erasures(Step.ASKED) if not asked[erasure.resource]]
    for erasure in ready:
        at("before a ciphertext")
        with suppress(MissingObject):  # removed before a crash
            vault.store.delete(erasure.cid)
    at("before the ciphertexts are put down")
    book.advance([erasure.resource for erasure in ready], Step.CIPHERTEXT_REMOVED)

    if removed := [erasure.resource for erasure in book.erasures(Step.CIPHERTEXT_REMOVED)]:
        at("before a new generation")
        old = book.generation
        spare = [generation for generation in keys.generations() if generation > old]
        new = spare[-1] if spare else keys.create()
        at("before the keys are deleted")
        book.forget(removed, new, lambda entry: vault.rewrapped(entry, old, new))
        at("before the old generation is destroyed")
        _destroy_old(vault)

    destroyed = [erasure.resource for erasure in book.erasures(Step.KEY_DESTROYED)]
    for start in range(0, len(destroyed), TOMBSTONES):
        at("before tombstones")
        some = destroyed[start : start + TOMBSTONES]
        if missing := [resource for resource in some if _lacks_tombstone(vault, resource)]:
            vault.registry.erase(missing, sender=hospital)
        at("before tombstones are put down")
        book.advance(some, Step.TOMBSTONED)

    at("before the receipts")
    domain = vault.registry.domain
    receipts = [_signed(erasure, hospital, now_s, domain) for erasure in book.erasures(Step.TOMBSTONED)]
    book.sign_off([(one.resource, one.time_s, one.signature) for one in receipts])
    return Progress(tuple(receipts), {resource: why for resource, why in asked.items() if why})


def receipt_of(vault: Vault, resource: bytes) -> Receipt | None:
    """The receipt of an erasure that is done, from the book."""
    erasure = vault.book.erasure(resource)
    if erasure is None or erasure.time_s is None or erasure.signature is None:
        return None
    return Receipt(erasure.holder, vault.custodian, resource, erasure.time_s, erasure.signature)


def check_receipt(receipt: Receipt, registry: ConsentRegistry) -> None:
    """What the patient does with it. Raises FalseReceipt; returns if the custodian signed and the tombstone stands."""
    message = _message(receipt.holder, receipt.custodian, receipt.resource, receipt.time_s, registry.domain)
    try:
        signer = Account.recover_message(message, signature=receipt.signature)
    except Exception:  # eth-keys raises kinds of its own for bytes that are no signature
        signer = None
    if signer != receipt.custodian:
        raise FalseReceipt(f"expected the signature of {receipt.custodian}, got that of {signer}")
    enrolment = registry.enrolment_of(receipt.custodian, receipt.resource)
    if enrolment.holder != receipt.holder or not enrolment.erased:
        raise FalseReceipt(f"no tombstone of {receipt.custodian} for this record of {receipt.holder}")


def _destroy_old(vault: Vault) -> None:
    """Generations before the book's. A later one may be there: made, and not used yet when a crash came."""
    current = vault.book.generation
    for generation in vault.keys.generations():
        if generation < current:
            vault.keys.destroy(generation)


def _lacks_tombstone(vault: Vault, resource: bytes) -> bool:
    """A record that was never enrolled gets none: the chain does not know it."""
    enrolment = vault.registry.enrolment_of(vault.custodian, resource)
    return int(enrolment.holder, 16) != 0 and not enrolment.erased


def _signed(erasure: Erasure, hospital: LocalAccount, now_s: int, domain: Domain) -> Receipt:
    message = _message(erasure.holder, hospital.address, erasure.resource, now_s, domain)
    signature = bytes(hospital.sign_message(message).signature)
    return Receipt(erasure.holder, hospital.address, erasure.resource, now_s, signature)


def _message(holder: str, custodian: str, resource: bytes, time_s: int, domain: Domain) -> Any:
    said = {"holder": holder, "custodian": custodian, "resource": resource, "time": time_s}
    return encode_typed_data(domain.to_eip712(), _RECEIPT, said)
