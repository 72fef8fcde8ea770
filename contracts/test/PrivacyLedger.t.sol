// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {HOSPITAL, IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IPrivacyLedger, PrivacyAccount} from "../src/interfaces/IPrivacyLedger.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

contract PrivacyLedgerTest is Deployment {
    uint64 internal constant BUDGET = 3_000_000;
    uint64 internal constant DELTA = 1e13;
    address internal hospital;

    function setUp() public override {
        super.setUp();
        hospital = hospitals[0];
    }

    function fix(uint64 budget, uint64 delta) internal {
        vm.prank(hospital);
        privacy.fixBudget(budget, delta);
    }

    function post(uint64 roundId, uint64 spent) internal {
        vm.prank(hospital);
        privacy.post(roundId, spent);
    }

    function expect(uint64 spent, uint64 roundId) internal view {
        PrivacyAccount memory got = privacy.accountOf(hospital);
        vm.assertEq(got.budget, BUDGET);
        vm.assertEq(got.delta, DELTA);
        vm.assertEq(got.spent, spent);
        vm.assertEq(got.roundId, roundId);
    }

    function test_fixAndPost_keepAndEmit() public {
        vm.expectEmit(address(privacy));
        emit IPrivacyLedger.BudgetFixed(hospital, BUDGET, DELTA);
        fix(BUDGET, DELTA);
        expect(0, 0);
        vm.expectEmit(address(privacy));
        emit IPrivacyLedger.PrivacySpent(2, hospital, 1_000_000, BUDGET);
        post(2, 1_000_000);
        expect(1_000_000, 2);
        post(7, BUDGET);
        expect(BUDGET, 7);
        vm.assertEq(privacy.accountOf(hospitals[1]).budget, 0);
    }

    function test_fixBudget_twice_reverts() public {
        fix(BUDGET, DELTA);
        vm.expectRevert(abi.encodeWithSelector(IPrivacyLedger.BudgetAlreadyFixed.selector, hospital));
        fix(2 * BUDGET, DELTA);
        expect(0, 0);
    }

    function test_fixBudget_outOfRange_reverts() public {
        uint64 top = type(uint64).max;
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("budget"), 0, 1, top));
        fix(0, DELTA);
        for (uint64 delta = 0; delta <= 1e18; delta += 1e18) {
            vm.expectRevert(
                abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("delta"), delta, 1, 1e18 - 1)
            );
            fix(BUDGET, delta);
        }
    }

    function test_post_withoutBudget_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IPrivacyLedger.NoBudget.selector, hospital));
        post(1, 1);
    }

    function test_post_pastTheBudget_reverts() public {
        fix(BUDGET, DELTA);
        vm.expectRevert(abi.encodeWithSelector(IPrivacyLedger.BudgetExceeded.selector, BUDGET, BUDGET + 1));
        post(1, BUDGET + 1);
        expect(0, 0);
    }

    function test_post_notMoreOrNotLater_reverts() public {
        fix(BUDGET, DELTA);
        post(2, 1_000);
        for (uint64 spent = 999; spent <= 1_000; ++spent) {
            vm.expectRevert(abi.encodeWithSelector(IPrivacyLedger.SpentMayOnlyGrow.selector, 1_000, spent));
            post(3, spent);
        }
        vm.expectRevert(abi.encodeWithSelector(IPrivacyLedger.RoundMayOnlyAdvance.selector, 2, 1));
        post(1, 2_000);
        expect(1_000, 2);
        post(2, 2_000);
        expect(2_000, 2);
    }

    function test_whoIsNoHospital_reverts() public {
        hospital = outsider;
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        fix(BUDGET, DELTA);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        post(1, 1);
        hospital = operators[0];
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, operators[0], HOSPITAL));
        fix(BUDGET, DELTA);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, operators[0], HOSPITAL));
        post(1, 1);
    }

    /// @dev Whatever is posted in whatever order, an account only grows and stays within its budget.
    function testFuzz_post_growsWithinTheBudget(uint64[12] memory spent, uint8[12] memory rounds, uint64 budget)
        public
    {
        budget = budget == 0 ? 1 : budget;
        fix(budget, DELTA);
        PrivacyAccount memory before = privacy.accountOf(hospital);
        for (uint256 i = 0; i < spent.length; ++i) {
            bool fits = spent[i] > before.spent && spent[i] <= budget && rounds[i] >= before.roundId;
            vm.prank(hospital);
            try privacy.post(rounds[i], spent[i]) {
                vm.assertEq(fits, true);
            } catch {
                vm.assertEq(fits, false);
            }
            PrivacyAccount memory after_ = privacy.accountOf(hospital);
            vm.assertEq(after_.spent, fits ? spent[i] : before.spent);
            vm.assertEq(after_.roundId, fits ? rounds[i] : before.roundId);
            before = after_;
        }
    }
}
