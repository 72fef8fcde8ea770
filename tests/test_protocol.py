"""Rounds with silent and dishonest members in every phase: how they end, the model in force, the stakes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from eth_account.signers.local import LocalAccount
from protocol_cases import (
    CONFIG,
    HONEST_ROUNDS,
    Origins,
    Stage,
    begin,
    cast_as,
    expected_model,
    opened,
    wrong_model,
)

from bfl_ref import data
from bfl_ref.aggregation import FLOATS, load_model
from bfl_ref.cast import STAKE
from bfl_ref.chain.consortium import govern
from bfl_ref.chain.contracts import System
from bfl_ref.chain.errors import (
    AlreadyCommitted,
    InsufficientStake,
    NotMember,
    ReplayedSubmission,
    UnknownCandidate,
    WrongPhase,
)
from bfl_ref.chain.events import HospitalDropped, PhaseAdvanced, UpdateCommitted
from bfl_ref.chain.records import AbortReason, Content, Phase
from bfl_ref.learning import TrainConfig, Weights, federated
from bfl_ref.member import Member, Round
from bfl_ref.protocol import DURATIONS, advance
from bfl_ref.store import FolderStore, MissingObject, unpack

FULL = os.environ.get("BFL_FULL") == "1"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origins]:
    with opened(tmp_path_factory.mktemp("store")) as origins:
        yield origins


@pytest.fixture
def stage(played: Origins, tmp_path: Path) -> Stage:
    return begin(played, tmp_path / "store")


class Silent(Member):
    """Answers nothing in any phase."""

    def train(self, round_: Round, config: TrainConfig) -> Weights | None:
        return None

    def candidate(self, round_: Round) -> Content | None:
        return None

    def ballot(self, round_: Round) -> Content | None:
        return None


# ---------------------------------------------------------------- honest rounds


def test_basic_federation_honest_rounds_give_the_weights_of_fedavg(played: Origins) -> None:
    stage = played.stage
    federation = data.load("wdbc", seed=0)
    assert [o.phase for o in stage.outcomes] == [Phase.FINALISED] * HONEST_ROUNDS
    assert all(o.rejected == {} and o.refused == {} for o in stage.outcomes)
    for rounds, outcome in enumerate(stage.outcomes, start=1):
        expected = federated(federation, replace(CONFIG, rounds=rounds))
        got = load_model(stage.store, outcome.model)
        assert got.keys() == expected.keys()
        assert all(torch.equal(got[name], expected[name]) for name in expected)
        assert not torch.equal(got["0.weight"], torch.zeros_like(got["0.weight"]))


def test_round_one_member_alone_advances_passes_every_phase(stage: Stage) -> None:
    events = stage.system.events()
    steps = [e for e in events if isinstance(e, PhaseAdvanced) and e.round_id == 1]
    assert [e.to for e in steps] == list(range(Phase.SELECT, Phase.FINALISED + 1))
    get = stage.system.node.web3.eth.get_transaction
    assert {get(e.transaction)["from"] for e in steps} == {stage.members[0].account.address}
    assert stage.stakes() == [STAKE] * 4 and stage.all_released()


# ---------------------------------------------------------------- hospitals


class Copier(Member):
    """Commits an update of the last round, then what another hospital committed before it in this one."""

    def commit(self, round_: Round, update: Weights) -> None:
        rounds, events = round_.system.rounds, round_.system.events()
        old = next(e for e in events if isinstance(e, UpdateCommitted))
        with pytest.raises(ReplayedSubmission) as refusal:
            rounds.commit_update(round_.round_id, old.content, old.rows, sender=self.account)
        assert (refusal.value.first_round_id, refusal.value.first_hospital) == (old.round_id, old.hospital)
        first = round_.commitments()[0]
        rounds.commit_update(round_.round_id, first.content, first.rows, sender=self.account)


def test_round_copied_digest_is_refused_and_the_copier_dropped(stage: Stage) -> None:
    order = [m for m in stage.members if m.silo]
    last = order[-1]
    outcome = stage.play(cast_as(Copier, last))
    assert outcome.phase is Phase.FINALISED and outcome.rejected == {}
    assert [type(r) for r in outcome.refused.values()] == [ReplayedSubmission]
    assert outcome.refused.keys() == {last.account.address}
    dropped = [e.hospital for e in stage.system.events() if isinstance(e, HospitalDropped)]
    assert dropped == [last.account.address]
    assert stage.model == outcome.model == expected_model(stage, order[:-1])
    assert stage.stakes() == [STAKE] * 4 and stage.all_released()


def test_round_hospital_overtaken_by_a_copier_salts_anew_and_takes_part(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rival sees a transaction before it is mined and commits the same digest first; it cannot read the file."""
    hospitals = [m for m in stage.members if m.silo]
    rival = cast_as(Silent, hospitals[3])
    honest, overtaken = stage.system.rounds.commit_update, []

    def overtake(round_id: int, content: Content, rows: int, *, sender: LocalAccount) -> None:
        if not overtaken:
            overtaken.append(content)
            honest(round_id, content, rows, sender=rival.account)
        honest(round_id, content, rows, sender=sender)

    monkeypatch.setattr(stage.system.rounds, "commit_update", overtake)
    outcome = stage.play(rival)
    assert overtaken and outcome.phase is Phase.FINALISED and outcome.refused == {}
    assert outcome.rejected.keys() == {rival.account.address}
    assert f"{overtaken[0].cid} is not in" in outcome.rejected[rival.account.address]
    assert outcome.model == expected_model(stage, hospitals[:3])


