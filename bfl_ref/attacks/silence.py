"""Silence in any phase, and validators that spoil the beacon."""

from dataclasses import dataclass, replace
from typing import Any

from ..beacon import Dealing, Q, Rng
from ..chain.records import Content, Phase
from ..fixed_point import State
from ..learning import TrainConfig
from ..member import Round
from ..proving import ProofTask
from ..verified import VerifiedMember
from .cheat import Cheat


@dataclass(frozen=True, eq=False)
class Silent(Cheat):
    """Answers nothing in `phases`, all by default: by fault or to stop the round. Each phase goes on without it.

    Without a commitment it is not averaged, and loses nothing; an audit without a proof and a beacon secret kept back are
    slashed.
    """

    phases: frozenset[Phase] = frozenset(Phase)

    def deal(self, round_: Round) -> None:
        if Phase.SELECT not in self.phases:
            super().deal(round_)

    def reveal(self, round_: Round, which: int) -> None:
        if (Phase.SELECT, Phase.DRAW)[which] not in self.phases:
            super().reveal(round_, which)

    def rebuild(self, round_: Round, which: int) -> None:
        if (Phase.SELECT, Phase.DRAW)[which] not in self.phases:
            super().rebuild(round_, which)

    def train(self, round_: Round, config: TrainConfig) -> list[State] | None:  # type: ignore[override]
        return None if Phase.TRAIN in self.phases else super().train(round_, config)

    def commit(self, round_: Round, update: Any) -> bytes | None:
        return None if Phase.COMMIT in self.phases else super().commit(round_, update)

    def audited(self, round_: Round, update: Any) -> list[ProofTask]:
        return [] if Phase.PROVE in self.phases else super().audited(round_, update)

    def candidate(self, round_: Round) -> Content | None:
        return None if Phase.AGGREGATE in self.phases else super().candidate(round_)

    def ballot(self, round_: Round) -> Content | None:
        return None if Phase.FINALISE in self.phases else super().ballot(round_)


@dataclass(frozen=True, eq=False)
class UnrevealedValidator(VerifiedMember):
    """Keeps a secret back, to have another draw than the one it sees coming. kept: which of the two, the draw's by default.

    The others rebuild it from their shares: the draw is the one that it did not want, and its stake is slashed.
    """

    kept: tuple[int, ...] = (1,)

    def reveal(self, round_: Round, which: int) -> None:
        if which not in self.kept:
            super().reveal(round_, which)


class FalseDealer(UnrevealedValidator):
    """Deals shares that lead to another secret than it committed to, so that keeping it back leaves it out.

    That is a choice between two draws: once, and at the price of its beacon penalty (audit_arithmetic.py).
    """

    def _dealing(self, round_: Round) -> tuple[Dealing, Rng]:
        dealing, rng = super()._dealing(round_)
        wrong = tuple(tuple((share + 1) % Q for share in shares) for shares in dealing.shares)
        return replace(dealing, shares=wrong), rng
