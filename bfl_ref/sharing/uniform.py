"""Uniform field elements, exactly: from random bytes, or expanded from a seed.

    words of 4 bytes, little-endian, the top bit cleared; those that are p or more are skipped; the first n are kept

15 of 16 words are below p = 2^31 - 2^27 + 1. Taking larger ones modulo p instead would favour some values; a secret is
hidden perfectly only if nothing is favoured.
"""

from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from ..stark.field import F, P

SEED_BYTES = 32
_LOW_31 = np.uint32(0x7FFFFFFF)

Rng = Callable[[int], bytes]


def uniform(count: int, rng: Rng) -> F:
    """(count,) field, uniform if the bytes are.  rng(k): the next k bytes, asked for in multiples of 4.

    What is kept depends on the stream of bytes alone, not on how it is cut into calls.
    """
    kept = [np.zeros(0, np.uint32)]
    missing = count
    while missing > 0:
        words = np.frombuffer(rng(4 * (missing + missing // 14 + 16)), "<u4") & _LOW_31
        kept.append(words[words < P][:missing])
        missing -= len(kept[-1])
    return np.concatenate(kept).view(F)


def expand(seed: bytes, count: int) -> F:
    """(count,) field: `uniform` over the key stream of AES-256 in counter mode, key = seed, counter from 0, big-endian.

    A prefix of a longer expansion.   seed: 32 bytes, random and used for one vector only.   ValueError on another length.
    """
    if len(seed) != SEED_BYTES:
        raise ValueError(f"expected a seed of {SEED_BYTES} bytes, got {len(seed)}")
    stream = Cipher(AES(seed), CTR(bytes(16))).encryptor()
    return uniform(count, lambda size: stream.update(bytes(size)))
