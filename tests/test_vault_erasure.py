"""Erasure: complete after a crash anywhere, patient with audits, deadly to backups; and not one key byte stays, read from
disk and from the memory of the process."""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from consent_cases import Clinic, open_clinic, patient
from eth_utils import keccak

from bfl_ref.chain.events import AccessDenied, RecordErased
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import Denial
from bfl_ref.sealing import public_key
from bfl_ref.store import FolderStore
from bfl_ref.vault import FileKeys, Step, Vault, ask, check_receipt, open_release, proceed, receipt_of
from bfl_ref.vault.book import Book, Entry
from bfl_ref.vault.erasure import FalseReceipt
from bfl_ref.vault.keys import NoSuchGeneration
from bfl_ref.vault.records import NotKept

PRIVATE = bytes(range(32))
SALT = bytes(16)
PATIENTS = 1000 if os.environ.get("BFL_FULL") else 200
ASKED_S, NOW_S = 1_800_000_000, 1_800_000_500


def nothing_pending(resource: bytes) -> tuple[str, ...]:
    return ()


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


def vault_of(clinic: Clinic, folder: Path) -> Vault:
    """The same vault whenever it is opened: a restart."""
    store = FolderStore(folder / "store")
    return Vault(folder / "vault", store, FileKeys(folder / "keys"), clinic.registry, clinic.hospital.address)


def filled(clinic: Clinic, folder: Path, count: int = 3):
    """Records of the first patients, and their terms; not on chain yet."""
    vault = vault_of(clinic, folder)
    terms = [clinic.terms(i) for i in range(count)]
    for i, each in enumerate(terms):
        vault.put(each.holder, each.resource, b"record %d" % i, SALT)
    return vault, terms


def released(clinic: Clinic, vault: Vault, terms) -> bytes:
    request = clinic.ask(terms, recipient=public_key(PRIVATE)).request_id
    sealed = vault.release(request, 0, secrets.token_bytes)
    return open_release(sealed, PRIVATE, clinic.registry.domain, request).data


def test_erased_record_is_gone_and_the_others_are_not(clinic, tmp_path):
    vault, terms = filled(clinic, tmp_path)
    for i in range(3):
        clinic.granted(i)
    assert released(clinic, vault, terms[0]) == b"record 0"
    entry, before = vault.book.entry(terms[0].resource), vault.book.generation
    ask(vault, [terms[0].holder], ASKED_S)
    assert receipt_of(vault, terms[0].resource) is None
    done = proceed(vault, clinic.hospital, nothing_pending, NOW_S)

    (receipt,) = done.receipts
    check_receipt(receipt, clinic.registry)
    assert receipt == receipt_of(vault, terms[0].resource) and done.waiting == {}
    assert (receipt.holder, receipt.time_s) == (terms[0].holder, NOW_S)
    assert not vault.store.has(entry.cid) and vault.book.entry(terms[0].resource) is None
    assert before not in vault.keys.generations() and vault.keys.generations() == (vault.book.generation,)
    answer = clinic.ask(terms[0])
    assert isinstance(answer, AccessDenied) and answer.reason is Denial.ERASED
    for i in (1, 2):
        assert released(clinic, vault, terms[i]) == b"record %d" % i
    assert proceed(vault, clinic.hospital, nothing_pending, NOW_S + 1).receipts == ()
    with pytest.raises(NotKept):
        ask(vault, [terms[0].holder], ASKED_S)


def test_receipt_that_is_changed_or_without_tombstone_is_false(clinic, tmp_path):
    vault, terms = filled(clinic, tmp_path)
    clinic.enrol(terms[0])
    ask(vault, [terms[0].holder, terms[1].holder], ASKED_S)
    good, unknown = sorted(
        proceed(vault, clinic.hospital, nothing_pending, NOW_S).receipts,
        key=lambda r: r.holder != terms[0].holder,
    )
    check_receipt(good, clinic.registry)
    with pytest.raises(FalseReceipt, match="no tombstone"):
        check_receipt(unknown, clinic.registry)  # the record was never enrolled
    for changes in (
        {"time_s": NOW_S + 1},
        {"resource": terms[2].resource},
        {"signature": b""},
        {"holder": patient(7).address},
    ):
        with pytest.raises(FalseReceipt):
            check_receipt(replace(good, **changes), clinic.registry)
    with pytest.raises(ValueError, match="expected the key of"):
        proceed(vault, clinic.other_hospital, nothing_pending, NOW_S)


