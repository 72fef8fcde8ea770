"""The protocol's noise as it is drawn: the exact distribution of nu = sum_k scale_k T[d_k] on the integers.

    P[nu = i] = (t_0 * t_1 * t_2 * t_3)(i),   t_k the 4096 equal masses of scale_k T       (* convolution, by FFT)

d_0, d_1 are the 24 low bits of one field element and p = 120 2^24 + 1, so the draw (0, 0) comes up 121 times where any other
comes up 120 times: t_0 * t_1 is that convolution times 1 - 1/p plus 1/p at (scale_0 + scale_1) T[0]. Likewise t_2 * t_3.
This is exact if the 8 elements that `compress` gives are uniform, which is what is assumed of Poseidon2 with a secret seed.
Rounding of the FFT: below 1e-21 absolutely, where the masses that count are above 1e-15 (a test compares with exact sums).
"""

from functools import lru_cache

import numpy as np
from scipy import fft

from ..fixed_point import NOISE_TABLE, Hyper
from ..stark.field import P


@lru_cache(maxsize=2)
def pmf(noise: int, copies: int = 1) -> np.ndarray:
    """P[nu_1 + .. + nu_copies = i - h] for independent nu of scale `noise`. (2 h + 1,) float64, h the largest value of
    the sum.

    noise: 1..4000 as in `Hyper`.   copies: independent draws that are added, at least 1.   Memory 16 (2 h + 1) bytes at
    work, h = 2196 copies (4 noise + 12); some 3 s for noise 1000. ValueError for noise 0 or copies below 1.
    """
    scales = Hyper(1, 256, 1, noise).scales
    if noise == 0 or copies < 1:
        raise ValueError(f"expected noise and copies of at least 1, got {noise} and {copies}")
    top = copies * sum(scales) * int(NOISE_TABLE.max())
    size = fft.next_fast_len(2 * top + 1, real=True)
    spectrum = _pair(scales[0], scales[1], size)
    spectrum *= _pair(scales[2], scales[3], size)
    if copies > 1:
        spectrum = spectrum**copies
    circular = fft.irfft(spectrum, size)
    masses = np.maximum(np.concatenate([circular[-top:], circular[: top + 1]]), 0.0)
    masses.flags.writeable = False  # it is shared by the cache
    return masses


def std(noise: int, copies: int = 1) -> float:
    """Standard deviation of the sum, in units of 2^-16 of the summed gradient."""
    return Hyper(1, 256, 1, noise).noise_std * copies**0.5


def _pair(a: int, b: int, size: int) -> np.ndarray:
    """Transform of the law of a T[d] + b T[d'], (d, d') the 24 low bits of a uniform field element."""
    spectrum = _table(a, size)
    spectrum *= _table(b, size)
    spectrum *= 1 - 1 / P
    point = np.zeros(size)
    point[(a + b) * int(NOISE_TABLE[0]) % size] = 1 / P
    spectrum += fft.rfft(point)
    return spectrum


def _table(scale: int, size: int) -> np.ndarray:
    masses = np.zeros(size)
    np.add.at(masses, scale * NOISE_TABLE % size, 1 / len(NOISE_TABLE))
    return fft.rfft(masses)
