// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium, Member} from "./interfaces/IConsortium.sol";

/// @notice Who can be drawn for anything.
library Roster {
    /// @notice Members that hold `role` in a record no newer than `version`, in the order of `members()`.
    function holding(IConsortium consortium, uint8 role, uint256 version)
        internal
        view
        returns (address[] memory found)
    {
        found = consortium.members();
        uint256 count = 0;
        for (uint256 i = 0; i < found.length; ++i) {
            Member memory record = consortium.recordOf(found[i]);
            if (record.roles & role != 0 && record.version <= version) found[count++] = found[i];
        }
        cut(found, count);
    }

    /// @notice Shortens a list to its first `count` places.
    function cut(address[] memory list, uint256 count) internal pure {
        assert(count <= list.length);
        assembly ("memory-safe") {
            mstore(list, count)
        }
    }
}
