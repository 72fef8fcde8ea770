"""The governance contracts with relays for members, and whole histories run on them in one call."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils import keccak
from eth_utils.abi import function_abi_to_4byte_selector, get_abi_input_types, get_abi_output_types

from bfl_ref.chain.compile import compile_contracts, system_sources
from bfl_ref.chain.node import GAS_LIMIT, Node
from bfl_ref.chain.records import Content, Role, SharingParameters, TrainingParameters
from bfl_ref.chain.transactions import transact
from bfl_ref.governance.reputation import ReputationParameters
from bfl_ref.governance.rewards import RewardParameters
from bfl_ref.governance.selection import SelectionParameters
from bfl_ref.governance.validators import ValidatorParameters
from bfl_ref.store import cid_of

ALL = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR
ROLES = (*[ALL] * 5, Role.HOSPITAL, Role.VALIDATOR, Role.AGGREGATOR)
BALANCE = 10_000
REWARDS = RewardParameters(400, 7)
NO_CONTRACT = "0x" + 40 * "0"


def content(name: str) -> Content:
    return Content(cid_of(name.encode()), keccak(name.encode()))


@dataclass(frozen=True)
class Stage:
    """contracts: by name, `Relay` among them, which holds the powers.  members: relays, with roles ROLES."""

    node: Node
    contracts: dict[str, Any]
    members: tuple[str, ...]
    reputation: ReputationParameters
    selection: SelectionParameters
    validators: ValidatorParameters
    signatures: dict[tuple[str, str], tuple[bytes, list[str], list[str]]] = field(default_factory=dict)

    def signature(self, contract: str, name: str) -> tuple[bytes, list[str], list[str]]:
        """(selector, types of the arguments, types of the answer) of a function."""
        key = contract, name
        if key not in self.signatures:
            abi = self.contracts[contract].get_function_by_name(name).abi
            selector = function_abi_to_4byte_selector(abi)
            self.signatures[key] = selector, get_abi_input_types(abi), get_abi_output_types(abi)
        return self.signatures[key]

    def errand(self, contract: str, name: str, *arguments: Any) -> tuple[str, bytes]:
        """(address, data) of a call. web3's own encoding takes ten times as long."""
        selector, types, _ = self.signature(contract, name)
        return self.contracts[contract].address, selector + encode(types, arguments)


def deploy_governance(
    node: Node,
    reputation: ReputationParameters,
    selection: SelectionParameters,
    validators: ValidatorParameters,
) -> Stage:
    artifacts = compile_contracts([*system_sources(), "test/Relay.sol", "test/StubVerifier.sol"])
    contracts: dict[str, Any] = {}

    def create(name: str, *arguments: Any) -> str:
        factory = node.web3.eth.contract(abi=artifacts[name].abi, bytecode=artifacts[name].bytecode)
        receipt = transact(node, factory.constructor(*arguments), node.accounts[0])
        address = str(receipt["contractAddress"])
        contracts[name] = node.web3.eth.contract(address, abi=artifacts[name].abi)  # type: ignore[call-overload]
        return address

    members = tuple(create("Relay") for _ in ROLES)
    relay = create("Relay")
    consortium = create("Consortium", members, [int(role) for role in ROLES], 100, 1)
    token = create("UtilityToken", consortium, members, [BALANCE] * len(members))
    vault = create("StakeVault", consortium, token, 100)
    registry = create("ModelRegistry", consortium, content("genesis").to_abi())
    data = create("DataRegistry", consortium, vault)
    beacon = create("Beacon", consortium, vault)
    stub = create("StubVerifier")
    training = TrainingParameters().to_abi()
    audits = create("Audits", consortium, vault, registry, data, beacon, [stub, NO_CONTRACT], training)
    sharing = SharingParameters().to_abi()
    none = [NO_CONTRACT] * 2
    committee = create("Committee", consortium, vault, data, audits, beacon, none, none, sharing)
    standings = create("Reputation", consortium, astuple(reputation))
    lottery = create("Selection", consortium, vault, standings, audits, astuple(selection))
    judges = create("Validators", consortium, vault, standings, astuple(validators))
    create("Contributions", consortium, committee, judges)
    pay = create("Rewards", consortium, token, astuple(REWARDS))
    powers = [("SYSTEM", held) for held in (token, vault, pay)]
    powers += [("EVIDENCE", relay), ("EVIDENCE", lottery), ("ROUNDS", relay), ("PAYER", relay)]
    granted = [(keccak(text=f"{power}_ROLE"), holder) for power, holder in powers]
    transact(node, contracts["Consortium"].functions.seal(granted), node.accounts[0])
    return Stage(node, contracts, members, reputation, selection, validators)


@dataclass
class Script:
    """Calls to be made one after the other, and what the twin expects of their answers (None: nothing)."""

    stage: Stage
    errands: list[tuple[str, bytes]] = field(default_factory=list)
    expected: list[tuple[str, Any]] = field(default_factory=list)

    def call(self, contract: str, name: str, *arguments: Any, expect: Any = None) -> None:
        self.errands.append(self.stage.errand(contract, name, *arguments))
        self.expected.append((f"{contract}.{name}", expect))

    def call_as(self, member: int, contract: str, name: str, *arguments: Any) -> None:
        """A call that the member makes."""
        _, forwarded = self.stage.errand("Relay", "forward", [self.stage.errand(contract, name, *arguments)])
        self.errands.append((self.stage.members[member], forwarded))
        self.expected.append((f"{contract}.{name}", None))

    def answers(self) -> list[Any]:
        """Run on the chain as it stands, which is left as it was. One value for each call, a tuple for several."""
        stage = self.stage
        relay, data = stage.errand("Relay", "forward", self.errands)
        call = {"from": stage.node.accounts[0].address, "to": relay, "data": data, "gas": GAS_LIMIT}
        (raw,) = decode(["bytes[]"], stage.node.web3.eth.call(call))
        found = []
        for (name, expect), data in zip(self.expected, raw, strict=True):
            if expect is None:
                found.append(None)
                continue
            values = decode(stage.signature(*name.split("."))[2], data)
            found.append(values[0] if len(values) == 1 else values)
        return found

    def check(self) -> None:
        """Every answer is what the twin expected."""
        for step, (answer, (name, expect)) in enumerate(zip(self.answers(), self.expected, strict=True)):
            assert expect is None or answer == expect, (
                f"call {step}, {name}: contract {answer}, twin {expect}"
            )


def checksummed(stage: Stage, places: Sequence[int]) -> tuple[str, ...]:
    """Addresses as the decoder gives them."""
    return tuple(stage.members[i].lower() for i in places)
