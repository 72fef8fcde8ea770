"""What a vault keeps on disk: wrapped keys, decisions that were used, erasures under way. SQLite, and nothing left behind.

A row that is deleted or overwritten is zeroed in its page (`secure_delete`), freed pages too. There is no write-ahead log,
which would keep old pages for long; the rollback journal holds them during a transaction, and is overwritten with zeros and
cut to nothing after it, by whoever opens the book next if a crash came between. (After a crash inside a transaction SQLite
brings the old pages back and removes the journal: it held nothing that the book does not hold again.) What a disk keeps of
removed files is covered by the generations of `keys`. One process at a time, by a lock on a file beside the book, so that
nobody overwrites a journal that another needs. Every change is on disk when the method returns.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

_SCHEMA = """
CREATE TABLE book (generation INTEGER NOT NULL);
CREATE TABLE records (
  resource BLOB PRIMARY KEY, holder TEXT NOT NULL UNIQUE, cid TEXT NOT NULL, wrapped BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE used (request_id INTEGER PRIMARY KEY);
CREATE TABLE erasures (
  resource BLOB PRIMARY KEY, holder TEXT NOT NULL, cid TEXT NOT NULL, asked_s INTEGER NOT NULL, step INTEGER NOT NULL,
  time_s INTEGER, signature BLOB
) WITHOUT ROWID;
"""


class AlreadyKept(ValueError):
    """The patient, or the record, is in the book: one record a patient, one patient a record."""


class DecisionUsed(Exception):
    """The decision has released its record once. request_id."""

    def __init__(self, request_id: int) -> None:
        super().__init__(f"request {request_id} was answered before")
        self.request_id = request_id


class DamagedBook(Exception):
    """The file is not a vault's book, or not readable."""


class Step(IntEnum):
    """How far an erasure has come; each is durable before the next begins."""

    ASKED = 0
    CIPHERTEXT_REMOVED = 1
    KEY_DESTROYED = 2
    TOMBSTONED = 3
    RECEIPT_SIGNED = 4


@dataclass(frozen=True)
class Entry:
    """A record that is kept. wrapped: its data key, by the book's generation."""

    resource: bytes
    holder: str
    cid: str
    wrapped: bytes


@dataclass(frozen=True)
class Erasure:
    """asked_s, time_s: Unix seconds of the patient's wish and of the receipt. signature: of the receipt."""

    resource: bytes
    holder: str
    cid: str
    asked_s: int
    step: Step
    time_s: int | None
    signature: bytes | None


class Book:
    """`Book(path)` opens or makes one. first_generation(): called for a new book only."""

    def __init__(self, path: Path | str, first_generation: Callable[[], int]) -> None:
        self.path = Path(path)
        with self._open() as connection:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.executescript("BEGIN;" + _SCHEMA)
                connection.execute("INSERT INTO book VALUES (?)", (first_generation(),))
                connection.commit()
        if self.generation < 1:
            raise DamagedBook(f"{self.path}: expected a generation from 1 on, got {self.generation}")

    @property
    def generation(self) -> int:
        """By which all keys in the book are wrapped."""
        with self._open() as connection:
            return int(connection.execute("SELECT generation FROM book").fetchone()[0])

    def add(self, entry: Entry, generation: int) -> None:
        """AlreadyKept, also for a record whose erasure was asked for.

        ValueError if the generation is no longer the book's.
        """
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            (now,) = connection.execute("SELECT generation FROM book").fetchone()
            if now != generation:
                raise ValueError(f"expected a key wrapped by generation {now}, got one by {generation}")
            asked = connection.execute(
                "SELECT 1 FROM erasures WHERE resource = ?", (entry.resource,)
            ).fetchone()
            try:
                if asked:
                    raise sqlite3.IntegrityError
                row = entry.resource, entry.holder, entry.cid, entry.wrapped
                connection.execute("INSERT INTO records VALUES (?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise AlreadyKept(f"{entry.holder} or 0x{entry.resource.hex()} is in the book") from None
            connection.commit()

    def entry(self, resource: bytes) -> Entry | None:
        with self._open() as connection:
            row = connection.execute("SELECT * FROM records WHERE resource = ?", (resource,)).fetchone()
        return Entry(*row) if row else None

    def entries(self) -> list[Entry]:
        with self._open() as connection:
            return [Entry(*row) for row in connection.execute("SELECT * FROM records")]

    def use(self, request_id: int) -> None:
        """Once; then DecisionUsed."""
        with self._open() as connection:
            try:
                connection.execute("INSERT INTO used VALUES (?)", (request_id,))
            except sqlite3.IntegrityError:
                raise DecisionUsed(request_id) from None

    def ask_erasure(self, holders: Sequence[str], now_s: int) -> None:
        """Puts down the wish of each patient who is in the book; again: nothing changes."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR IGNORE INTO erasures "
                "SELECT resource, holder, cid, ?, 0, NULL, NULL FROM records WHERE holder = ?",
                [(now_s, holder) for holder in holders],
            )
            connection.commit()

    def erasure(self, resource: bytes) -> Erasure | None:
        return next((e for e in self.erasures() if e.resource == resource), None)

    def erasures(self, step: Step | None = None) -> list[Erasure]:
        """All, or those at one step."""
        with self._open() as connection:
            rows = connection.execute("SELECT * FROM erasures ORDER BY asked_s, resource").fetchall()
        found = [
            Erasure(r, holder, cid, asked, Step(step), *end) for r, holder, cid, asked, step, *end in rows
        ]
        return [erasure for erasure in found if step in (None, erasure.step)]

    def advance(self, resources: Sequence[bytes], step: Step) -> None:
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            _advance(connection, resources, step)
            connection.commit()

    def forget(self, resources: Sequence[bytes], generation: int, rewrap: Callable[[Entry], bytes]) -> None:
        """At once: deletes these wrapped keys, wraps all others by the next generation, and puts both down.

        rewrap: the entry's key, wrapped by `generation`.
        """
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM records WHERE resource = ?", [(r,) for r in resources])
            stay = [Entry(*row) for row in connection.execute("SELECT * FROM records")]
            connection.executemany(
                "UPDATE records SET wrapped = ? WHERE resource = ?", [(rewrap(e), e.resource) for e in stay]
            )
            connection.execute("UPDATE book SET generation = ?", (generation,))
            _advance(connection, resources, Step.KEY_DESTROYED)
            connection.commit()

    def sign_off(self, receipts: Sequence[tuple[bytes, int, bytes]]) -> None:
        """(resource, time, signature) of receipts: the last step."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE erasures SET time_s = ?, signature = ? WHERE resource = ?",
                [(time_s, signature, resource) for resource, time_s, signature in receipts],
            )
            _advance(connection, [receipt[0] for receipt in receipts], Step.RECEIPT_SIGNED)
            connection.commit()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection that rolls back whatever is not committed, alone with the file; the journal is wiped at both ends."""
        with open(f"{self.path}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection = sqlite3.connect(self.path, isolation_level=None)
            try:
                for pragma in (
                    "journal_mode = PERSIST",
                    "secure_delete = ON",
                    "synchronous = FULL",
                    "temp_store = MEMORY",
                ):
                    connection.execute(f"PRAGMA {pragma}").fetchall()
                connection.execute(
                    "SELECT count(*) FROM sqlite_master"
                ).fetchall()  # a crashed change is rolled back
                self._wipe_journal()
                yield connection
            except sqlite3.DatabaseError as error:
                raise DamagedBook(f"{self.path}: {error}") from error
            finally:
                connection.close()
                self._wipe_journal()

    def _wipe_journal(self) -> None:
        """Only while no transaction is open and none needs rolling back."""
        try:
            handle = os.open(f"{self.path}-journal", os.O_WRONLY)
        except FileNotFoundError:
            return
        try:
            if size := os.fstat(handle).st_size:
                os.write(handle, bytes(size))
                os.fsync(handle)
                os.ftruncate(handle, 0)
        finally:
            os.close(handle)


def _advance(connection: sqlite3.Connection, resources: Sequence[bytes], step: Step) -> None:
    connection.executemany(
        "UPDATE erasures SET step = ? WHERE resource = ? AND step < ?",
        [(step, resource, step) for resource in resources],
    )
