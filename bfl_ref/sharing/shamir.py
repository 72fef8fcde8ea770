"""Shamir's scheme for whole vectors: any t shares give the vector, t - 1 say nothing about it.

    s_a = v + sum_(k = 1..t-1) c_k x_a^k,   x_a = a + 1,   seats a = 0..m-1

Everything is linear, so sums of shares are shares of the sum: sum_i s_a^(i) = share a of sum_i v^(i).

Arithmetic is galois' own: its compiled products take 2 to 4 ns an element, no more than numpy's uint64 with a modulus. The
functions take any prime field of galois, so that a small one can be gone through completely; the protocol's is F.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from ..stark.field import F
from .uniform import Rng, uniform


def share(vector: np.ndarray, coefficients: F, seats: int) -> F:
    """(m, n) field: row a is seat a's share,  s_a = v + sum_k c_k x_a^k.  By Horner's rule, from the highest power down.

    vector: (n,) field, or integers of any sign (`residues`).   coefficients: (t - 1, n) field, uniform and used once.
    seats: m, t <= m < p.   ValueError on shapes that do not fit, or unless 2 <= t <= m < p: with t = 1 each share is v.
    """
    field, threshold = type(coefficients), len(coefficients) + 1
    if coefficients.ndim != 2 or vector.shape != coefficients.shape[1:]:
        raise ValueError(
            f"expected a vector (n,) and coefficients (t - 1, n), got {vector.shape}, {coefficients.shape}"
        )
    if not 2 <= threshold <= seats < field.order:
        raise ValueError(f"expected 2 <= t <= m < {field.order}, got t = {threshold}, m = {seats}")
    x = points(range(seats), field)[:, None]
    shares = coefficients[-1]
    for c in [*coefficients[-2::-1], residues(vector, field)]:
        shares = shares * x + c  # (m, n)
    return shares


def random_coefficients(n: int, threshold: int, rng: Rng) -> F:
    """(t - 1, n) field, exactly uniform: what hides a vector of n elements.

    rng(k): k random bytes, from `secrets.token_bytes` outside tests.   ValueError unless n >= 0, t >= 2.
    """
    if n < 0 or threshold < 2:
        raise ValueError(f"expected n >= 0 and threshold >= 2, got {n}, {threshold}")
    return uniform((threshold - 1) * n, rng).reshape(threshold - 1, n).view(F)


def sum_shares(shares: Sequence[F]) -> F:
    """(n,) field: sum_i s^(i) of one seat's shares, one (n,) a hospital.  ValueError for none, or unlike shapes."""
    if not shares or any(s.shape != shares[0].shape for s in shares):
        raise ValueError(f"expected shares of one shape, got {[s.shape for s in shares]}")
    return reduce(add, shares)


def residues(vector: np.ndarray, field: type[F] = F) -> F:
    """v mod p as field elements; inverse of `signed`.

    vector: integers with |v_j| < p/2, beyond which another number would come back; or field elements, returned as they
    are.   ValueError for other numbers than integers, or outside the range.
    """
    if isinstance(vector, field):
        return vector
    vector = np.asarray(vector)
    if not np.issubdtype(vector.dtype, np.integer):
        raise ValueError(f"expected integers, got {vector.dtype}")
    half = field.order // 2
    if vector.size and (vector.max() > half or vector.min() < -half):
        raise ValueError(f"expected integers within +-{half}")
    return (
        (vector.astype(np.int64) % field.order)
        .astype(field.dtypes[0] if field is not F else np.uint32)
        .view(field)
    )


def signed(elements: F) -> np.ndarray:
    """The integer in (-p/2, p/2) that is congruent to each element. int64, the shape of `elements`."""
    order = type(elements).order
    values = elements.view(np.ndarray).astype(np.int64)
    return values - order * (values > order // 2)


def points(seats: Sequence[int] | range, field: type[F] = F) -> F:
    """x_a = a + 1: where each seat's share is the value of the polynomial.  ValueError unless 0 <= a < p - 1, all unlike."""
    if len(set(seats)) < len(seats) or not all(0 <= a < field.order - 1 for a in seats):
        raise ValueError(f"expected distinct seats from 0 to {field.order - 2}, got {list(seats)}")
    return field([a + 1 for a in seats])


def lagrange(x: F, at: F) -> F:
    """(r,) field: l_i = prod_(j != i) (at - x_j) / (x_i - x_j), so that f(at) = sum_i l_i f(x_i) for deg f < r.

    x: (r,) distinct points.   at: () field.
    """
    others = ~np.eye(len(x), dtype=bool)
    above = np.where(others, at - x[None, :], 1).astype(x.dtype).view(type(x))
    below = np.where(others, x[:, None] - x[None, :], 1).astype(x.dtype).view(type(x))
    return np.multiply.reduce(above, axis=1) / np.multiply.reduce(below, axis=1)
