"""Twins of poly.lde, poly.interpolate and poly.intt: many columns, parallel over columns."""

from functools import lru_cache

import numba
import numpy as np

from ..field import GENERATOR, F, P, base, powers, root_of_unity
from ..poly import bit_reversal, log2
from .montgomery import R, add, mul, sub, to_montgomery

_ONE = R % P  # in Montgomery form
_SHORT = 8  # below this half-length the inner loop runs over blocks instead of within one; slices vectorise


def lde(coefficients: F, log_length: int, shift: int = GENERATOR) -> F:
    """Twin of poly.lde. (columns, D) -> (columns, N), bit-reversed.

    With n the largest power of two <= D, the codeword is N/n stretches of n values, each on a coset s
    <omega_n>: there X^n = s^n, so that f has n coefficients only, and a transform of n values stays in the
    cache.
    """
    columns, count = coefficients.shape
    length = 1 << log_length
    if count > length:
        raise ValueError(f"expected at most {length} coefficients, got {count}")
    block = 1 << (count.bit_length() - 1)
    omega = root_of_unity(length)
    shifts = [shift * pow(omega, int(e), P) % P for e in bit_reversal(log_length - log2(block))]
    scales = _powers(to_montgomery(base(shifts)), count)
    codewords = np.empty((columns, length), dtype=np.uint32)
    _extend(np.ascontiguousarray(coefficients.view(np.ndarray)), scales, _twiddles(block), codewords)
    return codewords.view(F)


def interpolate(codeword: F, shift: int = GENERATOR) -> F:
    """Twin of poly.interpolate. (columns, N) -> (columns, N)."""
    length = codeword.shape[-1]
    values = np.array(codeword.view(np.ndarray), ndmin=2)
    scale = powers(pow(shift, -1, P), length) * base(pow(length, -1, P))
    _invert(values, to_montgomery(scale), _twiddles(length, inverse=True))
    return values.reshape(codeword.shape).view(F)


def intt(values: F) -> F:
    """Twin of poly.intt: values in natural order."""
    return interpolate(values[..., bit_reversal(log2(values.shape[-1]))], shift=1)


@lru_cache(maxsize=32)  # a proof asks for few lengths, many times
def _twiddles(length: int, inverse: bool = False) -> np.ndarray:
    """Entry half + j: omega_(2 half)^j (or its inverse) in Montgomery form, half = 1, 2, ..., length/2."""
    table = np.zeros(max(length, 2), dtype=np.uint32).view(F)
    half = 1
    while half < length:
        omega = root_of_unity(2 * half)
        table[half : 2 * half] = powers(pow(omega, -1, P) if inverse else omega, half)
        half *= 2
    found = to_montgomery(table)
    found.flags.writeable = False
    return found


@numba.njit(cache=True)
def _powers(factors, count):
    """(k,) -> (k, count): 1, s, ..., s^(count-1) of each s, all in Montgomery form."""
    found = np.empty((len(factors), count), dtype=np.uint32)
    for t in range(len(factors)):
        power, factor = np.uint64(_ONE), np.uint64(factors[t])
        for i in range(count):
            found[t, i] = power
            power = mul(power, factor)
    return found


@numba.njit(cache=True, parallel=True)
def _extend(coefficients, scales, twiddles, codewords):
    """Stretch t of each codeword: f(s_t X) mod X^n - 1, then a transform by decimation in frequency."""
    columns, count = coefficients.shape
    stretches = scales.shape[0]
    n = codewords.shape[1] // stretches
    for c in numba.prange(columns):
        row = coefficients[c]
        for t in range(stretches):
            v = codewords[c, t * n : (t + 1) * n]
            scale = scales[t]
            for i in range(n):
                v[i] = mul(np.uint64(row[i]), np.uint64(scale[i]))
            for first in range(n, count, n):
                more, scale = row[first:], scales[t, first:]
                for i in range(min(n, count - first)):
                    v[i] = add(np.uint64(v[i]), mul(np.uint64(more[i]), np.uint64(scale[i])))
            half = n >> 1
            while half >= _SHORT:
                w = twiddles[half : 2 * half]
                for start in range(0, n, 2 * half):
                    left, right = v[start : start + half], v[start + half : start + 2 * half]
                    for j in range(half):
                        a, b = np.uint64(left[j]), np.uint64(right[j])
                        left[j] = add(a, b)
                        right[j] = mul(sub(a, b), np.uint64(w[j]))
                half >>= 1
            while half > 0:
                for j in range(half):
                    factor = np.uint64(twiddles[half + j])
                    for i in range(j, n, 2 * half):
                        a, b = np.uint64(v[i]), np.uint64(v[i + half])
                        v[i] = add(a, b)
                        v[i + half] = mul(sub(a, b), factor)
                half >>= 1


@numba.njit(cache=True, parallel=True)
def _invert(values, scale, twiddles):
    """Undo the transform in place (decimation in time, bit-reversed to natural), then multiply by scale."""
    columns, n = values.shape
    for c in numba.prange(columns):
        v = values[c]
        half = 1
        while half < min(_SHORT, n):
            for j in range(half):
                factor = np.uint64(twiddles[half + j])
                for i in range(j, n, 2 * half):
                    a, b = np.uint64(v[i]), mul(np.uint64(v[i + half]), factor)
                    v[i] = add(a, b)
                    v[i + half] = sub(a, b)
            half <<= 1
        while half < n:
            w = twiddles[half : 2 * half]
            for start in range(0, n, 2 * half):
                left, right = v[start : start + half], v[start + half : start + 2 * half]
                for j in range(half):
                    a, b = np.uint64(left[j]), mul(np.uint64(right[j]), np.uint64(w[j]))
                    left[j] = add(a, b)
                    right[j] = sub(a, b)
            half <<= 1
        for i in range(n):
            v[i] = mul(np.uint64(v[i]), np.uint64(scale[i]))
