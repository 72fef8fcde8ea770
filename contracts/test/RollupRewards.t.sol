// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Rewards} from "../src/Rewards.sol";
import {SYSTEM_ROLE} from "../src/interfaces/IConsortium.sol";
import {IRewards, PAYER_ROLE, RewardParameters} from "../src/interfaces/IRewards.sol";
import {IRollupQueue, PUSHER_ROLE} from "../src/interfaces/IRollupQueue.sol";
import {RollupDeployment} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Rewards that go to accounts of the rollup: whole units, in one push.
contract RollupRewardsTest is RollupDeployment {
    Rewards internal paid;

    function setUp() public override {
        super.setUp();
        paid = new Rewards(consortium, coin, RewardParameters(uint96(7 * UNIT + 5), uint96(2 * UNIT + 1)));
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (SYSTEM_ROLE, address(paid))));
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (PUSHER_ROLE, address(paid))));
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (PAYER_ROLE, address(this))));
        coin.transfer(address(paid), 100 * UNIT);
        open(cast[0]);
        open(cast[1]);
    }

    function credit(uint256 roundId) internal {
        address[] memory who = new address[](3);
        uint256[] memory parts = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) {
            (who[i], parts[i]) = (cast[i], 1 + i);
        }
        address[] memory services = new address[](1);
        services[0] = cast[1];
        paid.credit(roundId, who, parts, services, rollup);
    }

    /// @dev Of 7 units and 5: one sixth, two sixths, a half; the first two have accounts, the third fetches its part.
    function test_credit_paysWholeUnitsIntoTheRollup() public {
        bytes memory list = bytes.concat(
            entry(DEPOSIT, 0, 0, amountOf(1)), entry(DEPOSIT, 0, 1, amountOf(2)), entry(DEPOSIT, 0, 1, amountOf(2))
        );
        vm.expectEmit(address(rollup));
        emit IRollupQueue.EntriesQueued(3, address(paid), 5, list);
        credit(1);
        vm.assertEq(rollup.inside(), 5);
        vm.assertEq(coin.balanceOf(address(rollup)), 5 * UNIT);
        vm.assertEq(paid.owedTo(cast[2]), (7 * UNIT + 5) / 2);
        vm.assertEq(paid.owed(), (7 * UNIT + 5) / 2);
        vm.assertEq(paid.pot(), 95 * UNIT - (7 * UNIT + 5) / 2);
    }

    /// @dev What the rollup gave back is owed to those whose it was.
    function test_restore_afterAFreeze_owesWhatNoBatchTook() public {
        credit(1);
        bytes memory list = bytes.concat(
            entry(DEPOSIT, 0, 0, amountOf(1)), entry(DEPOSIT, 0, 1, amountOf(2)), entry(DEPOSIT, 0, 1, amountOf(2))
        );
        skip(FORCE + 1);
        rollup.freeze();
        rollup.refund(3);
        uint256 pot = paid.pot();
        paid.restore(1, list, rollup);
        vm.assertEq(paid.owedTo(cast[0]), UNIT);
        vm.assertEq(paid.owedTo(cast[1]), 4 * UNIT);
        vm.assertEq(paid.pot(), pot - 5 * UNIT);
    }

    function test_restore_moreThanThereIs_reverts() public {
        bytes memory list = entry(DEPOSIT, 0, 0, amountOf(101));
        vm.expectRevert(abi.encodeWithSelector(IRewards.PotTooSmall.selector, 100 * UNIT, 101 * UNIT));
        paid.restore(1, list, rollup);
    }

    function test_credit_withAFrozenRollup_keepsItForThem() public {
        skip(FORCE + 1);
        rollup.freeze();
        credit(1);
        vm.assertEq(paid.owedTo(cast[0]), UNIT);
        vm.assertEq(paid.owedTo(cast[1]), 4 * UNIT);
        vm.assertEq(paid.owed(), 5 * UNIT + (7 * UNIT + 5) / 2);
        vm.assertEq(coin.balanceOf(address(rollup)), 0);
    }
}
