// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Governed} from "./Governed.sol";
import {Phases} from "./Phases.sol";
import {Content} from "./interfaces/Content.sol";
import {AGGREGATOR, HOSPITAL, IConsortium, Member, VALIDATOR} from "./interfaces/IConsortium.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {AbortReason, Phase} from "./interfaces/IPhases.sol";
import {IRoundManager, Participation, Round, RoundParameters} from "./interfaces/IRoundManager.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @notice See IRoundManager.
contract RoundManager is IRoundManager, Phases {
    /// @dev In a sum over two hospitals each sees the other's update.
    uint8 public constant MIN_HOSPITALS = 3;
    uint8 public constant MAX_HOSPITALS = 128;

    /// @dev A model that an aggregator submitted.
    struct Candidate {
        bool submitted;
        uint8 votes;
    }

    /// @dev Who first used an update's digest, and where.
    struct Origin {
        uint96 roundId;
        address hospital;
    }

    /// @inheritdoc IRoundManager
    IStakeVault public immutable override vault;
    /// @inheritdoc IRoundManager
    IModelRegistry public immutable override registry;

    RoundParameters private _parameters;
    mapping(uint256 roundId => Round) private _rounds;
    mapping(uint256 roundId => address[]) private _hospitals;
    mapping(uint256 roundId => mapping(address member => Participation)) private _participations;
    mapping(uint256 roundId => mapping(bytes32 key => Candidate)) private _candidates;
    mapping(bytes32 digest => Origin) private _origins;

    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IModelRegistry registry_,
        RoundParameters memory parameters_
    ) Governed(consortium_) {
        vault = vault_;
        registry = registry_;
        _setParameters(parameters_);
    }

    /// @inheritdoc IRoundManager
    function open(Content calldata task, uint24[9] calldata durations) external override returns (uint256 roundId) {
        _callerAs(VALIDATOR);
        task.check();
        roundId = _start(durations);
        Round storage round = _rounds[roundId];
        uint256 modelVersion = registry.versions() - 1;
        round.minStake = _parameters.minStake;
        round.minHospitals = _parameters.minHospitals;
        round.membersVersion = consortium.version();
        round.modelVersion = SafeCast.toUint32(modelVersion);
        round.aggregators = consortium.aggregators();
        round.validators = consortium.validators();
        round.taskCodec = task.codec;
        round.taskCid = task.cid;
        round.taskDigest = task.digest;
        bytes32 modelDigest = registry.current().digest;
        emit RoundOpened(
            roundId, msg.sender, modelVersion, modelDigest, task, _parameters, durations, round.membersVersion
        );
    }

    /// @inheritdoc IRoundManager
    function commitUpdate(uint256 roundId, Content calldata update, uint32 rows) external override {
        Member memory caller = _callerAs(HOSPITAL);
        _requirePhase(roundId, Phase.Commit);
        Round storage round = _rounds[roundId];
        Participation storage own = _participations[roundId][msg.sender];
        if (!own.selected) {
            uint96 active = vault.stakeOf(msg.sender).active;
            if (active < round.minStake) {
                revert IStakeVault.InsufficientStake(msg.sender, active, round.minStake);
            }
            revert NotSelected(roundId, msg.sender);
        }
        _requireInRound(roundId, caller);
        if (own.commitment != 0) revert AlreadyCommitted(roundId, msg.sender);
        update.check();
        if (rows == 0) revert NoRows(msg.sender);
        Origin memory origin = _origins[update.digest];
        if (origin.hospital != address(0)) {
            revert ReplayedSubmission(update.digest, origin.roundId, origin.hospital);
        }
        _origins[update.digest] = Origin(SafeCast.toUint96(roundId), msg.sender);
        own.commitment = commitmentOf(roundId, msg.sender, update.digest);
        own.cid = update.cid;
        own.codec = update.codec;
        own.rows = rows;
        ++round.committed;
        emit UpdateCommitted(roundId, msg.sender, update.digest, update.cid, update.codec, rows, own.commitment);
    }

    /// @inheritdoc IRoundManager
    function submitCandidate(uint256 roundId, Content calldata model) external override {
        Member memory caller = _callerAs(AGGREGATOR);
        _requirePhase(roundId, Phase.Aggregate);
        _requireInRound(roundId, caller);
        Participation storage own = _participations[roundId][msg.sender];
        if (own.submitted) revert AlreadySubmitted(roundId, msg.sender);
        model.check();
        own.submitted = true;
        _candidates[roundId][_key(model)].submitted = true;
        ++_rounds[roundId].submitted;
        emit CandidateSubmitted(roundId, msg.sender, model.digest, model.cid, model.codec);
    }

    /// @inheritdoc IRoundManager
    function voteModel(uint256 roundId, Content calldata model) external override {
        // Checks
        Member memory caller = _callerAs(VALIDATOR);
        _requirePhase(roundId, Phase.Finalise);
        _requireInRound(roundId, caller);
        Participation storage own = _participations[roundId][msg.sender];
        if (own.voted) revert AlreadyVoted(roundId, msg.sender);
        Candidate storage candidate = _candidates[roundId][_key(model)];
        if (!candidate.submitted) revert UnknownCandidate(roundId, model.cid, model.digest);
        // Effects
        own.voted = true;
        uint8 votes = ++candidate.votes;
        Round storage round = _rounds[roundId];
        ++round.voted;
        if (votes > round.leading) round.leading = votes;
        emit ModelVoted(roundId, msg.sender, model.digest, votes);
        // Interactions: exactly once, since two thirds leave no room for two thirds of another
        if (votes == quorumOf(roundId)) registry.register(SafeCast.toUint64(roundId), model);
    }

    /// @inheritdoc IRoundManager
    function setParameters(RoundParameters calldata parameters_) external override onlyVote {
        _setParameters(parameters_);
    }

    /// @inheritdoc IRoundManager
    function parameters() external view override returns (RoundParameters memory) {
        return _parameters;
    }

    /// @inheritdoc IRoundManager
    function roundOf(uint256 roundId) external view override returns (Round memory) {
        return _rounds[roundId];
    }

    /// @inheritdoc IRoundManager
    function hospitalsOf(uint256 roundId) external view override returns (address[] memory) {
        return _hospitals[roundId];
    }

    /// @inheritdoc IRoundManager
    function participationOf(uint256 roundId, address member) external view override returns (Participation memory) {
        return _participations[roundId][member];
    }

    /// @inheritdoc IRoundManager
    function candidateOf(uint256 roundId, Content calldata model)
        external
        view
        override
        returns (bool submitted, uint8 votes)
    {
        Candidate memory candidate = _candidates[roundId][_key(model)];
        return (candidate.submitted, candidate.votes);
    }

    /// @inheritdoc IRoundManager
    function quorumOf(uint256 roundId) public view override returns (uint256) {
        return (2 * uint256(_rounds[roundId].validators) + 2) / 3;
    }

    /// @inheritdoc IRoundManager
    function commitmentOf(uint256 roundId, address hospital, bytes32 digest) public view override returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), roundId, hospital, digest));
    }

    /// @inheritdoc Phases
    function _isDone(uint256 roundId, Phase phase) internal view override returns (bool) {
        Round memory round = _rounds[roundId];
        if (phase == Phase.Train) return false;
        if (phase == Phase.Commit) return round.committed == round.selected;
        if (phase == Phase.Aggregate) return round.submitted == round.aggregators;
        if (phase == Phase.Finalise) {
            uint256 outstanding = round.validators - round.voted;
            return round.leading >= quorumOf(roundId) || round.leading + outstanding < quorumOf(roundId);
        }
        return true;
    }

    /// @inheritdoc Phases
    function _leave(uint256 roundId, Phase phase) internal override returns (bool fellShort, AbortReason reason) {
        if (phase == Phase.Select) _select(roundId);
        if (phase == Phase.Commit) _dropMissing(roundId);
        Round memory round = _rounds[roundId];
        if (phase == Phase.Select) return (round.selected < round.minHospitals, AbortReason.TooFewHospitals);
        if (phase == Phase.Commit) return (round.committed < round.minHospitals, AbortReason.TooFewCommitments);
        if (phase == Phase.Aggregate) return (round.submitted == 0, AbortReason.NoCandidate);
        if (phase == Phase.Finalise) return (round.leading < quorumOf(roundId), AbortReason.NoQuorum);
    }

    /// @inheritdoc Phases
    function _entered(uint256 roundId, Phase from, Phase to) internal override {
        if (from == Phase.Select && to == Phase.Train) vault.freeze(_hospitals[roundId]);
        else if (from != Phase.Select && to >= Phase.Finalised) vault.release(_hospitals[roundId]);
    }

    /// @dev Every hospital of the round that has the minimum stake at this moment.
    function _select(uint256 roundId) private {
        Round storage round = _rounds[roundId];
        address[] memory members = consortium.members();
        uint8 selected = 0;
        for (uint256 i = 0; i < members.length; ++i) {
            Member memory record = consortium.recordOf(members[i]);
            if (record.roles & HOSPITAL == 0 || record.version > round.membersVersion) continue;
            uint96 active = vault.stakeOf(members[i]).active;
            if (active < round.minStake) continue;
            _hospitals[roundId].push(members[i]);
            _participations[roundId][members[i]].selected = true;
            ++selected;
            emit HospitalSelected(roundId, members[i], active);
        }
        round.selected = selected;
    }

    function _dropMissing(uint256 roundId) private {
        address[] memory hospitals = _hospitals[roundId];
        for (uint256 i = 0; i < hospitals.length; ++i) {
            if (_participations[roundId][hospitals[i]].commitment == 0) emit HospitalDropped(roundId, hospitals[i]);
        }
    }

    function _requireInRound(uint256 roundId, Member memory caller) private view {
        if (caller.version > _rounds[roundId].membersVersion) revert NotInRound(roundId, msg.sender);
    }

    function _setParameters(RoundParameters memory parameters_) private {
        _requireRange("minHospitals", parameters_.minHospitals, MIN_HOSPITALS, MAX_HOSPITALS);
        _parameters = parameters_;
        emit ParametersSet(parameters_);
    }

    function _key(Content calldata model) private pure returns (bytes32) {
        return keccak256(abi.encode(model.cid, model.digest, model.codec));
    }
}
