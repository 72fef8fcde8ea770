"""Membership inference by likelihood ratios with shadow models: was this patient's row trained on? Carlini et al. 2022.

    phi(row)  = log(p / (1 - p)) of the row's true label = (2 y - 1) logit
    L(row)    = log N(phi; m_in, s) - log N(phi; m_out, s)

m_in, m_out, s are fitted, per row, on shadow models that trained on random halves of a pool (each row is in exactly half of
them). The attack is then run on other models, trained alike, which it has not seen: AUC and the true-positive rate at 1%
false positives over all (model, row) pairs. Rows attacked: the most exposed, by |m_in - m_out| / s on the shadow models.

The attacker knows the pool and the training rule, not who of the pool was trained on; it sees the finished model's logits.
Whoever also sees every step can do better: canaries.py measures that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from ..fixed_point import FEATURE_BITS, WEIGHT_BITS, Hyper, initial_weights, noise, quantise, trajectory
from ..learning import TrainConfig, network, train
from ..learning import initial_weights as float_weights
from ..stark.field import F, random_base
from ..statements.poseidon2 import DIGEST
from .dpsgd import PrivateConfig, calibrate, train_private

Predict = Callable[[np.ndarray], np.ndarray]
"""rows (n, d) -> logits (n,)"""
Fit = Callable[[np.ndarray, np.ndarray, int], Predict]
"""(x (m, d), y (m,), number of the run) -> the trained model. Different runs draw different randomness."""
FALSE_POSITIVES = 0.01


@dataclass(frozen=True)
class Membership:
    """What the attack reached over `trials` pairs of a model and a row, half of them members.

    auc in [0, 1], 1/2 is chance.   tpr: true-positive rate at a false-positive rate of 1%, .01 is chance.
    rows: numbers of the attacked rows in the pool.
    """

    auc: float
    tpr: float
    trials: int
    rows: tuple[int, ...]


def halves(runs: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """(runs, rows) bool: who trains in each run. Runs 2 k and 2 k + 1 complement each other. ValueError if runs is odd."""
    if runs < 2 or runs % 2 or rows < 2:
        raise ValueError(f"expected an even number of runs and at least 2 rows, got {runs}, {rows}")
    order = np.argsort(rng.random((runs // 2, rows)), axis=1)
    first = order < rows // 2
    return np.stack([first, ~first], axis=1).reshape(runs, rows)


def signals(fit: Fit, x: np.ndarray, y: np.ndarray, members: np.ndarray, first_run: int = 0) -> np.ndarray:
    """phi of every row under the model of each run. members (runs, n) bool -> (runs, n)."""
    return np.array(
        [(2 * y - 1) * fit(x[chosen], y[chosen], first_run + i)(x) for i, chosen in enumerate(members)]
    )


def moments(phi: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """m_in, m_out and the common s of each row, each (n,). phi, members (runs, n)."""
    inside = np.where(members, phi, np.nan)
    outside = np.where(members, np.nan, phi)
    spread = np.sqrt((np.nanvar(inside, axis=0) + np.nanvar(outside, axis=0)) / 2)
    return np.nanmean(inside, axis=0), np.nanmean(outside, axis=0), np.maximum(spread, 1e-9)


def rates(scores: np.ndarray, members: np.ndarray) -> tuple[float, float]:
    """(AUC, true-positive rate at 1% false positives) of scores against members, arrays of one shape."""
    negatives = np.sort(scores[~members])
    allowed = int(FALSE_POSITIVES * len(negatives))  # this many non-members may lie above the threshold
    threshold = negatives[len(negatives) - 1 - allowed]
    return float(roc_auc_score(members.ravel(), scores.ravel())), float((scores[members] > threshold).mean())


def membership_attack(
    fit: Fit, x: np.ndarray, y: np.ndarray, *, shadows: int, targets: int, exposed: int, seed: int
) -> Membership:
    """Attack `targets` models on the `exposed` most exposed rows of the pool x (n, d), y (n,), with `shadows` shadow models.

    Each model trains on n // 2 rows. shadows, targets: even.   seed: of the halves; the models' own randomness is `fit`'s.
    """
    if not 1 <= exposed <= len(x):
        raise ValueError(f"exposed: expected 1 to {len(x)} rows, got {exposed}")
    members = halves(shadows + targets, len(x), np.random.default_rng(seed))
    phi = signals(fit, x, y, members)
    inside, outside, spread = moments(phi[:shadows], members[:shadows])
    rows = np.argsort(-np.abs(inside - outside) / spread)[:exposed]
    seen = phi[shadows:, rows]
    a, b, s = inside[rows], outside[rows], spread[rows]
    ratio = ((seen - b) ** 2 - (seen - a) ** 2) / (2 * s * s)
    auc, tpr = rates(ratio, members[shadows:, rows])
    return Membership(auc, tpr, ratio.size, tuple(rows.tolist()))


def mlp_fit(config: TrainConfig) -> Fit:
    """SGD without privacy: learning.train over config.rounds * config.local_epochs passes."""

    def fit(x: np.ndarray, y: np.ndarray, run: int) -> Predict:
        start = float_weights(config, x.shape[1])
        return _logits(train(start, x, y, config, config.rounds * config.local_epochs, run), config.model)

    return fit


def private_fit(config: PrivateConfig, epsilon: float, delta: float, seed: int) -> Fit:
    """DP-SGD of one hospital, noise calibrated to (epsilon, delta). epsilon infinite: no noise, clipping only."""

    def fit(x: np.ndarray, y: np.ndarray, run: int) -> Predict:
        draw = np.random.default_rng([seed, run]).bytes
        multiplier = 0.0 if epsilon == float("inf") else calibrate(config, len(x), epsilon, delta)
        weights = float_weights(TrainConfig(model=config.model, seed=config.seed), x.shape[1])
        clips = None
        for _ in range(config.rounds):
            weights, clips = train_private(weights, x, y, config, multiplier, draw, clips)
        return _logits(weights, config.model)

    return fit


def integer_fit(rounds: int, hyper: Hyper, seed: int) -> Fit:
    """The protocol's integer steps of one hospital, with hyper.noise, seeds and beacons drawn anew in every run."""

    def fit(x: np.ndarray, y: np.ndarray, run: int) -> Predict:
        draw = np.random.default_rng([seed, run]).bytes
        v, w = quantise(x), initial_weights(x.shape[1])
        for _ in range(rounds):
            secret, r1 = random_base(DIGEST, draw), random_base(4, draw)
            *_, w = trajectory(w, v, y, hyper, partial(_noise, secret, r1, len(w), hyper))
        return lambda rows: (quantise(rows).astype(np.int64) @ w) / (1 << FEATURE_BITS + WEIGHT_BITS)

    return fit


def _noise(seed: F, r1: F, slots: int, hyper: Hyper, s: int) -> np.ndarray:
    return noise(seed, r1, s, slots, hyper)


def _logits(weights: dict[str, torch.Tensor], model: str) -> Predict:
    def predict(x: np.ndarray) -> np.ndarray:
        module = network(model, x.shape[1])
        module.load_state_dict(weights)
        with torch.no_grad():
            return module(torch.from_numpy(x))[:, 0].double().numpy()

    return predict
