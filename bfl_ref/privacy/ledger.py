"""One hospital's privacy budget: what its patients' rows have paid for, over all rounds and tasks.

    spent = epsilon_of(sum of charges' divergences, delta - sum of their masses)        composition of Renyi divergences,
    order by order

Charged BEFORE training: a hospital that crashes, or whose round is aborted, has paid; nothing is ever given back, since
noise that was drawn may have been seen. Every charge counts, a repeated one again. The sum is over the whole of a
hospital: a patient who is in one segment only is charged for all rounds, not for all segments, see `accounting`.

The file is SQLite: a charge is one transaction that reads the sum, checks and writes under an exclusive lock, on disk before
`charge` returns. Sizes of charges are to be fixed by the task's parameters before its first round: composition here is not a
filter for charges that are chosen after looking at earlier outputs.
"""

import json
import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..fixed_point import Hyper
from .accounting import check_budget, divergences, epsilon_of, sampled_divergences
from .renyi import ORDERS

MICRO = 1_000_000
_SCHEMA = """
CREATE TABLE budget (hospital TEXT NOT NULL, epsilon REAL NOT NULL, delta REAL NOT NULL, orders TEXT NOT NULL);
CREATE TABLE charges (
  id INTEGER PRIMARY KEY, task TEXT NOT NULL, round_id INTEGER NOT NULL, divergences TEXT NOT NULL, mass REAL NOT NULL
);
"""


@dataclass(frozen=True)
class Charge:
    """Renyi divergences at ORDERS outside an event of `mass`, over all releases of what is charged."""

    divergences: tuple[float, ...]
    mass: float = 0.0

    def __post_init__(self) -> None:
        if len(self.divergences) != len(ORDERS) or not all(d >= 0 for d in self.divergences):
            raise ValueError(
                f"divergences: expected {len(ORDERS)} numbers of at least 0, got {self.divergences}"
            )
        if not 0 <= self.mass < 1:
            raise ValueError(f"mass: expected 0 to 1, got {self.mass}")


def steps_charge(hyper: Hyper, releases: int, mass: float, *, slots: int = 36, copies: int = 1) -> Charge:
    """Mechanism of noisy integer steps. mass: of one release, as `accounting.claim` of the whole task gives it."""
    each = divergences(hyper, mass, slots=slots, copies=copies)
    return Charge(tuple(releases * d for d in each), releases * mass)


def gaussian_charge(ratio: float, releases: int) -> Charge:
    """Gaussian noise of standard deviation ratio * sensitivity: a / (2 ratio^2) each."""
    if not ratio > 0 or releases < 1:
        raise ValueError(f"expected a ratio above 0 and at least 1 release, got {ratio} and {releases}")
    return Charge(tuple(releases * a / (2 * ratio**2) for a in ORDERS))


def sampled_charge(multiplier: float, rate: float, releases: int) -> Charge:
    """DP-SGD: noise of multiplier * clip norm on the sum over a batch that takes each row with probability `rate`."""
    if releases < 1:
        raise ValueError(f"releases: expected at least 1, got {releases}")
    return Charge(tuple((releases * sampled_divergences(multiplier, rate)).tolist()))


def approximate_charge(epsilon: float, delta: float) -> Charge:
    """Anything that is (epsilon, delta)-private, by whatever accountant: min(epsilon, a epsilon^2 / 2) outside an event
    of mass delta.

    Bun and Steinke 2016, proposition 1.4. Loose, but right for every mechanism.
    """
    check_budget(epsilon, delta)
    return Charge(tuple(min(epsilon, a * epsilon**2 / 2) for a in ORDERS), delta)


class BudgetExhausted(Exception):
    """Training would cost more than is left; nothing was charged. spent: until now.  asked: spent afterwards.

    budget: the most.
    """

    def __init__(self, hospital: str, spent: float, asked: float, budget: float) -> None:
        super().__init__(
            f"{hospital}: epsilon {spent:.4g} of {budget:.4g} is spent; this would make it {asked:.4g}"
        )
        self.hospital, self.spent, self.asked, self.budget = hospital, spent, asked, budget


