// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAirEvaluator} from "./IAirEvaluator.sol";

/// @notice The evaluator of an AIR with public data.
/// @dev Behind the opened columns `composition` is handed one word more: the sum T of the data (docs/proof-format.md), canonical.
interface IDataEvaluator is IAirEvaluator {
    /// @notice `composition` was handed another number of words than the columns at z, those at g z, and T.
    error WrongOpenings(uint256 expected, uint256 got);

    /// @notice Elements in a row of the data.
    function dataWidth() external view returns (uint256);
}
