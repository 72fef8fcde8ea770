"""What a round leaves behind, in the integers of ISettlement: facts -> evidence, contributions, the typical norm bucket."""

from collections.abc import Sequence
from dataclasses import dataclass

from .reputation import SCORE_ONE, Evidence, ReputationParameters


@dataclass(frozen=True)
class HospitalFacts:
    """What the contracts saw of a selected hospital. Each is a fact only once the phase for it was left.

    committed: in phase Commit.  excluded: an audit unproven, after phase Prove.  disputed: a complaint never answered, after
    phase Share.  proven: a proof of its was accepted, of an audit or of its release.
    """

    committed: bool
    excluded: bool = False
    disputed: bool = False
    proven: bool = False


def hospital_evidence(parameters: ReputationParameters, facts: HospitalFacts) -> Evidence:
    """Of a round in which phase Commit was left."""
    if not facts.committed:
        return Evidence(negative=parameters.missed)
    if facts.excluded:
        return Evidence(negative=parameters.failed)
    if facts.disputed:
        return Evidence(negative=parameters.missed)
    return Evidence(parameters.kept + parameters.proven * facts.proven)


def quality_evidence(parameters: ReputationParameters, q: int, groups: int) -> Evidence:
    """Of a survivor of a finalised shared round whose group scored q, -10,000 .. 10,000. Rounded down.

    groups: of the round. Of one alone nothing is written: it is all survivors, and does not tell who of them was good.
    """
    if groups < 2:
        return Evidence()
    full = parameters.quality_full
    if q >= 0:
        return Evidence(parameters.quality * min(q, full) // full)
    return Evidence(negative=parameters.quality_loss * parameters.quality * min(-q, full) // full)


@dataclass(frozen=True)
class ValidatorFacts:
    """finalised: whether the round was.  voted: for the model that came in force; a vote for another candidate is none.
    withheld: committed to scores and did not reveal them.
    Of its two beacon secrets - kept_back: how many it did not reveal; falsified: how many it dealt falsely.
    """

    finalised: bool
    voted: bool = False
    withheld: bool = False
    kept_back: int = 0
    falsified: int = 0


def validator_evidence(parameters: ReputationParameters, facts: ValidatorFacts) -> Evidence:
    """Of a validator of the round's committee, all of its duties together."""
    seen = Evidence()
    if facts.finalised:
        voted = Evidence(parameters.kept) if facts.voted else Evidence(negative=parameters.missed)
        seen += voted + Evidence(negative=parameters.missed * facts.withheld)
    return seen + Evidence(negative=parameters.failed * facts.falsified + parameters.missed * facts.kept_back)


def seat_evidence(parameters: ReputationParameters, *, summed: bool) -> Evidence:
    """Of an aggregator's seat, once phase Aggregate was left. summed: a sum of each group."""
    return Evidence(parameters.kept) if summed else Evidence(negative=parameters.missed)


def contribution(weight: int, q: int) -> int:
    """x = weight (10,000 + q): a survivor's share of the rewards. q: of its group, 0 where nothing was scored."""
    return weight * (SCORE_ONE + max(q, -SCORE_ONE))


def lower_median(values: Sequence[int]) -> int:
    """The middle one, of an even number the lower of the two. ValueError for none."""
    if not values:
        raise ValueError("expected at least one value, got none")
    return sorted(values)[(len(values) - 1) // 2]


def typical_bucket(buckets: Sequence[int]) -> int:
    """Of the survivors of a round: their lower median."""
    return lower_median(buckets)
