"""A round of one hospital, a federation without a chain, and the scores of an integer model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..stark.field import F, random_base
from ..statements.poseidon2 import DIGEST
from .digests import state_digest
from .noise import noise
from .rows import Rows, quantise, segments_of
from .rule import FEATURE_BITS, HALF_SLOTS, WEIGHT_BITS, Hyper, aggregate, halves_of, step

if (
    TYPE_CHECKING
):  # an aggregator's process needs the digests of this package, not torch, pandas and scikit-learn
    from ..data import Federation
    from ..learning import Scores


@dataclass(frozen=True, eq=False)
class State:
    """Weights (36 halves,) int64 between two steps, and the salt (8,) of their digest."""

    weights: np.ndarray
    salt: F

    @cached_property
    def digest(self) -> F:
        """(8,)"""
        return state_digest(self.weights, self.salt)


def initial_weights(features: int) -> np.ndarray:
    """The model before the first round: zeros. (36 halves,) int64."""
    return np.zeros(HALF_SLOTS * halves_of(features), np.int64)


def public_state(w: np.ndarray) -> State:
    """A model in force: its salt is zero, so that everybody can recompute its digest."""
    return State(w.astype(np.int64), np.zeros(DIGEST, np.uint32).view(F))


def trajectory(
    w: np.ndarray, v: np.ndarray, y: np.ndarray, hyper: Hyper, nu: Callable[[int], np.ndarray]
) -> Iterator[np.ndarray]:
    """The weights after each of the epochs * segments steps; step s reads segment s % segments. nu(s): its noise."""
    segments = segments_of(len(v))
    for s in range(hyper.epochs * len(segments)):
        part = segments[s % len(segments)]
        w = step(w, v[part], y[part], hyper, nu(s))
        yield w


def train_round(
    w: np.ndarray, rows: Rows, hyper: Hyper, seed: F, r1: F, rng: Callable[[int], bytes]
) -> list[State]:
    """One hospital's round: states 0 .. S, S = epochs * segments. State 0 is the model in force w, with salt zero.

    seed (8,): the committed noise seed.   r1 (4,): the beacon.   rng(k): k random bytes, for the other states' salts.
    """

    def nu(s: int) -> np.ndarray:
        return noise(seed, r1, s, len(w), hyper)

    after = trajectory(w, rows.v, rows.y, hyper, nu)
    return [public_state(w), *(State(weights, random_base(DIGEST, rng)) for weights in after)]


def federated(federation: "Federation", rounds: int, hyper: Hyper) -> np.ndarray:
    """FedAvg by the integer rule, without noise, salts or digests. (36 halves,) int64. ValueError if hyper has noise."""
    if hyper.noise:
        raise ValueError(f"expected noise 0 (it needs seeds and a beacon: train_round), got {hyper.noise}")
    silos = [(quantise(silo.x_train), silo.y_train) for silo in federation.silos]
    start = initial_weights(len(federation.feature_names))
    return [start, *replay(start, [silos] * rounds, hyper)][-1]


def replay(
    w: np.ndarray, rounds: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]], hyper: Hyper
) -> list[np.ndarray]:
    """The models after each round that begins with w, without noise. rounds: the rows (v, y) of each hospital in each."""
    models, silent = [], np.zeros_like(w)
    for silos in rounds:
        updates = [list(trajectory(w, v, y, hyper, lambda s: silent))[-1] for v, y in silos]
        w = aggregate(w, updates, [len(y) for _, y in silos])
        models.append(w)
    return models


def probabilities(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sigmoid(z / 2^21) of test rows x (m, d), quantised as training rows are. (m,) float64; 1/2 or more iff z >= 0."""
    logits = (quantise(x).astype(np.int64) @ w) / (1 << FEATURE_BITS + WEIGHT_BITS)
    return 1 / (1 + np.exp(-logits))


def scores(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> "Scores":
    """Scores of an integer model on test rows."""
    from .. import learning

    return learning.score(y, probabilities(w, x))
