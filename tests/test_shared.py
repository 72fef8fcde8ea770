"""Shared rounds with silent and dishonest members in every phase: the sum is exact or there is none; the next round runs."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
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
    SumSubmitted,
    SurvivorsFixed,
)
from bfl_ref.chain.records import AbortReason, Content, Phase, Release
from bfl_ref.history import replay
from bfl_ref.integers import INTEGERS
from bfl_ref.protocol import Outcome
from bfl_ref.proving import ReleaseTask, SumTask
from bfl_ref.shared import SharedMember, groups
from bfl_ref.sharing import weights
from bfl_ref.stark.field import F, to_bytes
from bfl_ref.stark.setup import Domain
from bfl_ref.statements.release_trace import Sharing
from bfl_ref.statements.sum_share import Addends

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
    """An aggregator that submits another sum, with the proof of the right one."""

    def add(self, round_, task, proof):
        told = task.addends.total.copy()
        told[3] += F(1)
        committee = round_.system.committee
        committee.submit_sum(round_.round_id, task.group, to_bytes(told), proof, sender=self.account)


class Quiet(SharedMember):
    """An aggregator that takes shares and gives no sums."""

    def sums(self, round_):
        return []


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5] if FULL else [2, 3])
def test_lying_aggregators_are_refused_by_name_and_no_sum_is_ever_wrong(stage: Stage, count: int) -> None:
    """Up to two: the right model. From three on there are too few sums, and the round is aborted. Never another model."""
    liars, before = stage.aggregators[5 - count :], stage.system.registry.current().content
    stakes = stage.stakes()
    outcome = stage.play(*(as_a(Liar, m) for m in liars))
    own = {m.account.address for m in liars}
    assert set(outcome.refused) == own
    assert all(isinstance(refusal, OodMismatch) for refusal in outcome.refused.values())
    assert len(stage.told(SumSubmitted, 1)) == 5 - count
    assert {e.aggregator for e in stage.told(AggregatorFailed, 1)} == own
    assert stage.stakes() == {a: stake - (a in own) * (STAKE // 10) for a, stake in stakes.items()}
    settled(stage, outcome, before, right=count < 3)


@pytest.mark.parametrize("count", [1, 2, 3] if FULL else [2, 3])
def test_silent_aggregators_cost_themselves_and_three_of_five_the_round(stage: Stage, count: int) -> None:
    quiet, before = stage.aggregators[2 : 2 + count], stage.system.registry.current().content
    outcome = stage.play(*(as_a(Quiet, m) for m in quiet))
    stakes = stage.stakes()
    assert {e.aggregator for e in stage.told(AggregatorFailed, 1)} == {m.account.address for m in quiet}
    assert all(stakes[m.account.address] == STAKE - STAKE // 10 for m in quiet)
    settled(stage, outcome, before, right=count < 3)
    outcome = stage.play()
    assert outcome.phase is Phase.FINALISED


def settled(stage: Stage, outcome: Outcome, before: Content, right: bool) -> None:
    """The round ended with the right model, or was aborted for want of a sum and left the model as it was."""
    if right:
        assert outcome.phase is Phase.FINALISED
        stage.check_sums(outcome, before)
    else:
        (aborted,) = stage.told(RoundAborted, outcome.round_id)
        assert outcome.phase is Phase.ABORTED and aborted.reason is AbortReason.NO_SUM
        assert outcome.model == before and not stage.told(SumDecoded, outcome.round_id)


@pytest.mark.parametrize("right, others", [(True, (Liar, Quiet)), (False, (Liar, Liar, Quiet))])
def test_liars_count_as_the_silent_do(stage: Stage, right: bool, others: tuple) -> None:
    before = stage.system.registry.current().content
    parts = [as_a(kind, m) for kind, m in zip(others, stage.aggregators[1:], strict=False)]
    settled(stage, stage.play(*parts), before, right)
    assert len(stage.told(AggregatorFailed, 1)) == len(others)


def test_seats_of_those_who_lost_their_stake_stay_vacant(stage: Stage) -> None:
    """Its stake lost for a lie, and the seat is empty; with four of five seats the sum is as exact as before."""
    liar, vault = stage.aggregators[2], stage.system.vault
    vault.request_unlock(STAKE - STAKE // 10, sender=liar.account)  # so once is enough
    assert stage.play(as_a(Liar, liar)).phase is Phase.FINALISED
    before = stage.system.registry.current().content
    outcome = stage.play(as_a(Liar, liar))
    assert outcome.phase is Phase.FINALISED and liar.account.address not in outcome.refused
    left = (m.account.address for m in stage.aggregators if m is not liar)
    assert stage.system.committee.seats_of(2) == tuple(left)
    stage.check_sums(outcome, before)


@dataclass(frozen=True, eq=False)
class Colluding(SharedMember):
    """Lies by what others gave it. change(member, round, task) -> (sum, task that the proof is true of)."""

    change: object = None

    def add(self, round_, task, proof):
        total, proven = self.change(self, round_, task)
        committee, own = round_.system.committee, self.account
        committee.submit_sum(round_.round_id, task.group, to_bytes(total), stub_proof(proven), sender=own)


def _with(task: SumTask, **changes) -> SumTask:
    return SumTask(**{**vars(task), **changes})


def _replaced(member, round_, task):
    """A true proof of the sum of other shares than those that were sent."""
    shares = task.addends.shares.copy()
    shares[0, 0] += F(1)
    other = Addends(shares, task.addends.salts)
    return other.total, _with(task, addends=other)


def _left_out(member, round_, task):
    """The sum of three of the four: what it would tell of the fourth."""
    fewer = Addends(task.addends.shares[1:], task.addends.salts[1:])
    return fewer.total, _with(task, addends=fewer)


def _counted_twice(member, round_, task):
    """A fifth share in the free place."""
    chosen = [0, 1, 2, 3, 3]
    more = Addends(task.addends.shares[chosen], task.addends.salts[chosen])
    return more.total, _with(task, addends=more)


def _another_order(member, round_, task):
    """The right sum, its proof with the shares in another order."""
    turned = Addends(task.addends.shares[::-1].copy(), task.addends.salts[::-1].copy())
    return turned.total, _with(task, addends=turned)


def _as_another(member, round_, task):
    """The right sum, proven for another member."""
    return task.addends.total, _with(task, domain=replace(task.domain, prover="0x" + 40 * "1"))


def _of_another_round(member, round_, task):
    return task.addends.total, _with(task, domain=replace(task.domain, round_id=round_.round_id + 1))


def _of_another_contract(member, round_, task):
    elsewhere = replace(task.domain, contract=round_.system.audits.address)
    return task.addends.total, _with(task, domain=elsewhere)


def _of_another_seat(member, round_, task):
    """What the seat next to it was sent, all of it, and its sum: true, but not this seat's."""
    neighbour = member.neighbour._addends(groups(round_)[task.group], len(round_.model))
    return neighbour.total, _with(task, addends=neighbour)


