"""Verified rounds on the real contracts: the beacon's cheats, silence in each phase, audits that survive an abort, data."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eth_utils import keccak
from verified_cases import HYPER, ONE_AUDIT, PENALTY, Played, Stage, no_proof, opened

from bfl_ref import data
from bfl_ref.attacks import FalseDealer, Silent, UnrevealedValidator, turned
from bfl_ref.cast import STAKE
from bfl_ref.chain.errors import ContractError, DataFrozen, NothingToSettle, RowsMayOnlyLeave, WrongStage
from bfl_ref.chain.events import (
    AuditFailed,
    AuditPassed,
    BeaconFailed,
    BeaconFixed,
    FalselyDealt,
    HospitalDropped,
    HospitalSelected,
    SecretLost,
    SecretRebuilt,
    StakeSlashed,
)
from bfl_ref.chain.records import AbortReason, Content, Phase
from bfl_ref.chain.records import Stage as BeaconStage
from bfl_ref.fixed_point import Hyper, Rows, State, digest_bytes, initial_weights, train_round
from bfl_ref.fixed_point.rows import commit_rows
from bfl_ref.learning import TrainConfig
from bfl_ref.member import Round
from bfl_ref.protocol import Outcome
from bfl_ref.proving import Measured, ProofTask, prove_step, prover_pool
from bfl_ref.stark.field import random_base
from bfl_ref.stark.setup import Domain
from bfl_ref.statements.training_trace import Step
from bfl_ref.verified import VerifiedMember, leaves_file

FULL = os.environ.get("BFL_FULL") == "1"
BEACON_PENALTY = STAKE // 10


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with opened(tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.fixture
def stage(played: Played, tmp_path: Path) -> Stage:
    return played.again(tmp_path)


@pytest.fixture
def unaudited(stage: Stage) -> Stage:
    """Audit rate zero: the rest of a round takes no proof."""
    stage.govern(audit_rate=0)
    return stage


def slashes(stage: Stage) -> list[tuple[str, int, str]]:
    return [(e.member, e.amount, e.reason.rstrip(b"\0").decode()) for e in stage.told(StakeSlashed)]


def top_up(stage: Stage, amount: int, *members: VerifiedMember) -> None:
    """Who was slashed has too little stake for the next round."""
    for member in members:
        stage.system.token.approve(stage.system.vault.address, amount, sender=member.account)
        stage.system.vault.lock(amount, sender=member.account)


def assert_next_round_runs(stage: Stage, last: Outcome) -> None:
    stage.govern(audit_rate=0)
    following = stage.play()
    assert following.round_id == last.round_id + 1 and following.phase is Phase.FINALISED
    assert following.model == stage.model != last.model


# ---------------------------------------------------------------- honest rounds


def test_honest_round_gives_the_average_by_its_definition(unaudited: Stage) -> None:
    before, stakes = unaudited.model, unaudited.stakes()
    outcome = unaudited.play()
    assert outcome.phase is Phase.FINALISED and outcome.rejected == outcome.refused == {}
    assert unaudited.model == unaudited.without(before, outcome.round_id) != before
    assert unaudited.stakes() == stakes and slashes(unaudited) == []


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="16 proofs; at audit rate 1 on wdbc: test_attacks.py")
def test_local_epoch_of_the_largest_thyroid_silo_is_proven_on_chain(tmp_path: Path) -> None:
    federation = data.load("thyroid", seed=0)
    with (
        prover_pool(1) as pool,
        opened(tmp_path / "store", federation, Hyper(1, 4096, 16, 50), 1.0) as made,
    ):
        stage, prover = made.stage, Measured(pool)
        before = stage.model
        largest = max(stage.hospitals, key=lambda h: len(h.rows.y)).account.address
        outcome = stage.play(prover=prover)
        assert outcome.phase is Phase.FINALISED and outcome.refused == outcome.rejected == {}
        passed = [e.step for e in stage.told(AuditPassed) if e.hospital == largest]
        assert sorted(passed) == list(range(9)) and stage.told(AuditFailed) == []
        assert stage.model == stage.without(before, outcome.round_id)
        print(f"{len(prover.seconds)} proofs, {sum(prover.seconds):.0f} s, {max(prover.sizes)} bytes at most")


# ---------------------------------------------------------------- the beacon


@pytest.mark.parametrize("which", [0, 1])
def test_secret_kept_back_is_rebuilt_and_changes_nothing_but_its_owners_stake(
    unaudited: Stage, which: int
) -> None:
    stage, owner = unaudited, unaudited.members[-1]
    expected = stage.beacon_value(which)
    outcome = stage.play(turned(UnrevealedValidator, owner, kept=(which,)))
    assert outcome.phase is Phase.FINALISED and outcome.refused == {}
    own = owner.account.address
    assert [(e.which, e.dealer) for e in stage.told(SecretRebuilt, outcome.round_id)] == [(which, own)]
    assert slashes(stage) == [(own, BEACON_PENALTY, "beacon: secret kept back")]
    assert stage.system.beacon.value_of(outcome.round_id, which) == expected


def test_false_dealer_leaves_its_secret_out_at_the_price_of_its_stake(unaudited: Stage) -> None:
    """One bit of choice, no more: without its secret the value is another, which it knew before it fell silent."""
    stage, dealer = unaudited, unaudited.members[-1]
    with_it, without_it = stage.beacon_value(1), stage.beacon_value(1, leave_out=dealer)
    outcome = stage.play(turned(FalseDealer, dealer))
    assert outcome.phase is Phase.FINALISED
    own = dealer.account.address
    assert [(e.which, e.dealer) for e in stage.told(FalselyDealt, outcome.round_id)] == [(1, own)]
    assert slashes(stage) == [(own, BEACON_PENALTY, "beacon: falsely dealt")]
    assert stage.system.beacon.value_of(outcome.round_id, 1) == without_it != with_it
    assert len(stage.told(BeaconFixed, outcome.round_id)[1].secrets) == len(stage.members) - 1
    reputation = stage.system.reputation
    assert reputation.evidence_of(own, outcome.round_id)[1] == reputation.reputation().failed


def test_round_without_enough_secrets_aborts_and_the_next_one_runs(unaudited: Stage) -> None:
    stage, before = unaudited, unaudited.model
    silent = [turned(Silent, m, phases=frozenset({Phase.SELECT})) for m in stage.members[2:]]
    outcome = stage.play(*silent)  # two deal, a value needs three
    assert outcome.phase is Phase.ABORTED and stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.NO_BEACON
    (failed,) = stage.told(BeaconFailed)
    assert (failed.which, failed.secrets, failed.threshold) == (0, 2, 3)
    # who did deal and reveal is not slashed for what the others did not
    assert slashes(stage) == []
    assert_next_round_runs(stage, outcome)


def test_validators_that_fall_silent_before_the_draw_abort_the_round_and_are_slashed(
    unaudited: Stage,
) -> None:
    stage, before = unaudited, unaudited.model
    quiet = stage.members[2:]
    outcome = stage.play(*(turned(Silent, m, phases=frozenset({Phase.DRAW})) for m in quiet))
    assert outcome.phase is Phase.ABORTED and stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.NO_BEACON
    lost = {(e.which, e.dealer) for e in stage.told(SecretLost)}
    assert lost == {(1, m.account.address) for m in quiet}
    assert {(at, amount) for at, amount, _ in slashes(stage)} == {
        (m.account.address, BEACON_PENALTY) for m in quiet
    }
    top_up(stage, BEACON_PENALTY, *quiet)
    assert_next_round_runs(stage, outcome)


@dataclass(frozen=True, eq=False)
class Early(VerifiedMember):
    """Reveals its second secret before all have committed, so that somebody could still choose an update by the draw."""

    refusals: list[ContractError] = field(default_factory=list)

    def commit(self, round_: Round, update: list[State]) -> bytes | None:
        try:
            self.reveal(round_, 1)
        except ContractError as refusal:
            self.refusals.append(refusal)
        return super().commit(round_, update)


def test_second_secret_cannot_be_revealed_before_the_draw(unaudited: Stage) -> None:
    early = turned(Early, unaudited.hospitals[0])
    outcome = unaudited.play(early)
    (refusal,) = early.refusals
    assert isinstance(refusal, WrongStage)
    assert (refusal.expected, refusal.got) == (BeaconStage.REVEAL, BeaconStage.NONE)
    assert outcome.phase is Phase.FINALISED and outcome.refused == {}


# ---------------------------------------------------------------- silence


@pytest.mark.parametrize("phase", [Phase.SELECT, Phase.TRAIN, Phase.COMMIT, Phase.DRAW, Phase.AGGREGATE])
def test_silence_of_one_hospital_stops_no_phase(unaudited: Stage, phase: Phase) -> None:
    """In prove: test_attacks.py. Who is silent in aggregate is so in finalise as well."""
    stage, silent = unaudited, unaudited.hospitals[1]
    before, own = stage.model, silent.account.address
    phases = {phase, Phase.FINALISE} if phase is Phase.AGGREGATE else {phase}
    outcome = stage.play(turned(Silent, silent, phases=frozenset(phases)))
    assert outcome.phase is Phase.FINALISED
    never_dealt = {own: NothingToSettle} if phase is Phase.SELECT else {}
    assert {at: type(refusal) for at, refusal in outcome.refused.items()} == never_dealt
    left_out = [silent] if phase in (Phase.TRAIN, Phase.COMMIT) else []
    assert stage.model == stage.without(before, outcome.round_id, *left_out)
    assert [e.hospital for e in stage.told(HospitalDropped)] == [h.account.address for h in left_out]
    kept_back = [(own, BEACON_PENALTY, "beacon: secret kept back")] if phase is Phase.DRAW else []
    assert slashes(stage) == kept_back
    if phase is Phase.DRAW:
        assert_next_round_runs(stage, outcome)


def test_audits_survive_an_abort_for_want_of_survivors(stage: Stage) -> None:
    """Two of four do not prove: too few are left, the old model stays, and so do the slashes."""
    before, stakes = stage.model, stage.stakes()
    stage.govern(audit_rate=2 * round(10_000 * ONE_AUDIT))
    silent = stage.hospitals[1:3]
    parts = [turned(Silent, m, phases=frozenset({Phase.PROVE})) for m in silent]
    outcome = stage.play(*parts, draws=[(1, 0), (2, 1)], prover=no_proof)
    assert outcome.phase is Phase.ABORTED and stage.model == before
    assert stage.abort_reason(outcome.round_id) is AbortReason.TOO_FEW_SURVIVORS
    assert {(e.hospital, e.step) for e in stage.told(AuditFailed)} == {
        (silent[0].account.address, 0),
        (silent[1].account.address, 1),
    }
    for member in silent:
        stakes[member.account.address] -= PENALTY
    assert stage.stakes() == stakes
    top_up(stage, PENALTY, *silent)
    stage.govern(audit_rate=0)
    following = stage.play()  # a stake can be topped up, a reputation cannot
    assert stage.abort_reason(following.round_id) is AbortReason.TOO_FEW_HOSPITALS


# ---------------------------------------------------------------- data


def shrink(stage: Stage, member: VerifiedMember, rows: Rows) -> None:
    """A hospital registers that fewer rows are left."""
    file = leaves_file(rows)
    segments = [digest_bytes(rows.digest(i)) for i in range(len(rows.segments))]
    leaves = Content(stage.store.put(file), keccak(file))
    stage.system.data.shrink(segments, len(rows.y), leaves, sender=member.account)


def first_rows(rows: Rows, count: int) -> Rows:
    return Rows(rows.v[:count], rows.y[:count], rows.salts[:count])


@dataclass(frozen=True, eq=False)
class Shrinking(VerifiedMember):
    """Lets rows leave while the round runs."""

    stage: Any = None
    refusals: list[ContractError] = field(default_factory=list)

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        assert self.rows is not None
        try:
            shrink(self.stage, self, first_rows(self.rows, len(self.rows.y) - 1))
        except ContractError as refusal:
            self.refusals.append(refusal)
        return super().train(round_, config)


def test_rows_leave_between_rounds_and_not_within_one(stage: Stage) -> None:
    hospital = stage.hospitals[1]
    assert hospital.rows is not None
    within = turned(Shrinking, hospital, stage=stage)
    stage.govern(audit_rate=0)
    assert stage.play(within).phase is Phase.FINALISED
    assert [type(r) for r in within.refusals] == [DataFrozen]

    fewer = replace(hospital, rows=first_rows(hospital.rows, len(hospital.rows.y) - 5))
    shrink(stage, hospital, fewer.rows)
    with pytest.raises(RowsMayOnlyLeave):
        shrink(stage, hospital, hospital.rows)
    stage.govern(audit_rate=round(10_000 * ONE_AUDIT))
    outcome = stage.play(fewer, draws=[(1, 1)])  # proven on the rows that are left
    assert outcome.phase is Phase.FINALISED and outcome.refused == outcome.rejected == {}
    assert [e.hospital for e in stage.told(AuditPassed)] == [hospital.account.address]


@dataclass(frozen=True, eq=False)
class Leaving(VerifiedMember):
    """Wants to change its data once the round is open, before hospitals are selected."""

    stage: Any = None

    def deal(self, round_: Round) -> None:
        assert self.rows is not None
        with pytest.raises(DataFrozen):
            shrink(self.stage, self, first_rows(self.rows, len(self.rows.y) - 1))
        super().deal(round_)


def test_hospital_that_validates_cannot_change_its_data_from_the_opening_on(unaudited: Stage) -> None:
    stage, hospital = unaudited, unaudited.hospitals[1]
    before = stage.model
    outcome = stage.play(turned(Leaving, hospital, stage=stage))
    assert {e.hospital for e in stage.told(HospitalSelected)} == {h.account.address for h in stage.hospitals}
    assert stage.model == outcome.model == stage.without(before, outcome.round_id)


# ---------------------------------------------------------------- proving


def a_step(rows: int = 40) -> Step:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(rows, 30)).astype(np.float32)
    made = commit_rows(features, rng.integers(0, 2, rows), rng.bytes)
    seed, r1 = random_base(8, rng.bytes), random_base(4, rng.bytes)
    states = train_round(initial_weights(30), made, HYPER, seed, r1, rng.bytes)
    return Step(made.v, made.y, made.salts, *states[:2], seed, r1, 0, HYPER)


def test_prover_returns_none_for_a_false_step() -> None:
    step = a_step()
    false = replace(step, after=State(step.after.weights + 1, step.after.salt))
    assert prove_step(ProofTask(0, false, Domain(7, "0x12", 3, "0x34"))) is None


def test_measured_prover_counts_seconds_and_the_bytes_of_proofs() -> None:
    measured = Measured(lambda tasks: iter([b"proof", None][: len(tasks)]))
    assert list(measured([])) == [] and measured.seconds == [] and measured.sizes == []
    task = ProofTask(0, a_step(), Domain())
    assert list(measured([task, task])) == [b"proof", None]
    assert len(measured.seconds) == 2 and measured.sizes == [5]
