// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A fair draw without replacement.
library AuditDraw {
    /// @notice There are fewer to draw from than are to be drawn.
    error TooFewToDraw(uint256 n, uint256 k);

    /// @notice k distinct numbers below n; over random seeds every set of k is equally likely.
    /// @dev R. Floyd's sampling: for j = n - k .. n - 1 take t = keccak256(abi.encode(seed, j)) mod (j + 1), or j itself where t
    /// was taken before. The remainder of 256 bits is uniform up to n / 2^256.
    function draw(bytes32 seed, uint256 n, uint256 k) internal pure returns (uint256[] memory drawn) {
        if (k > n) revert TooFewToDraw(n, k);
        drawn = new uint256[](k);
        uint256[] memory taken = new uint256[](n / 256 + 1); // a bit for each number
        for (uint256 i = 0; i < k; ++i) {
            uint256 j = n - k + i;
            uint256 t = uint256(keccak256(abi.encode(seed, j))) % (j + 1);
            if ((taken[t / 256] >> (t % 256)) & 1 == 1) t = j;
            taken[t / 256] |= 1 << (t % 256);
            drawn[i] = t;
        }
    }
}
