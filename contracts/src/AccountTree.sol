// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Poseidon2} from "./Poseidon2.sol";
import {AccountLeaf} from "./interfaces/IRollup.sol";

/// @notice The rollup's state tree: a leaf is compress(key[5] | record[5] | balance, stake, nonce, positive, negative | 5), a node
/// compress(left | right), 1,024 leaves. Twin of bfl_ref/rollup/accounts.py.
library AccountTree {
    uint256 private constant TAG = 5;

    /// @notice The root of the tree in which every account is zeros.
    bytes32 internal constant EMPTY = 0x3a925ba126a32fe01f3df23c2e3625253e03c8c4095b422a6d9296103de1b0f1;

    /// @notice Whether all elements are below p, and `siblings` lead from the leaf at `index` to `root`.
    function leadsTo(bytes32 root, uint256 index, AccountLeaf calldata leaf, bytes32[10] calldata siblings)
        internal
        pure
        returns (bool)
    {
        (bytes32 first, bytes32 second) = halves(leaf);
        if (!Poseidon2.isDigest(first) || !Poseidon2.isDigest(second)) return false;
        bytes32 node = Poseidon2.compress(first, second);
        for (uint256 level = 0; level < 10; ++level) {
            bytes32 sibling = siblings[level];
            if (!Poseidon2.isDigest(sibling)) return false;
            node = (index >> level) & 1 == 0 ? Poseidon2.compress(node, sibling) : Poseidon2.compress(sibling, node);
        }
        return node == root;
    }

    /// @notice The sixteen elements that a leaf hashes.
    function halves(AccountLeaf memory leaf) internal pure returns (bytes32 first, bytes32 second) {
        first = bytes32((uint256(leaf.key) << 96) | (leaf.record >> 64));
        second = bytes32(
            (uint256(leaf.record) << 192) | (uint256(leaf.balance) << 160) | (uint256(leaf.stake) << 128)
                | (uint256(leaf.nonce) << 96) | (uint256(leaf.positive) << 64) | (uint256(leaf.negative) << 32) | TAG
        );
    }
}
