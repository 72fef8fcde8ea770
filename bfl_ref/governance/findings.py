"""What the simulation shows: who earns, who waits, at which stake and audit rate cheating loses, what a new name costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import audit_arithmetic
from .behaviours import Behaviour, Party
from .reputation import Evidence, Standing, record, score
from .rewards import TOKEN
from .simulation import MIXTURE, History, World, population, simulate


@dataclass(frozen=True)
class Outcome:
    """Of one behaviour.  Tokens per identity and round - net: rewards - costs - slashes - capital, and these four.
    losing: share of the identities whose net is below 0.  selected: share of the rounds.  first, last: mean score over the
    first and the last 50 rounds, in [0, 1].
    """

    net: float
    rewards: float
    costs: float
    slashes: float
    capital: float
    losing: float
    selected: float
    first: float
    last: float


def outcomes(history: History) -> dict[Behaviour, Outcome]:
    """Means over the identities of each behaviour that occurs, all of which joined in round 1."""
    rounds = len(history.scores)
    scores, selected = np.array(history.scores) / 10_000, np.array(history.selected)
    found = {}
    for behaviour in dict.fromkeys(party.behaviour for party in history.parties):
        of = [i for i, party in enumerate(history.parties) if party.behaviour is behaviour]
        books = [history.parties[i].book for i in of]
        kinds = ("net", "rewards", "costs", "slashes", "capital")
        money = {kind: float(np.mean([getattr(b, kind) for b in books])) / TOKEN / rounds for kind in kinds}
        found[behaviour] = Outcome(
            **money,
            losing=float(np.mean([book.net < 0 for book in books])),
            selected=float(selected[:, of].mean()),
            first=float(scores[:50, of].mean()),
            last=float(scores[-50:, of].mean()),
        )
    return found


def longest_wait(world: World, history: History, behaviour: Behaviour = Behaviour.HONEST) -> int:
    """Rounds in a row in which one of them stood in the lottery and was not drawn; a suspension begins the count anew."""
    longest = 0
    for i, party in enumerate(history.parties):
        waiting = 0
        for scores, selected in zip(history.scores, history.selected, strict=True):
            stands = party.behaviour is behaviour and scores[i] >= world.reputation.threshold
            waiting = waiting + 1 if stands and not selected[i] else 0
            longest = max(longest, waiting)
    return longest


def mean_returns(
    world: World, rounds: int, seeds: Sequence[int], mixture: Mapping[Behaviour, int] = MIXTURE
) -> dict[Behaviour, float]:
    """Tokens per identity and round of each behaviour, mean over the seeds."""
    found: dict[Behaviour, list[float]] = {behaviour: [] for behaviour in mixture}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        history = simulate(world, population(world, mixture, rng), rounds, rng)
        for behaviour, outcome in outcomes(history).items():
            found[behaviour].append(outcome.net)
    return {behaviour: float(np.mean(nets)) for behaviour, nets in found.items()}


def smallest_stake(
    world: World, behaviour: Behaviour, rounds: int, seeds: Sequence[int], tolerance: float = 1.0
) -> float:
    """Tokens from which on the behaviour's simulated return is negative, by bisection up to the world's own stake.

    A failed audit costs all of the stake, a second signature half of it. inf if the world's own stake does not suffice.
    """

    def loses(stake: float) -> bool:
        units = round(stake * TOKEN)
        penalties = replace(world.validators, penalty=units // 2)
        tried = replace(world, min_stake=units, penalty=units, validators=penalties)
        return mean_returns(tried, rounds, seeds)[behaviour] < 0

    return _bisect(loses, tolerance, world.min_stake / TOKEN, tolerance)


def smallest_audit_rate(
    world: World, behaviour: Behaviour, rounds: int, seeds: Sequence[int], tolerance: float = 0.005
) -> float:
    """The share of audited steps from which on the behaviour's simulated return is negative; 0 if without any audit."""

    def loses(rate: float) -> bool:
        return mean_returns(replace(world, audit_rate=rate), rounds, seeds)[behaviour] < 0

    return _bisect(loses, 0.0, 1.0, tolerance)


def _bisect(holds: Callable[[float], bool], low: float, high: float, tolerance: float) -> float:
    """The least value in low .. high from which on it holds, to the tolerance; inf if not even at high."""
    if holds(low):
        return low
    if not holds(high):
        return float("inf")
    while high - low > tolerance:
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def lazy_stake(world: World, rows: int, audit_rate: float) -> float:
    """The stake in tokens from which on a selection costs a lazy hospital more than it brings, in closed form.

        (1 - p) (reward - cost) = p (stake + cost)        stake = break_even_stake(reward - cost, p) - cost

    All of the lottery's hospitals have so many rows and are paid alike; reputation, which makes it worse, is left out.
    """
    party = Party(Behaviour.LAZY, 0, rows, 0)
    seats, steps = world.selection.seats, world.steps(party)
    skipped = round(world.habits.skipped * steps)
    audited = round(audit_rate * steps * seats)
    p = audit_arithmetic.detection(steps * seats, skipped, audited)
    proofs = 1 + audited / seats
    cost = world.costs.row * rows * (1 - skipped / steps) + world.costs.proof * proofs
    gain = world.rewards.hospitals / seats - cost
    return (audit_arithmetic.break_even_stake(gain, p) - cost) / TOKEN


def suspension(world: World, failures: int = 1) -> int:
    """Rounds below the threshold of a hospital without a past, after unproven audits in so many rounds on end."""
    rules, standing = world.reputation, Standing()
    for round_id in range(1, failures + 1):
        standing = record(rules, standing, round_id, Evidence(negative=rules.failed))
    last = standing.written
    return next(n for n in range(100_000) if score(rules, standing, last + n) >= rules.threshold)


@dataclass(frozen=True)
class NewName:
    """rounds: until newcomers' mean score is 95 % of that of honest hospitals of old.  earned: what they earned until
    then, as a share of what those earned.  forgone: the difference in tokens.
    """

    rounds: int
    earned: float
    forgone: float


def new_name(world: World, seeds: Sequence[int], old: int = 90, new: int = 10, join: int = 100) -> NewName:
    """What it costs to begin anew: `new` honest identities join `old` ones in round join + 1. Means over the seeds."""
    scores, nets = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        parties = population(world, {Behaviour.HONEST: old + new}, rng)
        for party in parties[old:]:
            party.joined = join + 1
        history = simulate(world, parties, 4 * join, rng)
        scores.append(np.array(history.scores)[join:])
        nets.append(np.array(history.net, dtype=np.float64)[join:] / TOKEN)
    score_by, net_by = np.mean(scores, axis=0), np.mean(nets, axis=0)
    old_score, new_score = score_by[:, :old].mean(axis=1), score_by[:, old:].mean(axis=1)
    rounds = int(np.argmax(new_score >= 0.95 * old_score))
    theirs, own = net_by[:rounds, :old].mean(axis=1).sum(), net_by[:rounds, old:].mean(axis=1).sum()
    return NewName(rounds, float(own / theirs), float(theirs - own))
