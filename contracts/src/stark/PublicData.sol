// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataVerifier} from "../interfaces/IDataVerifier.sol";
import {BabyBear} from "./BabyBear.sol";
import {ProofLayout} from "./ProofLayout.sol";
import {Quintic} from "./Quintic.sol";

/// @notice Public data of a statement: elements d_0, ..., d_(m-1) of F, 4 bytes each, as one element of E,
///     T = lam^m + sum_i d_i lam^(m-1-i).
/// @dev Horner over blocks of 64 elements, the leading 1 among them: T = T lam^64 + sum_j v_j lam^(63-j). A word of memory holds
/// eight elements; every other one, four in all, stand in *lanes* of 64 bits. Coefficient s of their sum is one machine product
/// with a word that holds coefficient s of their four weights in opposite order: its top lane is the sum of the four products,
/// 4 * p * 1.08 p < 2^64, and what is below carries nothing into it. So eight elements take ten products (docs/proof-format.md).
library PublicData {
    using Quintic for uint256;

    /// @dev Memory address of the weights: for each word of a block and each coefficient of E two words, of the elements with odd
    /// and with even numbers. Solidity's own memory stays below: it depends on the statement only, not on what is handed in.
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
            for (uint256 at = BLOCKS; at < end; at += BLOCK_BYTES) {
                uint256 value;
                assembly ("memory-safe") {
                    value := mload(at)
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
                        mstore(
                            to,
                            or(
                                or(shl(192, and(p, SLOT_51)), shl(128, and(q, SLOT_51))),
                                or(shl(64, and(r, SLOT_51)), and(s, SLOT_51))
                            )
                        )
                        mstore(
                            add(to, 32),
                            or(
                                or(shl(192, and(shr(51, p), SLOT_51)), shl(128, and(shr(51, q), SLOT_51))),
                                or(shl(64, and(shr(51, r), SLOT_51)), and(shr(51, s), SLOT_51))
                            )
                        )
                        mstore(
                            add(to, 64),
                            or(
                                or(shl(192, and(shr(102, p), SLOT_51)), shl(128, and(shr(102, q), SLOT_51))),
                                or(shl(64, and(shr(102, r), SLOT_51)), and(shr(102, s), SLOT_51))
                            )
                        )
                        mstore(
                            add(to, 96),
                            or(
                                or(shl(192, and(shr(153, p), SLOT_51)), shl(128, and(shr(153, q), SLOT_51))),
                                or(shl(64, and(shr(153, r), SLOT_51)), and(shr(153, s), SLOT_51))
                            )
                        )
                        mstore(
                            add(to, 128),
                            or(or(shl(192, shr(204, p)), shl(128, shr(204, q))), or(shl(64, shr(204, r)), shr(204, s)))
                        )
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
            let lanes := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
            let complement := 0x07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff
            for { let at := BLOCKS } lt(at, end) { at := add(at, BLOCK_BYTES) } {
                let a := 0
                let b := 0
                let c := 0
                let d := 0
                let e := 0
                let x
                let y
                let word
                word := mload(at)
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x4000))), shr(192, mul(y, mload(0x40a0)))))
                b := add(b, add(shr(192, mul(x, mload(0x4020))), shr(192, mul(y, mload(0x40c0)))))
                c := add(c, add(shr(192, mul(x, mload(0x4040))), shr(192, mul(y, mload(0x40e0)))))
                d := add(d, add(shr(192, mul(x, mload(0x4060))), shr(192, mul(y, mload(0x4100)))))
                e := add(e, add(shr(192, mul(x, mload(0x4080))), shr(192, mul(y, mload(0x4120)))))
                word := mload(add(at, 32))
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x4140))), shr(192, mul(y, mload(0x41e0)))))
                b := add(b, add(shr(192, mul(x, mload(0x4160))), shr(192, mul(y, mload(0x4200)))))
                c := add(c, add(shr(192, mul(x, mload(0x4180))), shr(192, mul(y, mload(0x4220)))))
                d := add(d, add(shr(192, mul(x, mload(0x41a0))), shr(192, mul(y, mload(0x4240)))))
                e := add(e, add(shr(192, mul(x, mload(0x41c0))), shr(192, mul(y, mload(0x4260)))))
                word := mload(add(at, 64))
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x4280))), shr(192, mul(y, mload(0x4320)))))
                b := add(b, add(shr(192, mul(x, mload(0x42a0))), shr(192, mul(y, mload(0x4340)))))
                c := add(c, add(shr(192, mul(x, mload(0x42c0))), shr(192, mul(y, mload(0x4360)))))
                d := add(d, add(shr(192, mul(x, mload(0x42e0))), shr(192, mul(y, mload(0x4380)))))
                e := add(e, add(shr(192, mul(x, mload(0x4300))), shr(192, mul(y, mload(0x43a0)))))
                word := mload(add(at, 96))
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x43c0))), shr(192, mul(y, mload(0x4460)))))
                b := add(b, add(shr(192, mul(x, mload(0x43e0))), shr(192, mul(y, mload(0x4480)))))
                c := add(c, add(shr(192, mul(x, mload(0x4400))), shr(192, mul(y, mload(0x44a0)))))
                d := add(d, add(shr(192, mul(x, mload(0x4420))), shr(192, mul(y, mload(0x44c0)))))
                e := add(e, add(shr(192, mul(x, mload(0x4440))), shr(192, mul(y, mload(0x44e0)))))
                word := mload(add(at, 128))
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x4500))), shr(192, mul(y, mload(0x45a0)))))
                b := add(b, add(shr(192, mul(x, mload(0x4520))), shr(192, mul(y, mload(0x45c0)))))
                c := add(c, add(shr(192, mul(x, mload(0x4540))), shr(192, mul(y, mload(0x45e0)))))
                d := add(d, add(shr(192, mul(x, mload(0x4560))), shr(192, mul(y, mload(0x4600)))))
                e := add(e, add(shr(192, mul(x, mload(0x4580))), shr(192, mul(y, mload(0x4620)))))
                word := mload(add(at, 160))
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x4640))), shr(192, mul(y, mload(0x46e0)))))
                b := add(b, add(shr(192, mul(x, mload(0x4660))), shr(192, mul(y, mload(0x4700)))))
                c := add(c, add(shr(192, mul(x, mload(0x4680))), shr(192, mul(y, mload(0x4720)))))
                d := add(d, add(shr(192, mul(x, mload(0x46a0))), shr(192, mul(y, mload(0x4740)))))
                e := add(e, add(shr(192, mul(x, mload(0x46c0))), shr(192, mul(y, mload(0x4760)))))
                word := mload(add(at, 192))
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x4780))), shr(192, mul(y, mload(0x4820)))))
                b := add(b, add(shr(192, mul(x, mload(0x47a0))), shr(192, mul(y, mload(0x4840)))))
                c := add(c, add(shr(192, mul(x, mload(0x47c0))), shr(192, mul(y, mload(0x4860)))))
                d := add(d, add(shr(192, mul(x, mload(0x47e0))), shr(192, mul(y, mload(0x4880)))))
                e := add(e, add(shr(192, mul(x, mload(0x4800))), shr(192, mul(y, mload(0x48a0)))))
                word := mload(add(at, 224))
                topBits := or(topBits, or(word, add(word, complement)))
                x := and(shr(32, word), lanes)
                y := and(word, lanes)
                a := add(a, add(shr(192, mul(x, mload(0x48c0))), shr(192, mul(y, mload(0x4960)))))
                b := add(b, add(shr(192, mul(x, mload(0x48e0))), shr(192, mul(y, mload(0x4980)))))
                c := add(c, add(shr(192, mul(x, mload(0x4900))), shr(192, mul(y, mload(0x49a0)))))
                d := add(d, add(shr(192, mul(x, mload(0x4920))), shr(192, mul(y, mload(0x49c0)))))
                e := add(e, add(shr(192, mul(x, mload(0x4940))), shr(192, mul(y, mload(0x49e0)))))
                a := or(mod(a, 0x78000001), shl(51, mod(b, 0x78000001)))
                a := or(a, shl(102, mod(c, 0x78000001)))
                a := or(a, shl(153, mod(d, 0x78000001)))
                a := or(a, shl(204, mod(e, 0x78000001)))
                mstore(at, a)
            }
        }
    }
}
