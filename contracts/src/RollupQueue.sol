// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Entries} from "./Entries.sol";
import {Governed} from "./Governed.sol";
import {IRollupQueue, PUSHER_ROLE, QueueItem} from "./interfaces/IRollupQueue.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @dev Accounts by owner, and the queue. What an item says is its digest's affair: the entries come again with the batch.
abstract contract RollupQueue is IRollupQueue, Governed {
    using Entries for uint256;
    using SafeERC20 for IERC20;

    /// @notice Of the token's smallest unit, in a unit of the rollup.
    uint256 public constant UNIT = 10 ** 15;
    /// @notice Units inside, and so in any account, stay below.
    uint256 public constant LIMIT = 2 ** 29;
    /// @notice Items that wait at most: three for each account, and as many pushed ones. Their slots are used again, which makes them cheap.
    uint256 public constant PLACES = 4096;

    /// @dev account: 1 + index, zero: none. The others are numbers of items: the last of its kind that the owner queued.
    struct Holder {
        uint16 account;
        uint32 rekeyed;
        uint32 exited;
        uint32 deposited;
    }

    /// @inheritdoc IRollupQueue
    IERC20 public immutable override token;
    uint32 internal immutable _force;
    uint16 internal immutable _run;
    uint16 internal immutable _accounts;

    mapping(address owner => Holder) private _holders;
    address[1024] private _owners;
    QueueItem[PLACES] private _items;

    // one slot, with what the sequencers add
    /// @inheritdoc IRollupQueue
    bool public override isFrozen;
    /// @inheritdoc IRollupQueue
    uint16 public override opened;
    /// @inheritdoc IRollupQueue
    uint32 public override inside;
    /// @inheritdoc IRollupQueue
    uint32 public override taken;
    /// @inheritdoc IRollupQueue
    uint32 public override queued;

    modifier whenRunning() {
        if (isFrozen) revert RollupFrozen();
        _;
    }

    constructor(IERC20 token_, uint32 force, uint16 run, uint16 accounts_) {
        (token, _force, _run, _accounts) = (token_, force, run, accounts_);
    }

    /// @inheritdoc IRollupQueue
    function open(uint160 key) external override onlyMember whenRunning returns (uint256 index) {
        Holder storage holder = _holders[msg.sender];
        if (holder.account != 0) revert AlreadyOpened(msg.sender, holder.account - 1);
        index = opened;
        if (index == _accounts) revert NoAccountLeft(_accounts);
        holder.account = ++opened;
        _owners[index] = msg.sender;
        emit AccountOpened(msg.sender, index);
        holder.rekeyed = _queueKey(index, key);
    }

    /// @inheritdoc IRollupQueue
    function deposit(uint256 index, uint32 amount) external override onlyMember whenRunning {
        // Checks
        if (index >= opened) revert UnknownAccount(index);
        if (amount == 0) revert IStakeVault.ZeroAmount();
        Holder storage holder = _holders[msg.sender];
        _requireNone(holder.deposited);
        // Effects
        holder.deposited = _queueOne(Entries.make(Entries.DEPOSIT, index, uint256(amount) << 128), amount);
        // Interactions
        token.safeTransferFrom(msg.sender, address(this), amount * UNIT);
    }

    /// @inheritdoc IRollupQueue
    function rekey(uint160 key) external override whenRunning {
        Holder storage holder = _holders[msg.sender];
        uint256 index = indexOf(msg.sender);
        _requireNone(holder.rekeyed);
        holder.rekeyed = _queueKey(index, key);
    }

    /// @inheritdoc IRollupQueue
    function exitAccount() external override whenRunning {
        Holder storage holder = _holders[msg.sender];
        uint256 index = indexOf(msg.sender);
        _requireNone(holder.exited);
        holder.exited = _queueOne(Entries.make(Entries.EXIT, index, 0), 0);
    }

    /// @inheritdoc IRollupQueue
    // the product shows that these are whole entries
    // slither-disable-next-line divide-before-multiply
    function push(bytes calldata entries) external override onlyPower(PUSHER_ROLE) whenRunning {
        // Checks
        uint256 count = entries.length / Entries.BYTES;
        if (count == 0 || count > _run || count * Entries.BYTES != entries.length) {
            revert WrongLength(entries.length, uint256(_run) * Entries.BYTES);
        }
        uint256 sum = 0;
        for (uint256 i = 0; i < count; ++i) {
            sum += _pushed(i, Entries.read(entries, i * Entries.BYTES));
        }
        // Effects
        bytes32 digest = Entries.digest(keccak256(entries), count);
        _queue(digest, sum, entries);
        // Interactions
        if (sum != 0) token.safeTransferFrom(msg.sender, address(this), sum * UNIT);
    }

    /// @inheritdoc IRollupQueue
    function itemOf(uint256 number) external view override returns (QueueItem memory) {
        return _item(number);
    }

    /// @inheritdoc IRollupQueue
    function ownerOf(uint256 index) external view override returns (address) {
        if (index >= opened) revert UnknownAccount(index);
        return _owners[index];
    }

    /// @inheritdoc IRollupQueue
    function indexOf(address owner) public view override returns (uint256) {
        uint256 account = _holders[owner].account;
        if (account == 0) revert NoAccount(owner);
        return account - 1;
    }

    /// @inheritdoc IRollupQueue
    function accountNumberOf(address owner) public view override returns (uint256) {
        return _holders[owner].account;
    }

    /// @inheritdoc IRollupQueue
    function isOverdue() public view override returns (bool) {
        return taken != queued && block.number > _dueBlock();
    }

    /// @dev Last block in which the first item is in time. There has to be one.
    function _dueBlock() internal view returns (uint256) {
        return _items[(taken + 1) % PLACES].blockNumber + _force;
    }

    /// @dev An item that no batch has taken.
    function _item(uint256 number) internal view returns (QueueItem storage) {
        if (number <= taken || number > queued) revert NotWaiting(number, uint256(taken) + 1, queued);
        return _items[number % PLACES];
    }

    function _digestOf(uint256 number) internal view returns (bytes32) {
        return _items[number % PLACES].digest;
    }

    function _queueKey(uint256 index, uint160 key) private returns (uint32) {
        if (!Entries.isKey(key)) revert WrongKey(key);
        return _queueOne(Entries.make(Entries.REKEY, index, key), 0);
    }

    function _queueOne(uint256 entry, uint256 amount) private returns (uint32) {
        bytes memory entries = entry.toBytes();
        return _queue(Entries.digest(keccak256(entries), 1), amount, entries);
    }

    function _queue(bytes32 digest, uint256 amount, bytes memory entries) private returns (uint32 number) {
        if (queued - taken == PLACES) revert QueueFull(PLACES);
        if (inside + amount >= LIMIT) revert TooMuchInside(inside, amount);
        number = ++queued;
        // casting is safe: below 2^29
        // forge-lint: disable-next-line(unsafe-typecast)
        uint32 units = uint32(amount);
        inside += units;
        _items[number % PLACES] = QueueItem(digest, msg.sender, units, SafeCast.toUint64(block.number));
        emit EntriesQueued(number, msg.sender, amount, entries);
    }

    /// @dev The deposit that entry `i` of a push is, in units. Reverts unless a batch can take it.
    function _pushed(uint256 i, uint256 entry) private view returns (uint256) {
        bool isDeposit = entry.kind() == Entries.DEPOSIT;
        uint256 unused = isDeposit ? type(uint128).max : type(uint96).max;
        if (
            !(isDeposit || entry.kind() == Entries.EVIDENCE) || entry.from() != 0 || entry & unused != 0
                || !entry.isCanonical()
        ) revert MalformedEntry(i);
        if (entry.to() >= opened) revert UnknownAccount(entry.to());
        return isDeposit ? entry.element(0) : 0;
    }

    /// @dev Reverts if the item that the caller queued last is in the queue still.
    function _requireNone(uint256 number) private view {
        if (number > taken) revert AlreadyQueuing(msg.sender, number);
    }
}
