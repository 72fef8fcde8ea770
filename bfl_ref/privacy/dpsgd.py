"""DP-SGD of torch models at one hospital (opacus), with clip norms and noise per layer. Abadi et al. 2016.

    g_l = sum_rows in batch  grad_l min(1, C_l / |grad_l|) + N(0, sigma_l^2)         for each weight tensor ("layer") l
    w_l <- w_l - learning_rate g_l / batch_rows                                       (momentum is post-processing)

    How C_l and sigma_l are chosen: layers.py. All layers of a step are one Gaussian release of noise multiplier
    z = 1 / sqrt(sum_l (C_l / sigma_l)^2); its privacy loss is that of a Poisson-sampled Gaussian, rounds * steps times.

Against whom epsilon holds: whoever sees every update, and every other row. Adjacency: one patient's row replaced, row counts
public. A batch takes each row with probability batch_rows / rows (Poisson), and nobody may see who was taken.
Limits: gradients and noise are floats. Noise is a sum of four normals, halved (Holohan and Braghin 2021), so that its last
bits do not betray it; rounding of the float32 sum, some 1e-7 of it, is not accounted. The integer rule has neither weakness.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from dp_accounting import NeighboringRelation
from dp_accounting.pld import privacy_loss_distribution as pld
from opacus.grad_sample import GradSampleModule, GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping, DPPerLayerOptimizer
from opacus.utils.fast_gradient_clipping_utils import DPTensorFastGradientClipping
from torch import nn

from ..data import Federation
from ..learning import TrainConfig, Weights, average, initial_weights, network
from .accounting import epsilon_of, sampled_divergences
from .layers import Allocation, adapt, allocate, public_clips, with_counts
from .randomness import Draw, gaussian, poisson_batch

_COARSE = 1e-3  # grid of the privacy loss; rounded upwards, so epsilon is only ever too large
_LARGEST = 1e4  # noise multiplier


@dataclass(frozen=True)
class PrivateConfig:
    """Settings of mechanism (b), public and fixed before training.

    model: as TrainConfig.   rounds, steps (per round), batch_rows (expected) >= 1.   learning_rate > 0.
    momentum in [0, 1).   seed: of the initial weights, nothing else.
    clip > 0: the norm sqrt(sum_l C_l^2), at first split over the layers by `public_clips`.
    clipping: "layers", "flat" (one norm for a row's whole gradient) or "ghost" (flat, without a gradient per row in memory).
    quantile: None, or the share of rows that "layers" leaves unclipped, to which each C_l adapts at quantile_rate, from
    noisy counts that are given count_share of 1/z^2, in (0, 1).
    """

    model: str = "mlp"
    rounds: int = 5
    steps: int = 8
    batch_rows: int = 64
    learning_rate: float = 0.2
    momentum: float = 0.9
    clip: float = 1.0
    clipping: str = "layers"
    quantile: float | None = None
    quantile_rate: float = 0.2
    count_share: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("rounds", "steps", "batch_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("learning_rate", "clip", "quantile_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected above 0 and finite, got {getattr(self, name)}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum: expected in [0, 1), got {self.momentum}")
        if self.clipping not in ("layers", "flat", "ghost"):
            raise ValueError(f"clipping: expected 'layers', 'flat' or 'ghost', got {self.clipping!r}")
        if self.quantile is not None and (self.clipping != "layers" or not 0 < self.quantile < 1):
            raise ValueError(f"quantile: expected in (0, 1), with clipping 'layers', got {self.quantile}")
        if not 0 < self.count_share < 1:
            raise ValueError(f"count_share: expected in (0, 1), got {self.count_share}")

    def sample_rate(self, rows: int) -> float:
        """batch_rows / rows. ValueError if the batch is larger than the silo."""
        if self.batch_rows > rows:
            raise ValueError(f"batch larger than the silo: batch_rows {self.batch_rows}, rows {rows}")
        return self.batch_rows / rows


def row_losses(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Logistic loss of each row, (B,). logits (B,) or (B, 1), y (B,).

    Flat because opacus' ghost clipping multiplies a (B,) clip factor with it: a (B, 1) loss becomes (B, B), every row is
    scaled by the sum of all factors, and no error tells. ValueError on shapes, NaN and infinity.
    """
    flat = logits.reshape(-1)
    if y.ndim != 1 or flat.shape != y.shape:
        raise ValueError(f"expected a logit and a label per row, got {tuple(logits.shape)}, {tuple(y.shape)}")
    losses = nn.functional.binary_cross_entropy_with_logits(flat, y.to(flat.dtype), reduction="none")
    if not (finite := torch.isfinite(losses)).all():
        raise ValueError(f"loss: expected finite numbers, got NaN or infinity in {int((~finite).sum())} rows")
    return losses


class _Trusted:
    """Noise of an `Allocation` from `draw`, for any opacus optimizer: mixed in before it."""

    def allot(self, allocation: Allocation, draw: Draw) -> None:
        self.allocation, self.draw = allocation, draw
        self.max_grad_norms = list(allocation.clips)

    def add_noise(self) -> None:
        for p, std in zip(self.params, self.allocation.stds, strict=True):  # type: ignore[attr-defined]
            noise = std * gaussian(p.shape, self.draw) if std else torch.zeros(p.shape)
            p.grad = (p.summed_grad + noise).to(p.dtype).view_as(p)
            if not torch.isfinite(p.grad).all():
                raise ValueError("gradient: expected finite numbers, got NaN or infinity")


class _Flat(_Trusted, DPOptimizer): ...


class _Ghost(_Trusted, DPOptimizerFastGradientClipping): ...


class _Layers(_Trusted, DPPerLayerOptimizer):
    def clip_and_accumulate(self) -> None:
        norms = [g.flatten(start_dim=1).norm(dim=1) for g in self.grad_samples]
        pairs = zip(norms, self.allocation.clips, strict=True)
        self.within = np.array([float((n <= c).sum()) - len(n) / 2 for n, c in pairs])
        super().clip_and_accumulate()


def train_private(
    weights: Weights, x: np.ndarray, y: np.ndarray, config: PrivateConfig, multiplier: float, draw: Draw,
    clips: np.ndarray | None = None
) -> tuple[Weights, np.ndarray]:  # fmt: skip
    """One hospital's round: config.steps noisy steps. Returns (weights, the layers' clip norms to go on with).

    multiplier z >= 0: from `calibrate`; 0 trains without noise, for comparison only.   clips (layers,): None at first.
    """
    if not 0 <= multiplier <= _LARGEST:
        raise ValueError(f"multiplier: expected 0 to {_LARGEST:g}, got {multiplier}")
    rate = config.sample_rate(len(x))
    net = network(config.model, x.shape[1])
    net.load_state_dict(weights)
    sizes = [p.numel() for p in net.parameters()]
    if clips is None:
        clips = public_clips(config.clip, [p.shape for p in net.parameters()])
    own, count_std = multiplier, 0.0
    if config.quantile is not None:
        own, count_std = with_counts(multiplier, config.count_share, len(sizes))
    module, optimizer = _private(net, config)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(y.astype(np.float32))
    for _ in range(config.steps):
        optimizer.allot(_allocation(config, clips, sizes, own), draw)
        chosen = poisson_batch(len(x), rate, draw)
        optimizer.zero_grad()
        _differentiate(module, optimizer, inputs[chosen].requires_grad_(), labels[chosen])  # else hooks warn
        optimizer.step()
        if config.quantile is not None:
            counts = optimizer.within + count_std * gaussian(clips.shape, draw).numpy()
            clips = adapt(clips, counts / config.batch_rows + 0.5, config.quantile, config.quantile_rate)
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}, clips


