// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice An AIR as the verifier needs it: its shape, and its constraints at the out-of-domain point.
/// @dev Implementations are generated from the Python AIR by bfl_ref/stark/solidity. Elements of the quintic extension
/// are packed in one word, five slots of 51 bits (contracts/src/stark/Quintic.sol), here always canonical.
interface IAirEvaluator {
    /// @param airId Keccak of the AIR's canonical description.
    /// @param preprocessedRoot Root of the preprocessed columns (26 bytes, left-aligned), zero without them.
    /// @param logLength log2 of the trace length.
    /// @param preprocessed Number of preprocessed columns.
    /// @param main Number of main columns.
    /// @param aux Number of lookup columns (each an extension element, five base columns).
    /// @param chunks Number of quotient chunks.
    /// @param publicInputs Number of public inputs.
    struct Shape {
        bytes32 airId;
        bytes32 preprocessedRoot;
        uint256 logLength;
        uint256 preprocessed;
        uint256 main;
        uint256 aux;
        uint256 chunks;
        uint256 publicInputs;
    }

    function shape() external view returns (Shape memory);

    /// @notice sum_j alpha^j c_j(z) / Z_j(z) over the AIR's constraints.
    /// @param challenges beta, lam (zero without lookups), alpha, z.
    /// @param opened The opened base columns in the proof's order: all at z, then all at g z, without quotient columns.
    /// @param publicInputs Canonical base-field elements.
    function composition(uint256[4] calldata challenges, uint256[] calldata opened, uint256[] calldata publicInputs)
        external
        view
        returns (uint256);
}
