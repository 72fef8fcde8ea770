// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The base field F of the proof system: integers modulo p = 2^31 - 2^27 + 1. Elements are canonical, below p.
library BabyBear {
    uint256 internal constant P = 0x78000001;
    /// @dev Multiplicative generator; the evaluation coset is 31 * <omega>.
    uint256 internal constant GENERATOR = 31;
    uint256 internal constant GENERATOR_INVERSE = 64944062;
    uint256 internal constant TWO_ADICITY = 27;
    /// @dev 31^((p-1)/2^27), of order 2^27, and its inverse.
    uint256 internal constant ROOT = 440564289;
    uint256 internal constant ROOT_INVERSE = 1713844692;

    /// @notice base^exponent.
    function pow(uint256 base, uint256 exponent) internal pure returns (uint256 result) {
        result = 1;
        for (; exponent != 0; exponent >>= 1) {
            if (exponent & 1 == 1) result = mulmod(result, base, P);
            base = mulmod(base, base, P);
        }
    }

    /// @notice 1/a by Fermat; 0 for a = 0.
    function inverse(uint256 a) internal pure returns (uint256) {
        return pow(a, P - 2);
    }

    /// @notice The root of unity of order 2^logOrder.
    function rootOfUnity(uint256 logOrder) internal pure returns (uint256 root) {
        root = ROOT;
        for (uint256 k = TWO_ADICITY; k > logOrder; --k) {
            root = mulmod(root, root, P);
        }
    }

    /// @notice Table for `pointAt`: start from ROOT for points, from ROOT_INVERSE for their inverses; 2^logLength points.
    /// @dev Root k, of order 2^(k+1), is what bit k of a bit-reversed position contributes to its point, whatever the size of the
    /// domain. For every four bits, 16 words: the product of the roots at the set bits of 0 .. 15. Returns a memory address.
    function pointTable(uint256 root, uint256 logLength) internal pure returns (uint256 table) {
        uint256 bits = (logLength + 3) & ~uint256(3); // whole groups of four
        for (uint256 k = TWO_ADICITY; k > bits; --k) {
            root = mulmod(root, root, P);
        }
        assembly ("memory-safe") {
            table := mload(0x40)
            mstore(0x40, add(table, shl(7, bits)))
            // The last root has the highest order: downwards, each the square of the one before.
            for { let group := add(table, shl(7, bits)) } gt(group, table) {} {
                group := sub(group, 512)
                mstore(group, 1)
                for { let half := 256 } gt(half, 31) { half := shr(1, half) } {
                    mstore(add(group, half), root) // the entry with this bit alone
                    root := mulmod(root, root, 0x78000001)
                }
                for { let half := 64 } lt(half, 512) { half := shl(1, half) } {
                    let bit := mload(add(group, half))
                    for { let entry := 32 } lt(entry, half) { entry := add(entry, 32) } {
                        mstore(add(group, add(half, entry)), mulmod(bit, mload(add(group, entry)), 0x78000001))
                    }
                }
            }
        }
    }

    /// @notice The point of a bit-reversed position: offset * omega^bitrev(position), or with inverse offset and table its inverse.
    function pointAt(uint256 offset, uint256 table, uint256 position) internal pure returns (uint256 x) {
        assembly ("memory-safe") {
            x := offset
            for {} position {
                position := shr(4, position)
                table := add(table, 512)
            } {
                x := mulmod(x, mload(add(table, shl(5, and(position, 15)))), 0x78000001)
            }
        }
    }
}
