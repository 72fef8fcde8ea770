// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Who is summed with whom: max(1, n / 3) groups of n survivors, sizes at most one apart, larger ones first.
library CommitteeGroups {
    /// @notice The group of each survivor. Fisher and Yates: for j = n - 1 .. 1 swap places j and keccak256(abi.encode(seed, j)) mod
    /// (j + 1); then the places are cut, in their order.
    /// @dev Twin of `partition` in bfl_ref/sharing/groups.py. The remainder of 256 bits is uniform up to n / 2^256.
    function partition(bytes32 seed, uint256 n) internal pure returns (uint8[] memory groups) {
        uint256[] memory order = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            order[i] = i;
        }
        for (uint256 j = n; j > 1;) {
            --j;
            uint256 i = uint256(keccak256(abi.encode(seed, j))) % (j + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        groups = new uint8[](n);
        uint256 count = n < 6 ? 1 : n / 3;
        uint256 place = 0;
        for (uint256 group = 0; group < count; ++group) {
            uint256 end = place + n / count + (group < n % count ? 1 : 0);
            for (; place < end; ++place) {
                // at most 128 / 3 groups
                // forge-lint: disable-next-line(unsafe-typecast)
                groups[order[place]] = uint8(group);
            }
        }
    }
}
