"""The vault: nothing without the contract's yes at depth, each yes once, every byte bound; the chain is a real one."""

import secrets
import shutil
import sqlite3

import numpy as np
import pytest
from consent_cases import RECIPIENT, Clinic, open_clinic, patient
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bfl_ref.chain.node import open_chain
from bfl_ref.sealing import DoesNotOpen, public_key
from bfl_ref.store import FolderStore
from bfl_ref.vault import (
    AlreadyKept,
    DecisionUsed,
    FileKeys,
    NotReleased,
    Record,
    Vault,
    ask,
    commitment,
    open_release,
)
from bfl_ref.vault.book import Book, Entry
from bfl_ref.vault.buffers import secret, system_random, wipe
from bfl_ref.vault.keys import DoesNotUnwrap, NoSuchGeneration
from bfl_ref.vault.records import (
    AccessWasDenied,
    ConsentEnded,
    DamagedRecord,
    ErasureAsked,
    NoDecision,
    NotKept,
    OtherCustodian,
)

PRIVATE = bytes(range(32))
DATA = b'{"age": 61, "TSH": 1.3}'
SALT = bytes(range(32, 64))
RESOURCE = commitment(DATA, SALT)


@pytest.fixture(scope="module")
def chain():
    with open_chain() as node:
        yield open_clinic(node)


@pytest.fixture
def clinic(chain):
    tester = chain.system.node.web3.provider.ethereum_tester
    snapshot = tester.take_snapshot()
    yield chain
    tester.revert_to_snapshot(snapshot)


def vault_of(clinic: Clinic, folder, custodian: str | None = None, **more) -> Vault:
    keys = more.pop("keys", None) or FileKeys(folder / "keys")
    store = FolderStore(folder / "store")
    return Vault(folder / "vault", store, keys, clinic.registry, custodian or clinic.hospital.address, **more)


def kept(clinic: Clinic, folder):
    """A vault with the first patient's record, and the patient's consent."""
    vault = vault_of(clinic, folder)
    terms = clinic.granted(0, resource=RESOURCE)
    vault.put(terms.holder, RESOURCE, DATA, SALT)
    return vault, terms


def allowed(clinic: Clinic, terms, **more) -> int:
    return clinic.ask(terms, recipient=public_key(PRIVATE), **more).request_id


