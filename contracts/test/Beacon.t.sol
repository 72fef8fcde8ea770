// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Shamir} from "../src/Shamir.sol";
import {Dealing, IBeacon, SecretState, Stage} from "../src/interfaces/IBeacon.sol";
import {IConsortium, ROUNDS_ROLE, VALIDATOR} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {AbortReason, IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {VerifiedDeployment} from "./VerifiedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice The beacon's stages, its refusals by name, and what becomes of secrets that are kept back or dealt falsely.
contract BeaconTest is VerifiedDeployment {
    address internal silent;

    function setUp() public override {
        super.setUp();
        silent = dealers[3];
    }

    function dealAll(uint256 roundId) internal {
        for (uint256 i = 0; i < 5; ++i) {
            deal(roundId, dealers[i]);
        }
    }

    function revealAllBut(uint256 roundId, uint8 which, address quiet) internal {
        for (uint256 i = 0; i < 5; ++i) {
            if (dealers[i] != quiet) reveal(roundId, which, dealers[i]);
        }
    }

    function expectWrongStage(Stage expected, Stage got) internal {
        vm.expectRevert(abi.encodeWithSelector(IBeacon.WrongStage.selector, expected, got));
    }

    function stakeLeft(address member) internal view returns (uint256) {
        return vault.stakeOf(member).active;
    }

    /// @dev The value made of the secrets of all dealers but one.
    function valueBut(uint256 roundId, uint8 which, address left) internal view returns (bytes32) {
        uint256[] memory secrets = new uint256[](left == address(0) ? 5 : 4);
        uint256 found = 0;
        for (uint256 i = 0; i < 5; ++i) {
            if (listed[i] != left) secrets[found++] = evaluate(roundId, which, listed[i], 0);
        }
        return keccak256(abi.encode(block.chainid, address(beacon), roundId, which, secrets));
    }

    function expectAborted(uint256 roundId, Phase phase) internal {
        uint256 versions = registry.versions();
        vm.expectEmit(address(manager));
        emit IPhases.RoundAborted(roundId, phase, AbortReason.NoBeacon);
        advance(roundId);
        vm.assertEq(registry.versions(), versions);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(vault.stakeOf(hospitals[i]).freezes, 0);
        }
    }

    // ------------------------------------------------------------------ keys and start

    function test_publishKey_byValidator_standsInTheNextRound() public {
        vm.prank(operators[0]);
        beacon.publishKey(bytes32(uint256(9)));
        vm.assertEq(beacon.keyOf(operators[0]), bytes32(uint256(9)));
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NoKey.selector, operators[0]));
        vm.prank(operators[0]);
        beacon.publishKey(0);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, hospitals[2], VALIDATOR));
        vm.prank(hospitals[2]);
        beacon.publishKey(bytes32(uint256(9)));
        // the first committee can be drawn beforehand: nothing seeds it but its round's number
        bytes32 seed = keccak256(abi.encode(block.chainid, address(validators), 1, bytes32(0)));
        address[] memory judges = new address[](5);
        address[] memory pool = new address[](5);
        for (uint256 i = 0; i < 5; ++i) {
            pool[i] = dealers[i];
        }
        uint256[] memory drawn = validators.draw(seed, pool, 7, 1);
        bytes32[] memory keys = new bytes32[](5);
        for (uint256 i = 0; i < 5; ++i) {
            judges[i] = dealers[drawn[i]];
            if (judges[i] == operators[0]) keys[i] = bytes32(uint256(9));
        }
        uint32 now_ = uint32(vm.getBlockNumber());
        vm.expectEmit(address(beacon));
        emit IBeacon.BeaconStarted(1, judges, keys, 3, now_ + 3, now_ + 6, BEACON_PENALTY);
        openRound();
    }

    /// @dev Stake that is being unlocked does not count: it may be gone when a penalty is due.
    function test_start_validatorThatCannotPay_isNotListed() public {
        vm.prank(operators[2]);
        vault.requestUnlock(30 - BEACON_PENALTY + 1);
        openRound();
        vm.assertEq(listed.length, 4);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertTrue(listed[i] != operators[2], "cannot pay, and listed");
        }
        vm.assertEq(beacon.thresholdOf(1), 3);
    }

    function test_start_stagesTooShort_reverts() public {
        uint24[9] memory short = durations();
        short[0] = 2;
        vm.expectRevert(abi.encodeWithSelector(IBeacon.StagesTooShort.selector, 2, 3));
        vm.prank(operators[0]);
        manager.open(content("task"), short);
    }

    function test_powers_withoutThem_revert() public {
        bytes memory reason = abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], ROUNDS_ROLE);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        beacon.start(1, 100, 0, new address[](0));
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        beacon.askSecond(1, 100);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        beacon.close(1, 0);
    }

    // ------------------------------------------------------------------ the honest way

    function test_value_allReveal_isTheirHash() public {
        uint256 roundId = openRound();
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertEq(beacon.validatorsOf(roundId)[i], validators.committeeOf(roundId)[i]);
        }
        vm.assertEq(
            beacon.shareHashOf(roundId, 1, silent, 4, 9),
            keccak256(abi.encode(block.chainid, address(beacon), roundId, 1, silent, 4, 9))
        );
        expectStage(roundId, 0, Stage.Commit);
        dealAll(roundId);
        expectStage(roundId, 0, Stage.Reveal);
        expectStage(roundId, 1, Stage.None);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NoValue.selector, roundId, 0));
        beacon.valueOf(roundId, 0);
        revealAllBut(roundId, 0, address(0));
        vm.assertEq(beacon.isDone(roundId, 0), true);
        advance(roundId); // long before the deadline
        expectStage(roundId, 0, Stage.Closed);
        vm.assertEq(beacon.valueOf(roundId, 0), valueBut(roundId, 0, address(0)));
        Dealing memory dealt = beacon.dealingOf(roundId, 0, silent);
        vm.assertEq(dealt.secret, evaluate(roundId, 0, silent, 0));
        vm.assertTrue(dealt.state == SecretState.Revealed, "revealed");
        vm.assertEq(beacon.dealingOf(roundId, 1, silent).secret, 0);
        while (manager.phaseOf(roundId) != Phase.Prove) {
            work(roundId);
            advance(roundId);
        }
        vm.assertEq(beacon.valueOf(roundId, 1), valueBut(roundId, 1, address(0)));
        vm.assertEq(vault.treasury(), 0);
    }

    /// @dev Who does not deal at all is passed over after a third of the phase, and loses nothing.
    function test_value_oneDealsNothing_isOfTheOthers() public {
        uint256 roundId = openRound();
        for (uint256 i = 0; i < 5; ++i) {
            if (dealers[i] != silent) deal(roundId, dealers[i]);
        }
        expectWrongStage(Stage.Reveal, Stage.Commit);
        reveal(roundId, 0, dealers[0]);
        vm.assertEq(beacon.isDone(roundId, 0), false);
        skip(4);
        revealAllBut(roundId, 0, silent);
        advance(roundId);
        vm.assertEq(beacon.valueOf(roundId, 0), valueBut(roundId, 0, silent));
        vm.assertEq(stakeLeft(silent), 30);
    }

    // ------------------------------------------------------------------ refusals

    function test_commit_refusals_byName() public {
        uint256 roundId = openRound();
        bytes32[2] memory commitments;
        bytes32[][2] memory hashes;
        (hashes[0], hashes[1]) = (new bytes32[](5), new bytes32[](4));
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NotListed.selector, roundId, hospitals[2]));
        vm.prank(hospitals[2]);
        beacon.commit(roundId, commitments, hashes, "");
        vm.expectRevert(abi.encodeWithSelector(IBeacon.WrongShareCount.selector, 5, 4));
        vm.prank(silent);
        beacon.commit(roundId, commitments, hashes, "");
        deal(roundId, silent);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.AlreadyDealt.selector, roundId, silent));
        deal(roundId, silent);
        skip(4);
        expectWrongStage(Stage.Commit, Stage.Reveal);
        deal(roundId, dealers[0]);
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (dealers[0], 1)));
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, dealers[0], VALIDATOR));
        deal(roundId, dealers[0]);
    }

    function test_reveal_refusals_byName() public {
        uint256 roundId = openRound();
        dealAll(roundId);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NotListed.selector, roundId, hospitals[2]));
        reveal(roundId, 0, hospitals[2]);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.UnknownValue.selector, 2));
        reveal(roundId, 2, silent);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.UnknownValue.selector, 2));
        beacon.dealingOf(roundId, 2, silent);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.WrongSecret.selector, roundId, 0, silent));
        vm.prank(silent);
        beacon.reveal(roundId, 0, 5);
        reveal(roundId, 0, silent);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NothingToSettle.selector, roundId, 0, silent));
        reveal(roundId, 0, silent);
        skip(7);
        expectWrongStage(Stage.Reveal, Stage.Rebuild);
        reveal(roundId, 0, dealers[0]);
    }

    /// @dev A secret that no share can stand for is refused, even though it was committed to.
    function test_reveal_secretNotBelowQ_reverts() public {
        uint256 roundId = openRound();
        bytes32[2] memory commitments;
        bytes32[][2] memory hashes;
        (hashes[0], hashes[1]) = (new bytes32[](5), new bytes32[](5));
        commitments[0] = beacon.commitmentOf(roundId, 0, silent, Q);
        vm.prank(silent);
        beacon.commit(roundId, commitments, hashes, "");
        skip(4);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.WrongSecret.selector, roundId, 0, silent));
        vm.prank(silent);
        beacon.reveal(roundId, 0, Q);
    }

    /// @dev What draws the audits stays secret until every commitment is in.
    function test_reveal_secondBeforeDraw_reverts() public {
        uint256 roundId = openRound();
        dealAll(roundId);
        while (true) {
            expectWrongStage(Stage.Reveal, Stage.None);
            reveal(roundId, 1, dealers[0]);
            expectWrongStage(Stage.Rebuild, Stage.None);
            post(roundId, 1, dealers[0], 0, 0);
            if (manager.phaseOf(roundId) == Phase.Select) {
                revealAllBut(roundId, 0, address(0));
                advance(roundId);
                continue;
            }
            work(roundId);
            if (manager.phaseOf(roundId) == Phase.Commit) break;
            advance(roundId);
        }
        expectWrongStage(Stage.Reveal, Stage.None);
        reveal(roundId, 1, dealers[0]); // all are in, and still not asked for
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Draw, "draw");
        reveal(roundId, 1, dealers[0]);
    }

    // ------------------------------------------------------------------ kept back

    function test_rebuild_keptBack_countsAndIsSlashed() public {
        uint256 roundId = openRound();
        dealAll(roundId);
        revealAllBut(roundId, 0, silent);
        expectWrongStage(Stage.Rebuild, Stage.Reveal);
        post(roundId, 0, silent, 0, 0);
        vm.expectPartialRevert(IPhases.PhaseNotOver.selector);
        advance(roundId);
        skipReveal(roundId, 0);
        post(roundId, 0, silent, 4, 0);
        post(roundId, 0, silent, 0, 0);
        vm.assertEq(stakeLeft(silent), 30);
        vm.expectEmit(address(beacon));
        emit IBeacon.SecretRebuilt(roundId, 0, silent, evaluate(roundId, 0, silent, 0));
        post(roundId, 0, silent, 2, 0);
        vm.assertEq(stakeLeft(silent), 30 - BEACON_PENALTY);
        advance(roundId); // before the deadline: nothing is left to wait for
        vm.assertEq(beacon.valueOf(roundId, 0), valueBut(roundId, 0, address(0)));
        vm.assertEq(stakeLeft(silent), 30 - BEACON_PENALTY);
        vm.assertEq(vault.treasury(), BEACON_PENALTY);
    }

    function test_rebuild_falselyDealt_isLeftOutAndSlashed() public {
        uint256 roundId = openRound();
        for (uint256 i = 0; i < 5; ++i) {
            dealShifted(roundId, dealers[i], dealers[i] == silent ? 1 : 0);
        }
        revealAllBut(roundId, 0, silent);
        skipReveal(roundId, 0);
        post(roundId, 0, silent, 1, 1);
        post(roundId, 0, silent, 3, 1);
        vm.expectEmit(address(beacon));
        emit IBeacon.FalselyDealt(roundId, 0, silent);
        post(roundId, 0, silent, 4, 1);
        advance(roundId);
        vm.assertEq(beacon.valueOf(roundId, 0), valueBut(roundId, 0, silent));
        vm.assertEq(stakeLeft(silent), 30 - BEACON_PENALTY);
    }

    function test_close_tooFewShares_isLostAndSlashed() public {
        uint256 roundId = openRound();
        dealAll(roundId);
        revealAllBut(roundId, 0, silent);
        skipReveal(roundId, 0);
        post(roundId, 0, silent, 0, 0);
        post(roundId, 0, silent, 1, 0);
        vm.expectPartialRevert(IPhases.PhaseNotOver.selector);
        advance(roundId);
        skipBeyond(manager.deadlineOf(roundId));
        vm.expectEmit(address(beacon));
        emit IBeacon.SecretLost(roundId, 0, silent);
        advance(roundId);
        vm.assertEq(beacon.valueOf(roundId, 0), valueBut(roundId, 0, silent));
        vm.assertEq(stakeLeft(silent), 30 - BEACON_PENALTY);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Train, "goes on");
    }

    function test_postShare_refusals_byName() public {
        uint256 roundId = openRound();
        dealAll(roundId);
        revealAllBut(roundId, 0, silent);
        skipReveal(roundId, 0);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NothingToSettle.selector, roundId, 0, dealers[0]));
        post(roundId, 0, dealers[0], 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.WrongShareHashes.selector, roundId, 0, silent));
        post(roundId, 0, silent, 1, 1);
        bytes32[] memory hashes = shareHashes(roundId, 0, silent, 0);
        for (uint256 index = 1; index < 6; index += 4) {
            vm.expectRevert(abi.encodeWithSelector(IBeacon.WrongShare.selector, silent, index));
            vm.prank(dealers[0]);
            beacon.postShare(roundId, 0, silent, hashes, index, 7);
        }
        vm.expectRevert(abi.encodeWithSelector(IBeacon.NotListed.selector, roundId, hospitals[3]));
        vm.prank(hospitals[3]);
        beacon.postShare(roundId, 0, silent, hashes, 1, 7);
        post(roundId, 0, silent, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(IBeacon.AlreadyPosted.selector, silent, 1));
        post(roundId, 0, silent, 1, 0);
    }

    function test_removedDealer_reveals_isNotSlashed() public {
        uint256 roundId = openRound();
        dealAll(roundId);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (dealers[0])));
        revealAllBut(roundId, 0, address(0));
        advance(roundId);
        vm.assertEq(beacon.valueOf(roundId, 0), valueBut(roundId, 0, address(0)));
        vm.assertEq(vault.treasury(), 0);
    }

    // ------------------------------------------------------------------ no value

    function test_abort_tooFewDeal_inSelect() public {
        uint256 roundId = openRound();
        deal(roundId, dealers[0]);
        deal(roundId, dealers[1]);
        skip(4);
        reveal(roundId, 0, dealers[0]);
        reveal(roundId, 0, dealers[1]);
        vm.assertEq(beacon.hasEnough(roundId, 0), false);
        vm.expectEmit(address(beacon));
        emit IBeacon.BeaconFailed(roundId, 0, 2, 3);
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Aborted, "aborted");
        vm.assertEq(vault.treasury(), 0);
    }

    function test_abort_nobodyDeals_inSelect() public {
        uint256 roundId = openRound();
        skip(10);
        expectAborted(roundId, Phase.Select);
        vm.assertEq(vault.treasury(), 0);
    }

    function test_abort_tooFewReveal_inDraw_slashesTheSilent() public {
        uint256 roundId = reach(Phase.Draw);
        reveal(roundId, 1, dealers[0]);
        reveal(roundId, 1, dealers[1]);
        skipBeyond(manager.deadlineOf(roundId));
        expectAborted(roundId, Phase.Draw);
        for (uint256 i = 2; i < 5; ++i) {
            vm.assertEq(stakeLeft(dealers[i]), 30 - BEACON_PENALTY);
        }
        vm.assertEq(vault.treasury(), 3 * BEACON_PENALTY);
        vm.assertEq(openRound(), roundId + 1);
    }

    /// @dev However short Draw was made, the round leaves it, and secrets can be revealed in it.
    function test_draw_oneBlock_isEnoughToRevealAndStallsNothing() public {
        uint24[9] memory short = durations();
        short[3] = 1;
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(operators[0]);
            uint256 roundId = manager.open(content("task"), short);
            listed = beacon.validatorsOf(roundId);
            while (manager.phaseOf(roundId) != Phase.Draw) {
                work(roundId);
                advance(roundId);
            }
            if (i == 0) {
                skip(1);
                revealAllBut(roundId, 1, address(0));
                while (manager.phaseOf(roundId) != Phase.Finalised) {
                    advance(roundId);
                    work(roundId);
                }
            } else {
                skip(2);
                expectAborted(roundId, Phase.Draw);
            }
        }
    }

    function test_draw_keptBack_isRebuilt() public {
        uint256 roundId = reach(Phase.Draw);
        revealAllBut(roundId, 1, silent);
        skipReveal(roundId, 1);
        for (uint256 i = 0; i < 3; ++i) {
            post(roundId, 1, silent, i, 0);
        }
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Prove, "prove");
        vm.assertEq(beacon.valueOf(roundId, 1), valueBut(roundId, 1, address(0)));
    }

    // ------------------------------------------------------------------ sharing

    /// @dev Any t points of a polynomial of degree t - 1 give back its secret.
    function testFuzz_shamir_anyPoints_giveTheSecret(uint256 seed, uint8 threshold) public view {
        uint256 t = 1 + uint256(threshold) % 20;
        uint256[] memory points = audits.sample(bytes32(seed), 128, t);
        uint256[] memory values = new uint256[](t);
        for (uint256 i = 0; i < t; ++i) {
            points[i] += 1;
            for (uint256 k = t; k > 0; --k) {
                values[i] = addmod(mulmod(values[i], points[i], Q), uint256(keccak256(abi.encode(seed, k))) % Q, Q);
            }
        }
        vm.assertEq(Shamir.atZero(points, values), uint256(keccak256(abi.encode(seed, 1))) % Q);
    }

    /// @dev Whichever three shares of the five are posted.
    function testFuzz_rebuild_anyThreeShares_giveTheSecret(uint256 seed) public {
        uint256 roundId = openRound();
        dealAll(roundId);
        revealAllBut(roundId, 0, silent);
        skipReveal(roundId, 0);
        uint256[] memory posters = audits.sample(bytes32(seed), 5, 3);
        for (uint256 i = 0; i < 3; ++i) {
            post(roundId, 0, silent, posters[i], 0);
        }
        Dealing memory dealt = beacon.dealingOf(roundId, 0, silent);
        vm.assertTrue(dealt.state == SecretState.Rebuilt, "rebuilt");
        vm.assertEq(dealt.secret, evaluate(roundId, 0, silent, 0));
    }
}
