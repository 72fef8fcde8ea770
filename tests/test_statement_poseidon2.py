import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stark_cases import FULL, elements

from bfl_ref.stark.field import F, base
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements.poseidon2 import (
    DIAGONAL,
    EXTERNAL,
    HALF_FULL,
    INTERNAL,
    Poseidon2Chain,
    add_constants,
    compress,
    external_linear,
    internal_linear,
    permute,
    sbox,
)

VECTORS = json.loads((Path(__file__).parent / "vectors" / "poseidon2_babybear_w16.json").read_text())


def test_constants_equal_the_published_instance():
    assert VECTORS["rc_external_initial"] + VECTORS["rc_external_final"] == EXTERNAL
    assert VECTORS["rc_internal"] == INTERNAL
    assert VECTORS["internal_diag_V"] == DIAGONAL
    assert (VECTORS["p"], VECTORS["full_rounds"], VECTORS["partial_rounds"]) == (F.order, 8, 13)


def test_permute_known_answer():
    assert permute(base(VECTORS["input"])).tolist() == VECTORS["expected"]


def test_external_linear_is_the_block_circulant_of_m4():
    m4 = np.array(VECTORS["m4"])
    matrix = np.block([[m4 * (2 if i == j else 1) for j in range(4)] for i in range(4)])
    x = elements(1, 16)
    expected = [sum(int(m) * int(v) for m, v in zip(row, x, strict=True)) % F.order for row in matrix]
    assert [int(y) for y in external_linear(list(x))] == expected


def test_internal_linear_is_all_ones_plus_diagonal():
    x = elements(2, 16)
    total = sum(int(v) for v in x)
    expected = [(total + d * int(v)) % F.order for d, v in zip(VECTORS["internal_diag_V"], x, strict=True)]
    assert [int(y) for y in internal_linear(list(x), base)] == expected


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_permute_many_states_is_each_alone_and_compress_adds_the_input(seed):
    states = elements(seed, 16, 3)
    together = permute(states)
    assert all((permute(states[:, i]) == together[:, i]).all() for i in range(3))
    assert (compress(states) == together[:8] + states[:8]).all()


def test_chain_trace_is_right_and_its_result_is_the_iterated_permutation():
    air, state = Poseidon2Chain(8), elements(3, 16)
    trace = air.trace(state)
    check_trace(air, trace, air.public_inputs_of(trace))
    for _ in range(8):
        state = permute(state)
    assert (air.public_inputs_of(trace) == state[:8]).all()


def test_chain_start_of_wrong_length_is_refused():
    with pytest.raises(ValueError, match="state of 16 elements"):
        Poseidon2Chain(8).trace(elements(3, 8))


def completed(air: Poseidon2Chain, trace: F, row: int, wrong: int) -> F:
    """Row `row` made anew from its input, one added to cell number `wrong`; what follows is honest again."""
    cells = list(trace[:16, row])

    def put(value):
        cells.append(value + base(1) if len(cells) == wrong else value)
        return cells[-1]

    x = external_linear(cells)
    for r, constants in enumerate(EXTERNAL):
        if r == HALF_FULL:
            for constant in INTERNAL:
                x = internal_linear([put(sbox(x[0] + base(constant))), *x[1:]], base)
        x = [put(y) for y in external_linear([sbox(y) for y in add_constants(x, constants, base)])]
    new = trace.copy()
    new[:, row] = cells
    following = air.trace(new[-16:, row])
    new[:, row + 1 :] = following[:, : air.length - row - 1]
    return new


@pytest.mark.parametrize("cell", range(16, 157, 1 if FULL else 10))
def test_chain_each_round_constraint_alone_refuses_its_wrong_cell(cell):
    """Removed, it would let this trace pass: nothing else is broken."""
    air = Poseidon2Chain(4)
    wrong = completed(air, air.trace(elements(4, 16)), 1, cell)
    with pytest.raises(ValueError) as caught:
        check_trace(air, wrong, air.public_inputs_of(wrong))
    names = [f"full round {r}[{i}]" for r in range(4) for i in range(16)]
    names += [f"partial round {j}" for j in range(13)] + [
        f"full round {r}[{i}]" for r in range(4, 8) for i in range(16)
    ]
    assert (
        str(caught.value) == f"trace breaks {air.name}: everywhere {names[cell - 16]} on rows [1] (1 in all)"
    )


@pytest.mark.parametrize("i", range(16))
def test_chain_each_link_alone_refuses_a_second_start(i):
    air = Poseidon2Chain(4)
    trace = air.trace(elements(5, 16))
    start = trace[:16, 2].copy()
    start[i] += base(1)
    trace[:, 2:] = air.trace(start)[:, :2]
    with pytest.raises(ValueError) as caught:
        check_trace(air, trace, air.public_inputs_of(trace))
    assert str(caught.value) == f"trace breaks {air.name}: transition chain {i} on rows [1] (1 in all)"


@pytest.mark.parametrize("i", range(8))
def test_chain_each_result_alone_refuses_another_public_input(i):
    air = Poseidon2Chain(4)
    trace = air.trace(elements(6, 16))
    claimed = air.public_inputs_of(trace).copy()
    claimed[i] += base(1)
    with pytest.raises(ValueError, match=rf": boundary result {i} on row 3$"):
        check_trace(air, trace, claimed)
