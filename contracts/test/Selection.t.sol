// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Selection} from "../src/Selection.sol";
import {HOSPITAL, IConsortium, ROUNDS_ROLE} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {EVIDENCE_ROLE} from "../src/interfaces/IReputation.sol";
import {ISelection, SelectionParameters} from "../src/interfaces/ISelection.sol";
import {VerifiedDeployment} from "./VerifiedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice The lottery: who is eligible, with what weight, and that the draw is the one that anyone can repeat.
contract SelectionTest is VerifiedDeployment {
    bytes32 internal constant SEED = keccak256("r1");

    function setUp() public override {
        super.setUp();
        openRound(); // round 1: what is registered by now may train in it
    }

    /// @dev Three seats, so that four hospitals are drawn from.
    function lottery() internal override returns (SelectionParameters memory) {
        return SelectionParameters(3, 4, 7);
    }

    function select(bytes32 seed) internal returns (address[] memory) {
        uint32 version = consortium.version();
        vm.prank(address(manager));
        return selection.select(1, version, MIN_STAKE, seed);
    }

    /// @dev Draws one by one from a list that is made shorter each time.
    function naive(bytes32 seed, uint256[] memory weights, uint256 seats)
        internal
        pure
        returns (uint256[] memory drawn)
    {
        uint256 positive = 0;
        for (uint256 i = 0; i < weights.length; ++i) {
            if (weights[i] > 0) ++positive;
        }
        drawn = new uint256[](positive < seats ? positive : seats);
        for (uint256 t = 0; t < drawn.length; ++t) {
            uint256 sum = 0;
            for (uint256 i = 0; i < weights.length; ++i) {
                if (!taken(drawn, t, i)) sum += weights[i];
            }
            uint256 ticket = uint256(keccak256(abi.encode(seed, t))) % sum;
            uint256 upTo = 0;
            for (uint256 i = 0; i < weights.length; ++i) {
                if (taken(drawn, t, i)) continue;
                upTo += weights[i];
                if (upTo > ticket) {
                    drawn[t] = i;
                    break;
                }
            }
        }
        if (positive > seats) return drawn;
        uint256 found = 0;
        for (uint256 i = 0; i < weights.length; ++i) {
            if (weights[i] > 0) drawn[found++] = i;
        }
    }

    function taken(uint256[] memory drawn, uint256 count, uint256 place) internal pure returns (bool found) {
        for (uint256 i = 0; i < count; ++i) {
            if (drawn[i] == place) found = true;
        }
    }

    function testFuzz_draw_anyWeights_isTheNaiveOne(bytes32 seed, uint16[] calldata raw, uint8 seats) public view {
        uint256[] memory weights = new uint256[](raw.length % 40);
        for (uint256 i = 0; i < weights.length; ++i) {
            weights[i] = raw[i] % 5 == 0 ? 0 : uint256(raw[i]) << (raw[i] % 60);
        }
        uint256[] memory drawn = selection.draw(seed, weights, seats % 20);
        vm.assertEq(keccak256(abi.encode(drawn)), keccak256(abi.encode(naive(seed, weights, seats % 20))));
    }

    /// @dev Known answer, made by `draw` of bfl_ref/governance/selection.py.
    function test_draw_knownAnswer_isMet() public view {
        uint256[] memory weights = new uint256[](6);
        (weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]) = (5, 0, 7, 100, 1, 30);
        uint256[] memory drawn = selection.draw(keccak256("lottery"), weights, 3);
        vm.assertEq(drawn.length, 3);
        vm.assertEq(drawn[0], 3);
        vm.assertEq(drawn[1], 0);
        vm.assertEq(drawn[2], 5);
    }

    /// @dev All have score 2000 and stake 100, but for the stake of the second (above the cap) and what is noted of the others.
    function test_select_weights_areTheFormula() public {
        stake(hospitals[1], 350);
        vm.prank(address(settlement));
        selection.setTypical(2);
        vm.prank(address(settlement));
        reputation.noteBucket(hospitals[2], 1);
        vm.prank(address(settlement));
        reputation.noteBucket(hospitals[3], 9);
        uint256[] memory weights = new uint256[](4);
        (weights[0], weights[1]) = (2000 * 4 * 16, 2000 * 4 * 64);
        (weights[2], weights[3]) = (2000 * 5 * 16, 2000 * 6 * 16);
        uint256[] memory drawn = selection.draw(SEED, weights, 3);
        address[] memory expected = new address[](3);
        for (uint256 i = 0; i < 3; ++i) {
            expected[i] = hospitals[drawn[i]];
        }
        vm.expectEmit(address(selection));
        emit ISelection.LotteryDrawn(1, SEED, hospitals, weights, expected);
        address[] memory selected = select(SEED);
        vm.assertEq(keccak256(abi.encode(selected)), keccak256(abi.encode(expected)));
        // who waits gets more weight with each lottery, up to the patience
        for (uint256 i = 0; i < 4; ++i) {
            bool drawn_ = reputation.standingOf(hospitals[i]).selected == 1;
            vm.assertEq(reputation.standingOf(hospitals[i]).since, 1);
            vm.assertEq(waitedIn(5, hospitals[i]), drawn_ ? 3 : 4);
        }
    }

    function waitedIn(uint256 roundId, address hospital) internal view returns (uint256) {
        address[] memory one = new address[](1);
        one[0] = hospital;
        return uint32(reputation.prospectsOf(roundId, one)[0] >> 24);
    }

    function test_select_notEligible_areLeftOut() public {
        vault.slash(hospitals[0], 1, "late"); // below the minimum stake
        vm.prank(address(settlement));
        reputation.record(1, hospitals[1], 0, 2049); // one unit below the threshold
        vm.prank(hospitals[2]);
        data.shrink(segmentsFor(hospitals[2], 500), 500, content("leaves")); // since the opening
        address[] memory selected = select(SEED);
        vm.assertEq(selected.length, 1);
        vm.assertEq(selected[0], hospitals[3]);
        vm.assertEq(reputation.standingOf(hospitals[0]).since, 0);
    }

    function test_select_atTheThreshold_isEligible() public {
        vm.prank(address(settlement));
        reputation.record(1, hospitals[1], 0, 2048);
        vm.assertEq(reputation.scoreOf(hospitals[1], 1), 1000);
        vm.assertEq(select(0).length, 4);
    }

    function test_select_changedSinceTheOpening_isLeftOut() public {
        uint32 version = consortium.version();
        govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (hospitals[3], HOSPITAL)));
        vm.prank(address(manager));
        vm.assertEq(selection.select(1, version, MIN_STAKE, SEED).length, 3);
    }

    function test_select_withoutSeed_takesAllInOrder() public {
        vm.prank(hospitals[2]);
        data.shrink(segmentsFor(hospitals[2], 500), 500, content("leaves")); // nobody asks for data in such a round
        vm.assertEq(keccak256(abi.encode(select(0))), keccak256(abi.encode(hospitals)));
    }

    function test_select_nobodyEligible_isEmpty() public {
        vm.prank(address(manager));
        vm.assertEq(selection.select(1, type(uint32).max, 1000, SEED).length, 0);
    }

    function test_select_withoutMinimumStake_countsAllAlike() public {
        vm.prank(address(manager));
        vm.assertEq(selection.select(1, type(uint32).max, 0, SEED).length, 3);
    }

    /// @dev Over many lotteries everybody is selected, whatever their luck: waiting adds up.
    function test_round_lottery_selectsSeatsAndStarvesNobody() public {
        uint256[4] memory last;
        uint256 roundId = 1;
        for (uint256 i = 0; i < 12; ++i) {
            if (i > 0) roundId = openRound();
            work(roundId);
            advance(roundId);
            vm.assertEq(manager.hospitalsOf(roundId).length, 3);
            for (uint256 k = 0; k < 4; ++k) {
                bool selected = manager.participationOf(roundId, hospitals[k]).selected;
                vm.assertEq(vault.stakeOf(hospitals[k]).freezes, (selected ? 1 : 0) + (k < 2 ? 1 : 0));
                if (selected) last[k] = roundId;
                vm.assertLe(roundId - last[k], 5, "starved");
            }
            while (manager.phaseOf(roundId) < Phase.Finalised) {
                work(roundId);
                advance(roundId);
            }
        }
    }

    // ------------------------------------------------------------------ refusals

    function test_powers_withoutThem_revert() public {
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], ROUNDS_ROLE));
        vm.prank(operators[0]);
        selection.select(1, 1, 1, SEED);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], EVIDENCE_ROLE));
        vm.prank(operators[0]);
        selection.setTypical(1);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]));
        vm.prank(operators[0]);
        selection.setSelection(SelectionParameters(3, 4, 7));
    }

    function test_setSelection_byVoteAndOutOfBounds() public {
        govern(address(selection), abi.encodeCall(ISelection.setSelection, (SelectionParameters(64, 1, 0))));
        vm.assertEq(selection.selection().seats, 64);
        uint8[2] memory seats = [uint8(2), 65];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("seats"), seats[i], 3, 64));
            new Selection(consortium, vault, reputation, audits, SelectionParameters(seats[i], 4, 7));
        }
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("stakeCap"), 0, 1, 255));
        new Selection(consortium, vault, reputation, audits, SelectionParameters(3, 0, 7));
    }
}