def _allocation(config: PrivateConfig, clips: np.ndarray, sizes: list[int], multiplier: float) -> Allocation:
    if config.clipping == "layers":
        return allocate(clips.tolist(), sizes, multiplier)
    return Allocation((config.clip,), (multiplier * config.clip,) * len(sizes), tuple(sizes))


def _differentiate(module: nn.Module, optimizer: DPOptimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    """Gradients per row, or with ghost clipping their clipped sum, to where the optimizer looks for them."""
    if len(x) == 0:
        for p in optimizer.params:
            p.grad_sample, p.grad = torch.zeros((0, *p.shape)), torch.zeros_like(p)
        return
    losses = row_losses(module(x), y)
    if isinstance(optimizer, _Ghost):
        DPTensorFastGradientClipping(module, optimizer, losses, "sum").backward()
    else:
        losses.sum().backward()


def _private(net: nn.Module, config: PrivateConfig):
    sgd = torch.optim.SGD(net.parameters(), lr=config.learning_rate, momentum=config.momentum)
    common = {"noise_multiplier": 0.0, "expected_batch_size": config.batch_rows, "loss_reduction": "mean"}
    if config.clipping == "ghost":
        module = GradSampleModuleFastGradientClipping(net, max_grad_norm=config.clip, loss_reduction="sum")
        return module, _Ghost(sgd, max_grad_norm=config.clip, **common)
    module = GradSampleModule(net, loss_reduction="sum")
    if config.clipping == "flat":
        return module, _Flat(sgd, max_grad_norm=config.clip, **common)
    return module, _Layers(sgd, max_grad_norm=[1.0] * len(list(net.parameters())), **common)


def claim(config: PrivateConfig, rows: int, multiplier: float, delta: float) -> float:
    """Epsilon of all rounds * steps releases on a hospital of `rows` rows, as its ledger composes them (Renyi), replace-one.

    ValueError for multiplier <= 0 or delta outside (0, 1/rows).
    """
    _check(rows, multiplier, delta)
    each = sampled_divergences(multiplier, config.sample_rate(rows))
    return epsilon_of(config.rounds * config.steps * each, delta)


def _check(rows: int, multiplier: float, delta: float) -> None:
    if not 0 < delta < 1 / rows:
        raise ValueError(f"delta: expected above 0 and below 1/rows = {1 / rows:.3g}, got {delta}")
    if not 0 < multiplier <= _LARGEST:
        raise ValueError(f"multiplier: expected above 0, at most {_LARGEST:g}, got {multiplier}")


@cache
def _composed(multiplier: float, rate: float, releases: int) -> pld.PrivacyLossDistribution:
    step = pld.from_gaussian_mechanism(
        multiplier,
        sampling_prob=rate,
        value_discretization_interval=_COARSE,
        neighboring_relation=NeighboringRelation.REPLACE_ONE,
    )
    return step.self_compose(releases)


def epsilon(config: PrivateConfig, rows: int, multiplier: float, delta: float) -> float:
    """The same by dp-accounting's privacy-loss distribution: sharper than `claim`, and what nothing can be proven above.

    Pair of distributions: mixtures of N(0, z^2) and N(+-1, z^2), the replaced row's gradients being opposite: the worst case
    without sampling, and with it the one that dp-accounting takes (its word, not proved here).
    ValueError for multiplier <= 0 or delta outside (0, 1/rows).
    """
    _check(rows, multiplier, delta)
    composed = _composed(multiplier, config.sample_rate(rows), config.rounds * config.steps)
    return float(composed.get_epsilon_for_delta(delta))


@cache
def calibrate(config: PrivateConfig, rows: int, target: float, delta: float) -> float:
    """The smallest noise multiplier, within 1%, whose `claim` is at most `target`. ValueError for target <= 0."""
    if not 0 < target < float("inf"):
        raise ValueError(f"epsilon: expected above 0, got {target}")
    low, high = 0.3, 1.0
    while claim(config, rows, high, delta) > target:
        low, high = high, 2 * high
    while high > 1.01 * low:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if claim(config, rows, middle, delta) <= target else (middle, high)
    return high


def private_federated(
    federation: Federation, config: PrivateConfig, target: float, delta: float, draw: Draw
) -> Weights:
    """FedAvg in which every hospital spends (target, delta) on its own; noise is calibrated to its own rows.

    target infinite: clipping without noise, for comparison only.
    """
    weights = initial_weights(
        TrainConfig(model=config.model, seed=config.seed), len(federation.feature_names)
    )
    rows = [len(silo.y_train) for silo in federation.silos]
    multipliers = [calibrate(config, n, target, delta) if target < np.inf else 0.0 for n in rows]
    clips: list[np.ndarray | None] = [None] * len(rows)
    for _ in range(config.rounds):
        updates = []
        for i, (silo, z) in enumerate(zip(federation.silos, multipliers, strict=True)):
            update, clips[i] = train_private(weights, silo.x_train, silo.y_train, config, z, draw, clips[i])
            updates.append(update)
        weights = average(updates, rows)
    return weights
