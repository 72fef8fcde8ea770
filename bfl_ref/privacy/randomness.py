"""Random numbers from bytes: the caller says where these come from, the operating system or, in a test, a seed."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

Draw = Callable[[int], bytes]
"""draw(k): k random bytes. `os.urandom` in production; a seeded one (np.random.default_rng(0).bytes) is no privacy."""


def gaussian(shape: Sequence[int], draw: Draw) -> torch.Tensor:
    """Standard normals, float64: the sum of four, halved, each by Box and Muller from 53-bit uniforms of `draw`."""
    count = int(np.prod(shape))
    u = (np.frombuffer(draw(4 * 2 * 8 * count), np.uint64).reshape(2, 4, count) >> np.uint64(11)) + 0.5
    radius, angle = np.sqrt(-2 * np.log(u[0] * 2.0**-53)), 2 * np.pi * 2.0**-53 * u[1]
    return torch.from_numpy((radius * np.cos(angle)).sum(axis=0).reshape(shape) / 2)


def poisson_batch(rows: int, rate: float, draw: Draw) -> torch.Tensor:
    """Row numbers, each taken with probability `rate`, independently. May be empty."""
    u = (np.frombuffer(draw(8 * rows), np.uint64) >> np.uint64(11)) * 2.0**-53
    return torch.from_numpy(np.flatnonzero(u < rate))
