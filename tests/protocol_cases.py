"""A basic federation in which two honest rounds were played, and how a test begins from there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bfl_ref import data
from bfl_ref.aggregation import FLOATS, load_model
from bfl_ref.cast import assemble, economy_parameters
from bfl_ref.chain.contracts import Deployment, System
from bfl_ref.chain.events import RoundAborted
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import AbortReason, Content
from bfl_ref.learning import TrainConfig, Weights, average, initial_weights, local_update
from bfl_ref.member import Member, Round
from bfl_ref.protocol import Outcome, play_round, put_task
from bfl_ref.store import FolderStore

FULL = os.environ.get("BFL_FULL") == "1"
CONFIG = TrainConfig(model="logistic", rounds=2, local_epochs=1)
HONEST_ROUNDS = 2


class Stage(NamedTuple):
    """A federation in which two honest rounds were played; every test gets it in this state."""

    system: System
    store: FolderStore
    members: tuple[Member, ...]
    task: Content
    outcomes: tuple[Outcome, ...]

    def play(self, *cast: Member) -> Outcome:
        """One round; a member of `cast` takes the part of the member with the same key."""
        others = {member.account.address: member for member in cast}
        members = [others.get(m.account.address, m) for m in self.members]
        return play_round(self.system, self.store, members, self.task, CONFIG)

    @property
    def model(self) -> Content:
        return self.system.registry.current().content

    def stakes(self) -> list[int]:
        return [self.system.vault.stake_of(m.account.address).active for m in self.members if m.silo]

    def all_released(self) -> bool:
        return all(self.system.vault.stake_of(m.account.address).freezes == 0 for m in self.members)

    def abort_reason(self, round_id: int) -> AbortReason:
        found = [e for e in self.system.events() if isinstance(e, RoundAborted) and e.round_id == round_id]
        assert len(found) == 1
        return found[0].reason


class Origins(NamedTuple):
    """What the module plays once."""

    node: Node
    deployment: Deployment
    stage: Stage
    snapshot: int


@contextmanager
def opened(folder: Path) -> Iterator[Origins]:
    """The federation after its honest rounds."""
    federation = data.load("wdbc", seed=0)
    with open_chain("embedded", accounts=7, seed=0) as node:
        store = FolderStore(folder)
        start = initial_weights(CONFIG, len(federation.feature_names))
        consortium = assemble(
            node,
            store,
            federation,
            start,
            np.random.default_rng(0).bytes,
            economy=economy_parameters(validators=7),
        )
        task = put_task(store, "wdbc", CONFIG)
        system, members = consortium.system, consortium.members
        outcomes = tuple(play_round(system, store, members, task, CONFIG) for _ in range(HONEST_ROUNDS))
        stage = Stage(system, store, members, task, outcomes)
        yield Origins(node, system.deployment, stage, snapshot(node))


def snapshot(node: Node) -> int:
    return node.web3.provider.make_request("evm_snapshot", [])["result"]


def begin(played: Origins, folder: Path) -> Stage:
    """The chain taken back to the end of the honest rounds, a client without memory, a copy of the store."""
    node, deployment, stage, before = played
    node.web3.provider.make_request("evm_revert", [before])
    shutil.copytree(stage.store.folder, folder)
    return stage._replace(system=System(node, deployment), store=FolderStore(folder))


def cast_as(kind: type[Member], member: Member) -> Member:
    return kind(**vars(member))


def wrong_model(round_: Round) -> Weights:
    """Another model than the updates give; the same one for all who collude."""
    return {name: tensor + 1 for name, tensor in round_.model.items()}


def expected_model(stage: Stage, hospitals: list[Member]) -> Content:
    """What honest training and averaging of these hospitals makes of the last honest model, by the definition."""
    model = load_model(stage.store, stage.outcomes[-1].model)
    round_id = HONEST_ROUNDS + 1
    updates = [local_update(model, m.silo, CONFIG, round_id - 1) for m in hospitals if m.silo]
    return FLOATS.content(average(updates, [len(m.silo.y_train) for m in hospitals if m.silo]), round_id)
