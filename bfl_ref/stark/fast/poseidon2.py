"""Poseidon2 permutations one after another, for traces whose rows depend on each other. Plain twin:
statements/poseidon2.py `permute`, which is fast on many states at once but not on one.
"""

import numpy as np
from numba import njit

from ..field import F

P = np.uint64(F.order)


@njit(inline="always")
def _sbox(x):
    square = x * x % P
    return (square * x % P) * (square * square % P) % P


@njit
def _external_linear(x):
    for i in range(0, 16, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        total = a + b + c + d
        x[i], x[i + 1] = total + a + b + b, total + b + c + c
        x[i + 2], x[i + 3] = total + c + d + d, total + d + a + a
    for i in range(4):
        total = x[i] + x[4 + i] + x[8 + i] + x[12 + i]
        for j in range(i, 16, 4):
            x[j] = (x[j] + total) % P


@njit(cache=True)
def _chain(start, count, external, internal, diagonal):
    states = np.empty((16, count), np.uint32)
    x = start.astype(np.uint64)
    for row in range(count):
        for i in range(16):
            states[i, row] = x[i]
        _external_linear(x)
        for r in range(len(external)):
            if r == len(external) // 2:
                for constant in internal:
                    x[0] = _sbox((x[0] + constant) % P)
                    total = x.sum() % P
                    for i in range(16):
                        x[i] = (total + diagonal[i] * x[i]) % P
            for i in range(16):
                x[i] = _sbox((x[i] + external[r, i]) % P)
            _external_linear(x)
    return states


def chain(start: F, count: int, external: list[list[int]], internal: list[int], diagonal: list[int]) -> F:
    """(16, count): the inputs of `count` permutations of which each takes the one before's output.

    start: (16,);  external: (8, 16) and internal: (13,) round constants;  diagonal: V of the internal matrix
    J + diag(V).
    """
    tables = [np.array(t, np.uint64) for t in (external, internal, diagonal)]
    return _chain(np.ascontiguousarray(start.view(np.ndarray)), count, *tables).view(F)
