// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {RollupQueue} from "./RollupQueue.sol";
import {ISequencers, SequencerSeat} from "./interfaces/ISequencers.sol";

/// @dev Seats keep their places: one that was given up is taken anew only after its bond has gone, when no turn that still matters
/// counts it. So whose turn it was stays the same until nobody asks any more.
abstract contract Sequencers is ISequencers, RollupQueue {
    using SafeERC20 for IERC20;

    /// @notice Each is read with every batch: 2,100 gas.
    uint256 public constant MAX_SEATS = 16;
    uint32 internal constant STAYS = type(uint32).max;

    /// @inheritdoc ISequencers
    address public immutable override pot;
    uint32 internal immutable _turn;
    uint96 internal immutable _bond;
    uint96 internal immutable _fee;

    /// @inheritdoc ISequencers
    uint32 public override batches;
    /// @inheritdoc ISequencers
    uint32 public override lastTurn;
    /// @dev How many seats were ever taken.
    uint8 private _seatCount;
    SequencerSeat[MAX_SEATS] private _seats;
    /// @dev 1 + place of its seat.
    mapping(address sequencer => uint256) private _places;
    /// @inheritdoc ISequencers
    mapping(address account => uint256) public override bondsOwedTo;

    constructor(address pot_, uint32 turn, uint96 bond, uint96 fee) {
        (pot, _turn, _bond, _fee) = (pot_, turn, bond, fee);
    }

    /// @inheritdoc ISequencers
    function register() external override onlyMember whenRunning {
        // Checks
        if (_places[msg.sender] != 0) revert AlreadySeated(msg.sender);
        uint256 place = _freePlace();
        // Effects
        uint32 from = _nextTurn();
        _seats[place] = SequencerSeat(msg.sender, from, STAYS);
        _places[msg.sender] = place + 1;
        emit SequencerSeated(msg.sender, place, from);
        // Interactions
        token.safeTransferFrom(msg.sender, address(this), _bond);
    }

    /// @inheritdoc ISequencers
    function resign(address sequencer) external override {
        if (msg.sender != sequencer && consortium.rolesOf(sequencer) != 0) revert NotItsSeat(msg.sender, sequencer);
        if (_places[sequencer] == 0) revert NotSeated(sequencer);
        SequencerSeat storage seat = _seats[_places[sequencer] - 1];
        if (seat.untilTurn != STAYS) revert AlreadyLeaving(sequencer, seat.untilTurn);
        seat.untilTurn = _nextTurn();
        emit SequencerLeaving(sequencer, seat.untilTurn);
    }

    /// @inheritdoc ISequencers
    function payBond(address to) external override whenNotPaused {
        // Checks
        bool goes = _places[to] != 0 && _mayGo(_seats[_places[to] - 1]);
        uint256 amount = bondsOwedTo[to] + (goes ? _bond : 0);
        if (amount == 0 && !goes) revert NoBondDue(to);
        // Effects
        if (goes) _vacate(to);
        bondsOwedTo[to] = 0;
        emit BondPaid(to, amount);
        // Interactions
        token.safeTransfer(to, amount);
    }

    /// @inheritdoc ISequencers
    function freeze() external override whenRunning {
        if (!isOverdue()) revert NotOverdue();
        isFrozen = true;
        uint256 turn = turnOf(_dueBlock());
        // before the first whole turn nobody is to blame
        // slither-disable-next-line incorrect-equality
        address culprit = turn == 0 ? address(0) : inTurn(turn - 1);
        if (culprit != address(0)) {
            _vacate(culprit);
            // paid later: a payment that fails must not keep the rollup from being left
            bondsOwedTo[msg.sender] += _fee;
            bondsOwedTo[pot] += _bond - _fee;
        }
        emit RollupAbandoned(msg.sender, culprit, uint256(taken) + 1);
    }

    /// @inheritdoc ISequencers
    function seats() external view override returns (SequencerSeat[] memory all) {
        all = new SequencerSeat[](_seatCount);
        for (uint256 i = 0; i < all.length; ++i) {
            all[i] = _seats[i];
        }
    }

    /// @inheritdoc ISequencers
    function turnOf(uint256 blockNumber) public view override returns (uint256) {
        return blockNumber / _turn;
    }

    /// @inheritdoc ISequencers
    function inTurn(uint256 turn) public view override returns (address) {
        // filled up to count
        // slither-disable-next-line uninitialized-local
        address[MAX_SEATS] memory counting;
        uint256 count = 0;
        for (uint256 i = 0; i < _seatCount; ++i) {
            if (_counts(_seats[i], turn)) counting[count++] = _seats[i].sequencer;
        }
        return count == 0 ? address(0) : counting[turn % count];
    }

    /// @dev Notes that the caller settles a batch now, and numbers it; reverts unless it may.
    function _takeTurn() internal returns (uint32 number) {
        uint256 turn = turnOf(block.number);
        address first = inTurn(turn);
        if (msg.sender != first) {
            uint256 place = _places[msg.sender];
            bool seated = place != 0 && _counts(_seats[place - 1], turn);
            if (!seated || turn <= uint256(lastTurn) + 1) revert NotInTurn(msg.sender, first);
        }
        lastTurn = SafeCast.toUint32(turn);
        number = ++batches;
    }

    function _nextTurn() private view returns (uint32) {
        return SafeCast.toUint32(turnOf(block.number) + 1);
    }

    function _counts(SequencerSeat storage seat, uint256 turn) private view returns (bool) {
        return seat.sequencer != address(0) && seat.fromTurn <= turn && turn < seat.untilTurn;
    }

    /// @dev While an item is overdue nobody's bond goes: it may be the one to lose it.
    function _mayGo(SequencerSeat storage seat) private view returns (bool) {
        if (isFrozen) return true;
        return seat.untilTurn != STAYS && block.number >= uint256(seat.untilTurn) * _turn + _force && !isOverdue();
    }

    function _vacate(address sequencer) private {
        delete _seats[_places[sequencer] - 1];
        delete _places[sequencer];
    }

    function _freePlace() private returns (uint256 place) {
        while (place < _seatCount && _seats[place].sequencer != address(0)) ++place;
        if (place == MAX_SEATS) revert NoSeatLeft(MAX_SEATS);
        if (place == _seatCount) ++_seatCount;
    }
}
