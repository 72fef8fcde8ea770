"""Sum-shares back to the sum, with the aggregators that lied named.

    r present seats, t shares needed, e wrong ones:   exact, all e named, whenever r >= t + 2 e

A seat is wrong as a whole, whichever of its elements are. Nothing is accepted but polynomials of degree < t that pass
through at least r - e of the present vectors, in every element, with 2 e <= r - t; else a named error says so.

What no decoder can do. If another polynomial passes through some of the honest vectors, liars who hold the other seats can
make it look like the sum. It shares at most t - 1 values with the true one, so it takes r - t - w + 1 liars, who know only
each other, to make a wrong sum pass with w seats named; `Decoded.margin` = r - t - w is how many liars are too few for it.

    m = 5, t = 3:   present  named w  margin
                       5        0        2      two liars cannot
                       5        1        1      two can, and then the named seat is honest
                       4        0        1      one cannot
                       3        0        0      nothing confirms the sum: one can, unnoticed

Redundancy cannot do more; a proof can. Rounds of this package take sum-shares with a proof only (statements/sum_share.py),
so that any t of them give the right total. This decoder is for whoever has no proofs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from ..stark.field import F
from .reed_solomon import polynomial_through_most
from .shamir import lagrange, points


class Undecodable(Exception):
    """The present sum-shares do not give a sum."""


class TooFewShares(Undecodable):
    """Fewer sum-shares than the threshold are present.   present, needed: how many."""

    def __init__(self, present: int, needed: int):
        super().__init__(f"{present} sum-shares are present, {needed} are needed")
        self.present, self.needed = present, needed


class NotDecodable(Undecodable):
    """No polynomial of degree < t passes through all but (r - t) // 2 of the r present vectors.   present: r."""

    def __init__(self, present: int, threshold: int):
        errors = (present - threshold) // 2
        super().__init__(
            f"{present} sum-shares are present, threshold {threshold}: more than {errors} are wrong"
        )
        self.present, self.threshold = present, threshold


@dataclass(frozen=True, eq=False)
class Decoded:
    """total: (n,) field, the sum of the shared vectors.   wrong: the seats that lied, ascending.

    margin: the total is right, and the named are the liars, if no more than this many of the present seats lied.
    """

    total: F
    wrong: tuple[int, ...]
    margin: int


def decode(sum_shares: Mapping[int, F], threshold: int) -> Decoded:
    """f(0), f the polynomials of degree < t through the sum-shares of all but at most (r - t) // 2 seats.

    sum_shares: seat -> (n,) field, of the r seats that are present.   threshold: t.
    All elements at once: one that does not fit names its liars (Berlekamp and Welch), and the rest is tried again.
    TooFewShares if r < t, NotDecodable if there is no such f; ValueError for t < 1, bad seats or unlike shapes.
    """
    r = _present(sum_shares, threshold)
    trusted, budget = sorted(sum_shares), (r - threshold) // 2
    while (odd := _first_misfit(sum_shares, trusted, threshold)) is not None:
        column = type(sum_shares[trusted[0]])([int(sum_shares[seat][odd]) for seat in trusted])
        liars = _liars(trusted, column, threshold, budget)
        if not liars:
            raise NotDecodable(r, threshold)
        trusted = [seat for seat in trusted if seat not in liars]
        budget -= len(liars)
    return _decoded(sum_shares, trusted, threshold, _value(sum_shares, trusted[:threshold], 0))


def decode_plain(sum_shares: Mapping[int, F], threshold: int) -> Decoded:
    """What `decode` computes, by definition: each element by itself, then the liars of all of them put together."""
    r = _present(sum_shares, threshold)
    seats, errors = sorted(sum_shares), (r - threshold) // 2
    word = np.stack([sum_shares[seat] for seat in seats]).view(type(sum_shares[seats[0]]))
    x, total, wrong = points(seats, type(word)), type(word).Zeros(word.shape[1]), set()
    for j, y in enumerate(word.T):
        f = polynomial_through_most(x, y, threshold, errors)
        if f is None:
            raise NotDecodable(r, threshold)
        total[j] = f(0)
        wrong |= {seat for seat, fits in zip(seats, f(x) == y, strict=True) if not fits}
    if len(wrong) > errors:
        raise NotDecodable(r, threshold)
    return _decoded(sum_shares, [seat for seat in seats if seat not in wrong], threshold, total)


def _present(sum_shares: Mapping[int, F], threshold: int) -> int:
    """r. Refuses what neither decoder takes."""
    if threshold < 1:
        raise ValueError(f"expected a threshold of at least 1, got {threshold}")
    if len(sum_shares) < threshold:
        raise TooFewShares(len(sum_shares), threshold)
    shapes = {s.shape for s in sum_shares.values()}
    if len(shapes) > 1 or len(next(iter(shapes))) != 1:
        raise ValueError(f"expected sum-shares of one shape (n,), got {sorted(shapes)}")
    points(list(sum_shares), type(next(iter(sum_shares.values()))))
    return len(sum_shares)


def _first_misfit(sum_shares: Mapping[int, F], trusted: list[int], threshold: int) -> int | None:
    """The first element at which some trusted seat is off the polynomials through the first t; None if all fit."""
    for seat in trusted[threshold:]:
        unlike = _value(sum_shares, trusted[:threshold], seat + 1) != sum_shares[seat]
        if unlike.any():
            return int(unlike.argmax())
    return None


def _value(sum_shares: Mapping[int, F], seats: list[int], at: int) -> F:
    """(n,): the polynomials through the vectors of `seats`, at this point."""
    field = type(sum_shares[seats[0]])
    weights = lagrange(points(seats, field), field(at))
    return reduce(add, (weight * sum_shares[seat] for weight, seat in zip(weights, seats, strict=True)))


def _liars(seats: list[int], column: F, threshold: int, errors: int) -> set[int]:
    """Whose values in one element are wrong; empty if there is no telling."""
    x = points(seats, type(column))
    f = polynomial_through_most(x, column, threshold, errors)
    return set() if f is None else {s for s, fits in zip(seats, f(x) == column, strict=True) if not fits}


def _decoded(sum_shares: Mapping[int, F], trusted: list[int], threshold: int, total: F) -> Decoded:
    wrong = tuple(sorted(set(sum_shares) - set(trusted)))
    return Decoded(total, wrong, len(trusted) - threshold)
