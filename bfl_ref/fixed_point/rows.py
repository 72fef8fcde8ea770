"""A hospital's rows as integers, their salted leaves and the digests of their segments.

leaf of a half row:  bytes u_s = v_s + 128 (slots 0..34), u_35 = label in a row's last half, else 0
                     e_k = u_3k + 256 u_3k+1 + 65536 u_3k+2   (k = 0..11)
                     leaf = compress(e_4 .. e_11 | e_0 .. e_3 | salt(4))
segment digest:      absorb(1 0 0 0 0 0 0 0, leaves of 512 rows in order, a row's half 0 before its half 1)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..stark.field import F, base, random_base
from ..statements.poseidon2 import DIGEST
from .digests import absorb, compress_each
from .rule import BIAS, BIAS_SLOT, FEATURE_BITS, HALF_SLOTS, NORM, SEGMENT_ROWS, halves_of, slots_of

FEATURE_LIMIT = 127
SALT = 4
PACKED = 12  # elements of a packed half row
_ROLL = 4  # e_4 comes first
_OFFSET = 128


def quantise(x: np.ndarray) -> np.ndarray:
    """v = 32 x to the nearest (half to even), within +-127; a row above norm 4 (bias included) is scaled down.

        v <- trunc(v sqrt((128^2 - 32^2) / sum v^2))       where sum v^2 > 128^2 - 32^2

    x (n, d) finite floats -> (n, 36 halves) int8: the slots of the features, 32 in the bias slot, 0 in all others.
    Row by row, float64 with correctly rounded operations only: the same on every machine.
    ValueError above 64 features or for a value that is not finite.
    """
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"expected finite features of shape (n, d), got shape {x.shape}")
    halves = halves_of(x.shape[1])
    scaled = np.clip(np.rint(x.astype(np.float64) * (1 << FEATURE_BITS)), -FEATURE_LIMIT, FEATURE_LIMIT)
    square, room = (scaled * scaled).sum(axis=1), float(NORM**2 - BIAS**2)
    shrink = np.sqrt(room / np.maximum(square, room))  # exactly 1 for rows that fit
    v = np.zeros((len(x), HALF_SLOTS * halves), np.int8)
    v[:, slots_of(x.shape[1])] = np.trunc(scaled * shrink[:, None])
    v[:, BIAS_SLOT] = BIAS
    return v


def pack_half(v_half: np.ndarray, label: np.ndarray | int) -> F:
    """(..., 12): the elements e_0 .. e_11 of half rows (..., 36). label (...,): 0 or 1, 0 for a half that is not the last.

    The last slot of v_half is not packed: it is 32 or 0 by its position.
    """
    octets = v_half.astype(np.int64) + _OFFSET
    octets[..., -1] = label
    return (
        (octets.reshape(*octets.shape[:-1], PACKED, 3) @ (1 << np.array([0, 8, 16])))
        .astype(np.uint32)
        .view(F)
    )


def leaf_inputs(v: np.ndarray, y: np.ndarray, salts: F) -> F:
    """(n, halves, 16): what is compressed to each leaf. v (n, 36 halves), y (n,), salts (n, halves, 4)."""
    n, halves = salts.shape[:2]
    labels = np.zeros((n, halves), np.int64)
    labels[:, -1] = y
    packed = pack_half(v.reshape(n, halves, HALF_SLOTS), labels)
    return np.concatenate([np.roll(packed, -_ROLL, axis=-1), salts], axis=-1).view(F)


@cache
def padding_leaf() -> F:
    """(8,): the leaf of a half of a padding row: v = 0, label 0, salt 0."""
    blank = np.zeros((1, HALF_SLOTS), np.int8), np.zeros(1, np.int64)
    return compress_each(leaf_inputs(*blank, np.zeros((1, 1, SALT), np.uint32).view(F)))[0, 0]


def segment_digest(leaves: F, halves: int) -> F:
    """(8,) of the leaves (m halves, 8) of a segment's m <= 512 rows, padded to 512 rows."""
    count, missing = len(leaves), SEGMENT_ROWS * halves - len(leaves)
    if leaves.shape != (count, DIGEST) or count % halves or missing < 0:
        raise ValueError(f"expected up to {SEGMENT_ROWS} rows of {halves} leaves, got shape {leaves.shape}")
    padding = np.broadcast_to(padding_leaf(), (missing, DIGEST))
    start = base([1] + [0] * (DIGEST - 1))
    return absorb(start, np.concatenate([leaves, padding]).view(F))


def segments_of(rows: int) -> list[slice]:
    """ceil(n / 512) segments of consecutive rows, the first n % segments one longer than the rest. ValueError below 1."""
    if rows < 1:
        raise ValueError(f"expected at least one row, got {rows}")
    count = -(-rows // SEGMENT_ROWS)
    sizes = [rows // count + (j < rows % count) for j in range(count)]
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]


@dataclass(frozen=True, eq=False)
class Rows:
    """A hospital's committed training rows.

    v (n, 36 halves) int8 as from `quantise`.   y (n,) in {0, 1}.   salts (n, halves, 4) field elements.
    """

    v: np.ndarray
    y: np.ndarray
    salts: F

    def __post_init__(self) -> None:
        n, halves = len(self.v), self.v.shape[1] // HALF_SLOTS
        shapes = (n, HALF_SLOTS * halves), (n,), (n, halves, SALT)
        if (self.v.shape, self.y.shape, self.salts.shape) != shapes or halves not in (1, 2):
            raise ValueError(
                f"v, y, salts: expected (n, 36 h), (n,), (n, h, {SALT}), h = 1 or 2; "
                f"got {self.v.shape}, {self.y.shape}, {self.salts.shape}"
            )
        if not np.isin(self.y, (0, 1)).all():
            raise ValueError(f"expected labels 0 and 1, got {np.unique(self.y)[:5].tolist()}")

    @property
    def halves(self) -> int:
        return self.v.shape[1] // HALF_SLOTS

    @property
    def segments(self) -> list[slice]:
        return segments_of(len(self.v))

    def leaves(self) -> F:
        """(n, halves, 8)"""
        return compress_each(leaf_inputs(self.v, self.y, self.salts))

    def digest(self, segment: int) -> F:
        """(8,): the digest of segment `segment`, counted from 0."""
        part = self.segments[segment]
        leaves = compress_each(leaf_inputs(self.v[part], self.y[part], self.salts[part]))
        return segment_digest(leaves.reshape(-1, DIGEST).view(F), self.halves)

    def only(self, which: np.ndarray) -> "Rows":
        """These rows, in new arrays. which (n,) bool or row numbers."""
        return Rows(self.v[which], self.y[which], self.salts[which].view(F))

    def forget(self, which: np.ndarray) -> None:
        """Overwrites salts, values and labels of these rows with zeros, in place. which (n,) bool or row numbers."""
        for array in (self.salts.view(np.ndarray), self.v, self.y):
            array[which] = 0


def commit_rows(x: np.ndarray, y: np.ndarray, rng: Callable[[int], bytes]) -> Rows:
    """Quantise x (n, d), y (n,) and draw a fresh salt for each leaf. rng(k): k random bytes."""
    v = quantise(x)
    return Rows(v, y.astype(np.int64), random_base((len(v), v.shape[1] // HALF_SLOTS, SALT), rng))
