"""Merkle trees as OpenZeppelin's MerkleProof checks them: Keccak-256, leaves hashed twice, pairs sorted.

leaf = keccak256(keccak256(data));   node i = H(node 2i, node 2i + 1), i = 1 .. n - 1;   nodes n .. 2n - 1: n leaves
"""

from collections.abc import Sequence

from eth_utils import keccak


def merkle_tree(data: Sequence[bytes]) -> list[bytes]:
    """All nodes, the root at 1, nothing at 0. ValueError for no data."""
    n = len(data)
    if n < 1:
        raise ValueError("expected at least one leaf, got none")
    tree = [b""] * n + [keccak(keccak(each)) for each in data]
    for i in range(n - 1, 0, -1):
        tree[i] = keccak(b"".join(sorted(tree[2 * i : 2 * i + 2])))
    return tree


def merkle_path(tree: Sequence[bytes], leaf: int) -> tuple[bytes, ...]:
    """Siblings from leaf number `leaf` up to the root."""
    node, path = len(tree) // 2 + leaf, []
    while node > 1:
        path.append(tree[node ^ 1])
        node //= 2
    return tuple(path)
