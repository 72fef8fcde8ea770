"""The deployed system: its contracts wired once, found again by a deployment file, its history read from the chain alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from web3.exceptions import ContractLogicError

from ..consent.registry import ConsentRegistry
from ..governance.reputation import ReputationParameters
from ..governance.rewards import RewardParameters
from ..governance.selection import SelectionParameters
from ..governance.validators import ValidatorParameters
from ..store import canonical_json
from .clients import ModelRegistry, RoundManager, StakeVault, UtilityToken
from .committee import Committee
from .compile import Artifact, compile_contracts, system_sources
from .consortium import Consortium
from .events import CandidateSubmitted, Event
from .governance import Contributions, Reputation, Rewards, Selection, Settlement, Validators
from .node import Node, WrongChain
from .records import Content, Role, RoundParameters, SharingParameters, TrainingParameters
from .rollup import Rollup, RollupParameters
from .transactions import BLOCKS_A_QUERY, Client, named, transact
from .verified import Audits, Beacon, DataRegistry, PrivacyLedger

(
    SYSTEM_ROLE,
    FREEZER_ROLE,
    SLASHER_ROLE,
    MODEL_WRITER_ROLE,
    ROUNDS_ROLE,
    EVIDENCE_ROLE,
    PAYER_ROLE,
    PUSHER_ROLE,
) = (
    keccak(text=f"{power}_ROLE")
    for power in ("SYSTEM", "FREEZER", "SLASHER", "MODEL_WRITER", "ROUNDS", "EVIDENCE", "PAYER", "PUSHER")
)
CLIENTS: dict[str, type[Client]] = {
    kind.__name__: kind
    for kind in (
        Consortium,
        UtilityToken,
        StakeVault,
        ModelRegistry,
        DataRegistry,
        Beacon,
        Audits,
        Committee,
        Reputation,
        Selection,
        Validators,
        Contributions,
        Rewards,
        Rollup,
        Settlement,
        RoundManager,
        PrivacyLedger,
        ConsentRegistry,
    )
}
NO_CONTRACT = "0x" + 40 * "0"


class NoSuchDeployment(ValueError):
    """The deployment file does not fit the chain or the sources: the message names what was expected and what was found."""


@dataclass(frozen=True)
class Economy:
    """The parameters of reputation, lottery, validators and rewards. By default nothing is paid and nothing slashed."""

    reputation: ReputationParameters = field(default_factory=ReputationParameters)
    selection: SelectionParameters = field(default_factory=SelectionParameters)
    validators: ValidatorParameters = field(default_factory=lambda: ValidatorParameters(penalty=0, fee=0))
    rewards: RewardParameters = field(default_factory=lambda: RewardParameters(0, 0))


@dataclass(frozen=True)
class Genesis:
    """What the system starts from.

    members: address -> roles.  balances: address -> tokens, smallest unit; their sum is the supply.  model: the model of
    round 0.  voting_period, delay (of a call that was voted for), unlock_delay: blocks.  training: of verified rounds;
    sharing: of shared ones; None: defaults, which other rounds never use.  economy: what reputation, lottery, validators and
    rewards begin with.  rollup: what rounds settle through; None: they settle at once, and the rollup stands idle.
    """

    members: Mapping[str, Role]
    balances: Mapping[str, int]
    model: Content
    parameters: RoundParameters
    voting_period: int = 100
    delay: int = 2
    unlock_delay: int = 100
    training: TrainingParameters | None = None
    sharing: SharingParameters | None = None
    economy: Economy = field(default_factory=Economy)
    rollup: RollupParameters | None = None


@dataclass(frozen=True)
class Deployment:
    """Where a system stands. block: the first that can hold its events. code_digest: of all creation code, hex."""

    chain_id: int
    block: int
    code_digest: str
    addresses: dict[str, str]


class System:
    """The contracts of one deployment: `consortium`, `token`, `vault`, `registry`, `data`, `beacon`, `audits`, `committee`,
    `reputation`, `selection`, `validators`, `contributions`, `rewards`, `rollup`, `settlement`, `rounds`, `privacy`,
    `consents`.

    gas: "Contract.function" -> gas used, one entry a transaction sent through this object.
    """

    def __init__(self, node: Node, deployment: Deployment):
        """Connects to an existing deployment. Raises WrongChain, or NoSuchDeployment for other sources or missing code."""
        artifacts = compile_contracts(system_sources())
        if (got := node.web3.eth.chain_id) != deployment.chain_id:
            raise WrongChain(deployment.chain_id, got, node.kind)
        if (digest := code_digest(artifacts)) != deployment.code_digest:
            raise NoSuchDeployment(
                f"expected code digest {deployment.code_digest}, the sources here give {digest}"
            )
        if deployment.addresses.keys() != CLIENTS.keys():
            raise NoSuchDeployment(
                f"expected addresses of {sorted(CLIENTS)}, got {sorted(deployment.addresses)}"
            )
        self.node, self.deployment = node, deployment
        self.gas: dict[str, list[int]] = {}
        self._events: list[Event] = []
        self._next_block = deployment.block
        abis = [artifact.abi for artifact in artifacts.values()]
        clients: dict[str, Any] = {}
        for name, kind in CLIENTS.items():
            address, artifact = deployment.addresses[name], artifacts[name]
            if (size := len(node.web3.eth.get_code(address))) != artifact.runtime_bytes:  # type: ignore[arg-type]
                raise NoSuchDeployment(
                    f"expected {artifact.runtime_bytes} bytes of {name} at {address}, found {size} bytes of code"
                )
            contract = node.web3.eth.contract(address, abi=artifact.abi, decode_tuples=True)  # type: ignore[call-overload]
            clients[name] = kind(node, contract, abis, self.gas)
        self.consortium: Consortium = clients["Consortium"]
        self.token: UtilityToken = clients["UtilityToken"]
        self.vault: StakeVault = clients["StakeVault"]
        self.registry: ModelRegistry = clients["ModelRegistry"]
        self.data: DataRegistry = clients["DataRegistry"]
        self.beacon: Beacon = clients["Beacon"]
        self.audits: Audits = clients["Audits"]
        self.committee: Committee = clients["Committee"]
        self.reputation: Reputation = clients["Reputation"]
        self.selection: Selection = clients["Selection"]
        self.validators: Validators = clients["Validators"]
        self.contributions: Contributions = clients["Contributions"]
        self.rewards: Rewards = clients["Rewards"]
        self.rollup: Rollup = clients["Rollup"]
        self.settlement: Settlement = clients["Settlement"]
        self.rounds: RoundManager = clients["RoundManager"]
        self.privacy: PrivacyLedger = clients["PrivacyLedger"]
        self.consents: ConsentRegistry = clients["ConsentRegistry"]

    def head(self) -> str:
        """Hash of the chain's last block (0x...): it fixes everything before it."""
        return self.node.web3.eth.get_block("latest")["hash"].to_0x_hex()

    def save(self, path: Path) -> None:
        """The deployment file, for `connect`."""
        path.write_text(json.dumps(asdict(self.deployment), indent=1) + "\n")

    def events(self) -> list[Event]:
        """Every event of the deployment so far, in order, from the chain alone.

        Blocks read before are not asked for again: a permissioned chain with final blocks takes none back.
        """
        eth = self.node.web3.eth
        clients = {client.address: client for client in self.clients()}
        end = eth.block_number
        logs: list[Any] = []
        for block in range(self._next_block, end + 1, BLOCKS_A_QUERY):
            logs += eth.get_logs(
                {
                    "fromBlock": block,
                    "toBlock": min(block + BLOCKS_A_QUERY - 1, end),
                    "address": list(clients),
                }
            )
        logs.sort(key=lambda log: (log["blockNumber"], log["logIndex"]))
        self._events += [event for log in logs for event in clients[log["address"]].events([log])]
        self._next_block = end + 1
        return list(self._events)

    def clients(self) -> tuple[Client, ...]:
        tokens = (self.token, self.vault)
        training = (self.data, self.beacon, self.audits, self.committee, self.rounds)
        economy = (self.reputation, self.selection, self.validators, self.contributions, self.rewards)
        patients = (self.privacy, self.consents)
        settling = (self.rollup, self.settlement)
        return self.consortium, *tokens, self.registry, *training, *economy, *settling, *patients

    def holders(self, role: Role) -> tuple[str, ...]:
        """Members that hold a role now."""
        return self.consortium.holding(role)

    def candidates(self, round_id: int) -> tuple[Content, ...]:
        """The models that aggregators submitted in a round, in order, each once."""
        submitted = (e for e in self.events() if isinstance(e, CandidateSubmitted) and e.round_id == round_id)
        return tuple(dict.fromkeys(event.content for event in submitted))


