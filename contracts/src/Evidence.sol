// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {SCORE_ONE} from "./interfaces/IReputation.sol";

/// @notice Arithmetic of reputations: see IReputation.
library Evidence {
    /// @dev What r and s are held at: all that their field can hold.
    uint256 internal constant MOST = type(uint48).max;

    /// @notice decay^rounds by squaring, a 32-bit fraction; 2^32 for no round.
    function fraction(uint256 decay, uint256 rounds) internal pure returns (uint256 result) {
        result = 1 << 32;
        unchecked {
            // factors are at most 2^32
            for (uint256 square = decay; rounds != 0 && result != 0; rounds >>= 1) {
                if (rounds & 1 == 1) result = (result * square) >> 32;
                square = (square * square) >> 32;
            }
        }
    }

    /// @notice Old evidence, of which `fraction_` is left, and new, at most MOST.
    function sum(uint256 old, uint256 fraction_, uint256 added) internal pure returns (uint48) {
        // casting is safe: at most MOST
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint48(Math.min(((old * fraction_) >> 32) + Math.min(added, MOST), MOST));
    }

    /// @notice b + a u, 10,000 being 1: of evidence up to MOST, a prior above zero, a base up to 10,000.
    function score(uint256 positive, uint256 negative, uint256 prior, uint256 base) internal pure returns (uint256) {
        unchecked {
            // 48 bits, 16 and 16; prior is not zero
            return (SCORE_ONE * positive + base * prior) / (positive + negative + prior);
        }
    }
}
