// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IGoverned} from "./IGoverned.sol";
import {IRollupQueue} from "./IRollupQueue.sol";

/// @dev Power of a contract: it says what members have earned.
bytes32 constant PAYER_ROLE = keccak256("PAYER_ROLE");

/// @notice What the members set by vote, in the token's smallest unit; at most its supply.
/// @param hospitals R of a round: shared among its hospitals in the ratio of their contributions.
/// @param service For each service of a round: a validator's vote, a seat's sums.
struct RewardParameters {
    uint96 hospitals;
    uint96 service;
}

/// @title What members have earned, kept until they fetch it.
/// @notice The pot is whatever tokens this contract holds and does not owe: paid in by `fund`, or sent by a vote from the treasury.
/// A round's hospitals get floor(R' x_i / X) each, R' = min(R, pot), X the sum of the x_i; each service min(service, what is left of
/// the pot / services), rounded down; what rounding leaves stays in the pot. RewardCredited is emitted for what is fetched here;
/// what goes to the rollup is in its EntriesQueued.
interface IRewards is IGoverned {
    event Funded(address indexed from, uint256 amount);
    event RewardCredited(uint256 indexed roundId, address indexed member, uint256 amount);
    /// @notice A round was credited; `pot`: what is left.
    event RewardsCredited(uint256 indexed roundId, uint256 toHospitals, uint256 toServices, uint256 pot);
    event RewardClaimed(address indexed member, uint256 amount);
    event RewardParametersSet(RewardParameters parameters);

    error NothingOwed(address member);
    error AlreadyCredited(uint256 roundId);
    /// @notice What came back has been paid out for later rounds meanwhile: `fund` the pot first.
    error PotTooSmall(uint256 pot, uint256 amount);

    /// @notice Pays into the pot (allowance needed). Members only.
    function fund(uint256 amount) external;

    /// @notice Credits a round, once for each round. PAYER_ROLE only.
    /// @param hospitals Hospitals that are paid, and their contributions x_i, in the same order.
    /// @param services Members that did a service, one entry for each.
    /// @param rollup Where who has an account is paid, in whole units, by one push of deposits; what is below a unit stays in
    /// the pot. Others, or all if the push is not taken, fetch their reward here. Zero: there is no rollup.
    function credit(
        uint256 roundId,
        address[] calldata hospitals,
        uint256[] calldata contributions,
        address[] calldata services,
        IRollupQueue rollup
    ) external;

    /// @notice Owes the rewards of a push that came back from the rollup, as DEPOSIT entries have them, to who fetches them here.
    /// PAYER_ROLE only; once for each push, which is for the caller to see to.
    function restore(uint256 roundId, bytes calldata entries, IRollupQueue rollup) external;

    /// @notice Pays out what the caller is owed. Members only, not while paused.
    function claim() external returns (uint256 amount);

    /// @notice By vote: the parameters of coming rounds.
    function setRewards(RewardParameters calldata parameters) external;

    /// @notice The parameters in force.
    function rewards() external view returns (RewardParameters memory);

    /// @notice What a member can claim.
    function owedTo(address member) external view returns (uint256);

    /// @notice What all members can claim.
    function owed() external view returns (uint256);

    /// @notice Tokens held beyond what is owed.
    function pot() external view returns (uint256);

    /// @notice The token that is paid.
    function token() external view returns (IERC20);
}
