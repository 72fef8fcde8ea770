// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HOSPITAL, IConsortium, Proposal, VALIDATOR} from "../src/interfaces/IConsortium.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice Between the majority and the call stands the delay, and the majority is asked at both ends of it.
contract ConsortiumTimeLockTest is Deployment {
    bytes internal change = abi.encodeCall(IStakeVault.setUnlockDelay, (9));

    function queue(uint256 proposalId) internal {
        vm.prank(operators[0]);
        consortium.queue(proposalId);
    }

    function execute(uint256 proposalId) internal {
        vm.prank(operators[0]);
        consortium.execute(proposalId);
    }

    // ------------------------------------------------------------------ queueing

    function test_queue_withMajority_fixesItsBlocks() public {
        uint256 proposalId = propose(address(vault), change);
        vm.assertEq(consortium.proposal(proposalId).readyBlock, 0);
        skip(3);
        uint32 readyBlock = uint32(vm.getBlockNumber()) + DELAY;
        vm.expectEmit(address(consortium));
        emit IConsortium.ProposalQueued(proposalId, operators[0], readyBlock, readyBlock + VOTING_PERIOD);
        queue(proposalId);
        Proposal memory queued = consortium.proposal(proposalId);
        vm.assertEq(queued.readyBlock, readyBlock);
        vm.assertEq(queued.deadline, readyBlock + VOTING_PERIOD);
        vm.assertTrue(!queued.executed, "nothing is called yet");
        vm.assertEq(vault.unlockDelay(), UNLOCK_DELAY);
    }

    function test_queue_withoutMajority_reverts() public {
        vm.prank(operators[0]);
        uint256 proposalId = consortium.propose(address(vault), change);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, 1, 7));
        queue(proposalId);
    }

    function test_queue_twice_reverts() public {
        uint256 proposalId = enqueue(address(vault), change);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.AlreadyQueued.selector, proposalId));
        queue(proposalId);
    }

    function test_queue_lastBlock_queues() public {
        uint256 proposalId = propose(address(vault), change);
        skip(VOTING_PERIOD);
        queue(proposalId);
        skip(DELAY);
        execute(proposalId);
        vm.assertEq(vault.unlockDelay(), 9);
    }

    function test_queue_afterTheDeadline_reverts() public {
        uint256 proposalId = propose(address(vault), change);
        uint32 deadline = consortium.proposal(proposalId).deadline;
        skip(VOTING_PERIOD + 1);
        bytes memory reason = abi.encodeWithSelector(IConsortium.ProposalExpired.selector, proposalId, deadline);
        vm.expectRevert(reason);
        queue(proposalId);
        vm.expectRevert(reason);
        execute(proposalId);
        vm.expectRevert(reason);
        vm.prank(hospitals[3]);
        consortium.vote(proposalId);
    }

    function test_queue_auditorOrUnknown_reverts() public {
        uint256 proposalId = propose(address(vault), change);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoVote.selector, auditor));
        vm.prank(auditor);
        consortium.queue(proposalId);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.UnknownProposal.selector, 7));
        queue(7);
    }

    // ------------------------------------------------------------------ waiting and executing

    function test_execute_notQueued_reverts() public {
        uint256 proposalId = propose(address(vault), change);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotQueued.selector, proposalId));
        execute(proposalId);
    }

    function test_execute_majorityLostWhileWaiting_revertsUntilItIsThereAgain() public {
        uint256 proposalId = enqueue(address(vault), change);
        vm.prank(address(consortium));
        consortium.changeRoles(operators[2], VALIDATOR);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, 3, 7));
        execute(proposalId);
        vm.prank(hospitals[3]);
        consortium.vote(proposalId);
        execute(proposalId);
        vm.assertEq(vault.unlockDelay(), 9);
    }

    function test_execute_voterAdmittedWhileWaiting_countsAgainstIt() public {
        uint256 proposalId = enqueue(address(vault), change);
        vm.prank(address(consortium));
        consortium.admit(address(0xCAFE), HOSPITAL);
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, 4, 8));
        execute(proposalId);
    }

    function test_execute_callThatFails_staysQueued() public {
        uint256 proposalId = enqueue(address(vault), abi.encodeCall(IStakeVault.spendTreasury, (operators[0], 60)));
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientTreasury.selector, 0, 60));
        execute(proposalId);
        stake(hospitals[0], 100);
        vault.slash(hospitals[0], 100, "late");
        execute(proposalId);
        vm.assertEq(vault.treasury(), 40);
    }

    function test_setDelay_byVote_waitsItselfAndLeavesTheQueuedAlone() public {
        uint256 before = enqueue(address(vault), change);
        govern(address(consortium), abi.encodeCall(IConsortium.setDelay, (6)));
        vm.assertEq(consortium.delay(), 6);
        execute(before); // queued at the delay that was in force
        uint256 later = enqueue(address(vault), abi.encodeCall(IStakeVault.setUnlockDelay, (10)));
        uint32 readyBlock = consortium.proposal(later).readyBlock;
        vm.assertEq(readyBlock, vm.getBlockNumber() + 6);
        skip(5);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.StillDelayed.selector, later, readyBlock, vm.getBlockNumber())
        );
        execute(later);
    }

    function test_setDelay_outOfBoundsOrByAKey_reverts() public {
        uint256 proposalId = enqueue(address(consortium), abi.encodeCall(IConsortium.setDelay, (0)));
        skip(DELAY);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("delay"), 0, 1, 1_000_000));
        execute(proposalId);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]));
        vm.prank(operators[0]);
        consortium.setDelay(1);
    }

    function test_setVotingPeriod_whileOneWaits_leavesItsDeadline() public {
        uint256 proposalId = enqueue(address(vault), change);
        uint32 deadline = consortium.proposal(proposalId).deadline;
        govern(address(consortium), abi.encodeCall(IConsortium.setVotingPeriod, (1000)));
        vm.roll(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.ProposalExpired.selector, proposalId, deadline));
        execute(proposalId);
    }

    /// @dev Whenever it is tried: the call is made if and only if the block is within delay .. delay + votingPeriod from the queue.
    function testFuzz_execute_anyBlock_onlyWithinItsWindow(uint32 delay, uint32 period, uint32 waited) public {
        delay = 1 + delay % 40;
        period = 2 + period % 40;
        waited = waited % 100;
        govern(address(consortium), abi.encodeCall(IConsortium.setDelay, (delay)));
        vm.prank(address(consortium));
        consortium.setVotingPeriod(period);
        uint256 proposalId = enqueue(address(vault), change);
        Proposal memory queued = consortium.proposal(proposalId);
        skip(waited);
        uint256 now_ = vm.getBlockNumber();
        if (waited < delay) {
            vm.expectRevert(
                abi.encodeWithSelector(IConsortium.StillDelayed.selector, proposalId, queued.readyBlock, now_)
            );
        } else if (waited > delay + period) {
            vm.expectRevert(abi.encodeWithSelector(IConsortium.ProposalExpired.selector, proposalId, queued.deadline));
        }
        execute(proposalId);
        vm.assertEq(vault.unlockDelay() == 9, waited >= delay && waited <= delay + period);
    }

    /// @dev Whoever changes while the call waits: it is made if and only if those whose records stood still are a majority.
    function testFuzz_execute_recordsChanged_countsOnlyThoseThatStood(uint8 voted, uint8 changed) public {
        voted |= 0x70; // the operators and one more, at least: it can be queued
        voted |= 1;
        vm.prank(cast[0]);
        uint256 proposalId = consortium.propose(address(vault), change);
        for (uint256 i = 1; i < 7; ++i) {
            if (voted & (1 << i) == 0) continue;
            vm.prank(cast[i]);
            consortium.vote(proposalId);
        }
        queue(proposalId);
        uint256 left;
        for (uint256 i = 0; i < 7; ++i) {
            uint8 roles = consortium.rolesOf(cast[i]);
            bool stands = changed & (1 << i) == 0;
            if (stands && voted & (1 << i) != 0) ++left;
            if (stands) continue;
            vm.prank(address(consortium));
            consortium.changeRoles(cast[i], roles);
        }
        skip(DELAY);
        vm.assertEq(consortium.votesFor(proposalId), left);
        if (left < 4) vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, left, 7));
        execute(proposalId);
    }

    // ------------------------------------------------------------------ as many members as there can be

    /// @dev 500 voting members, the last of them admitted by the votes of 250: counted twice, each time within a transaction.
    function test_admit_500thVoter_byVoteOfAMajority() public {
        for (uint256 i = 8; i < 499; ++i) {
            cast.push(address(uint160(0x1000 + i)));
            vm.prank(address(consortium));
            consortium.admit(cast[i], HOSPITAL);
        }
        vm.assertEq(consortium.voters(), 498);
        uint256 proposalId =
            propose(address(consortium), abi.encodeCall(IConsortium.admit, (address(0xCAFE), HOSPITAL)));
        for (uint256 i = 8; i < 253; ++i) {
            vm.prank(cast[i]);
            consortium.vote(proposalId);
        }
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, 249, 498));
        queue(proposalId);
        vm.prank(cast[300]);
        consortium.vote(proposalId);
        vm.cool(address(consortium));
        uint256 gas = gasleft();
        queue(proposalId);
        vm.assertLe(gas - gasleft(), 5_000_000, "queue");
        skip(DELAY);
        vm.cool(address(consortium));
        gas = gasleft();
        execute(proposalId);
        vm.assertLe(gas - gasleft(), 5_000_000, "execute");
        vm.assertEq(consortium.recordOf(address(0xCAFE)).position, 500);
        vm.assertEq(consortium.voters(), 499);
        vm.assertEq(consortium.recordsOf(consortium.members()).length, 500);
    }
}
