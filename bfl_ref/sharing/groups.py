"""Whose sums are opened, and how many units each hospital's update counts in them.

fewer than 6 survivors: the total only.  Else floor(k / 3) disjoint groups of 3 or 4 that partition the survivors, and
the total is their sum: what is opened beyond the total is never about fewer than 3 hospitals.

new_j = old_j + floor((total_j + A // 2) / A),   total_j = sum_i a_i u_ij,   A = sum_i a_i,   |total_j| < p/2
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from eth_utils import keccak

from ..stark.field import P

LEAST = 3  # hospitals in a group
MAX_HOSPITALS = 128  # of a consortium
BEACON_BYTES = 32

Hospital = TypeVar("Hospital")


class TooFewSurvivors(ValueError):
    """A sum over so few would show too much of each: nothing may be opened.   survivors: how many there are."""

    def __init__(self, survivors: int):
        super().__init__(f"{survivors} survivors, at least {LEAST} are needed")
        self.survivors = survivors


def partition(survivors: Sequence[Hospital], beacon: bytes) -> tuple[tuple[Hospital, ...], ...]:
    """max(1, floor(k / 3)) groups of the k survivors, sizes at most one apart, larger ones first: 3 or 4 each from k = 6 on.

    Shuffled first (Fisher and Yates): for j = k - 1 .. 1 swap places j and keccak256(beacon || j as 32 bytes) mod (j + 1).
    Then cut; a group keeps the order of `survivors`. Everybody who knows the list and the beacon finds the same groups.

    survivors: distinct, in an order that nobody chose (the contract's).   beacon: 32 bytes, drawn after the list is fixed.
    TooFewSurvivors for k < 3; ValueError for a hospital twice, or a beacon of another length.
    """
    k = len(survivors)
    if len(beacon) != BEACON_BYTES:
        raise ValueError(f"expected a beacon of {BEACON_BYTES} bytes, got {len(beacon)}")
    if len(set(survivors)) < k:
        raise ValueError(f"expected each survivor once, got {k} of which {len(set(survivors))} are distinct")
    if k < LEAST:
        raise TooFewSurvivors(k)
    order = list(range(k))
    for j in range(k - 1, 0, -1):
        i = int.from_bytes(keccak(beacon + j.to_bytes(32, "big")), "big") % (j + 1)
        order[i], order[j] = order[j], order[i]
    return tuple(tuple(survivors[i] for i in sorted(part)) for part in np.array_split(order, k // LEAST))


def weights(rows: Sequence[int], bound: int) -> tuple[int, ...]:
    """a_i = n_i if N bound < p/2, else n_i K / N to the nearest, half upwards, at least 1,  K = floor((p//2) / bound) - 130.

    Then sum_i a_i bound < p/2: no sum of a_i u_i wraps around, of any of the hospitals. Rounding up adds less than 1 to the
    sum of the a_i for each hospital, and there are at most 128 of them. The contract's rule (ICommittee).
    rows: n_i >= 1 of the h hospitals that were selected for the round, dropped out or not; N = sum_i n_i.
    bound: largest |u_ij| that the release proof lets through, >= 1.
    ValueError for other arguments, more hospitals, or a bound that leaves K no room.
    """
    if not 1 <= len(rows) <= MAX_HOSPITALS or min(rows) < 1 or bound < 1:
        raise ValueError(
            f"expected 1 to {MAX_HOSPITALS} positive row counts and a positive bound, got rows {list(rows)}, bound {bound}"
        )
    n = sum(rows)
    if n * bound < P // 2:
        return tuple(rows)
    k = P // 2 // bound - MAX_HOSPITALS - 2
    if k < 1:
        raise ValueError(f"bound: expected at most {P // 2 // (MAX_HOSPITALS + 3)}, got {bound}")
    return tuple(max(1, (2 * rows_i * k + n) // (2 * n)) for rows_i in rows)


def combine(old: np.ndarray, total: np.ndarray, weights_sum: int) -> np.ndarray:
    """new_j = old_j + floor((total_j + A // 2) / A); with a_i = n_i this is `fixed_point.aggregate`, bit for bit.

    old: (n,) integers, the model in force.   total: (n,) integers, sum of a_i u_i over the survivors (`shamir.signed`).
    weights_sum: A >= 1, the sum of the survivors' a_i.   (n,) int64.   ValueError on unlike shapes, or A < 1.
    """
    if old.shape != total.shape or weights_sum < 1:
        raise ValueError(
            f"expected two vectors (n,) and A >= 1, got {old.shape}, {total.shape}, {weights_sum}"
        )
    return old.astype(np.int64) + (total.astype(np.int64) + weights_sum // 2) // weights_sum
