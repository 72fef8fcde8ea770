// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Quintic} from "./Quintic.sol";

/// @notice Fiat-Shamir: the verifier's coins are hashes of everything that was said before them. One 32-byte state.
/// @dev Messages are written behind the free memory pointer, which stays where it is.
library Transcript {
    uint256 internal constant TAG_MAIN = 1;
    uint256 internal constant TAG_AUX = 2;
    uint256 internal constant TAG_QUOTIENT = 3;
    uint256 internal constant TAG_OPENED = 4;
    uint256 internal constant TAG_FRI_ROOT = 5;
    uint256 internal constant TAG_FINAL = 6;

    /// @notice keccak(state || tag || data), data being `length` bytes of calldata from `offset`.
    function absorb(bytes32 state, uint256 tag, uint256 offset, uint256 length) internal pure returns (bytes32 next) {
        assembly ("memory-safe") {
            let message := mload(0x40)
            mstore(message, state)
            mstore8(add(message, 32), tag)
            calldatacopy(add(message, 33), offset, length)
            next := keccak256(message, add(33, length))
        }
    }

    /// @notice keccak(state || 0xfe || nonce), the nonce being 8 bytes.
    function absorbNonce(bytes32 state, uint256 nonce) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(state, bytes1(0xfe), uint64(nonce)));
    }

    /// @notice The `index`-th 256-bit number drawn from a state.
    function squeeze(bytes32 state, uint256 index) internal pure returns (uint256 drawn) {
        assembly ("memory-safe") {
            let message := mload(0x40)
            mstore(message, state)
            mstore(add(message, 32), or(shl(248, 0xff), shl(216, index)))
            drawn := keccak256(message, 37)
        }
    }

    /// @notice The `index`-th element of E drawn from a state, canonical: a squeeze's five 51-bit pieces, each modulo p.
    function drawElement(bytes32 state, uint256 index) internal pure returns (uint256) {
        return Quintic.canonical(Quintic.reduce(squeeze(state, index) & Quintic.SLOTS));
    }

    /// @notice `count` distinct positions below 2^logLength, ascending.
    /// @dev Insertion into the sorted list so far: `count` is some tens. Ends with probability 1, as count <= 2^logLength.
    function drawPositions(bytes32 state, uint256 count, uint256 logLength)
        internal
        pure
        returns (uint256[] memory positions)
    {
        positions = new uint256[](count);
        uint256 mask = (1 << logLength) - 1;
        uint256 found = 0;
        for (uint256 draw = 0; found < count; ++draw) {
            uint256 number = squeeze(state, draw);
            for (uint256 piece = 0; piece < 8 && found < count; ++piece) {
                if (_insert(positions, found, (number >> (224 - 32 * piece)) & mask)) ++found;
            }
        }
    }

    /// @dev Puts `position` among the first `length` ones; false if it is there already.
    function _insert(uint256[] memory positions, uint256 length, uint256 position) private pure returns (bool isNew) {
        assembly ("memory-safe") {
            let first := add(positions, 32)
            let end := add(first, shl(5, length))
            let at := end
            for {} gt(at, first) { at := sub(at, 32) } {
                if iszero(gt(mload(sub(at, 32)), position)) { break }
            }
            isNew := 1
            if gt(at, first) { isNew := iszero(eq(mload(sub(at, 32)), position)) }
            if isNew {
                mcopy(add(at, 32), at, sub(end, at))
                mstore(at, position)
            }
        }
    }
}
