"""The public file of a hospital's leaves: what an auditor checks segments and consent by, seeing no row.

file = leaves (n, halves, 8) of field elements, in row order;   resource of a row: its leaf, or the hash of both halves'
"""

import numpy as np
from eth_utils import keccak

from .chain.records import Content
from .consent import resource_of
from .fixed_point import Rows, digest_bytes, segment_digest, segments_of
from .stark.field import F, P, to_bytes
from .statements.poseidon2 import DIGEST
from .store import Store, pack, unpack

_KIND = {"kind": "leaves"}


class MalformedLeaves(ValueError):
    """Bytes that are no file of leaves, or not the one that was registered. why."""

    def __init__(self, why: object) -> None:
        super().__init__(f"no file of leaves: {why}")
        self.why = why


def leaves_file(rows: Rows) -> bytes:
    return pack({"leaves": rows.leaves().view(np.ndarray)}, _KIND)


def read_leaves(store: Store, content: Content) -> F:
    """(n, halves, 8) of the file that was registered. MalformedLeaves; what the store raises."""
    data = store.get(content.cid)
    if keccak(data) != content.digest:
        raise MalformedLeaves("another digest than the registered one")
    try:
        arrays, kind = unpack(data)
        leaves = arrays["leaves"]
    except (ValueError, KeyError) as error:
        raise MalformedLeaves(error) from None
    shape = len(leaves.shape) == 3 and leaves.shape[1] in (1, 2) and leaves.shape[2] == DIGEST
    if kind != _KIND or len(arrays) != 1 or leaves.dtype != np.uint32 or not shape or not len(leaves):
        raise MalformedLeaves(f"{kind}, {leaves.dtype}, shape {leaves.shape}")
    if (leaves >= P).any():
        raise MalformedLeaves("a number that is no field element")
    return leaves.view(F)


def segments_over(leaves: F) -> tuple[bytes, ...]:
    """The digests that a registration of these leaves (n, halves, 8) has."""
    halves = leaves.shape[1]
    parts = (leaves[part].reshape(-1, DIGEST).view(F) for part in segments_of(len(leaves)))
    return tuple(digest_bytes(segment_digest(part, halves)) for part in parts)


def resources(leaves: F) -> list[bytes]:
    """What each row is called in consents, in row order. leaves (n, halves, 8)."""
    return [resource_of(to_bytes(row)) for row in leaves]
