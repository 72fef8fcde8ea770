// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountTree} from "../src/AccountTree.sol";
import {Poseidon2} from "../src/Poseidon2.sol";
import {AccountLeaf} from "../src/interfaces/IRollup.sol";

/// @notice The plain ledger of eight accounts: what a batch does to them, and the tree over them. It knows nothing of the contract.
abstract contract RollupBook {
    uint256 internal constant BOOKED = 8;
    bytes32 private constant EMPTY_LEAF = 0x6ce2961548ce15980dbb2b241e394b9e6023f3a74fa8aa010defd539747194cb;

    AccountLeaf[BOOKED] internal book;
    /// @dev Of subtrees without accounts, by their height.
    bytes32[11] internal empty;

    constructor() {
        bytes32 node = EMPTY_LEAF;
        for (uint256 height = 0; height < 11; ++height) {
            empty[height] = node;
            node = Poseidon2.compress(node, node);
        }
    }

    /// @dev What an owner's list or the queue does, at once; `covered` keeps that order does not matter.
    function enact(uint8 kind, uint256 from, uint256 to, uint160 payload) internal {
        (uint32 first, uint32 second) = (uint32(payload >> 128), uint32(payload >> 96));
        if (kind == 1) (book[from].balance, book[to].balance) = moved(from, to, first);
        if (kind == 2) (book[from].balance -= first, book[from].stake += first);
        if (kind == 3) (book[from].stake -= first, book[from].balance += first);
        if (kind == 4) book[from].record = payload;
        if (kind == 6) book[from].balance -= first;
        if (kind == 7) (book[from].key = payload, ++book[from].nonce);
        if (kind == 8) book[to].balance += first;
        if (kind == 9) {
            (book[to].positive, book[to].negative) = (added(book[to].positive, first), added(book[to].negative, second));
        }
        if (kind == 10) (book[to].key = payload, ++book[to].nonce);
        if (kind == 11) (book[to].balance -= first, book[to].stake -= second);
    }

    function moved(uint256 from, uint256 to, uint32 amount) private view returns (uint32, uint32) {
        if (from == to) return (book[from].balance, book[from].balance);
        return (book[from].balance - amount, book[to].balance + amount);
    }

    function added(uint32 a, uint32 b) private pure returns (uint32) {
        return uint32((uint256(a) + b) % 0x78000001);
    }

    /// @dev Payload of the account's CLOSE.
    function closingOf(uint256 index) internal view returns (uint160) {
        AccountLeaf memory own = book[index];
        return (uint160(own.balance) << 128) | (uint160(own.stake) << 96) | (uint160(own.nonce) << 64)
            | (uint160(own.positive) << 32) | own.negative;
    }

    function leafDigest(AccountLeaf memory leaf) internal pure returns (bytes32) {
        (bytes32 left, bytes32 right) = AccountTree.halves(leaf);
        return Poseidon2.compress(left, right);
    }

    /// @dev Node i of eight leaves has the children 2i and 2i + 1; the leaves are 8 to 15, node 1 is above them all.
    function nodes() internal view returns (bytes32[16] memory all) {
        for (uint256 i = 0; i < BOOKED; ++i) {
            all[BOOKED + i] = leafDigest(book[i]);
        }
        for (uint256 i = BOOKED - 1; i > 0; --i) {
            all[i] = Poseidon2.compress(all[2 * i], all[2 * i + 1]);
        }
    }

    function bookRoot() internal view returns (bytes32 node) {
        node = nodes()[1];
        for (uint256 height = 3; height < 10; ++height) {
            node = Poseidon2.compress(node, empty[height]);
        }
    }

    function siblingsOf(uint256 index) internal view returns (bytes32[10] memory siblings) {
        bytes32[16] memory all = nodes();
        uint256 node = BOOKED + index;
        for (uint256 height = 0; height < 10; ++height) {
            siblings[height] = height < 3 ? all[node ^ 1] : empty[height];
            node /= 2;
        }
    }
}
