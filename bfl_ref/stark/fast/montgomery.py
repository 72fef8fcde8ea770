"""Products modulo p without division: mul(a, b R) = a b mod p, with R = 2^32 (Montgomery, 1985).

One factor of each product is a constant (twiddle, challenge) and kept as b R; the other stays an ordinary
canonical number, so that nothing has to be converted. All numbers are uint64 below 2^32: LLVM then
vectorises the loops eight at a time.
"""

import numba
import numpy as np

from ..field import F, P, base

R = 1 << 32
_P = np.uint64(P)
_MINUS_P_INVERSE = np.uint64(-pow(P, -1, R) % R)
_LOW = np.uint64(R - 1)
_32 = np.uint64(32)


def to_montgomery(a: F) -> np.ndarray:
    """a R mod p, uint32: the constant factor of a product."""
    return (a * base(R % P)).view(np.ndarray)


@numba.njit(inline="always")
def mul(a, b_r):
    """a b mod p, canonical, of a < p and b R < p (both uint64)."""
    t = a * b_r
    m = ((t & _LOW) * _MINUS_P_INVERSE) & _LOW
    u = (t + m * _P) >> _32  # t + m p is divisible by 2^32 and below 2^64
    return min(u, u - _P)  # below zero, u - p wraps round to a large number


@numba.njit(inline="always")
def add(a, b):
    """a + b mod p of canonical uint64."""
    s = a + b
    return min(s, s - _P)


@numba.njit(inline="always")
def sub(a, b):
    """a - b mod p of canonical uint64."""
    d = a - b
    return min(d, d + _P)
