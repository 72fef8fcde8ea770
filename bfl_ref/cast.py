"""Who plays: the hospitals of a data set and three operators, deployed, funded and staked on a chain.

The default cast of docs/threat-model.md: every member validates; the three operators and the first two hospitals aggregate.
"""

from dataclasses import dataclass

from .chain.contracts import Genesis, System, deploy
from .chain.node import Node
from .chain.records import Role, RoundParameters
from .data import Federation
from .learning import Weights
from .protocol import Member, Rng, put_model
from .store import Store

TOKEN = 10**18  # smallest units in one token
BALANCE = 1_000 * TOKEN
STAKE = 100 * TOKEN
OPERATORS = 3
AGGREGATING_HOSPITALS = 2
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
    node: Node, store: Store, federation: Federation, genesis_model: Weights, rng: Rng
) -> Consortium:
    """Deploy the contracts with every silo and three operators as members; each hospital stakes 100 tokens.

    A round needs three of them; the stake that selection asks for is what everybody staked.
    Raises ValueError for fewer than three silos, or fewer funded keys than members.
    """
    if len(federation.silos) < MIN_HOSPITALS:
        raise ValueError(
            f"a round needs {MIN_HOSPITALS} hospitals, {federation.name} has {len(federation.silos)} silos"
        )
    names = [silo.name for silo in federation.silos] + [f"operator {i + 1}" for i in range(OPERATORS)]
    if len(node.accounts) < len(names):
        raise ValueError(f"{len(names)} members need a key each, the node has {len(node.accounts)}")
    silos = [*federation.silos, *[None] * OPERATORS]
    members = tuple(
        Member(name, account, silo, rng)
        for name, account, silo in zip(names, node.accounts, silos, strict=False)
    )
    roles: dict[str, Role] = {}
    for index, member in enumerate(members):
        aggregates = member.silo is None or index < AGGREGATING_HOSPITALS
        role = Role.VALIDATOR | (Role.AGGREGATOR if aggregates else Role(0))
        roles[member.account.address] = role | (Role.HOSPITAL if member.silo is not None else Role(0))
    genesis = Genesis(
        members=roles,
        balances=dict.fromkeys(roles, BALANCE),
        model=put_model(store, genesis_model, round_id=0),
        parameters=RoundParameters(min_stake=STAKE, min_hospitals=MIN_HOSPITALS),
    )
    system = deploy(node, genesis, members[0].account)
    for member in members:
        if member.silo is not None:
            system.token.approve(system.vault.address, STAKE, sender=member.account)
            system.vault.lock(STAKE, sender=member.account)
    return Consortium(system, members)
