import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stark_cases import DOMAIN, elements, pretending, toy

from bfl_ref.stark.field import F, base
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import OodMismatch
from bfl_ref.stark.trace import check_trace
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.membership import ROWS, Membership, root
from bfl_ref.statements.poseidon2 import compress

AIR = Membership(depth=3)


def tree(leaves: F) -> list[F]:
    """A second Merkle implementation: all levels of a tree over digests (8, 2^k)."""
    levels = [leaves]
    while levels[-1].shape[1] > 1:
        level = levels[-1]
        levels.append(compress(np.concatenate([level[:, 0::2], level[:, 1::2]]).view(F)))
    return levels


@pytest.mark.parametrize("index", range(8))
def test_trace_of_every_leaf_of_a_real_tree_leads_to_its_root(index):
    records = elements(1, 16, 8)
    levels = tree(compress(records))
    siblings = np.stack([level[:, (index >> k) ^ 1] for k, level in enumerate(levels[:-1])]).view(F)
    trace = AIR.trace(records[:, index], siblings, index)
    assert (AIR.public_inputs_of(trace) == levels[-1][:, 0]).all()
    assert (root(records[:, index], siblings, index) == levels[-1][:, 0]).all()
    check_trace(AIR, trace, levels[-1][:, 0])


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 7))
def test_trace_any_path_is_right(seed, index):
    trace = AIR.trace(elements(seed, 16), elements(seed + 1, 3, 8), index)
    check_trace(AIR, trace, AIR.public_inputs_of(trace))


@pytest.mark.parametrize(
    "record, siblings, index, message",
    [(15, (3, 8), 0, "must be"), (16, (2, 8), 0, "must be"), (16, (3, 8), 8, "index must be 0")],
)
def test_trace_wrong_arguments_are_refused(record, siblings, index, message):
    with pytest.raises(ValueError, match=message):
        AIR.trace(elements(1, record), elements(2, *siblings), index)


@pytest.mark.parametrize("depth", [0, 2, 8])
def test_depth_that_does_not_fill_the_trace_is_refused(depth):
    with pytest.raises(ValueError, match="one less than a power of two"):
        Membership(depth)


MID, BIT, CARRY = 16, 17, 18


def cheat(column: int, row: int, by: int = 1) -> F:
    """A right trace up to cell (column, row), which is changed; the rows after it are carried on honestly."""
    trace = AIR.trace(elements(7, 16), elements(8, 3, 8), 5)
    trace[column, row] += base(by)
    if column < MID:  # `mid` follows the state
        trace[MID, row] = _mid(trace[:, row], row)
    for at in range(row, AIR.length - 1):
        state, carry = AIR.step(trace[:, at], at % ROWS)
        trace[: len(state), at + 1] = state  # the other half of a load row, and the bits, stay the witness's
        trace[CARRY:, at + 1] = carry
        trace[MID, at + 1] = _mid(trace[:, at + 1], at + 1)
    return trace


def _mid(column: F, row: int):
    x = column[0] + AIR.periodic["constant"][0, row % ROWS]
    return x * x * x * x * x * x * x


ALONE = [(f"state {i}", i, 16 + r) for i in range(16) for r in (1, 6, 13)] + [
    ("state 3", 3, 12),
    ("state 9", 9, 12),
]
ALONE += [("state 2", 2, 32), ("state 7", 7, 16)]  # a digest that is not the one before's output


@pytest.mark.parametrize("name, column, row", ALONE)
def test_each_state_constraint_alone_refuses_a_wrong_cell(name, column, row):
    """Nothing else is broken: without it the trace would lead from a wrong digest to a root of the cheat's choice."""
    trace = cheat(column, row)
    with pytest.raises(ValueError) as caught:
        check_trace(AIR, trace, AIR.public_inputs_of(trace))
    assert str(caught.value) == f"trace breaks {AIR.name}: transition {name} on rows [{row - 1}] (1 in all)"


@pytest.mark.parametrize("i", range(8))
@pytest.mark.parametrize("row", [17, 20, 31])
def test_each_carry_constraint_alone_refuses_another_feed_forward(i, row):
    trace = cheat(CARRY + i, row)
    with pytest.raises(ValueError) as caught:
        check_trace(AIR, trace, AIR.public_inputs_of(trace))
    assert (
        str(caught.value) == f"trace breaks {AIR.name}: transition carry {i} on rows [{row - 1}] (1 in all)"
    )


@pytest.mark.parametrize("row", [3, 7, 12])
def test_the_mid_constraint_alone_refuses_another_sbox(row):
    trace = cheat(MID, row)
    with pytest.raises(ValueError) as caught:
        check_trace(AIR, trace, AIR.public_inputs_of(trace))
    assert str(caught.value) == f"trace breaks {AIR.name}: everywhere mid on rows [{row}] (1 in all)"


def test_the_bit_constraint_alone_refuses_a_mixture_of_both_orders():
    trace = cheat(BIT, 32, by=2)
    with pytest.raises(ValueError) as caught:
        check_trace(AIR, trace, AIR.public_inputs_of(trace))
    assert str(caught.value) == f"trace breaks {AIR.name}: everywhere bit on rows [32] (1 in all)"


@pytest.mark.parametrize("i", range(8))
def test_each_root_constraint_alone_refuses_another_root(i):
    trace = AIR.trace(elements(7, 16), elements(8, 3, 8), 5)
    claimed = AIR.public_inputs_of(trace).copy()
    claimed[i] += base(1)
    with pytest.raises(ValueError, match=rf": boundary root {i} on row 63$"):
        check_trace(AIR, trace, claimed)


@pytest.mark.parametrize("left_out", ["mid", "bit", "state 3", "carry 5", "root 2"])
def test_without_a_constraint_its_cheat_is_accepted_and_with_it_refused(left_out):
    """The mutation test at full length: AIR, prover and verifier without one constraint."""

    class Mutant(Membership):
        def transition(self, cur, nxt, k):
            return [c for c in super().transition(cur, nxt, k) if c[0] != left_out]

        def everywhere(self, cur, nxt, k):
            return [c for c in super().everywhere(cur, nxt, k) if c[0] != left_out]

        def boundary(self, cur, public, k):
            return [c for c in super().boundary(cur, public, k) if c[0] != left_out]

    cells = {
        "mid": (MID, 7),
        "bit": (BIT, 32, 2),
        "state 3": (3, 20),
        "carry 5": (CARRY + 5, 20),
        "root 2": (0, 0),
    }
    trace = cheat(*cells[left_out])
    public = AIR.public_inputs_of(trace).copy()
    if left_out == "root 2":
        public[2] += base(1)
    mutant, right = toy(Mutant(3), 4), toy(AIR, 4)
    verify(mutant, prove(mutant, trace, public, DOMAIN), public.tolist(), DOMAIN)
    proof = prove(right, trace, public, DOMAIN, kernels=pretending(right))
    with pytest.raises(OodMismatch):
        verify(right, proof, public.tolist(), DOMAIN)