def test_erasure_waits_for_the_rows_audits(clinic, tmp_path):
    vault, terms = filled(clinic, tmp_path)
    for i in range(3):
        clinic.granted(i)
    own = clinic.granted(0, grantee=clinic.hospital.address, status_index=9)
    ask(vault, [terms[0].holder, terms[1].holder], ASKED_S)
    pending = {terms[0].resource: ["audit 3 of round 2"]}
    done = proceed(vault, clinic.hospital, lambda r: pending.get(r, ()), NOW_S)
    assert [r.resource for r in done.receipts] == [terms[1].resource]
    assert done.waiting == {terms[0].resource: ("audit 3 of round 2",)}
    assert vault.book.erasure(terms[0].resource).step is Step.ASKED
    request = clinic.ask(own, sender=clinic.hospital, recipient=public_key(PRIVATE)).request_id
    sealed = vault.release(request, 0, secrets.token_bytes)  # the row can still be proven
    assert open_release(sealed, PRIVATE, clinic.registry.domain, request).data == b"record 0"
    pending.clear()
    (receipt,) = proceed(vault, clinic.hospital, lambda r: pending.get(r, ()), NOW_S + 60).receipts
    check_receipt(receipt, clinic.registry)


class Crash(BaseException):
    """Nothing catches it."""


def places(clinic: Clinic, folder: Path) -> list[str]:
    vault, terms = filled(clinic, folder)
    clinic.enrol(*terms)
    seen: list[str] = []
    ask(vault, [terms[0].holder, terms[1].holder], ASKED_S)
    proceed(vault, clinic.hospital, nothing_pending, NOW_S, seen.append)
    return seen


PLACES = 9


@pytest.mark.parametrize("at", range(PLACES))
def test_crash_at_any_place_ends_in_the_same_state(clinic, tmp_path, at):
    vault, terms = filled(clinic, tmp_path)
    clinic.enrol(*terms)
    ask(vault, [terms[0].holder, terms[1].holder], ASKED_S)
    seen: list[str] = []

    def crash(place: str) -> None:
        seen.append(place)
        if len(seen) == at + 1:
            raise Crash

    with pytest.raises(Crash):
        proceed(vault, clinic.hospital, nothing_pending, NOW_S, crash)
    again = vault_of(clinic, tmp_path)  # all that is left is on disk and on chain
    left = [t.resource for t in terms[:2] if again.book.entry(t.resource)]
    assert left in ([], [t.resource for t in terms[:2]])  # never half the keys
    assert again.book.entry(terms[2].resource)
    proceed(again, clinic.hospital, nothing_pending, NOW_S + 1)
    check_final(clinic, again, terms)


def check_final(clinic: Clinic, vault: Vault, terms) -> None:
    assert [e.resource for e in vault.book.entries()] == [terms[2].resource]
    assert vault.store.objects() == [vault.book.entries()[0].cid]
    assert vault.keys.generations() == (vault.book.generation,)
    for each in terms[:2]:
        check_receipt(receipt_of(vault, each.resource), clinic.registry)
    head = clinic.system.node.web3.eth.block_number
    stones = [e.resource for e in clinic.registry.history(0, head) if isinstance(e, RecordErased)]
    assert sorted(stones) == sorted(t.resource for t in terms[:2])
    clinic.granted(2)
    assert released(clinic, vault, terms[2]) == b"record 2"


def test_every_place_is_tried(clinic, tmp_path):
    seen = places(clinic, tmp_path)
    assert len(seen) == PLACES and seen.count("before a ciphertext") == 2


