"""Merkle trees and multiproofs against a second, recursive implementation that opens leaf by leaf."""

import secrets

import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark import merkle
from bfl_ref.stark.field import random_base
from bfl_ref.stark.rejections import BadMerklePath


def recursive_root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    return keccak(b"\x01" + recursive_root(leaves[:half]) + recursive_root(leaves[half:]))[:26]


def tree_of(count: int, salted: bool = True):
    columns = random_base((3, count), secrets.token_bytes)
    salts = np.frombuffer(secrets.token_bytes(16 * count), dtype=np.uint8).reshape(count, 16)
    return columns, salts, merkle.build(merkle.hash_leaves(columns, salts if salted else None))


@pytest.mark.parametrize("salted", [True, False])
def test_root_equals_recursive_definition(salted):
    columns, salts, tree = tree_of(16, salted)
    leaves = []
    for i in range(16):
        elements = b"".join(int(c).to_bytes(4, "big") for c in columns[:, i])
        leaves.append(keccak(b"\x00" + elements + (salts[i].tobytes() if salted else b""))[:26])
    assert [leaf.tobytes() for leaf in tree.levels[0]] == leaves
    assert tree.root == recursive_root(leaves)


@given(st.integers(0, 6), st.data())
@settings(deadline=None, max_examples=60)
def test_multiproof_of_any_positions_leads_to_the_root(depth, data):
    _, _, tree = tree_of(1 << depth)
    chosen = data.draw(st.sets(st.integers(0, (1 << depth) - 1), min_size=1))
    positions = np.array(sorted(chosen))
    leaves, nodes = tree.levels[0][positions], tree.open(positions)
    merkle.check_paths("main", tree.root, depth, positions, leaves, nodes)
    # No proof is longer than one path for each leaf, and all leaves together need none.
    assert len(nodes) <= depth * len(positions)
    if len(positions) == 1 << depth:
        assert len(nodes) == 0


@given(st.integers(2, 6), st.data())
@settings(deadline=None, max_examples=60)
def test_multiproof_with_any_change_is_refused(depth, data):
    _, _, tree = tree_of(1 << depth)
    chosen = data.draw(st.sets(st.integers(0, (1 << depth) - 1), min_size=1, max_size=5))
    positions = np.array(sorted(chosen))
    leaves, nodes = tree.levels[0][positions].copy(), tree.open(positions).copy()
    at = positions
    kinds = ["leaf", "root", "surplus", "fewer leaves", *(["node", "missing"] if len(nodes) else [])]
    root, kind = tree.root, data.draw(st.sampled_from(kinds))
    if kind == "leaf":
        leaves[data.draw(st.integers(0, len(leaves) - 1)), data.draw(st.integers(0, 25))] ^= 1
    elif kind == "node":
        nodes[data.draw(st.integers(0, len(nodes) - 1)), data.draw(st.integers(0, 25))] ^= 1
    elif kind == "root":
        root = bytes([root[0] ^ 1]) + root[1:]
    elif kind == "surplus":
        nodes = np.concatenate([nodes, nodes[:1] if len(nodes) else leaves[:1]])
    elif kind == "missing":
        nodes = nodes[:-1]
    else:
        leaves = leaves[:-1]
    with pytest.raises(BadMerklePath, match=r"^main: expected"):
        merkle.check_paths("main", root, depth, at, leaves, nodes)


def test_leaf_that_equals_two_children_is_no_node():
    """Without domain separation a leaf could pose as an inner node and a shorter tree as this one."""
    children = merkle.hash_leaves(random_base((2, 2), secrets.token_bytes))
    data = children.tobytes()
    assert keccak(data)[:26] != merkle.hash_nodes(children)[0].tobytes()
    padded = np.frombuffer(data, dtype=">u4").astype(np.uint32).reshape(13, 1)
    assert (merkle.hash_leaves(padded)[0] != merkle.hash_nodes(children)[0]).any()


def test_tree_of_no_power_of_two_raises():
    with pytest.raises(ValueError, match="power of two, got 3"):
        merkle.build(merkle.hash_leaves(random_base((1, 3), secrets.token_bytes)))
