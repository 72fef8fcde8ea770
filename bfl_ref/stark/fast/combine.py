"""Twins of poly.evaluate and poly.combine: long sums of products of base elements with elements of E.

Products are not reduced one by one: their low and high 32 bits are summed apart, which stays below 2^64 for
2^32 terms.
"""

import numba
import numpy as np

from ..field import EXTENSION_DEGREE, Ext, F, P

_LOW, _32, _P = np.uint64(2**32 - 1), np.uint64(32), np.uint64(P)
_TWO_32 = np.uint64(2**32 % P)
_STRETCH = 1024  # coefficients summed at a time by `combine`: they stay in the first-level cache


def evaluate(coefficients: F, z: Ext) -> Ext:
    """Twin of poly.evaluate: (columns, D) -> Ext (columns,)."""
    columns, count = coefficients.shape
    values = np.empty((EXTENSION_DEGREE, columns), dtype=np.uint32)
    z_powers = np.ascontiguousarray(z.powers(count).coeffs.view(np.ndarray))
    _evaluate(np.ascontiguousarray(coefficients.view(np.ndarray)), z_powers, values)
    return Ext(values.view(F))


def combine(coefficients: F, weights: Ext) -> Ext:
    """Twin of poly.combine: (columns, D) and Ext (columns,) -> Ext (D,)."""
    sums = np.empty((EXTENSION_DEGREE, coefficients.shape[1]), dtype=np.uint32)
    factors = np.ascontiguousarray(weights.coeffs.view(np.ndarray))
    _combine(np.ascontiguousarray(coefficients.view(np.ndarray)), factors, sums)
    return Ext(sums.view(F))


@numba.njit(inline="always")
def _reduced(low, high):
    """low + 2^32 high mod p, of any uint64 low and high."""
    return (low % _P + high % _P * _TWO_32) % _P


@numba.njit(cache=True, parallel=True)
def _evaluate(coefficients, z_powers, values):
    columns, count = coefficients.shape
    for c in numba.prange(columns):
        row = coefficients[c]
        for k in range(z_powers.shape[0]):
            factors = z_powers[k]
            low, high = np.uint64(0), np.uint64(0)
            for i in range(count):
                product = np.uint64(row[i]) * np.uint64(factors[i])
                low += product & _LOW
                high += product >> _32
            values[k, c] = _reduced(low, high)


@numba.njit(cache=True, parallel=True)
def _combine(coefficients, factors, sums):
    columns, count = coefficients.shape
    for stretch in numba.prange((count + _STRETCH - 1) // _STRETCH):
        start = stretch * _STRETCH
        size = min(_STRETCH, count - start)
        low, high = np.empty(_STRETCH, dtype=np.uint64), np.empty(_STRETCH, dtype=np.uint64)
        for k in range(factors.shape[0]):
            low[:] = np.uint64(0)
            high[:] = np.uint64(0)
            for c in range(columns):
                factor = np.uint64(factors[k, c])
                for i in range(size):
                    product = np.uint64(coefficients[c, start + i]) * factor
                    low[i] += product & _LOW
                    high[i] += product >> _32
            for i in range(size):
                sums[k, start + i] = _reduced(low[i], high[i])
