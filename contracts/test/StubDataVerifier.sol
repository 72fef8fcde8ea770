// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataVerifier} from "../src/interfaces/IDataVerifier.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";

/// @notice Stands in for a verifier: the one proof of a statement is the hash of its domain, public inputs and data.
contract StubDataVerifier is IDataVerifier {
    /// @inheritdoc IStarkVerifier
    function verify(bytes calldata, Domain calldata, uint256[] calldata) external pure override {
        revert OodMismatch(); // the statement is about data
    }

    /// @inheritdoc IDataVerifier
    function verify(bytes calldata proof, Domain calldata domain, uint256[] calldata publicInputs, bytes calldata data)
        external
        pure
        override
    {
        bytes32 expected = keccak256(abi.encode(domain, publicInputs, keccak256(data)));
        if (keccak256(proof) != keccak256(abi.encode(expected))) revert OodMismatch();
    }
}
