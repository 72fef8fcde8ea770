"""Clip norm and noise of each layer of a model, and how clip norms find a quantile of the rows' gradient norms.

The layers of a step are ONE Gaussian release. In units of sigma_l one row adds at most s = sqrt(sum_l (C_l / sigma_l)^2) and
replacing it moves the step by 2 s; the noise multiplier is z = 1/s whatever the split.

Least total noise sum_l d_l sigma_l^2 for given z and C_l, d_l weights in layer l (Lagrange):

    sigma_l^2 = z^2 (sum_k C_k sqrt(d_k)) C_l / sqrt(d_l)         total: (z sum_l C_l sqrt(d_l))^2

which is at most z^2 (sum C_l^2) (sum d_l), what one flat norm sqrt(sum C_l^2) costs (Cauchy and Schwarz).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Allocation:
    """Clip norm C_l > 0, standard deviation sigma_l > 0 (or all 0: no noise) and number of weights d_l of each layer."""

    clips: tuple[float, ...]
    stds: tuple[float, ...]
    sizes: tuple[int, ...]

    @property
    def sensitivity(self) -> float:
        """sqrt(sum_l (2 C_l / sigma_l)^2): how far, in units of its noise, replacing one row moves a step that holds it."""
        return float(np.linalg.norm(2 * np.array(self.clips) / np.array(self.stds)))

    @property
    def total_variance(self) -> float:
        """sum_l d_l sigma_l^2, the expected squared norm of the noise."""
        return float(np.array(self.sizes) @ np.square(self.stds))


def public_clips(clip: float, shapes: Sequence[Sequence[int]]) -> np.ndarray:
    """C_l in proportion to sqrt(inputs) for a weight matrix (outputs, inputs) and to 1 for a bias, sqrt(sum C_l^2) = clip.

    One row's gradient of a linear layer is e x^T and e, so the two norms differ by |x|, of the order of sqrt(inputs).
    """
    parts = np.array([shape[1] if len(shape) > 1 else 1 for shape in shapes]) ** 0.5
    return clip * parts / np.linalg.norm(parts)


def allocate(clips: Sequence[float], sizes: Sequence[int], multiplier: float) -> Allocation:
    """Least total noise with sensitivity 2 / multiplier. ValueError on a clip norm that is not above 0."""
    c, root = np.array(clips, float), np.sqrt(np.array(sizes, float))
    if c.shape != root.shape or not (c > 0).all() or not multiplier >= 0:
        raise ValueError(
            f"expected a clip norm above 0 per layer and multiplier >= 0, got {clips}, {multiplier}"
        )
    stds = multiplier * np.sqrt((c @ root) * c / root)
    return Allocation(tuple(c.tolist()), tuple(stds.tolist()), tuple(sizes))


def adapt(clips: np.ndarray, shares: np.ndarray, quantile: float, rate: float) -> np.ndarray:
    """C_l exp(-rate (share_l - quantile)): falls while more than `quantile` of the rows lie within. Andrew et al. 2021.

    clips (layers,).   shares (layers,): (noisy) shares of rows whose gradient norm is at most C_l, cut to [0, 1].
    """
    return clips * np.exp(-rate * (np.clip(shares, 0, 1) - quantile))


def with_counts(multiplier: float, count_share: float, layers: int) -> tuple[float, float]:
    """(noise multiplier of the gradients, standard deviation of each count) that together have noise multiplier z.

    A count takes +-1/2 from each row, so L counts add L / (2 std)^2 = count_share / z^2 to the gradients'
    1/z_g^2 = (1 - count_share) / z^2. Andrew et al. 2021, theorem 1, there for one count.
    """
    return multiplier / (1 - count_share) ** 0.5, multiplier / 2 * (layers / count_share) ** 0.5
