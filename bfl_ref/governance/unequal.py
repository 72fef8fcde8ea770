"""Real training in silos of unequal quality: the lottery by reputation against drawing hospitals uniformly.

One clinical table is dealt to equal silos; silo i of n has a share worst * i / (n - 1) of its labels flipped. Other rows,
clean ones, are the validators'. Training is the verified integer rule; groups, scores, medians and evidence are those of the
contracts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..data import Federation
from ..fixed_point import Hyper, initial_weights, quantise, scores, trajectory
from ..integers import next_of_sums
from ..sharing import partition, residues
from ..stark.field import to_bytes
from . import reputation, selection, settlement
from .contributions import medians, score_groups
from .reputation import ReputationParameters, Standing
from .selection import SelectionParameters

VALIDATORS = 5


@dataclass(frozen=True, eq=False)
class Silos:
    """hospitals: rows v (n_i, slots) as quantised and labels y (n_i,).  validators: rows x (m, d) and labels.
    noise: share of flipped labels of each hospital.  test: the federation's own test rows.
    """

    hospitals: tuple[tuple[np.ndarray, np.ndarray], ...]
    validators: tuple[tuple[np.ndarray, np.ndarray], ...]
    noise: tuple[float, ...]
    test: tuple[np.ndarray, np.ndarray]
    features: int


def unequal_silos(federation: Federation, count: int, worst: float, rng: np.random.Generator) -> Silos:
    """Deals the training rows to `count` hospitals and five validators. worst: of the last one."""
    x = np.concatenate([silo.x_train for silo in federation.silos])
    y = np.concatenate([silo.y_train for silo in federation.silos])
    parts = np.array_split(rng.permutation(len(y)), count + VALIDATORS)
    noise = tuple(worst * i / max(count - 1, 1) for i in range(count))
    hospitals = tuple(
        (quantise(x[part]), np.where(rng.random(len(part)) < share, 1 - y[part], y[part]))
        for part, share in zip(parts[:count], noise, strict=True)
    )
    validators = tuple((x[part], y[part]) for part in parts[count:])
    test = federation.x_test, federation.y_test
    return Silos(hospitals, validators, noise, test, len(federation.feature_names))


def moved(model: np.ndarray, v: np.ndarray, y: np.ndarray, hyper: Hyper) -> np.ndarray:
    """n_i (w_i - w): what a hospital adds to its group's sum. (slots,) int64."""
    silent = np.zeros_like(model)
    return len(y) * (list(trajectory(model, v, y, hyper, lambda s: silent))[-1] - model)


def median_scores(
    model: np.ndarray, sums: Sequence[np.ndarray], weights: Sequence[int], silos: Silos
) -> list[int]:
    """Of the groups with these sums and weights, by the validators' rows."""
    totals = [to_bytes(residues(total)) for total in sums]
    found = medians([score_groups(model, totals, weights, x, y) for x, y in silos.validators])
    assert found is not None  # five validators score
    return found


@dataclass(frozen=True)
class Run:
    """By round.  f1: on the test rows.  noise: mean share of flipped labels among the selected.  selected: how many."""

    f1: tuple[float, ...]
    noise: tuple[float, ...]
    selected: tuple[int, ...]


