// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Consortium} from "../src/Consortium.sol";
import {
    AGGREGATOR,
    AUDITOR,
    HOSPITAL,
    IConsortium,
    Member,
    Power,
    SYSTEM_ROLE,
    VALIDATOR
} from "../src/interfaces/IConsortium.sol";
import {IStakeVault, SLASHER_ROLE} from "../src/interfaces/IStakeVault.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

contract ConsortiumTest is Deployment {
    address internal newcomer = address(0xCAFE);

    function expectFromVote(bytes memory data, bytes memory reason) internal {
        uint256 proposalId = enqueue(address(consortium), data);
        skip(DELAY);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        consortium.execute(proposalId);
    }

    function admission(address account, uint8 roles) internal pure returns (bytes memory) {
        return abi.encodeCall(IConsortium.admit, (account, roles));
    }

    // ------------------------------------------------------------------ genesis and sealing

    function test_genesis_defaultCast_countsRoles() public view {
        vm.assertEq(consortium.members().length, 8);
        vm.assertEq(consortium.voters(), 7);
        vm.assertEq(consortium.validators(), 5);
        vm.assertEq(consortium.aggregators(), 5);
        vm.assertEq(consortium.rolesOf(auditor), AUDITOR);
        vm.assertEq(consortium.recordOf(hospitals[2]).position, 3);
    }

    function test_genesis_listsDiffer_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.LengthMismatch.selector, 8, 7));
        new Consortium(cast, new uint8[](7), VOTING_PERIOD, DELAY);
    }

    function test_genesis_twoValidators_reverts() public {
        uint8[] memory roles = new uint8[](8);
        for (uint256 i = 0; i < 8; ++i) {
            roles[i] = i < 2 ? VALIDATOR : HOSPITAL;
        }
        vm.expectRevert(abi.encodeWithSelector(IConsortium.TooFewValidators.selector, 2, 3));
        new Consortium(cast, roles, VOTING_PERIOD, DELAY);
    }

    function test_genesis_votingPeriodOrDelayOutOfBounds_reverts() public {
        uint8[] memory roles = new uint8[](8);
        for (uint256 i = 0; i < 8; ++i) {
            roles[i] = VALIDATOR;
        }
        for (uint32 blocks_ = 1; blocks_ <= 1_000_001; blocks_ += 1_000_000) {
            vm.expectRevert(
                abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("votingPeriod"), blocks_, 2, 1_000_000)
            );
            new Consortium(cast, roles, blocks_, DELAY);
        }
        for (uint32 blocks_ = 0; blocks_ <= 1_000_001; blocks_ += 1_000_001) {
            vm.expectRevert(
                abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("delay"), blocks_, 1, 1_000_000)
            );
            new Consortium(cast, roles, VOTING_PERIOD, blocks_);
        }
    }

    function test_seal_byAnother_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotDeployer.selector, operators[0], address(this)));
        vm.prank(operators[0]);
        consortium.seal(new Power[](0));
    }

    function test_seal_twice_reverts() public {
        vm.expectRevert(IConsortium.AlreadySealed.selector);
        consortium.seal(new Power[](0));
    }

    function test_propose_beforeSeal_reverts() public {
        uint8[] memory roles = new uint8[](8);
        for (uint256 i = 0; i < 8; ++i) {
            roles[i] = VALIDATOR;
        }
        Consortium fresh = new Consortium(cast, roles, VOTING_PERIOD, DELAY);
        vm.expectRevert(IConsortium.NotSealed.selector);
        vm.prank(cast[0]);
        fresh.propose(address(fresh), "");
    }

    // ------------------------------------------------------------------ membership

    function test_admit_byVote_admits() public {
        govern(address(consortium), admission(newcomer, HOSPITAL));
        vm.assertEq(consortium.rolesOf(newcomer), HOSPITAL);
        vm.assertEq(consortium.members()[8], newcomer);
        vm.assertEq(consortium.voters(), 8);
    }

    function test_admit_member_reverts() public {
        expectFromVote(
            admission(hospitals[0], HOSPITAL), abi.encodeWithSelector(IConsortium.AlreadyMember.selector, hospitals[0])
        );
    }

    function test_admit_invalidRoles_reverts() public {
        expectFromVote(admission(newcomer, 0), abi.encodeWithSelector(IConsortium.InvalidRoles.selector, newcomer, 0));
        expectFromVote(admission(newcomer, 16), abi.encodeWithSelector(IConsortium.InvalidRoles.selector, newcomer, 16));
        expectFromVote(
            admission(address(0), 1), abi.encodeWithSelector(IConsortium.InvalidRoles.selector, address(0), 1)
        );
    }

    function test_admit_aboveLimit_reverts() public {
        for (uint256 i = 8; i < 499; ++i) {
            vm.prank(address(consortium));
            consortium.admit(address(uint160(0x1000 + i)), AUDITOR);
        }
        govern(address(consortium), admission(address(0xF00D), AUDITOR));
        vm.assertEq(consortium.members().length, 500);
        vm.assertEq(consortium.recordOf(address(0xF00D)).position, 500);
        expectFromVote(admission(newcomer, HOSPITAL), abi.encodeWithSelector(IConsortium.TooManyMembers.selector, 500));
    }

    function test_recordsOf_anyAccounts_areTheirRecords() public view {
        address[] memory asked = new address[](3);
        (asked[0], asked[1], asked[2]) = (hospitals[2], outsider, auditor);
        Member[] memory records = consortium.recordsOf(asked);
        vm.assertEq(records.length, 3);
        for (uint256 i = 0; i < 3; ++i) {
            Member memory one = consortium.recordOf(asked[i]);
            vm.assertEq(keccak256(abi.encode(records[i])), keccak256(abi.encode(one)));
        }
        vm.assertEq(records[2].roles, AUDITOR);
        vm.assertEq(records[1].version, 0);
    }

    function test_remove_byVote_removesAndKeepsTheList() public {
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[1])));
        vm.assertEq(consortium.rolesOf(hospitals[1]), 0);
        vm.assertEq(consortium.members().length, 7);
        vm.assertEq(consortium.members()[1], auditor);
        vm.assertEq(consortium.recordOf(auditor).position, 2);
        vm.assertEq(consortium.validators(), 4);
        vm.assertEq(consortium.aggregators(), 4);
    }

    function test_remove_stranger_reverts() public {
        expectFromVote(
            abi.encodeCall(IConsortium.remove, (newcomer)),
            abi.encodeWithSelector(IConsortium.NotMember.selector, newcomer)
        );
    }

    function test_remove_thirdLastValidator_reverts() public {
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[0])));
        vm.prank(address(consortium));
        consortium.changeRoles(hospitals[1], HOSPITAL);
        bytes memory reason = abi.encodeWithSelector(IConsortium.TooFewValidators.selector, 2, 3);
        vm.expectRevert(reason);
        vm.prank(address(consortium));
        consortium.remove(operators[2]);
        vm.expectRevert(reason);
        vm.prank(address(consortium));
        consortium.changeRoles(operators[2], AGGREGATOR);
    }

    function test_changeRoles_byVote_replacesRoles() public {
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (hospitals[3], HOSPITAL | VALIDATOR)));
        vm.assertEq(consortium.rolesOf(hospitals[3]), HOSPITAL | VALIDATOR);
        vm.assertEq(consortium.validators(), 6);
        vm.assertEq(consortium.voters(), 7);
    }

    function test_membership_withoutVote_reverts() public {
        address[3] memory callers = [outsider, operators[0], auditor];
        for (uint256 i = 0; i < 3; ++i) {
            bytes memory reason = abi.encodeWithSelector(IConsortium.NotTheVote.selector, callers[i]);
            vm.expectRevert(reason);
            vm.prank(callers[i]);
            consortium.admit(newcomer, HOSPITAL);
            vm.expectRevert(reason);
            vm.prank(callers[i]);
            consortium.remove(hospitals[0]);
            vm.expectRevert(reason);
            vm.prank(callers[i]);
            consortium.changeRoles(hospitals[0], AUDITOR);
            vm.expectRevert(reason);
            vm.prank(callers[i]);
            consortium.setVotingPeriod(50);
        }
    }

    // ------------------------------------------------------------------ votes

    function test_propose_auditorOrOutsider_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoVote.selector, auditor));
        vm.prank(auditor);
        consortium.propose(address(consortium), "");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consortium.propose(address(consortium), "");
    }

    function test_propose_foreignTarget_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotASystemContract.selector, outsider));
        vm.prank(operators[0]);
        consortium.propose(outsider, "");
    }

    function test_vote_auditorOrOutsider_reverts() public {
        uint256 proposalId = propose(address(consortium), admission(newcomer, HOSPITAL));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoVote.selector, auditor));
        vm.prank(auditor);
        consortium.vote(proposalId);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consortium.vote(proposalId);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consortium.queue(proposalId);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        consortium.execute(proposalId);
    }

    function test_vote_twice_reverts() public {
        uint256 proposalId = propose(address(consortium), admission(newcomer, HOSPITAL));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.AlreadyVoted.selector, proposalId, operators[0]));
        vm.prank(operators[0]);
        consortium.vote(proposalId);
    }

    function test_vote_unknownProposal_reverts() public {
        bytes memory reason = abi.encodeWithSelector(IConsortium.UnknownProposal.selector, 0);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        consortium.vote(0);
        vm.expectRevert(reason);
        consortium.proposal(0);
    }

    function test_queue_halfOfTheVotes_reverts() public {
        // 8 voting members, 4 votes: half is no majority
        govern(address(consortium), admission(newcomer, HOSPITAL));
        uint256 proposalId = propose(address(consortium), admission(address(0xF00D), HOSPITAL));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, 4, 8));
        vm.prank(operators[0]);
        consortium.queue(proposalId);
    }

    function test_execute_twice_reverts() public {
        uint256 proposalId = enqueue(address(consortium), admission(newcomer, HOSPITAL));
        skip(DELAY);
        vm.prank(hospitals[3]);
        consortium.execute(proposalId);
        bytes memory reason = abi.encodeWithSelector(IConsortium.AlreadyExecuted.selector, proposalId);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        consortium.execute(proposalId);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        consortium.queue(proposalId);
    }

    function test_execute_targetLostItsPlace_reverts() public {
        uint256 proposalId = enqueue(address(vault), abi.encodeCall(IStakeVault.setUnlockDelay, (9)));
        govern(address(consortium), abi.encodeCall(IAccessControl.revokeRole, (SYSTEM_ROLE, address(vault))));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotASystemContract.selector, address(vault)));
        vm.prank(operators[0]);
        consortium.execute(proposalId);
    }

    function test_execute_onSystemContract_handsItsParameterToTheVote() public {
        govern(address(vault), abi.encodeCall(IStakeVault.setUnlockDelay, (9)));
        vm.assertEq(vault.unlockDelay(), 9);
        govern(address(consortium), abi.encodeCall(IConsortium.setVotingPeriod, (50)));
        vm.assertEq(consortium.votingPeriod(), 50);
    }

    function test_votesFor_voterRemoved_losesItsVote() public {
        uint256 proposalId = propose(address(consortium), admission(newcomer, HOSPITAL));
        vm.assertEq(consortium.votesFor(proposalId), 4);
        vm.prank(address(consortium));
        consortium.remove(operators[2]);
        vm.assertEq(consortium.votesFor(proposalId), 3);
        // 3 of the 6 that are left
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, 3, 6));
        vm.prank(operators[0]);
        consortium.queue(proposalId);
        // admitted again, its old vote stays void, and it may vote anew
        vm.prank(address(consortium));
        consortium.admit(operators[2], VALIDATOR);
        vm.assertEq(consortium.votesFor(proposalId), 3);
        vm.prank(operators[2]);
        consortium.vote(proposalId);
        vm.assertEq(consortium.votesFor(proposalId), 4);
    }

    function test_votesFor_voterMadeAuditor_losesItsVote() public {
        uint256 proposalId = propose(address(consortium), admission(newcomer, HOSPITAL));
        vm.prank(address(consortium));
        consortium.changeRoles(operators[2], AUDITOR);
        vm.assertEq(consortium.votesFor(proposalId), 3);
    }

    /// @dev Whoever votes: the call is queued if and only if the votes are more than half of the voters.
    function testFuzz_queue_anyVotes_needsStrictMajority(uint8 mask) public {
        vm.prank(cast[0]);
        uint256 proposalId = consortium.propose(address(consortium), admission(newcomer, HOSPITAL));
        uint256 votes = 1;
        for (uint256 i = 1; i < 7; ++i) {
            if (mask & (1 << i) == 0) continue;
            vm.prank(cast[i]);
            consortium.vote(proposalId);
            ++votes;
        }
        if (votes < 4) {
            vm.expectRevert(abi.encodeWithSelector(IConsortium.NoMajority.selector, proposalId, votes, 7));
        }
        vm.prank(cast[0]);
        consortium.queue(proposalId);
        vm.assertEq(consortium.proposal(proposalId).readyBlock != 0, votes >= 4);
    }

    // ------------------------------------------------------------------ powers of contracts

    function test_grantRole_byVote_movesPower() public {
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (SLASHER_ROLE, address(manager))));
        vm.assertTrue(consortium.hasRole(SLASHER_ROLE, address(manager)), "granted");
    }

    function test_grantRole_toKey_reverts() public {
        expectFromVote(
            abi.encodeCall(IAccessControl.grantRole, (SLASHER_ROLE, outsider)),
            abi.encodeWithSelector(IConsortium.NotAContract.selector, outsider)
        );
    }

    function test_adminPower_byVote_staysWithTheVote() public {
        bytes memory reason = abi.encodeWithSelector(IConsortium.AdminIsTheVote.selector);
        expectFromVote(abi.encodeCall(IAccessControl.grantRole, (bytes32(0), address(vault))), reason);
        expectFromVote(abi.encodeCall(IAccessControl.revokeRole, (bytes32(0), address(consortium))), reason);
        expectFromVote(abi.encodeCall(IAccessControl.renounceRole, (bytes32(0), address(consortium))), reason);
    }
}
