"""States that the rule does not give: work left out, results altered."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..aggregation import Origin
from ..chain.events import UpdateCommitted
from ..fixed_point import Hyper, State, digest_bytes, public_state
from ..fixed_point.rule import WEIGHT_LIMIT
from ..integers import load_update
from ..learning import TrainConfig
from ..member import Round
from ..proving import ProofTask
from ..stark.field import F
from ..statements.training_trace import Step
from ..verified import hyper_of, noise_beacon
from .cheat import Cheat


class FalseStates(Cheat):
    """States that do not follow from each other. Of a drawn step it proves what it should have been: OodMismatch."""

    def witness(self, update: Any, step: int, hyper: Hyper, r1: F) -> Step:
        said = super().witness(update, step, hyper, r1)
        true = self._after(said.before, step, hyper, r1).weights
        return replace(said, after=State(true, said.after.salt))


class FreeRiderRandom(FalseStates):
    """A random walk from the model in force: rewards without training, and it looks like an update. Stopped by any audit."""

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        states = [public_state(round_.model)]
        for _ in range(self._steps(round_)):
            moves = np.frombuffer(self.rng(2 * len(round_.model)), np.int16)
            states.append(self._salted(states[-1].weights + moves // 8))
        return states


class FreeRiderStale(FalseStates):
    """The model in force unchanged, its digest hidden by salts: rewards without training. Stopped by any audit."""

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        later = [self._salted(round_.model) for _ in range(self._steps(round_))]
        return [public_state(round_.model), *later]


class FreeRiderOld(FalseStates):
    """Its update of an earlier round once more: one training, many rewards. It must have taken part in one.

    Stopped at commit as it is (ReplayedSubmission); under a new salt by any audit.
    """

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        said, chain_id = self._earlier(round_), round_.system.node.web3.eth.chain_id
        origin = Origin(chain_id, said.emitter, said.round_id, said.hospital, said.rows)
        old = load_update(round_.store, origin, said.content, len(round_.model))
        return [public_state(round_.model), *(self._salted(old) for _ in range(self._steps(round_)))]

    def commit(self, round_: Round, update: list[State]) -> bytes | None:
        said = self._earlier(round_)
        states = [*(digest_bytes(state.digest) for state in update[:-1]), said.content.digest]
        with self._noting(again=False):
            round_.system.rounds.commit_states(round_.round_id, said.content, states, sender=self.account)
        return super().commit(round_, update)

    def _earlier(self, round_: Round) -> UpdateCommitted:
        said = (e for e in round_.system.events() if isinstance(e, UpdateCommitted))
        return next(e for e in said if e.hospital == self.account.address)


@dataclass(frozen=True, eq=False)
class FewerSteps(FalseStates):
    """Leaves steps out, the state after each being the one before, salted anew: less work, rewarded in full.

    skipped: which steps, every other one by default. Stopped by an audit of one of them.
    """

    skipped: tuple[int, ...] | None = None

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        states, hyper, r1 = [public_state(round_.model)], hyper_of(round_), noise_beacon(round_)
        for step in range(self._steps(round_)):
            left_out = step % 2 == 1 if self.skipped is None else step in self.skipped
            last = states[-1]
            states.append(self._salted(last.weights) if left_out else self._after(last, step, hyper, r1))
        return states


class ShortChain(Cheat):
    """Commits to fewer states than its registered rows make steps. Stopped at commit: WrongStateCount."""

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        return super().train(round_, config)[:-1]


@dataclass(frozen=True, eq=False)
class ScaledUpdate(FalseStates):
    """Trains honestly, then enlarges its update: a hospital's weight without its rows. factor: by how much.

    Stopped by an audit of the last step alone.
    """

    factor: int = 10

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        *states, last = super().train(round_, config)
        return [*states, self._salted(round_.model + self.factor * (last.weights - round_.model))]


@dataclass(frozen=True, eq=False)
class BackdooredUpdate(FalseStates):
    """Trains honestly, then puts chosen weights to the top, so that chosen rows are classified as it likes. slots: which.

    Stopped by an audit of the last step alone.
    """

    slots: tuple[int, ...] = (0,)

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        *states, last = super().train(round_, config)
        weights = last.weights.copy()
        weights[list(self.slots)] = WEIGHT_LIMIT - 1
        return [*states, self._salted(weights)]


@dataclass(frozen=True, eq=False)
class BackdooredStart(Cheat):
    """Trains truly, but from a model of its own: all steps follow from each other. slots: weights that it puts to the top.

    Stopped at commit: leaf 0 is not the model in force (WrongStart).
    """

    slots: tuple[int, ...] = (0,)

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        weights = round_.model.copy()
        weights[list(self.slots)] = WEIGHT_LIMIT - 1
        return super().train(replace(round_, model=weights), config)


class HiddenStart(BackdooredStart):
    """The same, committing to the model in force as state 0: its first step jumps, all others are true.

    Stopped by an audit of the first step alone; what it proves of it begins elsewhere: OodMismatch.
    """

    def commit(self, round_: Round, update: list[State]) -> bytes | None:
        return super().commit(round_, _said(round_, update))

    def show(self, round_: Round, update: list[State], task: ProofTask, proof: bytes | None) -> None:
        super().show(round_, _said(round_, update), task, proof)


def _said(round_: Round, update: list[State]) -> list[State]:
    return [public_state(round_.model), *update[1:]]
