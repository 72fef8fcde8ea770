// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Uniform draws without replacement, with a cap for each operator: see IValidators.
library Sortition {
    /// @notice Positions of the drawn, in the order of the draws.
    /// @param operators Of each that can be drawn.
    function draw(bytes32 seed, address[] memory operators, uint256 seats, uint256 perOperator)
        internal
        pure
        returns (uint256[] memory drawn)
    {
        uint256 left = operators.length;
        uint256[] memory places = new uint256[](left);
        for (uint256 i = 0; i < left; ++i) {
            places[i] = i;
        }
        drawn = new uint256[](seats < left ? seats : left);
        uint256 found = 0;
        for (uint256 t = 0; found < drawn.length && left != 0; ++t) {
            uint256 k = uint256(keccak256(abi.encode(seed, t))) % left;
            uint256 place = places[k];
            places[k] = places[--left];
            uint256 held = 0;
            for (uint256 i = 0; i < found; ++i) {
                if (operators[drawn[i]] == operators[place]) ++held;
            }
            if (held < perOperator) drawn[found++] = place;
        }
        assembly ("memory-safe") {
            mstore(drawn, found) // no more than there is room for
        }
    }
}
