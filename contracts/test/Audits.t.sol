// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audits} from "../src/Audits.sol";
import {Audit, IAudits, StateCommitment, TrainingParameters} from "../src/interfaces/IAudits.sol";
import {IConsortium, ROUNDS_ROLE} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {VerifiedDeployment} from "./VerifiedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice What is recorded, drawn, proven and paid in the audits of a round, and every refusal by name.
contract AuditsTest is VerifiedDeployment {
    struct Proof {
        uint256 auditId;
        bytes proof;
        bytes32 before;
        bytes32[] pathBefore;
        bytes32 after_;
        bytes32[] pathAfter;
    }

    function setTraining(TrainingParameters memory wanted) internal {
        govern(address(audits), abi.encodeCall(IAudits.setTraining, (wanted)));
    }

    function atRate(uint16 auditRate) internal {
        TrainingParameters memory wanted = training();
        wanted.auditRate = auditRate;
        setTraining(wanted);
    }

    function honest(uint256 roundId, uint256 auditId) internal view returns (Proof memory made) {
        Audit memory audit = audits.auditOf(roundId, auditId);
        bytes32[] memory states = statesFor(roundId, audit.hospital);
        (made.auditId, made.before, made.after_) = (auditId, states[audit.step], states[audit.step + 1]);
        (, made.pathBefore) = audits.pathOf(roundId, audit.hospital, states, audit.step);
        (, made.pathAfter) = audits.pathOf(roundId, audit.hospital, states, audit.step + 1);
        made.proof = proofOf(roundId, auditId, made.before, made.after_);
    }

    function handIn(uint256 roundId, address sender, Proof memory made) internal {
        vm.prank(sender);
        audits.prove(roundId, made.auditId, made.proof, made.before, made.pathBefore, made.after_, made.pathAfter);
    }

    /// @dev The first audit of the hospital with six steps.
    function auditOfThird(uint256 roundId) internal view returns (uint256 auditId) {
        while (audits.auditOf(roundId, auditId).hospital != hospitals[2]) ++auditId;
    }

    // ------------------------------------------------------------------ parameters

    function test_setTraining_byVote_countsForComingRounds() public {
        uint256 roundId = openRound();
        TrainingParameters memory wanted = TrainingParameters(2, 64, 65_535, 32, 4000, 10_000, 9, 9, 1);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]));
        vm.prank(operators[0]);
        audits.setTraining(wanted);
        setTraining(wanted);
        vm.assertEq(audits.training().noise, 4000);
        vm.assertEq(audits.trainingOf(roundId).noise, 10);
        vm.assertEq(audits.startOf(roundId), content("genesis").digest);
    }

    function test_setTraining_outOfBounds_reverts() public {
        TrainingParameters[9] memory bad;
        for (uint256 i = 0; i < 9; ++i) {
            bad[i] = training();
        }
        (bad[0].halves, bad[1].halves, bad[2].epochs, bad[3].epochs) = (0, 3, 0, 65);
        (bad[4].rate, bad[5].clip, bad[6].clip, bad[7].noise) = (0, 0, 33, 4001);
        bad[8].auditRate = 10_001;
        IStarkVerifier[2] memory none;
        for (uint256 i = 0; i < 9; ++i) {
            vm.expectPartialRevert(IConsortium.OutOfRange.selector);
            new Audits(consortium, vault, registry, data, beacon, none, bad[i]);
        }
        TrainingParameters memory greedy = training();
        greedy.auditFee = PENALTY + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("auditFee"), PENALTY + 1, 0, PENALTY)
        );
        vm.prank(address(consortium));
        audits.setTraining(greedy);
    }

    function test_begin_noVerifier_reverts() public {
        TrainingParameters memory wanted = training();
        wanted.halves = 2;
        setTraining(wanted);
        vm.expectRevert(abi.encodeWithSelector(IAudits.NoVerifier.selector, 2));
        openRound();
    }

    function test_powers_withoutThem_revert() public {
        bytes memory reason = abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], ROUNDS_ROLE);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        audits.begin(1);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        audits.record(1, hospitals[0], new bytes32[](3));
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        audits.draw(1, 100);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        audits.close(1, operators[0]);
    }

    // ------------------------------------------------------------------ commitments

    function test_record_states_keepsTheirRoot() public {
        uint256 roundId = reach(Phase.Commit);
        bytes32[] memory states = statesFor(roundId, hospitals[2]);
        (bytes32 root,) = audits.pathOf(roundId, hospitals[2], states, 0);
        vm.expectEmit(address(audits));
        emit IAudits.StatesCommitted(roundId, hospitals[2], root, states);
        commit(roundId, hospitals[2]);
        StateCommitment memory own = audits.statesOf(roundId, hospitals[2]);
        vm.assertEq(own.root, root);
        vm.assertEq(own.steps, 6);
        vm.assertEq(audits.committedTo(roundId)[0], hospitals[2]);
    }

    function test_record_anotherNumberOfStates_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        bytes32[] memory fewer = new bytes32[](4);
        bytes32[] memory more = new bytes32[](6);
        for (uint256 i = 0; i < 6; ++i) {
            more[i] = stateAt(roundId, hospitals[0], i);
            if (i < 4) fewer[i] = more[i];
        }
        vm.expectRevert(abi.encodeWithSelector(IAudits.WrongStateCount.selector, 5, 4));
        commitStates(roundId, hospitals[0], fewer);
        vm.expectRevert(abi.encodeWithSelector(IAudits.WrongStateCount.selector, 5, 6));
        commitStates(roundId, hospitals[0], more);
    }

    function test_record_anotherStart_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        bytes32[] memory states = statesFor(roundId, hospitals[0]);
        states[0] = states[1];
        vm.expectRevert(abi.encodeWithSelector(IAudits.WrongStart.selector, content("genesis").digest, states[1]));
        commitStates(roundId, hospitals[0], states);
    }

    // ------------------------------------------------------------------ draw

    function test_draw_halfOfTheSteps_areDistinct() public {
        uint256 roundId = reach(Phase.Prove); // 14 steps, half of them
        vm.assertEq(audits.auditsOf(roundId), 7);
        vm.assertEq(audits.outstanding(roundId), 7);
        uint256[4] memory seen;
        for (uint256 i = 0; i < 7; ++i) {
            Audit memory audit = audits.auditOf(roundId, i);
            uint256 h = 0;
            while (hospitals[h] != audit.hospital) ++h;
            vm.assertTrue(audit.step < audits.statesOf(roundId, audit.hospital).steps, "step");
            vm.assertTrue((seen[h] >> audit.step) & 1 == 0, "drawn twice");
            seen[h] |= 1 << audit.step;
        }
        for (uint256 h = 0; h < 4; ++h) {
            uint256 count = 0;
            for (uint256 bits = seen[h]; bits > 0; bits >>= 1) {
                count += bits & 1;
            }
            vm.assertEq(audits.statesOf(roundId, hospitals[h]).outstanding, count);
        }
    }

    function test_draw_rateOne_takesEveryStep() public {
        atRate(10_000);
        uint256 roundId = reach(Phase.Prove);
        vm.assertEq(audits.auditsOf(roundId), 14);
        vm.assertEq(audits.failing(roundId), 4);
        work(roundId);
        vm.assertEq(audits.failing(roundId), 0);
        vm.assertEq(audits.outstanding(roundId), 0);
        advance(roundId);
        vm.assertEq(vault.treasury(), 0);
    }

    function test_draw_rateZero_takesNone() public {
        atRate(0);
        uint256 roundId = reach(Phase.Prove);
        vm.assertEq(audits.auditsOf(roundId), 0);
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Share, "nothing to wait for");
    }

    function test_draw_smallestRate_takesOne() public {
        atRate(1);
        vm.assertEq(audits.auditsOf(reach(Phase.Prove)), 1);
    }

    /// @dev However much was committed to: drawing, and closing with nothing proven, fit a transaction (EIP-7825).
    function test_draw_mostAudits_fitATransaction() public {
        TrainingParameters memory wanted = training();
        (wanted.epochs, wanted.auditRate) = (64, 10_000);
        setTraining(wanted);
        uint256 roundId = reach(Phase.Draw);
        work(roundId);
        uint256 before = gasleft();
        advance(roundId);
        vm.assertLe(before - gasleft(), 2 ** 24, "draw");
        vm.assertEq(audits.auditsOf(roundId), 400); // of 448 steps
        skipBeyond(manager.deadlineOf(roundId));
        before = gasleft();
        advance(roundId);
        vm.assertLe(before - gasleft(), 2 ** 24, "close");
        vm.assertEq(manager.roundOf(roundId).excluded, 4);
    }

    // ------------------------------------------------------------------ proofs

    function test_publicInputs_areTheStatement() public {
        atRate(10_000);
        uint256 roundId = reach(Phase.Prove);
        uint256 auditId = auditOfThird(roundId);
        bytes32 before = bytes32(uint256(0x11) << 224 | 0x22);
        uint256[] memory inputs = audits.publicInputs(roundId, auditId, before, bytes32(uint256(0x33)));
        uint256 step = audits.auditOf(roundId, auditId).step;
        bytes32 segment = segmentsFor(hospitals[2], 1025)[step % 3];
        vm.assertEq(inputs.length, 46);
        for (uint256 i = 0; i < 8; ++i) {
            vm.assertEq(inputs[i], uint32(uint256(segment) >> (224 - 32 * i)));
            vm.assertEq(inputs[24 + i], uint32(uint256(data.seedCommitmentOf(hospitals[2])) >> (224 - 32 * i)));
        }
        vm.assertEq(inputs[8], 0x11);
        vm.assertEq(inputs[15], 0x22);
        vm.assertEq(inputs[23], 0x33);
        vm.assertEq(inputs[22], 0);
        uint256 r1 = uint256(beacon.valueOf(roundId, 0));
        vm.assertEq(inputs[32], (r1 >> 224) & 0x3fffffff);
        vm.assertEq(inputs[35], (r1 >> 128) & 0x3fffffff);
        vm.assertEq(inputs[36], step);
        uint256 rows = step % 3 < 2 ? 342 : 341; // 1025 over three segments
        vm.assertEq(inputs[37], rows);
        uint256 divisor = (512 * rows + 128) / 256; // rate 256 is a learning rate of 1
        vm.assertEq(inputs[38], divisor);
        vm.assertEq(inputs[39], divisor / 2);
        vm.assertEq(inputs[40], 2 ** 29 / divisor);
        vm.assertEq(inputs[41], 128 * 7);
        vm.assertEq(inputs[42], 10);
        vm.assertEq(inputs[43], 11);
        vm.assertEq(inputs[44], 13);
        vm.assertEq(inputs[45], 18);
    }

    function test_publicInputs_noiseZeroAndDivisorAtItsBounds() public {
        TrainingParameters memory wanted = training();
        (wanted.noise, wanted.auditRate, wanted.rate) = (0, 10_000, 65_535);
        for (uint256 i = 0; i < 2; ++i) {
            setTraining(wanted);
            uint256 roundId = reach(Phase.Prove);
            uint256[] memory inputs = audits.publicInputs(roundId, auditOfThird(roundId), 0, 0);
            vm.assertEq(inputs[38], i == 0 ? 64 : 4096);
            vm.assertEq(inputs[42] + inputs[43] + inputs[44] + inputs[45], 0);
            while (manager.phaseOf(roundId) != Phase.Finalised) {
                work(roundId);
                advance(roundId);
            }
            wanted.rate = 1;
        }
    }

    function test_prove_honest_passes() public {
        uint256 roundId = reach(Phase.Prove);
        Audit memory audit = audits.auditOf(roundId, 3);
        vm.expectEmit(address(audits));
        emit IAudits.AuditPassed(roundId, 3, audit.hospital, audit.step);
        prove(roundId, 3);
        vm.assertEq(audits.auditOf(roundId, 3).passed, true);
        vm.assertEq(audits.outstanding(roundId), 6);
    }

    function test_prove_refusals_byName() public {
        atRate(10_000);
        uint256 roundId = reach(Phase.Draw);
        Proof memory made;
        vm.expectRevert(abi.encodeWithSelector(IAudits.UnknownAudit.selector, 0, 0));
        handIn(roundId, hospitals[2], made);
        work(roundId);
        advance(roundId);
        made = honest(roundId, auditOfThird(roundId));
        vm.expectRevert(abi.encodeWithSelector(IAudits.NotAudited.selector, made.auditId, hospitals[2], hospitals[0]));
        handIn(roundId, hospitals[0], made);
        handIn(roundId, hospitals[2], made);
        vm.expectRevert(abi.encodeWithSelector(IAudits.AlreadyProven.selector, made.auditId));
        handIn(roundId, hospitals[2], made);
    }

    function test_prove_falseProof_revertsAndMayBeTriedAgain() public {
        uint256 roundId = reach(Phase.Prove);
        Proof memory made = honest(roundId, auditOfThird(roundId));
        bytes memory good = made.proof;
        made.proof = "another";
        vm.expectRevert(IStarkVerifier.OodMismatch.selector);
        handIn(roundId, hospitals[2], made);
        vm.assertEq(audits.auditOf(roundId, made.auditId).passed, false);
        made.proof = good;
        handIn(roundId, hospitals[2], made);
        vm.assertEq(audits.auditOf(roundId, made.auditId).passed, true);
    }

    /// @dev States that were not committed to at just these places are refused before any proof is looked at.
    function test_prove_otherStates_reverts() public {
        uint256 roundId = reach(Phase.Prove);
        uint256 auditId = auditOfThird(roundId);
        uint256 step = audits.auditOf(roundId, auditId).step;
        bytes memory badBefore = abi.encodeWithSelector(IAudits.BadStatePath.selector, step);
        bytes memory badAfter = abi.encodeWithSelector(IAudits.BadStatePath.selector, step + 1);
        Proof memory made = honest(roundId, auditId);
        made.before ^= bytes32(uint256(1));
        vm.expectRevert(badBefore);
        handIn(roundId, hospitals[2], made);
        made = honest(roundId, auditId);
        (made.after_, made.pathAfter) = (made.before, made.pathBefore); // a step that changes nothing
        made.proof = proofOf(roundId, auditId, made.before, made.after_);
        vm.expectRevert(badAfter);
        handIn(roundId, hospitals[2], made);
        made = honest(roundId, auditId);
        made.pathAfter = new bytes32[](0);
        vm.expectRevert(badAfter);
        handIn(roundId, hospitals[2], made);
    }

    function test_prove_outsideItsTime_reverts() public {
        uint256 roundId = reach(Phase.Prove);
        Proof memory made = honest(roundId, auditOfThird(roundId));
        uint32 until = manager.deadlineOf(roundId);
        skipBeyond(until);
        vm.expectRevert(abi.encodeWithSelector(IPhases.DeadlinePassed.selector, until, until + 1));
        handIn(roundId, hospitals[2], made);
        advance(roundId);
        vm.expectRevert(abi.encodeWithSelector(IAudits.AuditsNotOpen.selector, roundId));
        handIn(roundId, hospitals[2], made);
    }

    // ------------------------------------------------------------------ close

    function test_close_unproven_slashesOnceExcludesAndPays() public {
        atRate(10_000);
        uint256 roundId = reach(Phase.Prove);
        proveAllBut(roundId, hospitals[2]); // six audits without a proof
        vm.assertEq(audits.failing(roundId), 1);
        uint256 held = token.balanceOf(operators[0]);
        skipBeyond(manager.deadlineOf(roundId));
        vm.expectEmit(address(audits));
        emit IAudits.HospitalExcluded(roundId, hospitals[2]);
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Share, "goes on");
        vm.assertEq(audits.isExcluded(roundId, hospitals[2]), true);
        vm.assertEq(audits.isExcluded(roundId, hospitals[0]), false);
        vm.assertEq(manager.roundOf(roundId).excluded, 1);
        vm.assertEq(vault.stakeOf(hospitals[2]).active, MIN_STAKE - PENALTY);
        vm.assertEq(vault.stakeOf(hospitals[0]).active, MIN_STAKE);
        vm.assertEq(token.balanceOf(operators[0]) - held, FEE);
        vm.assertEq(vault.treasury(), PENALTY - FEE);
    }

    function test_close_stakeBelowTheFee_paysWhatThereWas() public {
        uint256 roundId = reach(Phase.Prove);
        proveAllBut(roundId, hospitals[2]);
        vault.slash(hospitals[2], MIN_STAKE - 3, "before");
        uint256 held = token.balanceOf(operators[0]);
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        vm.assertEq(token.balanceOf(operators[0]) - held, 3);
        vm.assertEq(vault.treasury(), MIN_STAKE - 3);
    }

    function test_close_byTheOffender_paysItNothing() public {
        uint256 roundId = reach(Phase.Prove);
        proveAllBut(roundId, hospitals[2]);
        uint256 held = token.balanceOf(hospitals[2]);
        skipBeyond(manager.deadlineOf(roundId));
        vm.prank(hospitals[2]);
        manager.advance(roundId);
        vm.assertEq(token.balanceOf(hospitals[2]), held);
        vm.assertEq(vault.treasury(), PENALTY);
    }

    /// @dev A closer that may not hold tokens does not keep the round from going on.
    function test_close_forANonMember_keepsTheFee() public {
        uint256 roundId = reach(Phase.Prove);
        vm.prank(address(manager));
        audits.close(roundId, outsider);
        vm.assertEq(token.balanceOf(outsider), 0);
        vm.assertEq(vault.treasury(), audits.failing(roundId) * PENALTY);
    }

    function test_payFee_withoutPowerOrMeans_reverts() public {
        vm.expectPartialRevert(IGoverned.MissingPower.selector);
        vm.prank(operators[0]);
        vault.payFee(operators[0], 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientTreasury.selector, 0, 1));
        vm.prank(address(audits));
        vault.payFee(operators[0], 1);
    }
}