def test_crash_while_keys_are_wrapped_again_changes_nothing(clinic, tmp_path, monkeypatch):
    vault, terms = filled(clinic, tmp_path)
    clinic.enrol(*terms)
    ask(vault, [terms[0].holder, terms[1].holder], ASKED_S)

    def crash(*_: object) -> bytes:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(vault, "rewrapped", crash)
        with pytest.raises(Crash):
            proceed(vault, clinic.hospital, nothing_pending, NOW_S)
    assert len(vault.book.entries()) == 3
    proceed(vault_of(clinic, tmp_path), clinic.hospital, nothing_pending, NOW_S)
    check_final(clinic, vault_of(clinic, tmp_path), terms)


def test_power_cut_inside_the_transaction_is_rolled_back_and_wiped(tmp_path):
    """The process is killed with half of the pages written: the journal brings them back, and is wiped then."""
    book = Book(tmp_path / "book", lambda: 1)
    entries = [Entry(keccak(b"%d" % i), f"holder {i}", "cid", secrets.token_bytes(60)) for i in range(100)]
    for entry in entries:
        book.add(entry, 1)
    if (child := os.fork()) == 0:
        import bfl_ref.vault.book as module

        def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        real = module.sqlite3.connect

        def small(*args, **kwargs):
            connection = real(*args, **kwargs)
            connection.execute("PRAGMA cache_size = 2")  # pages go to disk before the end
            return connection

        module.sqlite3.connect = small
        module._advance = die
        Book(tmp_path / "book", lambda: 1).forget(
            [e.resource for e in entries[:40]], 2, lambda entry: secrets.token_bytes(60)
        )
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (tmp_path / "book-journal").stat().st_size > 0
    again = Book(tmp_path / "book", lambda: 1)
    assert sorted(again.entries(), key=lambda e: e.resource) == sorted(entries, key=lambda e: e.resource)
    journal = tmp_path / "book-journal"
    assert again.generation == 1 and (not journal.exists() or journal.stat().st_size == 0)


def test_backup_from_before_restores_nothing(clinic, tmp_path):
    vault, terms = filled(clinic, tmp_path / "live")
    clinic.granted(0)
    backup = tmp_path / "backup"
    for part in ("vault", "store"):  # all but the keys
        shutil.copytree(tmp_path / "live" / part, backup / part)
    ask(vault, [terms[0].holder], ASKED_S)
    proceed(vault, clinic.hospital, nothing_pending, NOW_S)
    shutil.copytree(tmp_path / "live" / "keys", backup / "keys")
    restored = vault_of(clinic, backup)
    assert len(restored.book.entries()) == 3
    for entry in restored.book.entries():
        with pytest.raises(NoSuchGeneration):
            restored.rewrapped(entry, restored.book.generation, vault.book.generation)


def test_erasing_many_takes_seconds(clinic, tmp_path):
    """1,000 patients in 60 s at full count, all others' keys wrapped again, tombstones on chain and receipts included."""
    vault, terms = filled(clinic, tmp_path, PATIENTS + 5)
    for start in range(0, len(terms), 300):
        clinic.enrol(*terms[start : start + 300])
    ask(vault, [each.holder for each in terms[:PATIENTS]], ASKED_S)
    started = time.perf_counter()
    done = proceed(vault, clinic.hospital, nothing_pending, NOW_S)
    seconds = time.perf_counter() - started
    assert len(done.receipts) == PATIENTS and len(vault.book.entries()) == 5
    assert seconds < 60 * PATIENTS / 1000, f"{seconds:.1f} s for {PATIENTS}"


CHILD = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
folder, source, talk, permission = Path(sys.argv[2]), *map(int, sys.argv[3:])
from consent_cases import open_clinic
from bfl_ref.chain.events import AccessDenied, RecordErased
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import Denial
from bfl_ref.sealing import public_key
from bfl_ref.store import FolderStore
from bfl_ref.vault import FileKeys, Vault, ask, proceed
from bfl_ref.vault.buffers import secret

