"""The integer training rule against its float twin and against mini-batch SGD, without noise.

python -m benchmarks.fixed_point [--json] [--quick] [--seeds N] [--choose]
"""

import argparse
import json
import time
from dataclasses import asdict
from itertools import product

import numpy as np
import torch
from sklearn.metrics import log_loss

from bfl_ref import learning
from bfl_ref.data import Federation, load
from bfl_ref.fixed_point import VERIFIED, Hyper, federated, probabilities, scores, verified
from bfl_ref.fixed_point.twin import float_federated, float_scores
from bfl_ref.learning import Scores, mean_scores, score

CHOICE_SEEDS = tuple(range(5))
EPOCHS, RATES, CLIPS = (1, 2, 3, 4, 8), (256, 512, 768, 1024, 2048, 3072, 4096), (8, 16, 32)


def measure(data_set: str, features: str, seed: int) -> tuple[dict[str, Scores], float]:
    """Test scores of the three rules, and seconds of the integer one's five rounds."""
    federation = load(data_set, features=features, seed=seed)
    test = federation.x_test, federation.y_test
    rounds, hyper = verified(data_set, features)
    begin = time.perf_counter()
    w = federated(federation, rounds, hyper)
    seconds = time.perf_counter() - begin
    config = learning.chosen_config(data_set, "logistic", seed=seed)
    return {
        "fixed": scores(w, *test),
        "float": float_scores(float_federated(federation, rounds, hyper), *test),
        "sgd": learning.evaluate(learning.federated(federation, config), federation, config),
    }, seconds


def choose(data_set: str, features: str) -> None:
    """Print held-out log loss, accuracy and F1 over the grid, best first, per clip norm and epochs. No test row is read."""
    inner = [
        learning.holdout(load(data_set, features=features, seed=seed), seed)
        for seed in (CHOICE_SEEDS if data_set == "thyroid" else range(10))
    ]
    for clip, epochs in product(CLIPS, EPOCHS):
        found = sorted((*held_out(inner, 5, Hyper(epochs, rate, clip, 0)), rate) for rate in RATES)
        for loss, accuracy, f1, rate in found[:2]:
            print(
                f"{data_set:8} {features:8} clip {clip:2} epochs {epochs} rate {rate:4}"
                f"  held-out log loss {loss:.4f}  acc {accuracy:.4f}  F1 {f1:.4f}",
                flush=True,
            )


def held_out(inner: list[Federation], rounds: int, hyper: Hyper) -> tuple[float, float, float]:
    """(log loss, accuracy, F1), means over federations whose test rows are held-out training rows."""
    found = []
    for federation in inner:
        predicted = probabilities(federated(federation, rounds, hyper), federation.x_test)
        scored = score(federation.y_test, predicted)
        found.append((log_loss(federation.y_test, predicted), scored.accuracy, scored.f1))
    loss, accuracy, f1 = np.mean(found, axis=0)
    return float(loss), float(accuracy), float(f1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--choose", action="store_true", help="print the grid the settings were chosen from")
    parser.add_argument("--seeds", type=int, default=3, help="number of splits: 0, 1, ... (3)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.choose:
        for case in VERIFIED:
            choose(*case)
        return
    seeds = range(1 if arguments.quick else arguments.seeds)
    print(f"mean over seeds {list(seeds)}, no noise; sgd: FedAvg of benchmarks.learning, logistic")
    print(f"{'data':8} {'features':8} {'rule':6} {'acc':>6} {'F1':>6} {'AUROC':>6} {'seconds':>7}")
    results = {}
    for data_set, features in VERIFIED:
        runs = [measure(data_set, features, seed) for seed in seeds]
        for rule in ("fixed", "float", "sgd"):
            mean = mean_scores([found[rule] for found, _ in runs])
            seconds = float(np.mean([s for _, s in runs]))
            results[f"{data_set} {features} {rule}"] = asdict(mean)
            shown = f"{seconds:7.3f}" if rule == "fixed" else ""
            print(
                f"{data_set:8} {features:8} {rule:6} {mean.accuracy:6.4f} {mean.f1:6.4f} {mean.auroc:6.4f} {shown}"
            )
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
