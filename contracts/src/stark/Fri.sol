// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear} from "./BabyBear.sol";
import {Deep} from "./Deep.sol";
import {Quintic} from "./Quintic.sol";

/// @notice FRI by leaf: a leaf is 2^k neighbouring values of a bit-reversed codeword, on the points x s, s^(2^k) = 1.
/// @dev Folding once: f*(x^2) = (f(x) + f(-x))/2 + beta (f(x) - f(-x))/(2x). The halves are left out: k foldings give 2^k times the value.
library Fri {
    /// @notice 2^k f*(x^(2^k)), f* = sum_j beta^j f_j, reduced, from the 2^k elements in calldata at `leaf` (20 bytes each, canonical).
    /// @param ratio beta / x for the leaf's first point x, reduced.
    /// @param twists Memory address of inverse roots of unity w^-bitrev(2 i), i < 2^(k-1), w of order 2^k: the factor from the leaf's
    /// point 2i to its first. A shorter leaf's list is a prefix.
    /// @param work Memory address of room for 2^(k-1) words.
    /// @dev Values grow by additions only, to below 2^(2k) 3 p, and are reduced where they are multiplied.
    function foldLeaf(uint256 leaf, uint256 k, uint256 ratio, uint256 twists, uint256 work)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 to = work;
            uint256 twist = twists;
            for (uint256 end = leaf + (20 << k); leaf < end; leaf += 40) {
                uint256 even = Quintic.load(leaf);
                uint256 odd = Quintic.load(leaf + 20);
                uint256 factor = Quintic.scale(ratio, _mload(twist));
                // Canonical values: even + p - odd is below 2 p, which `mul` takes as it is.
                _mstore(to, even + odd + Quintic.mul(factor, even + Quintic.P_SLOTS - odd));
                to += 32;
                twist += 32;
            }
            // Every value at `work` is now below 4 p; `offset` is a multiple of p above them.
            for (uint256 offset = 4 * Quintic.P_SLOTS; to != work + 32; offset = 2 * offset + 2 * Quintic.P_SLOTS) {
                ratio = Quintic.mul(ratio, ratio);
                twist = twists;
                uint256 end = to;
                to = work;
                for (uint256 from = work; from < end; from += 64) {
                    uint256 even = _mload(from);
                    uint256 odd = _mload(from + 32);
                    uint256 factor = Quintic.scale(ratio, _mload(twist));
                    _mstore(to, even + odd + Quintic.mul(factor, Quintic.reduce(even + offset - odd)));
                    to += 32;
                    twist += 32;
                }
            }
            return Quintic.reduce(_mload(work));
        }
    }

    /// @notice Where a layer's points are, and their inverses: offset and table of BabyBear.pointAt.
    struct Domain {
        uint256 offset;
        uint256 inverseOffset;
        uint256 points;
        uint256 inversePoints;
    }

    /// @notice Layer 0's domain, 2^logLength points.
    function domain(uint256 logLength) internal pure returns (Domain memory d) {
        d.offset = BabyBear.GENERATOR;
        d.inverseOffset = BabyBear.GENERATOR_INVERSE;
        d.points = BabyBear.pointTable(BabyBear.ROOT, logLength);
        d.inversePoints = BabyBear.pointTable(BabyBear.ROOT_INVERSE, logLength);
    }

    /// @notice The domain of the points x^(2^times). The tables stay: a position's factors do not depend on the domain's size.
    function halve(Domain memory d, uint256 times) internal pure {
        for (; times > 0; --times) {
            d.offset = mulmod(d.offset, d.offset, BabyBear.P);
            d.inverseOffset = mulmod(d.inverseOffset, d.inverseOffset, BabyBear.P);
        }
    }

    /// @notice 2^logFold times the folds of all opened leaves of a layer, reduced. `leaves` is their offset in calldata.
    function foldLeaves(uint256 leaves, uint256[] memory indices, uint256 logFold, uint256 beta, Domain memory d)
        internal
        pure
        returns (uint256[] memory folded)
    {
        unchecked {
            folded = new uint256[](indices.length);
            uint256 twists = _twists(logFold, d.inversePoints);
            for (uint256 i = 0; i < indices.length; ++i) {
                uint256 ratio = BabyBear.pointAt(d.inverseOffset, d.inversePoints, indices[i] << logFold);
                ratio = Quintic.scale(beta, ratio);
                folded[i] = foldLeaf(leaves, logFold, ratio, twists, twists + (16 << logFold));
                leaves += 20 << logFold;
            }
        }
    }

    /// @dev Memory address of w^-bitrev(2 i) for i < 2^(logFold-1), w of order 2^logFold, with room for as many words behind them.
    function _twists(uint256 logFold, uint256 inversePoints) private pure returns (uint256 twists) {
        uint256 count = 1 << (logFold - 1);
        uint256[] memory words = new uint256[](2 * count);
        for (uint256 i = 0; i < count; ++i) {
            // A position's factors do not depend on the size of the domain.
            words[i] = BabyBear.pointAt(1, inversePoints, 2 * i);
        }
        assembly ("memory-safe") {
            twists := add(words, 32)
        }
    }

    /// @notice sum_k c_k y^k at the points of all positions in `indices`, canonical. c_k: `count` elements in calldata at `finals`.
    /// @dev y lies in F: coefficients are wide (Deep), two products a term, reduced once.
    function evaluate(uint256 finals, uint256 count, uint256[] memory indices, Domain memory d)
        internal
        pure
        returns (uint256[] memory values)
    {
        unchecked {
            values = new uint256[](indices.length);
            uint256 coefficients = Deep.loadWide(finals, count);
            for (uint256 i = 0; i < indices.length; ++i) {
                values[i] = Deep.powerSum(coefficients, count, BabyBear.pointAt(d.offset, d.points, indices[i]));
            }
        }
    }

    /// @notice Walks along the opened leaves of a layer as positions ascend.
    struct Cursor {
        uint256 leaf; // offset in calldata
        uint256 index; // of that leaf
        uint256 logFold;
        bool started;
    }

    function cursor(uint256 leaves, uint256 logFold) internal pure returns (Cursor memory) {
        return Cursor(leaves, 0, logFold, false);
    }

    /// @notice The value at `position`, canonical. Positions ascend, and the opened leaves are exactly those that hold them.
    function valueAt(Cursor memory c, uint256 position) internal pure returns (uint256) {
        unchecked {
            uint256 index = position >> c.logFold;
            if (c.started && index != c.index) c.leaf += 20 << c.logFold;
            c.index = index;
            c.started = true;
            uint256 word;
            uint256 offset = c.leaf + 20 * (position & ((1 << c.logFold) - 1));
            assembly ("memory-safe") {
                word := calldataload(offset)
            }
            return Quintic.unpack(word);
        }
    }

    function _mload(uint256 pointer) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(pointer)
        }
    }

    function _mstore(uint256 pointer, uint256 value) private pure {
        assembly ("memory-safe") {
            mstore(pointer, value)
        }
    }
}
