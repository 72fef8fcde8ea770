"""The segment proof proven and verified; and the quick check of forged traces held against the full one."""

import copy
from functools import cache

import numpy as np
import pytest
from stark_cases import DOMAIN, FULL
from test_statement_training_rows import CASES as FALSE_ROWS
from test_statement_training_unpacking import CASES as FALSE_BYTES
from test_statement_training_update import CASES as FALSE_UPDATES
from training_cases import example, forge, honest, training
from training_checks import broken, refusals

from bfl_ref.stark.field import F
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import RejectedProof
from bfl_ref.stark.setup import Domain, params_for, setup
from bfl_ref.stark.solidity.statements import training_setup
from bfl_ref.stark.trace import check_trace
from bfl_ref.stark.verifier import verify
from bfl_ref.statements import training as statement
from bfl_ref.statements.training import Training


def test_fast_check_and_check_trace_agree():
    step = example(1)
    rng = np.random.default_rng(1)
    right, public = honest(step)
    assert broken(step, right, public) == set()
    for _ in range(3):
        trace = right.copy()
        trace[rng.integers(len(trace)), rng.integers(trace.shape[1])] += F(1)
        assert broken(step, trace, public) == refusals(step, trace, public)


@pytest.mark.parametrize("left_out", ["clipped elsewhere", "flag 5 is a bit", "division", "rows"])
def test_without_a_constraint_its_false_step_passes_check_trace(left_out):
    class Mutant(Training):
        def transition(self, cur, nxt, k):
            return [c for c in super().transition(cur, nxt, k) if c[0] != left_out]

        def everywhere(self, cur, nxt, k):
            return [c for c in super().everywhere(cur, nxt, k) if c[0] != left_out]

        def boundary(self, cur, public, k):
            return [c for c in super().boundary(cur, public, k) if c[0] != left_out]

    mutant = copy.copy(training(1))
    mutant.__class__ = Mutant
    for name, case in [*FALSE_ROWS, *FALSE_BYTES, *FALSE_UPDATES]:
        if name == left_out:
            *_, step, edits = case(1)
            trace, public = forge(step, **edits)
            check_trace(mutant, trace, public)
            assert refusals(step, trace, public) == {left_out}


@cache
def proven():
    step = example(1)
    small = setup(training(1), params_for(training(1), target_bits=30, log_blowup=3))
    trace, public = honest(step)
    return small, prove(small, trace, public, DOMAIN), public.tolist()


def test_proof_is_accepted_and_refused_for_any_other_public_input_or_domain():
    small, proof, public = proven()
    verify(small, proof, public, DOMAIN)
    for i in range(statement.PUBLIC_INPUTS) if FULL else (0, 15, 23, 31, 35, 37, 45):
        claimed = list(public)
        claimed[i] = (claimed[i] + 1) % F.order
        with pytest.raises(RejectedProof):
            verify(small, proof, claimed, DOMAIN)
    for domain in (
        Domain(DOMAIN.chain_id + 1, DOMAIN.contract, DOMAIN.round_id, DOMAIN.prover),
        Domain(DOMAIN.chain_id, DOMAIN.prover, DOMAIN.round_id, DOMAIN.prover),
        Domain(DOMAIN.chain_id, DOMAIN.contract, DOMAIN.round_id + 1, DOMAIN.prover),
        Domain(DOMAIN.chain_id, DOMAIN.contract, DOMAIN.round_id, DOMAIN.contract),
    ):
        with pytest.raises(RejectedProof):
            verify(small, proof, public, domain)


@pytest.mark.parametrize("halves", [1, 2])
def test_contracts_take_proofs_of_a_hundred_proven_bits(halves):
    assert training_setup(halves).security.bits >= 100
