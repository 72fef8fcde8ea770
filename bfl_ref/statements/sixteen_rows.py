"""Poseidon2 in the narrow layout: a permutation takes 16 rows and 25 columns, which is what costs least gas.

row   0      load: what is hashed enters
rows  1-4    full rounds
rows  5-11   partial rounds, two a row but for the last; `mid` is the first one's S-box
rows 12-15   full rounds; the last one's output plus `carry` (the feed-forward) is the next load's first half
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..stark.field import F
from .poseidon2 import DIGEST, EXTERNAL, INTERNAL, WIDTH, Constant, external_linear, internal_linear, sbox

COLUMNS = "state[16] mid carry[8]"
ROWS = 16  # of a permutation
FULL = (1, 2, 3, 4, 12, 13, 14, 15)
PAIR = range(5, 11)
SINGLE = 11


def marks() -> dict[str, Any]:
    """Periodic columns: which kind of row it is, and its round constants."""
    first, second = _round_constants()
    return {
        "load": _marked([0]),
        "full": _marked(FULL),
        "pair": _marked(PAIR),
        "single": _marked([SINGLE]),
        "last": _marked([ROWS - 1]),
        "constant": first,
        "second": second,
    }


def transition(
    cur: Any,
    nxt: Any,
    k: Constant,
    left: Sequence[Any],
    right: Sequence[Any],
    cut: Any = None,
    start: Sequence[Any] | None = None,
) -> Iterable[tuple[str, Any]]:
    """Rounds of a permutation. left, right: halves of what is loaded, times `load`.

    cut: 1 on last rows after which another chain begins, whose first half is `start` (8); None: it is free.
    """
    # The selectors exclude each other and both layers are linear: select first, mix once.
    full = full_sboxes(cur)
    outer = external_linear([cur.full * x + e for x, e in zip(full, [*left, *right], strict=True)])
    once = [cur.mid, *cur.state[1:]]
    twice = internal_linear(once, k)
    twice[0] = sbox(twice[0] + cur.second)
    inner = internal_linear([cur.single * x + cur.pair * y for x, y in zip(once, twice, strict=True)], k)

    output = external_linear(full)
    for i in range(WIDTH):
        target = outer[i] + inner[i]
        if i < DIGEST:  # on the last row of a permutation the feed-forward comes in
            value = target + cur.last * cur.carry[i] - nxt.state[i]
            if cut is not None:
                begins = nxt.state[i] if start is None else start[i]
                value = value - cut * (output[i] + cur.carry[i] - begins)
            yield f"state {i}", value
        else:  # ... and the other half is free: what is absorbed next stands there
            yield f"state {i}", target - nxt.state[i] - cur.last * (output[i] - nxt.state[i])
    for i in range(DIGEST):
        kept = cur.carry[i] - cur.load * cur.carry[i]
        yield f"carry {i}", nxt.carry[i] - kept - left[i]


def everywhere(cur: Any) -> Iterable[tuple[str, Any]]:
    yield "mid", cur.mid - sbox(cur.state[0] + cur.constant[0])


def digest(cur: Any) -> list[Any]:
    """The permutation's digest, of the cells of its last row."""
    return [out + kept for out, kept in zip(external_linear(full_sboxes(cur)), cur.carry, strict=False)]


def full_sboxes(cur: Any) -> list[Any]:
    """S-box layer of a full round; its first element is `mid` already."""
    return [cur.mid, *(sbox(x + c) for x, c in zip(cur.state[1:], cur.constant[1:], strict=True))]


def advance(state: F, mid: F, carry: F, row: int) -> tuple[F, F]:
    """State and carry on the row after row `row` >= 1 of a permutation; after the last row, 8 digest elements.

    state (16, ...), mid (...), carry (8, ...).
    """
    first, second = _round_constants()
    if row in FULL:
        constants = [F(c) for c in first[1:, row]]
        boxed = [mid, *(sbox(x + c) for x, c in zip(state[1:], constants, strict=True))]
        mixed = stack(external_linear(boxed))
        return (mixed[:DIGEST] + carry if row == ROWS - 1 else mixed), carry
    x = internal_linear([mid, *state[1:]], F)
    if row in PAIR:
        x = internal_linear([sbox(x[0] + F(second[row])), *x[1:]], F)
    return stack(x), carry


def sbox_of(state: F, row: int) -> F:
    """`mid` beside a state (16, ...) on a row."""
    return sbox(state[0] + F(_round_constants()[0][0, row]))


def fill(loaded: F) -> F:
    """(25, 16, b): the cells of b permutations of `loaded` (16, b), one after the other, row by row."""
    cells = np.zeros((WIDTH + 1 + DIGEST, ROWS, loaded.shape[1]), np.uint32).view(F)
    state, carry = loaded, np.zeros((DIGEST, loaded.shape[1]), np.uint32).view(F)
    carry[:, 1:] = loaded[:DIGEST, :-1]  # kept until the next load
    for row in range(ROWS):
        mid = sbox_of(state, row)
        cells[:WIDTH, row], cells[WIDTH, row], cells[WIDTH + 1 :, row] = state, mid, carry
        if row:
            state, carry = advance(state, mid, carry, row)
        else:
            state, carry = stack(external_linear(list(state))), loaded[:DIGEST].view(F)
    return cells


def stack(x: Sequence[Any]) -> F:
    return np.stack(x).astype(np.uint32).view(F)


def _marked(rows: Iterable[int]) -> list[int]:
    return [int(row in rows) for row in range(ROWS)]


@cache
def _round_constants() -> tuple[np.ndarray, np.ndarray]:
    """(16, 16) constants added to the state by row, and (16,) that of a row's second partial round."""
    first, second = np.zeros((WIDTH, ROWS), np.uint32), np.zeros(ROWS, np.uint32)
    for row, constants in zip(FULL, EXTERNAL, strict=True):
        first[:, row] = constants
    first[0, 5:12] = INTERNAL[0::2]
    second[5:11] = INTERNAL[1::2]
    return first, second
