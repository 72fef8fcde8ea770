// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICommittee} from "../src/interfaces/ICommittee.sol";
import {AGGREGATOR} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {BabyBear} from "../src/stark/BabyBear.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Shares that did not arrive: complaints, answers, confirmations, and who survives them.
contract CommitteeComplaintsTest is SharedDeployment {
    function test_complain_answered_closesTheCase() public {
        uint256 roundId = reach(Phase.Share);
        vm.expectEmit(address(committee));
        emit ICommittee.Complained(roundId, hospitals[2], 1);
        complain(roundId, 1, hospitals[2]);
        (uint16 complaints, uint16 unanswered) = committee.complaintsOf(roundId, hospitals[2]);
        vm.assertEq(complaints, 2);
        vm.assertEq(unanswered, 2);
        vm.assertEq(committee.disputed(roundId), 1);
        vm.expectEmit(address(committee));
        emit ICommittee.ShareShown(roundId, hospitals[2], 1, elementsFor(roundId, hospitals[2], 1));
        show(roundId, hospitals[2], 1);
        (complaints, unanswered) = committee.complaintsOf(roundId, hospitals[2]);
        vm.assertEq(complaints, 2);
        vm.assertEq(unanswered, 0);
        work(roundId);
        advance(roundId);
        vm.assertEq(committee.survivorsOf(roundId).length, 4);
        vm.assertEq(vault.treasury(), 0); // nobody is slashed for a share that fits
    }

    function test_complain_unanswered_hospitalDoesNotSurvive() public {
        uint256 roundId = reach(Phase.Share);
        complain(roundId, 1, hospitals[2]);
        work(roundId);
        vm.assertEq(committee.areSharesSettled(roundId), false);
        vm.expectRevert(
            abi.encodeWithSelector(
                IPhases.PhaseNotOver.selector, Phase.Share, manager.deadlineOf(roundId), vm.getBlockNumber()
            )
        );
        advance(roundId);
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        address[] memory survivors = committee.survivorsOf(roundId);
        vm.assertEq(survivors.length, 3);
        vm.assertEq(survivors[2], hospitals[3]);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotSurviving.selector, roundId, hospitals[2]));
        committee.groupOf(roundId, hospitals[2]);
        vm.assertEq(vault.treasury(), 0);
    }

    /// @dev Never more than two shares of three are shown.
    function test_complain_thresholdReached_leavesTheHospitalOut() public {
        uint256 roundId = reach(Phase.Share);
        complain(roundId, 0, hospitals[3]);
        show(roundId, hospitals[3], 0);
        complain(roundId, 1, hospitals[3]);
        show(roundId, hospitals[3], 1);
        vm.assertEq(committee.disputed(roundId), 0);
        vm.expectEmit(address(committee));
        emit ICommittee.HospitalLeftOut(roundId, hospitals[3], 3);
        complain(roundId, 4, hospitals[3]);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.TooManyComplaints.selector, 3, 3));
        this.showAs(roundId, hospitals[3], 4, elementsFor(roundId, hospitals[3], 4));
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotSurviving.selector, roundId, hospitals[3]));
        complain(roundId, 2, hospitals[3]);
        work(roundId);
        advance(roundId); // nothing is waited for
        vm.assertEq(committee.survivorsOf(roundId).length, 3);
    }

    function showAs(uint256 roundId, address hospital, uint256 seat, uint32[] memory elements) public {
        vm.prank(hospital);
        committee.show(roundId, uint8(seat), elements);
    }

    function test_show_anotherShare_reverts() public {
        uint256 roundId = reach(Phase.Share);
        complain(roundId, 1, hospitals[2]);
        bytes32[] memory digests = committee.digestsOf(roundId, hospitals[2]);
        uint32[] memory elements = elementsFor(roundId, hospitals[2], 2);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.WrongShare.selector, digests[1], digests[2]));
        showAs(roundId, hospitals[2], 1, elements);
        elements = elementsFor(roundId, hospitals[2], 1);
        elements[17] += uint32(BabyBear.P);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.ElementAboveField.selector, 17, elements[17]));
        showAs(roundId, hospitals[2], 1, elements);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.WrongShareLength.selector, 40, 36));
        showAs(roundId, hospitals[2], 1, new uint32[](36));
        for (uint256 seat = 0; seat < 20; ++seat) {
            if (seat == 1) continue;
            vm.expectRevert(abi.encodeWithSelector(ICommittee.NoComplaint.selector, roundId, hospitals[2], seat));
            showAs(roundId, hospitals[2], seat, elements);
        }
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NoComplaint.selector, roundId, hospitals[1], 1));
        showAs(roundId, hospitals[1], 1, elements);
        show(roundId, hospitals[2], 1);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NoComplaint.selector, roundId, hospitals[2], 1));
        showAs(roundId, hospitals[2], 1, elementsFor(roundId, hospitals[2], 1));
    }

    function test_complain_withoutReason_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        for (uint256 i = 0; i < 4; ++i) {
            commit(roundId, hospitals[i]);
        }
        advance(roundId);
        work(roundId);
        advance(roundId);
        proveAllBut(roundId, hospitals[2]);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.StageNotOpen.selector, roundId));
        complain(roundId, 0, hospitals[0]);
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotSurviving.selector, roundId, hospitals[2])); // excluded
        complain(roundId, 0, hospitals[2]);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotSurviving.selector, roundId, operators[0])); // no hospital
        complain(roundId, 0, operators[0]);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, hospitals[2], AGGREGATOR));
        vm.prank(hospitals[2]);
        committee.complain(roundId, hospitals[0]);
        complain(roundId, 0, hospitals[0]);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyComplained.selector, roundId, hospitals[0], 0));
        complain(roundId, 0, hospitals[0]);
        confirm(roundId, 0);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyConfirmed.selector, roundId, 0));
        complain(roundId, 0, hospitals[1]);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyConfirmed.selector, roundId, 0));
        confirm(roundId, 0);
    }

    /// @dev Complaints in the first half, so that a hospital has the second for its answer.
    function test_stages_lateCalls_revert() public {
        uint256 roundId = reach(Phase.Share);
        (uint32 complainUntil, uint32 showUntil, uint32 sumUntil, uint32 decodeUntil) = committee.stagesOf(roundId);
        vm.assertEq(complainUntil, vm.getBlockNumber() + 3);
        vm.assertEq(showUntil, manager.deadlineOf(roundId));
        vm.assertEq(sumUntil + decodeUntil, 0);
        complain(roundId, 1, hospitals[2]);
        skipStage(roundId, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IPhases.DeadlinePassed.selector, complainUntil, uint256(complainUntil) + 1)
        );
        complain(roundId, 0, hospitals[0]);
        show(roundId, hospitals[2], 1);
        skipStage(roundId, 1);
        vm.expectRevert(abi.encodeWithSelector(IPhases.DeadlinePassed.selector, showUntil, uint256(showUntil) + 1));
        confirm(roundId, 0);
        vm.expectRevert(abi.encodeWithSelector(IPhases.DeadlinePassed.selector, showUntil, uint256(showUntil) + 1));
        showAs(roundId, hospitals[2], 1, new uint32[](40));
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.StageNotOpen.selector, roundId));
        confirm(roundId, 0);
    }

    function test_show_gas_isBelowItsBound() public {
        uint256 roundId = reach(Phase.Share);
        complain(roundId, 1, hospitals[2]);
        uint32[] memory elements = elementsFor(roundId, hospitals[2], 1);
        vm.prank(hospitals[2]);
        uint256 before = gasleft();
        committee.show(roundId, 1, elements);
        vm.assertLe(before - gasleft(), 350_000, "gas of one share shown");
    }
}
