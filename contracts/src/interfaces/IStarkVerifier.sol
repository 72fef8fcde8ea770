// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Checks proofs of one statement: one AIR, one set of parameters, both fixed when the contract is deployed.
/// @dev Same phases, in the same order, as bfl_ref/stark/verifier.py; protocol and bytes: docs/proof-format.md. Every check
/// has one error, named as Python's subclass of `RejectedProof`.
interface IStarkVerifier {
    /// @notice For whom a proof was made: bound by the transcript, so a proof made for one domain fails in any other.
    /// @dev The caller fills it from what it knows itself, never from what the prover sends.
    struct Domain {
        uint256 chainId;
        address verifyingContract;
        uint256 roundId;
        address prover;
    }

    /// @notice Phase 0: the first byte is not the version that this contract reads.
    error BadVersion(uint256 got);
    /// @notice Phase 0: the parameters in the proof are not this contract's (both left-aligned).
    error WrongParameters(bytes32 expected, bytes32 got);
    /// @notice Phase 0: wrong number of public inputs (`index` is then the number handed in), or input `index` is not below p.
    error BadPublicInput(uint256 index, uint256 value);
    /// @notice Phase 0: the number of bytes is not what the counts in the proof say.
    error BadLength(uint256 expected, uint256 got);
    /// @notice Phase 0: the `index`-th element of the proof, counted from the first opened value, is not below p.
    error NonCanonicalElement(uint256 index, uint256 value);
    /// @notice Phase 4: the constraints at the out-of-domain point do not equal the opened quotient.
    error OodMismatch();
    /// @notice Phase 6: the final polynomial has another number of coefficients than the degree bound leaves.
    error FinalDegree(uint256 expected, uint256 got);
    /// @notice Phase 7: `nonce` gives fewer than `expected` leading zero bits.
    error BadGrinding(uint256 expected, uint256 nonce);
    /// @notice Phase 8: the openings of a tree do not lead to its root with exactly the nodes given.
    /// @param tree Which, numbered 0 main, 1 aux, 2 quotient, 3 preprocessed, 4 + j FRI layer j.
    error BadMerklePath(uint256 tree);
    /// @notice Phase 8: FRI layer 0 is not the DEEP combination of the opened columns at `position`.
    error DeepMismatch(uint256 position);
    /// @notice Phase 8: leaf `leaf` of FRI layer `layer` does not fold to the value that the next layer holds.
    error FoldMismatch(uint256 layer, uint256 leaf);
    /// @notice Phase 8: leaf `leaf` of the last FRI layer does not fold to the final polynomial's value.
    error FinalMismatch(uint256 leaf);

    /// @notice Returns if `proof` shows the statement for these public inputs; reverts with the name of the failed check otherwise.
    /// @param proof Bytes as docs/proof-format.md lays them out.
    /// @param domain For whom the proof was made.
    /// @param publicInputs Base-field elements, each below p = 2^31 - 2^27 + 1.
    function verify(bytes calldata proof, Domain calldata domain, uint256[] calldata publicInputs) external view;
}
