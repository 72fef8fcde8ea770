// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear} from "./BabyBear.sol";
import {ProofLayout} from "./ProofLayout.sol";
import {Quintic} from "./Quintic.sol";

/// @notice The DEEP combination, from the columns opened at a position:
///     G(x) = R(x) + (S(x) - S(z))/(x - z) + gamma^m (S_t(x) - S_t(g z))/(x - g z),    S(x) = sum_i gamma^(i+1) f_i(x)
/// S over all m columns but R, S_t without the quotient's.
/// @dev A sum over E with factors in F is five sums of products of 62 bits. An element of E is held as two words, coefficients 0, 1, 2
/// and 3, 4, in slots of 85 bits (*wide*): 2^22 products add up before anything is reduced.
library Deep {
    uint256 private constant SLOT_51 = 0x7ffffffffffff;
    uint256 private constant SLOT_85 = 0x1fffffffffffffffffffff;

    struct Combination {
        uint256 weights; // memory address: gamma^(i+1), wide
        uint256 row; // memory address of room for one position's elements
        uint256 traceColumns;
        uint256 columns; // m
        uint256 last; // gamma^m
        uint256 atZ; // S(z)
        uint256 atNextZ; // S_t(g z)
    }

    /// @notice What is the same for all positions. The opened values stand in calldata at `opened`.
    function combination(uint256 gamma, uint256 opened, ProofLayout.Tree[] memory trees)
        internal
        pure
        returns (Combination memory c)
    {
        c.traceColumns = trees[ProofLayout.PREPROCESSED].columns + trees[ProofLayout.MAIN].columns
            + trees[ProofLayout.AUX].columns;
        c.columns = c.traceColumns + trees[ProofLayout.QUOTIENT].columns - 5;
        c.weights = _allocate(2 * c.columns + 16); // the last word of elements reads a little further
        c.row = _allocate(c.columns / 8 + 2);
        (c.last, c.atZ, c.atNextZ) = _opened(gamma, opened, c.traceColumns, c.columns, c.weights);
    }

    /// @dev gamma^m, S(z), S_t(g z), each reduced; writes the wide powers.
    function _opened(uint256 gamma, uint256 opened, uint256 traceColumns, uint256 columns, uint256 weights)
        private
        pure
        returns (uint256 power, uint256 atZ, uint256 atNextZ)
    {
        unchecked {
            uint256 atGz = opened + ProofLayout.EXTENSION_BYTES * traceColumns; // opened at g z
            uint256 quotient = atGz + ProofLayout.EXTENSION_BYTES * traceColumns;
            power = 1;
            for (; opened < atGz; opened += ProofLayout.EXTENSION_BYTES) {
                power = Quintic.mul(power, gamma);
                weights = _storeWide(weights, power);
                // Below 2^16 terms of 2^32: no slot overflows.
                atZ += Quintic.mul(power, Quintic.load(opened));
                atNextZ += Quintic.mul(power, Quintic.load(opened + quotient - atGz));
            }
            uint256 end = quotient + ProofLayout.EXTENSION_BYTES * (columns - traceColumns);
            for (; quotient < end; quotient += ProofLayout.EXTENSION_BYTES) {
                power = Quintic.mul(power, gamma);
                weights = _storeWide(weights, power);
                atZ += Quintic.mul(power, Quintic.load(quotient));
            }
            atZ = Quintic.reduce(atZ);
            atNextZ = Quintic.reduce(atNextZ);
        }
    }

    /// @notice Whether `value` is G(x) for the i-th opened position, both denominators multiplied out:
    ///     (G(x) - R(x)) (x - z)(x - g z) = (S(x) - S(z)) (x - g z) + gamma^m (S_t(x) - S_t(g z)) (x - z)
    /// @param overZ x - z, reduced. @param overNextZ x - g z, reduced.
    function agrees(
        Combination memory c,
        ProofLayout.Tree[] memory trees,
        uint256 i,
        uint256 value,
        uint256 overZ,
        uint256 overNextZ
    ) internal pure returns (bool) {
        unchecked {
            uint256 mask = _gather(c.row, trees, i);
            uint256 right = _numerator(c, overZ, overNextZ);
            uint256 left = Quintic.mul(Quintic.mul(overZ, overNextZ), Quintic.sub(value, mask));
            return Quintic.equal(left, right);
        }
    }

    /// @dev Copies the i-th opened row of every group to memory at `to`, one behind the other; returns R(x), its last five columns.
    function _gather(uint256 to, ProofLayout.Tree[] memory trees, uint256 i) private pure returns (uint256) {
        to = _copyRow(to, trees[ProofLayout.PREPROCESSED], i);
        to = _copyRow(to, trees[ProofLayout.MAIN], i);
        to = _copyRow(to, trees[ProofLayout.AUX], i);
        to = _copyRow(to, trees[ProofLayout.QUOTIENT], i);
        uint256 word;
        assembly ("memory-safe") {
            word := mload(sub(to, 20))
        }
        return Quintic.unpack(word);
    }

    /// @dev (S(x) - S(z)) (x - g z) + gamma^m (S_t(x) - S_t(g z)) (x - z) for the row at c.row.
    function _numerator(Combination memory c, uint256 overZ, uint256 overNextZ) private pure returns (uint256 sum) {
        unchecked {
            uint256 count = c.traceColumns;
            (uint256 low, uint256 high) = accumulate(0, 0, c.weights, c.row, count);
            sum = Quintic.mul(c.last, Quintic.sub(collect(low, high), c.atNextZ));
            sum = Quintic.mul(overZ, sum);
            (low, high) = accumulate(low, high, c.weights + 64 * count, c.row + 4 * count, c.columns - count);
            sum += Quintic.mul(overNextZ, Quintic.sub(collect(low, high), c.atZ));
        }
    }

    /// @dev Copies row i of a tree's leaves to memory at `to`; returns the address behind it.
    function _copyRow(uint256 to, ProofLayout.Tree memory tree, uint256 i) private pure returns (uint256 end) {
        unchecked {
            uint256 length = ProofLayout.ELEMENT_BYTES * tree.columns;
            uint256 from = tree.leaves + i * length;
            assembly ("memory-safe") {
                calldatacopy(to, from, length)
            }
            return to + length;
        }
    }

    /// @notice Adds sum_i w_i v_i to a wide sum; w_i in E are wide words in memory at `weight`, v_i in F `count` elements of 4 bytes
    /// in memory at `elements`.
    /// @dev Eight elements a word. Lanes behind the last element are shifted out: whatever stands there counts zero times.
    function accumulate(uint256 low, uint256 high, uint256 weight, uint256 elements, uint256 count)
        internal
        pure
        returns (uint256 newLow, uint256 newHigh)
    {
        assembly ("memory-safe") {
            newLow := low
            newHigh := high
            for { let left := count } sgt(left, 0) { left := sub(left, 8) } {
                let word := mload(elements)
                if lt(left, 8) {
                    let surplus := sub(256, shl(5, left))
                    word := shl(surplus, shr(surplus, word))
                }
                let v := shr(224, word)
                newLow := add(newLow, mul(v, mload(weight)))
                newHigh := add(newHigh, mul(v, mload(add(weight, 32))))
                v := and(shr(192, word), 0xffffffff)
                newLow := add(newLow, mul(v, mload(add(weight, 64))))
                newHigh := add(newHigh, mul(v, mload(add(weight, 96))))
                v := and(shr(160, word), 0xffffffff)
                newLow := add(newLow, mul(v, mload(add(weight, 128))))
                newHigh := add(newHigh, mul(v, mload(add(weight, 160))))
                v := and(shr(128, word), 0xffffffff)
                newLow := add(newLow, mul(v, mload(add(weight, 192))))
                newHigh := add(newHigh, mul(v, mload(add(weight, 224))))
                v := and(shr(96, word), 0xffffffff)
                newLow := add(newLow, mul(v, mload(add(weight, 256))))
                newHigh := add(newHigh, mul(v, mload(add(weight, 288))))
                v := and(shr(64, word), 0xffffffff)
                newLow := add(newLow, mul(v, mload(add(weight, 320))))
                newHigh := add(newHigh, mul(v, mload(add(weight, 352))))
                v := and(shr(32, word), 0xffffffff)
                newLow := add(newLow, mul(v, mload(add(weight, 384))))
                newHigh := add(newHigh, mul(v, mload(add(weight, 416))))
                v := and(word, 0xffffffff)
                newLow := add(newLow, mul(v, mload(add(weight, 448))))
                newHigh := add(newHigh, mul(v, mload(add(weight, 480))))
                weight := add(weight, 512)
                elements := add(elements, 32)
            }
        }
    }

    /// @notice The element of E that a wide sum stands for, canonical.
    function collect(uint256 low, uint256 high) internal pure returns (uint256 a) {
        unchecked {
            a = (low & SLOT_85) % BabyBear.P;
            a |= ((low >> 85) & SLOT_85) % BabyBear.P << 51;
            a |= (low >> 170) % BabyBear.P << 102;
            a |= (high & SLOT_85) % BabyBear.P << 153;
            a |= (high >> 85) % BabyBear.P << 204;
        }
    }

    /// @notice `count` elements of E in calldata at `offset`, wide, and zeros up to a multiple of four; returns their memory address.
    function loadWide(uint256 offset, uint256 count) internal pure returns (uint256 wide) {
        unchecked {
            wide = _allocate(2 * count + 6);
            uint256 to = wide;
            for (uint256 i = 0; i < count; ++i) {
                to = _storeWide(to, Quintic.load(offset + ProofLayout.EXTENSION_BYTES * i));
            }
            assembly ("memory-safe") {
                calldatacopy(to, calldatasize(), 192) // zeros
            }
        }
    }

    /// @notice y^k for k < count, wide; returns their memory address.
    function widePowers(uint256 y, uint256 count) internal pure returns (uint256 wide) {
        unchecked {
            wide = _allocate(2 * count + 16);
            uint256 to = wide;
            uint256 power = 1;
            for (uint256 i = 0; i < count; ++i) {
                to = _storeWide(to, power);
                power = Quintic.mul(power, y);
            }
        }
    }

    /// @notice sum_k c_k y^k for `count` coefficients as `loadWide` left them, canonical; y in F.
    function powerSum(uint256 wide, uint256 count, uint256 y) internal pure returns (uint256) {
        uint256 low;
        uint256 high;
        assembly ("memory-safe") {
            let power := 1
            for { let end := add(wide, shl(6, count)) } lt(wide, end) { wide := add(wide, 256) } {
                low := add(low, mul(power, mload(wide)))
                high := add(high, mul(power, mload(add(wide, 32))))
                power := mulmod(power, y, 0x78000001)
                low := add(low, mul(power, mload(add(wide, 64))))
                high := add(high, mul(power, mload(add(wide, 96))))
                power := mulmod(power, y, 0x78000001)
                low := add(low, mul(power, mload(add(wide, 128))))
                high := add(high, mul(power, mload(add(wide, 160))))
                power := mulmod(power, y, 0x78000001)
                low := add(low, mul(power, mload(add(wide, 192))))
                high := add(high, mul(power, mload(add(wide, 224))))
                power := mulmod(power, y, 0x78000001)
            }
        }
        return collect(low, high);
    }

    /// @dev Writes an element, its slots below 2^32, as two wide words at `to`; returns the address behind them.
    function _storeWide(uint256 to, uint256 a) private pure returns (uint256) {
        unchecked {
            uint256 low = (a & SLOT_51) | ((a >> 51) & SLOT_51) << 85 | ((a >> 102) & SLOT_51) << 170;
            uint256 high = ((a >> 153) & SLOT_51) | (a >> 204) << 85;
            assembly ("memory-safe") {
                mstore(to, low)
                mstore(add(to, 32), high)
            }
            return to + 64;
        }
    }

    /// @dev Memory address of `words` fresh words.
    function _allocate(uint256 words) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
            mstore(0x40, add(pointer, shl(5, words)))
        }
    }
}