@dataclass(frozen=True, eq=False)
class Reader(Member):
    """Would copy the first commitment's numbers, if it could read them before its own chance to commit is over."""

    def commit(self, round_: Round, update: Weights) -> bytes | None:
        for said in round_.commitments():
            with pytest.raises(MissingObject):
                round_.store.get(said.content.cid)
        assert len(round_.commitments()) == 3
        return super().commit(round_, update)


def test_round_updates_cannot_be_read_before_nobody_can_commit_any_more(stage: Stage) -> None:
    hospitals = [m for m in stage.members if m.silo]
    outcome = stage.play(cast_as(Reader, hospitals[3]))
    assert outcome.phase is Phase.FINALISED and outcome.rejected == outcome.refused == {}


def test_round_aborted_for_want_of_commitments_shows_no_update(stage: Stage) -> None:
    hospitals = [m for m in stage.members if m.silo]
    outcome = stage.play(*(cast_as(Silent, hospital) for hospital in hospitals[:2]))
    said = [
        e for e in stage.system.events() if isinstance(e, UpdateCommitted) and e.round_id == outcome.round_id
    ]
    assert outcome.phase is Phase.ABORTED and len(said) == 2
    assert not any(stage.store.has(e.content.cid) for e in said)


def test_round_too_few_commitments_aborts_and_the_next_one_finishes(stage: Stage) -> None:
    before = stage.model
    hospitals = [m for m in stage.members if m.silo]
    outcome = stage.play(*(cast_as(Silent, hospital) for hospital in hospitals[:2]))
    assert outcome.phase is Phase.ABORTED and outcome.model == stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.TOO_FEW_COMMITMENTS
    dropped = {e.hospital for e in stage.system.events() if isinstance(e, HospitalDropped)}
    assert dropped == {h.account.address for h in hospitals[:2]}
    assert stage.stakes() == [STAKE] * 4 and stage.all_released()
    following = stage.play(cast_as(Silent, hospitals[2]))  # one silent hospital is too few to stop a round
    assert following.phase is Phase.FINALISED and stage.model == following.model != before
    assert following.round_id == outcome.round_id + 1


