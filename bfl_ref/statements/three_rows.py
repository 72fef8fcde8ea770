"""Poseidon2 in three trace rows: 48 columns, and any schedule of permutations that a statement wants.

    row 0   cells: the input              S-box layers of rounds 0 and 1 in `a`, `b`; of round 2 in the next row's cells
    row 1   cells: S-boxes of round 2     round 3 in `a`; the 13 partial S-boxes in `b`; round 4 in the next row
    row 2   cells: S-boxes of round 4     rounds 5 and 6 in `a`, `b`; round 7 gives the output, an expression

A cell holds an S-box *result*; every linear layer is applied when it is read. So the first row holds the plain input, and
no S-box ever sees a selector: all constraints have degree 7, or 8 with a row's selector.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..stark.field import F
from .poseidon2 import EXTERNAL, INTERNAL, WIDTH, Constant, external_linear, internal_linear, sbox

ROWS = 3  # of a permutation
PARTIAL = len(INTERNAL)
COLUMNS = f"state[{WIDTH}] a[{WIDTH}] b[{WIDTH}]"


def round_constants(first_rows: Sequence[int], period: int) -> dict[str, np.ndarray]:
    """Periodic columns (16, period): the constants added before `a`, before `b`, and before the next row's cells.

    first_rows: where in the period permutations begin.
    """
    found = {name: np.zeros((WIDTH, period), np.uint32) for name in ("before_a", "before_b", "before_next")}
    for first in first_rows:
        for row, (a, b, following) in enumerate(((0, 1, 2), (3, None, 4), (5, 6, 7))):
            found["before_a"][:, first + row] = EXTERNAL[a]
            found["before_b"][:PARTIAL, first + row] = INTERNAL
            if b is not None:
                found["before_b"][:, first + row] = EXTERNAL[b]
            found["before_next"][:, first + row] = EXTERNAL[following]
    return found


def constraints(
    cur: Any, nxt: Any, k: Constant, row_0: Any, row_1: Any, row_2: Any
) -> Iterable[tuple[str, Any]]:
    """Yield (name, polynomial) on every row; row_0, row_1, row_2 select a permutation's rows and exclude each other.

    What comes after row 2 (`output`) is the statement's business. `a` is filled on all rows, whatever they are for.
    """
    for i, x in enumerate(external_linear(cur.state)):
        yield f"a {i}", cur.a[i] - sbox(x + cur.before_a[i])
    full = [sbox(x + c) for x, c in zip(external_linear(cur.a), cur.before_b, strict=True)]
    partial, after = partial_rounds(cur, k)
    outer = row_0 + row_2
    for i in range(WIDTH):
        there = outer * (cur.b[i] - full[i])
        yield f"b {i}", there + row_1 * (cur.b[i] - partial[i]) if i < PARTIAL else there
    second = _last_sboxes(cur)
    fourth = [sbox(x + c) for x, c in zip(after, cur.before_next, strict=True)]
    for i in range(WIDTH):
        yield f"next {i}", row_0 * (second[i] - nxt.state[i]) + row_1 * (fourth[i] - nxt.state[i])


def partial_rounds(cur: Any, k: Constant) -> tuple[list[Any], list[Any]]:
    """On row 1: what the 13 S-boxes should give, and the state after them; `b` holds what they do give."""
    x = external_linear(cur.a)
    boxes = []
    for j in range(PARTIAL):
        boxes.append(sbox(x[0] + cur.before_b[j]))
        x = internal_linear([cur.b[j], *x[1:]], k)
    return boxes, x


def output(cur: Any) -> list[Any]:
    """(16,) on row 2: the permutation's result, degree 7."""
    return external_linear(_last_sboxes(cur))


def _last_sboxes(cur: Any) -> list[Any]:
    return [sbox(x + c) for x, c in zip(external_linear(cur.b), cur.before_next, strict=True)]


def fill(raw: F) -> tuple[F, F]:
    """Cells (3, 48, m) of m permutations with inputs raw (16, m), and their outputs (16, m)."""
    layers = []  # S-box results of the eight full rounds
    x = external_linear(list(raw))
    for r, constants in enumerate(EXTERNAL):
        if r == len(EXTERNAL) // 2:
            boxes = []
            for constant in INTERNAL:
                boxes.append(sbox(x[0] + F(constant)))
                x = internal_linear([boxes[-1], *x[1:]], F)
        layers.append(_stack([sbox(y + F(c)) for y, c in zip(x, constants, strict=True)]))
        x = external_linear(list(layers[-1]))
    middle = np.zeros((WIDTH, raw.shape[1]), np.uint32)
    middle[:PARTIAL] = _stack(boxes)
    rows = [raw, layers[0], layers[1], layers[2], layers[3], middle, layers[4], layers[5], layers[6]]
    return np.concatenate(rows).reshape(ROWS, 3 * WIDTH, -1).view(F), _stack(x)


def fill_idle(state: F) -> F:
    """(16, m): `a` on rows that belong to no permutation, whose round constants are zero."""
    return _stack([sbox(x) for x in external_linear(list(state))])


def _stack(x: Sequence[Any]) -> F:
    return np.stack(list(x)).astype(np.uint32).view(F)
