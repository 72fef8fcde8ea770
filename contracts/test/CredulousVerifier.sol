// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataVerifier} from "../src/interfaces/IDataVerifier.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";

/// @notice Takes anything for proven, at no cost: what proofs state is other tests' business.
contract CredulousVerifier is IDataVerifier {
    /// @inheritdoc IStarkVerifier
    function verify(bytes calldata, Domain calldata, uint256[] calldata) external pure override {}

    /// @inheritdoc IDataVerifier
    function verify(bytes calldata, Domain calldata, uint256[] calldata, bytes calldata) external pure override {}
}
