"""A secret record is in a public Merkle tree: Poseidon2 in the narrow layout, cheap to verify on chain.

States:  "I know a record of 16 elements and a path of `depth` siblings that lead to the public root."
Does not state: which leaf it is (the index is secret), that the record is true, that at least 4 of its
elements are salt (whoever builds the tree sees to that), that two proofs are about different records.

A permutation takes 16 rows; doubling the rows would cost more gas than the ten columns that avoid it:

    row   0      load: digest and sibling enter, ordered by the direction bit
    rows  1-4    full rounds
    rows  5-11   partial rounds, two a row but for the last; `mid` is the first one's S-box
    rows 12-15   full rounds; the last one's output plus `carry` (the feed-forward) is the next load's digest
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..stark.air import Air
from ..stark.field import F
from .poseidon2 import (
    DIGEST,
    EXTERNAL,
    INTERNAL,
    WIDTH,
    Constant,
    compress,
    external_linear,
    internal_linear,
    sbox,
)

ROWS = 16  # of a permutation
_FULL = [1, 2, 3, 4, 12, 13, 14, 15]
_PAIR = range(5, 11)
_SINGLE = 11


def _marks(rows: Iterable[int]) -> list[int]:
    return [int(row in rows) for row in range(ROWS)]


def _round_constants() -> tuple[np.ndarray, np.ndarray]:
    """(16, 16) constants added to the state by row, and (16,) that of a row's second partial round."""
    first, second = np.zeros((WIDTH, ROWS), np.uint32), np.zeros(ROWS, np.uint32)
    for row, constants in zip(_FULL, EXTERNAL, strict=True):
        first[:, row] = constants
    first[0, 5:12] = INTERNAL[0::2]
    second[5:11] = INTERNAL[1::2]
    return first, second


