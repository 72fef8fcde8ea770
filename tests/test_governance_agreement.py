"""Contracts and twin on the same random histories, state compared after each step; and their draws."""

import os
import random
from collections import Counter

import pytest
from governance_cases import Script, deploy_governance
from governance_histories import Histories
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from bfl_ref.audit_arithmetic import binomial_interval
from bfl_ref.chain.node import open_chain
from bfl_ref.governance import selection, validators
from bfl_ref.governance.reputation import LARGE, ReputationParameters
from bfl_ref.governance.selection import SelectionParameters
from bfl_ref.governance.validators import ValidatorParameters

FULL = os.environ.get("BFL_FULL") == "1"
HISTORIES = 2500 if FULL else 50  # for each of two sets of parameters
DRAWS = 10_000 if FULL else 500
BATCH = 100
SETTINGS = (
    (ReputationParameters(), SelectionParameters(3, 4, 7), ValidatorParameters(3, 1, 50, 5)),
    (LARGE, SelectionParameters(3, 2, 31), ValidatorParameters(5, 1, 150, 0)),
)


@pytest.fixture(scope="module")
def stages():
    # faster than the embedded chain, and it is thousands of histories
    with open_chain("anvil") as node:
        yield [deploy_governance(node, *parameters) for parameters in SETTINGS]


@pytest.mark.parametrize("which", range(len(SETTINGS)))
def test_contracts_and_twin_agree_on_random_histories(stages, which):
    machine = type("Histories", (Histories,), {"stage": stages[which]})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    rules = settings(
        # not shrunk, which takes minutes: what failed is named by its step
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        max_examples=HISTORIES,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=checks,
        derandomize=not FULL,
    )
    run_state_machine_as_test(machine, settings=rules)


def in_batches(stage, contract, cases):
    """cases: (arguments, what the twin draws) of draw(...)."""
    for start in range(0, len(cases), BATCH):
        script = Script(stage)
        for arguments, expected in cases[start : start + BATCH]:
            script.call(contract, "draw", *arguments, expect=expected)
        script.check()


def test_lotteries_are_the_twins_on_random_weights(stages):
    rng = random.Random(1)
    cases = []
    for _ in range(DRAWS // 5):
        weights = [
            rng.choice([0, rng.randrange(2**8), rng.randrange(2**44)]) for _ in range(rng.randrange(12))
        ]
        seed, seats = rng.randbytes(32), rng.randrange(1, 8)
        cases.append(((seed, weights, seats), selection.draw(seed, weights, seats)))
    in_batches(stages[0], "Selection", cases)


def test_lotteries_of_the_contract_have_the_frequencies_of_the_weights(stages):
    weights, seen, rng = [3, 14, 15, 92, 65, 0, 35], Counter(), random.Random(2)
    cases = []
    for _ in range(DRAWS):
        seed = rng.randbytes(32)
        drawn = selection.draw(seed, weights, 1)
        cases.append(((seed, weights, 1), drawn))
        seen[drawn[0]] += 1
    in_batches(stages[0], "Selection", cases)  # the contract drew the same
    for i, weight in enumerate(weights):
        low, high = binomial_interval(weight / sum(weights), DRAWS)
        assert low <= seen[i] / DRAWS <= high


def test_committees_are_the_twins_on_random_operators(stages):
    rng = random.Random(3)
    cases = []
    for _ in range(DRAWS // 5):
        operators = [f"0x{rng.randrange(1, 6):040x}" for _ in range(rng.randrange(14))]
        seed, seats, most = rng.randbytes(32), rng.randrange(1, 9), rng.randrange(1, 4)
        cases.append(((seed, operators, seats, most), validators.draw(seed, operators, seats, most)))
    in_batches(stages[0], "Validators", cases)


def test_limits_are_the_contracts(stages):
    script = Script(stages[0])
    script.call("Selection", "MAX_NEWCOMERS", expect=selection.MAX_NEWCOMERS)
    script.call("Selection", "MAX_UNDRAWN", expect=selection.MAX_UNDRAWN)
    script.call("Validators", "MIN_VALIDATORS", expect=validators.MIN_VALIDATORS)
    script.check()
