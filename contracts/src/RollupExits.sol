// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {AccountTree} from "./AccountTree.sol";
import {Entries} from "./Entries.sol";
import {Sequencers} from "./Sequencers.sol";
import {AccountLeaf, AccountState, IRollup} from "./interfaces/IRollup.sol";
import {QueueItem} from "./interfaces/IRollupQueue.sol";

/// @dev What the main chain keeps of each account, and the ways out: claims, and once the rollup is frozen escapes and refunds.
abstract contract RollupExits is IRollup, Sequencers {
    using Entries for uint256;
    using SafeERC20 for IERC20;

    uint32 internal immutable _delay;

    /// @inheritdoc IRollup
    bytes32 public override root = AccountTree.EMPTY;
    AccountState[1024] private _states;

    constructor(uint32 delay) {
        _delay = delay;
    }

    /// @inheritdoc IRollup
    function claim() external override whenNotPaused {
        // Checks
        AccountState storage state = _states[indexOf(msg.sender)];
        (uint256 amount, uint256 claimBlock) = (state.owed, state.claimBlock);
        if (amount == 0) revert NothingClaimable(msg.sender);
        if (block.number < claimBlock) revert StillWaiting(msg.sender, claimBlock, block.number);
        // Effects
        state.owed = 0;
        emit UnitsClaimed(msg.sender, amount);
        // Interactions
        token.safeTransfer(msg.sender, amount * UNIT);
    }

    /// @inheritdoc IRollup
    function escape(uint256 index, AccountLeaf calldata leaf, bytes32[10] calldata siblings) external override {
        // Checks
        if (!isFrozen) revert NotFrozenYet();
        if (index >= opened) revert UnknownAccount(index);
        if (_states[index].escaped) revert AlreadyEscaped(index);
        if (!AccountTree.leadsTo(root, index, leaf, siblings)) revert WrongPath(index);
        // Effects
        AccountState storage state = _states[index];
        (state.balance, state.stake, state.escaped) = (0, 0, true);
        uint256 amount = uint256(leaf.balance) + leaf.stake;
        inside = SafeCast.toUint32(inside - amount);
        _release(index, amount);
        emit AccountEscaped(index, amount);
    }

    /// @inheritdoc IRollup
    function refund(uint256 number) external override whenNotPaused {
        // Checks
        if (!isFrozen) revert NotFrozenYet();
        QueueItem storage item = _item(number);
        (address payer, uint32 amount) = (item.payer, item.amount);
        if (amount == 0) revert NothingToRefund(number);
        // Effects
        item.amount = 0;
        inside -= amount;
        emit DepositRefunded(number, payer, amount);
        // Interactions
        token.safeTransfer(payer, amount * UNIT);
    }

    /// @inheritdoc IRollup
    function accounts(uint256 index) external view override returns (AccountState memory) {
        if (index >= opened) revert UnknownAccount(index);
        return _states[index];
    }

    /// @inheritdoc IRollup
    function accountOf(address owner) external view override returns (AccountState memory) {
        return _states[indexOf(owner)];
    }

    /// @inheritdoc IRollup
    function slotsOf(address[] calldata owners) external view override returns (uint256[] memory slots) {
        slots = new uint256[](owners.length);
        for (uint256 i = 0; i < owners.length; ++i) {
            uint256 account = accountNumberOf(owners[i]);
            if (account != 0) slots[i] = _slotOf(account - 1);
        }
    }

    /// @dev Keeps what a CLOSE says of its account: its payload is the lower part of AccountState's slot as it is.
    function _close(uint256 entry) internal {
        uint256 index = entry.from();
        assembly ("memory-safe") {
            let place := add(_states.slot, index)
            sstore(place, or(shl(160, shr(160, sload(place))), shr(96, shl(96, entry))))
        }
    }

    /// @dev Units that left an account; what its owner had not claimed before waits with them.
    function _release(uint256 index, uint256 amount) internal {
        // an amount from the data, no balance that anybody could add to
        // slither-disable-next-line incorrect-equality
        if (amount == 0) return;
        uint256 claimBlock = block.number + _delay;
        // AccountState's slot: owed from bit 160 on grows, and stays below 2^47, there being no more units of the token; claimBlock, the
        // 40 bits from 208 on, is replaced
        assembly ("memory-safe") {
            let place := add(_states.slot, index)
            let others := and(sload(place), not(shl(208, 0xffffffffff)))
            sstore(place, add(others, or(shl(160, amount), shl(208, claimBlock))))
        }
    }

    function _slotOf(uint256 index) private view returns (uint256 slot) {
        assembly ("memory-safe") {
            slot := sload(add(_states.slot, index))
        }
    }
}
