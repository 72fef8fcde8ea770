// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium, ROUNDS_ROLE, VALIDATOR} from "../src/interfaces/IConsortium.sol";
import {IContributions} from "../src/interfaces/IContributions.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {IValidators} from "../src/interfaces/IValidators.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Scores of groups: committed to before the model stands, revealed after, the lower median counts.
contract ContributionsTest is SharedDeployment {
    bytes32 internal constant SALT = keccak256("salt");
    uint256 internal roundId;

    function setUp() public override {
        super.setUp();
        roundId = reach(Phase.Finalise);
    }

    function scores(int16 first) internal pure returns (int16[] memory list) {
        list = new int16[](1);
        list[0] = first;
    }

    function commitScores(address judge, int16[] memory list) internal {
        bytes32 commitment = keccak256(abi.encode(block.chainid, address(contributions), roundId, judge, list, SALT));
        vm.prank(judge);
        contributions.commitScores(roundId, commitment);
    }

    function revealScores(address judge, int16[] memory list) internal {
        vm.prank(judge);
        contributions.revealScores(roundId, list, SALT);
    }

    /// @dev Up to phase Settle, with these scores committed to by the first dealers.
    function committed(int16[] memory list) internal {
        for (uint256 i = 0; i < list.length; ++i) {
            commitScores(dealers[i], scores(list[i]));
        }
        work(roundId);
        advance(roundId);
    }

    function five(int16 a, int16 b, int16 c, int16 d, int16 e) internal pure returns (int16[] memory list) {
        list = new int16[](5);
        (list[0], list[1], list[2], list[3], list[4]) = (a, b, c, d, e);
    }

    function test_medians_ofFive_areTheMiddle() public {
        int16[] memory list = five(300, -10_000, 120, 10_000, 119);
        committed(list);
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertEq(contributions.isSettled(roundId), false);
            vm.assertEq(contributions.hasRevealed(roundId, dealers[i]), false);
            vm.expectEmit(address(contributions));
            emit IContributions.ScoresRevealed(roundId, dealers[i], scores(list[i]));
            revealScores(dealers[i], scores(list[i]));
        }
        (bool scored, int16[] memory medians) = contributions.mediansOf(roundId);
        vm.assertEq(scored, true);
        vm.assertEq(medians.length, 1);
        vm.assertTrue(medians[0] == 120, "median");
        vm.assertEq(contributions.isSettled(roundId), true);
        advance(roundId); // before the deadline
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
    }

    /// @dev Of four the lower of the two in the middle; of two nothing.
    function testFuzz_medians_anyScores_areTheLowerMiddle(int16[5] memory raw, uint8 count) public {
        uint256 n = 1 + count % 5;
        int16[] memory list = new int16[](n);
        for (uint256 i = 0; i < n; ++i) {
            list[i] = int16(raw[i] % 10_001);
        }
        committed(list);
        for (uint256 i = 0; i < n; ++i) {
            revealScores(dealers[i], scores(list[i]));
        }
        (bool scored, int16[] memory medians) = contributions.mediansOf(roundId);
        vm.assertEq(scored, n >= 3);
        if (n < 3) return;
        (uint256 below, uint256 notAbove) = (0, 0);
        for (uint256 i = 0; i < n; ++i) {
            if (list[i] < medians[0]) ++below;
            if (list[i] <= medians[0]) ++notAbove;
        }
        vm.assertTrue(below <= (n - 1) / 2 && (n - 1) / 2 < notAbove, "lower median");
    }

    function test_reveal_notCome_isWaitedForAndCounted() public {
        committed(five(1, 2, 3, 4, 5));
        for (uint256 i = 0; i < 4; ++i) {
            revealScores(dealers[i], scores(int16(int256(i + 1))));
        }
        vm.expectPartialRevert(IPhases.PhaseNotOver.selector);
        advance(roundId);
        uint256 until = manager.deadlineOf(roundId);
        skipBeyond(until);
        vm.expectRevert(abi.encodeWithSelector(IPhases.DeadlinePassed.selector, until, until + 1));
        revealScores(dealers[4], scores(5));
        advance(roundId);
        (, uint256 negative) = reputation.evidenceOf(dealers[4], roundId);
        vm.assertEq(negative, 2048);
        (, negative) = reputation.evidenceOf(dealers[3], roundId);
        vm.assertEq(negative, 0);
        (bool scored, int16[] memory medians) = contributions.mediansOf(roundId);
        vm.assertTrue(scored && medians[0] == 2, "lower median of four");
    }

    function test_commit_refusals_byName() public {
        vm.expectRevert(abi.encodeWithSelector(IContributions.NotAsked.selector, roundId));
        revealScores(dealers[0], scores(5));
        commitScores(dealers[0], scores(5));
        vm.assertTrue(contributions.scoresCommitmentOf(roundId, dealers[0]) != 0, "kept");
        vm.expectRevert(abi.encodeWithSelector(IContributions.AlreadyScored.selector, roundId, dealers[0]));
        commitScores(dealers[0], scores(6));
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, hospitals[2], VALIDATOR));
        commitScores(hospitals[2], scores(5));
        vm.expectRevert(abi.encodeWithSelector(IContributions.NothingCommitted.selector, roundId, dealers[1]));
        vm.prank(dealers[1]);
        contributions.commitScores(roundId, 0);
        vm.expectRevert(abi.encodeWithSelector(IContributions.NotAsked.selector, roundId));
        revealScores(dealers[0], scores(5));
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (auditor, VALIDATOR)));
        vm.expectRevert(abi.encodeWithSelector(IValidators.NotInCommittee.selector, roundId, auditor));
        commitScores(auditor, scores(5));
        work(roundId);
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(IContributions.NotAsked.selector, roundId));
        commitScores(dealers[1], scores(5));
    }

    function test_reveal_refusals_byName() public {
        commitScores(dealers[0], scores(5));
        commitScores(dealers[1], new int16[](2));
        commitScores(dealers[2], scores(10_001));
        commitScores(dealers[3], scores(-10_001));
        work(roundId);
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(IContributions.WrongScores.selector, roundId, dealers[0]));
        revealScores(dealers[0], scores(6));
        vm.expectRevert(abi.encodeWithSelector(IContributions.WrongScoreCount.selector, 1, 2));
        revealScores(dealers[1], new int16[](2));
        vm.expectRevert(abi.encodeWithSelector(IContributions.ScoreOutOfRange.selector, int16(10_001)));
        revealScores(dealers[2], scores(10_001));
        vm.expectRevert(abi.encodeWithSelector(IContributions.ScoreOutOfRange.selector, int16(-10_001)));
        revealScores(dealers[3], scores(-10_001));
        vm.expectRevert(abi.encodeWithSelector(IContributions.NothingCommitted.selector, roundId, dealers[4]));
        revealScores(dealers[4], scores(5));
        revealScores(dealers[0], scores(5));
        vm.expectRevert(abi.encodeWithSelector(IContributions.AlreadyScored.selector, roundId, dealers[0]));
        revealScores(dealers[0], scores(5));
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, hospitals[2], VALIDATOR));
        revealScores(hospitals[2], scores(5));
    }

    function test_commitment_isWhatItSays() public view {
        int16[] memory list = scores(-7);
        vm.assertEq(
            contributions.scoresCommitment(3, dealers[0], list, SALT),
            keccak256(abi.encode(block.chainid, address(contributions), 3, dealers[0], list, SALT))
        );
    }

    function test_powers_withoutThem_revert() public {
        bytes memory reason = abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], ROUNDS_ROLE);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        contributions.askScores(1, 100);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        contributions.askReveals(1, 100);
    }
}
