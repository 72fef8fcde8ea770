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

    /// @notice Roots of unity by order: element k has order 2^(k+1), for k < count. Start from ROOT or ROOT_INVERSE.
    /// @dev Element k is the factor that bit k of a bit-reversed position contributes to its point: x_i = offset *
    /// omega^bitrev(i) is the offset times the elements at the set bits of i, whatever the size of the domain.
    function rootsByBit(uint256 root, uint256 count) internal pure returns (uint256[] memory roots) {
        roots = new uint256[](count);
        for (uint256 k = TWO_ADICITY; k > count; --k) {
            root = mulmod(root, root, P);
        }
        for (uint256 k = count; k > 0; --k) {
            roots[k - 1] = root;
            root = mulmod(root, root, P);
        }
    }

    /// @notice offset * prod of roots[k] over the set bits k of `position`: the point of a bit-reversed position.
    /// @dev `position` < 2^roots.length. Plain loop in BabyBear.t.sol.
    function pointAt(uint256 offset, uint256[] memory roots, uint256 position) internal pure returns (uint256 x) {
        assembly ("memory-safe") {
            x := offset
            for { let at := add(roots, 32) } position {
                position := shr(1, position)
                at := add(at, 32)
            } {
                if and(position, 1) { x := mulmod(x, mload(at), 0x78000001) }
            }
        }
    }
}
