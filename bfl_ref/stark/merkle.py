"""Merkle trees over the positions of a codeword, and one proof for many openings.

digest(m) = the first 26 bytes of keccak-256(m); leaf = digest(0x00 || elements || salt), node = digest(0x01
|| left || right). Elements are 4 bytes big-endian. Digests are uint8 arrays (count, 26).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from eth_utils import keccak

from .poly import log2
from .rejections import BadMerklePath

DIGEST_BYTES = 26
SALT_BYTES = 16

Nodes = np.ndarray  # (count, 26) uint8


def hash_leaves(columns: np.ndarray, salts: np.ndarray | None = None) -> Nodes:
    """digest(0x00 || columns[:, i] || salts[i]) for every leaf i.

    columns: (elements, leaves) uint32. salts: (leaves, 16) uint8, or None. Returns (leaves, 26).
    """
    rows = np.ascontiguousarray(columns.view(np.ndarray).T).astype(">u4")
    tails = [salt.tobytes() for salt in salts] if salts is not None else [b""] * len(rows)
    return _digests([b"\x00" + row.tobytes() + tail for row, tail in zip(rows, tails, strict=True)])


def hash_nodes(children: Nodes) -> Nodes:
    """digest(0x01 || left || right) of neighbouring pairs: (2 k, 26) -> (k, 26)."""
    pairs = children.reshape(-1, 2 * DIGEST_BYTES)
    return _digests([b"\x01" + pair.tobytes() for pair in pairs])


def _digests(messages: list[bytes]) -> Nodes:
    joined = b"".join(keccak(message)[:DIGEST_BYTES] for message in messages)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(messages), DIGEST_BYTES)


@dataclass(frozen=True)
class Tree:
    """levels[0]: the leaves' digests; each level has half the nodes of the one before; the last: the root."""

    levels: tuple[Nodes, ...]

    @property
    def root(self) -> bytes:
        return self.levels[-1][0].tobytes()

    def open(self, positions: np.ndarray) -> Nodes:
        """The nodes that lead from the leaves at `positions` to the root, in the order of use.

        positions: ascending, distinct.
        """
        used = []
        known = positions
        for level in self.levels[:-1]:
            lonely = _lonely(known)
            used.append(level[known[lonely] ^ 1])
            known = np.unique(known >> 1)
        return np.concatenate(used) if used else np.zeros((0, DIGEST_BYTES), dtype=np.uint8)


def build(leaves: Nodes, hash_nodes: Callable[[Nodes], Nodes] = hash_nodes) -> Tree:
    """The tree over leaf digests, a power of two of them."""
    log2(len(leaves))
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(hash_nodes(levels[-1]))
    return Tree(tuple(levels))


def check_paths(
    group: str, root: bytes, depth: int, positions: np.ndarray, leaves: Nodes, nodes: Nodes
) -> None:
    """BadMerklePath(group) unless leaves and nodes hash up to `root` over `depth` levels.

    positions: ascending, distinct, below 2^depth. leaves: (len(positions), 26) digests. All nodes must be
    used.
    """
    if len(leaves) != len(positions):
        raise BadMerklePath(group, f"expected {len(positions)} leaves, got {len(leaves)}")
    known, digests, taken = positions, leaves, 0
    for _ in range(depth):
        lonely = _lonely(known)
        missing = int(lonely.sum())
        if taken + missing > len(nodes):
            raise BadMerklePath(group, f"expected more than {len(nodes)} nodes")
        parents, parent_of = np.unique(known >> 1, return_inverse=True)
        children = np.empty((len(parents), 2, DIGEST_BYTES), dtype=np.uint8)
        children[parent_of, known & 1] = digests
        children[parent_of[lonely], (known[lonely] & 1) ^ 1] = nodes[taken : taken + missing]
        digests = hash_nodes(children.reshape(-1, DIGEST_BYTES))
        known, taken = parents, taken + missing
    if taken != len(nodes):
        raise BadMerklePath(group, f"expected {taken} nodes, got {len(nodes)}")
    if digests[0].tobytes() != root:
        raise BadMerklePath(group, f"expected root {root.hex()}, got {digests[0].tobytes().hex()}")


def _lonely(known: np.ndarray) -> np.ndarray:
    """Which of the ascending positions have a sibling that is not among them (boolean)."""
    parents = known >> 1
    with_next = np.zeros(len(known), dtype=bool)
    with_next[:-1] = parents[:-1] == parents[1:]
    with_previous = np.zeros(len(known), dtype=bool)
    with_previous[1:] = with_next[:-1]
    return ~(with_next | with_previous)
