"""Poseidon2 digests of the protocol: chains, states, seed, beacon. A digest is 8 elements, or 32 bytes.

    chain(h, blocks):  for each block of 8 elements: h = compress(h | block)
    state digest       = chain(salt, blocks (w_6s .. w_6s+5 mod p | 0 | 3))
    seed commitment    = compress(seed | 0 0 0 0 0 0 0 | 1)

The last element separates the uses: 1 commits to a seed, 2 draws noise, 3 digests weights.
"""

import numpy as np

from ..stark.fast import poseidon2 as fast
from ..stark.field import F, P, base, from_bytes, to_bytes
from ..statements.poseidon2 import DIAGONAL, DIGEST, EXTERNAL, INTERNAL, WIDTH, compress
from .rule import HALF_SLOTS

BLOCK_WEIGHTS = 6
SEED_TAG, NOISE_TAG, STATE_TAG = 1, 2, 3
BEACON_ELEMENTS = 4


def compress_each(raw: F) -> F:
    """compress along the last axis: (..., 16) -> (..., 8). Compiled."""
    flat = fast.compress(raw.reshape(-1, WIDTH).view(F), EXTERNAL, INTERNAL, DIAGONAL)
    return flat.reshape(*raw.shape[:-1], DIGEST).view(F)


def absorb(start: F, blocks: F) -> F:
    """(8,): h = compress(h | block) over blocks (n, 8), beginning with h = start (8,). Compiled."""
    return absorb_all(start, blocks)[-1]


def absorb_all(start: F, blocks: F) -> F:
    """(n + 1, 8): h before each block, and after the last."""
    _shape("start", start, (DIGEST,))
    _shape("blocks", blocks, (len(blocks), DIGEST))
    return fast.absorb(start, blocks, EXTERNAL, INTERNAL, DIAGONAL)


def absorb_plain(start: F, blocks: F) -> F:
    """What `absorb` computes, by definition."""
    h = start
    for block in blocks:
        h = compress(np.concatenate([h, block]).view(F))
    return h


def state_blocks(weights: np.ndarray) -> F:
    """(6 halves, 8): six weights mod p, 0, 3. weights (36 halves,) integers."""
    if weights.ndim != 1 or len(weights) == 0 or len(weights) % HALF_SLOTS:
        raise ValueError(f"expected a multiple of {HALF_SLOTS} weights, got shape {weights.shape}")
    blocks = np.zeros((len(weights) // BLOCK_WEIGHTS, DIGEST), np.uint32)
    blocks[:, :BLOCK_WEIGHTS] = (weights.astype(np.int64) % P).reshape(-1, BLOCK_WEIGHTS)
    blocks[:, -1] = STATE_TAG
    return blocks.view(F)


def state_digest(weights: np.ndarray, salt: F) -> F:
    """(8,) of weights (36 halves,) under a salt (8,); the salt of a public model is zero."""
    return absorb(salt, state_blocks(weights))


def seed_commitment(seed: F) -> F:
    """(8,) of the noise seed (8,). The seed is uniform, so no salt is needed to hide it."""
    _shape("seed", seed, (DIGEST,))
    rest = base([0] * (WIDTH - DIGEST - 1) + [SEED_TAG])
    return compress_each(np.concatenate([seed, rest]).view(F))


def digest_bytes(digest: F) -> bytes:
    """32 bytes, each element 4 bytes big-endian, element 0 first."""
    _shape("digest", digest, (DIGEST,))
    return to_bytes(digest)


def digest_elements(data: bytes) -> F:
    """Inverse of `digest_bytes`. ValueError on another length, or an element that is not below p."""
    if len(data) != 4 * DIGEST:
        raise ValueError(f"expected a digest of {4 * DIGEST} bytes, got {len(data)}")
    return from_bytes(data)


def beacon_elements(beacon: bytes) -> F:
    """(4,): the first four 32-bit big-endian words of the beacon r1 (32 bytes), each without its two top bits."""
    if len(beacon) != 32:
        raise ValueError(f"expected a beacon of 32 bytes, got {len(beacon)}")
    words = np.frombuffer(beacon, dtype=">u4", count=BEACON_ELEMENTS) & 0x3FFFFFFF
    return words.astype(np.uint32).view(F)


def _shape(name: str, array: F, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise ValueError(f"{name}: expected shape {expected}, got {array.shape}")