class DamagedLedger(Exception):
    """The file is not a ledger, or not readable. A hospital must not train on the guess that nothing was spent."""


class Ledger:
    """`Ledger.create` once per hospital, then `Ledger(path)`, also after a restart."""

    def __init__(self, path: Path | str) -> None:
        """Open an existing ledger.

        FileNotFoundError if there is none, so that a lost file is not a fresh budget; DamagedLedger.
        """
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"no ledger at {self.path}: Ledger.create makes one, with nothing spent")
        with self._open() as connection:
            rows = connection.execute("SELECT hospital, epsilon, delta, orders FROM budget").fetchall()
        if len(rows) != 1 or json.loads(rows[0][3]) != list(ORDERS):
            raise DamagedLedger(f"{self.path}: expected one budget at orders {ORDERS}, got {rows}")
        self.hospital, self.epsilon, self.delta = str(rows[0][0]), float(rows[0][1]), float(rows[0][2])

    @classmethod
    def create(
        cls, path: Path | str, hospital: str, epsilon: float, delta: float, patients: int | None = None
    ) -> "Ledger":
        """A new ledger with nothing spent.

        ValueError for a budget that makes no sense; FileExistsError: a budget is fixed once.
        """
        check_budget(epsilon, delta, patients)
        path = Path(path)
        path.touch(exist_ok=False)
        connection = sqlite3.connect(path)
        try:
            connection.executescript("BEGIN;" + _SCHEMA)
            row = hospital, epsilon, delta, json.dumps(ORDERS)
            connection.execute("INSERT INTO budget VALUES (?, ?, ?, ?)", row)
            connection.commit()
        finally:
            connection.close()
        return cls(path)

    def charge(self, task: str, round_id: int, charge: Charge) -> float:
        """Charge, then return the epsilon spent. BudgetExhausted, and nothing charged, if that would exceed the budget."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            spent, asked = self._spent(connection), self._spent(connection, charge)
            if not asked <= self.epsilon:
                raise BudgetExhausted(self.hospital, spent, asked, self.epsilon)
            row = task, round_id, json.dumps(charge.divergences), charge.mass
            connection.execute(
                "INSERT INTO charges (task, round_id, divergences, mass) VALUES (?, ?, ?, ?)", row
            )
            connection.commit()
        return asked

    @property
    def spent(self) -> float:
        """Epsilon spent at the ledger's delta, over everything charged; 0 if nothing was."""
        with self._open() as connection:
            return self._spent(connection)

    @property
    def spent_micro(self) -> int:
        """Millionths of epsilon, rounded up: the number that is posted on chain."""
        return math.ceil(self.spent * MICRO)

    def rounds(self) -> list[tuple[str, int]]:
        """(task, round) of every charge, oldest first."""
        with self._open() as connection:
            return connection.execute("SELECT task, round_id FROM charges ORDER BY id").fetchall()

    def _spent(self, connection: sqlite3.Connection, more: Charge | None = None) -> float:
        rows = connection.execute("SELECT divergences, mass FROM charges").fetchall()
        charges = [Charge(tuple(json.loads(d)), mass) for d, mass in rows] + ([more] if more else [])
        if not charges:
            return 0.0
        left = self.delta - math.fsum(charge.mass for charge in charges)
        if left <= 0:
            return math.inf
        return epsilon_of(np.sum([charge.divergences for charge in charges], axis=0), left)

    @property
    def budget_micro(self) -> int:
        """The budget in the same units."""
        return math.ceil(self.epsilon * MICRO)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection that rolls back whatever is not committed."""
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
            raise DamagedLedger(f"{self.path}: {error}") from error
        finally:
            connection.close()


@dataclass(frozen=True)
class Budget:
    """A hospital's ledger, and what each round of the task at hand costs."""

    ledger: Ledger
    charge: Charge

    def pay(self, task: str, round_id: int) -> int:
        """Charge one round; millionths of epsilon spent with it. BudgetExhausted."""
        self.ledger.charge(task, round_id, self.charge)
        return self.ledger.spent_micro
