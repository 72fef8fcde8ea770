"""Federated averaging, its two baselines and their scores; every step is a function a round can drive.

    w <- sum_i (n_i / N) * local_update(w, hospital i)          FedAvg: McMahan et al. 2017, algorithm 1

A model's weights travel as `Weights`, name -> float32 tensor. Their canonical order, for shares and digests, is `flatten`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from torch import nn
from tqdm.auto import tqdm

from bfl_ref.data import Federation, Silo, split

Weights = dict[str, torch.Tensor]
"""Name -> float32 tensor, as `nn.Module.state_dict` gives them."""


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained, at a hospital and centrally.

    model: "logistic" or "mlp" (two hidden layers, 64 and 32).   rounds >= 1.   local_epochs >= 1: passes over a hospital's
    rows per round; a baseline makes rounds * local_epochs passes.   batch_rows >= 1.   learning_rate > 0.
    momentum in [0, 1).   weight_decay >= 0.   seed >= 0: the initial weights and every order of rows.
    """

    model: str = "mlp"
    rounds: int = 5
    local_epochs: int = 8
    batch_rows: int = 32
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.model not in ("logistic", "mlp"):
            raise ValueError(f"model: expected 'logistic' or 'mlp', got {self.model!r}")
        for name in ("rounds", "local_epochs", "batch_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate: expected above 0, got {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum: expected in [0, 1), got {self.momentum}")
        if not self.weight_decay >= 0 or self.seed < 0:
            raise ValueError(
                f"weight_decay and seed: expected at least 0, got {self.weight_decay}, {self.seed}"
            )


# (learning rate, rounds, local epochs, weight decay) of the lowest held-out log loss of FedAvg, on training rows; for
# thyroid among five-round settings, as the main job has five. The grid: python -m benchmarks.learning --choose
CHOSEN = {
    ("thyroid", "mlp"): (0.1, 5, 8, 1e-4),
    ("thyroid", "logistic"): (0.1, 5, 8, 1e-4),
    ("heart", "mlp"): (0.02, 10, 4, 1e-2),
    ("heart", "logistic"): (0.05, 10, 4, 1e-4),
    ("wdbc", "mlp"): (0.1, 10, 4, 1e-2),
    ("wdbc", "logistic"): (0.1, 5, 8, 1e-4),
}


def chosen_config(data_set: str, model: str, *, seed: int) -> TrainConfig:
    """The settings of `CHOSEN`; the defaults of TrainConfig for any other data set."""
    if (data_set, model) not in CHOSEN:
        return TrainConfig(model=model, seed=seed)
    rate, rounds, epochs, decay = CHOSEN[data_set, model]
    return TrainConfig(model, rounds, epochs, learning_rate=rate, weight_decay=decay, seed=seed)


@dataclass(frozen=True)
class Scores:
    """Scores on test rows, each in [0, 1]. majority: the accuracy of always answering the commoner class."""

    accuracy: float
    f1: float
    auroc: float
    majority: float


def network(model: str, features: int) -> nn.Sequential:
    """The untrained module, (n, features) -> (n, 1) logits. Its weights are to be loaded: see `initial_weights`."""
    widths = {"logistic": [features, 1], "mlp": [features, 64, 32, 1]}[model]
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        # skip_init: a constructor that drew weights would move torch's global generator
        layers += [nn.ReLU()] * (i > 0) + [nn.utils.skip_init(nn.Linear, inputs, outputs)]
    return nn.Sequential(*layers)


def initial_weights(config: TrainConfig, features: int) -> Weights:
    """The model of round 0: zeros for logistic regression (convex), uniform +-1/sqrt(inputs) for the MLP."""
    generator = torch.Generator().manual_seed(config.seed)
    weights = {}
    for name, empty in network(config.model, features).state_dict().items():
        if name.endswith("weight"):
            bound = 0.0 if config.model == "logistic" else empty.shape[1] ** -0.5
        weights[name] = (2 * torch.rand(empty.shape, generator=generator) - 1) * bound
    return weights


def batches(rows: int, config: TrainConfig, epochs: int, *stream: int) -> Iterator[torch.Tensor]:
    """Row numbers of each mini-batch, every epoch in an order drawn from (seed, stream). The last batch may be short."""
    rng = np.random.default_rng([config.seed, *stream])
    for _ in range(epochs):
        yield from torch.from_numpy(rng.permutation(rows)).split(config.batch_rows)


