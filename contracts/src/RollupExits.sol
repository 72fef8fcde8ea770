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

    /// @dev Where AccountState has what: the payload of a CLOSE as it is, then owed, claimBlock, escaped.
    uint256 private constant CLOSING = type(uint160).max;
    uint256 private constant HOLDINGS = uint256(type(uint64).max) << 96;
    uint256 private constant OWED_AT = 160;
    uint256 private constant CLAIM_AT = 208;
    uint256 private constant ESCAPED = 1 << 248;

    uint32 internal immutable _delay;

    /// @inheritdoc IRollup
    bytes32 public override root = AccountTree.EMPTY;
    uint256[1024] private _slots;

    constructor(uint32 delay) {
        _delay = delay;
    }

    /// @inheritdoc IRollup
    function claim() external override whenNotPaused {
        // Checks
        uint256 index = indexOf(msg.sender);
        uint256 slot = _slots[index];
        uint256 amount = uint48(slot >> OWED_AT);
        if (amount == 0) revert NothingClaimable(msg.sender);
        uint256 claimBlock = uint40(slot >> CLAIM_AT);
        if (block.number < claimBlock) revert StillWaiting(msg.sender, claimBlock, block.number);
        // Effects
        _slots[index] = slot - (amount << OWED_AT);
        emit UnitsClaimed(msg.sender, amount);
        // Interactions
        token.safeTransfer(msg.sender, amount * UNIT);
    }

    /// @inheritdoc IRollup
    function escape(uint256 index, AccountLeaf calldata leaf, bytes32[10] calldata siblings) external override {
        // Checks
        if (!isFrozen) revert NotFrozenYet();
        if (index >= opened) revert UnknownAccount(index);
        if (_slots[index] & ESCAPED != 0) revert AlreadyEscaped(index);
        if (!AccountTree.leadsTo(root, index, leaf, siblings)) revert WrongPath(index);
        // Effects
        _slots[index] = (_slots[index] & ~HOLDINGS) | ESCAPED;
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
        return _stateOf(index);
    }

    /// @inheritdoc IRollup
    function accountOf(address owner) external view override returns (AccountState memory) {
        return _stateOf(indexOf(owner));
    }

    /// @inheritdoc IRollup
    function slotsOf(address[] calldata owners) external view override returns (uint256[] memory slots) {
        slots = new uint256[](owners.length);
        for (uint256 i = 0; i < owners.length; ++i) {
            uint256 account = accountNumberOf(owners[i]);
            if (account != 0) slots[i] = _slots[account - 1];
        }
    }

    /// @dev Keeps what a CLOSE says of its account.
    function _close(uint256 entry) internal {
        uint256 index = entry.from();
        _slots[index] = (_slots[index] & ~CLOSING) | (entry & CLOSING);
    }

    /// @dev Units that left an account; what its owner had not claimed before waits with them.
    function _release(uint256 index, uint256 amount) internal {
        if (amount == 0) return;
        unchecked {
            // owed stays below 2^47, there being no more units of the token; blocks below 2^40
            uint256 others = _slots[index] & ~(uint256(type(uint40).max) << CLAIM_AT);
            _slots[index] = others + (amount << OWED_AT) + ((block.number + _delay) << CLAIM_AT);
        }
    }

    function _stateOf(uint256 index) private view returns (AccountState memory) {
        uint256 slot = _slots[index];
        return AccountState(
            uint32(slot),
            uint32(slot >> 32),
            uint32(slot >> 64),
            uint32(slot >> 96),
            uint32(slot >> 128),
            uint48(slot >> OWED_AT),
            uint40(slot >> CLAIM_AT),
            slot & ESCAPED != 0
        );
    }
}
