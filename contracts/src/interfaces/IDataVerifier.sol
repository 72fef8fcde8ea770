// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStarkVerifier} from "./IStarkVerifier.sol";

/// @notice Checks proofs of one statement about public data, as IStarkVerifier does of those without.
interface IDataVerifier {
    /// @notice Returns if `proof` shows the statement for these public inputs and data; reverts with the name of the failed check
    /// otherwise.
    /// @param data Base-field elements of 4 bytes each, big-endian, below p = 2^31 - 2^27 + 1.
    function verify(
        bytes calldata proof,
        IStarkVerifier.Domain calldata domain,
        uint256[] calldata publicInputs,
        bytes calldata data
    ) external view;
}
