"""Dishonest hospitals in rounds on the real contracts, with the real verifier: who is caught, by what, and at what price."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from eth_utils import keccak
from verified_cases import ONE_AUDIT, PENALTY, STEPS, Played, Stage, no_proof, opened

from bfl_ref import attacks, data
from bfl_ref.attacks import Cheat, label_flipper, turned
from bfl_ref.audit_arithmetic import (
    biased_detection,
    binomial_interval,
    break_even_stake,
    detection,
    draws_to_choose_from,
    threshold,
)
from bfl_ref.chain.events import (
    AuditDrawn,
    AuditFailed,
    AuditPassed,
    HospitalDropped,
    HospitalExcluded,
    StakeSlashed,
    TreasurySpent,
)
from bfl_ref.chain.records import Phase
from bfl_ref.fixed_point import Hyper
from bfl_ref.proving import ProofTask, Prover, prove_here

FULL = os.environ.get("BFL_FULL") == "1"
FIRST = 1  # the dishonest hospital among the four; hospital 0 closes the phases, and is paid for it


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with opened(tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.fixture
def stage(played: Played, tmp_path: Path) -> Stage:
    return played.again(tmp_path)


def any_bytes(tasks: Sequence[ProofTask]) -> Iterator[bytes]:
    """Proofs that fail at once, where what comes before the verifier's arithmetic refuses any."""
    return iter([b"\1" * 100] * len(tasks))


class Attack(NamedTuple):
    """step: the drawn one. refusals: what contracts say to its attempts, made with what `prover` gives.

    no_proof: of a family of which another kind makes the attempt, which takes seconds. BFL_FULL=1: all are made.
    """

    kind: str
    step: int
    refusals: tuple[str, ...] = ("OodMismatch",)
    prover: Prover = prove_here
    more: dict[str, Any] = {}  # noqa: RUF012


ATTACKS = [
    Attack("FreeRiderRandom", 1, prover=no_proof),
    Attack("FreeRiderStale", 0),
    Attack("FewerSteps", 1, prover=no_proof),
    Attack("ScaledUpdate", 1, prover=no_proof),
    Attack("BackdooredUpdate", 1, prover=no_proof, more={"slots": (3, 7)}),
    Attack("HiddenStart", 0),
    Attack("OtherHyper", 1),
    Attack("Unclipped", 0, prover=no_proof),
    Attack("NoNoise", 1, prover=no_proof),
    Attack("MoreSteps", 0, prover=no_proof),
    Attack("WrongRows", 1),
    Attack("DroppedRows", 0, prover=no_proof),
    Attack("DuplicatedRows", 0, prover=no_proof),
    Attack("ReplayedRound", 0),
    Attack("ReplayedHospital", 1, prover=no_proof),
    Attack("ReplayedStep", 0, ("BadStatePath", "OodMismatch")),
    Attack("ForgedProof", 0, ("BadVersion",), any_bytes),
    Attack("ForgedProof", 1, ("BadMerklePath",), more={"at": -1}),
    Attack("LateProver", 0, ("DeadlinePassed",), any_bytes),
    Attack("Silent", 0, (), more={"phases": frozenset({Phase.PROVE})}),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.kind}-{a.step}")
def test_attack_is_caught_when_its_step_is_drawn(stage: Stage, attack: Attack) -> None:
    before, stakes, paid = stage.model, stage.stakes(), stage.balance(stage.members[0])
    cheat = turned(getattr(attacks, attack.kind), stage.hospitals[FIRST], **attack.more)
    prover = prove_here if FULL else attack.prover
    outcome = stage.play(cheat, draws=[(FIRST, attack.step)], prover=prover)
    assert outcome.phase is Phase.FINALISED and outcome.rejected == {}
    if prover is not no_proof:
        assert tuple(type(refusal).__name__ for refusal in cheat.refusals) == attack.refusals
    assert_caught(stage, outcome.round_id, cheat, [attack.step])
    stakes[cheat.account.address] -= PENALTY
    assert stage.stakes() == stakes and stage.balance(stage.members[0]) == paid + PENALTY // 10
    assert stage.model == outcome.model == stage.without(before, outcome.round_id, cheat) != before


