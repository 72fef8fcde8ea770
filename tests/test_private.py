"""Private rounds on a chain: charged before training, posted, refused past the budget; nothing given back."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from bfl_ref import fixed_point
from bfl_ref.cast import Consortium, assemble, economy_parameters, training_parameters
from bfl_ref.chain.errors import BudgetExceeded, SpentMayOnlyGrow
from bfl_ref.chain.events import BudgetFixed, PrivacySpent, UpdateCommitted
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import AbortReason, Phase, PrivacyAccount, Role
from bfl_ref.data import Federation
from bfl_ref.learning import TrainConfig, initial_weights
from bfl_ref.member import Member
from bfl_ref.privacy import accounting, dpsgd
from bfl_ref.privacy.ledger import BudgetExhausted, Ledger
from bfl_ref.privacy.settings import private_data
from bfl_ref.private import DELTA, Plan, open_budgets, plan, spent
from bfl_ref.protocol import Outcome, play_round, put_task
from bfl_ref.store import FolderStore

EPSILON, ROUNDS = 4.0, 2
CASE = ("heart", "plain", "logistic")
CONFIG = TrainConfig(model="logistic")


class Stage(NamedTuple):
    """A federation that may play ROUNDS rounds. folder: of the ledgers."""

    cast: Consortium
    store: FolderStore
    plan: Plan
    folder: Path

    def play(self, **others: Member) -> Outcome:
        """One round, hospital by hospital name replaced."""
        members = [others.get(m.name.replace(" ", "_"), m) for m in self.cast.members]
        task = put_task(self.store, "heart", CONFIG)
        return play_round(self.cast.system, self.store, members, task, CONFIG)

    def account(self, member: Member) -> PrivacyAccount:
        return self.cast.system.privacy.account_of(member.account.address)


@pytest.fixture(scope="module")
def federation() -> Federation:
    return private_data("heart", "plain", 0)


@pytest.fixture(scope="module")
def plans(federation: Federation) -> dict[str, Plan]:
    wanted: dict[str, Any] = {"epsilon": EPSILON, "delta": DELTA, "rounds": ROUNDS}
    return {name: plan(federation, CASE, name, **wanted) for name in ("steps", "dpsgd")}


@pytest.fixture(params=["steps", "dpsgd"])
def stage(
    request: pytest.FixtureRequest, plans: dict[str, Plan], federation: Federation, tmp_path: Path
) -> Iterator[Stage]:
    made, features = plans[request.param], len(federation.feature_names)
    budgets = open_budgets(made, federation, tmp_path / "ledgers", EPSILON)
    training = training_parameters(features, made.hyper, 0.0) if made.hyper else None
    start = fixed_point.initial_weights(features) if training else initial_weights(CONFIG, features)
    with open_chain("embedded", accounts=7, seed=0) as node:
        store = FolderStore(tmp_path / "store")
        rng = np.random.default_rng(0).bytes
        cast = assemble(
            node,
            store,
            federation,
            start,
            rng,
            training,
            made,
            budgets,
            economy=economy_parameters(validators=7),
        )
        yield Stage(cast, store, made, tmp_path / "ledgers")


def test_every_round_is_charged_posted_and_refused_past_the_budget(stage: Stage) -> None:
    system, hospitals = stage.cast.system, stage.cast.hospitals
    before: dict[str, float] = dict.fromkeys((m.name for m in hospitals), 0.0)
    for round_id in range(1, ROUNDS + 1):
        outcome = stage.play()
        assert outcome.phase is Phase.FINALISED and not outcome.refused and not outcome.exhausted
        for member in hospitals:
            assert member.budget is not None
            ledger = member.budget.ledger
            expected = PrivacyAccount(4_000_000, 10**13, math.ceil(ledger.spent * 1e6), round_id)
            assert stage.account(member) == expected
            assert before[member.name] < ledger.spent <= EPSILON
            before[member.name] = ledger.spent
    assert min(before.values()) > 0.93 * EPSILON  # what was asked for is used
    fixed = [e for e in system.events() if isinstance(e, BudgetFixed)]
    posted = [e for e in system.events() if isinstance(e, PrivacySpent)]
    assert len(fixed) == 4 and len(posted) == 4 * ROUNDS

    model = system.registry.current().content
    outcome = stage.play()
    assert outcome.phase is Phase.ABORTED and outcome.model == model
    assert set(outcome.exhausted) == {m.account.address for m in hospitals} and not outcome.refused
    for member in hospitals:
        error = outcome.exhausted[member.account.address]
        assert (error.spent, error.budget) == (before[member.name], EPSILON) and error.asked > EPSILON
    committed = [e for e in system.events() if isinstance(e, UpdateCommitted) and e.round_id == 3]
    assert not committed and len([e for e in system.events() if isinstance(e, PrivacySpent)]) == len(posted)
    assert {n: s["spent"] for n, s in spent(stage.cast.members).items()} == before


def test_a_round_goes_on_without_a_hospital_whose_budget_is_used_up(stage: Stage) -> None:
    first = stage.cast.hospitals[0]
    assert first.budget is not None
    for other_task in range(ROUNDS):
        first.budget.pay("another task", other_task)
    outcome = stage.play()
    assert outcome.phase is Phase.FINALISED and list(outcome.exhausted) == [first.account.address]
    updates = [e.hospital for e in stage.cast.system.events() if isinstance(e, UpdateCommitted)]
    assert len(updates) == 3 and first.account.address not in updates
    assert stage.account(first).spent == 0  # nothing was trained here


class Lazy(Member):
    """An aggregator that submits nothing."""

    def candidate(self, round_):
        return None


def test_an_aborted_round_has_paid_on_chain_and_in_the_ledger(stage: Stage) -> None:
    aggregators = {
        a: m
        for m in stage.cast.members
        for a in [m.account.address]
        if a in stage.cast.system.holders(Role.AGGREGATOR)
    }
    lazy = {}
    for member in aggregators.values():
        kind = type(f"Lazy{type(member).__name__}", (Lazy, type(member)), {})
        lazy[member.name.replace(" ", "_")] = kind(**vars(member))
    outcome = stage.play(**lazy)
    assert outcome.phase is Phase.ABORTED
    system = stage.cast.system
    (why,) = [e.reason for e in system.events() if type(e).__name__ == "RoundAborted"]
    assert why is AbortReason.NO_CANDIDATE
    for member in stage.cast.hospitals:
        assert member.budget is not None
        reopened = Ledger(member.budget.ledger.path)
        assert 0 < reopened.spent < EPSILON and stage.account(member).spent == reopened.spent_micro


def test_what_is_posted_is_what_anyone_computes_from_the_rounds_settings(
    plans: dict[str, Plan], federation: Federation
) -> None:
    """Steps: from noise, clip, epochs and the number of rounds; dpsgd: from the task's settings and the row count."""
    hyper = plans["steps"].hyper
    assert hyper is not None
    claimed = accounting.epsilon(hyper, ROUNDS * hyper.epochs, DELTA)
    charge = plans["steps"].charges[0]
    left = DELTA - ROUNDS * charge.mass
    assert accounting.epsilon_of(ROUNDS * np.array(charge.divergences), left) == pytest.approx(claimed)
    assert 0.97 * EPSILON < claimed <= EPSILON
    made = plans["dpsgd"]
    assert made.config is not None and made.config.rounds == ROUNDS
    for silo, multiplier in zip(federation.silos, made.multipliers, strict=True):
        assert dpsgd.claim(made.config, len(silo.y_train), multiplier, DELTA) <= EPSILON


