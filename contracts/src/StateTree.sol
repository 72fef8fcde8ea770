// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The Merkle tree over the state digests that a hospital commits to. A leaf names its place, so a path shows which step it is of.
/// @dev Nodes pair from the left; one without a partner moves up as it is. Leaves and nodes differ in their first word.
library StateTree {
    bytes32 internal constant LEAF = keccak256("bfl.state.leaf");
    bytes32 internal constant NODE = keccak256("bfl.state.node");

    /// @dev Of which tree: chain, contract, round and hospital are in every leaf.
    struct Place {
        address verifyingContract;
        uint256 roundId;
        address hospital;
    }

    /// @notice keccak256(abi.encode(LEAF, chain id, contract, round, hospital, index, digest)).
    function leaf(Place memory place, uint256 index, bytes32 digest) internal view returns (bytes32) {
        return keccak256(
            abi.encode(LEAF, block.chainid, place.verifyingContract, place.roundId, place.hospital, index, digest)
        );
    }

    /// @notice The root over `states`, and the siblings on the way from leaf `index` to it.
    function rootAndPath(Place memory place, bytes32[] calldata states, uint256 index)
        internal
        view
        returns (bytes32 root, bytes32[] memory path)
    {
        uint256 count = states.length;
        bytes32[] memory layer = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            layer[i] = leaf(place, i, states[i]);
        }
        path = new bytes32[](_siblings(count, index));
        uint256 found = 0;
        for (; count > 1; count = (count + 1) / 2) {
            if (_sibling(index) < count) path[found++] = layer[_sibling(index)];
            for (uint256 i = 0; i < count; i += 2) {
                layer[i / 2] = i + 1 < count ? _node(layer[i], layer[i + 1]) : layer[i];
            }
            index /= 2;
        }
        root = layer[0];
    }

    /// @notice Whether `path` leads from leaf `index` of `count` to `root`, with no node left over.
    function leadsTo(bytes32 root, bytes32 node, uint256 index, uint256 count, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        if (path.length != _siblings(count, index)) return false;
        uint256 used = 0;
        for (; count > 1; count = (count + 1) / 2) {
            if (_sibling(index) < count) {
                bytes32 sibling = path[used++];
                node = index % 2 == 0 ? _node(node, sibling) : _node(sibling, node);
            }
            index /= 2;
        }
        return node == root;
    }

    function _siblings(uint256 count, uint256 index) private pure returns (uint256 found) {
        for (; count > 1; count = (count + 1) / 2) {
            if (_sibling(index) < count) ++found;
            index /= 2;
        }
    }

    function _sibling(uint256 index) private pure returns (uint256) {
        return index % 2 == 0 ? index + 1 : index - 1;
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encode(NODE, left, right));
    }
}
