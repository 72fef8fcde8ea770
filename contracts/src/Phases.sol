// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Governed} from "./Governed.sol";
import {AbortReason, IPhases, Phase} from "./interfaces/IPhases.sol";

/// @dev The state machine alone: which phase, until when, and what it takes to leave it. What a phase means is told by the three
/// hooks at the end, which the round manager fills in.
abstract contract Phases is IPhases, Governed {
    /// @dev A week of 12-second blocks: the longest that one silent member can hold up a phase.
    uint24 public constant MAX_PHASE_BLOCKS = 50_400;

    /// @dev One slot a round. durations: 24 bits a phase, Select lowest.
    struct Clock {
        Phase phase;
        uint32 deadline;
        uint216 durations;
    }

    mapping(uint256 roundId => Clock) private _clocks;

    /// @inheritdoc IPhases
    uint256 public override currentRound;

    /// @inheritdoc IPhases
    function advance(uint256 roundId) external override onlyVoter {
        // Checks
        if (roundId != currentRound) revert WrongRound(currentRound, roundId);
        Clock memory clock = _clocks[roundId];
        if (_isOver(clock.phase)) revert NoOpenRound();
        if (block.number <= clock.deadline && !_isDone(roundId, clock.phase)) {
            revert PhaseNotOver(clock.phase, clock.deadline, block.number);
        }
        // Effects
        (bool fellShort, AbortReason reason) = _leave(roundId, clock.phase);
        Phase to = fellShort ? Phase.Aborted : Phase(uint8(clock.phase) + 1);
        _enter(roundId, clock, to);
        if (to == Phase.Aborted) emit RoundAborted(roundId, clock.phase, reason);
        if (to == Phase.Finalised) emit RoundFinalised(roundId);
        // Interactions
        _entered(roundId, clock.phase, to);
    }

    /// @inheritdoc IPhases
    function phaseOf(uint256 roundId) public view override returns (Phase) {
        return _clocks[roundId].phase;
    }

    /// @inheritdoc IPhases
    function deadlineOf(uint256 roundId) public view override returns (uint32) {
        return _clocks[roundId].deadline;
    }

    /// @inheritdoc IPhases
    function durationsOf(uint256 roundId) external view override returns (uint24[9] memory durations) {
        for (uint256 i = 0; i < 9; ++i) {
            durations[i] = _duration(_clocks[roundId].durations, i);
        }
    }

    /// @dev Starts the next round in phase Select; reverts while one is open.
    function _start(uint24[9] calldata durations) internal returns (uint256 roundId) {
        roundId = currentRound;
        Phase last = phaseOf(roundId);
        if (!_isOver(last)) revert RoundStillOpen(roundId, last);
        currentRound = ++roundId;
        uint256 packed = 0;
        for (uint256 i = 0; i < 9; ++i) {
            _requireRange("duration", durations[i], 1, MAX_PHASE_BLOCKS);
            packed |= uint256(durations[i]) << (24 * i);
        }
        // casting is safe: 9 x 24 bits
        // forge-lint: disable-next-line(unsafe-typecast)
        _enter(roundId, Clock(Phase.Idle, 0, uint216(packed)), Phase.Select);
    }

    function _requirePhase(uint256 roundId, Phase phase) internal view {
        if (roundId != currentRound) revert WrongRound(currentRound, roundId);
        Clock memory clock = _clocks[roundId];
        if (clock.phase != phase) revert WrongPhase(phase, clock.phase);
        if (block.number > clock.deadline) revert DeadlinePassed(clock.deadline, block.number);
    }

    /// @dev Whether the phase's work is done, so that it may be left before its deadline.
    function _isDone(uint256 roundId, Phase phase) internal view virtual returns (bool);

    /// @dev The effects of leaving a phase; whether its work fell short, and by what.
    function _leave(uint256 roundId, Phase phase) internal virtual returns (bool fellShort, AbortReason reason);

    /// @dev Calls to other contracts, once the phase has changed.
    function _entered(uint256 roundId, Phase from, Phase to) internal virtual;

    function _enter(uint256 roundId, Clock memory clock, Phase to) private {
        uint32 deadline = 0;
        if (!_isOver(to)) {
            // the time of a phase starts when it is entered, however late that is
            deadline = SafeCast.toUint32(block.number + _duration(clock.durations, uint8(to) - 1));
        }
        _clocks[roundId] = Clock(to, deadline, clock.durations);
        emit PhaseAdvanced(roundId, clock.phase, to, deadline);
    }

    function _duration(uint216 durations, uint256 index) private pure returns (uint24) {
        // the lowest 24 bits are meant
        // forge-lint: disable-next-line(unsafe-typecast)
        return uint24(durations >> (24 * index));
    }

    function _isOver(Phase phase) private pure returns (bool) {
        // an enumeration, not a balance that somebody could tip over
        // slither-disable-next-line incorrect-equality
        return phase == Phase.Idle || phase >= Phase.Finalised;
    }
}