def assert_caught(stage: Stage, round_id: int, cheat: Cheat, steps: list[int]) -> None:
    """Its audits of these steps failed, nobody else's did: slashed once, excluded, the fee paid to who closed the phase."""
    own = cheat.account.address
    assert [(e.hospital, e.step) for e in stage.told(AuditFailed, round_id)] == [(own, s) for s in steps]
    assert [e.hospital for e in stage.told(HospitalExcluded, round_id)] == [own]
    assert [(e.member, e.amount, e.asked) for e in stage.told(StakeSlashed)] == [(own, PENALTY, PENALTY)]
    closer = stage.members[0].account.address
    assert [(e.to, e.amount) for e in stage.told(TreasurySpent)] == [(closer, PENALTY // 10)]
    assert stage.system.audits.is_excluded(round_id, own)


def test_attack_is_not_caught_when_a_true_step_of_it_is_drawn(stage: Stage) -> None:
    """That is the arithmetic: of its two steps one is false, and one of the round's eight is drawn."""
    cheat = turned(attacks.ScaledUpdate, stage.hospitals[FIRST])
    before = stage.model
    outcome = stage.play(cheat, draws=[(FIRST, 0)])
    assert outcome.phase is Phase.FINALISED and outcome.rejected == outcome.refused == {}
    assert [(e.hospital, e.step) for e in stage.told(AuditPassed)] == [(cheat.account.address, 0)]
    assert stage.told(StakeSlashed) == stage.told(AuditFailed) == []
    assert stage.model not in (
        stage.without(before, outcome.round_id),
        stage.without(before, outcome.round_id, cheat),
    )
    assert detection(STEPS, 1, 1) == 1 / 8


def test_attack_at_audit_rate_one_leaves_the_model_of_the_others(stage: Stage) -> None:
    """Three hospitals prove all their steps, one of them each."""
    stage.govern(epochs=1, audit_rate=10_000)
    before, stakes = stage.model, stage.stakes()
    cheat = turned(attacks.BackdooredUpdate, stage.hospitals[FIRST])
    outcome = stage.play(cheat, prover=prove_here if FULL else honest_only(cheat))
    assert outcome.phase is Phase.FINALISED and outcome.rejected == {}
    assert len(stage.told(AuditDrawn)) == 4
    assert {e.hospital for e in stage.told(AuditPassed)} == {
        h.account.address for h in stage.hospitals if h.account != cheat.account
    }
    assert_caught(stage, outcome.round_id, cheat, [0])
    stakes[cheat.account.address] -= PENALTY
    assert stage.stakes() == stakes
    assert stage.model == outcome.model == stage.without(before, outcome.round_id, cheat)


# ---------------------------------------------------------------- stopped at commit


@pytest.mark.parametrize(
    "kind, error", [("BackdooredStart", "WrongStart"), ("ShortChain", "WrongStateCount")]
)
def test_attack_is_refused_at_commit(stage: Stage, kind: str, error: str) -> None:
    stage.govern(audit_rate=0)
    before, stakes = stage.model, stage.stakes()
    cheat = turned(getattr(attacks, kind), stage.hospitals[FIRST])
    outcome = stage.play(cheat)
    assert {at: type(refusal).__name__ for at, refusal in outcome.refused.items()} == {
        cheat.account.address: error
    }
    assert [e.hospital for e in stage.told(HospitalDropped)] == [cheat.account.address]
    assert stage.stakes() == stakes
    assert stage.model == outcome.model == stage.without(before, outcome.round_id, cheat)


def test_free_rider_cannot_hand_in_its_old_update_again(stage: Stage) -> None:
    stage.govern(audit_rate=0)
    assert stage.play().phase is Phase.FINALISED
    stage.govern(audit_rate=round(10_000 * ONE_AUDIT))
    before = stage.model
    cheat = turned(attacks.FreeRiderOld, stage.hospitals[FIRST])
    outcome = stage.play(cheat, draws=[(FIRST, 0)], prover=prove_here if FULL else no_proof)
    refusals = [type(refusal).__name__ for refusal in cheat.refusals]
    assert refusals == (["ReplayedSubmission", "OodMismatch"] if FULL else ["ReplayedSubmission"])
    assert_caught(stage, outcome.round_id, cheat, [0])
    assert stage.model == outcome.model == stage.without(before, outcome.round_id, cheat)


def test_copycat_gets_nowhere_with_another_hospitals_digests_and_proof(stage: Stage) -> None:
    stage.govern(audit_rate=2 * round(10_000 * ONE_AUDIT))
    before = stage.model
    victim, cheat = stage.hospitals[0], turned(attacks.Copycat, stage.hospitals[FIRST])
    outcome = stage.play(cheat, draws=[(0, 0), (FIRST, 0)], prover=honest_only(cheat))
    assert [type(refusal).__name__ for refusal in cheat.refusals] == ["ReplayedSubmission", "OodMismatch"]
    assert cheat.refusals[0].first_hospital == victim.account.address
    assert [e.hospital for e in stage.told(AuditPassed)] == [victim.account.address]
    assert_caught(stage, outcome.round_id, cheat, [0])
    assert stage.model == outcome.model == stage.without(before, outcome.round_id, cheat)


def honest_only(cheat: Cheat) -> Prover:
    """Proofs for everybody but one, whose steps have none."""
    return lambda tasks: (
        None if task.domain.prover == cheat.account.address else next(prove_here([task])) for task in tasks
    )


# ---------------------------------------------------------------- the honest limit


def test_label_flipper_passes_everything(tmp_path: Path) -> None:
    """It registered the false labels: its proof is true, and its update is in the model."""
    federation = label_flipper(data.load("wdbc", seed=0), FIRST)
    with opened(tmp_path / "store", federation, Hyper(1, 768, 16, 0), 0.2) as made:
        stage = made.stage
        before, flipper = stage.model, stage.hospitals[FIRST]
        assert flipper.rows is not None
        original = data.load("wdbc", seed=0).silos[FIRST].y_train
        assert np.array_equal(flipper.rows.y, 1 - original)
        outcome = stage.play(draws=[(FIRST, 0)])
        assert [e.hospital for e in stage.told(AuditPassed)] == [flipper.account.address]
        assert outcome.refused == outcome.rejected == {} and stage.told(StakeSlashed) == []
        assert stage.model == stage.without(before, outcome.round_id)
        assert stage.model != stage.without(before, outcome.round_id, flipper)


# ---------------------------------------------------------------- arithmetic


DRAWS = 2000 if FULL else 500


@pytest.mark.parametrize("steps, audited, bad", [(8, 1, (1, 2)), (20, 4, (1, 3)), (100, 20, (1, 5, 12))])
def test_detection_measured_on_the_contracts_draws(
    played: Played, steps: int, audited: int, bad: tuple[int, ...]
) -> None:
    """A hospital with b bad steps among the others': how often the contract's draw meets one."""
    sample = played.stage.system.audits.sample
    drawn = [set(sample(keccak(text=f"r2 {steps} {i}"), steps, audited)) for i in range(DRAWS)]
    assert all(len(d) == audited and max(d) < steps for d in drawn)
    for b in bad:
        false = set(range(steps // 2, steps // 2 + b))
        measured = sum(bool(false & d) for d in drawn) / DRAWS
        p = detection(steps, b, audited)
        low, high = binomial_interval(p, DRAWS)
        print(
            f"S={steps} b={b} k={audited}: measured {measured:.3f}, formula {p:.3f}, 99% {low:.3f}..{high:.3f}"
        )
        assert low <= measured <= high


def test_detection_by_its_definition() -> None:
    assert detection(100, 1, 20) == pytest.approx(0.2)
    assert detection(10, 0, 5) == 0 and detection(10, 10, 1) == 1 and detection(10, 3, 10) == 1
    rng = np.random.default_rng(0)
    hits = [len(set(rng.choice(30, 6, replace=False)) & {0, 1, 2}) > 0 for _ in range(2000)]
    low, high = binomial_interval(detection(30, 3, 6), 2000)
    assert low <= np.mean(hits) <= high
    with pytest.raises(ValueError, match="expected 0 <= bad, audited <= steps, got 3, 4, 2"):
        detection(2, 3, 4)


def test_break_even_stake_is_where_cheating_stops_paying() -> None:
    assert [round(break_even_stake(1, p), 9) for p in (0.05, 0.1, 0.2, 1)] == [19, 9, 4, 0]
    for p in (0.05, 0.3):
        stake = break_even_stake(7, p)
        assert (1 - p) * 7 - p * stake == pytest.approx(0)  # expected profit
    with pytest.raises(ValueError, match="p: expected above 0"):
        break_even_stake(1, 0)


def test_colluders_weaken_detection_by_the_draws_they_choose_from() -> None:
    assert threshold(7) == 4 and draws_to_choose_from(3) == 8
    assert biased_detection(0.99, 0, 7) == pytest.approx(0.99)
    assert biased_detection(0.99, 2, 7) == pytest.approx(0.96)
    assert biased_detection(0.2, 3, 7) == 0
    assert biased_detection(1.0, 3, 7) == 1.0  # with every step drawn there is nothing to choose
    assert biased_detection(1.0, 4, 7) == 1.0
    assert (
        biased_detection(0.99, 4, 7) == 0
    )  # a majority rebuilds both secrets of everybody when they are dealt
    with pytest.raises(ValueError, match="colluders: expected 0 to 7, got 8"):
        biased_detection(0.5, 8, 7)


def test_choosing_among_draws_keeps_to_the_bound(played: Played) -> None:
    """The best of 2^c draws, for the cheat, on the contract's own draws."""
    steps, audited, bad, colluders, trials = 20, 12, 3, 2, 60
    sample, choices = played.stage.system.audits.sample, draws_to_choose_from(2)
    drawn = [set(sample(keccak(text=f"choice {i}"), steps, audited)) for i in range(choices * trials)]
    caught = [all(d & set(range(bad)) for d in drawn[i : i + choices]) for i in range(0, len(drawn), choices)]
    p = detection(steps, bad, audited)
    assert biased_detection(p, colluders, 7) <= np.mean(caught) + 3 * np.sqrt(p * (1 - p) / trials)
    assert np.mean(caught) < p


def test_binomial_interval_covers_its_level() -> None:
    rng = np.random.default_rng(1)
    for p in (0.03, 0.5, 0.97):
        low, high = binomial_interval(p, 200)
        inside = np.mean([low <= x <= high for x in rng.binomial(200, p, 4000) / 200])
        assert inside >= 0.985
    assert binomial_interval(0, 10) == (0, 0) and binomial_interval(1, 10) == (1, 1)
    with pytest.raises(ValueError, match="p: expected 0 to 1"):
        binomial_interval(1.5, 10)


def test_every_attack_says_who_stops_it() -> None:
    kinds = [getattr(attacks, name) for name in attacks.__all__]
    assert all(kind.__doc__ and len(kind.__doc__) > 40 for kind in kinds)
    unused = {k.__name__ for k in kinds if isinstance(k, type)} - {a.kind for a in ATTACKS}
    assert unused == {
        *("Cheat", "FalseStates"),  # not attacks
        *("BackdooredStart", "ShortChain", "FreeRiderOld", "Copycat"),  # tests of their own above
        *("UnrevealedValidator", "FalseDealer"),  # test_verified.py
    }
