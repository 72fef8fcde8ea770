"""The sequencer's log: what was confirmed, in which order, in which batch. SQLite; whatever is written is on disk at return.

    items     place 1, 2, ..: a list's bytes, or a run of the queue; the batch that took it; why it fell out, if it did
    accounts  the state after the last settled batch, from which the batches that wait can be made again
    proofs    of batches that are not settled

One process at a time, by a lock on a file beside it. A write-ahead log with full synchronisation: a transaction is there
whole, or not at all, wherever the process or the power ends.
"""

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .accounts import Account
from .entries import Entry, decode, encode
from .lists import SignedList
from .mempool import Item

_SCHEMA = """
CREATE TABLE rollup (domain TEXT NOT NULL, settled INTEGER NOT NULL, queued INTEGER NOT NULL);
CREATE TABLE accounts (position INTEGER PRIMARY KEY, elements BLOB NOT NULL);
CREATE TABLE items (
  place INTEGER PRIMARY KEY, digest BLOB UNIQUE, data BLOB NOT NULL, at_s REAL NOT NULL, batch INTEGER, refusal TEXT
);
CREATE INDEX batches ON items (batch, place);
CREATE TABLE proofs (batch INTEGER PRIMARY KEY, proof BLOB NOT NULL);
"""


class LogInUse(Exception):
    """Another sequencer has the log open."""


class DamagedLog(Exception):
    """The file is no log, not readable, or of another rollup."""


