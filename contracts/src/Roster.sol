// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Lists of members in memory.
library Roster {
    /// @notice Shortens a list to its first `count` places.
    function cut(address[] memory list, uint256 count) internal pure {
        assert(count <= list.length);
        assembly ("memory-safe") {
            mstore(list, count)
        }
    }
}
