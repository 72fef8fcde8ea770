"""Shared rounds with silent and dishonest members in every phase: the sum is exact or there is none; the next round runs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from shared_cases import Played, Stage, as_a, opened, stub_proof, ten_hospitals

from bfl_ref import data, fixed_point
from bfl_ref.cast import STAKE, sharing_parameters
from bfl_ref.chain.errors import NormAboveBound, OodMismatch, WrongShare
from bfl_ref.chain.events import (
    AggregatorFailed,
    Complained,
    HospitalLeftOut,
    RoundAborted,
    SharesCommitted,
    ShareShown,
    SumDecoded,
    SurvivorsFixed,
)
from bfl_ref.chain.records import AbortReason, Phase, Release
from bfl_ref.history import replay
from bfl_ref.integers import INTEGERS
from bfl_ref.proving import ReleaseTask
from bfl_ref.shared import SharedMember
from bfl_ref.sharing import weights
from bfl_ref.stark.field import F, from_bytes, to_bytes
from bfl_ref.stark.setup import Domain
from bfl_ref.statements.release_trace import Sharing

FULL = os.environ.get("BFL_FULL") == "1"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with opened(tmp_path_factory.mktemp("store")) as made:
        yield made


@pytest.fixture
def stage(played: Played, tmp_path: Path) -> Stage:
    return played.again(tmp_path)


def test_the_model_is_fedavg_bit_by_bit_and_is_rebuilt_from_the_chain(stage: Stage) -> None:
    before = stage.system.registry.current().content
    for round_id in (1, 2):
        outcome = stage.play()
        assert outcome.phase is Phase.FINALISED and not outcome.refused and not outcome.rejected
        stage.check_sums(outcome, before)
        before = outcome.model
        committed = stage.told(SharesCommitted, round_id)
        assert [e.weight for e in committed] == [len(m.rows.y) for m in stage.hospitals]
    *_, (past, model) = replay(stage.system, stage.store)
    assert past.shared and INTEGERS.content(model, 2) == outcome.model


def test_it_is_what_averaging_without_a_chain_gives(stage: Stage) -> None:
    stage.play()
    outcome = stage.play()
    hyper = stage.system.audits.training_of(2)
    w = fixed_point.federated(
        data.load("wdbc", seed=0), 2, fixed_point.Hyper(hyper.epochs, hyper.rate, hyper.clip, hyper.noise)
    )
    assert outcome.model == INTEGERS.content(w, 2)


def test_no_update_is_in_the_store_and_no_share_on_the_chain(stage: Stage) -> None:
    files = set(stage.store.objects())
    outcome = stage.play()
    added = set(stage.store.objects()) - files
    assert added == {outcome.model.cid}
    assert not stage.told(ShareShown) and not stage.told(Complained)


def test_weights_of_many_rows_are_scaled_as_python_scales_them(tmp_path: Path) -> None:
    """7,330 rows times a norm of 16 do not fit half of p: weights are rounded, and the sum is exact in them."""
    with opened(tmp_path, data.load("thyroid", seed=0)) as made:
        stage, before = made.stage, made.stage.system.registry.current().content
        outcome = stage.play()
        rows = [len(m.rows.y) for m in stage.hospitals]
        committed = stage.told(SharesCommitted, 1)
        assert tuple(e.weight for e in committed) == weights(rows, 1 << 20) != tuple(rows)
        assert outcome.phase is Phase.FINALISED
        stage.check_sums(outcome, before)


class Liar(SharedMember):
    """An aggregator that submits another sum."""

    def sum_share(self, hospitals):
        told = from_bytes(super().sum_share(hospitals))
        told[3] += F(1)
        return to_bytes(told)


class Quiet(SharedMember):
    """An aggregator that takes shares and gives no sums."""

    def sum_share(self, hospitals):
        return None


def test_a_lying_aggregator_is_named_and_slashed_and_the_sum_is_right(stage: Stage) -> None:
    liar, before = stage.aggregators[3], stage.system.registry.current().content
    stakes = stage.stakes()
    outcome = stage.play(as_a(Liar, liar))
    assert outcome.phase is Phase.FINALISED
    stage.check_sums(outcome, before)
    (decoded,) = stage.told(SumDecoded, 1)
    assert decoded.wrong == 1 << 3
    (failed,) = stage.told(AggregatorFailed, 1)
    assert failed.aggregator == liar.account.address
    after = stage.stakes()
    assert (
        after.pop(liar.account.address) == stakes.pop(liar.account.address) - STAKE // 2 and after == stakes
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_silent_aggregators_cost_themselves_and_three_of_five_the_round(stage: Stage, count: int) -> None:
    quiet, before = stage.aggregators[2 : 2 + count], stage.system.registry.current().content
    outcome = stage.play(*(as_a(Quiet, m) for m in quiet))
    stakes = stage.stakes()
    assert {e.aggregator for e in stage.told(AggregatorFailed, 1)} == {m.account.address for m in quiet}
    assert all(stakes[m.account.address] == STAKE - STAKE // 10 for m in quiet)
    if count < 3:
        assert outcome.phase is Phase.FINALISED
        stage.check_sums(outcome, before)
    else:
        (aborted,) = stage.told(RoundAborted, 1)
        assert outcome.phase is Phase.ABORTED and aborted.reason is AbortReason.NO_SUM
        assert outcome.model == before
    outcome = stage.play()
    assert outcome.phase is Phase.FINALISED


def test_seats_of_those_who_lost_their_stake_stay_vacant(stage: Stage) -> None:
    """Twice wrong, and the seat is empty; with four of five seats the sum is as exact as before."""
    liar = stage.aggregators[0]
    for _ in range(2):
        assert stage.play(as_a(Liar, liar)).phase is Phase.FINALISED
    before = stage.system.registry.current().content
    outcome = stage.play(as_a(Liar, liar))
    assert outcome.phase is Phase.FINALISED
    assert stage.system.committee.seats_of(3) == tuple(m.account.address for m in stage.aggregators[1:])
    stage.check_sums(outcome, before)
    assert [e.wrong for e in stage.told(SumDecoded)] == [1, 1, 0]


def test_one_liar_and_one_silent_are_beyond_what_five_can_decode(stage: Stage) -> None:
    before = stage.system.registry.current().content
    outcome = stage.play(as_a(Liar, stage.aggregators[2]), as_a(Quiet, stage.aggregators[4]))
    assert outcome.phase is Phase.ABORTED and outcome.model == before and not stage.told(SumDecoded)
    outcome = stage.play()
    assert outcome.phase is Phase.FINALISED
    stage.check_sums(outcome, before)


# ---------------------------------------------------------------- complaints


@dataclass(frozen=True, eq=False)
class Withholding(SharedMember):
    """A hospital that sends nothing to some seats, and answers complaints or not."""

    seats: tuple[int, ...] = ()
    answers: bool = True
    wrong: bool = False

    def share(self, round_):
        spared = {round_.system.committee.seats_of(round_.round_id)[seat] for seat in self.seats}
        reached = {a: m for a, m in round_.mailboxes.items() if a not in spared}
        super().share(type(round_)(**{**vars(round_), "mailboxes": reached}))

    def answer(self, round_):
        if self.wrong:
            elements = [1, *([0] * 39)]
            round_.system.committee.show(round_.round_id, self.seats[0], elements, sender=self.account)
        elif self.answers:
            super().answer(round_)


def test_a_share_that_did_not_come_is_shown_and_the_round_is_whole(stage: Stage) -> None:
    hospital, before = stage.hospitals[1], stage.system.registry.current().content
    outcome = stage.play(as_a(Withholding, hospital, seats=(4,)))
    assert outcome.phase is Phase.FINALISED
    stage.check_sums(outcome, before)
    (said,), (shown,) = stage.told(Complained, 1), stage.told(ShareShown, 1)
    assert (said.hospital, said.seat) == (shown.hospital, shown.seat) == (hospital.account.address, 4)
    sharing = hospital.sharings[1][0]
    assert list(shown.elements) == [*sharing.shares()[4].tolist(), *sharing.salts[4].tolist()]
    assert stage.stakes()[hospital.account.address] == STAKE  # nobody is slashed for a matching share


def test_fewer_than_the_threshold_of_shares_are_ever_shown(stage: Stage) -> None:
    hospital, before = stage.hospitals[0], stage.system.registry.current().content
    outcome = stage.play(as_a(Withholding, hospital, seats=(2, 3, 4)))
    assert outcome.phase is Phase.FINALISED and not stage.told(ShareShown, 1)
    assert [e.hospital for e in stage.told(HospitalLeftOut, 1)] == [hospital.account.address]
    (fixed,) = stage.told(SurvivorsFixed, 1)
    assert hospital.account.address not in fixed.survivors and len(fixed.survivors) == 3
    stage.check_sums(outcome, before)


@pytest.mark.parametrize("how", [{"answers": False}, {"wrong": True}])
def test_who_does_not_show_the_right_share_does_not_count(stage: Stage, how: dict[str, bool]) -> None:
    hospital, before = stage.hospitals[3], stage.system.registry.current().content
    outcome = stage.play(as_a(Withholding, hospital, seats=(2,), **how))
    (fixed,) = stage.told(SurvivorsFixed, 1)
    assert outcome.phase is Phase.FINALISED and hospital.account.address not in fixed.survivors
    if "wrong" in how:
        assert isinstance(outcome.refused[hospital.account.address], WrongShare)
    stage.check_sums(outcome, before)


class WrongSharer(SharedMember):
    """Sends every seat a share of something else, and shows the right one when asked."""

    def share(self, round_):
        sharing, proof = self.sharings[round_.round_id]
        other = Sharing(sharing.state, sharing.model, sharing.weight + 1, sharing.coefficients, sharing.salts)
        self.sharings[round_.round_id] = other, proof
        super().share(round_)
        self.sharings[round_.round_id] = sharing, proof


def test_a_share_that_is_not_the_committed_one_is_not_kept(stage: Stage) -> None:
    hospital, before = stage.hospitals[2], stage.system.registry.current().content
    outcome = stage.play(as_a(WrongSharer, hospital))
    (fixed,) = stage.told(SurvivorsFixed, 1)
    assert outcome.phase is Phase.FINALISED and hospital.account.address not in fixed.survivors
    stage.check_sums(outcome, before)


# ---------------------------------------------------------------- what the contract refuses at the commitment


@dataclass(frozen=True, eq=False)
class Committing(SharedMember):
    """Changes what it hands in. change(member, round, update, release) -> (update, release)."""

    change: object = None

    def commit(self, round_, update):
        original = round_.system.rounds.commit_shared

        def changed(round_id, content, states, release, *, sender):
            states, release = self.change(self, round_, states, release)
            original(round_id, content, states, release, sender=sender)

        round_.system.rounds.commit_shared = changed
        try:
            return super().commit(round_, update)
        finally:
            round_.system.rounds.commit_shared = original


def _of(release: Release, **changes) -> Release:
    return Release(**{**vars(release), **changes})


def _other_weight(member, round_, states, release):
    """A proof that is true of twice the weight."""
    sharing = member.sharings[round_.round_id][0]
    twice = Sharing(sharing.state, sharing.model, 2 * sharing.weight, sharing.coefficients, sharing.salts)
    chain_id = round_.system.node.web3.eth.chain_id
    own = member.account.address
    domain = Domain(chain_id, round_.system.committee.address, round_.round_id, own)
    return states, _of(release, proof=stub_proof(ReleaseTask(twice, domain)))


def _anothers_proof(member, round_, states, release):
    sharing = member.sharings[round_.round_id][0]
    chain_id, other = round_.system.node.web3.eth.chain_id, "0x" + 40 * "1"
    domain = Domain(chain_id, round_.system.committee.address, round_.round_id, other)
    return states, _of(release, proof=stub_proof(ReleaseTask(sharing, domain)))


def _swapped_digests(member, round_, states, release):
    first, second, *rest = release.digests
    return states, _of(release, digests=(second, first, *rest))


REFUSED = {
    "other weight": (_other_weight, OodMismatch),
    "another hospital's proof": (_anothers_proof, OodMismatch),
    "digest of another share": (_swapped_digests, OodMismatch),
    "lower norm bucket": (lambda m, r, s, x: (s, _of(x, bucket=x.bucket - 1)), OodMismatch),
    "norm over the bound": (lambda m, r, s, x: (s, _of(x, bucket=11)), NormAboveBound),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_release_that_is_not_of_the_trained_update_is_refused_by_name(stage: Stage, what: str) -> None:
    change, error = REFUSED[what]
    hospital, before = stage.hospitals[0], stage.system.registry.current().content
    outcome = stage.play(as_a(Committing, hospital, change=change))
    assert isinstance(outcome.refused[hospital.account.address], error)
    assert hospital.account.address not in {e.hospital for e in stage.told(SharesCommitted, 1)}
    assert outcome.phase is Phase.FINALISED
    stage.check_sums(outcome, before)


class OtherState(SharedMember):
    """Shares something else than it trained: true shares, with a true proof, of another state."""

    def release(self, round_, update):
        task = super().release(round_, update)
        sharing = task.sharing
        poisoned = fixed_point.State(-sharing.state.weights, sharing.state.salt)
        other = Sharing(poisoned, sharing.model, sharing.weight, sharing.coefficients, sharing.salts)
        self.sharings[round_.round_id] = other, None
        return type(task)(other, task.domain, task.seed)


def test_who_shares_another_state_than_the_last_leaf_is_refused(stage: Stage) -> None:
    hospital, before = stage.hospitals[0], stage.system.registry.current().content
    outcome = stage.play(as_a(OtherState, hospital))
    assert isinstance(outcome.refused[hospital.account.address], OodMismatch)
    assert outcome.phase is Phase.FINALISED
    stage.check_sums(outcome, before)


class OutOfRange(SharedMember):
    """Not audited, it ends in a state whose weights nobody can hold: 2.5 above the model, again and again."""

    def train(self, round_, config):
        states = super().train(round_, config)
        states[-1] = fixed_point.State(round_.model + 5 * 2**15, states[-1].salt)
        return states


def test_no_hospital_can_make_a_model_that_nobody_can_load(stage: Stage) -> None:
    parts = [as_a(OutOfRange, hospital) for hospital in stage.hospitals[:3]]
    for _ in range(6):
        before = stage.system.registry.current().content
        outcome = stage.play(*parts)
        assert outcome.phase is Phase.FINALISED and len(stage.told(SharesCommitted, outcome.round_id)) == 4
        stage.check_sums(outcome, before)
    model = INTEGERS.load(stage.store, outcome.model)
    assert model.max() == 2**19 - 1 and model.min() >= -(2**19)
    *_, (_, again) = replay(stage.system, stage.store)
    assert (again == model).all()


# ---------------------------------------------------------------- deaths


WAYS = {  # phase -> what a member that is gone by then does not do any more
    "select": ("deal",),
    "reveal": ("reveal", "rebuild"),
    "train": ("train",),
    "commit": ("commit",),
    "prove": ("show",),
    "share": ("expect", "share", "complain", "answer"),
    "confirm": ("confirm",),
    "sums": ("add", "open"),
    "aggregate": ("candidate",),
    "finalise": ("ballot",),
}


def dying(phase: str) -> type[SharedMember]:
    """A member that does nothing from a phase on."""
    names = [name for later in list(WAYS)[list(WAYS).index(phase) :] for name in WAYS[later]]
    return type(f"DiesAt{phase.title()}", (SharedMember,), {name: lambda *_, **__: None for name in names})


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with opened(tmp_path_factory.mktemp("ten"), ten_hospitals(), audit_rate=0.1) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("phase", WAYS if FULL else ["commit", "share", "sums"])
def test_two_of_ten_hospitals_and_an_aggregator_die(ten: Played, tmp_path: Path, phase: str) -> None:
    """The round ends or is aborted, cleanly; the next one, of all, ends with a model."""
    stage = ten.again(tmp_path)
    assert len(stage.hospitals) == 10 and len(stage.aggregators) == 5
    before = stage.system.registry.current().content
    gone = (stage.hospitals[4], stage.hospitals[7], stage.aggregators[-1])
    outcome = stage.play(*(as_a(dying(phase), member) for member in gone))
    assert outcome.phase in (Phase.FINALISED, Phase.ABORTED)
    if outcome.phase is Phase.FINALISED:
        stage.check_sums(outcome, before)
    else:
        assert outcome.model == before
    assert all(stage.system.vault.stake_of(m.account.address).freezes == 0 for m in stage.members)
    before = outcome.model
    outcome = stage.play()
    assert outcome.phase is Phase.FINALISED
    stage.check_sums(outcome, before)
    (fixed,) = stage.told(SurvivorsFixed, outcome.round_id)
    counts = np.bincount(fixed.groups)
    assert counts.min() >= 3 and counts.sum() == len(fixed.survivors)


def test_committees_that_cannot_be_are_refused_by_name() -> None:
    for arguments, words in (
        ((1, 1), "aggregators: expected 2 to 5, got 1"),
        ((6, 3), "aggregators: expected 2 to 5, got 6"),
        ((5, 6), r"threshold: expected 2 to 5 \(aggregators\), got 6"),
        ((5, 1), "threshold: expected 2 to 5"),
    ):
        with pytest.raises(ValueError, match=words):
            sharing_parameters(*arguments)