class Log:
    """`Log.create` once, then `Log(path, domain)`.   domain: of the rollup, to recognise its log."""

    def __init__(self, path: Path | str, domain: tuple[int, ...]) -> None:
        """FileNotFoundError if there is none: a lost log is not an empty one. LogInUse, DamagedLog."""
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"no log at {self.path}: create one from the main chain's state")
        self._lock = _locked(self.path)
        try:
            self._connection = _connected(self.path)
            found = self._first("SELECT domain FROM rollup")
            if found != str(tuple(domain)):
                raise DamagedLog(f"{self.path}: expected a log of domain {tuple(domain)}, got {found}")
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(
        cls,
        path: Path,
        domain: tuple[int, ...],
        accounts: Mapping[int, Account],
        settled: int,
        queued: int,
    ) -> None:
        """An empty log behind batch `settled` and item `queued` of the queue. FileExistsError."""
        unfinished = path.with_name(path.name + ".new")
        with _locked(path):
            if path.exists():
                raise FileExistsError(f"{path}: there is a log")
            unfinished.unlink(missing_ok=True)
            connection = _connected(unfinished)
            try:
                connection.executescript("BEGIN;" + _SCHEMA)
                connection.execute(
                    "INSERT INTO rollup VALUES (?, ?, ?)", (str(tuple(domain)), settled, queued)
                )
                rows = [(index, account.to_bytes()) for index, account in accounts.items()]
                connection.executemany("INSERT INTO accounts VALUES (?, ?)", rows)
                connection.commit()
            finally:
                connection.close()
            unfinished.rename(path)

    def close(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()
        self._lock.close()

    @property
    def settled(self) -> int:
        """Number of the last batch that is known to be settled."""
        return self._first("SELECT settled FROM rollup")

    @property
    def queued(self) -> int:
        """Number of the last item of the queue that is in the log, or was settled before it began."""
        return self._first("SELECT queued FROM rollup")

    def accounts(self) -> dict[int, Account]:
        """The state after batch `settled`."""
        rows = self._connection.execute("SELECT position, elements FROM accounts")
        return {position: Account.from_bytes(elements) for position, elements in rows}

    def append_list(self, signed: SignedList, digest: bytes, at_s: float) -> Item:
        """The item, on disk. One that fell out gets a new place."""
        with self._writing():
            place = self._insert(digest, signed.to_bytes(), at_s)
        return Item(place, signed.entries, signed, at_s)

    def append_run(self, entries: tuple[Entry, ...], at_s: float) -> Item:
        """Of the queue, the next one; on disk."""
        with self._writing():
            place = self._insert(None, encode(entries), at_s)
            self._connection.execute("UPDATE rollup SET queued = queued + 1")
        return Item(place, entries, None, at_s)

    def place_of(self, digest: bytes) -> int | None:
        """Of a list that is in, or waits for, a batch."""
        return self._first("SELECT place FROM items WHERE digest = ? AND refusal IS NULL", digest)

    def fate_of(self, digest: bytes) -> tuple[int | None, str | None]:
        """(batch that took a list, why it fell out): both None while it waits. ValueError for a list that is not here."""
        rows = self._connection.execute(
            "SELECT batch, refusal FROM items WHERE digest = ?", (digest,)
        ).fetchall()
        if not rows:
            raise ValueError(f"expected the digest of a list in the log, got {digest.hex()}")
        return rows[0]

    def waiting(self) -> list[Item]:
        """In no batch, in order."""
        return [item for _, item in self._items("batch IS NULL AND refusal IS NULL")]

    def batches(self) -> list[tuple[int, list[Item]]]:
        """(number, items in order) of those that are not settled."""
        found: dict[int, list[Item]] = {}
        for number, item in self._items("batch > (SELECT settled FROM rollup)"):
            found.setdefault(number, []).append(item)
        return sorted(found.items())

    def cut(self, number: int, items: Iterable[Item]) -> None:
        """Puts down that the batch takes these."""
        with self._writing():
            self._connection.executemany(
                "UPDATE items SET batch = ? WHERE place = ?", [(number, item.place) for item in items]
            )

    def keep_proof(self, number: int, proof: bytes) -> None:
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO proofs VALUES (?, ?)", (number, proof))

    def proof(self, number: int) -> bytes | None:
        return self._first("SELECT proof FROM proofs WHERE batch = ?", number)

    def settle(self, number: int, changed: Mapping[int, Account]) -> None:
        """Batches up to that number are on the main chain.   changed: accounts as they are then, where they differ."""
        with self._writing():
            self._settle(number, changed)

    def yield_to(
        self, number: int, changed: Mapping[int, Account], inside: Iterable[int], void: Mapping[int, str]
    ) -> None:
        """Batch `number` on the main chain was another's; what is not settled waits again.

        inside: places of items that were in it.  void: place -> why the item fell out.  changed: as for `settle`.
        """
        with self._writing():
            execute = self._connection.executemany
            self._connection.execute("UPDATE items SET batch = NULL WHERE batch >= ?", (number,))
            self._connection.execute("DELETE FROM proofs")
            execute("UPDATE items SET batch = ? WHERE place = ?", [(number, place) for place in inside])
            execute("UPDATE items SET refusal = ? WHERE place = ?", [(w, p) for p, w in void.items()])
            self._settle(number, changed)

    def _settle(self, number: int, changed: Mapping[int, Account]) -> None:
        self._connection.execute("UPDATE rollup SET settled = ?", (number,))
        rows = [(index, account.to_bytes()) for index, account in changed.items()]
        self._connection.executemany("INSERT OR REPLACE INTO accounts VALUES (?, ?)", rows)
        self._connection.execute("DELETE FROM proofs WHERE batch <= ?", (number,))

    def _insert(self, digest: bytes | None, data: bytes, at_s: float) -> int:
        return self._first(
            "INSERT INTO items (digest, data, at_s) VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE SET "
            "place = (SELECT max(place) + 1 FROM items), at_s = excluded.at_s, refusal = NULL RETURNING place",
            digest,
            data,
            at_s,
        )

    def _items(self, condition: str) -> list[tuple[int, Item]]:
        """(batch, item), in order."""
        query = f"SELECT batch, place, digest, data, at_s FROM items WHERE {condition} ORDER BY place"
        rows = self._connection.execute(query)
        return [(batch, _item(*row)) for batch, *row in rows]

    def _first(self, query: str, *values: Any) -> Any:
        with self._reading():
            row = self._connection.execute(query, values).fetchone()
        return row[0] if row else None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise DamagedLog(f"{self.path}: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: all of it is on disk at the end, or nothing."""
        with self._reading():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DamagedLog(f"{path}: {error}") from error
    return connection


def _locked(path: Path) -> IO[str]:
    lock = open(f"{path}.lock", "w")  # noqa: SIM115 - held as long as the log is open
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise LogInUse(f"{path}: another sequencer has it open") from None
    return lock


def _item(place: int, digest: bytes | None, data: bytes, at_s: float) -> Item:
    if digest is None:
        return Item(place, tuple(decode(data)), None, at_s)
    signed = SignedList.from_bytes(data)
    return Item(place, signed.entries, signed, at_s)
