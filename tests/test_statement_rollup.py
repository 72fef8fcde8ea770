"""The rollup's statement: the trace of every batch that the ledger takes is right, and says what the ledger says."""

from rollup_cases import DOMAIN, make
from rollup_trace_checks import broken
from rollup_trace_parts import rollup
from stark_cases import FULL

from bfl_ref.rollup.ledger import apply, replay
from bfl_ref.statements.rollup import fill

BATCHES = 10_000 if FULL else 12


def test_batches_of_the_ledger_are_traces():
    for seed in range(BATCHES):
        case = make(seed, 8 + seed % 70, 4)
        trace, public, data = fill(rollup(), case.tree, case.batch, DOMAIN)
        assert broken(rollup(), trace, public, data) == set(), f"seed {seed}"
        applied = apply(case.tree, case.batch, DOMAIN)
        assert data == applied.data, f"seed {seed}"
        assert public.tolist() == [*case.tree.root, *applied.tree.root, *DOMAIN], f"seed {seed}"
        assert replay(case.tree, data, applied.tree.root).root == applied.tree.root, f"seed {seed}"