def train(
    weights: Weights, x: np.ndarray, y: np.ndarray, config: TrainConfig, epochs: int, *stream: int
) -> Weights:
    """Mini-batch SGD with momentum on the mean logistic loss; returns new weights, the given ones stay.

    x (n, d) float32, y (n,) in {0, 1}.   stream: numbers that name this run's order of rows.
    Same arguments, same bits, on one machine and number of torch threads.
    """
    module = network(config.model, x.shape[1])
    module.load_state_dict(weights)
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.float32))
    for chosen in batches(len(x), config, epochs, *stream):
        loss = nn.functional.binary_cross_entropy_with_logits(module(inputs[chosen])[:, 0], labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def local_update(weights: Weights, silo: Silo, config: TrainConfig, round_id: int) -> Weights:
    """One hospital's round: local_epochs passes over its training rows. Momentum starts anew each round."""
    return train(
        weights, silo.x_train, silo.y_train, config, config.local_epochs, round_id, *silo.name.encode()
    )


def average(updates: Sequence[Weights], rows: Sequence[int]) -> Weights:
    """sum_i (n_i / N) w_i, N = sum_i n_i, in float64. Raises ValueError for no update, unlike shapes or n_i < 1.

    Element by element and in the order given, so that every machine gets the same bits (a matrix product would not say so).
    """
    if len(updates) == 0 or len(updates) != len(rows) or min(rows) < 1:
        raise ValueError(
            f"expected a positive row count per update, got {len(updates)} updates and rows {list(rows)}"
        )
    shapes = [{name: tensor.shape for name, tensor in update.items()} for update in updates]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"updates differ in names or shapes: {shapes}")
    result = {}
    for name, first in updates[0].items():
        total = torch.zeros(first.shape, dtype=torch.float64)
        for n, update in zip(rows, updates, strict=True):
            total += (n / sum(rows)) * update[name].double()
        result[name] = total.float()
    return result


def federated(federation: Federation, config: TrainConfig, *, progress: bool = False) -> Weights:
    """FedAvg over all hospitals, every round; nothing but weights and row counts leaves a hospital."""
    weights = initial_weights(config, len(federation.feature_names))
    rows = [len(silo.y_train) for silo in federation.silos]
    for round_id in tqdm(range(config.rounds), desc="rounds", disable=not progress):
        weights = average([local_update(weights, silo, config, round_id) for silo in federation.silos], rows)
    return weights


def centralised(federation: Federation, config: TrainConfig) -> Weights:
    """Baseline: one model on all training rows in one place, which is what federated learning wants to avoid."""
    x = np.concatenate([silo.x_train for silo in federation.silos])
    y = np.concatenate([silo.y_train for silo in federation.silos])
    return train(initial_weights(config, x.shape[1]), x, y, config, config.rounds * config.local_epochs)


def local_only(federation: Federation, config: TrainConfig) -> list[Weights]:
    """Baseline: each hospital trains alone, for as many passes as a federated run makes. In silo order."""
    start = initial_weights(config, len(federation.feature_names))
    epochs = config.rounds * config.local_epochs
    return [
        train(start, silo.x_train, silo.y_train, config, epochs, *silo.name.encode())
        for silo in federation.silos
    ]


def probabilities(weights: Weights, x: np.ndarray, model: str) -> np.ndarray:
    """sigmoid of the model's logit: the predicted probability of class 1. (n, d) float32 -> (n,) float32."""
    module = network(model, x.shape[1])
    module.load_state_dict(weights)
    with torch.no_grad():
        return torch.sigmoid(module(torch.from_numpy(x))[:, 0]).numpy()


def score(y: np.ndarray, probability: np.ndarray) -> Scores:
    """Scores of predictions against labels y in {0, 1}, both present; positive from probability 1/2 on.

    The threshold is not tuned: the logistic loss is a proper scoring rule, so 1/2 is where accuracy is highest if the
    model is calibrated, and a fixed one spends no privacy budget and reads no test row.
    """
    predicted = probability >= 0.5
    return Scores(
        accuracy=float(accuracy_score(y, predicted)),
        f1=float(f1_score(y, predicted, zero_division=0.0)),
        auroc=float(roc_auc_score(y, probability)),
        majority=float(max(y.mean(), 1 - y.mean())),
    )


def evaluate(weights: Weights, federation: Federation, config: TrainConfig) -> Scores:
    """Scores of one model on the common test set."""
    return score(federation.y_test, probabilities(weights, federation.x_test, config.model))


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Field by field mean: over hospitals (local-only) or over seeds."""
    return Scores(*np.mean([astuple(s) for s in scores], axis=0).tolist())


def flatten(weights: Weights) -> torch.Tensor:
    """All weights as one float32 vector: tensors in alphabetical order of their names, each row by row."""
    return torch.cat([weights[name].reshape(-1) for name in sorted(weights)])


def unflatten(vector: torch.Tensor, like: Mapping[str, torch.Tensor]) -> Weights:
    """Inverse of `flatten`; names and shapes are those of `like`. Raises ValueError if the length differs."""
    names = sorted(like)
    sizes = [like[name].numel() for name in names]
    if vector.shape != (sum(sizes),):
        raise ValueError(f"expected a vector of {sum(sizes)} weights, got shape {tuple(vector.shape)}")
    return {
        name: part.reshape(like[name].shape).clone()
        for name, part in zip(names, vector.split(sizes), strict=True)
    }


def holdout(federation: Federation, seed: int) -> Federation:
    """The same hospitals with a fifth of their *training* patients as test rows, to choose settings by.

    The real test rows are not in the result, so nothing chosen with it has seen them.
    """
    rng = np.random.default_rng(seed)
    silos = []
    for silo in federation.silos:
        held = split(silo.y_train, silo.patients_train, 0.2, rng)
        silos.append(
            Silo(
                silo.name,
                silo.x_train[~held],
                silo.y_train[~held],
                silo.x_train[held],
                silo.y_train[held],
                silo.patients_train[~held],
                silo.patients_train[held],
            )
        )
    return replace(federation, silos=tuple(silos))
