// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice Secrets shared by a polynomial over the integers modulo Q: the secret is f(0), share i is f(1 + i).
library Shamir {
    /// @dev A prime, 2^255 - 19.
    uint256 internal constant Q = 2 ** 255 - 19;

    /// @notice f(0) = sum_i y_i prod_(j != i) x_j / (x_j - x_i) mod Q, f of the least degree with f(x_i) = y_i.
    /// @param points The x_i, each below Q, no two alike.
    function atZero(uint256[] memory points, uint256[] memory values) internal view returns (uint256 secret) {
        for (uint256 i = 0; i < points.length; ++i) {
            uint256 above = values[i];
            uint256 below = 1;
            for (uint256 j = 0; j < points.length; ++j) {
                if (j == i) continue;
                above = mulmod(above, points[j], Q);
                below = mulmod(below, points[j] + Q - points[i], Q);
            }
            secret = addmod(secret, mulmod(above, Math.invModPrime(below, Q), Q), Q);
        }
    }
}
