"""Who plays: the hospitals of a data set and three operators, deployed, funded and staked on a chain.

The default cast of docs/threat-model.md: every member validates; the three operators and the first two hospitals aggregate.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from eth_account.signers.local import LocalAccount

from .aggregation import FLOATS
from .chain.contracts import Economy, Genesis, System, deploy
from .chain.node import Node
from .chain.records import Role, RoundParameters, SharingParameters, TrainingParameters
from .chain.rollup import RollupParameters
from .chain.stark import deploy_verifier, evaluator_of, generated_evaluators
from .custody import Custody
from .data import Federation
from .fixed_point import Hyper, commit_rows, halves_of
from .governance.reputation import LARGE, ReputationParameters
from .governance.rewards import TOKEN, RewardParameters
from .governance.selection import SelectionParameters
from .governance.simulation import World
from .governance.validators import ValidatorParameters
from .integers import INTEGERS
from .layer2 import room
from .member import Member, Rng
from .patients import Agreement, take_in
from .privacy.ledger import Budget
from .private import DpsgdMember, Plan
from .protocol import SHARED_DURATIONS
from .sealing import public_key
from .shared import Keep, SharedMember, keep_here
from .stark.field import random_base
from .stark.solidity.statements import release_setup, rollup_setup, sum_setup, training_setup
from .statements.poseidon2 import DIGEST
from .store import Store
from .verified import VerifiedMember, encryption_key, register

BALANCE = 1_000 * TOKEN
STAKE = 100 * TOKEN
FUND = 200 * TOKEN  # what each member pays into the pot of rewards
SEATS = 10  # hospitals selected for a round
VALIDATORS = 5  # drawn for a round
MANY, TWO_GROUPS = (
    12,
    6,
)  # hospitals of a federation, of a round: from which group sums tell good ones from bad
OPERATORS = 3
AGGREGATING_HOSPITALS = 2
# no shorter than a verified round, so that what a validator answers for cannot be withdrawn before its secrets are settled
UNLOCK_DELAY = sum(SHARED_DURATIONS)  # blocks
MAX_BUCKET = 10  # of an update's norm: below 2^10 units of 2^-6
MIN_HOSPITALS = 3  # the contract's own minimum: with two, each could subtract itself from the average


@dataclass(frozen=True)
class Consortium:
    """A deployed system and its members, hospitals first (in silo order), then operators. custodies: of patients."""

    system: System
    members: tuple[Member, ...]
    custodies: tuple[Custody, ...] = ()

    def having(self, custodies: Sequence[Custody]) -> "Consortium":
        """With hospitals whose rows have changed."""
        others = {each.member.account.address: each.member for each in custodies}
        members = tuple(others.get(member.account.address, member) for member in self.members)
        return Consortium(self.system, members, tuple(custodies))

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
    sharing: SharingParameters | None = None,
    keep: Keep = keep_here,
    economy: Economy | None = None,
    agreement: Agreement | None = None,
    layer2: bool = False,
) -> Consortium:
    """Deploy the contracts with every silo and three operators as members; each stakes 100 tokens and pays 200 into the pot.

    A round needs three of them; the stake that selection asks for is what everybody staked.
    genesis_model: float weights; with `training`, whose rounds are verified, integers; then hospitals register their rows.
    plan, budgets: of private rounds, `private.plan` and `private.open_budgets`; each hospital fixes its budget on chain.
    economy: None: `economy_parameters()`.
    agreement: of verified rounds whose patients are asked: hospitals register rows under consent only.
    sharing: of shared rounds, which are verified too.   keep: how an aggregator with this X25519 key keeps shares.
    layer2: rounds settle through the rollup, which is there for a `Layer2` to run.
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

    def aggregates(index: int) -> bool:
        return index < AGGREGATING_HOSPITALS or index >= len(federation.silos)

    def member(index: int, name: str, account: LocalAccount) -> Member:
        silo = federation.silos[index] if index < len(federation.silos) else None
        budget = budgets[index] if plan and silo else None
        if training is not None:
            rows = commit_rows(silo.x_train, silo.y_train, rng) if silo else None
            seed = random_base(DIGEST, rng) if silo else None
            own = name, account, silo, rng, rows, seed, repeatable
            if sharing is None:
                return VerifiedMember(*own, budget=budget)
            keeper, mailbox = keep(encryption_key(account)) if aggregates(index) else (None, None)
            return SharedMember(*own, budget=budget, keeper=keeper, mailbox=mailbox)
        if silo is None:
            return Member(name, account, None, rng)
        if plan is not None and plan.config is not None:
            return DpsgdMember(name, account, silo, rng, plan.config, plan.multipliers[index], budget=budget)
        return Member(name, account, silo, rng, budget=budget)

    members = tuple(member(i, *each) for i, each in enumerate(zip(names, node.accounts, strict=False)))
    roles: dict[str, Role] = {}
    for index, one in enumerate(members):
        role = Role.VALIDATOR | (Role.AGGREGATOR if aggregates(index) else Role(0))
        roles[one.account.address] = role | (Role.HOSPITAL if one.silo is not None else Role(0))
    genesis = Genesis(
        members=roles,
        balances=dict.fromkeys(roles, BALANCE),
        model=(INTEGERS if training else FLOATS).put(store, genesis_model, 0),
        parameters=RoundParameters(STAKE, MIN_HOSPITALS, training is not None, sharing is not None),
        training=training,
        sharing=sharing,
        unlock_delay=UNLOCK_DELAY if training else Genesis.unlock_delay,
        economy=economy or economy_parameters(),
        rollup=rollup_parameters(len(members)) if layer2 else None,
    )
    verifiers: list[str | None] = [None, None]
    releases: list[str | None] = [None, None]
    sums: list[str | None] = [None, None]
    deployer = members[0].account
    if training:
        name = {1: "TrainingEvaluator", 2: "WideTrainingEvaluator"}[training.halves]
        contract = deploy_verifier(
            node, training_setup(training.halves), generated_evaluators()[name], deployer
        )
        verifiers[training.halves - 1] = contract.address
    if training and sharing:
        made = release_setup(training.halves, sharing.aggregators, sharing.threshold)
        contract = deploy_verifier(node, made, evaluator_of(made), deployer)
        releases[training.halves - 1] = contract.address
        name = {1: "SumEvaluator", 2: "WideSumEvaluator"}[training.halves]
        contract = deploy_verifier(node, sum_setup(training.halves), generated_evaluators()[name], deployer)
        sums[training.halves - 1] = contract.address
    batches = None
    if layer2:
        made = rollup_setup(room(len(members)).accounts)
        batches = deploy_verifier(node, made, evaluator_of(made), deployer).address
    system = deploy(node, genesis, deployer, verifiers, releases, sums, batches)
    custodies: list[Custody] = []
    for one in members:
        system.token.approve(system.vault.address, STAKE, sender=one.account)
        system.vault.lock(STAKE, sender=one.account)
        if sharing:
            system.token.approve(system.rewards.address, FUND, sender=one.account)
            system.rewards.fund(FUND, sender=one.account)
        if isinstance(one, VerifiedMember):
            system.beacon.publish_key(public_key(encryption_key(one.account)), sender=one.account)
            if one.rows is not None and agreement is not None:
                custodies.append(take_in(system, store, one, federation.feature_names, agreement))
                one = custodies[-1].member
            if one.rows is not None:
                register(system, store, one)
        if (budget := one.budget) is not None:
            delta = round(budget.ledger.delta * 10**18)
            system.privacy.fix_budget(budget.ledger.budget_micro, delta, sender=one.account)
    return Consortium(system, members).having(custodies)