lengths = []

def fill(buffer):
    view = memoryview(buffer)
    lengths.append(len(view))
    while view:
        view = view[os.readv(source, [view]):]

def say(stage):
    os.write(talk, (json.dumps([stage, lengths]) + "\\n").encode())
    os.read(permission, 1)

class Watched(FileKeys):
    def wrap(self, generation, key, context):
        say("wrapping")
        return super().wrap(generation, key, context)

with open_chain() as node:
    clinic = open_clinic(node)
    keys = Watched(folder / "keys", fill)
    vault = Vault(folder / "vault", FolderStore(folder / "store"), keys, clinic.registry, clinic.hospital.address, fill)
    for i in range(3):
        terms = clinic.granted(i)
        with secret(100) as data, secret(32) as salt:
            fill(data)
            fill(salt)
            vault.put(terms.holder, terms.resource, data, salt)
    request = clinic.ask(clinic.terms(0), recipient=public_key(bytes(range(32)))).request_id
    vault.release(request, 0, os.urandom)
    say("before")
    ask(vault, [clinic.terms(i).holder for i in (0, 1)], 1)
    proceed(vault, clinic.hospital, lambda resource: (), 2)
    say("after")
"""


def memory(pid: int) -> bytes:
    """All readable memory of a process."""
    parts = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            fields = line.split()
            if fields[1].startswith("r") and fields[-1] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                start, end = (int(x, 16) for x in fields[0].split("-"))
                file.seek(start)
                try:
                    parts.append(file.read(end - start))
                except OSError:  # a mapping that nobody may read after all
                    continue
    return b"\n".join(parts)


def found(secret_bytes: bytes, where: bytes) -> bool:
    """Whole, or any aligned eight of its bytes."""
    return any(secret_bytes[i : i + 8] in where for i in range(0, len(secret_bytes) - 7, 8))


def on_disk(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_key_byte_stays_in_memory_or_on_disk(tmp_path):
    """Another process runs the vault with key bytes that this one hands it through a pipe, and reads all it has."""
    stream = secrets.token_bytes(2000)
    source, feed = os.pipe()
    listen, talk = os.pipe()
    permission, permit = os.pipe()
    os.write(feed, stream)
    arguments = [str(Path(__file__).parent), str(tmp_path), *map(str, (source, talk, permission))]
    command = [sys.executable, "-c", CHILD, *arguments]
    child = subprocess.Popen(command, pass_fds=(source, talk, permission))
    os.close(talk)
    wrappings = 0
    drawn: list[bytes] = []  # what each fill got
    try:
        with open(listen) as stages:
            for line in stages:
                stage, lengths = json.loads(line)
                ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
                drawn = [stream[end - size : end] for end, size in zip(ends, lengths, strict=True)]
                held = [
                    each for each in drawn if len(each) >= 32
                ]  # keys, records, salts; the others are nonces
                files, process = on_disk(tmp_path), memory(child.pid)
                if stage == "wrapping":
                    wrappings += 1
                    if wrappings == 1:  # the scan sees a key that is there
                        generation, data_key = [each for each in drawn if len(each) == 32][0::2]
                        assert found(data_key, process) and found(generation, files)
                if stage == "before":
                    assert not any(found(each, process) for each in held)
                    book = Book(tmp_path / "vault/vault.sqlite", lambda: 1)
                    erased = [e.wrapped for e in book.entries() if e.holder != patient(2).address]
                    assert len(erased) == 2 and all(found(each, files) for each in erased)
                if stage == "after":
                    assert not any(found(each, process) for each in held)
                    (kept,) = (each for each in held if found(each, files))
                    assert kept != generation  # the new one, in its file
                    assert not any(found(each, files) for each in erased)
                os.write(permit, b"x")
        assert stage == "after" and wrappings == 4
        assert child.wait(timeout=60) == 0
    finally:
        child.kill()
        child.wait()
        for handle in (source, feed, permission, permit):
            os.close(handle)