def test_selection_too_little_stake_leaves_the_hospital_out(stage: Stage) -> None:
    hospitals = [m for m in stage.members if m.silo]
    poor, rounds = hospitals[1], stage.system.rounds
    stage.system.vault.request_unlock(1, sender=poor.account)
    round_id = rounds.open(stage.task, DURATIONS, sender=stage.members[0].account)
    round_ = Round(stage.system, stage.store, round_id, {})
    advance(round_, stage.members)
    assert set(rounds.hospitals_of(round_id)) == {h.account.address for h in hospitals if h is not poor}
    advance(round_, stage.members)
    with pytest.raises(InsufficientStake) as refusal:
        rounds.commit_update(round_id, Content(stage.task.cid, b"\x01" * 32), 1, sender=poor.account)
    assert (refusal.value.has, refusal.value.needs) == (STAKE - 1, STAKE)


def test_selection_fewer_than_three_hospitals_aborts_the_round(stage: Stage) -> None:
    before = stage.model
    for hospital in stage.members[:2]:
        stage.system.vault.request_unlock(STAKE, sender=hospital.account)
    outcome = stage.play()
    assert outcome.phase is Phase.ABORTED and stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.TOO_FEW_HOSPITALS
    assert stage.all_released()


@dataclass(frozen=True, eq=False)
class Remover(Member):
    """While it should train, four others vote a member out."""

    system: System
    leaver: str
    voters: tuple[Member, ...]

    def train(self, round_: Round, config: TrainConfig) -> Weights | None:
        consortium = self.system.consortium
        govern(consortium, consortium.remove(self.leaver), [voter.account for voter in self.voters])
        return super().train(round_, config)


def test_round_member_removed_by_vote_in_its_middle_goes_on_without_it(stage: Stage) -> None:
    hospitals = [m for m in stage.members if m.silo]
    gone = stage.members[
        0
    ]  # a hospital, aggregator and validator, which opened the round and advanced it so far
    voters = stage.members[3:7]
    remover = Remover(**vars(hospitals[1]), system=stage.system, leaver=gone.account.address, voters=voters)
    outcome = stage.play(remover)
    assert gone.account.address not in stage.system.consortium.members()
    assert outcome.phase is Phase.FINALISED
    assert [type(r) for r in outcome.refused.values()] == [NotMember]  # its commitment
    assert outcome.refused.keys() == {gone.account.address}
    assert stage.model == expected_model(stage, hospitals[1:])
    assert stage.stakes() == [STAKE] * 4 and stage.all_released()


class DamagingStore(FolderStore):
    """Damages what one hospital puts."""

    hospital = ""

    def put(self, data: bytes) -> str:
        cid = super().put(data)
        if unpack(data)[1].get("hospital") == self.hospital:
            path = self.folder / "blocks" / cid
            path.write_bytes(path.read_bytes() + b" ")
        return cid


class Stranger(Member):
    """Commits twice, votes out of turn, then for a model that nobody submitted."""

    def commit(self, round_: Round, update: Weights) -> bytes | None:
        file = super().commit(round_, update)
        with pytest.raises(AlreadyCommitted):
            super().commit(round_, update)
        return file

    def candidate(self, round_: Round) -> Content | None:
        content = round_.commitments()[0].content
        with pytest.raises(WrongPhase):
            signature = self.sign(round_, content)
            round_.system.rounds.vote_model(round_.round_id, content, [signature], sender=self.account)
        return super().candidate(round_)

    def ballot(self, round_: Round) -> Content | None:
        return FLOATS.content(wrong_model(round_), round_.round_id)


def test_round_damaged_update_is_left_out_by_every_honest_member(stage: Stage) -> None:
    stranger, *honest, damager = [m for m in stage.members if m.silo]
    store = DamagingStore(stage.store.folder)
    store.hospital = damager.account.address
    outcome = stage._replace(store=store).play(cast_as(Stranger, stranger))
    assert outcome.phase is Phase.FINALISED
    assert outcome.rejected.keys() == {damager.account.address}
    assert "block changed: expected baf" in outcome.rejected[damager.account.address]
    assert {k: type(r) for k, r in outcome.refused.items()} == {stranger.account.address: UnknownCandidate}
    assert stage.model == expected_model(stage, [stranger, *honest])
    assert stage.stakes() == [STAKE] * 4 and stage.all_released()
