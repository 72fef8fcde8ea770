"""Lookups by logarithmic derivatives (LogUp, Haboeck, ePrint 2022/1530), summed cyclically.

    sum over rows and fractions of  numerator / (beta + values[0] + lam values[1] + lam^2 values[2] + ...)  =  0

A column that looks a value up contributes numerator 1, the table minus its multiplicity: for random beta and
lam the sum is zero only if every looked-up tuple is in the table. A numerator may be a list, sum_j lam^j m_j:
then the sum over all rows vanishes for each m_j, at every tuple. So a weight that is looked up also collects
the gradient: numerators (1, c v) on the rows, (-count, -G) in the table say that G is the sum of all c v.
Fractions are batched into as few extension columns a_i as the degree allows; the last batch goes into the
running sum S itself, whose value after the last row is that of the first:

    a_i prod d = sum num prod(other d)          (S' - S - sum a_i) prod d = sum num prod(other d)

S is fixed up to a constant only, which nothing reads. A numerator must not wrap around the characteristic:
multiplicities are counts below p.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from .field import Ext, F


@dataclass(frozen=True)
class Fraction:
    """numerator / (beta + sum_j lam^j values[j]), of the base-field cells of one row.

    numerator: one value, or a list of them that stands for sum_j lam^j numerator[j].
    """

    name: str
    numerator: Any
    values: Sequence[Any]

    @property
    def numerators(self) -> Sequence[Any]:
        return self.numerator if isinstance(self.numerator, list) else [self.numerator]

    @property
    def width(self) -> int:
        """Coefficients in lam of the fraction's two sides together: what the soundness counts."""
        return len(self.values) + len(self.numerators) - 1


def batches(degrees: Sequence[Fraction], budget: int) -> list[list[int]]:
    """Group fractions (whose parts are `Degree`s) greedily so that no constraint's degree passes `budget`.

    Raises ValueError for a fraction that alone passes it.
    """
    groups: list[list[int]] = []
    for i, fraction in enumerate(degrees):
        if groups and _batch_degree([degrees[j] for j in [*groups[-1], i]]) <= budget:
            groups[-1].append(i)
        elif _batch_degree([fraction]) <= budget:
            groups.append([i])
        else:
            raise ValueError(
                f"lookup {fraction.name} needs degree {_batch_degree([fraction])}; allowed {budget}"
            )
    return groups


def _batch_degree(fractions: Sequence[Fraction]) -> int:
    below = [max(v.d for v in f.values) for f in fractions]
    own = [max(v.d for v in f.numerators) for f in fractions]
    above = [a + sum(below) - b for a, b in zip(own, below, strict=True)]
    return max(1 + sum(below), *above)


def lookup_constraints(
    fractions: Sequence[Fraction],
    groups: Sequence[Sequence[int]],
    aux: Sequence[Any],
    aux_next: Sequence[Any],
    beta: Any,
    lam: Any,
) -> Iterator[tuple[str, Any]]:
    """Yield (name, polynomial) for each batch; all hold on every row, cyclically. aux: the columns a_0, ...,
    S.
    """
    for i, group in enumerate(groups):
        below = [denominator(fractions[j], beta, lam) for j in group]
        parts = [
            _product([d for k, d in enumerate(below) if k != j], horner(fractions[g].numerators, lam))
            for j, g in enumerate(group)
        ]
        above = parts[0]
        for part in parts[1:]:
            above = above + part
        own = aux[i]
        if i == len(groups) - 1:
            own = aux_next[i] - aux[i]
            for a in aux[:-1]:
                own = own - a
        yield f"lookup {'+'.join(fractions[j].name for j in group)}", _product(below, own) - above


def auxiliary_trace(
    fractions: Sequence[Fraction], groups: Sequence[Sequence[int]], beta: Ext, lam: Ext, length: int
) -> Ext:
    """(k_aux, n): the columns a_0, ..., S that an honest prover commits to, S starting at zero.

    fractions: of whole base columns.  ZeroDivisionError if a denominator vanishes (probability n / p^5).
    """
    sums = []
    for group in groups:
        parts = [
            _column(denominator(f, beta, lam).inverse() * horner(f.numerators, lam), length)
            for f in (fractions[j] for j in group)
        ]
        sums.append(sum(parts[1:], start=parts[0]))
    total = sum(sums[1:], start=sums[0])
    running = Ext(np.add.accumulate(total.coeffs, axis=-1).view(F)).roll(1)
    running.coeffs[:, 0] = 0
    return Ext.stack([*sums[:-1], running])


def _column(value: Ext, length: int) -> Ext:
    return Ext(np.broadcast_to(value.coeffs.reshape(5, -1), (5, length)).view(F))


def denominator(fraction: Fraction, beta: Any, lam: Any) -> Any:
    """beta + values[0] + lam values[1] + ..."""
    return beta + horner(fraction.values, lam)


def horner(values: Sequence[Any], lam: Any) -> Any:
    """values[0] + lam values[1] + lam^2 values[2] + ..."""
    total = values[-1]
    for value in reversed(values[:-1]):
        total = lam * total + value
    return total


def _product(factors: Sequence[Any], start: Any) -> Any:
    return prod(factors, start=start)
