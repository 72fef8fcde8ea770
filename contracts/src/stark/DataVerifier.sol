// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAirEvaluator} from "../interfaces/IAirEvaluator.sol";
import {IDataEvaluator} from "../interfaces/IDataEvaluator.sol";
import {IDataVerifier} from "../interfaces/IDataVerifier.sol";
import {IStarkVerifier} from "../interfaces/IStarkVerifier.sol";
import {ProofLayout} from "./ProofLayout.sol";
import {PublicData} from "./PublicData.sol";
import {StarkVerifier} from "./StarkVerifier.sol";

/// @notice The verifier of one statement about public data.
contract DataVerifier is StarkVerifier, IDataVerifier {
    /// @notice Elements in a row of the data.
    uint256 public immutable DATA_WIDTH;

    /// @param evaluator Generated contract of an AIR with data.
    /// @param parameterWord As for StarkVerifier.
    constructor(IDataEvaluator evaluator, bytes32 parameterWord) StarkVerifier(evaluator, parameterWord) {
        DATA_WIDTH = evaluator.dataWidth();
    }

    /// @inheritdoc IStarkVerifier
    function verify(bytes calldata proof, Domain calldata domain, uint256[] calldata publicInputs)
        external
        view
        override(IStarkVerifier, StarkVerifier)
    {
        this.verify(proof, domain, publicInputs, "");
    }

    /// @inheritdoc IDataVerifier
    function verify(bytes calldata proof, Domain calldata domain, uint256[] calldata publicInputs, bytes calldata data)
        external
        view
    {
        _verify(proof, domain, publicInputs, data);
    }

    /// @inheritdoc StarkVerifier
    function _boundData(bytes calldata data, IAirEvaluator.Shape memory shape)
        internal
        view
        override
        returns (bytes memory)
    {
        PublicData.requireRows(data, DATA_WIDTH, 1 << shape.logLength);
        return PublicData.binding(data);
    }

    /// @inheritdoc StarkVerifier
    function _dataSums(ProofLayout.Layout memory sections, uint256 lam)
        internal
        pure
        override
        returns (uint256[] memory sums)
    {
        sums = new uint256[](1);
        sums[0] = PublicData.sum(sections.data, sections.dataBytes, lam);
    }
}
