// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice Order of the phases and their deadlines.
contract PhasesTest is Deployment {
    function setUp() public override {
        super.setUp();
        stakeAll();
    }

    function expectNotOver(uint256 roundId, Phase phase) internal {
        vm.expectRevert(
            abi.encodeWithSelector(
                IPhases.PhaseNotOver.selector, phase, manager.deadlineOf(roundId), vm.getBlockNumber()
            )
        );
        advance(roundId);
    }

    function test_advance_honestRound_passesEveryPhaseOnce() public {
        uint256 roundId = openRound();
        for (uint8 phase = uint8(Phase.Select); phase < uint8(Phase.Finalised); ++phase) {
            vm.assertEq(uint8(manager.phaseOf(roundId)), phase);
            vm.assertEq(manager.deadlineOf(roundId), vm.getBlockNumber() + PHASE_BLOCKS);
            work(roundId);
            uint32 deadline = phase == uint8(Phase.Settle) ? 0 : uint32(vm.getBlockNumber()) + PHASE_BLOCKS;
            vm.expectEmit(address(manager));
            emit IPhases.PhaseAdvanced(roundId, Phase(phase), Phase(phase + 1), deadline);
            advance(roundId);
        }
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
        vm.assertEq(manager.deadlineOf(roundId), 0);
    }

    function test_advance_workOutstanding_reverts() public {
        uint256 roundId = openRound();
        advance(roundId);
        skip(PHASE_BLOCKS);
        expectNotOver(roundId, Phase.Train);
        skip(1);
        advance(roundId);
        commit(roundId, hospitals[0]);
        expectNotOver(roundId, Phase.Commit);
        for (uint256 i = 1; i < 4; ++i) {
            commit(roundId, hospitals[i]);
        }
        while (manager.phaseOf(roundId) != Phase.Aggregate) {
            advance(roundId);
        }
        submit(roundId, operators[0], "model");
        expectNotOver(roundId, Phase.Aggregate);
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        voteFor(roundId, operators[0], "model");
        expectNotOver(roundId, Phase.Finalise);
    }

    function test_advance_late_leavesTheNextPhaseItsTime() public {
        uint256 roundId = openRound();
        skip(1000);
        advance(roundId);
        vm.assertEq(manager.deadlineOf(roundId), vm.getBlockNumber() + PHASE_BLOCKS);
    }

    function test_advance_durationsDiffer_eachPhaseHasItsOwn() public {
        uint24[9] memory own;
        for (uint24 i = 0; i < 9; ++i) {
            own[i] = 40_000 + 7 * i;
        }
        vm.prank(operators[0]);
        uint256 roundId = manager.open(content("task"), own);
        for (uint256 i = 0; i < 9; ++i) {
            vm.assertEq(manager.durationsOf(roundId)[i], own[i]);
            vm.assertEq(manager.deadlineOf(roundId), vm.getBlockNumber() + own[i]);
            if (i == 1) skip(own[1] + 1);
            else work(roundId);
            advance(roundId);
        }
    }

    function test_advance_auditorOrOutsider_reverts() public {
        uint256 roundId = openRound();
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoVote.selector, auditor));
        vm.prank(auditor);
        manager.advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        manager.advance(roundId);
        vm.prank(hospitals[3]); // any voting member
        manager.advance(roundId);
    }

    function test_advance_anotherRound_reverts() public {
        uint256 roundId = openRound();
        vm.expectRevert(abi.encodeWithSelector(IPhases.WrongRound.selector, roundId, roundId + 1));
        advance(roundId + 1);
    }

    function test_advance_noOpenRound_reverts() public {
        vm.expectRevert(IPhases.NoOpenRound.selector);
        advance(0);
        uint256 roundId = reach(Phase.Finalised);
        vm.expectRevert(IPhases.NoOpenRound.selector);
        advance(roundId);
    }
}
