// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAudits} from "./IAudits.sol";
import {IGoverned} from "./IGoverned.sol";
import {IReputation} from "./IReputation.sol";
import {IStakeVault} from "./IStakeVault.sol";

/// @notice What the members set by vote.
/// @param seats Hospitals selected at most, 3 .. 64.
/// @param stakeCap Stake above this gives no more weight, in multiples of the minimum stake; at least 1.
/// @param patience Rounds of waiting that give weight: an eligible hospital that waited w rounds counts 1 + min(w, patience) times.
struct SelectionParameters {
    uint8 seats;
    uint8 stakeCap;
    uint8 patience;
}

/// @title Who trains: a lottery among the eligible, which anyone can repeat.
/// @notice Eligible: hospitals, in that role since the opening, with the minimum stake, a score at the threshold or above, and
/// in a round with a seed (a verified one) data that stand since before the opening. Weight, in integers:
/// score * (4 + min(bucket, typical)) * floor(16 min(stake, stakeCap * minStake) / minStake) * (1 + min(waited, patience)).
/// bucket: of the proven norm of the hospital's last release, b for a norm below 2^b units: doubling a norm adds 1, and what is
/// above `typical`, the lower median of the buckets in the last settled shared round, adds nothing.
/// waited: roundId - 1 - selected if it was ever selected, else roundId - since, else (its first lottery) 0. since is noted for
/// the first MAX_NEWCOMERS (16) of the eligible without one, in the order of `members()`: a lottery stays within a transaction
/// however many are new; the others begin to wait a lottery later.
/// (Without a minimum stake the stake's factor is 16.)
/// Draw t = 0, 1, .. takes, in the order of `members()`, the first hospital at which the weights up to and including it exceed
/// keccak256(abi.encode(seed, t)) mod (sum of the weights left); who was drawn has weight 0 from then on.
/// Ends with `seats` hospitals or with no weight left. All eligible ones at once, in
/// the order of `members()`, if they are no more than `seats` or the round has no seed (a basic round, where `seats` is no limit,
/// and the first 128 of them are taken).
interface ISelection is IGoverned {
    /// @notice What the lottery was drawn from: the eligible and their weights, in the order of `members()`.
    event LotteryDrawn(
        uint256 indexed roundId, bytes32 seed, address[] eligible, uint256[] weights, address[] selected
    );
    event SelectionSet(SelectionParameters parameters);
    event TypicalBucketSet(uint8 bucket);

    /// @notice Draws the hospitals of a round. ROUNDS_ROLE only.
    /// @param membersVersion Who was admitted or changed after it is not eligible.
    /// @param seed Beacon r1; zero: no lottery.
    function select(uint256 roundId, uint32 membersVersion, uint96 minStake, bytes32 seed)
        external
        returns (address[] memory selected);

    /// @notice The lottery alone, for whoever checks it: positions of the drawn. All of the positive weights if `seats` suffice.
    function draw(bytes32 seed, uint256[] calldata weights, uint256 seats)
        external
        pure
        returns (uint256[] memory drawn);

    /// @notice Sets what bucket is typical. EVIDENCE_ROLE only.
    function setTypical(uint8 bucket) external;

    /// @notice By vote: the parameters of coming lotteries.
    function setSelection(SelectionParameters calldata parameters) external;

    /// @notice The parameters in force.
    function selection() external view returns (SelectionParameters memory);

    /// @notice The typical norm bucket.
    function typical() external view returns (uint8);

    /// @notice Where reputations are kept.
    function reputation() external view returns (IReputation);

    /// @notice Who knows whose data stand.
    function audits() external view returns (IAudits);

    /// @notice Where stakes are kept.
    function vault() external view returns (IStakeVault);
}
