"""More, smaller hospitals out of a federation: its silos cut into parts, each with patients of both labels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .federation import Federation, Silo


def subdivide(federation: Federation, hospitals: int, *, seed: int) -> Federation:
    """The same rows in `hospitals` silos. The part to be cut next is always that of the silo with most rows a part.

    Patients are dealt out at random, those with a positive row and the others apart; a patient's rows stay together, train
    rows in train, test rows in test.
    ValueError for fewer hospitals than silos, or so many that one would lack a label among its train or test rows.
    """
    if hospitals < len(federation.silos):
        raise ValueError(f"expected at least {len(federation.silos)} hospitals (the silos), got {hospitals}")
    counts = [1] * len(federation.silos)
    rows = [len(silo.y_train) for silo in federation.silos]
    for _ in range(hospitals - len(counts)):
        counts[max(range(len(counts)), key=lambda i: rows[i] / counts[i])] += 1
    rng = np.random.default_rng([seed, hospitals])
    silos = [
        part
        for silo, count in zip(federation.silos, counts, strict=True)
        for part in _cut(silo, count, hospitals, rng)
    ]
    note = f"{len(federation.silos)} silos cut at random into {hospitals} hospitals"
    return replace(
        federation, silos=tuple(silos), notes=(*federation.notes, *[note] * (hospitals > len(counts)))
    )


def _cut(silo: Silo, count: int, hospitals: int, rng: np.random.Generator) -> Sequence[Silo]:
    if count == 1:
        return [silo]
    train = _deal(silo.y_train, silo.patients_train, count, rng)
    test = _deal(silo.y_test, silo.patients_test, count, rng)
    parts = []
    for number in range(count):
        i, j = np.flatnonzero(train == number), np.flatnonzero(test == number)
        kept = silo.x_train[i], silo.y_train[i], silo.x_test[j], silo.y_test[j]
        for labels in (kept[1], kept[3]):
            if len(np.unique(labels)) < 2:
                raise ValueError(f"{hospitals} hospitals are too many: a part of {silo.name} lacks a label")
        patients = [
            known[rows] if len(known) else known
            for known, rows in ((silo.patients_train, i), (silo.patients_test, j))
        ]
        parts.append(Silo(f"{silo.name} {number + 1}", *kept, *patients))
    return parts


def _deal(labels: np.ndarray, patients: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(n,): the part of each row."""
    _, unit = np.unique(patients if len(patients) else np.arange(len(labels)), return_inverse=True)
    positive = np.zeros(unit.max() + 1, bool)
    np.logical_or.at(positive, unit, labels == 1)
    part = np.empty(len(positive), np.int64)
    for kind in (positive, ~positive):
        units = rng.permutation(np.flatnonzero(kind))
        part[units] = np.arange(len(units)) % count
    return part[unit]
