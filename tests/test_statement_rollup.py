"""The rollup's statement: the trace of every batch that the ledger takes is right, and says what the ledger says."""

import copy
import re

import numpy as np
import pytest
from rollup_cases import DOMAIN, make
from rollup_trace_cases import alone, busy, forge, leaving, served
from rollup_trace_checks import broken
from rollup_trace_parts import rollup
from stark_cases import FULL
from test_statement_rollup_accounts import CASES as ACCOUNTS
from test_statement_rollup_entries import CASES as ENTRIES
from test_statement_rollup_lists import CASES as LISTS

from bfl_ref.rollup.ledger import apply, replay
from bfl_ref.stark.field import F
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements.rollup import Rollup, fill

BATCHES, PARTS = 10_000 if FULL else 12, 4  # parts: for as many processes


@pytest.mark.parametrize("part", range(PARTS))
def test_batches_of_the_ledger_are_traces(part):
    """About 0.13 s each."""
    for seed in range(part, BATCHES, PARTS):
        case = make(seed, 8 + seed % 70, 4)
        trace, public, data = fill(rollup(), case.tree, case.batch, DOMAIN)
        assert broken(rollup(), trace, public, data) == set(), f"seed {seed}"
        applied = apply(case.tree, case.batch, DOMAIN)
        assert data == applied.data, f"seed {seed}"
        assert public.tolist() == [*case.tree.root, *applied.tree.root, *DOMAIN], f"seed {seed}"
        assert replay(case.tree, data, applied.tree.root).root == applied.tree.root, f"seed {seed}"


def test_batches_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected at most 84 entries of 4 accounts, got 85 of"):
        batch = make(1, 85, 4)
        fill(rollup(), batch.tree, batch.batch, DOMAIN)
    with pytest.raises(ValueError, match=r"expected at most 84 entries of 4 accounts, got 40 of [5-8]"):
        batch = make(1, 40, 8)
        fill(rollup(), batch.tree, batch.batch, DOMAIN)


@pytest.mark.parametrize("accounts", [3, 5, 512])
def test_number_of_accounts_is_a_power_of_two(accounts):
    with pytest.raises(ValueError, match=f"expected a power of two from 4 to 256, got {accounts}"):
        Rollup(accounts)


@pytest.mark.parametrize("scene", [alone, busy, leaving, served])
def test_scenes_are_right_where_nothing_is_forged(scene):
    trace, public, data = forge(scene)
    check_trace(rollup(), trace, public, data)
    assert broken(rollup(), trace, public, data) == set()


def named(trace, public, data) -> set[str]:
    """Names of what check_trace finds broken."""
    try:
        check_trace(rollup(), trace, public, data)
    except ValueError as error:
        found = str(error).partition(": ")[2].split("; ")
        return {re.sub(r"^(transition|everywhere) ", "", re.split(r" on row|: ", part)[0]) for part in found}
    return set()


def test_fast_check_and_check_trace_agree():
    rng = np.random.default_rng(1)
    for _ in range(4):
        trace, public, data = forge(busy)
        trace[rng.integers(len(trace)), rng.integers(trace.shape[1])] += F(1)
        assert broken(rollup(), trace, public, data) == named(trace, public, data)


@pytest.mark.parametrize("left_out", ["balance", "header", "signed is a bit", "boundary last list ends"])
def test_without_a_constraint_its_false_trace_passes_check_trace(left_out):
    class Mutant(Rollup):
        def transition(self, cur, nxt, k):
            return [c for c in super().transition(cur, nxt, k) if c[0] != left_out]

        def everywhere(self, cur, nxt, k):
            return [c for c in super().everywhere(cur, nxt, k) if c[0] != left_out]

        def boundary(self, cur, public, k):
            return [c for c in super().boundary(cur, public, k) if f"boundary {c[0]}" != left_out]

    mutant = copy.copy(rollup())
    mutant.__class__ = Mutant
    for name, forged in [*ACCOUNTS, *ENTRIES, *LISTS]:
        if name == left_out:
            trace, public, data = forged()
            check_trace(mutant, trace, public, data)
            assert broken(rollup(), trace, public, data) == {left_out}
