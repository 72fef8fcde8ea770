"""Federations with noise, for measuring utility: the integer rule of `fixed_point` with table noise from a seeded generator.

In a round the noise comes from the hospital's committed seed, which the operating system drew, and the beacon
(`fixed_point.noise`). Here it comes from `rng`, with the same distribution: reproducible, hence no privacy.
"""

from functools import partial

import numpy as np

from ..data import Federation
from ..fixed_point import (
    NOISE_TABLE,
    Hyper,
    aggregate,
    initial_weights,
    quantise,
    trajectory,
)
from ..fixed_point.rule import DRAWS, TABLE


def draw_noise(hyper: Hyper, slots: int, rng: np.random.Generator) -> np.ndarray:
    """nu of one step from `rng`. (slots,) int64, units of 2^-16."""
    return NOISE_TABLE[rng.integers(TABLE, size=(slots, DRAWS))] @ np.array(hyper.scales)


def private_federated(
    federation: Federation, rounds: int, hyper: Hyper, rng: np.random.Generator
) -> np.ndarray:
    """FedAvg of noisy integer steps, each hospital protected by its own noise (mechanism a). (slots,) int64."""
    silos = [(quantise(silo.x_train), silo.y_train) for silo in federation.silos]
    w = initial_weights(len(federation.feature_names))

    def nu(_: int, slots: int) -> np.ndarray:
        return draw_noise(hyper, slots, rng)

    for _ in range(rounds):
        draw = partial(nu, slots=len(w))
        updates = [list(trajectory(w, v, y, hyper, draw))[-1] for v, y in silos]
        w = aggregate(w, updates, [len(y) for _, y in silos])
    return w
