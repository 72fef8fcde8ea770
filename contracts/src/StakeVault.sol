// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Governed} from "./Governed.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {FREEZER_ROLE, IStakeVault, SLASHER_ROLE, Stake} from "./interfaces/IStakeVault.sol";

/// @notice See IStakeVault.
contract StakeVault is IStakeVault, Governed {
    using SafeERC20 for IERC20;

    uint32 public constant MIN_UNLOCK_DELAY = 1;
    uint32 public constant MAX_UNLOCK_DELAY = 10_000_000;

    /// @inheritdoc IStakeVault
    IERC20 public immutable override token;
    /// @inheritdoc IStakeVault
    uint32 public override unlockDelay;
    /// @inheritdoc IStakeVault
    uint256 public override treasury;

    mapping(address member => Stake) private _stakes;

    /// @param unlockDelay_ Blocks between a request and the first block of its withdrawal.
    constructor(IConsortium consortium_, IERC20 token_, uint32 unlockDelay_) Governed(consortium_) {
        token = token_;
        _setUnlockDelay(unlockDelay_);
    }

    /// @inheritdoc IStakeVault
    function lock(uint96 amount) external override onlyMember {
        // Checks
        if (amount == 0) revert ZeroAmount();
        // Effects
        Stake storage stake = _stakes[msg.sender];
        stake.active += amount;
        emit StakeLocked(msg.sender, amount, stake.active);
        // Interactions
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IStakeVault
    function requestUnlock(uint96 amount) external override onlyMember {
        Stake storage stake = _stakes[msg.sender];
        if (amount == 0) revert ZeroAmount();
        if (stake.active < amount) revert InsufficientStake(msg.sender, stake.active, amount);
        stake.active -= amount;
        stake.unlocking += amount;
        stake.unlockBlock = SafeCast.toUint32(block.number + unlockDelay);
        emit UnlockRequested(msg.sender, amount, stake.unlocking, stake.unlockBlock);
    }

    /// @inheritdoc IStakeVault
    function withdraw() external override onlyMember {
        // Checks
        Stake storage stake = _stakes[msg.sender];
        uint96 amount = stake.unlocking;
        if (amount == 0) revert NothingUnlocking(msg.sender);
        if (block.number < stake.unlockBlock) revert StillLocked(msg.sender, stake.unlockBlock, block.number);
        if (stake.freezes != 0) revert StakeFrozen(msg.sender, stake.freezes);
        // Effects
        stake.unlocking = 0;
        emit StakeWithdrawn(msg.sender, amount);
        // Interactions
        token.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function slash(address member, uint96 amount, bytes32 reason)
        external
        override
        onlyPower(SLASHER_ROLE)
        returns (uint96 slashed)
    {
        Stake storage stake = _stakes[member];
        uint96 fromActive = uint96(Math.min(amount, stake.active));
        uint96 fromUnlocking = uint96(Math.min(amount - fromActive, stake.unlocking));
        stake.active -= fromActive;
        stake.unlocking -= fromUnlocking;
        slashed = fromActive + fromUnlocking;
        treasury += slashed;
        emit StakeSlashed(member, msg.sender, slashed, amount, reason);
    }

    /// @inheritdoc IStakeVault
    function freeze(address[] calldata members) external override onlyPower(FREEZER_ROLE) {
        for (uint256 i = 0; i < members.length; ++i) {
            ++_stakes[members[i]].freezes;
        }
        emit StakesFrozen(msg.sender, members);
    }

    /// @inheritdoc IStakeVault
    function release(address[] calldata members) external override onlyPower(FREEZER_ROLE) {
        for (uint256 i = 0; i < members.length; ++i) {
            Stake storage stake = _stakes[members[i]];
            if (stake.freezes == 0) revert NotFrozen(members[i]);
            --stake.freezes;
        }
        emit StakesReleased(msg.sender, members);
    }

    /// @inheritdoc IStakeVault
    function payFee(address to, uint256 amount) external override onlyPower(SLASHER_ROLE) {
        _spend(to, amount);
    }

    /// @inheritdoc IStakeVault
    function spendTreasury(address to, uint256 amount) external override onlyVote {
        _spend(to, amount);
    }

    /// @inheritdoc IStakeVault
    function setUnlockDelay(uint32 blocks_) external override onlyVote {
        _setUnlockDelay(blocks_);
    }

    /// @inheritdoc IStakeVault
    function stakeOf(address member) external view override returns (Stake memory) {
        return _stakes[member];
    }

    /// @inheritdoc IStakeVault
    function activeOf(address[] calldata members) external view override returns (uint96[] memory active) {
        active = new uint96[](members.length);
        for (uint256 i = 0; i < members.length; ++i) {
            active[i] = _stakes[members[i]].active;
        }
    }

    function _spend(address to, uint256 amount) private {
        // Checks
        if (treasury < amount) revert InsufficientTreasury(treasury, amount);
        // Effects
        treasury -= amount;
        emit TreasurySpent(to, amount);
        // Interactions
        token.safeTransfer(to, amount);
    }

    function _setUnlockDelay(uint32 blocks_) private {
        _requireRange("unlockDelay", blocks_, MIN_UNLOCK_DELAY, MAX_UNLOCK_DELAY);
        unlockDelay = blocks_;
        emit UnlockDelaySet(blocks_);
    }
}
