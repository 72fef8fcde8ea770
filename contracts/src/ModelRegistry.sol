// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Governed} from "./Governed.sol";
import {Content} from "./interfaces/Content.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IModelRegistry, MODEL_WRITER_ROLE, Model} from "./interfaces/IModelRegistry.sol";

/// @notice See IModelRegistry.
contract ModelRegistry is IModelRegistry, Governed {
    Model[] private _models;

    /// @param genesis The model that the first round trains on.
    constructor(IConsortium consortium_, Content memory genesis) Governed(consortium_) {
        _append(0, genesis);
    }

    /// @inheritdoc IModelRegistry
    function register(uint64 roundId, Content calldata content) external override onlyPower(MODEL_WRITER_ROLE) {
        uint64 last = _models[_models.length - 1].roundId;
        if (roundId <= last) revert RoundNotAfter(roundId, last);
        _append(roundId, content);
    }

    /// @inheritdoc IModelRegistry
    function current() external view override returns (Model memory) {
        return _models[_models.length - 1];
    }

    /// @inheritdoc IModelRegistry
    function modelAt(uint256 version) external view override returns (Model memory) {
        if (version >= _models.length) revert UnknownVersion(version, _models.length);
        return _models[version];
    }

    /// @inheritdoc IModelRegistry
    function versions() external view override returns (uint256) {
        return _models.length;
    }

    function _append(uint64 roundId, Content memory content) private {
        content.check();
        emit ModelRegistered(_models.length, roundId, content.digest, content.cid, content.codec);
        _models.push(Model(content.cid, content.digest, content.codec, roundId, SafeCast.toUint32(block.number)));
    }
}
