// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rewards} from "../src/Rewards.sol";
import {HOSPITAL, IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IRewards, PAYER_ROLE, RewardParameters} from "../src/interfaces/IRewards.sol";
import {IRollup} from "../src/interfaces/IRollup.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice What a round credits, to the last unit, and how it is fetched.
contract RewardsTest is Deployment {
    function fund(address from, uint256 amount) internal {
        vm.prank(from);
        token.approve(address(rewards), amount);
        vm.prank(from);
        rewards.fund(amount);
    }

    function credit(uint256 roundId, address[] memory who, uint256[] memory parts, address[] memory services) internal {
        vm.prank(address(settlement));
        rewards.credit(roundId, who, parts, services, IRollup(address(0)));
    }

    function three(uint256 a, uint256 b, uint256 c) internal pure returns (uint256[] memory list) {
        list = new uint256[](3);
        (list[0], list[1], list[2]) = (a, b, c);
    }

    function firstHospitals() internal view returns (address[] memory list) {
        list = new address[](3);
        (list[0], list[1], list[2]) = (hospitals[0], hospitals[1], hospitals[2]);
    }

    function claim(address member) internal returns (uint256) {
        vm.prank(member);
        return rewards.claim();
    }

    /// @dev 40 in the ratio 1 : 2 : 4 is 5, 11 and 22; two are left over, and three services get 1 each.
    function test_credit_knownAnswer_keepsTheRemainder() public {
        fund(operators[0], 100);
        address[] memory services = new address[](3);
        (services[0], services[1], services[2]) = (operators[1], operators[1], operators[2]);
        vm.expectEmit(address(rewards));
        emit IRewards.RewardsCredited(1, 38, 3, 59);
        credit(1, firstHospitals(), three(1, 2, 4), services);
        vm.assertEq(rewards.owedTo(hospitals[0]), 5);
        vm.assertEq(rewards.owedTo(hospitals[1]), 11);
        vm.assertEq(rewards.owedTo(hospitals[2]), 22);
        vm.assertEq(rewards.owedTo(operators[1]), 2);
        vm.assertEq(rewards.owedTo(operators[2]), 1);
        vm.assertEq(rewards.owed(), 41);
        vm.assertEq(rewards.pot(), 59);
        vm.assertEq(claim(hospitals[1]), 11);
        vm.assertEq(token.balanceOf(hospitals[1]), 1011);
        vm.assertEq(rewards.owed(), 30);
        vm.assertEq(rewards.pot(), 59);
    }

    /// @dev Whatever is in the pot and whoever did what: floors of the shares, nothing owed that is not held, nothing lost.
    function testFuzz_credit_anyContributions_conserve(uint16 funds, uint32[3] calldata parts, uint8 count) public {
        uint256 pot = funds % 90;
        fund(operators[0], pot);
        address[] memory services = new address[](count % 12);
        for (uint256 i = 0; i < services.length; ++i) {
            services[i] = cast[4 + i % 3];
        }
        credit(7, firstHospitals(), three(parts[0], parts[1], parts[2]), services);
        uint256 sum = uint256(parts[0]) + parts[1] + parts[2];
        uint256 share = pot < 40 ? pot : 40;
        uint256 left = pot;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 due = sum == 0 ? 0 : share * parts[i] / sum;
            vm.assertEq(rewards.owedTo(hospitals[i]), due);
            left -= due;
        }
        uint256 each = services.length == 0 ? 0 : left / services.length;
        if (each > 1) each = 1;
        uint256 served = rewards.owedTo(cast[4]) + rewards.owedTo(cast[5]) + rewards.owedTo(cast[6]);
        vm.assertEq(served, each * services.length);
        vm.assertEq(rewards.pot(), left - served);
        vm.assertEq(rewards.owed() + rewards.pot(), token.balanceOf(address(rewards)));
    }

    function test_credit_nothingContributed_paysServicesOnly() public {
        fund(operators[0], 10);
        credit(1, firstHospitals(), three(0, 0, 0), hospitals);
        vm.assertEq(rewards.owed(), 4);
    }

    function test_credit_emptyPot_owesNothing() public {
        credit(1, firstHospitals(), three(1, 1, 1), hospitals);
        vm.assertEq(rewards.owed(), 0);
    }

    function test_credit_refusals_byName() public {
        credit(1, firstHospitals(), three(1, 1, 1), hospitals);
        vm.expectRevert(abi.encodeWithSelector(IRewards.AlreadyCredited.selector, 1));
        credit(1, firstHospitals(), three(1, 1, 1), hospitals);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.LengthMismatch.selector, 4, 3));
        credit(2, hospitals, three(1, 1, 1), hospitals);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], PAYER_ROLE));
        vm.prank(operators[0]);
        rewards.credit(2, hospitals, three(1, 1, 1), hospitals, IRollup(address(0)));
    }

    /// @dev A treasury that slashes filled pays rewards once a vote sends it.
    function test_fund_fromTheTreasury_isInThePot() public {
        stake(hospitals[0], 30);
        vault.slash(hospitals[0], 30, "late");
        govern(address(vault), abi.encodeCall(IStakeVault.spendTreasury, (address(rewards), 30)));
        vm.assertEq(rewards.pot(), 30);
    }

    /// @dev What a member earned before it was removed waits for it; nobody else is held up.
    function test_claim_removedMember_waitsForItsReturn() public {
        fund(operators[0], 100);
        credit(1, firstHospitals(), three(1, 1, 2), new address[](0));
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (hospitals[2])));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, hospitals[2]));
        claim(hospitals[2]);
        credit(2, firstHospitals(), three(1, 1, 2), new address[](0));
        vm.assertEq(claim(hospitals[0]), 20);
        govern(address(consortium), abi.encodeCall(IConsortium.admit, (hospitals[2], HOSPITAL)));
        vm.assertEq(claim(hospitals[2]), 40);
    }

    function test_claim_nothingOwed_reverts() public {
        fund(operators[0], 100);
        credit(1, firstHospitals(), three(1, 1, 2), new address[](0));
        claim(hospitals[0]);
        vm.expectRevert(abi.encodeWithSelector(IRewards.NothingOwed.selector, hospitals[0]));
        claim(hospitals[0]);
    }

    function test_fund_byOutsider_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        rewards.fund(0);
    }

    function test_setRewards_byVoteAndOutOfBounds() public {
        govern(address(rewards), abi.encodeCall(IRewards.setRewards, (RewardParameters(7, 3))));
        vm.assertEq(rewards.rewards().hospitals, 7);
        vm.assertEq(rewards.rewards().service, 3);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]));
        vm.prank(operators[0]);
        rewards.setRewards(RewardParameters(7, 3));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("hospitals"), 8001, 0, 8000));
        new Rewards(consortium, token, RewardParameters(8001, 3));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("service"), 8001, 0, 8000));
        new Rewards(consortium, token, RewardParameters(7, 8001));
    }
}
