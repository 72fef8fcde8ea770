// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HOSPITAL, IConsortium} from "../src/interfaces/IConsortium.sol";
import {AbortReason, IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {ReputationParameters} from "../src/interfaces/IReputation.sol";
import {IRoundManager, Round, RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {VerifiedDeployment} from "./VerifiedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Rounds with audits from opening to end: who takes part, how they go on without the silent, how they are aborted.
contract VerifiedRoundsTest is VerifiedDeployment {
    /// @dev Silence is not remembered here: each round is to have the whole cast in it.
    function evidence() internal override returns (ReputationParameters memory units) {
        units = super.evidence();
        units.missed = 0;
    }

    function finish(uint256 roundId) internal {
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            work(roundId);
            advance(roundId);
        }
    }

    function test_round_honest_endsWithItsModelAndNoSlash() public {
        uint256 roundId = openRound();
        finish(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
        Round memory round = manager.roundOf(roundId);
        vm.assertEq(round.verified, true);
        vm.assertEq(round.committed, 4);
        vm.assertEq(round.excluded, 0);
        vm.assertEq(vault.treasury(), 0);
        vm.assertEq(registry.current().digest, content("model").digest);
        vm.assertEq(manager.participationOf(roundId, hospitals[2]).rows, 1025);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(vault.stakeOf(hospitals[i]).freezes, 0);
        }
    }

    function test_advance_workOutstanding_reverts() public {
        uint256 roundId = openRound();
        for (uint8 phase = uint8(Phase.Select); phase <= uint8(Phase.Prove); ++phase) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IPhases.PhaseNotOver.selector, phase, manager.deadlineOf(roundId), vm.getBlockNumber()
                )
            );
            advance(roundId);
            work(roundId);
            advance(roundId);
        }
    }

    // ------------------------------------------------------------------ who takes part

    function test_select_withoutData_isNotSelected() public {
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (auditor, HOSPITAL)));
        stake(auditor, MIN_STAKE);
        uint256 roundId = openRound();
        register(auditor, 5); // too late for this round
        work(roundId);
        advance(roundId);
        vm.assertEq(manager.participationOf(roundId, auditor).selected, false);
        vm.assertEq(manager.hospitalsOf(roundId).length, 4);
    }

    /// @dev Nobody chooses its data once the noise is known.
    function test_select_dataChangedSinceTheOpening_isNotSelected() public {
        uint256 roundId = openRound();
        vm.prank(hospitals[2]);
        data.shrink(segmentsFor(hospitals[2], 500), 500, content("leaves"));
        work(roundId);
        advance(roundId);
        vm.assertEq(manager.participationOf(roundId, hospitals[2]).selected, false);
        vm.assertEq(audits.mayTrain(roundId, hospitals[2]), false);
        vm.assertEq(audits.mayTrain(roundId, hospitals[0]), true);
    }

    // ------------------------------------------------------------------ kinds of commitment

    function test_commit_ofTheOtherKind_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.VerifiedRound.selector, roundId));
        vm.prank(hospitals[0]);
        manager.commitUpdate(roundId, content("update"), 5);
        finish(roundId);
        govern(
            address(manager), abi.encodeCall(IRoundManager.setParameters, (RoundParameters(MIN_STAKE, 3, false, false)))
        );
        roundId = openRound();
        advance(roundId);
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.BasicRound.selector, roundId));
        vm.prank(hospitals[0]);
        manager.commitStates(roundId, content("update"), new bytes32[](5));
    }

    function test_commitStates_updateNotTheLastState_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        bytes32[] memory states = statesFor(roundId, hospitals[0]);
        bytes32 digest = content("update").digest;
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.WrongUpdateDigest.selector, states[4], digest));
        vm.prank(hospitals[0]);
        manager.commitStates(roundId, content("update"), states);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.WrongUpdateDigest.selector, 0, digest));
        vm.prank(hospitals[0]);
        manager.commitStates(roundId, content("update"), new bytes32[](0));
    }

    function test_commitStates_copied_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        commit(roundId, hospitals[1]);
        bytes32[] memory states = statesFor(roundId, hospitals[1]);
        vm.expectRevert(
            abi.encodeWithSelector(IRoundManager.ReplayedSubmission.selector, states[2], roundId, hospitals[1])
        );
        commitStates(roundId, hospitals[3], states);
    }

    // ------------------------------------------------------------------ silence and aborts

    /// @dev Each party in turn does nothing: every round goes on to its end.
    function test_silence_ofAnyParty_stallsNothing() public {
        for (uint256 silent = 0; silent < 7; ++silent) {
            address quiet = cast[silent];
            for (uint256 i = 0; i < 4; ++i) {
                if (vault.stakeOf(hospitals[i]).active < MIN_STAKE) stake(hospitals[i], MIN_STAKE);
            }
            uint256 roundId = openRound();
            while (manager.phaseOf(roundId) < Phase.Finalised) {
                workWithout(roundId, quiet);
                Phase before = manager.phaseOf(roundId);
                skipBeyond(manager.deadlineOf(roundId));
                address caller = quiet == operators[0] ? operators[1] : operators[0];
                vm.prank(caller);
                manager.advance(roundId);
                vm.assertTrue(manager.phaseOf(roundId) != before, "stalled");
            }
            vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
        }
    }

    function workWithout(uint256 roundId, address quiet) internal {
        Phase phase = manager.phaseOf(roundId);
        for (uint256 i = 0; i < 5; ++i) {
            address dealer = dealers[i];
            if (dealer == quiet) continue;
            if (phase == Phase.Aggregate) submit(roundId, dealer, "model");
            if (!validators.isSeated(roundId, dealer)) continue; // it was silent in an earlier round
            if (phase == Phase.Select) deal(roundId, dealer);
            if (phase == Phase.Draw) reveal(roundId, 1, dealer);
            if (phase == Phase.Finalise) voteFor(roundId, dealer, "model");
        }
        if (phase == Phase.Select) {
            skip(4);
            for (uint256 i = 0; i < 5; ++i) {
                if (dealers[i] != quiet && validators.isSeated(roundId, dealers[i])) reveal(roundId, 0, dealers[i]);
            }
        }
        for (uint256 i = 0; i < 4; ++i) {
            if (phase == Phase.Commit && hospitals[i] != quiet) commit(roundId, hospitals[i]);
        }
        if (phase == Phase.Prove) proveAllBut(roundId, quiet);
    }

    function test_abort_tooFewSurvivors_slashesAllTheSame() public {
        uint256 roundId = reach(Phase.Commit);
        commit(roundId, hospitals[0]);
        commit(roundId, hospitals[1]);
        commit(roundId, hospitals[2]);
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        work(roundId);
        advance(roundId); // three left, and three are needed
        proveAllBut(roundId, hospitals[2]);
        skipBeyond(manager.deadlineOf(roundId));
        vm.expectEmit(address(manager));
        emit IPhases.RoundAborted(roundId, Phase.Prove, AbortReason.TooFewSurvivors);
        advance(roundId);
        vm.assertEq(vault.stakeOf(hospitals[2]).active, MIN_STAKE - PENALTY);
        vm.assertEq(vault.stakeOf(hospitals[2]).freezes, 0);
        vm.assertEq(vault.treasury(), PENALTY - FEE);
        vm.assertEq(audits.isExcluded(roundId, hospitals[2]), true);
        vm.assertEq(registry.versions(), 1);
        openRound();
    }
}