class Membership(Air):
    """Depth 2^m - 1, so that leaf and path are 2^m permutations. Public inputs: the root (8). Degree 8, 26
    columns.
    """

    def __init__(self, depth: int = 31):
        if depth < 1 or (depth + 1) & depth:
            raise ValueError(f"depth must be one less than a power of two (1, 3, 7, ...); got {depth}")
        self.depth = depth
        first, second = _round_constants()
        super().__init__(
            "merkle-membership",
            ROWS * (depth + 1),
            "state[16] mid bit carry[8]",
            periodic={
                "load": _marks([0]),
                "full": _marks(_FULL),
                "pair": _marks(_PAIR),
                "single": _marks([_SINGLE]),
                "last": _marks([ROWS - 1]),
                "constant": first,
                "second": second,
            },
            public_inputs=DIGEST,
        )

    def transition(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        swap = [cur.bit * (b - a) for a, b in zip(cur.state[:DIGEST], cur.state[DIGEST:], strict=True)]
        left = [cur.load * (a + d) for a, d in zip(cur.state[:DIGEST], swap, strict=True)]
        right = [cur.load * (b - d) for b, d in zip(cur.state[DIGEST:], swap, strict=True)]

        # The selectors exclude each other and both layers are linear: select first, mix once.
        full = [x for x in _full_sboxes(cur)]
        outer = external_linear([cur.full * x + e for x, e in zip(full, [*left, *right], strict=True)])
        once = [cur.mid, *cur.state[1:]]
        twice = internal_linear(once, k)
        twice[0] = sbox(twice[0] + cur.second)
        inner = internal_linear([cur.single * x + cur.pair * y for x, y in zip(once, twice, strict=True)], k)

        output = external_linear(full)
        for i in range(WIDTH):
            target = outer[i] + inner[i]
            if i < DIGEST:  # on the last row of a permutation the feed-forward comes in
                yield f"state {i}", target + cur.last * cur.carry[i] - nxt.state[i]
            else:  # ... and the other half is free: the next sibling stands there
                yield f"state {i}", target - nxt.state[i] - cur.last * (output[i] - nxt.state[i])
        for i in range(DIGEST):
            kept = cur.carry[i] - cur.load * cur.carry[i]
            yield f"carry {i}", nxt.carry[i] - kept - left[i]

    def everywhere(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        yield "mid", cur.mid - sbox(cur.state[0] + cur.constant[0])
        # On the first row the bit orders the halves of a secret record, which changes nothing that is stated.
        yield "bit", cur.bit * cur.bit - cur.bit

    def boundary(self, cur: Any, public: Any, k: Constant) -> Iterable[tuple[str, int, Any]]:
        output = external_linear(_full_sboxes(cur))
        for i in range(DIGEST):
            yield f"root {i}", self.length - 1, output[i] + cur.carry[i] - public[i]

    def trace(self, record: F, siblings: F, index: int) -> F:
        """(26, n): record (16,), siblings (depth, 8) from the leaf upwards, index of the leaf, 0 <= index <
        2^depth.
        """
        shapes = (WIDTH,), (self.depth, DIGEST)
        if (record.shape, siblings.shape) != shapes:
            raise ValueError(f"record, siblings must be {shapes}; got {record.shape}, {siblings.shape}")
        if not 0 <= index < 2**self.depth:
            raise ValueError(f"index must be 0 .. 2^{self.depth} - 1; got {index}")
        trace = np.zeros((WIDTH + 2 + DIGEST, self.length), np.uint32).view(F)
        state, bit, carry = record, 0, np.zeros(DIGEST, np.uint32).view(F)
        for level in range(self.depth + 1):
            for row in range(ROWS):
                column = trace[:, level * ROWS + row]
                column[:WIDTH], column[WIDTH + 1], column[WIDTH + 2 :] = state, bit, carry
                column[WIDTH] = sbox(state[0] + self.periodic["constant"][0, row])
                state, carry = self.step(column, row)
            if level < self.depth:
                state = np.concatenate([state[:DIGEST], siblings[level]]).view(F)
                bit = index >> level & 1
        return trace

    def step(self, column: F, row: int) -> tuple[F, F]:
        """State and carry after the cells `column` of row `row` of a permutation; after the last row, 8
        digest elements.
        """
        state, mid, bit, carry = column[:WIDTH], column[WIDTH], column[WIDTH + 1], column[WIDTH + 2 :].view(F)
        if row == 0:
            swap = bit * (state[DIGEST:] - state[:DIGEST])
            state = np.concatenate([state[:DIGEST] + swap, state[DIGEST:] - swap]).view(F)
            return _stack(external_linear(list(state))), state[:DIGEST].view(F)
        if row in _FULL:
            boxed = sbox(state + self.periodic["constant"][:, row])
            boxed[0] = mid
            mixed = _stack(external_linear(list(boxed)))
            return (mixed[:DIGEST] + carry if row == ROWS - 1 else mixed), carry
        x = internal_linear([mid, *state[1:]], F)
        if row in _PAIR:
            x = internal_linear([sbox(x[0] + self.periodic["second"][row]), *x[1:]], F)
        return _stack(x), carry

    def public_inputs_of(self, trace: F) -> F:
        """(8,): the root that a trace leads to."""
        return self.step(trace[:, -1], ROWS - 1)[0]


def root(record: F, siblings: F, index: int) -> F:
    """(8,): the root above `record` (16,) at `index`, by the definition: digest = compress(left, right)."""
    digest = compress(record)
    for level, sibling in enumerate(siblings):
        pair = [sibling, digest] if index >> level & 1 else [digest, sibling]
        digest = compress(np.concatenate(pair).view(F))
    return digest


def _full_sboxes(cur: Any) -> list[Any]:
    """S-box layer of a full round; its first element is `mid` already."""
    return [cur.mid, *(sbox(x + c) for x, c in zip(cur.state[1:], cur.constant[1:], strict=True))]


def _stack(x: list[Any]) -> F:
    return np.stack(x).astype(np.uint32).view(F)
