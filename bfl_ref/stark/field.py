"""F = GF(p), p = 2^31 - 2^27 + 1 (BabyBear), and E = F[X]/(X^5 - 2), its quintic extension.

Base elements are galois arrays of dtype uint32, canonical (below p); `array.view(F)` and
`.view(np.ndarray)` cost nothing. Extension elements are `Ext`: one F array of shape (5, ...), lowest power
first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import galois
import numpy as np

P = 2**31 - 2**27 + 1
GENERATOR = 31  # of the multiplicative group; also the shift of the evaluation coset
TWO_ADICITY = 27
EXTENSION_DEGREE = 5
NON_RESIDUE = 2  # X^5 = 2 in E

if TYPE_CHECKING:
    F = galois.FieldArray  # so that F serves as a type
else:
    F = galois.GF(P, primitive_element=GENERATOR, verify=False)

# The constants, checked: P - 1 = 2^27 * 3 * 5, the generator has full order, X^5 - 2 is irreducible (5 | p
# - 1 and 2 is no fifth power suffice). That p itself is prime is Pocklington's criterion on these factors.
assert P - 1 == 2**TWO_ADICITY * 3 * 5
assert pow(GENERATOR, P - 1, P) == 1 and all(pow(GENERATOR, (P - 1) // q, P) != 1 for q in (2, 3, 5))
assert pow(NON_RESIDUE, (P - 1) // 5, P) != 1


def base(values: int | Sequence | np.ndarray) -> F:
    """Canonical integers as an F array of dtype uint32. ValueError (from galois) outside [0, p)."""
    return F(values, dtype=np.uint32)


def random_base(shape: int | tuple[int, ...], rng: Callable[[int], bytes]) -> F:
    """Uniform elements up to a bias of 2^-33.

    rng(k): k random bytes, from `secrets.token_bytes` outside tests.
    """
    count = int(np.prod(shape))
    words = np.frombuffer(rng(8 * count), dtype="<u8")
    return (words % P).astype(np.uint32).reshape(shape).view(F)


def root_of_unity(order: int) -> int:
    """omega = 31^((p-1)/order): a generator of the subgroup of that order, a power of two up to 2^27."""
    if order < 1 or order & (order - 1) or order > 1 << TWO_ADICITY:
        raise ValueError(f"expected a power of two up to 2^{TWO_ADICITY}, got {order}")
    return pow(GENERATOR, (P - 1) // order, P)


def powers(x: int, count: int) -> F:
    """(1, x, x^2, ..., x^(count-1)) as an F array."""
    result = base([1])
    while len(result) < count:  # what is known, times x^(how many are known), is as much again
        result = np.concatenate([result, result * base(pow(x, len(result), P))]).view(F)
    return result[:count]


def batch_inverse(a: F) -> F:
    """1/a elementwise with a single inversion (Montgomery's trick): three products an element.

    ZeroDivisionError if an element is zero.
    """
    flat = a.reshape(-1)
    if len(flat) <= 1:
        return np.reciprocal(flat).reshape(a.shape).view(F)
    half = len(flat) // 2
    left, right, rest = flat[:half], flat[half : 2 * half], flat[2 * half :]
    inverse = batch_inverse(left * right)
    parts = [inverse * right, inverse * left, *([np.reciprocal(rest)] if len(rest) else [])]
    return np.concatenate(parts).reshape(a.shape).view(F)


def to_bytes(a: F) -> bytes:
    """Canonical bytes: each element as 4 bytes big-endian, in C order."""
    return a.view(np.ndarray).astype(">u4").tobytes()


def from_bytes(data: bytes) -> F:
    """Inverse of `to_bytes`, 1-dimensional.

    ValueError on a length that is no multiple of 4, or on an element that is not below p.
    """
    words = np.frombuffer(data, dtype=">u4")
    if len(words) and int(words.max()) >= P:
        raise ValueError(f"expected elements below p = {P}, got {int(words.max())}")
    return words.astype(np.uint32).view(F)


_SHIFTS = EXTENSION_DEGREE + np.subtract.outer(np.arange(EXTENSION_DEGREE), np.arange(EXTENSION_DEGREE))


class Ext:
    """Elements sum_k coeffs[k] X^k of E = F[X]/(X^5 - 2); coeffs: (5, *shape) F array of dtype uint32.

    + - * / ** and indexing act elementwise with broadcasting; the other operand may be Ext, an F array or
    an int, which are lifted to constants. Indexing, reshape and sum act on `shape`.
    """

    __array_ufunc__ = None  # F array * Ext is answered by Ext.__rmul__, not elementwise by numpy
    __slots__ = ("coeffs",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, coeffs: F):
        if len(coeffs) != EXTENSION_DEGREE:
            raise ValueError(f"expected 5 coefficient rows, got shape {coeffs.shape}")
        self.coeffs = coeffs

    @classmethod
    def lift(cls, value: Ext | F | int) -> Ext:
        """A base element or an int as a constant of E; an Ext unchanged."""
        if isinstance(value, Ext):
            return value
        constant = base(int(value) % P) if isinstance(value, int | np.integer) else value
        coeffs = np.zeros((EXTENSION_DEGREE, *constant.shape), dtype=np.uint32)
        coeffs[0] = constant  # into the plain array: galois would check every element again
        return cls(coeffs.view(F))

    @classmethod
    def from_ints(cls, *coefficients: int) -> Ext:
        """One element from up to five canonical integers, lowest power first."""
        return cls(base([*coefficients, *[0] * (EXTENSION_DEGREE - len(coefficients))]))

    @classmethod
    def from_elements(cls, elements: F) -> Ext:
        """From an F array (..., 5), coefficients last: the order in which bytes hold them."""
        return cls(np.ascontiguousarray(np.moveaxis(elements, -1, 0)).view(F))

    @classmethod
    def stack(cls, items: Sequence[Ext]) -> Ext:
        """(len(items), ...) from equally shaped elements."""
        return cls(np.stack([item.coeffs for item in items], axis=1).view(F))

    @classmethod
    def concatenate(cls, items: Sequence[Ext]) -> Ext:
        """Joined along the first axis of `shape`."""
        return cls(np.concatenate([item.coeffs for item in items], axis=1).view(F))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.coeffs.shape[1:]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> Ext:
        index = index if isinstance(index, tuple) else (index,)
        return Ext(self.coeffs[(slice(None), *index)])

    def reshape(self, *shape: int) -> Ext:
        return Ext(self.coeffs.reshape(EXTENSION_DEGREE, *shape).view(F))

    def elements(self) -> F:
        """(..., 5) F array, coefficients last; inverse of `from_elements`."""
        return np.ascontiguousarray(np.moveaxis(self.coeffs, 0, -1)).view(F)

    def to_bytes(self) -> bytes:
        """20 bytes an element, in C order, lowest power first."""
        return to_bytes(self.elements())

    def __repr__(self) -> str:
        return f"Ext({self.elements().tolist()})"

    def __eq__(self, other) -> bool:
        """Equal shapes and equal everywhere; one bool, unlike numpy."""
        other = Ext.lift(other)
        return self.shape == other.shape and bool((self.coeffs == other.coeffs).all())

    def equals(self, other: Ext) -> np.ndarray:
        """Elementwise equality, boolean array of the broadcast shape."""
        return (_aligned(self, other) == _aligned(other, self)).all(axis=0)

    def __add__(self, other) -> Ext:
        other = Ext.lift(other)
        return Ext(_aligned(self, other) + _aligned(other, self))

    def __sub__(self, other) -> Ext:
        other = Ext.lift(other)
        return Ext(_aligned(self, other) - _aligned(other, self))

    def __rsub__(self, other) -> Ext:
        return Ext.lift(other) - self

    def __neg__(self) -> Ext:
        return Ext(-self.coeffs)

    def __mul__(self, other) -> Ext:
        if isinstance(other, int | np.integer):
            return Ext(self.coeffs * base(int(other) % P))
        if not isinstance(other, Ext):  # a base array scales the coefficients
            return Ext(_padded(self.coeffs, other.ndim) * other)
        a, b = _aligned(self, other), _aligned(other, self)
        # Coefficient k is sum_i a_i b_(k-i), with 2 b_(k-i+5) where k < i, since X^5 = 2. All 25 products
        # in one go.
        shifted = np.concatenate([b + b, b])[_SHIFTS]
        return Ext(np.add.reduce(a * shifted, axis=1).view(F))

    __radd__, __rmul__ = __add__, __mul__

    def inverse(self) -> Ext:
        """1/a = (a^p a^(p^2) a^(p^3) a^(p^4)) / norm(a), the norm lying in F. ZeroDivisionError at a zero."""
        pair = _frobenius(self, 1) * _frobenius(self, 2)
        conjugates = pair * _frobenius(pair, 2)
        norm = (self * conjugates).coeffs[0]
        return conjugates * batch_inverse(norm)

    def __truediv__(self, other) -> Ext:
        return self * Ext.lift(other).inverse()

    def __pow__(self, exponent: int) -> Ext:
        if exponent < 0:
            return self.inverse() ** -exponent
        result, square = Ext.lift(np.ones(self.shape, dtype=np.uint32).view(F)), self
        while exponent:
            if exponent & 1:
                result = result * square
            square = square * square
            exponent >>= 1
        return result

    def powers(self, count: int) -> Ext:
        """(1, a, a^2, ..., a^(count-1)), shape (count,), of a single element."""
        result, step = Ext.lift(base([1])), self
        while len(result) < count:  # step = a^len(result)
            result = Ext.concatenate([result, result * step])
            step = step * step
        return result[:count]

    def roll(self, shift: int) -> Ext:
        """Moved cyclically along the last axis, as numpy.roll."""
        return Ext(np.roll(self.coeffs, shift, axis=-1).view(F))

    def sum(self) -> Ext:
        """Sum over the last axis."""
        return Ext(np.add.reduce(self.coeffs, axis=-1).view(F))


def _padded(coeffs: F, ndim: int) -> F:
    """coeffs with axes put in after the first until `ndim` follow it, so that numpy broadcasts the rest."""
    missing = ndim - (coeffs.ndim - 1)
    if missing <= 0:
        return coeffs
    return coeffs.reshape(EXTENSION_DEGREE, *[1] * missing, *coeffs.shape[1:]).view(F)


def _aligned(a: Ext, b: Ext) -> F:
    return _padded(a.coeffs, b.coeffs.ndim - 1)


# X^p = w X with w = 2^((p-1)/5), a fifth root of unity: row t holds w^(k t), what a^(p^t) makes of
# coefficient k.
_FROBENIUS = powers(pow(NON_RESIDUE, (P - 1) // 5, P), EXTENSION_DEGREE)[
    np.multiply.outer(np.arange(EXTENSION_DEGREE), np.arange(EXTENSION_DEGREE)) % EXTENSION_DEGREE
]


def _frobenius(a: Ext, times: int) -> Ext:
    """a^(p^times)."""
    return Ext(a.coeffs * _FROBENIUS[times].reshape(EXTENSION_DEGREE, *[1] * len(a.shape)))
