// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear} from "./BabyBear.sol";
import {ProofLayout} from "./ProofLayout.sol";
import {Quintic} from "./Quintic.sol";

/// @notice The DEEP combination, from the columns opened at a position:
///     G(x) = R(x) + (S(x) - S(z))/(x - z) + gamma^m (S_t(x) - S_t(g z))/(x - g z),    S(x) = sum_i gamma^(i+1) f_i(x)
/// S over all m columns but R, S_t without the quotient's.
/// @dev A sum over E with factors in F is five sums of products of 62 bits. A power is held as two words, coefficients 0, 1, 2 and
/// 3, 4, in slots of 85 bits: up to 2^23 products add up before anything is reduced.
library Deep {
    uint256 private constant SLOT_85 = 0x1fffffffffffffffffffff;

    struct Combination {
        uint256[] weights; // gamma^(i+1) in two words each
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
        uint256 traceColumns = trees[ProofLayout.PREPROCESSED].columns + trees[ProofLayout.MAIN].columns
            + trees[ProofLayout.AUX].columns;
        uint256 columns = traceColumns + trees[ProofLayout.QUOTIENT].columns - 5;
        uint256[] memory packed;
        (packed, c.weights) = powers(gamma, columns);
        c.last = packed[columns - 1];
        uint256 stride = ProofLayout.EXTENSION_BYTES;
        c.atZ = _weigh(packed, opened, 0, traceColumns);
        c.atNextZ = _weigh(packed, opened + stride * traceColumns, 0, traceColumns);
        c.atZ += _weigh(packed, opened + 2 * stride * traceColumns, traceColumns, columns);
    }

    /// @dev sum_i gamma^(i+1) v_i for first <= i < end, reduced; v_first at `values` in calldata.
    function _weigh(uint256[] memory packed, uint256 values, uint256 first, uint256 end)
        private
        pure
        returns (uint256 sum)
    {
        unchecked {
            for (uint256 i = first; i < end; ++i) {
                uint256 word;
                assembly ("memory-safe") {
                    word := calldataload(values)
                }
                sum += Quintic.mul(packed[i], Quintic.unpack(word)); // below 2^16 terms of 2^32
                values += ProofLayout.EXTENSION_BYTES;
            }
            return Quintic.reduce(sum);
        }
    }

    /// @notice Whether `value` is G(x) for the i-th opened position, both denominators multiplied out.
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
            uint256 weight;
            uint256[] memory weights = c.weights;
            assembly ("memory-safe") {
                weight := add(weights, 32)
            }
            uint256 low;
            uint256 high;
            (low, high, weight) = _row(low, high, weight, trees[ProofLayout.PREPROCESSED], i, 0);
            (low, high, weight) = _row(low, high, weight, trees[ProofLayout.MAIN], i, 0);
            (low, high, weight) = _row(low, high, weight, trees[ProofLayout.AUX], i, 0);
            uint256 next = Quintic.mul(c.last, Quintic.sub(collect(low, high), c.atNextZ));
            (low, high, weight) = _row(low, high, weight, trees[ProofLayout.QUOTIENT], i, 5);
            uint256 right = Quintic.mul(overNextZ, Quintic.sub(collect(low, high), c.atZ));
            right += Quintic.mul(overZ, next);

            ProofLayout.Tree memory quotient = trees[ProofLayout.QUOTIENT];
            uint256 mask = quotient.leaves + 4 * ((i + 1) * quotient.columns - 5);
            assembly ("memory-safe") {
                mask := calldataload(mask)
            }
            uint256 left = Quintic.mul(Quintic.mul(overZ, overNextZ), Quintic.sub(value, Quintic.unpack(mask)));
            return Quintic.equal(left, right);
        }
    }

    /// @dev Adds row i of a tree, without its last `except` columns, to a sum in progress.
    function _row(uint256 low, uint256 high, uint256 weight, ProofLayout.Tree memory tree, uint256 i, uint256 except)
        private
        pure
        returns (uint256, uint256, uint256)
    {
        unchecked {
            uint256 count = tree.columns;
            if (count == 0) return (low, high, weight);
            uint256 elements = tree.leaves + 4 * i * count;
            count -= except;
            (low, high) = accumulate(low, high, weight, elements, count);
            return (low, high, weight + 64 * count);
        }
    }

    /// @notice gamma^(i+1) for i < count, each reduced, and the same in two words each: weights[2i], weights[2i + 1].
    function powers(uint256 gamma, uint256 count)
        internal
        pure
        returns (uint256[] memory packed, uint256[] memory weights)
    {
        packed = new uint256[](count);
        weights = new uint256[](2 * count);
        uint256 power = gamma;
        for (uint256 i = 0; i < count; ++i) {
            packed[i] = power;
            (weights[2 * i], weights[2 * i + 1]) = widen(power);
            power = Quintic.mul(power, gamma);
        }
    }

    /// @notice `count` elements of E in calldata at `offset`, each in two words.
    function split(uint256 offset, uint256 count) internal pure returns (uint256[] memory weights) {
        weights = new uint256[](2 * count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 word;
            assembly ("memory-safe") {
                word := calldataload(add(offset, mul(20, i)))
            }
            (weights[2 * i], weights[2 * i + 1]) = widen(Quintic.unpack(word));
        }
    }

    /// @notice Coefficients 0, 1, 2 and 3, 4 of a packed element in slots of 85 bits.
    function widen(uint256 a) internal pure returns (uint256 low, uint256 high) {
        unchecked {
            uint256 slot = 0x7ffffffffffff;
            low = (a & slot) | ((a >> 51) & slot) << 85 | ((a >> 102) & slot) << 170;
            high = ((a >> 153) & slot) | (a >> 204) << 85;
        }
    }

    /// @notice sum_k c_k y^k for coefficients in two words each, canonical; y in F.
    function powerSum(uint256[] memory coefficients, uint256 y) internal pure returns (uint256) {
        uint256 low;
        uint256 high;
        assembly ("memory-safe") {
            let at := add(coefficients, 32)
            let end := add(at, shl(5, mload(coefficients)))
            for { let power := 1 } lt(at, end) { at := add(at, 64) } {
                low := add(low, mul(power, mload(at)))
                high := add(high, mul(power, mload(add(at, 32))))
                power := mulmod(power, y, 0x78000001)
            }
        }
        return collect(low, high);
    }

    /// @notice Adds sum_i weight_i v_i to a sum in progress; v_i are `count` elements in calldata, 4 bytes each.
    /// @param weight Memory address of the first weight's two words.
    function accumulate(uint256 low, uint256 high, uint256 weight, uint256 elements, uint256 count)
        internal
        pure
        returns (uint256 newLow, uint256 newHigh)
    {
        assembly ("memory-safe") {
            newLow := low
            newHigh := high
            for {} gt(count, 7) { count := sub(count, 8) } {
                let word := calldataload(elements)
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
            for {} count { count := sub(count, 1) } {
                let v := shr(224, calldataload(elements))
                newLow := add(newLow, mul(v, mload(weight)))
                newHigh := add(newHigh, mul(v, mload(add(weight, 32))))
                weight := add(weight, 64)
                elements := add(elements, 4)
            }
        }
    }

    /// @notice The element of E that a sum in progress stands for, canonical.
    function collect(uint256 low, uint256 high) internal pure returns (uint256 a) {
        unchecked {
            a = (low & SLOT_85) % BabyBear.P;
            a |= ((low >> 85) & SLOT_85) % BabyBear.P << 51;
            a |= (low >> 170) % BabyBear.P << 102;
            a |= (high & SLOT_85) % BabyBear.P << 153;
            a |= (high >> 85) % BabyBear.P << 204;
        }
    }
}
