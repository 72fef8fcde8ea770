"""Who trains: a lottery among the eligible, in the integers of ISelection, which anyone can repeat.

    weight = score (4 + min(bucket, typical)) floor(16 min(stake, cap * min_stake) / min_stake) (1 + min(waited, patience))

Draw t takes the first hospital at which the weights up to and including it exceed keccak256(seed | t) mod (weights left);
who was drawn has weight 0 from then on. Doubling a norm adds 1 to the bucket, and nothing above the typical one, so that
inflating it does not pay; stake above the cap gives nothing; waiting gives weight, so that nobody is starved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from eth_utils import keccak

from .reputation import ReputationParameters, Standing, score

NO_SEED = bytes(32)
BUCKET_BASE = 4
STAKE_PARTS = 16
MAX_UNDRAWN = 128
MAX_NEWCOMERS = 16


@dataclass(frozen=True)
class SelectionParameters:
    """seats: hospitals selected at most.  stake_cap: stake above so many times the minimum gives no more weight.  patience:
    rounds of waiting that give weight.
    """

    seats: int = 10
    stake_cap: int = 4
    patience: int = 7


@dataclass(frozen=True)
class Candidate:
    """A hospital that could be selected.  stake: its active one, smallest unit.  ready: a hospital since the opening, with
    data as the round wants them.
    """

    standing: Standing
    stake: int
    ready: bool = True


@dataclass(frozen=True)
class Lottery:
    """Positions among the candidates.  eligible, with the weights that were drawn from.  selected: in the order of their
    drawing.  newcomers: who begin to wait, the first 16 of those that did not stand in a lottery before.
    """

    eligible: tuple[int, ...]
    weights: tuple[int, ...]
    selected: tuple[int, ...]
    newcomers: tuple[int, ...]


def hashed(seed: bytes, t: int) -> int:
    """keccak256(abi.encode(seed, t)) as a number. seed: 32 bytes."""
    return int.from_bytes(keccak(seed + t.to_bytes(32, "big")), "big")


def waited(standing: Standing, round_id: int) -> int:
    """Rounds since it was last selected, or since its first lottery; 0 in the first."""
    if standing.selected:
        return round_id - 1 - standing.selected
    return round_id - standing.since if standing.since else 0


def weight(
    parameters: SelectionParameters,
    points: int,
    candidate: Candidate,
    round_id: int,
    typical: int,
    min_stake: int,
) -> int:
    """Of an eligible candidate with a reputation of so many points."""
    bucket = BUCKET_BASE + min(candidate.standing.bucket, typical)
    stake = STAKE_PARTS
    if min_stake:
        stake = STAKE_PARTS * min(candidate.stake, parameters.stake_cap * min_stake) // min_stake
    patience = 1 + min(waited(candidate.standing, round_id), parameters.patience)
    return points * bucket * stake * patience


def draw(seed: bytes, weights: Sequence[int], seats: int) -> tuple[int, ...]:
    """Positions in the order of their drawing; if the seats suffice, of all positive weights, in their own order."""
    positive = tuple(i for i, w in enumerate(weights) if w)
    if len(positive) <= seats:
        return positive
    left, drawn = list(weights), []
    for t in range(seats):
        ticket = hashed(seed, t) % sum(left)
        taken = next(i for i, up_to in enumerate(accumulate(left)) if ticket < up_to)
        drawn.append(taken)
        left[taken] = 0
    return tuple(drawn)


def select(
    parameters: SelectionParameters,
    reputation: ReputationParameters,
    candidates: Sequence[Candidate],
    round_id: int,
    seed: bytes,
    typical: int,
    min_stake: int,
) -> Lottery:
    """The lottery of a round. candidates: in the order of `members()`.

    seed: beacon r1; zeros: no lottery, the first 128 of the eligible.
    """
    eligible, weights = [], []
    for i, candidate in enumerate(candidates):
        points = score(reputation, candidate.standing, round_id)
        if candidate.ready and candidate.stake >= min_stake and points >= reputation.threshold:
            eligible.append(i)
            weights.append(weight(parameters, points, candidate, round_id, typical, min_stake))
    if seed == NO_SEED or len(eligible) <= parameters.seats:
        drawn: Sequence[int] = range(min(len(eligible), MAX_UNDRAWN))
    else:
        drawn = draw(seed, weights, parameters.seats)
    newcomers = tuple(i for i in eligible if not candidates[i].standing.since)[:MAX_NEWCOMERS]
    return Lottery(tuple(eligible), tuple(weights), tuple(eligible[j] for j in drawn), newcomers)


def note_selection(standing: Standing, round_id: int, *, selected: bool, newcomer: bool) -> Standing:
    """The standing of an eligible hospital after a lottery."""
    return replace(
        standing,
        selected=round_id if selected else standing.selected,
        since=round_id if newcomer else standing.since,
    )
