"""Berlekamp and Welch: the polynomial through points of which some are wrong, without trying which.

    f(x_i) = y_i  or  x_i is a root of E       E = prod over wrong i of (X - x_i)
    Q = f E   =>   Q(x_i) = y_i E(x_i)  for every i: linear in the coefficients of Q and E

Shares of a vector are, coordinate by coordinate, words of a Reed-Solomon code.
Source: Welch and Berlekamp, US patent 4,633,470 (1986); as a linear system: Gemmell and Sudan (1992).
"""

import galois
import numpy as np

from ..stark.field import F


def polynomial_through_most(x: F, y: F, threshold: int, errors: int) -> galois.Poly | None:
    """The f of degree < t with f(x_i) = y_i for all but at most e of the points; None if there is none.

    x, y: (r,) field, x distinct.   threshold: t >= 1.   errors: e >= 0.   ValueError unless r >= t + 2 e: then there
    is at most one such f, since two would share r - 2 e >= t values.
    """
    r = len(x)
    if r < threshold + 2 * errors:
        raise ValueError(f"expected at least {threshold + 2 * errors} points, got {r}")
    field = type(x)
    power = x[:, None] ** np.arange(threshold + errors + 1)
    # The unknowns: the coefficients of Q, deg Q < t + e, and those of E below its leading one, E = X^e + ...
    q_part, e_part = power[:, : threshold + errors], y[:, None] * power[:, : errors + 1]
    solution = _solve(np.hstack([q_part, -e_part[:, :-1], e_part[:, -1:]]).view(field))
    if solution is None:
        return None
    q = galois.Poly(solution[: threshold + errors], order="asc")
    e = galois.Poly(np.append(solution[threshold + errors :], 1).astype(x.dtype).view(field), order="asc")
    f, rest = divmod(q, e)
    agree = int((f(x) == y).sum())
    return f if rest == 0 and f.degree < threshold and agree >= r - errors else None


def _solve(system: F) -> F | None:
    """One solution of A z = b, the free unknowns 0; system = (A | b). None if there is none."""
    solution = type(system).Zeros(system.shape[1] - 1)
    for row in system.row_reduce():
        pivots = np.flatnonzero(row)
        if len(pivots) and pivots[0] == len(solution):  # 0 = 1
            return None
        if len(pivots):
            solution[pivots[0]] = row[-1]
    return solution
