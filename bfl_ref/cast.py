"""Who plays: the hospitals of a data set and three operators, deployed, funded and staked on a chain.

The default cast of docs/threat-model.md: every member validates; the three operators and the first two hospitals aggregate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from .aggregation import FLOATS
from .beacon import public_key
from .chain.contracts import Genesis, System, deploy
from .chain.node import Node
from .chain.records import Role, RoundParameters, TrainingParameters
from .chain.stark import deploy_verifier, generated_evaluators
from .data import Federation
from .fixed_point import Hyper, commit_rows, halves_of
from .integers import INTEGERS
from .privacy.ledger import Budget
from .private import DpsgdMember, Plan
from .protocol import VERIFIED_DURATIONS, Member, Rng
from .stark.field import random_base
from .stark.solidity.statements import training_setup
from .statements.poseidon2 import DIGEST
from .store import Store
from .verified import VerifiedMember, encryption_key, register

TOKEN = 10**18  # smallest units in one token
BALANCE = 1_000 * TOKEN
STAKE = 100 * TOKEN
OPERATORS = 3
AGGREGATING_HOSPITALS = 2
# no shorter than a verified round, so that what a validator answers for cannot be withdrawn before its secrets are settled
UNLOCK_DELAY = sum(VERIFIED_DURATIONS)  # blocks
MIN_HOSPITALS = 3  # the contract's own minimum: with two, each could subtract itself from the average


@dataclass(frozen=True)
class Consortium:
    """A deployed system and its members, hospitals first (in silo order), then operators."""

    system: System
    members: tuple[Member, ...]

    @property
    def hospitals(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members if member.silo is not None)


def assemble(
    node: Node,
    store: Store,
    federation: Federation,
    genesis_model: Any,
    rng: Rng,
    training: TrainingParameters | None = None,
    plan: Plan | None = None,
    budgets: Sequence[Budget] = (),
) -> Consortium:
    """Deploy the contracts with every silo and three operators as members; each hospital stakes 100 tokens.

    A round needs three of them; the stake that selection asks for is what everybody staked.
    genesis_model: float weights; with `training`, whose rounds are verified, integers. Then the operators stake too, since a
    validator answers for its beacon secrets, and every hospital registers its rows.
    plan, budgets: of private rounds, `private.plan` and `private.open_budgets`; each hospital fixes its budget on chain.
    Raises ValueError for fewer than three silos, or fewer funded keys than members.
    """
    if len(federation.silos) < MIN_HOSPITALS:
        raise ValueError(
            f"a round needs {MIN_HOSPITALS} hospitals, {federation.name} has {len(federation.silos)} silos"
        )
    names = [silo.name for silo in federation.silos] + [f"operator {i + 1}" for i in range(OPERATORS)]
    if len(node.accounts) < len(names):
        raise ValueError(f"{len(names)} members need a key each, the node has {len(node.accounts)}")
    if plan is not None and len(budgets) != len(federation.silos):
        raise ValueError(
            f"expected a budget for each of {len(federation.silos)} hospitals, got {len(budgets)}"
        )
    repeatable = node.kind == "embedded" and plan is None

    def member(index: int, name: str, account: LocalAccount) -> Member:
        if index >= len(federation.silos):
            return (Member if training is None else VerifiedMember)(name, account, None, rng)
        silo, budget = federation.silos[index], budgets[index] if plan else None
        if training is not None:
            rows, seed = commit_rows(silo.x_train, silo.y_train, rng), random_base(DIGEST, rng)
            return VerifiedMember(name, account, silo, rng, rows, seed, repeatable, budget=budget)
        if plan is not None and plan.config is not None:
            return DpsgdMember(name, account, silo, rng, plan.config, plan.multipliers[index], budget=budget)
        return Member(name, account, silo, rng, budget=budget)

    members = tuple(member(i, *each) for i, each in enumerate(zip(names, node.accounts, strict=False)))
    roles: dict[str, Role] = {}
    for index, one in enumerate(members):
        aggregates = one.silo is None or index < AGGREGATING_HOSPITALS
        role = Role.VALIDATOR | (Role.AGGREGATOR if aggregates else Role(0))
        roles[one.account.address] = role | (Role.HOSPITAL if one.silo is not None else Role(0))
    genesis = Genesis(
        members=roles,
        balances=dict.fromkeys(roles, BALANCE),
        model=(INTEGERS if training else FLOATS).put(store, genesis_model, 0),
        parameters=RoundParameters(STAKE, MIN_HOSPITALS, verified=training is not None),
        training=training,
        unlock_delay=UNLOCK_DELAY if training else Genesis.unlock_delay,
    )
    verifiers: list[str | None] = [None, None]
    if training:
        name = {1: "TrainingEvaluator", 2: "WideTrainingEvaluator"}[training.halves]
        made, deployer = training_setup(training.halves), members[0].account
        contract = deploy_verifier(node, made, generated_evaluators()[name], deployer)
        verifiers[training.halves - 1] = contract.address
    system = deploy(node, genesis, members[0].account, verifiers)
    for one in members:
        if one.silo is not None or training:
            system.token.approve(system.vault.address, STAKE, sender=one.account)
            system.vault.lock(STAKE, sender=one.account)
        if isinstance(one, VerifiedMember):
            system.beacon.publish_key(public_key(encryption_key(one)), sender=one.account)
            if one.rows is not None:
                register(system, store, one)
        if (budget := one.budget) is not None:
            delta = round(budget.ledger.delta * 10**18)
            system.privacy.fix_budget(budget.ledger.budget_micro, delta, sender=one.account)
    return Consortium(system, members)


def training_parameters(
    features: int, hyper: Hyper, audit_rate: float, penalty: int = STAKE
) -> TrainingParameters:
    """What a verified federation of the default cast begins with. audit_rate: share of the steps that is audited, 0 to 1.

    A failed audit costs the whole stake, of which a tenth goes to who closes the audits; a beacon secret kept back a tenth.
    """
    if not 0 <= audit_rate <= 1:
        raise ValueError(f"audit rate: expected 0 to 1, got {audit_rate}")
    rate = round(10_000 * audit_rate)
    shares = penalty, penalty // 10, STAKE // 10
    return TrainingParameters(
        halves_of(features), hyper.epochs, hyper.rate, hyper.clip, hyper.noise, rate, *shares
    )