def test_a_chain_budget_below_the_ledgers_stops_training_too(stage: Stage) -> None:
    """A ledger that was tampered with, or restored from before, does not help: the chain remembers."""
    first = stage.cast.hospitals[0]
    stage.cast.system.privacy.post(1, 4_000_000, sender=first.account)
    with pytest.raises(BudgetExceeded):
        stage.cast.system.privacy.post(2, 4_000_001, sender=first.account)
    outcome = stage.play()
    assert isinstance(outcome.refused[first.account.address], SpentMayOnlyGrow)
    updates = [e.hospital for e in stage.cast.system.events() if isinstance(e, UpdateCommitted)]
    assert outcome.phase is Phase.FINALISED and first.account.address not in updates


def test_ledgers_outlive_runs_and_keep_their_delta(
    plans: dict[str, Plan], federation: Federation, tmp_path: Path
) -> None:
    made = plans["steps"]
    first = open_budgets(made, federation, tmp_path, 6.0)
    first[0].pay("a task", 1)
    again = open_budgets(made, federation, tmp_path, 100.0)
    assert [b.ledger.epsilon for b in again] == [6.0] * 4
    assert again[0].ledger.spent == first[0].ledger.spent > 0 == again[1].ledger.spent
    with pytest.raises(BudgetExhausted):
        for round_id in range(100):
            again[0].pay("a task", round_id)
    with pytest.raises(ValueError, match=r"expected 1e-06, got 1e-05: it is fixed once"):
        open_budgets(replace(made, delta=1e-6), federation, tmp_path, 6.0)


def test_plans_that_cannot_be_are_refused_by_name(federation: Federation) -> None:
    good: dict[str, Any] = {"epsilon": 4.0, "delta": DELTA, "rounds": 2}
    for case, mechanism, changed, words in (
        (CASE, "steps", {"epsilon": 0.0}, "epsilon: expected a finite number above 0, got 0.0"),
        (CASE, "dpsgd", {"epsilon": -1.0}, "epsilon: expected a finite number above 0"),
        (CASE, "steps", {"delta": 0.01}, "delta: expected above 0 and below 1/n = 1/242, got 0.01"),
        (CASE, "distributed", {}, "distributed noise needs gradients that are summed before"),
        (CASE, "magic", {}, "mechanism: expected one of steps, dpsgd, got 'magic'"),
        (("wdbc", "plain", "logistic"), "steps", {}, "got wdbc, plain, steps: no private settings"),
        (("wdbc", "plain", "logistic"), "dpsgd", {}, "got wdbc, plain, logistic: no private settings"),
        (CASE, "steps", {"epsilon": 0.01}, "no noise scale up to 4000 reaches it"),
    ):
        with pytest.raises(ValueError, match=words):
            plan(federation, case, mechanism, **{**good, **changed})


def test_as_many_budgets_as_hospitals(plans: dict[str, Plan], federation: Federation, tmp_path: Path) -> None:
    start = initial_weights(CONFIG, len(federation.feature_names))
    with (
        open_chain("embedded", accounts=7, seed=0) as node,
        pytest.raises(ValueError, match="expected a budget for each of 4 hospitals, got 0"),
    ):
        rng = np.random.default_rng(0).bytes
        assemble(node, FolderStore(tmp_path), federation, start, rng, None, plans["dpsgd"])
