"""A secret record is in a public Merkle tree: Poseidon2 in the narrow layout, cheap to verify on chain.

States:  "I know a record of 16 elements and a path of `depth` siblings that lead to the public root."
Does not state: which leaf it is (the index is secret), that the record is true, that at least 4 of its
elements are salt (whoever builds the tree sees to that), that two proofs are about different records.

A permutation takes 16 rows (sixteen_rows.py); doubling the rows would cost more gas than the ten columns that avoid it. On
row 0 digest and sibling enter, ordered by the direction bit.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..stark.air import Air
from ..stark.field import F
from . import sixteen_rows
from .poseidon2 import DIGEST, WIDTH, Constant, compress, external_linear
from .sixteen_rows import ROWS, stack


class Membership(Air):
    """Depth 2^m - 1, so that leaf and path are 2^m permutations. Public inputs: the root (8). Degree 8, 26
    columns.
    """

    def __init__(self, depth: int = 31):
        if depth < 1 or (depth + 1) & depth:
            raise ValueError(f"depth must be one less than a power of two (1, 3, 7, ...); got {depth}")
        self.depth = depth
        super().__init__(
            "merkle-membership",
            ROWS * (depth + 1),
            "state[16] mid bit carry[8]",
            periodic=sixteen_rows.marks(),
            public_inputs=DIGEST,
        )

    def transition(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        swap = [cur.bit * (b - a) for a, b in zip(cur.state[:DIGEST], cur.state[DIGEST:], strict=True)]
        left = [cur.load * (a + d) for a, d in zip(cur.state[:DIGEST], swap, strict=True)]
        right = [cur.load * (b - d) for b, d in zip(cur.state[DIGEST:], swap, strict=True)]
        yield from sixteen_rows.transition(cur, nxt, k, left, right)

    def everywhere(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        yield from sixteen_rows.everywhere(cur)
        # On the first row the bit orders the halves of a secret record, which changes nothing that is stated.
        yield "bit", cur.bit * cur.bit - cur.bit

    def boundary(self, cur: Any, public: Any, k: Constant) -> Iterable[tuple[str, int, Any]]:
        for i, value in enumerate(sixteen_rows.digest(cur)):
            yield f"root {i}", self.length - 1, value - public[i]

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
                column[WIDTH] = sixteen_rows.sbox_of(state, row)
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
            return stack(external_linear(list(state))), state[:DIGEST].view(F)
        return sixteen_rows.advance(state, mid, carry, row)

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
