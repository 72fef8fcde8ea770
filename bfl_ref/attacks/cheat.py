"""What dishonest hospitals have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import fixed_point
from ..chain.errors import ContractError
from ..fixed_point import Hyper, State
from ..fixed_point.rule import WEIGHT_LIMIT
from ..member import Round
from ..proving import ProofTask
from ..stark.field import F, random_base
from ..statements.poseidon2 import DIGEST
from ..verified import VerifiedMember, hyper_of


@dataclass(frozen=True, eq=False)
class Cheat(VerifiedMember):
    """refusals: what contracts said to all it tried; an outcome of `play_round` has only the last word to each member."""

    refusals: list[ContractError] = field(default_factory=list)

    def commit(self, round_: Round, update: Any) -> bytes | None:
        with self._noting():
            return super().commit(round_, update)

    def show(self, round_: Round, update: Any, task: ProofTask, proof: bytes | None) -> None:
        with self._noting():
            super().show(round_, update, task, proof)

    @contextmanager
    def _noting(self, again: bool = True) -> Iterator[None]:
        """again: raise the refusal again; else it goes on."""
        try:
            yield
        except ContractError as refusal:
            self.refusals.append(refusal)
            if again:
                raise

    def _salted(self, weights: np.ndarray) -> State:
        limited = np.clip(weights, -WEIGHT_LIMIT, WEIGHT_LIMIT - 1)
        return State(limited.astype(np.int64), random_base(DIGEST, self.rng))

    def _after(self, before: State, step: int, hyper: Hyper, r1: F) -> State:
        """What the rule makes of a state of its own in a step, under a fresh salt."""
        assert self.rows is not None and self.seed is not None
        part = self.rows.segments[step % len(self.rows.segments)]
        nu = fixed_point.noise(self.seed, r1, step, len(before.weights), hyper)
        return self._salted(fixed_point.step(before.weights, self.rows.v[part], self.rows.y[part], hyper, nu))

    def _steps(self, round_: Round) -> int:
        assert self.rows is not None
        return hyper_of(round_).epochs * len(self.rows.segments)


def turned(kind: type[VerifiedMember], member: VerifiedMember, **more: Any) -> Any:
    """A member with the key, rows and seed of `member` that acts as `kind`. more: fields that only this kind has."""
    return kind(**{**vars(member), **more})
