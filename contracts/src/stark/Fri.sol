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
    /// @param twists Inverse roots of unity w^-bitrev(i), i < 2^(k-1), w of order 2^k: the factor from the leaf's point 2i to its first.
    /// A shorter leaf reads a prefix, which is the same list for it.
    /// @dev `work` is memory for 2^k words. Values grow by additions only, to below 2^(2k) 3 p, and are reduced where they are multiplied.
    function foldLeaf(uint256 leaf, uint256 k, uint256 ratio, uint256[] memory twists, uint256[] memory work)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 half = 1 << (k - 1);
            for (uint256 i = 0; i < half; ++i) {
                (uint256 even, uint256 odd) = _pairInCalldata(leaf, i);
                // Canonical values: even + p - odd is below 2 p, which `mul` takes as it is.
                uint256 factor = i == 0 ? ratio : Quintic.scale(ratio, _at(twists, i));
                _set(work, i, even + odd + Quintic.mul(factor, even + Quintic.P_SLOTS - odd));
            }
            uint256 bound = 4; // every value in `work` is below bound * p
            while (half > 1) {
                half >>= 1;
                ratio = Quintic.mul(ratio, ratio);
                for (uint256 i = 0; i < half; ++i) {
                    uint256 even = _at(work, 2 * i);
                    uint256 odd = _at(work, 2 * i + 1);
                    uint256 factor = i == 0 ? ratio : Quintic.scale(ratio, _at(twists, i));
                    uint256 difference = Quintic.reduce(even + bound * Quintic.P_SLOTS - odd);
                    _set(work, i, even + odd + Quintic.mul(factor, difference));
                }
                bound = 2 * bound + 2;
            }
            return Quintic.reduce(_at(work, 0));
        }
    }

    /// @notice Points of a layer's codeword: offset * prod of roots at the set bits of the position, and their inverses.
    struct Domain {
        uint256 offset;
        uint256 inverseOffset;
        uint256[] roots;
        uint256[] inverseRoots;
    }

    /// @notice Layer 0's domain, 2^logLength points.
    function domain(uint256 logLength) internal pure returns (Domain memory d) {
        d.offset = BabyBear.GENERATOR;
        d.inverseOffset = BabyBear.GENERATOR_INVERSE;
        d.roots = BabyBear.rootsByBit(BabyBear.ROOT, logLength);
        d.inverseRoots = BabyBear.rootsByBit(BabyBear.ROOT_INVERSE, logLength);
    }

    /// @notice The domain of the points x^(2^times). The roots stay: position i's factors do not depend on the domain's size.
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
            uint256[] memory twists = inverseTwists(logFold);
            uint256[] memory work = new uint256[](1 << logFold);
            for (uint256 i = 0; i < indices.length; ++i) {
                uint256 ratio =
                    Quintic.scale(beta, BabyBear.pointAt(d.inverseOffset, d.inverseRoots, _at(indices, i) << logFold));
                _set(folded, i, foldLeaf(leaves, logFold, ratio, twists, work));
                leaves += 20 << logFold;
            }
        }
    }

    /// @notice sum_k c_k y^k at the points of all positions in `indices`, canonical. c_k: `count` elements in calldata at `finals`.
    /// @dev y lies in F: coefficients in two words of 85-bit slots (Deep), one base product a term, reduced once.
    function evaluate(uint256 finals, uint256 count, uint256[] memory indices, Domain memory d)
        internal
        pure
        returns (uint256[] memory values)
    {
        values = new uint256[](indices.length);
        uint256[] memory coefficients = Deep.split(finals, count);
        for (uint256 i = 0; i < indices.length; ++i) {
            values[i] = Deep.powerSum(coefficients, BabyBear.pointAt(d.offset, d.roots, indices[i]));
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
            uint256 at = c.leaf + 20 * (position & ((1 << c.logFold) - 1));
            assembly ("memory-safe") {
                word := calldataload(at)
            }
            return Quintic.unpack(word);
        }
    }

    /// @notice w^-bitrev(i) for i < 2^(k-1), w of order 2^k.
    function inverseTwists(uint256 k) internal pure returns (uint256[] memory twists) {
        unchecked {
            twists = new uint256[](k == 0 ? 0 : 1 << (k - 1));
            uint256[] memory roots = BabyBear.rootsByBit(BabyBear.ROOT_INVERSE, k);
            for (uint256 i = 0; i < twists.length; ++i) {
                twists[i] = BabyBear.pointAt(1, roots, 2 * i);
            }
        }
    }

    /// @dev Elements 2i and 2i + 1 of a leaf in calldata.
    function _pairInCalldata(uint256 leaf, uint256 i) private pure returns (uint256 even, uint256 odd) {
        uint256 first;
        uint256 second;
        assembly ("memory-safe") {
            let at := add(leaf, mul(40, i))
            first := calldataload(at)
            second := calldataload(add(at, 20))
        }
        even = Quintic.unpack(first);
        odd = Quintic.unpack(second);
    }

    /// @dev list[i] without a bounds check: i < list.length by the loops above.
    function _at(uint256[] memory list, uint256 i) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(list, 32), shl(5, i)))
        }
    }

    function _set(uint256[] memory list, uint256 i, uint256 value) private pure {
        assembly ("memory-safe") {
            mstore(add(add(list, 32), shl(5, i)), value)
        }
    }
}
