// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RoundManager} from "../src/RoundManager.sol";
import {Content, InvalidContent} from "../src/interfaces/Content.sol";
import {AGGREGATOR, HOSPITAL, IConsortium, VALIDATOR} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {IRoundManager, Participation, Round, RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {IValidators} from "../src/interfaces/IValidators.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice What members do in a round, and every refusal by name. How rounds end: RoundOutcomes.t.sol; order and deadlines: Phases.t.sol.
contract RoundManagerTest is Deployment {
    function setUp() public override {
        super.setUp();
        stakeAll();
    }

    function commitAs(address hospital, uint256 roundId, Content memory update) internal {
        vm.prank(hospital);
        manager.commitUpdate(roundId, update, 512);
    }

    // ------------------------------------------------------------------ open and select

    function test_open_byValidator_freezesTheRound() public {
        vm.expectEmit(address(manager));
        emit IRoundManager.RoundOpened(
            1,
            operators[0],
            0,
            content("genesis").digest,
            content("task"),
            RoundParameters(MIN_STAKE, 3, false, false),
            durations(),
            consortium.version()
        );
        uint256 roundId = openRound();
        govern(
            address(manager),
            abi.encodeCall(IRoundManager.setParameters, (RoundParameters(MIN_STAKE + 1, 4, false, false)))
        );
        Round memory round = manager.roundOf(roundId);
        vm.assertEq(round.minStake, MIN_STAKE);
        vm.assertEq(round.minHospitals, 3);
        vm.assertEq(round.validators, 5);
        vm.assertEq(round.aggregators, 5);
        vm.assertEq(round.taskCid, content("task").cid);
        vm.assertEq(round.taskDigest, content("task").digest);
        vm.assertEq(manager.parameters().minStake, MIN_STAKE + 1);
        vm.assertEq(manager.durationsOf(roundId)[8], PHASE_BLOCKS);
    }

    function test_open_whileOpen_reverts() public {
        uint256 roundId = openRound();
        vm.expectRevert(abi.encodeWithSelector(IPhases.RoundStillOpen.selector, roundId, Phase.Select));
        openRound();
    }

    function test_open_withoutRole_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, hospitals[2], VALIDATOR));
        vm.prank(hospitals[2]);
        manager.open(content("task"), durations());
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        manager.open(content("task"), durations());
    }

    function test_open_durationOutOfBounds_reverts() public {
        uint24[9] memory bad = durations();
        for (uint256 i = 0; i < 2; ++i) {
            bad[8] = i == 0 ? 0 : 50_401;
            vm.expectRevert(
                abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("duration"), bad[8], 1, 50_400)
            );
            vm.prank(operators[0]);
            manager.open(content("task"), bad);
        }
    }

    function test_open_invalidTask_reverts() public {
        Content memory bad = content("task");
        bad.codec = 0;
        vm.expectRevert(abi.encodeWithSelector(InvalidContent.selector, bad.cid, bad.digest, 0));
        vm.prank(operators[0]);
        manager.open(bad, durations());
    }

    function test_setParameters_notByVoteOrOutOfBounds_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]));
        vm.prank(operators[0]);
        manager.setParameters(RoundParameters(1, 3, false, false));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("minHospitals"), 2, 3, 128));
        new RoundManager(consortium, parts(), RoundParameters(MIN_STAKE, 2, false, false));
    }

    function test_select_hospitalsWithStake_areSelectedAndFrozen() public {
        vault.slash(hospitals[3], 1, "late");
        uint256 roundId = reach(Phase.Train);
        vm.assertEq(manager.hospitalsOf(roundId).length, 3);
        vm.assertEq(manager.participationOf(roundId, hospitals[0]).selected, true);
        vm.assertEq(manager.participationOf(roundId, hospitals[3]).selected, false);
        vm.assertEq(vault.stakeOf(hospitals[0]).freezes, 2); // as a validator too
        vm.assertEq(vault.stakeOf(hospitals[2]).freezes, 1);
        vm.assertEq(vault.stakeOf(hospitals[3]).freezes, 0);
    }

    function test_select_admittedAfterOpening_isNotSelected() public {
        uint256 roundId = openRound();
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (operators[2], 7)));
        stake(operators[2], MIN_STAKE);
        advance(roundId);
        vm.assertEq(manager.participationOf(roundId, operators[2]).selected, false);
    }

    // ------------------------------------------------------------------ commit

    function test_commitUpdate_bySelected_recordsTheCommitment() public {
        uint256 roundId = reach(Phase.Commit);
        Content memory update = content("update");
        bytes32 expected = keccak256(abi.encode(block.chainid, address(manager), roundId, hospitals[1], update.digest));
        vm.expectEmit(address(manager));
        emit IRoundManager.UpdateCommitted(roundId, hospitals[1], update.digest, update.cid, 0x55, 512, expected);
        commitAs(hospitals[1], roundId, update);
        Participation memory own = manager.participationOf(roundId, hospitals[1]);
        vm.assertEq(own.commitment, expected);
        vm.assertEq(own.cid, update.cid);
        vm.assertEq(own.codec, 0x55);
        vm.assertEq(own.rows, 512);
        vm.assertEq(manager.roundOf(roundId).committed, 1);
    }

    function test_commitUpdate_stakeTooSmall_reverts() public {
        vault.slash(hospitals[3], 1, "late");
        uint256 roundId = reach(Phase.Train);
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, hospitals[3], MIN_STAKE - 1, MIN_STAKE)
        );
        commit(roundId, hospitals[3]);
        // staked since: the selection stands
        stake(hospitals[3], 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.NotSelected.selector, roundId, hospitals[3]));
        commit(roundId, hospitals[3]);
    }

    function test_commitUpdate_notAHospital_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        commit(roundId, outsider);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, operators[0], HOSPITAL));
        commit(roundId, operators[0]);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, auditor, HOSPITAL));
        commit(roundId, auditor);
    }

    function test_commitUpdate_anotherRound_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        vm.expectRevert(abi.encodeWithSelector(IPhases.WrongRound.selector, roundId, roundId + 1));
        commit(roundId + 1, hospitals[0]);
    }

    function test_commitUpdate_anotherPhase_reverts() public {
        uint256 roundId = reach(Phase.Train);
        vm.expectRevert(abi.encodeWithSelector(IPhases.WrongPhase.selector, Phase.Commit, Phase.Train));
        commit(roundId, hospitals[0]);
    }

    function test_commitUpdate_afterDeadline_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        uint32 deadline = manager.deadlineOf(roundId);
        skip(PHASE_BLOCKS);
        commit(roundId, hospitals[0]); // the last block counts
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(IPhases.DeadlinePassed.selector, deadline, deadline + 1));
        commit(roundId, hospitals[1]);
    }

    function test_commitUpdate_twice_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        commit(roundId, hospitals[0]);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.AlreadyCommitted.selector, roundId, hospitals[0]));
        commitAs(hospitals[0], roundId, content("another"));
    }

    function test_commitUpdate_copied_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        Content memory update = content("update");
        commitAs(hospitals[0], roundId, update);
        Content memory copy = content("under another CID");
        copy.digest = update.digest;
        bytes memory reason =
            abi.encodeWithSelector(IRoundManager.ReplayedSubmission.selector, update.digest, roundId, hospitals[0]);
        vm.expectRevert(reason);
        commitAs(hospitals[1], roundId, copy);
        // nor is it taken again in a later round, from its own author either
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        uint256 next = reach(Phase.Commit);
        vm.expectRevert(reason);
        commitAs(hospitals[0], next, update);
    }

    function test_commitUpdate_noRowsOrInvalidContent_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.NoRows.selector, hospitals[0]));
        vm.prank(hospitals[0]);
        manager.commitUpdate(roundId, content("update"), 0);
        Content memory bad = content("update");
        bad.digest = 0;
        vm.expectRevert(abi.encodeWithSelector(InvalidContent.selector, bad.cid, 0, 0x55));
        commitAs(hospitals[0], roundId, bad);
    }

    // ------------------------------------------------------------------ aggregate and finalise

    function test_submitCandidate_byAggregator_becomesCandidate() public {
        uint256 roundId = reach(Phase.Aggregate);
        submit(roundId, operators[0], "model");
        (uint16 number, uint8 votes) = manager.candidateOf(roundId, content("model"));
        vm.assertEq(number, 1);
        vm.assertEq(votes, 0);
        submit(roundId, operators[1], "model");
        submit(roundId, operators[2], "other");
        (number,) = manager.candidateOf(roundId, content("model"));
        vm.assertEq(number, 1);
        (number,) = manager.candidateOf(roundId, content("other"));
        vm.assertEq(number, 3);
        (number,) = manager.candidateOf(roundId, content("nobody's"));
        vm.assertEq(number, 0);
    }

    function test_submitCandidate_refusals_byName() public {
        uint256 roundId = reach(Phase.Share);
        vm.expectRevert(abi.encodeWithSelector(IPhases.WrongPhase.selector, Phase.Aggregate, Phase.Share));
        submit(roundId, operators[0], "model");
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, hospitals[2], AGGREGATOR));
        submit(roundId, hospitals[2], "model");
        submit(roundId, operators[0], "model");
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.AlreadySubmitted.selector, roundId, operators[0]));
        submit(roundId, operators[0], "another");
        Content memory bad = content("model");
        bad.cid = 0;
        vm.expectRevert(abi.encodeWithSelector(InvalidContent.selector, 0, bad.digest, 0x55));
        vm.prank(operators[1]);
        manager.submitCandidate(roundId, bad);
    }

    function test_voteModel_twoThirds_putModelInForce() public {
        uint256 roundId = reach(Phase.Finalise);
        vm.assertEq(manager.quorumOf(roundId), 4);
        voteFor(roundId, operators[0], "model");
        voteFor(roundId, operators[1], "model");
        voteFor(roundId, operators[2], "model");
        vm.assertEq(registry.versions(), 1);
        voteFor(roundId, hospitals[0], "model");
        vm.assertEq(registry.versions(), 2);
        vm.assertEq(registry.current().digest, content("model").digest);
        voteFor(roundId, hospitals[1], "model"); // a late vote is counted, and changes nothing
        vm.assertEq(registry.versions(), 2);
        advance(roundId);
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
        vm.assertEq(vault.stakeOf(hospitals[0]).freezes, 0);
    }

    function test_voteModel_refusals_byName() public {
        uint256 roundId = reach(Phase.Finalise);
        vm.expectRevert(abi.encodeWithSelector(IValidators.NotInCommittee.selector, roundId, hospitals[2]));
        voteFor(roundId, hospitals[2], "model");
        voteFor(roundId, operators[0], "model");
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.AlreadyVoted.selector, roundId, operators[0]));
        voteFor(roundId, operators[0], "model");
        // the right digest under another CID is no candidate
        Content memory other = content("model");
        other.cid = keccak256("elsewhere");
        vm.expectRevert(
            abi.encodeWithSelector(IRoundManager.UnknownCandidate.selector, roundId, other.cid, other.digest)
        );
        bytes[] memory none = new bytes[](0);
        vm.prank(operators[1]);
        manager.voteModel(roundId, other, none);
    }

    function test_voteModel_admittedAfterOpening_reverts() public {
        uint256 roundId = reach(Phase.Finalise);
        address late = vm.addr(99);
        keyOf[late] = 99;
        govern(address(consortium), abi.encodeCall(IConsortium.admit, (late, VALIDATOR)));
        vm.expectRevert(abi.encodeWithSelector(IValidators.NotInCommittee.selector, roundId, late));
        voteFor(roundId, late, "model");
    }

    // ------------------------------------------------------------------ removed members

    function test_removedMember_inEveryPhase_hasNoPower() public {
        uint256 roundId = reach(Phase.Commit);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[0])));
        bytes memory reason = abi.encodeWithSelector(IConsortium.NotMember.selector, hospitals[0]);
        vm.expectRevert(reason);
        commit(roundId, hospitals[0]);
        vm.expectRevert(reason);
        submit(roundId, hospitals[0], "model");
        vm.expectRevert(reason);
        vm.prank(hospitals[0]);
        manager.advance(roundId);
        // admitted again, it belongs to the next round
        govern(address(consortium), abi.encodeCall(IConsortium.admit, (hospitals[0], 7)));
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.NotInRound.selector, roundId, hospitals[0]));
        commit(roundId, hospitals[0]);
    }

    function test_removedMember_silent_doesNotStallTheRound() public {
        uint256 roundId = reach(Phase.Commit);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[0])));
        for (uint256 i = 1; i < 4; ++i) {
            commit(roundId, hospitals[i]);
        }
        skip(PHASE_BLOCKS + 1);
        vm.expectEmit(address(manager));
        emit IRoundManager.HospitalDropped(roundId, hospitals[0]);
        advance(roundId);
        advance(roundId);
        advance(roundId);
        advance(roundId);
        submit(roundId, operators[0], "model");
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.NotInRound.selector, roundId, hospitals[0]));
        voteFor(roundId, hospitals[0], "model");
        voteFor(roundId, operators[0], "model");
        voteFor(roundId, operators[1], "model");
        voteFor(roundId, operators[2], "model");
        voteFor(roundId, hospitals[1], "model");
        advance(roundId);
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised without the removed member");
        vm.assertEq(vault.stakeOf(hospitals[0]).freezes, 0);
    }
}
