// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICommittee} from "./ICommittee.sol";
import {IGoverned} from "./IGoverned.sol";
import {IValidators} from "./IValidators.sol";

/// @title What a group's update does to the model, by the validators' own rows.
/// @notice A validator with rows of its own scores each group of a shared round: (loss of the model that the round began with -
/// loss with this group's update alone applied to it) / loss before, in 1/10,000, held within -10,000 .. 10,000. It commits to
/// keccak256(abi.encode(block.chainid, this contract, round, validator, scores, salt)) in phase Finalise and reveals in phase Settle.
/// The lower median over the revealed counts, if at least MIN_SCORERS (3) were revealed. Validators without rows keep out.
interface IContributions is IGoverned {
    event ScoresCommitted(uint256 indexed roundId, address indexed validator, bytes32 commitment);
    event ScoresRevealed(uint256 indexed roundId, address indexed validator, int16[] scores);

    /// @notice Nothing of the kind is asked for at the moment.
    error NotAsked(uint256 roundId);
    error AlreadyScored(uint256 roundId, address validator);
    error NothingCommitted(uint256 roundId, address validator);
    error WrongScores(uint256 roundId, address validator);
    error WrongScoreCount(uint256 expected, uint256 got);
    error ScoreOutOfRange(int16 got);

    /// @notice Scores of a round's groups are committed to from now on, up to and including block `until`. ROUNDS_ROLE only.
    function askScores(uint256 roundId, uint32 until) external;

    /// @notice The same for reveals. ROUNDS_ROLE only.
    function askReveals(uint256 roundId, uint32 until) external;

    /// @notice Validators of the round's committee, in phase Finalise, of a shared round, once. Before they vote: the vote that completes
    /// two thirds ends the phase. Not zero (NothingCommitted).
    function commitScores(uint256 roundId, bytes32 commitment) external;

    /// @notice The same, in phase Settle, once.
    function revealScores(uint256 roundId, int16[] calldata scores, bytes32 salt) external;

    /// @notice Lower median of the scores revealed for each group; `scored` false: too few revealed.
    function mediansOf(uint256 roundId) external view returns (bool scored, int16[] memory medians);

    /// @notice What a validator committed to; zero: nothing.
    function scoresCommitmentOf(uint256 roundId, address validator) external view returns (bytes32);

    /// @notice Whether a validator revealed.
    function hasRevealed(uint256 roundId, address validator) external view returns (bool);

    /// @notice Whether all that committed have revealed.
    function isSettled(uint256 roundId) external view returns (bool);

    /// @notice The commitment to scores.
    function scoresCommitment(uint256 roundId, address validator, int16[] calldata scores, bytes32 salt)
        external
        view
        returns (bytes32);

    /// @notice Where groups come from.
    function committee() external view returns (ICommittee);

    /// @notice Where validators are drawn.
    function validators() external view returns (IValidators);
}
