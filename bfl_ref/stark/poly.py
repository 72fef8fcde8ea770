"""Polynomials over F and E as coefficient or value arrays along the last axis, lowest power first.

H = <g> of order n holds the trace; the evaluation coset 31 <omega> of order N > n is disjoint from it.
Codewords are bit-reversed: position i holds the value at x_i = 31 omega^bitrev(i), so that points that fold
together are neighbours.
"""

import numpy as np

from .field import GENERATOR, Ext, F, P, base, powers, root_of_unity


def log2(length: int) -> int:
    """log2 of a power of two. ValueError otherwise."""
    if length < 1 or length & (length - 1):
        raise ValueError(f"expected a power of two, got {length}")
    return length.bit_length() - 1


def bit_reversal(log_length: int) -> np.ndarray:
    """bitrev(i) for i < 2^log_length: the binary digits of i in opposite order, int64."""
    reversed_ = np.zeros(1, dtype=np.int64)
    for _ in range(log_length):
        reversed_ = np.concatenate([2 * reversed_, 2 * reversed_ + 1])
    return reversed_


def coset(log_length: int, shift: int = GENERATOR) -> F:
    """x_i = shift omega^bitrev(i), omega of order 2^log_length: the points of a codeword, in its order."""
    length = 1 << log_length
    return (powers(root_of_unity(length), length) * base(shift))[bit_reversal(log_length)]


def ntt(coefficients: F) -> F:
    """Values on <omega>, **bit-reversed**: position i holds sum_k c_k omega^(k bitrev(i)).

    coefficients: (..., 2^k). Cooley-Tukey by decimation in frequency: on a block of length 2m, f mod (X^m -
    1) is a + b and f mod (X^m + 1), with X scaled by omega, is (a - b) omega^j; both halves go on alone.
    """
    shape = coefficients.shape
    length = shape[-1]
    values = coefficients.reshape(-1, length)
    log2(length)
    for half in (length >> k for k in range(1, length.bit_length())):
        blocks = values.reshape(-1, 2, half)
        a, b = blocks[:, 0], blocks[:, 1]
        twiddles = powers(root_of_unity(2 * half), half)
        values = np.stack([a + b, (a - b) * twiddles], axis=1).view(F)
    return values.reshape(shape).view(F)


def intt(values: F) -> F:
    """Coefficients from values on <omega> in natural order (row i at omega^i), shape (..., 2^k).

    The transform of the values with omega^-1 in place of omega, divided by the length: c_k = (1/n) sum_i
    v_i omega^(-ik).
    """
    length = values.shape[-1]
    spectrum = ntt(values)[..., bit_reversal(log2(length))]
    turned = np.roll(spectrum[..., ::-1], 1, axis=-1).view(F)  # entry k is now that of -k
    return turned * base(pow(length, -1, P))


def lde(coefficients: F, log_length: int, shift: int = GENERATOR) -> F:
    """Low-degree extension: the codeword of each polynomial on the coset shift <omega>, bit-reversed.

    coefficients: (columns, D), D <= 2^log_length. Returns (columns, 2^log_length), C-contiguous.
    ValueError if there are more coefficients than points.
    """
    columns, count = coefficients.shape
    length = 1 << log_length
    if count > length:
        raise ValueError(f"expected at most {length} coefficients, got {count}")
    padded = np.zeros((columns, length), dtype=np.uint32).view(F)
    padded[:, :count] = coefficients * powers(shift, count)
    return ntt(padded)


def interpolate(codeword: F, shift: int = GENERATOR) -> F:
    """Coefficients of the polynomials with these codewords, (..., N) both; inverse of `lde`."""
    length = codeword.shape[-1]
    natural = codeword[..., bit_reversal(log2(length))]
    return intt(natural) * powers(pow(shift, -1, P), length)


def blind(coefficients: F, randomness: F) -> F:
    """T + (X^n - 1) r: equal to T on H, random elsewhere. (columns, n), (columns, h) -> (columns, n + h)."""
    h = randomness.shape[1]
    result = np.concatenate([coefficients, randomness], axis=1).view(np.ndarray)
    result[:, :h] = result[:, :h].view(F) - randomness
    return result.view(F)


def evaluate(coefficients: F, z: Ext) -> Ext:
    """f(z) of base polynomials at one point of E: (columns, D) -> Ext (columns,)."""
    z_powers = z.powers(coefficients.shape[-1])
    return Ext(np.stack([np.add.reduce(coefficients * row, axis=-1) for row in z_powers.coeffs]).view(F))


def combine(coefficients: F, weights: Ext) -> Ext:
    """sum_i weights_i f_i of base polynomials: (columns, D) and Ext (columns,) -> Ext (D,), in coefficients."""
    rows = [np.add.reduce(coefficients * row.reshape(-1, 1), axis=0) for row in weights.coeffs]
    return Ext(np.stack(rows).view(F))


def evaluate_ext(coefficients: Ext, points: Ext) -> Ext:
    """f(x) by Horner of one polynomial over E, (D,), at points of E of any shape."""
    result = points * 0
    for k in range(len(coefficients) - 1, -1, -1):
        result = result * points + coefficients[k]
    return result


def divide_linear(coefficients: Ext, z: Ext) -> Ext:
    """(f - f(z)) / (X - z), by synthetic division: q_j = sum_(i>j) f_i z^(i-j-1). (D,) -> (D,), the last
    one zero.

    The recurrence q_(j-1) = f_j + z q_j is unrolled to running sums of f_i z^i, taken from the top. z must
    not be zero.
    """
    count = len(coefficients)
    weighted = coefficients * z.powers(count)
    from_top = np.add.accumulate(weighted.coeffs[:, ::-1], axis=-1)[:, ::-1].view(F)
    above = Ext(np.concatenate([from_top[:, 1:], np.zeros((5, 1), dtype=np.uint32)], axis=1).view(F))
    return above * z.inverse().powers(count + 1)[1:]


def vanishing(x: Ext | F, n: int) -> Ext | F:
    """X^n - 1 at the points x: zero exactly on H."""
    return x**n - 1 if isinstance(x, Ext) else x**n - base(1)
