// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Phases of a round in their order, and its two outcomes. Idle: not opened.
enum Phase {
    Idle,
    Select,
    Train,
    Commit,
    Draw,
    Prove,
    Share,
    Aggregate,
    Finalise,
    Settle,
    Finalised,
    Aborted
}

/// @notice Why a round was aborted.
enum AbortReason {
    TooFewHospitals,
    TooFewCommitments,
    NoCandidate,
    NoQuorum,
    NoBeacon,
    TooFewSurvivors,
    NoSum
}

/// @title The state machine of a round: order of the phases and their deadlines in blocks.
/// @notice One round at a time. Its phases are passed one by one in their order; a phase may be left once its work is done or its
/// deadline has passed, and leads to the next phase, or to Aborted where its work fell short. What belongs to a phase is
/// accepted up to and including the block of its deadline.
interface IPhases {
    /// @notice The round moved by one phase; `deadline` is the last block of `to`, zero for an outcome.
    event PhaseAdvanced(uint256 indexed roundId, Phase indexed from, Phase indexed to, uint32 deadline);
    /// @notice The round ended without a new model; the old one stays in force.
    event RoundAborted(uint256 indexed roundId, Phase indexed phase, AbortReason indexed reason);
    /// @notice The round ended with its model in force.
    event RoundFinalised(uint256 indexed roundId);

    error WrongRound(uint256 expected, uint256 got);
    error WrongPhase(Phase expected, Phase got);
    error DeadlinePassed(uint32 deadline, uint256 blockNumber);
    /// @notice The phase has work outstanding, and time for it.
    error PhaseNotOver(Phase phase, uint32 deadline, uint256 blockNumber);
    /// @notice The last round has not ended.
    error RoundStillOpen(uint256 roundId, Phase phase);
    /// @notice No round is open.
    error NoOpenRound();

    /// @notice Moves the round by exactly one phase. Voting members only, whoever was silent.
    function advance(uint256 roundId) external;

    /// @notice Number of the last round opened; zero before the first.
    function currentRound() external view returns (uint256);

    /// @notice Where a round stands.
    function phaseOf(uint256 roundId) external view returns (Phase);

    /// @notice Last block of the phase that the round is in; zero once it ended.
    function deadlineOf(uint256 roundId) external view returns (uint32);

    /// @notice Blocks given to each phase of a round, Select first.
    function durationsOf(uint256 roundId) external view returns (uint24[9] memory);
}
