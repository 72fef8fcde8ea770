// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IRollupQueue} from "../src/interfaces/IRollupQueue.sol";
import {ISequencers, SequencerSeat} from "../src/interfaces/ISequencers.sol";
import {RollupDeployment} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Seats, turns, bonds, and who pays when the queue is left waiting.
contract SequencersTest is RollupDeployment {
    address internal first;
    address internal second;
    address internal third;

    function setUp() public override {
        super.setUp();
        (first, second, third) = (operators[0], operators[1], operators[2]);
        vm.roll(1000);
    }

    function turn() internal view returns (uint256) {
        return vm.getBlockNumber() / TURN;
    }

    /// @dev To the first block of a turn that is `remainder` modulo `count`.
    function toTurn(uint256 remainder, uint256 count) internal {
        uint256 next = turn() + 1;
        while (next % count != remainder) ++next;
        vm.roll(next * TURN);
    }

    /// @dev Any batch without effect on the queue.
    function settle(address sequencer) internal {
        submit(sequencer, entry(ACCESS, 0, 0, 7), rootOf(rollup.batches()));
    }

    function expectNotInTurn(address caller, address other) internal {
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NotInTurn.selector, caller, other));
        settleDirectly(caller);
    }

    /// @dev Asks nothing of the contract between the expectation and the call.
    function settleDirectly(address sequencer) internal {
        this.submitAs(sequencer, entry(ACCESS, 0, 0, 7), rootOf(999));
    }

    function submitAs(address sequencer, bytes memory batch, bytes32 newRoot) external {
        submit(sequencer, batch, newRoot);
    }

    function test_register_countsFromTheNextTurn() public {
        vm.expectEmit(address(rollup));
        emit ISequencers.SequencerSeated(first, 0, uint32(turn() + 1));
        register(first);
        vm.assertEq(coin.balanceOf(address(rollup)), BOND);
        vm.assertEq(rollup.inTurn(turn()), address(0));
        vm.assertEq(rollup.inTurn(turn() + 1), first);
        expectNotInTurn(first, address(0));
        skip(TURN);
        settle(first);
        vm.assertEq(rollup.batches(), 1);
        vm.assertEq(rollup.lastTurn(), turn());
        vm.assertEq(rollup.turnOf(vm.getBlockNumber()), turn());
    }

    function test_turns_goRound() public {
        register(first);
        register(second);
        register(third);
        uint256 base = (turn() / 3 + 1) * 3;
        for (uint256 t = base; t < base + 6; ++t) {
            vm.assertEq(rollup.inTurn(t), [first, second, third][t % 3]);
        }
    }

    function test_turnThatPassed_opensTheNextToAnySeat() public {
        register(first);
        register(second);
        toTurn(0, 2);
        settle(first);
        skip(TURN);
        expectNotInTurn(first, second);
        settle(second);
        skip(TURN);
        // the first lets its turn pass: in the next, both may, until there is a batch
        skip(TURN);
        settle(first);
        expectNotInTurn(first, second);
        settle(second);
        expectNotInTurn(outsider, second);
        skip(2 * TURN);
        expectNotInTurn(outsider, second);
    }

    function test_register_refusals_byName() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        register(outsider);
        register(first);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.AlreadySeated.selector, first));
        register(first);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NotSeated.selector, second));
        vm.prank(second);
        rollup.resign(second);
        for (uint160 i = 1; i < 16; ++i) {
            address member = address(0xC0DE + i);
            govern(address(consortium), abi.encodeCall(IConsortium.admit, (member, 8)));
            coin.transfer(member, BOND);
            vm.prank(member);
            coin.approve(address(rollup), BOND);
            register(member);
        }
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NoSeatLeft.selector, 16));
        register(second);
        vm.assertEq(rollup.seats().length, 16);
    }

    function test_resign_bondComesBackAfterTheWait() public {
        register(first);
        register(second);
        skip(TURN);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NotItsSeat.selector, second, first));
        vm.prank(second);
        rollup.resign(first);
        uint32 until = uint32(turn() + 1);
        vm.expectEmit(address(rollup));
        emit ISequencers.SequencerLeaving(first, until);
        vm.prank(first);
        rollup.resign(first);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.AlreadyLeaving.selector, first, until));
        vm.prank(first);
        rollup.resign(first);
        vm.assertEq(rollup.inTurn(until), second);
        vm.assertEq(rollup.inTurn(until + 1), second);
        vm.roll(uint256(until) * TURN + FORCE - 1);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NoBondDue.selector, first));
        rollup.payBond(first);
        skip(1);
        vm.expectEmit(address(rollup));
        emit ISequencers.BondPaid(first, BOND);
        rollup.payBond(first);
        vm.assertEq(coin.balanceOf(first), WEALTH);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NoBondDue.selector, first));
        rollup.payBond(first);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NoBondDue.selector, second));
        rollup.payBond(second);
        // the seat is free again
        register(third);
        SequencerSeat[] memory all = rollup.seats();
        vm.assertEq(all.length, 2);
        vm.assertEq(all[0].sequencer, third);
        vm.assertEq(all[0].fromTurn, turn() + 1);
        vm.assertEq(all[0].untilTurn, type(uint32).max);
    }

    function test_resign_ofARemovedMember_byAnybody() public {
        register(first);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (first)));
        vm.prank(outsider);
        rollup.resign(first);
        skip(2 * TURN);
        vm.assertEq(rollup.inTurn(turn()), address(0));
    }

    function test_payBond_whilePaused_reverts() public {
        register(first);
        vm.prank(first);
        rollup.resign(first);
        skip(10 * FORCE);
        pause(true);
        vm.expectRevert(IGoverned.Paused.selector);
        rollup.payBond(first);
        pause(false);
        rollup.payBond(first);
    }

    function pause(bool paused) internal {
        vm.prank(address(consortium));
        consortium.setPaused(paused);
    }

    // ------------------------------------------------------------------ freezing

    function test_freeze_inTime_reverts() public {
        register(first);
        vm.expectRevert(ISequencers.NotOverdue.selector);
        rollup.freeze();
        open(hospitals[0]);
        skip(FORCE);
        vm.assertEq(rollup.isOverdue(), false);
        vm.expectRevert(ISequencers.NotOverdue.selector);
        rollup.freeze();
    }

    /// @dev Who had the last whole turn of the wait pays; who came just before its end does not.
    function test_freeze_bondOfTheLastWholeTurn_isLost() public {
        register(first);
        register(second);
        toTurn(0, 2);
        skip(3);
        open(hospitals[0]);
        uint256 due = vm.getBlockNumber() + FORCE;
        address guilty = rollup.inTurn(due / TURN - 1);
        vm.assertEq(guilty, second);
        skip(FORCE + 1);
        vm.expectEmit(address(rollup));
        emit ISequencers.RollupAbandoned(outsider, guilty, 1);
        vm.prank(outsider);
        rollup.freeze();
        vm.assertEq(rollup.isFrozen(), true);
        vm.assertEq(rollup.bondsOwedTo(outsider), FEE);
        vm.assertEq(rollup.bondsOwedTo(address(rewards)), BOND - FEE);
        rollup.payBond(address(rewards));
        vm.assertEq(coin.balanceOf(address(rewards)), BOND - FEE);
        // the other's bond comes back at once
        rollup.payBond(first);
        vm.assertEq(coin.balanceOf(first), WEALTH);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NoBondDue.selector, guilty));
        rollup.payBond(guilty);
        vm.assertEq(coin.balanceOf(address(rollup)), FEE);
    }

    /// @dev Neither resigning in time nor taking the bond before somebody freezes helps.
    function test_freeze_whoResignedMeanwhile_isBlamedStill() public {
        register(first);
        register(second);
        toTurn(0, 2);
        open(hospitals[0]);
        uint256 due = vm.getBlockNumber() + FORCE;
        address guilty = rollup.inTurn(due / TURN - 1);
        vm.roll((due / TURN - 1) * TURN);
        vm.prank(guilty);
        rollup.resign(guilty);
        vm.roll(due + 10 * FORCE);
        vm.expectRevert(abi.encodeWithSelector(ISequencers.NoBondDue.selector, guilty));
        rollup.payBond(guilty);
        vm.expectEmit(address(rollup));
        emit ISequencers.RollupAbandoned(first, guilty, 1);
        vm.prank(first);
        rollup.freeze();
    }

    /// @dev A batch that comes late is welcome while nobody has frozen.
    function test_freeze_afterALateBatch_isNoMore() public {
        open(hospitals[0]);
        address sequencer = seated();
        skip(2 * FORCE);
        vm.assertEq(rollup.isOverdue(), true);
        submit(sequencer, entry(REKEY, 0, 0, KEY), rootOf(1));
        vm.expectRevert(ISequencers.NotOverdue.selector);
        rollup.freeze();
    }

    function test_freeze_withoutSequencers_blamesNobody() public {
        open(hospitals[0]);
        skip(FORCE + 1);
        vm.expectEmit(address(rollup));
        emit ISequencers.RollupAbandoned(outsider, address(0), 1);
        vm.prank(outsider);
        rollup.freeze();
        vm.assertEq(rollup.bondsOwedTo(outsider), 0);
    }

    function test_frozen_nothingGoesIn() public {
        open(hospitals[0]);
        address sequencer = seated();
        skip(2 * FORCE);
        rollup.freeze();
        bytes4 frozen = IRollupQueue.RollupFrozen.selector;
        vm.expectRevert(frozen);
        rollup.freeze();
        vm.expectRevert(frozen);
        this.submitAs(sequencer, entry(REKEY, 0, 0, KEY), rootOf(1));
        vm.expectRevert(frozen);
        open(hospitals[1]);
        vm.expectRevert(frozen);
        deposit(hospitals[0], 0, 1);
        vm.expectRevert(frozen);
        rollup.push(entry(EVIDENCE, 0, 0, 0));
        vm.expectRevert(frozen);
        register(second);
        vm.expectRevert(frozen);
        vm.prank(hospitals[0]);
        rollup.exitAccount();
        vm.expectRevert(frozen);
        vm.prank(hospitals[0]);
        rollup.rekey(KEY);
    }

    /// @dev Whatever comes and goes, whoever is blamed had its seat and its bond for a whole turn within the wait.
    function testFuzz_freeze_anyComingAndGoing_blamesAWholeTurn(uint8[24] calldata moves) public {
        uint256[3] memory since;
        uint256[3] memory until;
        uint256 from = 0;
        for (uint256 i = 0; i < moves.length; ++i) {
            uint256 who = moves[i] % 3;
            if (moves[i] & 0x40 == 0) {
                try this.registerAs(operators[who]) {
                    (since[who], until[who]) = (turn() + 1, type(uint256).max);
                } catch {}
            } else {
                try this.resignAs(operators[who]) {
                    until[who] = turn() + 1;
                } catch {}
            }
            try rollup.payBond(operators[who]) {
                (since[who], until[who]) = (0, 0);
            } catch {}
            if (i == 8) {
                from = vm.getBlockNumber();
                open(hospitals[0]);
            }
            skip(moves[i] / 8);
        }
        vm.roll(vm.getBlockNumber() + FORCE + 1);
        uint256 whole = (from + FORCE) / TURN - 1;
        vm.assertEq(whole * TURN > from && (whole + 1) * TURN <= from + FORCE, true);
        uint256 held = coin.balanceOf(address(rollup));
        uint256 bonds = 0;
        bool any = false;
        for (uint256 i = 0; i < 3; ++i) {
            if (since[i] != 0) bonds += BOND;
            any = any || (since[i] != 0 && since[i] <= whole && whole < until[i]);
        }
        vm.assertEq(held, bonds);
        address guilty = rollup.inTurn(whole);
        vm.assertEq(guilty != address(0), any);
        rollup.freeze();
        vm.assertEq(rollup.bondsOwedTo(address(this)), any ? FEE : 0);
        for (uint256 i = 0; i < 3; ++i) {
            bool counted = since[i] <= whole && whole < until[i];
            vm.assertEq(operators[i] != guilty || counted, true);
            try rollup.payBond(operators[i]) {
                vm.assertEq(operators[i] == guilty, false);
            } catch {}
        }
        vm.assertEq(coin.balanceOf(address(rollup)), any ? BOND : 0);
    }

    function registerAs(address member) external {
        register(member);
    }

    function resignAs(address member) external {
        vm.prank(member);
        rollup.resign(member);
    }
}
