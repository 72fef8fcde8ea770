// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Consortium} from "../src/Consortium.sol";
import {IAudits} from "../src/interfaces/IAudits.sol";
import {ICommittee} from "../src/interfaces/ICommittee.sol";
import {HOSPITAL, IConsortium, Power, VALIDATOR} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IReputation} from "../src/interfaces/IReputation.sol";
import {IRewards} from "../src/interfaces/IRewards.sol";
import {IRoundManager} from "../src/interfaces/IRoundManager.sol";
import {ISelection} from "../src/interfaces/ISelection.sol";
import {IStakeVault, SLASHER_ROLE} from "../src/interfaces/IStakeVault.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {IValidators} from "../src/interfaces/IValidators.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice An emergency does not wait, but needs two thirds; and there is no other way to any power.
contract ConsortiumPauseTest is Deployment {
    function pauseCall(bool paused) internal pure returns (bytes memory) {
        return abi.encodeCall(IConsortium.setPaused, (paused));
    }

    function execute(uint256 proposalId) internal {
        vm.prank(operators[0]);
        consortium.execute(proposalId);
    }

    /// @dev 5 of 7: 4 would be a majority, and no two thirds.
    function setPaused(bool paused) internal {
        uint256 proposalId = propose(address(consortium), pauseCall(paused));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoTwoThirds.selector, proposalId, 4, 7));
        execute(proposalId);
        vm.prank(hospitals[3]);
        consortium.vote(proposalId);
        vm.expectEmit(address(consortium));
        emit IConsortium.PausedSet(paused);
        execute(proposalId);
    }

    function test_setPaused_twoThirds_worksInTheSameBlock() public {
        vm.assertTrue(!consortium.isPaused(), "at genesis");
        uint256 block_ = vm.getBlockNumber();
        setPaused(true);
        vm.assertTrue(consortium.isPaused(), "paused");
        setPaused(false);
        vm.assertTrue(!consortium.isPaused(), "goes on");
        vm.assertEq(vm.getBlockNumber(), block_);
    }

    function test_setPaused_queued_reverts() public {
        uint256 proposalId = propose(address(consortium), pauseCall(true));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NeedsNoQueue.selector, proposalId));
        vm.prank(operators[0]);
        consortium.queue(proposalId);
    }

    function test_setPaused_expired_reverts() public {
        uint256 proposalId = propose(address(consortium), pauseCall(true));
        vm.prank(hospitals[3]);
        consortium.vote(proposalId);
        uint32 deadline = consortium.proposal(proposalId).deadline;
        skip(VOTING_PERIOD + 1);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.ProposalExpired.selector, proposalId, deadline));
        execute(proposalId);
    }

    function test_setPaused_onAnotherContract_isNoPause() public {
        uint256 proposalId = propose(address(vault), pauseCall(true));
        vm.prank(hospitals[3]);
        consortium.vote(proposalId);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotQueued.selector, proposalId));
        execute(proposalId);
    }

    function test_propose_shorterThanASelector_waitsAndReachesNothing() public {
        uint256 proposalId = enqueue(address(consortium), hex"16c38b");
        skip(DELAY);
        vm.expectPartialRevert(bytes4(keccak256("FailedCall()")));
        execute(proposalId);
    }

    function test_paused_votesAreHeld() public {
        setPaused(true);
        govern(address(consortium), abi.encodeCall(IConsortium.admit, (address(0xCAFE), HOSPITAL)));
        vm.assertEq(consortium.voters(), 8);
    }

    function test_paused_noStakeLeaves_butItsDelayRuns() public {
        stake(hospitals[0], 500);
        vm.prank(hospitals[0]);
        vault.requestUnlock(200);
        setPaused(true);
        skip(UNLOCK_DELAY);
        vm.expectRevert(IGoverned.Paused.selector);
        vm.prank(hospitals[0]);
        vault.withdraw();
        stake(hospitals[0], 10);
        vm.assertEq(vault.slash(hospitals[0], 700, "late"), 510);
        setPaused(false);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingUnlocking.selector, hospitals[0]));
        vm.prank(hospitals[0]);
        vault.withdraw();
    }

    /// @dev Whoever votes: paused if and only if 3 votes >= 2 voters.
    function testFuzz_setPaused_anyVotes_needsTwoThirds(uint8 mask, uint8 newcomers) public {
        newcomers = newcomers % 5;
        for (uint256 i = 0; i < newcomers; ++i) {
            vm.prank(address(consortium));
            consortium.admit(address(uint160(0x1000 + i)), VALIDATOR);
        }
        vm.prank(cast[0]);
        uint256 proposalId = consortium.propose(address(consortium), pauseCall(true));
        uint256 votes = 1;
        for (uint256 i = 1; i < 7; ++i) {
            if (mask & (1 << i) == 0) continue;
            vm.prank(cast[i]);
            consortium.vote(proposalId);
            ++votes;
        }
        uint256 voters = 7 + uint256(newcomers);
        bool enough = 3 * votes >= 2 * voters;
        if (!enough) {
            vm.expectRevert(abi.encodeWithSelector(IConsortium.NoTwoThirds.selector, proposalId, votes, voters));
        }
        execute(proposalId);
        vm.assertEq(consortium.isPaused(), enough);
    }

    // ------------------------------------------------------------------ no other power

    /// @dev What only the vote may do, tried by the deployer, by every member alone and by a stranger.
    function test_whatTheVoteMayDo_anyKey_reverts() public {
        IStarkVerifier[2] memory none;
        address[16] memory targets;
        bytes[16] memory calls;
        (targets[0], calls[0]) = (address(consortium), abi.encodeCall(IConsortium.admit, (address(0xCAFE), 7)));
        (targets[1], calls[1]) = (address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[3])));
        (targets[2], calls[2]) = (address(consortium), abi.encodeCall(IConsortium.changeRoles, (hospitals[3], 7)));
        (targets[3], calls[3]) = (address(consortium), abi.encodeCall(IConsortium.setVotingPeriod, (50)));
        (targets[4], calls[4]) = (address(consortium), abi.encodeCall(IConsortium.setDelay, (50)));
        (targets[5], calls[5]) = (address(consortium), pauseCall(true));
        (targets[6], calls[6]) = (address(vault), abi.encodeCall(IStakeVault.setUnlockDelay, (50)));
        (targets[7], calls[7]) = (address(vault), abi.encodeCall(IStakeVault.spendTreasury, (operators[0], 0)));
        (targets[8], calls[8]) = (address(manager), abi.encodeCall(IRoundManager.setParameters, (parameters())));
        (targets[9], calls[9]) = (address(audits), abi.encodeCall(IAudits.setTraining, (training())));
        (targets[10], calls[10]) = (address(committee), abi.encodeCall(ICommittee.setSharing, (sharing(), none, none)));
        (targets[11], calls[11]) = (address(reputation), abi.encodeCall(IReputation.setReputation, (evidence())));
        (targets[12], calls[12]) = (address(selection), abi.encodeCall(ISelection.setSelection, (lottery())));
        (targets[13], calls[13]) = (address(validators), abi.encodeCall(IValidators.setValidators, (judging())));
        (targets[14], calls[14]) = (address(validators), abi.encodeCall(IValidators.setOperator, (cast[0], cast[1])));
        (targets[15], calls[15]) = (address(rewards), abi.encodeCall(IRewards.setRewards, (paying())));
        for (uint256 who = 0; who < 10; ++who) {
            address key = who < 8 ? cast[who] : who == 8 ? consortium.deployer() : outsider;
            for (uint256 i = 0; i < 16; ++i) {
                vm.prank(key);
                (bool done, bytes memory reason) = targets[i].call(calls[i]);
                vm.assertTrue(!done, "a key did what only the vote may");
                bytes memory expected = abi.encodeWithSelector(IConsortium.NotTheVote.selector, key);
                vm.assertEq(keccak256(reason), keccak256(expected));
            }
        }
    }

    /// @dev Of a system that a key deployed and sealed: nothing of its consortium answers to that key any more.
    function test_deployer_afterSeal_canDoNothing() public {
        address deployer = address(0xD0);
        uint8[] memory roles = new uint8[](8);
        for (uint256 i = 0; i < 8; ++i) {
            roles[i] = VALIDATOR;
        }
        vm.prank(deployer);
        Consortium fresh = new Consortium(cast, roles, VOTING_PERIOD, DELAY);
        vm.prank(deployer);
        fresh.seal(new Power[](0));
        vm.prank(cast[0]);
        fresh.propose(address(fresh), pauseCall(true));
        bytes[12] memory calls = [
            abi.encodeCall(IConsortium.seal, (new Power[](0))),
            abi.encodeCall(IConsortium.admit, (deployer, 7)),
            abi.encodeCall(IConsortium.remove, (cast[0])),
            abi.encodeCall(IConsortium.changeRoles, (cast[0], 7)),
            abi.encodeCall(IConsortium.setVotingPeriod, (50)),
            abi.encodeCall(IConsortium.setDelay, (50)),
            pauseCall(true),
            abi.encodeCall(IConsortium.propose, (address(fresh), "")),
            abi.encodeCall(IConsortium.vote, (0)),
            abi.encodeCall(IConsortium.queue, (0)),
            abi.encodeCall(IConsortium.execute, (0)),
            abi.encodeCall(IAccessControl.grantRole, (SLASHER_ROLE, address(vault)))
        ];
        for (uint256 i = 0; i < 12; ++i) {
            vm.prank(deployer);
            (bool done, bytes memory reason) = address(fresh).call(calls[i]);
            vm.assertTrue(!done, "the deployer has a power left");
            bytes4 expected = i == 0 ? IConsortium.AlreadySealed.selector : IConsortium.NotMember.selector;
            if (i > 0 && i < 7) expected = IConsortium.NotTheVote.selector;
            if (i == 11) expected = IAccessControl.AccessControlUnauthorizedAccount.selector;
            vm.assertEq(bytes32(bytes4(reason)), bytes32(expected));
        }
        vm.assertTrue(!fresh.hasRole(bytes32(0), deployer), "the power over powers");
    }
}
