// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAirEvaluator} from "../interfaces/IAirEvaluator.sol";
import {IDataEvaluator} from "../interfaces/IDataEvaluator.sol";
import {Quintic} from "./Quintic.sol";

/// @notice The evaluator of an AIR whose code does not fit one contract (EIP-170): generated parts, each a sum over some of the
/// constraints with their own powers of alpha, added up.
contract SplitEvaluator is IDataEvaluator {
    /// @notice A part belongs to another AIR than the first.
    error AnotherAir(uint256 part, bytes32 expected, bytes32 got);

    IAirEvaluator[] private _parts;

    constructor(IAirEvaluator[] memory parts) {
        bytes32 airId = parts[0].shape().airId;
        for (uint256 i = 0; i < parts.length; ++i) {
            bytes32 got = parts[i].shape().airId;
            if (got != airId) revert AnotherAir(i, airId, got);
            _parts.push(parts[i]);
        }
    }

    /// @inheritdoc IAirEvaluator
    function shape() external view override returns (Shape memory) {
        return _parts[0].shape();
    }

    /// @inheritdoc IDataEvaluator
    /// @dev Reverts for an AIR without data.
    function dataWidth() external view override returns (uint256) {
        return IDataEvaluator(address(_parts[0])).dataWidth();
    }

    /// @inheritdoc IAirEvaluator
    function composition(uint256[4] calldata challenges, uint256[] calldata opened, uint256[] calldata publicInputs)
        external
        view
        override
        returns (uint256 sum)
    {
        uint256 count = _parts.length;
        for (uint256 i = 0; i < count; ++i) {
            sum = Quintic.reduce(sum + _parts[i].composition(challenges, opened, publicInputs));
        }
    }
}
