"""A federation whose rounds are shared, by real contracts but for stub verifiers, taken back to its start for each test."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from eth_abi import encode
from eth_utils import keccak

from bfl_ref import cast, data
from bfl_ref.attacks import turned
from bfl_ref.cast import assemble, economy_parameters, sharing_parameters, training_parameters
from bfl_ref.chain.compile import compile_contracts
from bfl_ref.chain.contracts import Deployment, System
from bfl_ref.chain.events import Event, SumDecoded
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import Content
from bfl_ref.chain.stark import deploy_verifier
from bfl_ref.chain.transactions import transact
from bfl_ref.custody import Custody
from bfl_ref.data import Federation
from bfl_ref.fixed_point import Hyper, initial_weights
from bfl_ref.integers import INTEGERS
from bfl_ref.layer2 import Layer2
from bfl_ref.learning import TrainConfig
from bfl_ref.member import Member, Round
from bfl_ref.patients import Agreement
from bfl_ref.protocol import Outcome, play_round, put_task
from bfl_ref.proving import BatchTask, Task, _laid_out, prove_step
from bfl_ref.shared import SharedMember, groups
from bfl_ref.sharing import combine, signed
from bfl_ref.stark.field import from_bytes
from bfl_ref.statements.rollup import Rollup
from bfl_ref.store import FolderStore

HYPER = Hyper(1, 768, 16, 0)


def stub_proof(task: Task) -> bytes | None:
    """What StubVerifier takes for a proof: the hash of domain and public inputs. None where there is no trace.

    Of a rollup's batch, whose verifier is a real one: a proof.
    """
    if isinstance(task, BatchTask):
        return prove_step(task)
    try:
        laid_out = _laid_out(task)
    except ValueError:
        return None
    _, _, public, _ = laid_out  # outside: unpacking raises ValueError too
    chain_id, contract, round_id, prover = task.domain.words()
    words = (chain_id, _address(contract), round_id, _address(prover))
    types = ["(uint256,address,uint256,address)", "uint256[]"]
    return encode(["bytes32"], [keccak(encode(types, [words, public.tolist()]))])


def stub_prover(tasks: Sequence[Task]) -> Iterator[bytes | None]:
    return map(stub_proof, tasks)


class Stage(NamedTuple):
    """A federation before a round; hospitals come first among the members. custodies: if patients were asked.

    layer2: what its rounds settle through, if it was deployed to; for the caller to open.
    """

    system: System
    store: FolderStore
    members: tuple[SharedMember, ...]
    task: Content
    custodies: tuple[Custody, ...] = ()
    layer2: Layer2 | None = None

    @property
    def hospitals(self) -> tuple[SharedMember, ...]:
        return tuple(m for m in self.members if m.rows is not None)

    @property
    def aggregators(self) -> tuple[SharedMember, ...]:
        return tuple(m for m in self.members if m.keeper is not None)

    def play(self, *parts: Member) -> Outcome:
        """One round; a member of `parts` takes the part of the member with the same key."""
        others = {member.account.address: member for member in parts}
        members = [others.get(m.account.address, m) for m in self.members]
        return play_round(
            self.system, self.store, members, self.task, TrainConfig(), stub_prover, self.layer2
        )

    def told(self, kind: type[Event], round_id: int | None = None) -> list[Any]:
        events = [e for e in self.system.events() if isinstance(e, kind)]
        return [e for e in events if round_id is None or e.round_id == round_id]

    def stakes(self) -> dict[str, int]:
        return {m.account.address: self.system.vault.stake_of(m.account.address).active for m in self.members}

    def plain_sum(self, round_id: int, hospitals: Sequence[str]) -> np.ndarray:
        """sum_i a_i u_i of what these hospitals trained, which nobody but they themselves knows."""
        own = {m.account.address: m.sharings[round_id][0] for m in self.hospitals if round_id in m.sharings}
        return np.sum([own[h].weight * own[h].update for h in hospitals], axis=0)

    def check_sums(self, outcome: Outcome, before: Content) -> None:
        """Every decoded total is the sum of plain updates, group by group, and the model is what follows."""
        round_id = outcome.round_id
        round_ = Round(self.system, self.store, round_id, None)
        decoded = self.told(SumDecoded, round_id)
        whole = 0
        for said, hospitals in zip(sorted(decoded, key=lambda e: e.group), groups(round_), strict=True):
            expected = self.plain_sum(round_id, hospitals)
            assert (signed(from_bytes(said.total)) == expected).all()
            whole = whole + expected
        _, weights = self.system.committee.groups_of(round_id)
        model = combine(INTEGERS.load(self.store, before), whole, sum(weights))
        model = np.clip(model, -(2**19), 2**19 - 1)
        assert outcome.model == INTEGERS.content(model, round_id)


class Played(NamedTuple):
    """What a module opens once."""

    node: Node
    deployment: Deployment
    stage: Stage
    snapshot: int

    def again(self, folder: Path) -> Stage:
        """The chain as it was, a client without memory, a copy of the store."""
        self.node.web3.provider.make_request("evm_revert", [self.snapshot])
        copy = shutil.copytree(self.stage.store.folder, folder / "store")
        return self.stage._replace(system=System(self.node, self.deployment), store=FolderStore(copy))


@contextmanager
def opened(
    folder: Path,
    federation: Federation | None = None,
    audit_rate: float = 0.0,
    hyper: Hyper = HYPER,
    agreement: Agreement | None = None,
    layer2: bool = False,
) -> Iterator[Played]:
    """wdbc's four hospitals (or a federation's) and three operators, nothing played yet. layer2: see `assemble`."""
    federation = federation or data.load("wdbc", seed=0)
    features = len(federation.feature_names)
    training = training_parameters(features, hyper, audit_rate)
    with open_chain("embedded", accounts=len(federation.silos) + cast.OPERATORS, seed=0) as node:
        store = FolderStore(folder)
        rng = np.random.default_rng(0).bytes
        with patch.object(cast, "deploy_verifier", _stub):
            sharing = sharing_parameters()
            start = initial_weights(features)
            made = assemble(
                node,
                store,
                federation,
                start,
                rng,
                training,
                sharing=sharing,
                economy=economy_parameters(validators=7),
                agreement=agreement,
                layer2=layer2,
            )
        task = put_task(store, federation.name, training)
        stage = Stage(made.system, store, made.members, task, made.custodies)  # type: ignore[arg-type]
        taken = node.web3.provider.make_request("evm_snapshot", [])["result"]
        yield Played(node, made.system.deployment, stage, taken)


def ten_hospitals() -> Federation:
    """wdbc's four clinics cut into ten."""
    federation = data.load("wdbc", seed=0)
    silos = []
    for silo, count in zip(federation.silos, (3, 3, 2, 2), strict=True):
        for i, part in enumerate(np.array_split(np.arange(len(silo.y_train)), count)):
            x, y, patients = silo.x_train[part], silo.y_train[part], silo.patients_train[part]
            name = f"{silo.name}, part {i + 1}"
            silos.append(replace(silo, name=name, x_train=x, y_train=y, patients_train=patients))
    return replace(federation, silos=tuple(silos))


def as_a(kind: type[SharedMember], member: SharedMember, **more: Any) -> Any:
    return turned(kind, member, **more)


class _Stub(NamedTuple):
    address: str


def _stub(node: Node, made: Any, evaluator: Any, deployer: Any) -> Any:
    """A stub of a verifier; of a rollup's, the verifier itself."""
    if isinstance(made.air, Rollup):
        return deploy_verifier(node, made, evaluator, deployer)
    artifact = compile_contracts(["test/StubVerifier.sol"])["StubVerifier"]
    factory = node.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    return _Stub(str(transact(node, factory.constructor(), deployer)["contractAddress"]))


def _address(number: int) -> str:
    return "0x" + number.to_bytes(20, "big").hex()
