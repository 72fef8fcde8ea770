// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IContributions} from "./IContributions.sol";
import {IGoverned} from "./IGoverned.sol";
import {Phase} from "./IPhases.sol";
import {IReputation} from "./IReputation.sol";
import {IRewards} from "./IRewards.sol";
import {IRollup} from "./IRollup.sol";
import {ISelection} from "./ISelection.sol";
import {IValidators} from "./IValidators.sol";

/// @title What a round leaves behind: evidence for each party, rewards for those who did their part.
/// @notice Called as a round ends, with the last phase that was left. Facts, and where they stand:
/// hospital, once Commit was left - no commitment: `missed`. Excluded by its audits (once Prove was left): `failed`. A complaint
/// never answered (once Share was left): `missed`. Else `kept`, and `proven` if a proof of its was accepted: an audit passed, or
/// its release (shared rounds).
/// hospital of a finalised shared round, scored, of two groups or more: the median q of its group; q >= 0: quality * min(q,
/// qualityFull) / qualityFull positive, else qualityLoss * quality * min(-q, qualityFull) / qualityFull negative; rounded down.
/// validator of a finalised round - voted for the model that came in force: `kept`; for another one, or not at all: `missed`. It
/// committed to scores and did not reveal them: `missed`.
/// Of any round with a beacon, for each of its two secrets: falsely dealt: `failed`; kept back, rebuilt by the others or lost: `missed`.
/// aggregator's seat, once Aggregate was left - without a sum of each group: `missed`, else `kept`.
/// Rewards, finalised shared rounds only: each hospital that survived contributes x = weight * (10,000 + max(q, -10,000)), weight
/// that of ICommittee.weightOf, q 0 where nothing was scored; services: each validator that is `kept` for its vote, each
/// seat with all sums, in the order of the committees. In the same rounds the survivors' buckets are noted for coming lotteries, their lower median as typical.
/// Evidence is written once for each role that a member had in the round, zeros included; of secrets only where it is not zero.
/// Nothing of this can fail for what a party did: rewards are only credited, and evidence is only counted.
/// With a rollup, evidence of members that have accounts there is one push of EVIDENCE entries instead, zeros left out; what its batches
/// add up in the members' slots is written by `collect`, once for each member, as of the last round that was settled. If the rollup
/// freezes, what no batch took is written, and paid, by `reclaim`: letting the queue wait loses nobody's evidence.
interface ISettlement is IGoverned {
    /// @notice A round was settled. medians: of its groups; empty: nothing was scored.
    event RoundSettled(uint256 indexed roundId, Phase last, int16[] medians);

    /// @notice The entries are not those of item `number`, or neither evidence nor rewards of rounds.
    error WrongItem(uint256 number);
    error AlreadyReclaimed(uint256 number);

    /// @notice Settles a round that ends after phase `last`. ROUNDS_ROLE only.
    function settle(uint256 roundId, Phase last, bool finalised) external;

    /// @notice Writes the evidence that the rollup has settled since it was last collected. Anybody.
    function collect(address[] calldata members) external;

    /// @notice Once the rollup is frozen: writes the evidence, or owes the rewards, of a push that no batch took, once. Anybody.
    /// @param entries The item's bytes, as EntriesQueued has them.
    function reclaim(uint256 number, bytes calldata entries) external;

    /// @notice The rollup that evidence and rewards go through; zero: none.
    function rollup() external view returns (IRollup);

    /// @notice The last round that was settled with a rollup.
    function lastSettled() external view returns (uint256);

    /// @notice Where evidence goes.
    function reputation() external view returns (IReputation);

    /// @notice Where rewards go.
    function rewards() external view returns (IRewards);

    /// @notice Where scores come from.
    function contributions() external view returns (IContributions);

    /// @notice Who is told the typical bucket.
    function selection() external view returns (ISelection);

    /// @notice Where validators are drawn.
    function validators() external view returns (IValidators);
}
