"""The rollup's statement: the trace of every batch that the ledger takes is right, and says what the ledger says."""

import os
from functools import cache

import pytest
from rollup_cases import DOMAIN, make

from bfl_ref.rollup.ledger import apply
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements.rollup import Rollup, fill

BATCHES = 10_000 if os.environ.get("BFL_FULL") else 12


@cache
def rollup(accounts: int) -> Rollup:
    return Rollup(accounts)


@pytest.mark.parametrize("seed", range(BATCHES))
def test_batch_of_the_ledger_is_a_trace(seed):
    case = make(seed, 8 + seed % 70, 4)
    trace, public, data = fill(rollup(4), case.tree, case.batch, DOMAIN)
    check_trace(rollup(4), trace, public, data)
    applied = apply(case.tree, case.batch, DOMAIN)
    assert data == applied.data
    assert public.tolist() == [*case.tree.root, *applied.tree.root, *DOMAIN]
