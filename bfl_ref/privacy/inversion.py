"""Gradient inversion on tabular rows: a record read back from an update, exactly, and lost behind noise.

    one row x:   dL/dW = e x^T,  dL/db = e      =>      x = (dL/dW)_i / (dL/db)_i     for any unit i with e_i != 0

Zhu et al. 2019 search for such rows; with a bias in the first layer no search is needed (Geiping et al. 2020, proposition
3.1; Boenisch et al. 2021). In the integer rule the bias is the feature 32 = 1.0, so v = 32 G / G_bias. A sum over many rows
mixes them; the attacker here knows every row of the segment but one, which is who differential privacy speaks of, subtracts
the gradients of those it knows and divides. It sees the weights before and after the step.

A match is exact if every feature of the row agrees. Chance: the share of rows matched by the best guess without an update,
the commonest value of each feature. Division is exact without noise and poor with it, so a second attack does what is best
under noise for who already holds a short list: of 100 rows, the true one among them, it names the one whose gradient is
nearest to what was seen (the likeliest, noise being near to Gaussian). Chance: 1 in 100, and more where rows are equal.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..fixed_point import Hyper, noise, segments_of, step, step_values
from ..fixed_point.rule import BIAS, BIAS_SLOT
from ..learning import Weights, network
from ..stark.field import random_base
from ..statements.poseidon2 import DIGEST
from .dpsgd import row_losses
from .randomness import Draw

LIST = 100
_FEATURE_LIMIT = 127


@dataclass(frozen=True)
class Inversion:
    """Shares in [0, 1] over `trials` attacked rows.

    exact: rows whose every feature was read back; chance: the same for the best blind guess.
    named: rows named out of a list; named_chance: the same for a blind pick.
    feature, feature_chance: features read back, those that are the same in all rows left out.
    """

    exact: float
    chance: float
    named: float
    named_chance: float
    feature: float
    feature_chance: float
    trials: int


def summed_gradient(before: np.ndarray, after: np.ndarray, divisor: int) -> np.ndarray:
    """G + nu of a step, within D/4 + 1, from the public weights (slots,) around it; wrong where they were clamped."""
    return (before.astype(np.int64) - after) * divisor / 2


def divide(gradient: np.ndarray) -> np.ndarray:
    """v = 32 G / G_bias, rounded, within +-127: the row whose gradient this is. (slots,) -> (slots,) int64."""
    bias = gradient[BIAS_SLOT]
    row = np.rint(BIAS * gradient / bias) if bias else np.zeros_like(gradient)
    return np.clip(row, -_FEATURE_LIMIT, _FEATURE_LIMIT).astype(np.int64)


def invert_integer_steps(v: np.ndarray, y: np.ndarray, hyper: Hyper, *, runs: int, draw: Draw) -> Inversion:
    """Attack one row, each time another, in the first step of the first segment of a hospital's rows v (n, slots), y (n,).

    Targets are taken in order, around again if runs exceeds the segment's rows.   draw: noise seeds, beacons and lists.
    ValueError for a segment of fewer than 100 rows.
    """
    part = segments_of(len(v))[0]
    v, y = v[part].astype(np.int64), y[part]
    w = np.zeros(v.shape[1], np.int64)
    if len(v) < LIST:
        raise ValueError(f"expected a segment of at least {LIST} rows, got {len(v)}")
    targets = np.arange(runs) % len(v)
    clean = step_values(w, v, y, hyper, np.zeros_like(w))
    gradients = clean.clipped[:, None] * v
    rng = np.random.default_rng(list(draw(16)))
    found, named, equal = [], [], []
    for target in targets:
        nu = noise(random_base(DIGEST, draw), random_base(4, draw), 0, len(w), hyper)
        seen = summed_gradient(w, step(w, v, y, hyper, nu), clean.divisor)
        left = seen - (clean.gradient - gradients[target])
        others = rng.choice(np.delete(np.arange(len(v)), target), LIST - 1, replace=False)
        short = np.append(others, target)
        found.append(divide(left))
        nearest = np.square(gradients[short] - left).sum(axis=1).argmin()
        same = (v[short] == v[target]).all(axis=1)
        named.append(same[nearest])
        equal.append(same.mean())
    varying = v.min(axis=0) != v.max(axis=0)
    guess = np.array([np.bincount(column + 128).argmax() - 128 for column in v.T])
    hits, blind = ((row == v[targets])[:, varying] for row in (np.array(found), guess))
    return Inversion(
        exact=float(hits.all(axis=1).mean()),
        chance=float(blind.all(axis=1).mean()),
        named=float(np.mean(named)),
        named_chance=float(np.mean(equal)),
        feature=float(hits.mean()),
        feature_chance=float(blind.mean()),
        trials=runs,
    )


def invert_linear(weight_gradient: np.ndarray, bias_gradient: np.ndarray) -> np.ndarray:
    """x_i = (dL/dW)_i / (dL/db)_i of each unit i of a first layer. (h, d), (h,) -> (h, d); zeros where dL/db is 0.

    Of a batch, unit i gives the mean of the rows that activate it, weighted by e_i: a row itself if it is the only one.
    """
    safe = np.where(bias_gradient == 0, 1, bias_gradient)
    return np.where(bias_gradient[:, None] == 0, 0, weight_gradient / safe[:, None])


def first_layer_gradient(weights: Weights, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(dL/dW (64, d), dL/db (64,)) of the MLP's first layer, L the summed loss of x (n, d), y (n,). Without noise."""
    net = network("mlp", x.shape[1])
    net.load_state_dict(weights)
    row_losses(net(torch.from_numpy(x)), torch.from_numpy(y)).sum().backward()
    gradients = {name: p.grad.double().numpy() for name, p in net.named_parameters() if p.grad is not None}
    return gradients["0.weight"], gradients["0.bias"]


def rows_found(found: np.ndarray, x: np.ndarray, tolerance: float = 1 / 64) -> float:
    """Share of the rows x (n, d) that some row of found (h, d) meets in every feature within `tolerance`: half its unit."""
    nearest = np.abs(found[None] - x[:, None]).max(axis=2).min(axis=1)
    return float((nearest < tolerance).mean())
