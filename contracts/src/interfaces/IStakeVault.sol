// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IGoverned} from "./IGoverned.sol";

/// @dev Powers of contracts over the vault.
bytes32 constant FREEZER_ROLE = keccak256("FREEZER_ROLE");
bytes32 constant SLASHER_ROLE = keccak256("SLASHER_ROLE");

/// @notice A member's stake, one storage slot. Amounts in the token's smallest unit.
/// @param active What selection counts.
/// @param unlocking On its way out, no longer counted, still within reach of a slash.
/// @param unlockBlock First block in which `unlocking` can be withdrawn.
/// @param freezes Open undertakings (rounds) that rely on this stake; above zero nothing is withdrawn.
struct Stake {
    uint96 active;
    uint96 unlocking;
    uint32 unlockBlock;
    uint16 freezes;
}

/// @title Stakes of the members, and the treasury that slashed stake goes to.
/// @notice A stake leaves in two steps, `requestUnlock` and `withdraw`, with the unlock delay between them, and never while it is
/// frozen. A removed member's stake stays, within reach of slashing, until the member is admitted again.
interface IStakeVault is IGoverned {
    event StakeLocked(address indexed member, uint96 amount, uint96 active);
    event UnlockRequested(address indexed member, uint96 amount, uint96 unlocking, uint32 unlockBlock);
    event StakeWithdrawn(address indexed member, uint96 amount);
    /// @notice `amount` went to the treasury; less than was `asked` where the stake was smaller.
    event StakeSlashed(
        address indexed member, address indexed slasher, uint96 amount, uint96 asked, bytes32 indexed reason
    );
    event StakesFrozen(address indexed freezer, address[] members);
    event StakesReleased(address indexed freezer, address[] members);
    event TreasurySpent(address indexed to, uint256 amount);
    event UnlockDelaySet(uint32 blocks_);

    error ZeroAmount();
    /// @notice The member has less active stake than it wants to unlock.
    error InsufficientStake(address member, uint256 has, uint256 needs);
    error NothingUnlocking(address member);
    error StillLocked(address member, uint32 unlockBlock, uint256 blockNumber);
    error StakeFrozen(address member, uint16 freezes);
    error NotFrozen(address member);
    error InsufficientTreasury(uint256 has, uint256 needs);

    /// @notice Stakes `amount` of the caller's tokens (allowance needed). Members only.
    function lock(uint96 amount) external;

    /// @notice Starts the way out of `amount`. A second request joins the first and starts the delay again. Members only.
    function requestUnlock(uint96 amount) external;

    /// @notice Pays out what was unlocking, once the delay is over and nothing freezes the stake. Members only.
    function withdraw() external;

    /// @notice Moves up to `amount` of a stake, active part first, to the treasury. SLASHER_ROLE only.
    /// @param reason Name of the offence, for the audit trail.
    /// @return slashed What was there to take.
    function slash(address member, uint96 amount, bytes32 reason) external returns (uint96 slashed);

    /// @notice Keeps the stakes from being withdrawn until released as often. FREEZER_ROLE only.
    function freeze(address[] calldata members) external;

    /// @notice Takes back one freeze of each. FREEZER_ROLE only.
    function release(address[] calldata members) external;

    /// @notice Pays a fee to a participant, out of what a slash has just brought in. SLASHER_ROLE only.
    function payFee(address to, uint256 amount) external;

    /// @notice By vote: pays from the treasury to a participant.
    function spendTreasury(address to, uint256 amount) external;

    /// @notice By vote: the delay of coming unlock requests, in blocks.
    function setUnlockDelay(uint32 blocks_) external;

    /// @notice The token that is staked.
    function token() external view returns (IERC20);

    /// @notice Blocks between a request and the first block of its withdrawal.
    function unlockDelay() external view returns (uint32);

    /// @notice Slashed stake not spent yet.
    function treasury() external view returns (uint256);

    /// @notice The stake of a member, zeros if it has none.
    function stakeOf(address member) external view returns (Stake memory);

    /// @notice The active stakes of many, in their order.
    function activeOf(address[] calldata members) external view returns (uint96[] memory);
}
