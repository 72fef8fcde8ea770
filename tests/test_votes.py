"""Wrong, silent, forged and doubled votes: who is out, what is in force, what is slashed; and a pause in between."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_account import Account
from protocol_cases import (
    HONEST_ROUNDS,
    Origins,
    Stage,
    begin,
    cast_as,
    expected_model,
    opened,
    wrong_model,
)

from bfl_ref.aggregation import FLOATS, load_model
from bfl_ref.cast import STAKE
from bfl_ref.chain.consortium import govern
from bfl_ref.chain.errors import (
    NotInCommittee,
    Paused,
)
from bfl_ref.chain.events import Equivocated, EvidenceRecorded, StakeSlashed
from bfl_ref.chain.records import AbortReason, Content, Phase, Role
from bfl_ref.governance.reputation import Evidence
from bfl_ref.governance.settlement import ValidatorFacts, validator_evidence
from bfl_ref.history import HistoryMismatch, replay
from bfl_ref.member import Member, Round

FULL = os.environ.get("BFL_FULL") == "1"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origins]:
    with opened(tmp_path_factory.mktemp("store")) as origins:
        yield origins


@pytest.fixture
def stage(played: Origins, tmp_path: Path) -> Stage:
    return begin(played, tmp_path / "store")


class WrongAggregator(Member):
    def candidate(self, round_: Round) -> Content | None:
        return FLOATS.put(round_.store, wrong_model(round_), round_.round_id)


class WrongVoter(Member):
    def ballot(self, round_: Round) -> Content | None:
        return FLOATS.content(wrong_model(round_), round_.round_id)


class WrongBoth(WrongAggregator, WrongVoter):
    """Submits a wrong model and votes for it."""


class SilentVoter(Member):
    def ballot(self, round_: Round) -> Content | None:
        return None


# votes that a model needs: 5 of 7
@pytest.mark.parametrize(
    ("wrong", "silent", "reason"),
    [
        (2, 0, None),
        (3, 0, AbortReason.NO_QUORUM),
        pytest.param(0, 2, None, marks=pytest.mark.skipif(not FULL, reason="BFL_FULL=1")),
        pytest.param(1, 2, AbortReason.NO_QUORUM, marks=pytest.mark.skipif(not FULL, reason="BFL_FULL=1")),
    ],
)
def test_round_wrong_and_silent_voters_stop_it_only_above_a_third(
    stage: Stage, wrong: int, silent: int, reason: AbortReason | None
) -> None:
    before = stage.model
    hospitals = [m for m in stage.members if m.silo]
    cast = [
        cast_as(WrongBoth, member) for member in stage.members[-wrong:][:wrong]
    ]  # operators: they aggregate
    cast += [cast_as(SilentVoter, member) for member in hospitals[:silent]]
    outcome = stage.play(*cast)
    bad = FLOATS.content(wrong_model(Round(stage.system, stage.store, 0, load_model(stage.store, before))), 3)
    if wrong:
        number, votes = stage.system.rounds.candidate_of(outcome.round_id, bad)
        assert number > 0 and votes == wrong
    if reason is None:
        assert outcome.phase is Phase.FINALISED and stage.model == expected_model(stage, hospitals)
    else:
        assert outcome.phase is Phase.ABORTED and stage.model == before
        assert stage.abort_reason(outcome.round_id) is reason
    assert outcome.rejected == {} and outcome.refused == {}
    assert stage.stakes() == [STAKE] * 4 and stage.all_released()
    # a vote for a model that did not come in force is none, and where none came in force nobody's counts
    rules, of_round = stage.system.reputation.reputation(), outcome.round_id
    recorded = [
        e for e in stage.system.events() if isinstance(e, EvidenceRecorded) and e.round_id == of_round
    ]
    seen = {e.member: Evidence(e.positive, e.negative) for e in recorded}
    for i, operator in enumerate(stage.members[-3:]):
        facts = ValidatorFacts(finalised=reason is None, voted=i < 3 - wrong)
        assert seen.get(operator.account.address, Evidence()) == validator_evidence(rules, facts)


def test_round_silent_aggregators_abort_it_without_a_candidate(stage: Stage) -> None:
    before = stage.model
    aggregators = stage.system.holders(Role.AGGREGATOR)
    cast = [cast_as(SilentAggregator, m) for m in stage.members if m.account.address in aggregators]
    assert len(cast) == 5
    outcome = stage.play(*cast)
    assert outcome.phase is Phase.ABORTED and stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.NO_CANDIDATE
    assert stage.stakes() == [STAKE] * 4 and stage.all_released()


class SilentAggregator(Member):
    def candidate(self, round_: Round) -> Content | None:
        return None


class Withholder(Member):
    """Submits the right model without giving it to the store."""

    def candidate(self, round_: Round) -> Content | None:
        weights, _ = round_.next_model()
        return None if weights is None else FLOATS.content(weights, round_.round_id)


def test_round_right_model_that_nobody_can_load_is_not_put_in_force(stage: Stage) -> None:
    before = stage.model
    aggregators = stage.system.holders(Role.AGGREGATOR)
    outcome = stage.play(*(cast_as(Withholder, m) for m in stage.members if m.account.address in aggregators))
    assert outcome.phase is Phase.ABORTED and stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.NO_QUORUM


def test_round_two_thirds_of_the_validators_collude_and_the_history_shows_it(stage: Stage) -> None:
    outcome = stage.play(*(cast_as(WrongBoth, member) for member in stage.members[-5:]))
    assert outcome.phase is Phase.FINALISED  # nothing on the chain can stop them
    replayed = replay(stage.system, stage.store)
    assert [past.ending for past, _ in (next(replayed), next(replayed))] == ["finalised"] * HONEST_ROUNDS
    with pytest.raises(
        HistoryMismatch, match=f"round {outcome.round_id}: the chain has .*{outcome.model.cid}"
    ):
        next(replayed)


class TwoFaced(Member):
    """Signs the right model, and one of its own."""

    def votes(self, round_: Round) -> list[tuple[Content, bytes]]:
        other = FLOATS.content(wrong_model(round_), round_.round_id)
        return [*super().votes(round_), (other, self.sign(round_, other))]


def test_round_validator_that_signs_two_models_is_reported_slashed_and_thought_less_of(stage: Stage) -> None:
    culprit = stage.members[-1]
    outcome = stage.play(cast_as(TwoFaced, culprit))
    assert outcome.phase is Phase.FINALISED
    assert stage.model == expected_model(stage, [m for m in stage.members if m.silo])
    own, system = culprit.account.address, stage.system
    (told,) = [e for e in system.events() if isinstance(e, Equivocated)]
    assert (told.validator, told.reporter) == (own, stage.members[0].account.address)
    (slashed,) = [e for e in system.events() if isinstance(e, StakeSlashed)]
    assert (slashed.member, slashed.amount) == (own, STAKE // 2)
    assert system.vault.treasury() == STAKE // 2 - STAKE // 20  # less the reporter's fee
    scores = {m: system.reputation.score_of(m.account.address, outcome.round_id) for m in stage.members}
    others = [score for m, score in scores.items() if m is not culprit]
    assert scores[culprit] < system.reputation.reputation().base < min(others)


class Forger(Member):
    """Signs with a key that no validator has."""

    def sign(self, round_: Round, model: Content) -> bytes:
        message = round_.system.validators.vote_message(round_.round_id, model)
        return bytes(Account.create().sign_message(message).signature)


def test_round_forged_vote_is_refused_and_the_others_count(stage: Stage) -> None:
    forger = stage.members[-1]
    outcome = stage.play(cast_as(Forger, forger))
    assert outcome.phase is Phase.FINALISED
    assert {k: type(r) for k, r in outcome.refused.items()} == {forger.account.address: NotInCommittee}


def test_round_pause_stops_the_vote_and_the_next_round_until_it_is_lifted(stage: Stage) -> None:
    consortium, voters = stage.system.consortium, [m.account for m in stage.members[:5]]
    before = stage.model

    class Alarmed(Member):
        """Finds something wrong as it scores the round, and has the consortium pause."""

        def candidate(self, round_: Round) -> Content | None:
            content = super().candidate(round_)
            govern(consortium, consortium.set_paused(True), voters)
            return content

    outcome = stage.play(cast_as(Alarmed, stage.members[-1]))
    assert outcome.phase is Phase.ABORTED and stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.NO_QUORUM
    assert stage.all_released()
    with pytest.raises(Paused):
        stage.play()
    govern(consortium, consortium.set_paused(False), voters)
    assert stage.play().phase is Phase.FINALISED