def economy_parameters(seats: int = SEATS, validators: int = VALIDATORS, hospitals: int = 0) -> Economy:
    """What reputation, lottery, validators and rewards of the default cast begin with: each round pays 40 tokens to its
    hospitals and 1 for each service; voting for two models costs half a stake.

    seats: hospitals that a lottery selects for a verified round.   validators: drawn for a round, at least 3.
    hospitals: of the federation; from 12 on, with seats for two groups of three, the strict parameters of reputation, by
    which all kinds of cheats lose (governance.simulation); among fewer, the honest are with the same cheats again and again.
    """
    large = hospitals >= MANY and seats >= TWO_GROUPS
    lottery = SelectionParameters(seats=seats)
    return Economy(
        reputation=LARGE if large else ReputationParameters(),
        selection=replace(lottery, patience=World.selection.patience) if large else lottery,
        validators=ValidatorParameters(seats=validators, penalty=STAKE // 2, fee=STAKE // 20),
        rewards=RewardParameters(40 * TOKEN, TOKEN),
    )


def sharing_parameters(aggregators: int = 5, threshold: int = 3) -> SharingParameters:
    """What a shared federation of the default cast begins with.  Norms up to 16; a sum that is not proven in time costs a
    tenth of a stake.

    Who has less than that left is not seated: its seat is vacant, which is as if it were silent.

    ValueError for more aggregators than the cast has, or another threshold than 2 to aggregators.
    """
    most = OPERATORS + AGGREGATING_HOSPITALS
    if not 2 <= aggregators <= most:
        raise ValueError(f"aggregators: expected 2 to {most}, got {aggregators}")
    if not 2 <= threshold <= aggregators:
        raise ValueError(f"threshold: expected 2 to {aggregators} (aggregators), got {threshold}")
    return SharingParameters(aggregators, threshold, MAX_BUCKET, STAKE // 10)


def rollup_parameters(members: int) -> RollupParameters:
    """What the rollup of the default cast begins with: turns as short as a phase, a wait longer than any round, no more
    accounts than a batch has room for. A sequencer's bond is a stake, half of it for who ends a rollup that it let down.
    """
    entries, accounts = astuple(room(members))
    force = 4 * UNLOCK_DELAY
    return RollupParameters(10, force, 10, entries, accounts, bond=STAKE, fee=STAKE // 2)


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
