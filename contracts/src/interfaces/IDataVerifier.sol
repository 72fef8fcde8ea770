// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStarkVerifier} from "./IStarkVerifier.sol";

/// @notice Checks proofs of one statement about public data: a long list of base-field elements, handed in as bytes.
/// @dev The function without data takes them to be none.
interface IDataVerifier is IStarkVerifier {
    /// @notice Phase 0: `index` bytes (`value` is then 0) are not whole rows of data, or more than a trace can carry. Phase 2:
    /// element `index` of the data is `value`, not below p.
    error BadPublicData(uint256 index, uint256 value);

    /// @notice Returns if `proof` shows the statement for these public inputs and data; reverts with the name of the failed check
    /// otherwise.
    /// @param proof Bytes as docs/proof-format.md lays them out.
    /// @param domain For whom the proof was made.
    /// @param publicInputs Base-field elements, each below p = 2^31 - 2^27 + 1.
    /// @param data Base-field elements, 4 bytes each, big-endian, each below p: whole rows, one behind the other.
    function verify(bytes calldata proof, Domain calldata domain, uint256[] calldata publicInputs, bytes calldata data)
        external
        view;
}
