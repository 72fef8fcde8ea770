// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Reputation} from "../src/Reputation.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {EVIDENCE_ROLE, IReputation, ReputationParameters, Standing} from "../src/interfaces/IReputation.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice Evidence, its decay and the scores that follow, against the arithmetic done again here.
contract ReputationTest is Deployment {
    uint256 internal constant DECAY = 4_080_218_931;

    function record(uint256 roundId, address member, uint256 positive, uint256 negative) internal {
        vm.prank(address(settlement));
        reputation.record(roundId, member, positive, negative);
    }

    /// @dev decay^rounds from the lowest bit of the exponent up, each product cut to 32 bits.
    function left(uint256 rounds) internal pure returns (uint256 product) {
        product = 2 ** 32;
        uint256 square = DECAY;
        for (uint256 bit = 0; bit < 32; ++bit) {
            if ((rounds / 2 ** bit) % 2 == 1) product = product * square / 2 ** 32;
            square = square * square / 2 ** 32;
        }
    }

    function test_newIdentity_hasTheBaseRate() public view {
        vm.assertEq(reputation.scoreOf(hospitals[0], 1), 2000);
        vm.assertEq(reputation.scoreOf(outsider, 1000), 2000);
    }

    /// @dev 1024 and 1024 after a round: 10,000 * 972 + 2,000 * 2048 over 972 + 2048, worked by hand.
    function test_record_knownAnswers_areMet() public {
        record(1, hospitals[0], 1024, 0);
        vm.assertEq(reputation.scoreOf(hospitals[0], 1), 4666);
        (uint256 positive, uint256 negative) = reputation.evidenceOf(hospitals[0], 2);
        vm.assertEq(positive, 972);
        vm.assertEq(negative, 0);
        vm.assertEq(reputation.scoreOf(hospitals[0], 2), 4574);
        vm.expectEmit(address(reputation));
        emit IReputation.EvidenceRecorded(2, hospitals[0], 0, 16_384, 972, 16_384);
        record(2, hospitals[0], 0, 16_384);
        vm.assertEq(reputation.scoreOf(hospitals[0], 2), 712);
        vm.assertEq(reputation.standingOf(hospitals[0]).written, 2);
    }

    /// @dev One failure outweighs many deadlines kept, and a whole history decays: rises slowly, falls fast.
    function test_score_afterManyRounds_forgets() public {
        for (uint256 roundId = 1; roundId <= 40; ++roundId) {
            record(roundId, hospitals[0], 2048, 0);
        }
        vm.assertGe(reputation.scoreOf(hospitals[0], 40), 9000, "trusted");
        record(41, hospitals[0], 0, 16_384);
        vm.assertLe(reputation.scoreOf(hospitals[0], 41), 7000, "distrusted at once");
        vm.assertLe(reputation.scoreOf(hospitals[0], 400), 2000, "forgotten");
        vm.assertEq(reputation.scoreOf(hospitals[0], 4000), 2000);
    }

    /// @dev Any history: r, s and score follow the arithmetic, and the two batch views say the same.
    function testFuzz_record_anyHistory_followsTheArithmetic(uint256 seed) public {
        uint256[3] memory own; // r, s, written
        uint256 roundId = 1;
        for (uint256 i = 0; i < 12; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            roundId += seed % 3 == 0 ? 0 : (seed >> 8) % 70;
            (uint256 positive, uint256 negative) = ((seed >> 32) % 20_000, (seed >> 64) % 20_000);
            uint256 kept = left(roundId - own[2]);
            own = [own[0] * kept / 2 ** 32 + positive, own[1] * kept / 2 ** 32 + negative, roundId];
            record(roundId, hospitals[1], positive, negative);
        }
        Standing memory standing = reputation.standingOf(hospitals[1]);
        vm.assertEq(standing.positive, own[0]);
        vm.assertEq(standing.negative, own[1]);
        uint256 asked = roundId + (seed >> 96) % 500;
        (uint256 r, uint256 s) = (own[0] * left(asked - roundId) / 2 ** 32, own[1] * left(asked - roundId) / 2 ** 32);
        uint256 score = (10_000 * r + 2000 * 2048) / (r + s + 2048);
        vm.assertEq(reputation.scoreOf(hospitals[1], asked), score);
        uint256[] memory scores = reputation.scoresOf(hospitals, asked);
        uint256[] memory prospects = reputation.prospectsOf(asked, hospitals);
        vm.assertEq(scores[1], score);
        vm.assertEq(scores[0], 2000);
        vm.assertEq(prospects[1], score | 1 << 56);
        vm.assertEq(keccak256(abi.encode(reputation.standingsOf(hospitals)[1])), keccak256(abi.encode(standing)));
    }

    function test_record_moreThanFits_isHeld() public {
        record(1, hospitals[0], type(uint256).max, 2 ** 47);
        record(1, hospitals[0], 1, 2 ** 47);
        (uint256 positive, uint256 negative) = reputation.evidenceOf(hospitals[0], 1);
        vm.assertEq(positive, 2 ** 48 - 1);
        vm.assertEq(negative, 2 ** 48 - 1);
        vm.assertEq(reputation.scoreOf(hospitals[0], 1), 4999);
    }

    function test_record_roundBefore_reverts() public {
        record(5, hospitals[0], 1, 0);
        bytes memory reason = abi.encodeWithSelector(IReputation.RoundBefore.selector, 4, 5);
        vm.expectRevert(reason);
        record(4, hospitals[0], 1, 0);
        vm.expectRevert(reason);
        reputation.scoreOf(hospitals[0], 4);
        vm.expectRevert(reason);
        reputation.scoresOf(hospitals, 4);
    }

    function test_note_bucketAndSelection_areInTheProspects() public {
        address[] memory one = new address[](1);
        one[0] = hospitals[2];
        vm.prank(address(settlement));
        reputation.noteBucket(hospitals[2], 6);
        vm.assertEq(reputation.prospectsOf(3, one)[0], 2000 | 6 << 16 | 1 << 56);
        vm.prank(address(selection));
        reputation.noteSelection(3, new address[](0), one);
        vm.assertEq(reputation.prospectsOf(3, one)[0], 2000 | 6 << 16);
        vm.assertEq(reputation.prospectsOf(9, one)[0], 2000 | 6 << 16 | 6 << 24); // waits since its first lottery
        vm.expectEmit(address(reputation));
        emit IReputation.SelectionNoted(10, one);
        vm.prank(address(selection));
        reputation.noteSelection(10, one, new address[](0));
        vm.assertEq(reputation.prospectsOf(10, one)[0], 2000 | 6 << 16);
        vm.assertEq(reputation.prospectsOf(13, one)[0], 2000 | 6 << 16 | 2 << 24);
        Standing memory standing = reputation.standingOf(hospitals[2]);
        vm.assertEq(standing.since, 3);
        vm.assertEq(standing.selected, 10);
        vm.assertEq(standing.bucket, 6);
        vm.assertEq(standing.written, 0);
    }

    function test_powers_withoutThem_revert() public {
        bytes memory reason = abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], EVIDENCE_ROLE);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        reputation.record(1, operators[0], 1000, 0);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        reputation.noteBucket(operators[0], 9);
        vm.expectRevert(reason);
        vm.prank(operators[0]);
        reputation.noteSelection(1, hospitals, hospitals);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]));
        vm.prank(operators[0]);
        reputation.setReputation(evidence());
    }

    function test_setReputation_byVote_holdsFromThenOn() public {
        record(1, hospitals[0], 1024, 0);
        ReputationParameters memory wanted = evidence();
        (wanted.base, wanted.threshold) = (5000, 5000);
        govern(address(reputation), abi.encodeCall(IReputation.setReputation, (wanted)));
        vm.assertEq(reputation.scoreOf(hospitals[1], 1), 5000);
        vm.assertEq(reputation.reputation().threshold, 5000);
    }

    function expectRange(ReputationParameters memory bad, bytes32 name, uint256 got, uint256 low, uint256 high)
        internal
    {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, name, got, low, high));
        new Reputation(consortium, bad);
    }

    function test_setReputation_outOfBounds_reverts() public {
        ReputationParameters memory bad = evidence();
        bad.decay = 0;
        expectRange(bad, "decay", 0, 1, type(uint32).max);
        bad = evidence();
        bad.prior = 0;
        expectRange(bad, "prior", 0, 1, type(uint16).max);
        bad = evidence();
        bad.base = 10_001;
        expectRange(bad, "base", 10_001, 1, 10_000);
        bad = evidence();
        bad.threshold = 2001;
        expectRange(bad, "threshold", 2001, 1, 2000);
        bad.threshold = 0;
        expectRange(bad, "threshold", 0, 1, 2000);
        bad = evidence();
        bad.qualityFull = 0;
        expectRange(bad, "qualityFull", 0, 1, 10_000);
    }
}
