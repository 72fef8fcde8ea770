// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice E by definition: five coefficients, schoolbook products, X^5 = 2.
library QuinticPlain {
    uint256 internal constant P = 2 ** 31 - 2 ** 27 + 1;

    function slots(uint256 a) internal pure returns (uint256[5] memory c) {
        for (uint256 k = 0; k < 5; ++k) {
            c[k] = ((a >> (51 * k)) & (2 ** 51 - 1)) % P;
        }
    }

    function pack(uint256[5] memory c) internal pure returns (uint256 a) {
        for (uint256 k = 0; k < 5; ++k) {
            a |= c[k] << (51 * k);
        }
    }

    function mul(uint256 a, uint256 b) internal pure returns (uint256) {
        uint256[5] memory x = slots(a);
        uint256[5] memory y = slots(b);
        uint256[5] memory z;
        for (uint256 i = 0; i < 5; ++i) {
            for (uint256 j = 0; j < 5; ++j) {
                uint256 term = x[i] * y[j] * (i + j >= 5 ? 2 : 1);
                z[(i + j) % 5] = (z[(i + j) % 5] + term) % P;
            }
        }
        return pack(z);
    }

    /// @dev An element whose slots lie below `bound`, from random bits.
    function random(uint256 seed, uint256 bound) internal pure returns (uint256 a) {
        for (uint256 k = 0; k < 5; ++k) {
            seed = uint256(keccak256(abi.encode(seed)));
            // A quarter of the slots at the bound: that is where a reduction overflows first.
            a |= (seed % 4 == 0 ? bound - 1 : (seed >> 2) % bound) << (51 * k);
        }
    }
}
