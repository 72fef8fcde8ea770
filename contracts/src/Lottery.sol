// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Draws without replacement by weight: see ISelection.
library Lottery {
    /// @notice Positions of the drawn, in the order of the draws; all positive weights, in their order, if `seats` suffice.
    /// `weights` are left as they were.
    function draw(bytes32 seed, uint256[] memory weights, uint256 seats)
        internal
        pure
        returns (uint256[] memory drawn)
    {
        (uint256 left, uint256 positive) = (0, 0);
        for (uint256 i = 0; i < weights.length; ++i) {
            uint256 weight = weights[i];
            left += weight;
            if (weight != 0) ++positive;
        }
        drawn = new uint256[](positive < seats ? positive : seats);
        if (positive <= seats) return _positive(weights, drawn);
        uint256[] memory taken = new uint256[](seats);
        for (uint256 t = 0; t < seats; ++t) {
            uint256 place = _placeOf(weights, uint256(keccak256(abi.encode(seed, t))) % left);
            (drawn[t], taken[t]) = (place, weights[place]);
            left -= weights[place];
            weights[place] = 0;
        }
        for (uint256 t = 0; t < seats; ++t) {
            weights[drawn[t]] = taken[t];
        }
    }

    /// @dev The first place up to and including which the weights exceed `value`, which is below their sum.
    function _placeOf(uint256[] memory weights, uint256 value) private pure returns (uint256 place) {
        // the same walk as with bounds checked: it ends before the list does, since the sum exceeds the value
        assembly ("memory-safe") {
            let at := add(weights, 0x20)
            let weight := mload(at)
            for {} iszero(lt(value, weight)) {} {
                value := sub(value, weight)
                at := add(at, 0x20)
                weight := mload(at)
            }
            place := sub(div(sub(at, weights), 0x20), 1)
        }
    }

    function _positive(uint256[] memory weights, uint256[] memory places) private pure returns (uint256[] memory) {
        uint256 found = 0;
        for (uint256 i = 0; i < weights.length; ++i) {
            if (weights[i] != 0) places[found++] = i;
        }
        return places;
    }
}
