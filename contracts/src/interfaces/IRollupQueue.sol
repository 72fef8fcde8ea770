// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {IGoverned} from "./IGoverned.sol";

/// @dev Power of a contract: it hands evidence and rewards to the rollup.
bytes32 constant PUSHER_ROLE = keccak256("PUSHER_ROLE");

/// @notice A run of entries that batches have to take, whole and in its turn.
/// @param digest The first 240 bits of keccak256 of the entries' bytes, then their number (16 bits).
/// @param payer Who paid the deposits in it, or sent it.
/// @param amount Its deposits together, in units.
/// @param blockNumber When it was queued.
struct QueueItem {
    bytes32 digest;
    address payer;
    uint32 amount;
    uint64 blockNumber;
}

/// @title Accounts of the rollup and what enters it from the main chain: a queue that no sequencer can pass over.
/// @notice An entry is 24 bytes: header = kind + 16 from + 16384 to, then a payload of five elements, 4 bytes big-endian each, below
/// p = 2^31 - 2^27 + 1. Kinds of the queue, all with from = 0 and zeros in what is not named:
/// 8 DEPOSIT: amount, in units of 1/1000 token (10^15 of the smallest unit). 9 EVIDENCE: positive, negative. 10 REKEY: the five
/// elements of a key digest. 11 EXIT: balance and stake, which are queued as zeros and filled in by the batch that takes it.
/// Items are numbered from 1, in their order. An account has one REKEY and one EXIT in the queue at most, and who deposits one
/// DEPOSIT: what all members can queue is bounded, so a sequencer that works is not driven past the deadline.
interface IRollupQueue is IGoverned {
    event AccountOpened(address indexed owner, uint256 indexed index);
    /// @notice An item was queued. `entries`: its bytes.
    event EntriesQueued(uint256 indexed number, address indexed payer, uint256 amount, bytes entries);

    error NoAccount(address owner);
    /// @notice No account was opened at that index.
    error UnknownAccount(uint256 index);
    error AlreadyOpened(address owner, uint256 index);
    error NoAccountLeft(uint256 limit);
    /// @notice What a caller may have in the queue once is in it, under that number.
    error AlreadyQueuing(address caller, uint256 number);
    error QueueFull(uint256 limit);
    /// @notice Items that no batch has taken: numbers `first` to `last`.
    error NotWaiting(uint256 number, uint256 first, uint256 last);
    /// @notice An element of a key is not below p.
    error WrongKey(uint256 key);
    /// @notice Entry `index` is of a kind that has no place there, or not the one encoding of what it says.
    error MalformedEntry(uint256 index);
    /// @notice Bytes that are not whole entries, none, or more than `limit`.
    error WrongLength(uint256 length, uint256 limit);
    /// @notice Everything inside would reach 2^29 units.
    error TooMuchInside(uint256 inside, uint256 amount);
    /// @notice The sequencers failed: the rollup is being left.
    error RollupFrozen();

    /// @notice Opens the caller's account and queues the REKEY to its first key. Members only, once.
    /// @param key Five elements of 4 bytes, the first one highest.
    /// @return index The next free one.
    function open(uint160 key) external returns (uint256 index);

    /// @notice Pays `amount` units of the caller's tokens (allowance needed) into an account. Members only.
    function deposit(uint256 index, uint32 amount) external;

    /// @notice Queues another key for the caller's account; what its former key signed and no batch has taken is void then.
    function rekey(uint160 key) external;

    /// @notice Queues that all that the caller's account holds leaves the rollup: its owner can claim it once a batch took it.
    function exitAccount() external;

    /// @notice Queues a run of EVIDENCE and DEPOSIT entries, and takes the tokens of its deposits from the caller (allowance
    /// needed). PUSHER_ROLE only.
    function push(bytes calldata entries) external;

    /// @notice The token inside.
    function token() external view returns (IERC20);

    /// @notice Accounts opened: the next index.
    function opened() external view returns (uint16);

    /// @notice Units in all accounts, and in deposits that no batch has taken yet.
    function inside() external view returns (uint32);

    /// @notice Number of the last item that a batch took.
    function taken() external view returns (uint32);

    /// @notice Number of the last item queued.
    function queued() external view returns (uint32);

    /// @notice An item that no batch has taken.
    function itemOf(uint256 number) external view returns (QueueItem memory);

    /// @notice Whether the rollup is being left.
    function isFrozen() external view returns (bool);

    /// @notice Whether an item waits for longer than it may.
    function isOverdue() external view returns (bool);

    /// @notice 1 + the index of an owner's account; zero: it has none.
    function accountNumberOf(address owner) external view returns (uint256);

    /// @notice The account of an owner; reverts with NoAccount.
    function indexOf(address owner) external view returns (uint256);

    /// @notice Who opened an account; reverts with UnknownAccount.
    function ownerOf(uint256 index) external view returns (address);
}
