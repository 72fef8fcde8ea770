// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AbortReason, IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice How a round ends: every way to an abort, and two thirds for a model.
contract RoundOutcomesTest is Deployment {
    function setUp() public override {
        super.setUp();
        stakeAll();
    }

    function expectAborted(uint256 roundId, Phase phase, AbortReason reason) internal {
        vm.expectEmit(address(manager));
        emit IPhases.RoundAborted(roundId, phase, reason);
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Aborted, "aborted");
        vm.assertEq(registry.versions(), 1);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(vault.stakeOf(hospitals[i]).freezes, 0);
        }
        vm.assertEq(openRound(), roundId + 1);
    }

    function test_abort_tooFewHospitals_leavesTheOldModel() public {
        vault.slash(hospitals[2], 1, "late");
        vault.slash(hospitals[3], 1, "late");
        expectAborted(openRound(), Phase.Select, AbortReason.TooFewHospitals);
    }

    function test_abort_tooFewCommitments_leavesTheOldModel() public {
        uint256 roundId = reach(Phase.Commit);
        commit(roundId, hospitals[0]);
        commit(roundId, hospitals[1]);
        skip(PHASE_BLOCKS + 1);
        expectAborted(roundId, Phase.Commit, AbortReason.TooFewCommitments);
        vm.assertTrue(manager.participationOf(roundId, hospitals[0]).commitment != 0, "stays recorded");
    }

    function test_abort_noCandidate_leavesTheOldModel() public {
        uint256 roundId = reach(Phase.Aggregate);
        skip(PHASE_BLOCKS + 1);
        expectAborted(roundId, Phase.Aggregate, AbortReason.NoCandidate);
    }

    function test_abort_noQuorumAtDeadline_leavesTheOldModel() public {
        uint256 roundId = reach(Phase.Finalise);
        voteFor(roundId, operators[0], "model");
        voteFor(roundId, operators[1], "model");
        voteFor(roundId, operators[2], "model");
        skip(PHASE_BLOCKS + 1);
        expectAborted(roundId, Phase.Finalise, AbortReason.NoQuorum);
    }

    function test_abort_quorumImpossible_beforeTheDeadline() public {
        uint256 roundId = reach(Phase.Aggregate);
        submit(roundId, operators[0], "model");
        submit(roundId, operators[1], "rival");
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        voteFor(roundId, operators[0], "model");
        voteFor(roundId, operators[1], "rival");
        vm.expectPartialRevert(IPhases.PhaseNotOver.selector); // 1 + 3 could still be 4
        advance(roundId);
        voteFor(roundId, operators[2], "rival");
        voteFor(roundId, hospitals[0], "model");
        expectAborted(roundId, Phase.Finalise, AbortReason.NoQuorum);
    }

    /// @dev Whatever the validators vote for: a model comes in force if and only if 4 of 5 chose it.
    function testFuzz_voteModel_anyVotes_needTwoThirds(uint256 choices) public {
        uint256 roundId = reach(Phase.Aggregate);
        submit(roundId, operators[0], "model");
        submit(roundId, operators[1], "rival");
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        uint256[3] memory votes;
        for (uint256 i = 0; i < 5; ++i) {
            address validator = i < 2 ? hospitals[i] : operators[i - 2];
            uint256 choice = (choices >> (8 * i)) % 8 < 5 ? 0 : (choices >> (8 * i)) % 2 + 1;
            ++votes[choice]; // 2: silent
            if (choice < 2) voteFor(roundId, validator, choice == 0 ? "model" : "rival");
        }
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        bool decided = votes[0] >= 4 || votes[1] >= 4;
        vm.assertEq(registry.versions(), decided ? 2 : 1);
        vm.assertTrue(manager.phaseOf(roundId) == (decided ? Phase.Settle : Phase.Aborted), "outcome");
        if (decided) {
            vm.assertEq(registry.current().digest, content(votes[0] >= 4 ? "model" : "rival").digest);
        }
    }
}
