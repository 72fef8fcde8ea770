"""What a round pays, in the integers of IRewards.

    R' = min(R, pot)        hospital i: floor(R' x_i / X),  X = sum_j x_j
                            each of k services: min(service, floor(left / k)),  left = pot - what hospitals got

What rounding leaves stays in the pot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

TOKEN = 10**18
"""Smallest units in one token."""


@dataclass(frozen=True)
class RewardParameters:
    """hospitals: R of a round.  service: for a validator's vote, for a seat's sums.  Both in the token's smallest unit."""

    hospitals: int = 40 * TOKEN
    service: int = TOKEN


@dataclass(frozen=True)
class Split:
    """hospitals: of each, in their order.  service: of each service.  pot: what is left in it."""

    hospitals: tuple[int, ...]
    service: int
    pot: int


def split(parameters: RewardParameters, pot: int, contributions: Sequence[int], services: int) -> Split:
    """The rewards of a round. contributions: x_i >= 0. services: how many were done."""
    total, shared = sum(contributions), min(parameters.hospitals, pot)
    hospitals = tuple(shared * x // total if total else 0 for x in contributions)
    pot -= sum(hospitals)
    service = min(parameters.service, pot // services) if services else 0
    return Split(hospitals, service, pot - service * services)
