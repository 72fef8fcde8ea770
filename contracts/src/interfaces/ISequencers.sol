// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRollupQueue} from "./IRollupQueue.sol";

/// @notice A place among the sequencers.
/// @param sequencer Zero: the seat is free.
/// @param fromTurn First turn that it counts in.
/// @param untilTurn First turn that it counts in no more; 2^32 - 1: it stays.
struct SequencerSeat {
    address sequencer;
    uint32 fromTurn;
    uint32 untilTurn;
}

/// @title Who may settle batches, and what it stands to lose.
/// @notice Turn t has the blocks t * turn .. (t + 1) * turn - 1. Of the k seats that count in it, in their order, the one at place
/// t mod k is in turn. If the turn before passed without a batch, whoever else holds a seat may come first.
/// A seat is for a bond, which comes back `force` blocks after its last turn. Once the queue's first item is overdue anybody can
/// freeze the rollup, for good: whoever was in turn in the last whole turn before the item's last block loses its bond. (That turn
/// lies within the item's wait, since force >= 2 turn; who had only its beginning is not blamed.)
interface ISequencers is IRollupQueue {
    event SequencerSeated(address indexed sequencer, uint256 seat, uint32 fromTurn);
    event SequencerLeaving(address indexed sequencer, uint32 untilTurn);
    event BondPaid(address indexed to, uint256 amount);
    /// @notice `item`: which was overdue. `culprit`: whose bond was lost; zero: nobody's.
    event RollupAbandoned(address indexed by, address indexed culprit, uint256 item);

    error AlreadySeated(address sequencer);
    error NotSeated(address sequencer);
    error NoSeatLeft(uint256 limit);
    error AlreadyLeaving(address sequencer, uint32 untilTurn);
    /// @notice Only the sequencer itself gives up its seat, as long as it is a member.
    error NotItsSeat(address caller, address sequencer);
    error NotInTurn(address caller, address inTurn);
    /// @notice No item waits for longer than it may.
    error NotOverdue();
    /// @notice No bond that could be paid: none at all, or one that stays for now.
    error NoBondDue(address to);

    /// @notice Takes a seat from the next turn on, for the bond (allowance needed). Members only.
    function register() external;

    /// @notice Gives up a seat from the next turn on. The sequencer itself; anybody if it is no member any more.
    function resign(address sequencer) external;

    /// @notice Pays `to` its bond, if that may go, and what it got of others'. Anybody; not while paused.
    function payBond(address to) external;

    /// @notice Ends the rollup because the queue's first item is overdue. Anybody; `fee` of the culprit's bond is the caller's, the
    /// rest goes to the pot of rewards (both by `payBond`).
    function freeze() external;

    /// @notice The turn of a block.
    function turnOf(uint256 blockNumber) external view returns (uint256);

    /// @notice Whose turn it is, as far back as its seat is kept; zero: nobody's.
    function inTurn(uint256 turn) external view returns (address);

    /// @notice Batches settled: the number of the last one.
    function batches() external view returns (uint32);

    /// @notice Turn in which the last batch was settled.
    function lastTurn() external view returns (uint32);

    /// @notice All seats that were ever taken, in their order.
    function seats() external view returns (SequencerSeat[] memory);

    /// @notice What `payBond` pays besides the bond of its seat.
    function bondsOwedTo(address account) external view returns (uint256);

    /// @notice Where lost bonds go.
    function pot() external view returns (address);
}