def deploy(
    node: Node,
    genesis: Genesis,
    deployer: LocalAccount,
    verifiers: Sequence[str | None] = (None, None),
    releases: Sequence[str | None] = (None, None),
    sums: Sequence[str | None] = (None, None),
    batches: str | None = None,
) -> System:
    """Deploys and wires everything; afterwards the deployer has no power. The order is that of IConsortium's NatSpec.

    verifiers: addresses of the verifiers of segment proofs over rows of one half and of two (None: there is none, and no
    verified round over such rows can be opened). releases: of release proofs, for the seats and threshold of
    `genesis.sharing`; sums: of proofs of sums (None in one of them: no shared round). batches: of the rollup's, where rounds
    settle through it. ValueError for another number of any, or batches without their verifier.
    """
    for given in (verifiers, releases, sums):
        if len(given) != 2:
            raise ValueError(f"expected verifiers for one and for two halves, got {len(given)}")
    if (genesis.rollup is None) != (batches is None):
        raise ValueError(f"expected a verifier of batches if rounds settle through a rollup, got {batches}")
    artifacts = compile_contracts(system_sources())
    block = node.web3.eth.block_number + 1
    addresses: dict[str, str] = {}
    gas: dict[str, list[int]] = {}

    def create(name: str, *arguments: Any) -> str:
        factory = node.web3.eth.contract(abi=artifacts[name].abi, bytecode=artifacts[name].bytecode)
        try:
            receipt = transact(node, factory.constructor(*arguments), deployer)
        except ContractLogicError as error:
            raise named(error, [artifact.abi for artifact in artifacts.values()]) from None
        gas[f"{name}.constructor"] = [receipt["gasUsed"]]
        addresses[name] = str(receipt["contractAddress"])
        return addresses[name]

    members, balances, parameters = genesis.members, genesis.balances, genesis.parameters
    roles = [int(role) for role in members.values()]
    consortium = create("Consortium", list(members), roles, genesis.voting_period, genesis.delay)
    token = create("UtilityToken", consortium, list(balances), list(balances.values()))
    vault = create("StakeVault", consortium, token, genesis.unlock_delay)
    registry = create("ModelRegistry", consortium, genesis.model.to_abi())
    data = create("DataRegistry", consortium, vault)
    beacon = create("Beacon", consortium, vault)
    proofs = [address or NO_CONTRACT for address in verifiers]
    training = (genesis.training or TrainingParameters()).to_abi()
    audits = create("Audits", consortium, vault, registry, data, beacon, proofs, training)
    shared = [[address or NO_CONTRACT for address in given] for given in (releases, sums)]
    sharing = (genesis.sharing or SharingParameters()).to_abi()
    committee = create("Committee", consortium, vault, data, audits, beacon, *shared, sharing)
    economy = genesis.economy
    reputation = create("Reputation", consortium, astuple(economy.reputation))
    lottery = astuple(economy.selection)
    selection = create("Selection", consortium, vault, reputation, audits, lottery)
    validators = create("Validators", consortium, vault, reputation, astuple(economy.validators))
    contributions = create("Contributions", consortium, committee, validators)
    rewards = create("Rewards", consortium, token, astuple(economy.rewards))
    rules = astuple(genesis.rollup or RollupParameters())
    rollup = create("Rollup", consortium, token, batches or NO_CONTRACT, rewards, rules)
    watched = (selection, validators, audits, beacon, committee, rollup if batches else NO_CONTRACT)
    settlement = create("Settlement", consortium, reputation, rewards, contributions, *watched)
    told = (selection, validators, contributions, settlement)
    parts = (vault, registry, beacon, audits, committee, *told)
    rounds = create("RoundManager", consortium, parts, parameters.to_abi())
    create("PrivacyLedger", consortium)
    create("ConsentRegistry", consortium)
    system = System(node, Deployment(node.web3.eth.chain_id, block, code_digest(artifacts), addresses))
    system.gas.update(gas)
    holders = [token, vault, registry, data, beacon, audits, committee, rounds]
    holders += [reputation, selection, validators, contributions, rewards, rollup, settlement]
    powers = [(SYSTEM_ROLE, holder) for holder in holders]
    powers += [(power, rounds) for power in (FREEZER_ROLE, MODEL_WRITER_ROLE, ROUNDS_ROLE)]
    powers += [(SLASHER_ROLE, slasher) for slasher in (beacon, audits, committee, validators)]
    powers += [(EVIDENCE_ROLE, witness) for witness in (selection, validators, settlement)]
    powers += [(PAYER_ROLE, settlement)] + [
        (PUSHER_ROLE, pusher) for pusher in (settlement, rewards) if batches
    ]
    system.consortium.seal(powers, sender=deployer)
    return system


def connect(node: Node, path: Path) -> System:
    """The system that a deployment file names. Raises ValueError for another file, WrongChain, NoSuchDeployment."""
    try:
        deployment = Deployment(**json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected a deployment file at {path}: {error}") from error
    return System(node, deployment)


def code_digest(artifacts: Mapping[str, Artifact]) -> str:
    """SHA-256 over the creation code of the system's contracts, which ends in a digest of their sources."""
    return sha256(canonical_json({name: artifacts[name].bytecode for name in CLIENTS})).hexdigest()
