// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataVerifier} from "./IDataVerifier.sol";
import {ISequencers} from "./ISequencers.sol";

/// @notice Fixed at deployment.
/// @param turn Blocks of a sequencer's turn, at least 1.
/// @param force Blocks that an item may wait in the queue, at least 2 * turn.
/// @param delay Blocks before what left an account can be claimed.
/// @param run Entries of one push at most: no more than the verifier's statement has room for.
/// @param accounts That can be opened: no more than the statement has room for, unless `run` is no more than that. Else a push could
/// go to more accounts than any batch can take.
/// @param bond Of a sequencer, in the token's smallest unit.
/// @param fee Part of a lost bond for who froze the rollup.
struct RollupParameters {
    uint32 turn;
    uint32 force;
    uint32 delay;
    uint16 run;
    uint16 accounts;
    uint96 bond;
    uint96 fee;
}

/// @notice An account as the main chain knows it, one storage slot. The first five are those after the last batch that touched it.
/// @param negative Evidence against it, modulo p.
/// @param positive Evidence for it, modulo p.
/// @param nonce How many keys it has had.
/// @param stake In units of 1/1000 token.
/// @param balance In units.
/// @param owed Units that left the account and wait for its owner.
/// @param claimBlock First block in which they can be claimed.
/// @param escaped Whether it was emptied after the rollup froze.
struct AccountState {
    uint32 negative;
    uint32 positive;
    uint32 nonce;
    uint32 stake;
    uint32 balance;
    uint48 owed;
    uint40 claimBlock;
    bool escaped;
}

/// @notice A leaf of the state tree, five elements of 4 bytes in key and in record, the first one highest.
struct AccountLeaf {
    uint160 key;
    uint160 record;
    uint32 balance;
    uint32 stake;
    uint32 nonce;
    uint32 positive;
    uint32 negative;
}

/// @title The rollup: batches of entries, each proven to lead from the state's root to the next one.
/// @notice Data of a batch: entries of the queue, whole items from its beginning; then the signed lists (kinds 1 to 7: TRANSFER, LOCK,
/// UNLOCK, RECORD, ACCESS, WITHDRAW, ROTATE); then one CLOSE (12) for each touched account. That signatures, sums and closing
/// values are right is what the proof says; the contract sees to the queue and to what leaves, and keeps each account's closing
/// values in one slot. The data themselves are the transaction's calldata, so that anybody can rebuild the state from the chain:
/// the caller has to be the account that signed the transaction, without code.
/// Root: eight elements of 4 bytes, the first one highest. Public inputs of the proof: root before, root after, `domain()`; its
/// domain: chain id, this contract, number of the batch (from 1), address zero.
/// Tokens held are always 10^15 (inside() + what accounts are owed) + bonds.
interface IRollup is ISequencers {
    /// @notice A batch was settled. dataHash: keccak256 of its data, which are in the transaction's calldata.
    event BatchSettled(uint256 indexed number, bytes32 oldRoot, bytes32 newRoot, uint256 entries, bytes32 dataHash);
    event UnitsClaimed(address indexed owner, uint256 amount);
    /// @notice An account was emptied after the rollup froze.
    event AccountEscaped(uint256 indexed index, uint256 amount);
    /// @notice Deposits that no batch took before the rollup froze went back to who paid them.
    event DepositRefunded(uint256 indexed number, address indexed payer, uint256 amount);

    /// @notice Data have to be the calldata of a transaction.
    error NotDirect(address caller);
    /// @notice Entry `index` does not begin the queue's next item, or the queue has none.
    error NotNextInQueue(uint256 index, uint256 number);
    error NothingClaimable(address owner);
    error StillWaiting(address owner, uint256 claimBlock, uint256 blockNumber);
    /// @notice Only once the rollup is frozen.
    error NotFrozenYet();
    error AlreadyEscaped(uint256 index);
    /// @notice Elements that are not below p, or a path that leads to another root.
    error WrongPath(uint256 index);
    error NothingToRefund(uint256 number);

    /// @notice Settles a batch: replaces the root by `newRoot`. The sequencer in turn; see ISequencers.
    function submit(bytes calldata data, bytes32 newRoot, bytes calldata proof) external;

    /// @notice Pays the caller what left its account. Not while paused.
    function claim() external;

    /// @notice Once frozen: empties an account as it is under the last root, once; its owner can claim it. Anybody.
    /// @param siblings Digests beside the path from the leaf to the root, the leaf's level first.
    function escape(uint256 index, AccountLeaf calldata leaf, bytes32[10] calldata siblings) external;

    /// @notice Once frozen: pays deposits of an item that no batch took back to their payer. Anybody.
    function refund(uint256 number) external;

    /// @notice The root of the state.
    function root() external view returns (bytes32);

    /// @notice What the main chain knows of an account.
    function accounts(uint256 index) external view returns (AccountState memory);

    /// @notice The same, by its owner; reverts with NoAccount.
    function accountOf(address owner) external view returns (AccountState memory);

    /// @notice The slots of many owners, as AccountState packs them, negative lowest; zero without an account.
    function slotsOf(address[] calldata owners) external view returns (uint256[] memory);

    /// @notice Where lists are signed for: four words of 30 bits of keccak256("bfl_ref/rollup/1" | chain id | this contract).
    function domain() external view returns (uint256[4] memory);

    /// @notice The parameters.
    function parameters() external view returns (RollupParameters memory);

    /// @notice Who checks proofs.
    function verifier() external view returns (IDataVerifier);
}
