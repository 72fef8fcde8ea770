"""True steps, but of another rule or on other rows than the ones that were registered."""

from dataclasses import replace
from typing import Any

import numpy as np

from .. import fixed_point
from ..data import Federation
from ..fixed_point import Hyper, Rows, State, public_state
from ..fixed_point.rule import CLIPS
from ..learning import TrainConfig
from ..member import Round
from ..stark.field import F
from ..statements.training_trace import Step
from ..verified import VerifiedMember, hyper_of, noise_beacon
from .cheat import Cheat


class OtherHyper(Cheat):
    """Learns four times as fast as prescribed, so that its update weighs more.

    Stopped by any audit: a true proof of another rule, OodMismatch.
    """

    def own(self, hyper: Hyper) -> Hyper:
        return replace(hyper, rate=min(4 * hyper.rate, 65535))

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        assert self.rows is not None and self.seed is not None
        own, r1 = self.own(hyper_of(round_)), noise_beacon(round_)
        return fixed_point.train_round(round_.model, self.rows, own, self.seed, r1, self.rng)

    def witness(self, update: Any, step: int, hyper: Hyper, r1: F) -> Step:
        return super().witness(update, step, self.own(hyper), r1)


class Unclipped(OtherHyper):
    """Leaves its rows' gradients as long as they are: a few rows count for many, and privacy is lost. Any audit."""

    def own(self, hyper: Hyper) -> Hyper:
        return replace(hyper, clip=CLIPS)


class NoNoise(OtherHyper):
    """Leaves the noise out: a better update, for which its patients pay. Any audit of a round that has noise."""

    def own(self, hyper: Hyper) -> Hyper:
        return replace(hyper, noise=0)


class MoreSteps(Cheat):
    """Takes each step twice, and shows every other state: more weight for its rows. Any audit.

    What it proves of a step is its second half, which begins at a state that nobody committed to: OodMismatch.
    """

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        states, hyper, r1 = [public_state(round_.model)], hyper_of(round_), noise_beacon(round_)
        for step in range(self._steps(round_)):
            states.append(self._after(self._after(states[-1], step, hyper, r1), step, hyper, r1))
        return states

    def witness(self, update: Any, step: int, hyper: Hyper, r1: F) -> Step:
        said = super().witness(update, step, hyper, r1)
        return replace(said, before=self._after(update[step], step, hyper, r1))


class WrongRows(Cheat):
    """Trains on other rows than it registered: here with all labels turned over, to spoil the model.

    Stopped by any audit: a true proof about rows with another segment digest, OodMismatch. Where `chosen` changes the number
    of segments, the commitment is refused already (WrongStateCount).
    """

    def chosen(self, rows: Rows) -> Rows:
        return replace(rows, y=1 - rows.y)

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        return VerifiedMember.train(self._with_chosen(), round_, config)

    def witness(self, update: Any, step: int, hyper: Hyper, r1: F) -> Step:
        return VerifiedMember.witness(self._with_chosen(), update, step, hyper, r1)

    def _with_chosen(self) -> VerifiedMember:
        assert self.rows is not None
        return replace(self, rows=self.chosen(self.rows))


class DroppedRows(WrongRows):
    """Trains on the last half of its rows only: the others may be somebody's whom it does not want in the model."""

    def chosen(self, rows: Rows) -> Rows:
        return rows.only(np.arange(len(rows.y) // 2, len(rows.y)))


class DuplicatedRows(WrongRows):
    """Trains on its first row only, as often as it has rows: one patient fills the update."""

    def chosen(self, rows: Rows) -> Rows:
        return rows.only(np.zeros(len(rows.y), int))


def label_flipper(federation: Federation, hospital: int) -> Federation:
    """The federation with one hospital's training labels turned over before it registers its rows.

    The honest limit: it registers, trains and proves by the rule, and nothing here stops it. A proof says what was computed
    on the committed rows, not that they are true.
    """
    silos = list(federation.silos)
    silos[hospital] = replace(silos[hospital], y_train=1 - silos[hospital].y_train)
    return replace(federation, silos=tuple(silos))
