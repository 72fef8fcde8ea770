"""Federated against centralised and local-only training, on each data set that installs with pip.

python -m benchmarks.learning [--json] [--quick] [--seeds N] [--choose]
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import torch
from sklearn.metrics import log_loss

from bfl_ref.data import Federation, load
from bfl_ref.learning import (
    Scores,
    TrainConfig,
    centralised,
    chosen_config,
    evaluate,
    federated,
    holdout,
    local_only,
    mean_scores,
    probabilities,
    score,
)

CASES = (
    ("thyroid", "plain", "mlp"),
    ("thyroid", "clinical", "logistic"),
    ("heart", "plain", "mlp"),
    ("thyroid", "plain", "logistic"),
    ("thyroid", "clinical", "mlp"),
    ("heart", "plain", "logistic"),
    ("wdbc", "plain", "mlp"),
    ("wdbc", "plain", "logistic"),
)
"""(data set, features, model); the first three carry the headline claims."""

CHOICE_SEEDS = (0, 1, 2, 3, 4)
GRID = tuple(product((0.02, 0.05, 0.1), ((5, 8), (10, 4)), (1e-4, 1e-2)))
"""(learning rate, (rounds, local epochs), weight decay): forty passes over the rows in all."""


def run_federated(federation: Federation, config: TrainConfig) -> Scores:
    return evaluate(federated(federation, config), federation, config)


def run_centralised(federation: Federation, config: TrainConfig) -> Scores:
    return evaluate(centralised(federation, config), federation, config)


def run_local_only(federation: Federation, config: TrainConfig) -> Scores:
    """Each hospital's own model on the common test set; the mean over hospitals."""
    return mean_scores([evaluate(weights, federation, config) for weights in local_only(federation, config)])


SYSTEMS: dict[str, Callable[[Federation, TrainConfig], Scores]] = {
    "centralised": run_centralised,
    "fedavg": run_federated,
    "local_only": run_local_only,
}


def measure(case: tuple[str, str, str], system: str, seeds: tuple[int, ...]) -> dict:
    """Scores and CPU seconds of training and scoring: the mean over seeds, and one entry per seed."""
    data_set, features, model = case
    per_seed = []
    for seed in seeds:
        federation = load(data_set, features=features, seed=seed)
        begin_s = time.process_time()
        scores = SYSTEMS[system](federation, chosen_config(data_set, model, seed=seed))
        per_seed.append({"seed": seed, **asdict(scores), "seconds": time.process_time() - begin_s})
    keys = ("accuracy", "f1", "auroc", "majority", "seconds")
    return {key: float(np.mean([run[key] for run in per_seed])) for key in keys} | {"seeds": per_seed}


def choose(case: tuple[str, str, str], seeds: tuple[int, ...]) -> None:
    """Print FedAvg's held-out log loss, by which settings are chosen, and F1 over the grid.

    The held-out rows are training rows. Log loss, because F1 on some hundred rows jumps with single patients.
    """
    data_set, features, model = case
    for rate, (rounds, epochs), decay in GRID:
        config = TrainConfig(model, rounds, epochs, learning_rate=rate, weight_decay=decay)
        losses, scores = [], []
        for seed in seeds:
            inner = holdout(load(data_set, features=features, seed=seed), seed)
            predicted = probabilities(federated(inner, replace(config, seed=seed)), inner.x_test, model)
            losses.append(log_loss(inner.y_test, predicted.astype(np.float64)))
            scores.append(score(inner.y_test, predicted))
        print(
            f"{data_set:8} {features:8} {model:8} rate {rate:<4} rounds {rounds:2} epochs {epochs} decay {decay:<6}"
            f"  held-out log loss {np.mean(losses):.4f}  F1 {mean_scores(scores).f1:.4f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="the headline cases with one seed")
    parser.add_argument("--choose", action="store_true", help="print the grid the settings were chosen from")
    parser.add_argument(
        "--seeds", type=int, default=3, help="number of splits and initial weights, 0, 1, ... (3)"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(
        1
    )  # batches of 32 rows gain nothing from a second one, and the bits depend on the count
    if arguments.choose:
        first_of = {(case[0], case[2]): case for case in reversed(CASES)}
        for case in first_of.values():
            choose(case, CHOICE_SEEDS)
        return
    cases, seeds = (CASES[:3], (0,)) if arguments.quick else (CASES, tuple(range(arguments.seeds)))
    print(f"mean over seeds {seeds}; 80/20 split by patient, scores on the common test set")
    print(
        f"{'data':8} {'features':8} {'model':8} {'system':12} {'acc':>6} {'F1':>6} {'AUROC':>6} {'major.':>6} {'CPU s':>6}"
    )
    results: dict[str, dict] = {}
    for case in cases:
        for system in SYSTEMS:
            got = measure(case, system, seeds)
            data_set, features, model = case
            results.setdefault(data_set, {}).setdefault(features, {}).setdefault(model, {})[system] = got
            print(
                f"{data_set:8} {features:8} {model:8} {system:12} {got['accuracy']:6.3f} {got['f1']:6.3f}"
                f" {got['auroc']:6.3f} {got['majority']:6.3f} {got['seconds']:6.2f}",
                flush=True,
            )
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