@pytest.mark.parametrize(
    "change",
    [
        _replaced,
        _left_out,
        _counted_twice,
        _another_order,
        _as_another,
        _of_another_round,
        _of_another_contract,
        _of_another_seat,
    ],
)
def test_a_true_proof_of_something_else_is_refused_by_name(stage: Stage, change) -> None:
    """Two do it together: nothing of it is recorded, the model is right, both are slashed."""
    first, second, *_ = stage.aggregators
    before = stage.system.registry.current().content
    parts = [as_a(Colluding, m, change=change) for m in (first, second)]
    for part, other in zip(parts, (second, first), strict=True):
        object.__setattr__(part, "neighbour", other)
    outcome = stage.play(*parts)
    assert outcome.phase is Phase.FINALISED
    assert {a: type(refusal) for a, refusal in outcome.refused.items()} == {
        m.account.address: OodMismatch for m in (first, second)
    }
    assert {e.seat for e in stage.told(SumSubmitted, 1)} == {2, 3, 4}
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
    "sums": ("open",),
    "aggregate": ("candidate",),
    "finalise": ("ballot",),
}


def dying(phase: str) -> type[SharedMember]:
    """A member that does nothing from a phase on."""
    later = list(WAYS)[list(WAYS).index(phase) :]
    silent = {name: lambda *_, **__: None for phase in later for name in WAYS[phase]}
    if "sums" in later:
        silent["sums"] = lambda *_: []
    return type(f"DiesAt{phase.title()}", (SharedMember,), silent)


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with opened(tmp_path_factory.mktemp("ten"), ten_hospitals(), audit_rate=0.1) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("phase", WAYS if FULL else ["commit", "sums"])
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
