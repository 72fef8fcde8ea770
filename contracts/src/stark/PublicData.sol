// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataVerifier} from "../interfaces/IDataVerifier.sol";
import {BabyBear} from "./BabyBear.sol";
import {ProofLayout} from "./ProofLayout.sol";
import {Quintic} from "./Quintic.sol";

/// @notice Public data of a statement: elements d_0, ..., d_(m-1) of F, 4 bytes each, as one element of E,
///     T = lam^m + sum_i d_i lam^(m-1-i).
/// @dev Horner over blocks of 64 elements v_j, the leading 1 among them: T becomes T lam^64 + sum_j v_j lam^(63-j). A word holds
/// eight elements; those with even numbers, and those with odd ones, stand four in a word in *lanes* of 64 bits. Coefficient s of
/// what four contribute takes one machine product, with a word that holds coefficient s of their weights in opposite order: the top
/// lane is the sum of the four products, below 4 p * 1.08 p < 2^64, and no lane below carries into it. Ten such products for eight
/// elements replace eighty.
library PublicData {
    using Quintic for uint256;

    /// @dev Memory address of the weights: for each of a block's eight words the coefficients of E for the elements with even
    /// numbers, then those for the odd ones. Solidity's own memory stays below, whatever is handed in: only a statement with a
    /// thousand public inputs needs more, and is refused.
    uint256 private constant WEIGHTS = 0x4000;
    /// @dev Behind the weights: the data, in whole blocks.
    uint256 private constant BLOCKS = 0x4a00;
    uint256 private constant BLOCK_BYTES = 256;
    uint256 private constant SLOT_51 = 0x7ffffffffffff;

    /// @notice Phase 0: reverts with BadPublicData unless `data` are whole rows of `width` elements, at most one for each of `rows`
    /// rows of the trace but the last.
    function requireRows(bytes calldata data, uint256 width, uint256 rows) internal pure {
        uint256 rowBytes = ProofLayout.ELEMENT_BYTES * width;
        if (data.length % rowBytes != 0 || data.length > (rows - 1) * rowBytes) {
            revert IDataVerifier.BadPublicData(data.length, 0);
        }
    }

    /// @notice What the transcript's first state binds: number of elements (4 bytes), keccak of the data.
    function binding(bytes calldata data) internal pure returns (bytes memory) {
        bytes32 hash;
        assembly ("memory-safe") {
            let message := mload(0x40)
            calldatacopy(message, data.offset, data.length)
            hash := keccak256(message, data.length)
        }
        return abi.encodePacked(uint32(data.length / ProofLayout.ELEMENT_BYTES), hash);
    }

    /// @notice Phase 2: T, canonical. Reverts with BadPublicData if an element is not below p. The data are `length` bytes
    /// of calldata from `offset`. Slots of `lam` reduced.
    function sum(uint256 offset, uint256 length, uint256 lam) internal pure returns (uint256 total) {
        unchecked {
            uint256 step = _storeWeights(lam);
            uint256 end;
            assembly ("memory-safe") {
                // Zeros, 1, data: as many zeros as fill the first block.
                end := add(BLOCKS, and(add(length, 259), not(255)))
                calldatacopy(BLOCKS, calldatasize(), BLOCK_BYTES)
                mstore8(sub(sub(end, length), 1), 1)
                calldatacopy(sub(end, length), offset, length)
            }
            if (_sumBlocks(end) & ProofLayout.TOP_BITS != 0) {
                (uint256 index, uint256 element) = ProofLayout.firstAbove(offset, offset + length);
                revert IDataVerifier.BadPublicData(index, element);
            }
            for (uint256 place = BLOCKS; place < end; place += BLOCK_BYTES) {
                uint256 value;
                assembly ("memory-safe") {
                    value := mload(place)
                }
                total = step.mul(total) + value;
            }
            return total.reduce().canonical();
        }
    }

    /// @dev Fills the weights, lam^(63-j) for element j of a block; returns lam^64, reduced.
    function _storeWeights(uint256 lam) private pure returns (uint256 power) {
        unchecked {
            assembly ("memory-safe") {
                if gt(mload(0x40), WEIGHTS) { revert(0, 0) }
            }
            uint256 square = lam.mul(lam);
            power = lam;
            // First the elements with even numbers, whose powers are odd; then the others, from power 0 on.
            for (uint256 first = 0; first <= 160; first += 160) {
                for (uint256 to = BLOCKS - 320 + first; to >= WEIGHTS; to -= 320) {
                    uint256 p = power;
                    uint256 q = p.mul(square);
                    uint256 r = q.mul(square);
                    uint256 s = r.mul(square);
                    power = s.mul(square);
                    assembly ("memory-safe") {
                        function slots(k, w, x, y, z) -> lanes {
                            lanes := or(shl(192, and(shr(k, w), SLOT_51)), shl(128, and(shr(k, x), SLOT_51)))
                            lanes := or(lanes, or(shl(64, and(shr(k, y), SLOT_51)), and(shr(k, z), SLOT_51)))
                        }
                        mstore(to, slots(0, p, q, r, s))
                        mstore(add(to, 32), slots(51, p, q, r, s))
                        mstore(add(to, 64), slots(102, p, q, r, s))
                        mstore(add(to, 96), slots(153, p, q, r, s))
                        mstore(add(to, 128), slots(204, p, q, r, s))
                    }
                }
                if (first == 0) power = 1;
            }
        }
    }

    /// @dev Puts sum_j v_j lam^(63-j), canonical, over the 64 elements of each block in the place of its first word. Returns bits of
    /// which one of TOP_BITS is set if and only if some element is not below p (ProofLayout.requireCanonical says why).
    function _sumBlocks(uint256 end) private pure returns (uint256 topBits) {
        assembly ("memory-safe") {
            function dot(even, odd, weights) -> value {
                value := add(shr(192, mul(even, mload(weights))), shr(192, mul(odd, mload(add(weights, 160)))))
            }
            let lanes := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
            let complement := 0x07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff
            for { let place := BLOCKS } lt(place, end) { place := add(place, BLOCK_BYTES) } {
                let a := 0
                let b := 0
                let c := 0
                let d := 0
                let e := 0
                let word
                let even
                let odd
                word := mload(place)
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x4000))
                b := add(b, dot(even, odd, 0x4020))
                c := add(c, dot(even, odd, 0x4040))
                d := add(d, dot(even, odd, 0x4060))
                e := add(e, dot(even, odd, 0x4080))
                word := mload(add(place, 32))
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x4140))
                b := add(b, dot(even, odd, 0x4160))
                c := add(c, dot(even, odd, 0x4180))
                d := add(d, dot(even, odd, 0x41a0))
                e := add(e, dot(even, odd, 0x41c0))
                word := mload(add(place, 64))
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x4280))
                b := add(b, dot(even, odd, 0x42a0))
                c := add(c, dot(even, odd, 0x42c0))
                d := add(d, dot(even, odd, 0x42e0))
                e := add(e, dot(even, odd, 0x4300))
                word := mload(add(place, 96))
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x43c0))
                b := add(b, dot(even, odd, 0x43e0))
                c := add(c, dot(even, odd, 0x4400))
                d := add(d, dot(even, odd, 0x4420))
                e := add(e, dot(even, odd, 0x4440))
                word := mload(add(place, 128))
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x4500))
                b := add(b, dot(even, odd, 0x4520))
                c := add(c, dot(even, odd, 0x4540))
                d := add(d, dot(even, odd, 0x4560))
                e := add(e, dot(even, odd, 0x4580))
                word := mload(add(place, 160))
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x4640))
                b := add(b, dot(even, odd, 0x4660))
                c := add(c, dot(even, odd, 0x4680))
                d := add(d, dot(even, odd, 0x46a0))
                e := add(e, dot(even, odd, 0x46c0))
                word := mload(add(place, 192))
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x4780))
                b := add(b, dot(even, odd, 0x47a0))
                c := add(c, dot(even, odd, 0x47c0))
                d := add(d, dot(even, odd, 0x47e0))
                e := add(e, dot(even, odd, 0x4800))
                word := mload(add(place, 224))
                topBits := or(topBits, or(word, add(word, complement)))
                even := and(shr(32, word), lanes)
                odd := and(word, lanes)
                a := add(a, dot(even, odd, 0x48c0))
                b := add(b, dot(even, odd, 0x48e0))
                c := add(c, dot(even, odd, 0x4900))
                d := add(d, dot(even, odd, 0x4920))
                e := add(e, dot(even, odd, 0x4940))
                a := or(mod(a, 0x78000001), shl(51, mod(b, 0x78000001)))
                a := or(a, shl(102, mod(c, 0x78000001)))
                a := or(a, shl(153, mod(d, 0x78000001)))
                a := or(a, shl(204, mod(e, 0x78000001)))
                mstore(place, a)
            }
        }
    }
}
