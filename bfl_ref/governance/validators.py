"""Who signs the model: a committee drawn by lot among the well reputed, in the integers of IValidators.

The pool: who stakes enough and has at least half of the best score, or the third best one where that is lower. Draw t takes
the place keccak256(seed | t) mod (left), whose last one moves there; who would be one too many of its operator is passed
over. All of the pool have equal chances, so a coalition holds seats as in drawing balls from an urn:

    P(at least k of n seats) = sum_(i >= k) C(c, i) C(N - c, n - i) / C(N, n)        c of the N in the pool collude
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import comb

from eth_abi.abi import encode
from eth_utils import keccak

from .rewards import TOKEN
from .selection import hashed

MIN_VALIDATORS = 3


@dataclass(frozen=True)
class ValidatorParameters:
    """seats: validators of a round.  per_operator: seats that the members of one operator get at most.  penalty: slashed for
    voting for two models; fee: of that, for who brings the evidence; both in the token's smallest unit.
    """

    seats: int = 5
    per_operator: int = 1
    penalty: int = 50 * TOKEN
    fee: int = 5 * TOKEN


def pool(parameters: ValidatorParameters, scores: Sequence[int], stakes: Sequence[int]) -> tuple[int, ...]:
    """Positions of those who may be drawn. scores, stakes: of all validators, in the order of `members()`."""
    staked = [i for i, stake in enumerate(stakes) if stake >= parameters.penalty]
    best = sorted((scores[i] for i in staked), reverse=True)[:MIN_VALIDATORS]
    if len(best) < MIN_VALIDATORS:
        return tuple(staked)
    return tuple(i for i in staked if 2 * scores[i] >= best[0] or scores[i] >= best[-1])


def seed_of(chain_id: int, contract: str, round_id: int, last_value: bytes) -> bytes:
    """What a committee is drawn by. contract: address of Validators. last_value: r2 of an earlier round, or zeros."""
    types = ["uint256", "address", "uint256", "bytes32"]
    return keccak(encode(types, [chain_id, contract, round_id, last_value]))


def draw(seed: bytes, operators: Sequence[Hashable], seats: int, per_operator: int) -> tuple[int, ...]:
    """Positions in the pool. operators: of each in the pool."""
    left, drawn = list(range(len(operators))), list[int]()
    seated: Counter[Hashable] = Counter()
    t = 0
    while left and len(drawn) < seats:
        place = hashed(seed, t) % len(left)
        found, left[place] = left[place], left[-1]
        left.pop()
        if seated[operators[found]] < per_operator:
            seated[operators[found]] += 1
            drawn.append(found)
        t += 1
    return tuple(drawn)


def two_thirds(seats: int) -> int:
    """The least number of seats that is two thirds of them."""
    return -(-2 * seats // 3)


def capture_probability(pool: int, coalition: int, seats: int, needed: int) -> float:
    """That `coalition` of the `pool` get at least `needed` of `seats` seats, all of different operators.

    ValueError unless 0 <= coalition, seats <= pool.
    """
    if not (0 <= coalition <= pool and 0 <= seats <= pool):
        raise ValueError(f"expected 0 <= coalition, seats <= pool, got {coalition}, {seats}, {pool}")
    ways = sum(
        comb(coalition, i) * comb(pool - coalition, seats - i) for i in range(max(0, needed), seats + 1)
    )
    return ways / comb(pool, seats)


def top_scorers(scores: Sequence[int], members: Sequence[str], seats: int) -> tuple[int, ...]:
    """For comparison only: the best scores take the seats, ties by address. Who once has them keeps them."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], int(members[i], 16)))
    return tuple(order[:seats])
