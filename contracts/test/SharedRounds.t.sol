// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICommittee} from "../src/interfaces/ICommittee.sol";
import {AbortReason, IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {Round} from "../src/interfaces/IRoundManager.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Shared rounds from opening to end: groups, who is slashed, how they go on without the silent, how they are aborted.
contract SharedRoundsTest is SharedDeployment {
    function test_round_honest_endsWithItsModelAndNoSlash() public {
        uint256 roundId = openRound();
        finish(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
        Round memory round = manager.roundOf(roundId);
        vm.assertEq(round.verified, true);
        vm.assertEq(round.shared, true);
        vm.assertEq(round.committed, 4);
        vm.assertEq(vault.treasury(), 0);
        vm.assertEq(registry.current().digest, content("model").digest);
        (uint256 count, uint32[] memory weights) = committee.groupsOf(roundId);
        vm.assertEq(count, 1);
        vm.assertEq(weights[0], 2138);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(vault.stakeOf(hospitals[i]).freezes, 0);
        }
    }

    function test_advance_workOutstanding_reverts() public {
        uint256 roundId = openRound();
        for (uint8 phase = uint8(Phase.Select); phase <= uint8(Phase.Aggregate); ++phase) {
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

    /// @dev Two groups of seven survivors; each is summed by itself.
    function test_round_sevenHospitals_hasTwoGroups() public {
        widen();
        uint256 roundId = reach(Phase.Aggregate);
        address[] memory survivors = committee.survivorsOf(roundId);
        vm.assertEq(survivors.length, 7);
        uint8[] memory expected = committee.partition(beacon.valueOf(roundId, 1), 7);
        uint32[] memory weights = new uint32[](2);
        for (uint256 i = 0; i < 7; ++i) {
            vm.assertEq(committee.groupOf(roundId, survivors[i]), expected[i]);
            weights[expected[i]] += committee.weightOf(roundId, survivors[i]);
        }
        (uint256 count, uint32[] memory got) = committee.groupsOf(roundId);
        vm.assertEq(count, 2);
        vm.assertEq(keccak256(abi.encode(got)), keccak256(abi.encode(weights)));
        for (uint256 a = 0; a < 5; ++a) {
            submitSum(roundId, 1, a);
        }
        decode(roundId, 1);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotDecoded.selector, roundId, 0));
        submit(roundId, operators[0], "model");
        for (uint256 a = 0; a < 5; ++a) {
            submitSum(roundId, 0, a);
        }
        decode(roundId, 0);
        submit(roundId, operators[0], "model");
    }

    /// @dev Sizes differ by one at most, the larger groups first, below six there is one.
    function testFuzz_partition_anyNumber_isEven(bytes32 seed, uint256 n) public view {
        n = 1 + n % 128;
        uint8[] memory all = committee.partition(seed, n);
        uint256 count = n < 6 ? 1 : n / 3;
        uint256[] memory sizes = new uint256[](count);
        for (uint256 i = 0; i < n; ++i) {
            ++sizes[all[i]];
        }
        for (uint256 group = 0; group < count; ++group) {
            vm.assertEq(sizes[group], n / count + (group < n % count ? 1 : 0));
        }
    }

    /// @dev Known answer, made by `partition` of bfl_ref/sharing/groups.py.
    function test_partition_knownAnswer_isMet() public view {
        uint8[] memory all = committee.partition(keccak256("groups"), 11);
        bytes memory packed;
        for (uint256 i = 0; i < 11; ++i) {
            packed = bytes.concat(packed, bytes1(all[i]));
        }
        vm.assertEq(keccak256(packed), keccak256(hex"0201000101000202000100"));
    }

    // ------------------------------------------------------------------ slashes

    /// @dev A seat that proved no sum of one group, or of neither, whether it lied or was silent: slashed once.
    function test_close_unprovenInAnyGroup_isSlashedOnce() public {
        widen();
        uint256 roundId = reach(Phase.Aggregate);
        uint256[5] memory before;
        for (uint256 a = 0; a < 5; ++a) {
            before[a] = vault.stakeOf(dealers[a]).active;
        }
        for (uint256 group = 0; group < 2; ++group) {
            for (uint256 a = 0; a < 5; ++a) {
                if (a == 3) this.refuseLie(roundId, group, a); // lies about both groups
                else if (group == 0 || a < 4) submitSum(roundId, group, a); // the last one is silent about one
            }
            decode(roundId, group);
        }
        submit(roundId, operators[0], "model");
        skipBeyond(manager.deadlineOf(roundId));
        for (uint256 a = 3; a < 5; ++a) {
            vm.expectEmit(address(committee));
            emit ICommittee.AggregatorFailed(roundId, dealers[a], "committee: no sum");
        }
        advance(roundId);
        for (uint256 a = 0; a < 5; ++a) {
            vm.assertEq(vault.stakeOf(dealers[a]).active, before[a] - (a < 3 ? 0 : SUM_PENALTY));
        }
        vm.assertEq(vault.treasury(), 2 * SUM_PENALTY);
    }

    function refuseLie(uint256 roundId, uint256 group, uint256 seat) external {
        bytes memory sum = sumAt(roundId, group, seat + 1, 1);
        bytes memory proof = sumProof(roundId, group, seat);
        vm.expectRevert(abi.encodeWithSelector(IStarkVerifier.OodMismatch.selector));
        vm.prank(dealers[seat]);
        committee.submitSum(roundId, group, sum, proof);
    }

    // ------------------------------------------------------------------ silence and aborts

    /// @dev Whoever of the five lies: the right model with three honest seats, none with fewer, never another one.
    function test_round_anyLiars_endsRightOrNotAtAll() public {
        for (uint256 liars = 0; liars < 32; ++liars) {
            for (uint256 a = 0; a < 5; ++a) {
                stake(dealers[a], SUM_PENALTY); // what it may lose
            }
            this.playWith(liars);
        }
    }

    function playWith(uint256 liars) external {
        uint256 roundId = reach(Phase.Aggregate);
        uint256 honest = 0;
        for (uint256 a = 0; a < 5; ++a) {
            if ((liars >> a) & 1 == 1) this.refuseLie(roundId, 0, a);
            else submitSum(roundId, 0, a);
            honest += 1 - ((liars >> a) & 1);
        }
        if (honest >= 3) {
            vm.expectEmit(address(committee));
            emit ICommittee.SumDecoded(roundId, 0, sumAt(roundId, 0, 0, 0));
            decode(roundId, 0);
            submit(roundId, operators[0], "model");
        }
        skipBeyond(manager.deadlineOf(roundId));
        if (honest < 3) {
            vm.expectEmit(address(manager));
            emit IPhases.RoundAborted(roundId, Phase.Aggregate, AbortReason.NoSum);
        }
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == (honest < 3 ? Phase.Aborted : Phase.Finalise), "ends");
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            skipBeyond(manager.deadlineOf(roundId));
            advance(roundId);
        }
    }

    function test_abort_tooFewSums_isNoSum() public {
        uint256 roundId = reach(Phase.Aggregate);
        submitSum(roundId, 0, 0);
        submitSum(roundId, 0, 4);
        skipBeyond(manager.deadlineOf(roundId));
        vm.expectEmit(address(manager));
        emit IPhases.RoundAborted(roundId, Phase.Aggregate, AbortReason.NoSum);
        advance(roundId);
        vm.assertEq(vault.stakeOf(dealers[2]).active, 30 - SUM_PENALTY);
        vm.assertEq(vault.treasury(), 3 * SUM_PENALTY);
        vm.assertEq(registry.versions(), 1);
        openRound();
    }

    function test_abort_tooFewSurvivorsOfComplaints_namesIt() public {
        uint256 roundId = reach(Phase.Share);
        complain(roundId, 0, hospitals[2]);
        complain(roundId, 1, hospitals[3]);
        skipBeyond(manager.deadlineOf(roundId));
        vm.expectEmit(address(manager));
        emit IPhases.RoundAborted(roundId, Phase.Share, AbortReason.TooFewSurvivors);
        advance(roundId);
        vm.assertEq(committee.survivorsOf(roundId).length, 0);
        vm.assertEq(vault.treasury(), 0);
        openRound();
    }

    /// @dev Each party in turn does nothing in one phase: every round ends, and the next one is opened.
    function test_silence_ofAnyPartyInAnyPhase_stallsNothing() public {
        for (uint256 silent = 0; silent < 7; ++silent) {
            for (uint8 phase = uint8(Phase.Commit); phase <= uint8(Phase.Finalise); ++phase) {
                for (uint256 i = 0; i < 7; ++i) {
                    if (vault.stakeOf(cast[i]).active < MIN_STAKE + 30) stake(cast[i], PENALTY);
                }
                uint256 roundId = openRound();
                while (manager.phaseOf(roundId) < Phase.Finalised) {
                    this.step(roundId, Phase(phase), cast[silent]); // with memory of its own
                }
                vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalised, "finalised");
            }
        }
    }

    function step(uint256 roundId, Phase phase, address quiet) external {
        Phase from = manager.phaseOf(roundId);
        if (from == phase) workWithout(roundId, quiet);
        else work(roundId);
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) != from, "stalled");
    }

    function workWithout(uint256 roundId, address quiet) internal {
        Phase phase = manager.phaseOf(roundId);
        for (uint256 a = 0; a < 5; ++a) {
            if (dealers[a] == quiet) continue;
            bool seated = validators.isSeated(roundId, dealers[a]); // or it was silent in an earlier round
            if (phase == Phase.Draw && seated) reveal(roundId, 1, dealers[a]);
            if (phase == Phase.Share) confirm(roundId, a);
            if (phase == Phase.Aggregate) submitSum(roundId, 0, a);
            if (phase == Phase.Finalise && seated) voteFor(roundId, dealers[a], "model");
        }
        for (uint256 i = 0; i < 4; ++i) {
            if (phase == Phase.Commit && hospitals[i] != quiet) commit(roundId, hospitals[i]);
        }
        if (phase == Phase.Prove) proveAllBut(roundId, quiet);
        if (phase != Phase.Aggregate) return;
        decode(roundId, 0);
        for (uint256 a = 0; a < 5; ++a) {
            if (dealers[a] != quiet) submit(roundId, dealers[a], "model");
        }
    }
}
