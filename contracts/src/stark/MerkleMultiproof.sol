// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One proof for many openings of a Merkle tree over keccak-256 cut to 26 bytes.
/// @dev leaf = digest(0x00 || elements || salt), node = digest(0x01 || left || right). The distinct first byte keeps a leaf from being
/// passed off as a node. A *known node* is one word: digest in the upper 26 bytes, its index within its level in the lower 6.
library MerkleMultiproof {
    uint256 internal constant DIGEST_BYTES = 26;
    uint256 internal constant SALT_BYTES = 16;
    /// @dev The upper 26 bytes.
    uint256 internal constant DIGEST_MASK = 0xffffffffffffffffffffffffffffffffffffffffffffffffffff000000000000;

    /// @notice Known nodes of leaves whose elements and salts stand in calldata one leaf after the other.
    /// @param indices Leaf indices, in the order of the leaves.
    /// @param elements Offset of the first leaf's elements. @param elementBytes Bytes of elements a leaf.
    /// @param salts Offset of the first leaf's salt. @param saltBytes 16, or 0 for trees without salts.
    function hashLeaves(
        uint256[] memory indices,
        uint256 elements,
        uint256 elementBytes,
        uint256 salts,
        uint256 saltBytes
    ) internal pure returns (uint256[] memory known) {
        known = new uint256[](indices.length);
        assembly ("memory-safe") {
            let message := mload(0x40)
            mstore8(message, 0)
            let length := add(1, add(elementBytes, saltBytes))
            let end := add(indices, shl(5, mload(indices)))
            for { let to := known } lt(indices, end) {} {
                indices := add(indices, 32)
                to := add(to, 32)
                calldatacopy(add(message, 1), elements, elementBytes)
                calldatacopy(add(message, add(1, elementBytes)), salts, saltBytes)
                mstore(to, or(and(keccak256(message, length), DIGEST_MASK), mload(indices)))
                elements := add(elements, elementBytes)
                salts := add(salts, saltBytes)
            }
        }
    }

    /// @notice Whether the known nodes, ascending by index and distinct, lead up `depth` levels to `root`, level by level, each lacking
    /// sibling being the next of exactly `count` digests in calldata. Overwrites `known`.
    /// @param root 26 bytes, left-aligned; the rest is ignored.
    function leadsToRoot(uint256[] memory known, uint256 depth, uint256 nodes, uint256 count, uint256 root)
        internal
        pure
        returns (bool ok)
    {
        assembly ("memory-safe") {
            // 0x01 || left || right stands in scratch space from byte 5. The six bytes of junk behind the left digest are overwritten
            // by the right one, those behind the right one are not hashed.
            mstore8(0x05, 1)
            let first := add(known, 32)
            let end := add(first, shl(5, mload(known)))
            let nodesEnd := add(nodes, mul(count, 26))
            for {} depth { depth := sub(depth, 1) } {
                let to := first
                for { let from := first } lt(from, end) {} {
                    let node := mload(from)
                    let index := and(node, 0xffffffffffff)
                    from := add(from, 32)
                    switch and(index, 1)
                    case 0 {
                        mstore(0x06, node)
                        let sibling := mload(from)
                        // Beyond the last node stands a word whose low bytes may be anything: hence the first condition.
                        switch and(lt(from, end), eq(and(sibling, 0xffffffffffff), add(index, 1)))
                        case 0 {
                            mstore(0x20, calldataload(nodes))
                            nodes := add(nodes, 26)
                        }
                        default {
                            mstore(0x20, sibling)
                            from := add(from, 32)
                        }
                    }
                    default {
                        mstore(0x06, calldataload(nodes))
                        mstore(0x20, node)
                        nodes := add(nodes, 26)
                    }
                    mstore(to, or(and(keccak256(0x05, 53), DIGEST_MASK), shr(1, index)))
                    to := add(to, 32)
                }
                end := to
            }
            ok := and(eq(nodes, nodesEnd), iszero(shr(48, xor(mload(first), root))))
        }
    }
}
