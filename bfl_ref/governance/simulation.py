"""Rounds of a federation of people who want to earn, by the rules of the contracts: each is called, none repeated.

A round: committee, lottery, training, audits, groups, scores, votes, evidence, rewards, books. Not played: the beacon, the
shares and the aggregators' sums, whose parties do their part. Randomness comes in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .. import audit_arithmetic
from ..sharing import partition
from . import reputation, rewards, selection, settlement, validators
from .behaviours import Behaviour, Costs, Habits, Party, Shifts
from .contributions import medians
from .reputation import LARGE, SCORE_ONE, Evidence, ReputationParameters
from .rewards import TOKEN, RewardParameters
from .selection import SelectionParameters
from .validators import ValidatorParameters

LEAST_SURVIVORS = 3
SEGMENT_ROWS = 512
MIXTURE: Mapping[Behaviour, int] = {
    Behaviour.HONEST: 60,
    Behaviour.LAZY: 10,
    Behaviour.POISONING: 10,
    Behaviour.SYBIL: 10,
    Behaviour.COLLUDING: 10,
}


@dataclass(frozen=True)
class World:
    """The rules and what people are like.  min_stake; penalty: of an unproven audit; smallest unit.  audit_rate: of all
    steps.  epochs: passes over a segment of 512 rows, a step each.  pot: what the leader paid in, smallest unit.
    """

    reputation: ReputationParameters = LARGE
    selection: SelectionParameters = SelectionParameters(patience=31)  # noqa: RUF009 - frozen
    validators: ValidatorParameters = field(default_factory=ValidatorParameters)
    rewards: RewardParameters = field(default_factory=RewardParameters)
    costs: Costs = field(default_factory=Costs)
    habits: Habits = field(default_factory=Habits)
    shifts: Shifts = field(default_factory=Shifts)
    min_stake: int = 100 * TOKEN
    penalty: int = 100 * TOKEN
    audit_rate: float = 0.1
    epochs: int = 4
    pot: int = 1_000_000 * TOKEN

    def steps(self, party: Party) -> int:
        return self.epochs * -(-party.rows // SEGMENT_ROWS)


@dataclass
class History:
    """parties; and by round and party: scores (before it), selected, net (of that round, smallest unit).  captured: rounds
    whose committee belonged to the coalition.  aborted: rounds without a result.
    """

    parties: list[Party]
    pot: int
    scores: list[list[int]] = field(default_factory=list)
    selected: list[list[bool]] = field(default_factory=list)
    net: list[list[int]] = field(default_factory=list)
    captured: list[int] = field(default_factory=list)
    aborted: list[int] = field(default_factory=list)


def population(world: World, mixture: Mapping[Behaviour, int], rng: np.random.Generator) -> list[Party]:
    """Identities in a random order, 128 to 896 rows each, with the least stake. All sybils have one operator."""
    kinds = [kind for kind, count in mixture.items() for _ in range(count)]
    parties = []
    for i, k in enumerate(rng.permutation(len(kinds))):
        operator = -1 if kinds[k] is Behaviour.SYBIL else i
        parties.append(Party(kinds[k], operator, int(rng.integers(128, 897)), world.min_stake))
    return parties


def simulate(world: World, parties: Sequence[Party], rounds: int, rng: np.random.Generator) -> History:
    """Plays `rounds` rounds. A party takes part from the round in which it joined on."""
    history = History(list(parties), world.pot)
    for round_id in range(1, rounds + 1):
        _play(world, history, round_id, rng)
    return history


def _play(world: World, history: History, round_id: int, rng: np.random.Generator) -> None:
    present = [i for i, party in enumerate(history.parties) if party.joined <= round_id]
    before = [party.book.net for party in history.parties]
    members = [history.parties[i] for i in present]
    points = [reputation.score(world.reputation, party.standing, round_id) for party in members]
    evidence = [Evidence()] * len(members)

    committee = seat(world, members, points, rng)
    lottery = selection.select(
        world.selection,
        world.reputation,
        [selection.Candidate(party.standing, party.stake) for party in members],
        round_id,
        rng.bytes(32),
        0,
        world.min_stake,
    )
    for i in lottery.eligible:
        noted = {"selected": i in lottery.selected, "newcomer": i in lottery.newcomers}
        members[i].standing = selection.note_selection(members[i].standing, round_id, **noted)

    facts = train(world, members, lottery.selected, rng)
    survivors = [i for i, fact in facts.items() if fact.committed and not fact.excluded]
    for i, fact in facts.items():
        evidence[i] += settlement.hospital_evidence(world.reputation, fact)
    if len(survivors) >= LEAST_SURVIVORS:
        scored = score_groups(world, members, survivors, committee, rng)
        q_of = {i: q for group, q in scored for i in group}
        voters = vote(world, history, members, committee, round_id, evidence, rng)
        shares = []
        for i in survivors:
            q = q_of.get(i, 0)
            evidence[i] += settlement.quality_evidence(world.reputation, q, len(scored))
            shares.append(settlement.contribution(members[i].rows, q))
        paid = rewards.split(world.rewards, history.pot, shares, len(voters))
        history.pot = paid.pot
        for i, amount in zip(survivors, paid.hospitals, strict=True):
            members[i].book.rewards += amount
        for i in voters:
            members[i].book.rewards += paid.service
    else:
        history.aborted.append(round_id)

    for party, seen in zip(members, evidence, strict=True):
        if seen != Evidence():
            party.standing = reputation.record(world.reputation, party.standing, round_id, seen)
        party.book.capital += party.stake * world.costs.capital // 1_000_000
    score_of, selected = dict(zip(present, points, strict=True)), {present[i] for i in lottery.selected}
    everyone = range(len(history.parties))
    history.scores.append([score_of.get(i, 0) for i in everyone])
    history.selected.append([i in selected for i in everyone])
    history.net.append([history.parties[i].book.net - before[i] for i in everyone])


def seat(
    world: World, members: Sequence[Party], points: Sequence[int], rng: np.random.Generator
) -> list[int]:
    """The round's committee: positions among the members."""
    pool = validators.pool(world.validators, points, [party.stake for party in members])
    operators = [members[i].operator for i in pool]
    rules = world.validators
    return [pool[i] for i in validators.draw(rng.bytes(32), operators, rules.seats, rules.per_operator)]


