// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The lower median.
library Median {
    /// @notice Of n > 0 values the one at place (n - 1) / 2 of their order, from 0. `values` are sorted.
    function lower(int256[] memory values) internal pure returns (int256) {
        for (uint256 i = 1; i < values.length; ++i) {
            int256 value = values[i];
            uint256 place = i;
            for (; place > 0 && values[place - 1] > value; --place) {
                values[place] = values[place - 1];
            }
            values[place] = value;
        }
        return values[(values.length - 1) / 2];
    }
}
