"""Noise that a circuit can check: table draws from PRG(committed seed, beacon r1, step).

    (e0, e1, ...) = compress(seed | r1 | step | j | 0 | 2)        per weight slot j
    d0, d1 = e0 & 4095, e0 >> 12 & 4095      d2, d3 = e1 & 4095, e1 >> 12 & 4095
    nu_j = sum_k scale_k T[d_k]

Each d is uniform on 0..4095 up to 2^-31 (p = 120 2^24 + 1), so the distribution of nu is that of a sum of four known
tables: mean 0, standard deviation `Hyper.noise_std`, near to a Gaussian up to tails that end at 3.67 sum_k scale_k.
"""

import numpy as np

from ..stark.field import F, P
from ..statements.poseidon2 import DIGEST, WIDTH
from .digests import BEACON_ELEMENTS, NOISE_TAG, compress_each
from .rule import DRAWS, NOISE_TABLE, TABLE, Hyper

DRAW_BITS = 12


def draw_inputs(seed: F, r1: F, step: int, slots: int) -> F:
    """(slots, 16): what is compressed for each weight slot. seed (8,), r1 (4,)."""
    if seed.shape != (DIGEST,) or r1.shape != (BEACON_ELEMENTS,):
        raise ValueError(f"expected a seed of 8 and a beacon of 4 elements, got {seed.shape} and {r1.shape}")
    if not 0 <= step < P:
        raise ValueError(f"step: expected 0 to p - 1, got {step}")
    raw = np.zeros((slots, WIDTH), np.uint32)
    raw[:, :8], raw[:, 8:12], raw[:, 12] = seed, r1, step
    raw[:, 13], raw[:, 15] = np.arange(slots), NOISE_TAG
    return raw.view(F)


def draws(seed: F, r1: F, step: int, slots: int) -> np.ndarray:
    """d_0 .. d_3 of each weight slot. (slots, 4) int64 in 0..4095."""
    out = compress_each(draw_inputs(seed, r1, step, slots)).view(np.ndarray).astype(np.int64)
    return (out[:, : DRAWS // 2, None] >> np.array([0, DRAW_BITS]) & TABLE - 1).reshape(slots, DRAWS)


def noise(seed: F, r1: F, step: int, slots: int, hyper: Hyper) -> np.ndarray:
    """nu_j in units of 2^-16 of the summed gradient. (slots,) int64; zeros if hyper.noise is 0."""
    if hyper.noise == 0:
        return np.zeros(slots, np.int64)
    return NOISE_TABLE[draws(seed, r1, step, slots)] @ np.array(hyper.scales)