def test_record_is_released_to_whom_the_contract_allows(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    request = allowed(clinic, terms)
    sealed = vault.release(request, 0, secrets.token_bytes)
    assert open_release(sealed, PRIVATE, clinic.registry.domain, request) == Record(DATA, SALT)
    for private, number in ((RECIPIENT[::-1], request), (PRIVATE, request + 1)):
        with pytest.raises(DoesNotOpen):
            open_release(sealed, private, clinic.registry.domain, number)


def test_decision_releases_once(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    request = allowed(clinic, terms)
    vault.release(request, 0, secrets.token_bytes)
    for again in (vault, vault_of(clinic, tmp_path)):  # after a restart too
        with pytest.raises(DecisionUsed) as refused:
            again.release(request, 0, secrets.token_bytes)
        assert refused.value.request_id == request
    vault.release(allowed(clinic, terms), 0, secrets.token_bytes)


def test_decision_is_used_before_a_key_is_unwrapped(clinic, tmp_path):
    """A crash during the release costs the requester a new request."""
    vault, terms = kept(clinic, tmp_path)
    request = allowed(clinic, terms)

    def crash(size: int) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vault.release(request, 0, crash)
    with pytest.raises(DecisionUsed):
        vault.release(request, 0, secrets.token_bytes)


def test_decision_must_stand_under_so_many_blocks(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    request = allowed(clinic, terms)
    for _ in range(3):
        with pytest.raises(NoDecision):
            vault.release(request, 3, secrets.token_bytes)
        clinic.system.node.wait_blocks(1)
    assert vault.release(request, 3, secrets.token_bytes)
    with pytest.raises(NoDecision):
        vault.release(request + 1, 0, secrets.token_bytes)
    with pytest.raises(NoDecision):
        vault.release(request, 10**9, secrets.token_bytes)


def test_without_the_contracts_yes_nothing_is_released(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    denied = clinic.ask(terms, "TREAT").request_id
    with pytest.raises(AccessWasDenied, match="WRONG_PURPOSE"):
        vault.release(denied, 0, secrets.token_bytes)
    other = vault_of(clinic, tmp_path / "other", clinic.other_hospital.address)
    with pytest.raises(OtherCustodian):
        other.release(allowed(clinic, terms), 0, secrets.token_bytes)
    unknown = clinic.granted(1)
    with pytest.raises(NotKept):
        vault.release(allowed(clinic, unknown), 0, secrets.token_bytes)
    request = allowed(clinic, terms)
    account = clinic.system.node.accounts[5]
    mine = clinic.terms(holder=account.address, resource=bytes([9]) * 32)
    clinic.enrol(mine)
    clinic.registry.grant(mine, sender=account)
    vault.put(mine.holder, mine.resource, DATA, SALT)
    late = allowed(clinic, mine)
    clinic.registry.withdraw(mine, sender=account)  # after the decision
    with pytest.raises(ConsentEnded):
        vault.release(late, 0, secrets.token_bytes)
    assert issubclass(ConsentEnded, NotReleased) and vault.release(request, 0, secrets.token_bytes)


def test_who_asked_for_erasure_is_shown_to_nobody_but_the_custodian(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    own = clinic.granted(0, resource=RESOURCE, grantee=clinic.hospital.address, status_index=7)
    ask(vault, [terms.holder], 1)
    with pytest.raises(ErasureAsked):
        vault.release(allowed(clinic, terms), 0, secrets.token_bytes)
    assert vault.release(allowed(clinic, own, sender=clinic.hospital), 0, secrets.token_bytes)
    with pytest.raises(AlreadyKept):
        vault.put(patient(5).address, RESOURCE, DATA, SALT)


def test_one_record_a_patient_and_one_patient_a_record(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    for holder, resource in ((terms.holder, bytes(32)), (patient(5).address, RESOURCE)):
        with pytest.raises(AlreadyKept):
            vault.put(holder, resource, DATA, SALT)
    with pytest.raises(ValueError, match="resource of 32"):
        vault.put(patient(5).address, b"short", DATA, SALT)
    with pytest.raises(NotKept):
        ask(vault, [terms.holder, patient(5).address], 1)
    assert vault.book.erasures() == []


def test_ciphertext_is_the_primitive_spelled_out(clinic, tmp_path):
    """The key as it is wrapped opens the object that the CID names, with holder and resource beside it."""
    vault, terms = kept(clinic, tmp_path)
    entry = vault.book.entry(RESOURCE)
    about = b"bfl_ref/vault/record/1|" + terms.holder.encode() + b"|" + RESOURCE + b"|"
    key = bytearray(32)
    vault.keys.unwrap(vault.book.generation, entry.wrapped, about + entry.cid.encode(), key)
    stored = vault.store.get(entry.cid)
    assert AESGCM(key).decrypt(stored[:12], stored[12:], about) == bytes([32]) + SALT + DATA
    assert DATA not in stored and SALT not in stored


def test_exchanged_or_changed_entries_are_damaged(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    other = clinic.granted(1)
    vault.put(other.holder, other.resource, b"another record", SALT)
    good = vault.book.entry(RESOURCE)
    theirs = vault.book.entry(other.resource)
    flipped = bytes([good.wrapped[0] ^ 1]) + good.wrapped[1:]
    for column, value in (
        ("wrapped", theirs.wrapped),
        ("wrapped", flipped),
        ("cid", theirs.cid),
        ("wrapped", b""),
    ):
        with sqlite3.connect(vault.book.path) as connection:
            connection.execute(f"UPDATE records SET {column} = ? WHERE resource = ?", (value, RESOURCE))
        with pytest.raises(DamagedRecord):
            vault.release(allowed(clinic, terms), 0, secrets.token_bytes)
        with sqlite3.connect(vault.book.path) as connection:
            row = good.cid, good.wrapped, RESOURCE
            connection.execute("UPDATE records SET cid = ?, wrapped = ? WHERE resource = ?", row)
    assert vault.release(allowed(clinic, terms), 0, secrets.token_bytes)


def test_recipient_that_is_no_key_gets_nothing(clinic, tmp_path):
    vault, terms = kept(clinic, tmp_path)
    request = clinic.ask(terms, recipient=bytes(32)).request_id  # a point of small order
    with pytest.raises(ValueError):
        vault.release(request, 0, secrets.token_bytes)
    with pytest.raises(DecisionUsed):
        vault.release(request, 0, secrets.token_bytes)


def test_put_that_fails_keeps_nothing(clinic, tmp_path, monkeypatch):
    vault, terms = kept(clinic, tmp_path)
    objects = vault.store.objects()
    with pytest.raises(AlreadyKept):
        vault.put(terms.holder, bytes(32), DATA, SALT)
    with monkeypatch.context() as patch:
        patch.setattr(Book, "add", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            vault.put(patient(5).address, bytes(32), DATA, SALT)
    assert vault.store.objects() == objects and len(vault.book.entries()) == 1


def test_key_wrapped_by_a_generation_that_an_erasure_ended_is_not_kept(clinic, tmp_path):
    vault = vault_of(clinic, tmp_path)
    generation = vault.book.generation
    entry = Entry(RESOURCE, patient(0).address, "cid", bytes(60))
    with pytest.raises(ValueError, match="expected a key wrapped by generation"):
        vault.book.add(entry, generation + 1)  # an erasure came between
    assert vault.book.entries() == []
    vault.put(patient(0).address, RESOURCE, DATA, SALT)
    assert len(vault.book.entries()) == 1


def test_buffers_are_wiped_however_a_block_ends():
    with pytest.raises(RuntimeError), secret(32) as buffer:
        system_random(buffer)
        assert any(buffer)
        raise RuntimeError
    assert not any(buffer) and len(buffer) == 32
    wipe(buffer)


def test_generations_are_made_wrap_and_go(tmp_path):
    keys = FileKeys(tmp_path)
    first = keys.create()
    key = bytearray(np.random.default_rng(0).bytes(32))
    wrapped = keys.wrap(first, key, b"context")
    second = keys.create()
    assert keys.generations() == (first, second) == (1, 2)
    out = bytearray(32)
    keys.unwrap(first, wrapped, b"context", out)
    assert out == key and wrapped != keys.wrap(first, key, b"context")
    for generation, bytes_, context in (
        (second, wrapped, b"context"),
        (first, wrapped, b"other"),
        (first, b"", b""),
    ):
        with pytest.raises(DoesNotUnwrap):
            keys.unwrap(generation, bytes_, context, bytearray(32))
    keys.destroy(first)
    keys.destroy(first)
    with pytest.raises(NoSuchGeneration):
        keys.unwrap(first, wrapped, b"context", out)
    assert keys.generations() == (second,) and FileKeys(tmp_path).create() == 3


def test_generation_half_destroyed_is_gone(tmp_path):
    """A crash between overwriting and removing: zeros are no key."""
    keys = FileKeys(tmp_path)
    generation = keys.create()
    (tmp_path / "generation-000001").write_bytes(bytes(32))
    with pytest.raises(NoSuchGeneration):
        keys.wrap(generation, bytearray(32), b"")


def test_book_of_something_else_is_damaged(tmp_path):
    from bfl_ref.vault.book import DamagedBook

    (tmp_path / "book").write_bytes(b"no database at all, but long enough to be one" * 100)
    with pytest.raises(DamagedBook):
        Book(tmp_path / "book", lambda: 1)


def test_backup_with_its_keys_is_the_vault_again(clinic, tmp_path):
    """The other half of what an erasure does to backups: without one they work."""
    vault, terms = kept(clinic, tmp_path)
    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-backup")
    again = vault_of(clinic, tmp_path.parent / f"{tmp_path.name}-backup")
    assert again.release(allowed(clinic, terms), 0, secrets.token_bytes) and vault.book.entries()
