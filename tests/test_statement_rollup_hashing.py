"""Permutations of the rollup's statement: for each cell a trace, false in that cell alone, that leads to another root."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from rollup_trace_cases import alone, case
from rollup_trace_checks import Case, broken, chosen
from rollup_trace_parts import LAST, Edit, block, rollup

from bfl_ref.stark.field import F, P
from bfl_ref.statements import three_rows
from bfl_ref.statements.poseidon2 import (
    DIGEST,
    EXTERNAL,
    INTERNAL,
    WIDTH,
    external_linear,
    internal_linear,
    sbox,
)

TOP = block(0) + LAST  # its digest is the new root
PARTIAL = len(INTERNAL)
# column and row of a permutation's cells, after each full round but the last
LAYERS = [("a", 0), ("b", 0), ("state", 1), ("a", 1), ("state", 2), ("a", 2), ("b", 2)]


def other_digest(t: SimpleNamespace, i: int, by: int = 1) -> None:
    """The new root, altered, on all rows after the top."""
    t.at("root", i)[TOP + 1 :] = (t.at("root", i)[TOP + 1 :] + by % P) % P


def other_cell(column: str, row: int, i: int) -> Edit:
    """1 is added to a cell; what follows is as it should be."""

    def edit(t: SimpleNamespace) -> None:
        before = [int(t.at("state", j)[TOP, 3]) for j in range(DIGEST)]

        def put(name: str, at: int, values: list) -> list:
            if (name, at) == (column, row):
                values[i] = values[i] + F(1)
            for j, value in enumerate(values):
                t.at(name, j)[TOP, at] = value
            return values

        def partial_rounds(x: list) -> list:
            boxes = []
            for j, constant in enumerate(INTERNAL):
                boxes.append(sbox(x[0] + F(constant)) + F((column, row, i) == ("b", 1, j)))
                x = internal_linear([boxes[-1], *x[1:]], F)
                t.at("b", j)[TOP, 1] = boxes[-1]
            return x

        x = external_linear([F(int(v)) for v in t.cells.raw[:, TOP]])
        for r, (name, at) in enumerate(LAYERS):
            if r == len(EXTERNAL) // 2:
                x = partial_rounds(x)
            x = external_linear(put(name, at, [sbox(v + F(c)) for v, c in zip(x, EXTERNAL[r], strict=True)]))
        last = [sbox(v + F(c)) for v, c in zip(x, EXTERNAL[-1], strict=True)]
        out = put("state", 3, external_linear(last))
        for j, value in enumerate(three_rows.fill_idle(F([int(v) for v in out]).reshape(WIDTH, 1))[:, 0]):
            t.at("a", j)[TOP, 3] = value
        for j in range(DIGEST):
            other_digest(t, j, int(out[j]) - before[j])

    return edit


def permutations() -> Iterator[Case]:
    for i in range(WIDTH):
        yield case(f"a {i}", alone, trace=other_cell("a", i % 3, i))
        yield case(f"b {i}", alone, trace=other_cell("b", i % 3 if i < PARTIAL else 2 * (i % 2), i))
        yield case(f"next {i}", alone, trace=other_cell("state", 1 + i % 2, i))
    for i in range(DIGEST):
        yield case(f"output {i}", alone, trace=other_cell("state", 3, i))


def halves() -> Iterator[Case]:
    """The first half of what is hashed is added to what comes out."""
    for i in range(DIGEST):

        def not_carried(t, i=i):
            t.at("carry", i)[TOP, 3] += 1
            other_digest(t, i)

        def carried_otherwise(t, i=i):
            t.at("carry", i)[TOP] += 1
            other_digest(t, i)

        yield case(f"carry {i}", alone, trace=not_carried)
        yield case(f"carries {i}", alone, trace=carried_otherwise)


CASES = [*permutations(), *halves()]


@pytest.mark.parametrize("name, forged", chosen(CASES))
def test_only_its_constraint_refuses_a_false_cell(name, forged):
    assert broken(rollup(), *forged()) == {name}
