// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {Validators} from "../src/Validators.sol";
import {Content} from "../src/interfaces/Content.sol";
import {HOSPITAL, IConsortium, ROUNDS_ROLE} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {IRoundManager} from "../src/interfaces/IRoundManager.sol";
import {IValidators, ValidatorParameters} from "../src/interfaces/IValidators.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice Committees: who is in the pool, how they are drawn, what they sign, and what it costs to sign two models.
contract ValidatorsTest is Deployment {
    uint96 internal constant PENALTY = 50;
    uint96 internal constant FEE = 20;
    address[] internal judges;

    function setUp() public override {
        super.setUp();
        stakeAll();
        judges = [hospitals[0], hospitals[1], operators[0], operators[1], operators[2]];
        for (uint256 i = 0; i < 3; ++i) {
            stake(operators[i], PENALTY);
        }
    }

    function judging() internal override returns (ValidatorParameters memory) {
        return ValidatorParameters(7, 1, PENALTY, FEE);
    }

    function seat(uint256 roundId) internal returns (address[] memory) {
        vm.prank(address(manager));
        return validators.seat(roundId);
    }

    function record(address member, uint256 positive, uint256 negative) internal {
        vm.prank(address(settlement));
        reputation.record(1, member, positive, negative);
    }

    function contains(address[] memory list, address one) internal pure returns (bool found) {
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i] == one) found = true;
        }
    }

    // ------------------------------------------------------------------ pool and draw

    function test_seat_all_isDrawnFromTheSeed() public {
        bytes32 seed = keccak256(abi.encode(block.chainid, address(validators), 1, bytes32(0)));
        uint256[] memory drawn = validators.draw(seed, judges, 7, 1);
        address[] memory expected = new address[](5);
        for (uint256 i = 0; i < 5; ++i) {
            expected[i] = judges[drawn[i]];
        }
        vm.expectEmit(address(validators));
        emit IValidators.CommitteeDrawn(1, seed, judges, expected);
        seat(1);
        vm.assertEq(keccak256(abi.encode(validators.committeeOf(1))), keccak256(abi.encode(expected)));
        for (uint256 i = 0; i < 5; ++i) {
            vm.assertEq(validators.isSeated(1, judges[i]), true);
            vm.assertEq(validators.isSeated(2, judges[i]), false);
        }
        vm.assertEq(validators.isSeated(1, hospitals[2]), false);
    }

    function test_reseed_changesTheNextDraw() public {
        vm.prank(address(manager));
        validators.reseed(keccak256("r2"));
        vm.assertEq(validators.lastValue(), keccak256("r2"));
        bytes32 seed = keccak256(abi.encode(block.chainid, address(validators), 3, keccak256("r2")));
        uint256 first = validators.draw(seed, judges, 7, 1)[0];
        vm.assertEq(seat(3)[0], judges[first]);
    }

    /// @dev Draws by taking places out of a list, the last one moving in.
    function naive(bytes32 seed, address[] memory operators_, uint256 seats, uint256 perOperator)
        internal
        pure
        returns (uint256[] memory drawn, uint256 found)
    {
        drawn = new uint256[](operators_.length);
        uint256[] memory list = new uint256[](operators_.length);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = i;
        }
        for (uint256 t = 0; t < operators_.length && found < seats; ++t) {
            uint256 left = operators_.length - t;
            uint256 k = uint256(keccak256(abi.encode(seed, t))) % left;
            uint256 place = list[k];
            list[k] = list[left - 1];
            uint256 same = 0;
            for (uint256 i = 0; i < found; ++i) {
                if (operators_[drawn[i]] == operators_[place]) ++same;
            }
            if (same < perOperator) drawn[found++] = place;
        }
    }

    function testFuzz_draw_anyPool_isTheNaiveOne(bytes32 seed, uint8 size, uint8 seats, uint8 cap) public view {
        address[] memory pool = new address[](size % 60);
        for (uint256 i = 0; i < pool.length; ++i) {
            pool[i] = address(uint160(1 + uint256(keccak256(abi.encode(seed, "operator", i))) % 20));
        }
        (uint256[] memory expected, uint256 count) = naive(seed, pool, seats % 30, 1 + cap % 3);
        uint256[] memory drawn = validators.draw(seed, pool, seats % 30, 1 + cap % 3);
        vm.assertEq(drawn.length, count);
        for (uint256 i = 0; i < count; ++i) {
            vm.assertEq(drawn[i], expected[i]);
        }
    }

    /// @dev Known answer, made by `draw` of bfl_ref/governance/validators.py.
    function test_draw_knownAnswer_isMet() public view {
        address[] memory pool = new address[](7);
        uint160[7] memory names = [uint160(1), 2, 1, 3, 4, 1, 5];
        for (uint256 i = 0; i < 7; ++i) {
            pool[i] = address(names[i]);
        }
        uint256[] memory drawn = validators.draw(keccak256("committee"), pool, 4, 1);
        uint8[4] memory expected = [0, 4, 3, 1];
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(drawn[i], expected[i]);
        }
    }

    function test_pool_withoutThePenalty_isLeftOut() public {
        vault.slash(operators[2], 1, "late");
        vm.assertEq(contains(seat(1), operators[2]), false);
    }

    function test_pool_belowHalfOfTheBest_isLeftOut() public {
        for (uint256 i = 0; i < 4; ++i) {
            record(judges[i], 1024, 0); // 4666
        }
        record(judges[4], 0, 0); // 2000
        address[] memory committee = seat(1);
        vm.assertEq(committee.length, 4);
        vm.assertEq(contains(committee, judges[4]), false);
        record(judges[4], 136, 0); // 2498, and then 2333 is the half of 4666
        vm.assertEq(seat(2).length, 5);
    }

    /// @dev Where half of the best score is too high a bar for three, the third best score is the bar: the silent cannot end the rounds.
    function test_pool_fewAboveTheHalf_isFilledToThree() public {
        record(judges[0], 40_000, 0);
        record(judges[1], 1024, 9000);
        record(judges[2], 1024, 9000);
        record(judges[3], 0, 9000);
        record(judges[4], 0, 9000);
        address[] memory committee = seat(1);
        vm.assertEq(committee.length, 3);
        vm.assertEq(contains(committee, judges[3]), false);
        vm.assertEq(contains(committee, judges[4]), false);
    }

    function test_seat_tooFew_reverts() public {
        for (uint256 i = 0; i < 3; ++i) {
            vault.slash(operators[i], 1, "late");
        }
        vm.expectRevert(abi.encodeWithSelector(IValidators.TooFewInPool.selector, 2, 3));
        seat(1);
        vm.expectRevert(abi.encodeWithSelector(IValidators.TooFewInPool.selector, 2, 3));
        openRound();
    }

    function test_seat_oneOperator_hasOneSeat() public {
        for (uint256 i = 0; i < 2; ++i) {
            govern(address(validators), abi.encodeCall(IValidators.setOperator, (operators[i], operators[2])));
        }
        vm.assertEq(validators.operatorOf(operators[0]), operators[2]);
        vm.assertEq(validators.operatorOf(hospitals[0]), hospitals[0]);
        vm.assertEq(seat(1).length, 3);
        govern(address(validators), abi.encodeCall(IValidators.setOperator, (hospitals[0], operators[2])));
        vm.expectRevert(abi.encodeWithSelector(IValidators.TooFewInPool.selector, 2, 3));
        seat(2);
        address[4] memory freed = [operators[0], operators[1], hospitals[0], hospitals[1]];
        for (uint256 i = 0; i < 4; ++i) {
            govern(address(validators), abi.encodeCall(IValidators.setOperator, (freed[i], address(0))));
        }
        vm.assertEq(validators.operatorOf(operators[0]), operators[0]);
        vm.assertEq(seat(2).length, 5);
    }

    // ------------------------------------------------------------------ votes

    function test_voteDigest_isEip712() public view {
        Content memory model = content("model");
        bytes32 domain = keccak256(
            abi.encode(
                0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f,
                keccak256("bfl_ref"),
                keccak256("1"),
                block.chainid,
                address(validators)
            )
        );
        bytes32 vote = keccak256(
            abi.encode(
                keccak256("Vote(uint256 roundId,bytes32 cid,uint8 codec,bytes32 digest)"),
                9,
                model.cid,
                model.codec,
                model.digest
            )
        );
        vm.assertEq(validators.voteDigest(9, model), keccak256(abi.encodePacked("\x19\x01", domain, vote)));
    }

    function test_signerOf_othersAndJunk_revert() public {
        seat(1);
        Content memory model = content("model");
        vm.assertEq(validators.signerOf(1, model, signed(operators[1], 1, model)), operators[1]);
        bytes memory signature = signed(hospitals[2], 1, model);
        vm.expectRevert(abi.encodeWithSelector(IValidators.NotInCommittee.selector, 1, hospitals[2]));
        validators.signerOf(1, model, signature);
        vm.expectRevert(abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureLength.selector, 3));
        validators.signerOf(1, model, "abc");
        vm.expectRevert(ECDSA.ECDSAInvalidSignature.selector);
        validators.signerOf(1, model, new bytes(65));
        // a vote of another round is somebody else's, as far as this one can tell
        signature = signed(operators[1], 2, model);
        vm.expectPartialRevert(IValidators.NotInCommittee.selector);
        validators.signerOf(1, model, signature);
    }

    function test_voteModel_manyAtOnce_byAnyVoter() public {
        uint256 roundId = reach(Phase.Finalise);
        bytes[] memory signatures = new bytes[](4);
        for (uint256 i = 0; i < 4; ++i) {
            signatures[i] = signed(judges[i], roundId, content("model"));
        }
        vm.expectEmit(address(manager));
        emit IRoundManager.ModelVoted(roundId, judges[0], content("model").digest, 1);
        vm.prank(hospitals[3]); // no validator
        manager.voteModel(roundId, content("model"), signatures);
        vm.assertEq(registry.versions(), 2);
        vm.assertEq(manager.participationOf(roundId, judges[3]).votedFor, 1);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.AlreadyVoted.selector, roundId, judges[2]));
        voteFor(roundId, judges[2], "model");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NoVote.selector, auditor));
        vm.prank(auditor);
        manager.voteModel(roundId, content("model"), signatures);
    }

    function test_voteModel_roleChangedSince_reverts() public {
        uint256 roundId = reach(Phase.Finalise);
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (hospitals[0], HOSPITAL)));
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.NotInRound.selector, roundId, hospitals[0]));
        voteFor(roundId, hospitals[0], "model");
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (hospitals[0], 7)));
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.NotInRound.selector, roundId, hospitals[0]));
        voteFor(roundId, hospitals[0], "model");
    }

    /// @dev A seat's stake stays for as long as the round is open, and so does what a vote for two models costs.
    function test_stake_ofTheCommittee_isFrozenUntilTheEnd() public {
        uint256 roundId = openRound();
        vm.prank(operators[1]);
        vault.requestUnlock(PENALTY);
        skip(UNLOCK_DELAY);
        vm.expectPartialRevert(bytes4(keccak256("StakeFrozen(address,uint16)")));
        vm.prank(operators[1]);
        vault.withdraw();
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            skip(PHASE_BLOCKS + 1);
            advance(roundId);
        }
        vm.prank(operators[1]);
        vault.withdraw();
        vm.assertEq(token.balanceOf(operators[1]), 1000);
    }

    // ------------------------------------------------------------------ two votes

    function report(address reporter, uint256 roundId, address first, address second, string memory other) internal {
        bytes memory one = signed(first, roundId, content("model"));
        bytes memory two = signed(second, roundId, content(other));
        vm.prank(reporter);
        validators.report(roundId, content("model"), one, content(other), two);
    }

    function test_report_twoVotes_isSlashedAndRemembered() public {
        uint256 roundId = openRound();
        vm.expectEmit(address(validators));
        emit IValidators.Equivocated(
            roundId,
            operators[2],
            auditor,
            validators.voteDigest(roundId, content("model")),
            validators.voteDigest(roundId, content("rival"))
        );
        report(auditor, roundId, operators[2], operators[2], "rival");
        vm.assertEq(vault.stakeOf(operators[2]).active, 0);
        vm.assertEq(vault.treasury(), PENALTY - FEE);
        vm.assertEq(token.balanceOf(auditor), 1000 + FEE);
        (, uint256 negative) = reputation.evidenceOf(operators[2], roundId);
        vm.assertEq(negative, 16_384);
        vm.expectRevert(abi.encodeWithSelector(IValidators.AlreadyReported.selector, roundId, operators[2]));
        report(auditor, roundId, operators[2], operators[2], "third");
    }

    function test_report_byTheCulprit_paysNoFee() public {
        uint256 roundId = openRound();
        report(operators[2], roundId, operators[2], operators[2], "rival");
        vm.assertEq(vault.treasury(), PENALTY);
        vm.assertEq(token.balanceOf(operators[2]), 1000 - PENALTY);
    }

    /// @dev Rounds later, under other parameters, with less stake and the culprit no member any more: what is there is taken.
    function test_report_longAfter_takesWhatIsThere() public {
        uint256 roundId = openRound();
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            skip(PHASE_BLOCKS + 1);
            advance(roundId);
        }
        uint256 later = reach(Phase.Finalise);
        vault.slash(hospitals[0], MIN_STAKE - 10, "late");
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[0])));
        govern(address(validators), abi.encodeCall(IValidators.setValidators, (ValidatorParameters(3, 1, 500, 500))));
        uint256 before = vault.treasury();
        report(auditor, roundId, hospitals[0], hospitals[0], "rival");
        vm.assertEq(vault.treasury(), before); // ten were there, and the fee is twenty
        vm.assertEq(token.balanceOf(auditor), 1010);
        vm.assertEq(reputation.standingOf(hospitals[0]).written, later);
        for (uint256 i = 1; i < 5; ++i) {
            voteFor(later, judges[i], "model");
        }
        advance(later);
        advance(later);
        vm.assertTrue(manager.phaseOf(later) == Phase.Finalised, "finalised");
    }

    function test_report_refusals_byName() public {
        uint256 roundId = openRound();
        vm.expectRevert(abi.encodeWithSelector(IValidators.SameVote.selector, content("model").digest));
        report(auditor, roundId, operators[2], operators[2], "model");
        vm.expectRevert(abi.encodeWithSelector(IValidators.SignersDiffer.selector, operators[2], operators[1]));
        report(auditor, roundId, operators[2], operators[1], "rival");
        vm.expectRevert(abi.encodeWithSelector(IValidators.NotInCommittee.selector, roundId, hospitals[2]));
        report(auditor, roundId, hospitals[2], hospitals[2], "rival");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        report(outsider, roundId, operators[2], operators[2], "rival");
    }

    // ------------------------------------------------------------------ powers and parameters

    function test_powers_withoutThem_revert() public {
        bytes memory reason = abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], ROUNDS_ROLE);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        validators.seat(1);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        validators.reseed(0);
        reason = abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        validators.setOperator(operators[0], operators[1]);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        validators.setValidators(ValidatorParameters(3, 1, 0, 0));
    }

    function expectRange(ValidatorParameters memory bad, bytes32 name, uint256 got, uint256 low, uint256 high)
        internal
    {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, name, got, low, high));
        new Validators(consortium, vault, reputation, bad);
    }

    function test_setValidators_outOfBounds_reverts() public {
        expectRange(ValidatorParameters(2, 1, 0, 0), "seats", 2, 3, 64);
        expectRange(ValidatorParameters(65, 1, 0, 0), "seats", 65, 3, 64);
        expectRange(ValidatorParameters(5, 0, 0, 0), "perOperator", 0, 1, 5);
        expectRange(ValidatorParameters(5, 6, 0, 0), "perOperator", 6, 1, 5);
        expectRange(ValidatorParameters(5, 1, 9, 10), "fee", 10, 0, 9);
    }
}
