// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Governed} from "./Governed.sol";
import {Median} from "./Median.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {IConsortium, ROUNDS_ROLE, VALIDATOR} from "./interfaces/IConsortium.sol";
import {IContributions} from "./interfaces/IContributions.sol";
import {IPhases} from "./interfaces/IPhases.sol";
import {IValidators} from "./interfaces/IValidators.sol";

/// @notice See IContributions.
contract Contributions is IContributions, Governed {
    uint256 public constant MIN_SCORERS = 3;
    int16 public constant MOST = 10_000;

    /// @dev Of a round. Last blocks of both stages: zero outside them.
    struct Sheet {
        uint32 commitUntil;
        uint32 revealUntil;
        uint8 groups;
        uint8 committed;
        address[] revealed;
    }

    /// @inheritdoc IContributions
    ICommittee public immutable override committee;
    /// @inheritdoc IContributions
    IValidators public immutable override validators;
    /// @inheritdoc IContributions
    mapping(uint256 roundId => mapping(address validator => bytes32)) public override scoresCommitmentOf;

    mapping(uint256 roundId => Sheet) private _sheets;
    mapping(uint256 roundId => mapping(address validator => int16[])) private _scores;

    constructor(IConsortium consortium_, ICommittee committee_, IValidators validators_) Governed(consortium_) {
        (committee, validators) = (committee_, validators_);
    }

    /// @inheritdoc IContributions
    function askScores(uint256 roundId, uint32 until) external override onlyPower(ROUNDS_ROLE) {
        // their number alone counts here
        // slither-disable-next-line unused-return
        (uint256 groups,) = committee.groupsOf(roundId);
        _sheets[roundId].groups = SafeCast.toUint8(groups);
        _sheets[roundId].commitUntil = until;
    }

    /// @inheritdoc IContributions
    function askReveals(uint256 roundId, uint32 until) external override onlyPower(ROUNDS_ROLE) {
        (_sheets[roundId].commitUntil, _sheets[roundId].revealUntil) = (0, until);
    }

    /// @inheritdoc IContributions
    function commitScores(uint256 roundId, bytes32 commitment) external override {
        Sheet storage sheet = _sheets[roundId];
        _requireSeated(roundId);
        _requireAsked(roundId, sheet.commitUntil);
        if (commitment == 0) revert NothingCommitted(roundId, msg.sender);
        if (scoresCommitmentOf[roundId][msg.sender] != 0) revert AlreadyScored(roundId, msg.sender);
        scoresCommitmentOf[roundId][msg.sender] = commitment;
        ++sheet.committed;
        emit ScoresCommitted(roundId, msg.sender, commitment);
    }

    /// @inheritdoc IContributions
    function revealScores(uint256 roundId, int16[] calldata scores, bytes32 salt) external override {
        Sheet storage sheet = _sheets[roundId];
        _requireSeated(roundId);
        _requireAsked(roundId, sheet.revealUntil);
        bytes32 commitment = scoresCommitmentOf[roundId][msg.sender];
        if (commitment == 0) revert NothingCommitted(roundId, msg.sender);
        if (hasRevealed(roundId, msg.sender)) revert AlreadyScored(roundId, msg.sender);
        if (commitment != scoresCommitment(roundId, msg.sender, scores, salt)) revert WrongScores(roundId, msg.sender);
        if (scores.length != sheet.groups) revert WrongScoreCount(sheet.groups, scores.length);
        for (uint256 i = 0; i < scores.length; ++i) {
            if (scores[i] < -MOST || scores[i] > MOST) revert ScoreOutOfRange(scores[i]);
        }
        sheet.revealed.push(msg.sender);
        _scores[roundId][msg.sender] = scores;
        emit ScoresRevealed(roundId, msg.sender, scores);
    }

    /// @inheritdoc IContributions
    function mediansOf(uint256 roundId) external view override returns (bool scored, int16[] memory medians) {
        address[] memory scorers = _sheets[roundId].revealed;
        if (scorers.length < MIN_SCORERS) return (false, new int16[](0));
        int16[][] memory scores = new int16[][](scorers.length);
        for (uint256 i = 0; i < scorers.length; ++i) {
            scores[i] = _scores[roundId][scorers[i]];
        }
        medians = new int16[](_sheets[roundId].groups);
        int256[] memory column = new int256[](scorers.length);
        for (uint256 group = 0; group < medians.length; ++group) {
            for (uint256 i = 0; i < scorers.length; ++i) {
                column[i] = scores[i][group];
            }
            // casting is safe: one of the scores
            // forge-lint: disable-next-line(unsafe-typecast)
            medians[group] = int16(Median.lower(column));
        }
        return (true, medians);
    }

    /// @inheritdoc IContributions
    function isSettled(uint256 roundId) external view override returns (bool) {
        return _sheets[roundId].revealed.length == _sheets[roundId].committed;
    }

    /// @inheritdoc IContributions
    function hasRevealed(uint256 roundId, address validator) public view override returns (bool) {
        return _scores[roundId][validator].length != 0;
    }

    /// @inheritdoc IContributions
    function scoresCommitment(uint256 roundId, address validator, int16[] calldata scores, bytes32 salt)
        public
        view
        override
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, address(this), roundId, validator, scores, salt));
    }

    /// @dev The caller is in the round's committee, and still a validator.
    function _requireSeated(uint256 roundId) private view {
        // only that the role is held counts here
        // slither-disable-next-line unused-return
        _callerAs(VALIDATOR);
        if (!validators.isSeated(roundId, msg.sender)) revert IValidators.NotInCommittee(roundId, msg.sender);
    }

    function _requireAsked(uint256 roundId, uint32 until) private view {
        if (until == 0) revert NotAsked(roundId);
        if (block.number > until) revert IPhases.DeadlinePassed(until, block.number);
    }
}