def run(
    silos: Silos,
    hyper: Hyper,
    rounds: int,
    rng: np.random.Generator,
    *,
    lottery: bool,
    rules: ReputationParameters,
    seats: SelectionParameters,
) -> Run:
    """Rounds of shared training. lottery: False for hospitals drawn uniformly, whatever their reputation."""
    count = len(silos.hospitals)
    model = initial_weights(silos.features)
    standings = [Standing()] * count
    f1, noise, selected = [], [], []
    for round_id in range(1, rounds + 1):
        candidates = [selection.Candidate(standing, 1) for standing in standings]
        if lottery:
            drawn = selection.select(seats, rules, candidates, round_id, rng.bytes(32), 0, 1)
            chosen: Sequence[int] = drawn.selected
            for i in drawn.eligible:
                noted = {"selected": i in chosen, "newcomer": i in drawn.newcomers}
                standings[i] = selection.note_selection(standings[i], round_id, **noted)
        else:
            chosen = [int(i) for i in rng.choice(count, seats.seats, replace=False)]
        sums = {i: moved(model, *silos.hospitals[i], hyper) for i in chosen}
        rows = {i: len(silos.hospitals[i][1]) for i in chosen}
        groups = partition(chosen, rng.bytes(32))
        totals = [sum((sums[i] for i in group), np.zeros_like(model)) for group in groups]
        weights = [sum(rows[i] for i in group) for group in groups]
        for group, q in zip(groups, median_scores(model, totals, weights, silos), strict=True):
            for i in group:
                facts = settlement.HospitalFacts(committed=True, proven=True)
                seen = settlement.hospital_evidence(rules, facts)
                seen += settlement.quality_evidence(rules, q, len(groups))
                standings[i] = reputation.record(rules, standings[i], round_id, seen)
        model = next_of_sums(model, [to_bytes(residues(total)) for total in totals], sum(weights))
        f1.append(scores(model, *silos.test).f1)
        noise.append(float(np.mean([silos.noise[i] for i in chosen])))
        selected.append(len(chosen))
    return Run(tuple(f1), tuple(noise), tuple(selected))


def compare(
    silos: Silos,
    hyper: Hyper,
    rounds: int,
    seed: int,
    rules: ReputationParameters,
    seats: SelectionParameters,
) -> dict[str, Run]:
    """The same silos under both ways of selecting: "lottery" and "uniform"."""
    return {
        name: run(
            silos, hyper, rounds, np.random.default_rng(seed), lottery=lottery, rules=rules, seats=seats
        )
        for name, lottery in (("lottery", True), ("uniform", False))
    }


def rounds_to_reach(f1: Sequence[float], target: float, window: int = 5) -> int | None:
    """The first round, counted from 1, whose mean F1 over it and window - 1 before is `target` or more; None: never."""
    for i in range(len(f1)):
        if np.mean(f1[max(0, i + 1 - window) : i + 1]) >= target:
            return i + 1
    return None


LABELS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]] = {
    "honest": lambda w, v, y, rng: y,
    "flipped": lambda w, v, y, rng: 1 - y,
    "tossed": lambda w, v, y, rng: rng.integers(0, 2, len(y)),
    "agreeing": lambda w, v, y, rng: (v.astype(np.int64) @ w >= 0).astype(np.int64),
}
"""How one hospital of a group comes by its labels; agreeing: they are what the model in force says already."""


def measure_shifts(
    silos: Silos, hyper: Hyper, rounds: range, rng: np.random.Generator, repeats: int = 12
) -> dict[str, tuple[float, float]]:
    """(mean, standard deviation) of the median score of groups of three, one of whose hospitals has such labels.

    rounds: those whose models the groups begin with; ten clean hospitals make these.   silos: with worst = 0.
    """
    model = initial_weights(silos.features)
    found: dict[str, list[int]] = {kind: [] for kind in LABELS}

    def drawn(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return [silos.hospitals[i] for i in rng.choice(len(silos.hospitals), count, replace=False)]

    def summed(group: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, int]:
        total = sum((moved(model, v, y, hyper) for v, y in group), np.zeros_like(model))
        return total, sum(len(y) for _, y in group)

    for round_id in range(rounds.stop):
        for kind, labels in LABELS.items():
            for _ in range(repeats if round_id in rounds else 0):
                (v, y), *others = drawn(3)
                total, weight = summed([(v, labels(model, v, y, rng)), *others])
                found[kind] += median_scores(model, [total], [weight], silos)
        total, weight = summed(drawn(min(10, len(silos.hospitals))))
        model = next_of_sums(model, [to_bytes(residues(total))], weight)
    return {kind: (float(np.mean(q)), float(np.std(q))) for kind, q in found.items()}
