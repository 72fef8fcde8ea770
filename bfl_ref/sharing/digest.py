"""The digest that binds a share to the release proof and lets a contract close a complaint.

    e = share | salt, cut into blocks of 8;   h = (4, 0, 0, 0, 0, 0, 0, 0);   for each block b: h = compress(h | b)

The salt is at least 4 elements (124 bits) and fills the last block, so the number of blocks depends on n alone. It hides
shares that could be guessed; 4 in the first element tells these digests from the other Poseidon2 digests of the protocol.
"""

import numpy as np

from ..fixed_point.digests import absorb
from ..stark.field import F
from ..statements.poseidon2 import DIGEST, compress

SHARE_TAG = 4
LEAST_SALT = 4
_START = F([SHARE_TAG] + [0] * (DIGEST - 1))


def salt_length(n: int) -> int:
    """The smallest number >= 4 of salt elements that fills n + salt up to a multiple of 8: 4 to 11."""
    if n < 0:
        raise ValueError(f"expected n >= 0, got {n}")
    return LEAST_SALT + -(n + LEAST_SALT) % DIGEST


def digest(shares: F, salts: F) -> F:
    """(..., 8) field: the digests of shares (..., n) under salts (..., salt_length(n)), uniform and used once. Compiled.

    ValueError on shapes that do not fit.
    """
    blocks = _blocks(shares, salts)
    flat = blocks.reshape(-1, *blocks.shape[-2:])
    return np.stack([absorb(_START, each) for each in flat]).reshape(*shares.shape[:-1], DIGEST).view(F)


def digest_plain(shares: F, salts: F) -> F:
    """What `digest` computes, by definition, for all shares side by side."""
    blocks = np.moveaxis(_blocks(shares, salts), (-2, -1), (0, 1))  # (blocks, 8, ...)
    h = np.broadcast_to(_START.reshape(DIGEST, *[1] * (shares.ndim - 1)), blocks.shape[1:])
    for block in blocks:
        h = compress(np.concatenate([h, block]).view(F))
    return np.moveaxis(h, 0, -1).view(F)


def _blocks(shares: F, salts: F) -> F:
    """(..., blocks, 8)"""
    expected = (*shares.shape[:-1], salt_length(shares.shape[-1]))
    if salts.shape != expected:
        raise ValueError(f"salts: expected shape {expected}, got {salts.shape}")
    return np.concatenate([shares, salts], axis=-1).reshape(*shares.shape[:-1], -1, DIGEST).view(F)
