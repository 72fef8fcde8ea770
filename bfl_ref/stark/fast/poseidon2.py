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


@njit
def _permute(x, external, internal, diagonal):
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


@njit(cache=True)
def _chain(start, count, external, internal, diagonal):
    states = np.empty((16, count), np.uint32)
    x = start.astype(np.uint64)
    for row in range(count):
        for i in range(16):
            states[i, row] = x[i]
        _permute(x, external, internal, diagonal)
    return states


@njit(cache=True)
def _compress(states, external, internal, diagonal):
    digests = np.empty((len(states), 8), np.uint32)
    x = np.empty(16, np.uint64)
    for n in range(len(states)):
        for i in range(16):
            x[i] = states[n, i]
        _permute(x, external, internal, diagonal)
        for i in range(8):
            digests[n, i] = (x[i] + np.uint64(states[n, i])) % P
    return digests


@njit(cache=True)
def _absorb(start, blocks, external, internal, diagonal):
    h = np.empty((len(blocks) + 1, 8), np.uint32)
    h[0] = start
    x = np.empty(16, np.uint64)
    for n in range(len(blocks)):
        for i in range(8):
            x[i], x[8 + i] = h[n, i], blocks[n, i]
        _permute(x, external, internal, diagonal)
        for i in range(8):
            h[n + 1, i] = (x[i] + np.uint64(h[n, i])) % P
    return h


def chain(start: F, count: int, external: list[list[int]], internal: list[int], diagonal: list[int]) -> F:
    """(16, count): the inputs of `count` permutations of which each takes the one before's output.

    start: (16,);  external: (8, 16) and internal: (13,) round constants;  diagonal: V of the internal matrix
    J + diag(V).
    """
    tables = [np.array(t, np.uint64) for t in (external, internal, diagonal)]
    return _chain(np.ascontiguousarray(start.view(np.ndarray)), count, *tables).view(F)


def compress(states: F, external: list[list[int]], internal: list[int], diagonal: list[int]) -> F:
    """(n, 8): the compression of each row of (n, 16).

    The plain twin, statements/poseidon2.py `compress`, costs 30 ms a call however few states it has.
    """
    tables = [np.array(t, np.uint64) for t in (external, internal, diagonal)]
    return _compress(np.ascontiguousarray(states.view(np.ndarray)), *tables).view(F)


def absorb(start: F, blocks: F, external: list[list[int]], internal: list[int], diagonal: list[int]) -> F:
    """(n + 1, 8): h = start, then h = compress(h | block) after each block. Plain: fixed_point/digests.py `absorb_plain`.

    start: (8,);  blocks: (n, 8);  the constants as for `chain`.
    """
    tables = [np.array(t, np.uint64) for t in (external, internal, diagonal)]
    arrays = [np.ascontiguousarray(a.view(np.ndarray)) for a in (start, blocks)]
    return _absorb(*arrays, *tables).view(F)
