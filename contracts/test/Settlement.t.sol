// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium, ROUNDS_ROLE} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {ReputationParameters} from "../src/interfaces/IReputation.sol";
import {RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {IRoundManager} from "../src/interfaces/IRoundManager.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice What rounds leave behind: each fact as evidence, each reward, and that nothing that a party does keeps a round from ending.
contract SettlementTest is SharedDeployment {
    uint256 internal constant KEPT = 1;
    uint256 internal constant PROVEN = 100;
    uint256 internal constant MISSED = 7;
    uint256 internal constant FAILED = 1000;
    bytes32 internal constant SALT = keccak256("salt");

    /// @dev Each fact by a number that no sum of the others makes.
    function evidence() internal override returns (ReputationParameters memory units) {
        units = super.evidence();
        (units.kept, units.proven, units.missed, units.failed) = (1, 100, 7, 1000);
        (units.quality, units.qualityLoss, units.qualityFull) = (10_000, 4, 2000);
    }

    function fund(uint256 amount) internal {
        vm.prank(auditor);
        token.approve(address(rewards), amount);
        vm.prank(auditor);
        rewards.fund(amount);
    }

    function expectEvidence(uint256 roundId, address member, uint256 positive, uint256 negative) internal view {
        (uint256 r, uint256 s) = reputation.evidenceOf(member, roundId);
        vm.assertEq(r, positive, "positive");
        vm.assertEq(s, negative, "negative");
    }

    /// @dev Ends the round with whatever is done by now.
    function runOut(uint256 roundId) internal {
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            skipBeyond(manager.deadlineOf(roundId));
            advance(roundId);
        }
    }

    /// @dev All validators commit to these scores of the groups before they vote, and reveal them.
    function finishScored(uint256 roundId, int16[] memory list) internal {
        for (uint256 i = 0; i < 5; ++i) {
            bytes32 commitment = contributions.scoresCommitment(roundId, dealers[i], list, SALT);
            vm.prank(dealers[i]);
            contributions.commitScores(roundId, commitment);
        }
        work(roundId);
        advance(roundId);
        for (uint256 i = 0; i < 5; ++i) {
            vm.prank(dealers[i]);
            contributions.revealScores(roundId, list, SALT);
        }
    }

    function scores(int16 first) internal pure returns (int16[] memory list) {
        list = new int16[](1);
        list[0] = first;
    }

    // ------------------------------------------------------------------ rounds that end well

    /// @dev Weights are the rows: 600, 512, 1025 and 1 of 2138; nothing was scored.
    function test_settle_honestRound_countsAndPays() public {
        fund(1000);
        uint256 roundId = reach(Phase.Settle);
        vm.expectEmit(address(settlement));
        emit ISettlement.RoundSettled(roundId, Phase.Settle, new int16[](0));
        advance(roundId);
        expectEvidence(roundId, hospitals[0], 3 * KEPT + PROVEN, 0); // validator and aggregator as well
        expectEvidence(roundId, hospitals[2], KEPT + PROVEN, 0);
        expectEvidence(roundId, operators[1], 2 * KEPT, 0);
        vm.assertEq(rewards.owedTo(hospitals[2]), 40 * 1025 / uint256(2138));
        vm.assertEq(rewards.owedTo(hospitals[3]), 0); // 40 / 2138 of a unit
        vm.assertEq(rewards.owedTo(hospitals[0]), 40 * 600 / uint256(2138) + 2);
        vm.assertEq(rewards.owedTo(operators[1]), 2);
        vm.assertEq(selection.typical(), BUCKET);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(reputation.standingOf(hospitals[i]).bucket, BUCKET);
        }
    }

    /// @dev Two groups: a good one and a bad one. Rewards follow weight times (10,000 + score).
    function test_settle_scored_countsQualityAndShares() public {
        widen();
        fund(1000);
        uint256 roundId = reach(Phase.Finalise);
        int16[] memory list = new int16[](2);
        (list[0], list[1]) = (500, -9000);
        finishScored(roundId, list);
        uint256[] memory parts = new uint256[](7);
        uint256 sum = 0;
        for (uint256 i = 0; i < 7; ++i) {
            parts[i] = committee.weightOf(roundId, hospitals[i])
                * (committee.groupOf(roundId, hospitals[i]) == 0 ? 10_500 : uint256(1000));
            sum += parts[i];
        }
        vm.expectEmit(address(settlement));
        emit ISettlement.RoundSettled(roundId, Phase.Settle, list);
        advance(roundId);
        for (uint256 i = 0; i < 7; ++i) {
            uint256 duties = i == 2 || i == 3 ? 0 : 2; // validator and aggregator
            bool good = committee.groupOf(roundId, hospitals[i]) == 0;
            expectEvidence(roundId, hospitals[i], KEPT + PROVEN + duties * KEPT + (good ? 2500 : 0), good ? 0 : 40_000);
            vm.assertEq(rewards.owedTo(hospitals[i]), 40 * parts[i] / sum + duties);
        }
    }

    function test_settle_worstScore_contributesNothing() public {
        fund(1000);
        uint256 roundId = reach(Phase.Finalise);
        finishScored(roundId, scores(-10_000));
        advance(roundId);
        vm.assertEq(rewards.owedTo(hospitals[2]), 0);
        vm.assertEq(rewards.owedTo(hospitals[0]), 2); // services are paid
    }

    /// @dev Four survivors make one group, of which everybody is a member: its score says nothing of any of them.
    function test_settle_oneGroup_writesNoQuality() public {
        int16[3] memory given = [int16(-10_000), -1, 10_000];
        for (uint256 i = 0; i < given.length; ++i) {
            uint256 roundId = reach(Phase.Finalise);
            finishScored(roundId, scores(given[i]));
            (uint256 before,) = reputation.evidenceOf(hospitals[2], roundId);
            vm.expectEmit(address(settlement));
            emit ISettlement.RoundSettled(roundId, Phase.Settle, scores(given[i]));
            advance(roundId);
            expectEvidence(roundId, hospitals[2], before + KEPT + PROVEN, 0);
        }
    }

    // ------------------------------------------------------------------ facts, one by one

    function test_settle_notCommitted_isMissed() public {
        uint256 roundId = reach(Phase.Commit);
        commit(roundId, hospitals[0]);
        commit(roundId, hospitals[1]);
        runOut(roundId); // too few commitments
        expectEvidence(roundId, hospitals[2], 0, MISSED);
        expectEvidence(roundId, hospitals[0], KEPT + PROVEN, 0);
        expectEvidence(roundId, operators[0], 0, 0);
    }

    function test_settle_beforeCommit_countsNobody() public {
        uint256 roundId = openRound();
        runOut(roundId); // no beacon
        expectEvidence(roundId, hospitals[0], 0, 0);
        vm.assertEq(reputation.standingOf(hospitals[0]).written, 0);
    }

    function test_settle_auditUnproven_isFailed() public {
        uint256 roundId = reach(Phase.Prove);
        address culprit = audits.auditOf(roundId, 0).hospital;
        proveAllBut(roundId, culprit);
        runOut(roundId);
        (uint256 positive, uint256 negative) = reputation.evidenceOf(culprit, roundId);
        vm.assertEq(negative % FAILED, negative >= FAILED ? negative - FAILED : 1);
        vm.assertTrue(negative >= FAILED && positive < PROVEN, "failed");
    }

    /// @dev One complaint that is not answered; the round goes on without the hospital, and with the others.
    function test_settle_complaintUnanswered_isMissed() public {
        fund(1000);
        uint256 roundId = reach(Phase.Share);
        complain(roundId, 4, hospitals[2]);
        for (uint256 a = 0; a < 5; ++a) {
            confirm(roundId, a);
        }
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        finish(roundId);
        expectEvidence(roundId, hospitals[2], 0, MISSED);
        expectEvidence(roundId, hospitals[3], KEPT + PROVEN, 0);
        vm.assertEq(rewards.owedTo(hospitals[2]), 0);
        vm.assertEq(reputation.standingOf(hospitals[2]).bucket, 0);
    }

    function test_settle_noVoteAndNoSums_areMissed() public {
        fund(1000);
        uint256 roundId = reach(Phase.Aggregate);
        for (uint256 a = 0; a < 4; ++a) {
            submitSum(roundId, 0, a);
        }
        skipStage(roundId, 2);
        decode(roundId, 0);
        submit(roundId, operators[0], "model");
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        for (uint256 i = 0; i < 4; ++i) {
            voteFor(roundId, dealers[i], "model");
        }
        advance(roundId);
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
        expectEvidence(roundId, dealers[4], 0, 2 * MISSED);
        expectEvidence(roundId, dealers[3], 2 * KEPT, 0);
        vm.assertEq(rewards.owedTo(dealers[4]), 0);
        vm.assertEq(rewards.owedTo(dealers[3]), 2);
    }

    /// @dev A round of which two models were submitted, up to the votes. All seats have proven their sums.
    function reachRivals() internal returns (uint256 roundId) {
        roundId = reach(Phase.Aggregate);
        for (uint256 a = 0; a < 5; ++a) {
            submitSum(roundId, 0, a);
        }
        decode(roundId, 0);
        submit(roundId, operators[0], "other");
        submit(roundId, operators[1], "model");
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
    }

    function test_settle_voteForAnotherModel_isMissedAndNotPaid() public {
        fund(1000);
        uint256 roundId = reachRivals();
        voteFor(roundId, dealers[4], "other");
        for (uint256 i = 0; i < 4; ++i) {
            voteFor(roundId, dealers[i], "model");
        }
        advance(roundId);
        advance(roundId);
        vm.assertEq(registry.current().digest, content("model").digest);
        expectEvidence(roundId, dealers[4], KEPT, MISSED); // as a seat, as a validator
        expectEvidence(roundId, dealers[3], 2 * KEPT, 0);
        vm.assertEq(rewards.owedTo(dealers[4]), 1);
        vm.assertEq(rewards.owedTo(dealers[3]), 2);
    }

    function test_settle_noQuorum_paysNobodyForVotes() public {
        fund(1000);
        uint256 roundId = reachRivals();
        for (uint256 i = 0; i < 5; ++i) {
            voteFor(roundId, dealers[i], i < 3 ? "model" : "other");
        }
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Aborted, "aborted");
        expectEvidence(roundId, dealers[3], KEPT, 0); // as a seat
        expectEvidence(roundId, dealers[4], KEPT, 0);
        vm.assertEq(rewards.owed(), 0);
    }

    function test_settle_secrets_areMissedWhenKeptBack() public {
        uint256 roundId = openRound();
        for (uint256 i = 0; i < 5; ++i) {
            deal(roundId, listed[i]);
        }
        for (uint256 i = 0; i < 3; ++i) {
            reveal(roundId, 0, listed[i]);
        }
        skipReveal(roundId, 0);
        for (uint256 i = 0; i < 3; ++i) {
            post(roundId, 0, listed[3], i, 0); // and nobody hands in shares of the fifth
        }
        runOut(roundId); // nobody commits
        // slashed below the minimum stake, those of the two that are hospitals were not selected
        expectEvidence(roundId, listed[3], 0, MISSED);
        expectEvidence(roundId, listed[4], 0, MISSED);
    }

    function test_settle_basicRound_countsAndPaysNothing() public {
        fund(1000);
        govern(
            address(manager), abi.encodeCall(IRoundManager.setParameters, (RoundParameters(MIN_STAKE, 3, false, false)))
        );
        uint256 roundId = openRound();
        advance(roundId);
        skip(PHASE_BLOCKS + 1);
        advance(roundId);
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(hospitals[i]);
            manager.commitUpdate(roundId, content(i == 0 ? "a" : i == 1 ? "b" : "c"), 5);
        }
        skipBeyond(manager.deadlineOf(roundId));
        for (uint256 i = 0; i < 4; ++i) {
            advance(roundId);
        }
        for (uint256 a = 0; a < 5; ++a) {
            submit(roundId, dealers[a], "model");
        }
        advance(roundId);
        for (uint256 a = 0; a < 4; ++a) {
            voteFor(roundId, dealers[a], "model");
        }
        advance(roundId);
        advance(roundId);
        expectEvidence(roundId, hospitals[2], KEPT, 0);
        expectEvidence(roundId, hospitals[3], 0, MISSED);
        expectEvidence(roundId, hospitals[0], 2 * KEPT, 0);
        expectEvidence(roundId, dealers[4], 0, MISSED);
        vm.assertEq(rewards.owed(), 0);
        vm.assertEq(selection.typical(), 0);
    }

    // ------------------------------------------------------------------ griefing

    /// @dev Members leave in the middle, one each time, and one of them is paid; every round ends, and stakes are released.
    function test_settle_membersRemoved_endsAllTheSame() public {
        fund(1000);
        uint256 roundId = reach(Phase.Aggregate);
        work(roundId);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[0])));
        advance(roundId);
        for (uint256 i = 1; i < 5; ++i) {
            voteFor(roundId, dealers[i], "model");
        }
        advance(roundId);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[2])));
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
        vm.assertEq(rewards.owedTo(hospitals[2]), 40 * 1025 / uint256(2138)); // kept for it
        for (uint256 i = 0; i < 7; ++i) {
            vm.assertEq(vault.stakeOf(cast[i]).freezes, 0);
        }
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, hospitals[2]));
        vm.prank(hospitals[2]);
        rewards.claim();
    }

    function test_settle_costs_littleForEachMember() public {
        fund(1000);
        widen();
        uint256 roundId = reach(Phase.Settle);
        uint256 before = gasleft();
        advance(roundId);
        vm.assertLe(before - gasleft(), 2_000_000, "seven hospitals, five validators, five seats");
    }

    function test_settle_withoutPower_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], ROUNDS_ROLE));
        vm.prank(operators[0]);
        settlement.settle(1, Phase.Settle, true);
    }
}