def train(
    world: World, members: Sequence[Party], selected: Sequence[int], rng: np.random.Generator
) -> dict[int, settlement.HospitalFacts]:
    """What the selected do, what it costs them, and what the audits find."""
    steps = sum(world.steps(members[i]) for i in selected)
    audited = round(world.audit_rate * steps)
    facts = {}
    for i in selected:
        party = members[i]
        skipped = 0
        if party.behaviour is Behaviour.LAZY:
            skipped = round(world.habits.skipped * world.steps(party))
        done = 1 - skipped / world.steps(party)
        party.book.costs += round(world.costs.row * party.rows * done) + world.costs.proof
        if rng.random() < world.habits.late:
            facts[i] = settlement.HospitalFacts(False)
            continue
        party.book.costs += round(world.costs.proof * world.steps(party) * audited / max(steps, 1))
        caught = rng.random() < audit_arithmetic.detection(steps, skipped, audited)
        if caught:
            party.slash(world.penalty)
        facts[i] = settlement.HospitalFacts(True, excluded=caught, proven=not caught)
    return facts


def score_groups(
    world: World,
    members: Sequence[Party],
    survivors: Sequence[int],
    committee: Sequence[int],
    rng: np.random.Generator,
) -> list[tuple[tuple[int, ...], int]]:
    """(members, median score) of each group; empty if nothing was scored."""
    groups = partition(survivors, rng.bytes(32))
    revealed = [[0] * len(groups) for _ in committee]
    for g, group in enumerate(groups):
        rows = sum(members[i].rows for i in group)
        moved = sum(members[i].rows / rows * world.shifts.of(members[i].behaviour) for i in group)
        true = world.shifts.gain + moved + rng.normal(0, world.shifts.noise)
        theirs = any(members[i].behaviour is Behaviour.COLLUDING for i in group)
        for v, i in enumerate(committee):
            seen = true + rng.normal(0, world.shifts.between)
            if members[i].behaviour is Behaviour.COLLUDING:
                seen = SCORE_ONE if theirs else -SCORE_ONE
            revealed[v][g] = int(np.clip(round(seen), -SCORE_ONE, SCORE_ONE))
    found = medians(revealed)
    return [] if found is None else list(zip(groups, found, strict=True))


def vote(
    world: World,
    history: History,
    members: Sequence[Party],
    committee: Sequence[int],
    round_id: int,
    evidence: list[Evidence],
    rng: np.random.Generator,
) -> list[int]:
    """Who voted. Notes evidence of the committee, slashes who signed two models, and notes whether it was captured."""
    theirs = [i for i in committee if members[i].behaviour is Behaviour.COLLUDING]
    if len(theirs) >= validators.two_thirds(len(committee)):
        history.captured.append(round_id)
    voters = []
    for i in committee:
        voted = rng.random() >= world.habits.late
        facts = settlement.ValidatorFacts(finalised=True, voted=voted)
        if i in theirs and rng.random() < world.habits.equivocation:
            members[i].slash(world.validators.penalty)
            evidence[i] += Evidence(negative=world.reputation.failed)
        evidence[i] += settlement.validator_evidence(world.reputation, facts)
        if voted:
            voters.append(i)
    return voters
