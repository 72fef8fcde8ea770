// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AuditDraw} from "./AuditDraw.sol";
import {Governed} from "./Governed.sol";
import {SegmentInputs} from "./SegmentInputs.sol";
import {StateTree} from "./StateTree.sol";
import {Audit, IAudits, StateCommitment, TrainingParameters} from "./interfaces/IAudits.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {IStarkVerifier} from "./interfaces/IStarkVerifier.sol";

/// @dev The books of each round's audits, and what can be read in them.
abstract contract AuditBooks is IAudits, Governed {
    using SegmentInputs for uint256[];

    /// @dev until: last block for proofs; zero before the draw and after the close.
    struct Book {
        uint32 dataVersion;
        uint32 until;
        uint32 outstanding;
        uint8 failing;
        bytes32 start;
        TrainingParameters parameters;
        address[] hospitals;
        Audit[] audits;
    }

    /// @inheritdoc IAudits
    IStakeVault public immutable override vault;
    /// @inheritdoc IAudits
    IModelRegistry public immutable override registry;
    /// @inheritdoc IAudits
    IDataRegistry public immutable override data;
    /// @inheritdoc IAudits
    IBeacon public immutable override beacon;
    IStarkVerifier internal immutable _oneHalf;
    IStarkVerifier internal immutable _twoHalves;

    TrainingParameters internal _training;
    mapping(uint256 roundId => Book) internal _books;
    mapping(uint256 roundId => mapping(address hospital => StateCommitment)) internal _states;

    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IModelRegistry registry_,
        IDataRegistry data_,
        IBeacon beacon_,
        IStarkVerifier[2] memory verifiers,
        TrainingParameters memory training_
    ) Governed(consortium_) {
        (vault, registry, data, beacon) = (vault_, registry_, data_, beacon_);
        (_oneHalf, _twoHalves) = (verifiers[0], verifiers[1]);
        _setTraining(training_);
    }

    /// @inheritdoc IAudits
    function setTraining(TrainingParameters calldata parameters) external override onlyVote {
        _setTraining(parameters);
    }

    /// @inheritdoc IAudits
    function training() external view override returns (TrainingParameters memory) {
        return _training;
    }

    /// @inheritdoc IAudits
    function trainingOf(uint256 roundId) external view override returns (TrainingParameters memory) {
        return _books[roundId].parameters;
    }

    /// @inheritdoc IAudits
    function startOf(uint256 roundId) external view override returns (bytes32) {
        return _books[roundId].start;
    }

    /// @inheritdoc IAudits
    function mayTrain(uint256 roundId, address hospital) external view override returns (bool) {
        return data.rowsOf(hospital) != 0 && data.versionOf(hospital) <= _books[roundId].dataVersion;
    }

    /// @inheritdoc IAudits
    function dataVersionOf(uint256 roundId) external view override returns (uint32) {
        return _books[roundId].dataVersion;
    }

    /// @inheritdoc IAudits
    function statesOf(uint256 roundId, address hospital) external view override returns (StateCommitment memory) {
        return _states[roundId][hospital];
    }

    /// @inheritdoc IAudits
    function committedTo(uint256 roundId) external view override returns (address[] memory) {
        return _books[roundId].hospitals;
    }

    /// @inheritdoc IAudits
    function pathOf(uint256 roundId, address hospital, bytes32[] calldata states, uint256 index)
        public
        view
        override
        returns (bytes32 root, bytes32[] memory path)
    {
        return StateTree.rootAndPath(StateTree.Place(address(this), roundId, hospital), states, index);
    }

    /// @inheritdoc IAudits
    function auditOf(uint256 roundId, uint256 auditId) public view override returns (Audit memory) {
        Audit[] storage audits = _books[roundId].audits;
        if (auditId >= audits.length) revert UnknownAudit(auditId, audits.length);
        return audits[auditId];
    }

    /// @inheritdoc IAudits
    function auditsOf(uint256 roundId) external view override returns (uint256) {
        return _books[roundId].audits.length;
    }

    /// @inheritdoc IAudits
    function outstanding(uint256 roundId) external view override returns (uint256) {
        return _books[roundId].outstanding;
    }

    /// @inheritdoc IAudits
    function failing(uint256 roundId) external view override returns (uint256) {
        return _books[roundId].failing;
    }

    /// @inheritdoc IAudits
    function isExcluded(uint256 roundId, address hospital) external view override returns (bool) {
        return _states[roundId][hospital].excluded;
    }

    /// @inheritdoc IAudits
    function publicInputs(uint256 roundId, uint256 auditId, bytes32 before, bytes32 after_)
        public
        view
        override
        returns (uint256[] memory inputs)
    {
        Audit memory audit = auditOf(roundId, auditId);
        TrainingParameters memory parameters = _books[roundId].parameters;
        uint256 segments = _states[roundId][audit.hospital].steps / parameters.epochs;
        uint256 segment = audit.step % segments;
        inputs = new uint256[](SegmentInputs.COUNT);
        inputs.putDigest(0, data.segmentOf(audit.hospital, segment));
        inputs.putDigest(8, before);
        inputs.putDigest(16, after_);
        inputs.putDigest(24, data.seedCommitmentOf(audit.hospital));
        inputs.putBeacon(beacon.valueOf(roundId, 0));
        uint256 rows = data.segmentRows(data.rowsOf(audit.hospital), segments, segment);
        inputs.putStep(audit.step, rows, parameters);
    }

    /// @inheritdoc IAudits
    function sample(bytes32 seed, uint256 n, uint256 k) external pure override returns (uint256[] memory) {
        return AuditDraw.draw(seed, n, k);
    }

    /// @inheritdoc IAudits
    function verifierOf(uint8 halves) public view override returns (IStarkVerifier) {
        return halves == 1 ? _oneHalf : halves == 2 ? _twoHalves : IStarkVerifier(address(0));
    }

    function _setTraining(TrainingParameters memory parameters) private {
        _requireRange("halves", parameters.halves, 1, 2);
        _requireRange("epochs", parameters.epochs, 1, 64);
        _requireRange("rate", parameters.rate, 1, type(uint16).max);
        _requireRange("clip", parameters.clip, 1, 32);
        _requireRange("noise", parameters.noise, 0, 4000);
        _requireRange("auditRate", parameters.auditRate, 0, 10_000);
        _requireRange("auditFee", parameters.auditFee, 0, parameters.penalty);
        _training = parameters;
        emit TrainingSet(parameters);
    }
}
