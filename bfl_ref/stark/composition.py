"""The composition on a coset: all constraints, each over its vanishing polynomial, under one challenge.

    C(x) = sum_j alpha^j c_j(x) / Z_j(x)

It is a polynomial (the quotient) exactly if every constraint holds. It is evaluated on 31 <omega_M>, M = n
2^k points, just enough for its degree: in bit-reversed order these are the first M positions of the
codewords.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .air import Air, Frame, constraints
from .field import GENERATOR, Ext, F, base, batch_inverse, root_of_unity
from .poly import bit_reversal, coset, intt, lde, log2
from .program import Program


@dataclass(frozen=True)
class Challenges:
    """Drawn by the verifier: alpha combines constraints; beta and lam are the lookups' (None without
    lookups). data: T, which lam makes of the public data (None without).
    """

    alpha: Ext
    beta: Ext | None
    lam: Ext | None
    data: Ext | None = None


def composition(
    air: Air,
    program: Program,
    codewords: tuple[F, F, F],
    log_size: int,
    public: F,
    challenges: Challenges,
) -> Ext:
    """(M,): C on the coset of M = 2^log_size points, bit-reversed.

    program: the AIR recorded; only the compiled twin runs it.  codewords: preprocessed (k_pre, N), main
    (k_main, N), auxiliary (5 k_aux, N), N >= M.  public: (public_inputs,).
    """
    pre, main, aux = (group[:, : 1 << log_size].view(F) for group in codewords)
    cells: list[F | Ext] = [*pre, *main, *(Ext(aux[i : i + 5].view(F)) for i in range(0, len(aux), 5))]
    after = next_row(air.length, log_size)
    repeats = air.length >> np.array([log2(len(v)) for v in air.short_values(public)], dtype=int)
    short = short_codewords(air, public, log_size)
    frame = Frame(
        cur=cells,
        nxt=[cell[after] for cell in cells],
        short=[np.repeat(v, r).view(F) for v, r in zip(short, repeats, strict=True)],
        public=list(public),
        k=lambda c: base(c % F.order),
        beta=challenges.beta,
        lam=challenges.lam,
        data=challenges.data,
    )
    found = constraints(air, frame)
    total = Ext.lift(np.zeros(1 << log_size, np.uint32).view(F))
    for weight, c in zip(challenges.alpha.powers(len(found)).elements(), found, strict=True):
        over = vanishing_inverse(air.length, c.kind, c.row, log_size)
        total = total + Ext(weight.reshape(5, 1).view(F)) * (c.value * over)
    return total


def vanishing_inverse(n: int, kind: str, row: int, log_size: int) -> F:
    """1 / Z on the coset: (X - g^(n-1)) / (X^n - 1) transition, 1 / (X^n - 1) everywhere, 1 / (X - g^row)
    boundary.
    """
    x = coset(log_size)
    if kind == "boundary":
        return batch_inverse(x - base(pow(root_of_unity(n), row, F.order)))
    x_n = coset(log_size - log2(n), pow(GENERATOR, n, F.order))  # one value on each run of n positions
    over = batch_inverse(x_n - base(1))
    whole = np.repeat(over, n).view(F)
    return whole if kind == "everywhere" else whole * (x - base(pow(root_of_unity(n), n - 1, F.order)))


def next_row(n: int, log_size: int) -> np.ndarray:
    """(M,): the position of g x_i. It stays in the same run of n positions, whose x^n is the same."""
    reverse = bit_reversal(log2(n))
    run = reverse[(reverse + 1) % n]
    return (np.arange(0, 1 << log_size, n)[:, None] + run).reshape(-1)


def short_codewords(air: Air, public: F, log_size: int) -> list[F]:
    """Short columns on the coset: period 2^k values each, of which position i reads number i // (n / period)."""
    values = air.short_values(public)
    found = dict[int, F]()
    for period in {len(each) for each in values}:
        same = [i for i, each in enumerate(values) if len(each) == period]  # extended together
        shift = pow(GENERATOR, air.length // period, F.order)
        log_period = log_size - log2(air.length // period)
        coefficients = intt(np.stack([values[i] for i in same]).view(F))
        found.update(zip(same, lde(coefficients, log_period, shift), strict=True))
    return [found[i] for i in range(len(values))]


def short_at(air: Air, public: F, z: Ext) -> Sequence[Ext]:
    """Short columns at a point of E: the interpolant of one period, at z^(n / period)."""
    found = []
    for values in air.short_values(public):
        z_period = z ** (air.length // len(values))
        weights = z_period.powers(len(values))
        found.append((weights * intt(values)).sum())
    return found


def vanishing_at(n: int, kind: str, row: int, z: Ext) -> Ext:
    """Z at a point of E, as above."""
    g = root_of_unity(n)
    if kind == "boundary":
        return z - pow(g, row, F.order)
    whole = z**n - 1
    return whole if kind == "everywhere" else whole / (z - pow(g, n - 1, F.order))
