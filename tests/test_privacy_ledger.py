"""The ledger composes, refuses, and forgets nothing: not by a restart, an aborted round, a crash or a second process."""

import math
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bfl_ref.fixed_point import Hyper
from bfl_ref.privacy.accounting import claim, gaussian_epsilon
from bfl_ref.privacy.ledger import (
    BudgetExhausted,
    Charge,
    DamagedLedger,
    Ledger,
    approximate_charge,
    gaussian_charge,
    steps_charge,
)
from bfl_ref.privacy.renyi import ORDERS

DELTA = 1e-5
STEP = gaussian_charge(5.0, 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "privacy.ledger"


def new(path, epsilon=3.0):
    return Ledger.create(path, "SVI", epsilon, DELTA, patients=2000)


def test_charges_compose_as_one_accountant_would_and_survive_a_restart(path):
    ledger = new(path)
    assert ledger.spent == 0 and ledger.spent_micro == 0
    for round_id in (1, 2, 3):
        ledger.charge("thyroid", round_id, STEP)
    again = Ledger(path)
    assert again.spent == ledger.spent == pytest.approx(gaussian_epsilon(5.0, 3, DELTA), rel=1e-12)
    assert (again.hospital, again.epsilon, again.delta) == ("SVI", 3.0, DELTA)
    assert again.rounds() == [("thyroid", 1), ("thyroid", 2), ("thyroid", 3)]


def test_all_rounds_of_integer_steps_cost_what_was_claimed(path):
    hyper = Hyper(2, 256, 1, 60)
    whole = claim(hyper, 10, DELTA)
    ledger = new(path, epsilon=100.0)
    for round_id in range(5):
        ledger.charge("thyroid", round_id, steps_charge(hyper, hyper.epochs, whole.mass))
    assert ledger.spent == pytest.approx(whole.epsilon, rel=1e-9)


def test_tasks_and_mechanisms_share_one_budget(path):
    ledger = new(path, 5.0)
    ledger.charge("thyroid", 1, STEP)
    alone = ledger.spent
    both = ledger.charge("heart", 1, approximate_charge(1.0, 1e-6))
    assert alone < both <= alone + 1.0 + 0.2 and ledger.spent == both


def test_the_budget_is_never_passed_and_the_error_names_the_numbers(path):
    ledger, passed = new(path, 1.5), 0
    with pytest.raises(BudgetExhausted) as refused:
        for passed in range(100):
            ledger.charge("thyroid", passed, STEP)
    assert (
        passed == 3 and ledger.spent == pytest.approx(gaussian_epsilon(5.0, 3, DELTA)) and ledger.spent <= 1.5
    )
    error = refused.value
    assert error.spent == ledger.spent and error.asked == pytest.approx(gaussian_epsilon(5.0, 4, DELTA))
    assert error.budget == 1.5 and all(f"{v:.4g}" in str(error) for v in (error.spent, error.asked, 1.5))
    assert ledger.rounds() == [("thyroid", r) for r in range(passed)]


def test_training_without_noise_or_with_too_large_an_event_is_refused(path):
    ledger = new(path)
    with pytest.raises(BudgetExhausted, match="inf"):
        ledger.charge("thyroid", 1, Charge((math.inf,) * len(ORDERS)))
    with pytest.raises(BudgetExhausted):
        ledger.charge("thyroid", 1, Charge((0.0,) * len(ORDERS), mass=DELTA))
    assert ledger.spent == 0


def test_posted_number_is_rounded_up(path):
    ledger = new(path)
    ledger.charge("thyroid", 1, STEP)
    assert 0 <= ledger.spent_micro - ledger.spent * 1e6 < 1


def test_an_aborted_round_has_paid_and_its_repetition_pays_again(path):
    ledger = new(path)
    first = ledger.charge("thyroid", 1, STEP)
    with pytest.raises(RuntimeError):
        ledger.charge("thyroid", 2, STEP)
        raise RuntimeError("the round aborts while training")
    assert ledger.spent > first
    assert ledger.charge("thyroid", 2, STEP) == pytest.approx(gaussian_epsilon(5.0, 3, DELTA))


CRASH = """
import os, sys
from bfl_ref.privacy.ledger import Ledger, gaussian_charge
ledger = Ledger(sys.argv[1])
if sys.argv[2] == "after":
    ledger.charge("thyroid", 1, gaussian_charge(5.0, 1))
else:
    with ledger._open() as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO charges (task, round_id, divergences, mass) VALUES ('thyroid', 1, '[]', 0)")
        os._exit(9)
os._exit(9)
"""


@pytest.mark.parametrize("when, charged", [("after", 1), ("within", 0)])
def test_a_killed_process_leaves_a_whole_charge_or_none(path, when, charged):
    new(path)
    assert subprocess.run([sys.executable, "-c", CRASH, str(path), when], check=False).returncode == 9
    again = Ledger(path)
    assert len(again.rounds()) == charged and (again.spent > 0) == bool(charged)
    again.charge("thyroid", 2, STEP)


def test_two_at_once_cannot_both_take_the_last_of_the_budget(path):
    new(path, gaussian_epsilon(5.0, 3, DELTA) + 1e-9)

    def ask(round_id):
        try:
            Ledger(path).charge("thyroid", round_id, STEP)
        except BudgetExhausted:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(16))) == 3
    assert len(Ledger(path).rounds()) == 3


def test_a_lost_or_second_ledger_is_no_fresh_budget(path):
    with pytest.raises(FileNotFoundError, match="no ledger"):
        Ledger(path)
    ledger = new(path)
    ledger.charge("thyroid", 1, STEP)
    with pytest.raises(FileExistsError):
        new(path, 50.0)
    assert Ledger(path).spent == ledger.spent


def test_a_damaged_ledger_is_refused_by_name(path):
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(DamagedLedger):
        Ledger(path)
    path.write_bytes(b"")
    with pytest.raises(DamagedLedger):
        Ledger(path)
    path.unlink()
    ledger = new(path)
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO charges VALUES (1, 'thyroid', 1, '[0.1', 0)")
    connection.commit()
    connection.close()
    with pytest.raises(DamagedLedger):
        ledger.charge("thyroid", 2, STEP)


def test_bad_budgets_and_charges_are_named(path):
    with pytest.raises(ValueError, match="epsilon"):
        Ledger.create(path, "SVI", 0.0, DELTA)
    with pytest.raises(ValueError, match="delta: expected above 0 and below 1/n"):
        Ledger.create(path, "SVI", 1.0, 1e-3, patients=1000)
    assert not path.exists()
    for wrong in (lambda: Charge((1.0,)), lambda: Charge((-1.0,) * len(ORDERS))):
        with pytest.raises(ValueError, match="divergences"):
            wrong()
    with pytest.raises(ValueError, match="ratio above 0"):
        gaussian_charge(0.0, 1)
