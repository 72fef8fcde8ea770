// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StakeVault} from "../src/StakeVault.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {FREEZER_ROLE, IStakeVault, SLASHER_ROLE, Stake} from "../src/interfaces/IStakeVault.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

contract StakeVaultTest is Deployment {
    address internal member;

    function setUp() public override {
        super.setUp();
        member = hospitals[0];
        stake(member, 500);
    }

    function requestUnlock(uint96 amount) internal {
        vm.prank(member);
        vault.requestUnlock(amount);
    }

    function withdraw() internal {
        vm.prank(member);
        vault.withdraw();
    }

    function one() internal view returns (address[] memory list) {
        list = new address[](1);
        list[0] = member;
    }

    function test_lock_byMember_movesTokens() public view {
        vm.assertEq(vault.stakeOf(member).active, 500);
        vm.assertEq(token.balanceOf(address(vault)), 500);
        vm.assertEq(token.balanceOf(member), 500);
    }

    function test_lock_zero_reverts() public {
        vm.expectRevert(IStakeVault.ZeroAmount.selector);
        vm.prank(member);
        vault.lock(0);
        vm.expectRevert(IStakeVault.ZeroAmount.selector);
        requestUnlock(0);
    }

    function test_anything_byOutsider_reverts() public {
        bytes memory reason = abi.encodeWithSelector(IConsortium.NotMember.selector, outsider);
        vm.expectRevert(reason);
        vm.prank(outsider);
        vault.lock(1);
        vm.expectRevert(reason);
        vm.prank(outsider);
        vault.requestUnlock(1);
        vm.expectRevert(reason);
        vm.prank(outsider);
        vault.withdraw();
    }

    function test_powers_withoutThem_revert() public {
        bytes memory noSlasher = abi.encodeWithSelector(IGoverned.MissingPower.selector, member, SLASHER_ROLE);
        vm.expectRevert(noSlasher);
        vm.prank(member);
        vault.slash(hospitals[1], 1, "");
        bytes memory noFreezer = abi.encodeWithSelector(IGoverned.MissingPower.selector, member, FREEZER_ROLE);
        vm.expectRevert(noFreezer);
        vm.prank(member);
        vault.freeze(one());
        vm.expectRevert(noFreezer);
        vm.prank(member);
        vault.release(one());
        bytes memory noVote = abi.encodeWithSelector(IConsortium.NotTheVote.selector, member);
        vm.expectRevert(noVote);
        vm.prank(member);
        vault.spendTreasury(member, 0);
        vm.expectRevert(noVote);
        vm.prank(member);
        vault.setUnlockDelay(1);
    }

    function test_requestUnlock_moreThanActive_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, member, 500, 501));
        requestUnlock(501);
    }

    function test_withdraw_afterDelay_paysOut() public {
        requestUnlock(200);
        vm.assertEq(vault.stakeOf(member).active, 300);
        skip(UNLOCK_DELAY);
        withdraw();
        vm.assertEq(token.balanceOf(member), 700);
        vm.assertEq(vault.stakeOf(member).unlocking, 0);
    }

    function test_withdraw_oneBlockEarly_reverts() public {
        requestUnlock(200);
        uint32 unlockBlock = vault.stakeOf(member).unlockBlock;
        skip(UNLOCK_DELAY - 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StillLocked.selector, member, unlockBlock, unlockBlock - 1));
        withdraw();
    }

    function test_withdraw_secondRequest_startsTheDelayAgain() public {
        requestUnlock(200);
        skip(UNLOCK_DELAY - 1);
        requestUnlock(1);
        skip(UNLOCK_DELAY - 1);
        vm.expectPartialRevert(IStakeVault.StillLocked.selector);
        withdraw();
        skip(1);
        withdraw();
        vm.assertEq(token.balanceOf(member), 701);
    }

    function test_withdraw_nothingUnlocking_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingUnlocking.selector, member));
        withdraw();
    }

    function test_withdraw_removedMember_stakeStays() public {
        requestUnlock(200);
        skip(UNLOCK_DELAY);
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (member)));
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, member));
        withdraw();
        vm.assertEq(vault.slash(member, 1000, "left"), 500);
    }

    function test_withdraw_whileFrozen_reverts() public {
        for (uint256 i = 1; i < 4; ++i) {
            stake(hospitals[i], MIN_STAKE);
        }
        uint256 roundId = reach(Phase.Train);
        requestUnlock(500);
        skip(UNLOCK_DELAY);
        uint256 freezes = 2; // as a hospital, and as a validator
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StakeFrozen.selector, member, freezes));
        withdraw();
        advance(roundId);
        skip(PHASE_BLOCKS + 1);
        advance(roundId); // nobody committed: aborted, and released
        withdraw();
        vm.assertEq(token.balanceOf(member), 1000);
    }

    function test_release_notFrozen_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NotFrozen.selector, member));
        vm.prank(address(manager));
        vault.release(one());
    }

    function test_slash_bothParts_activeFirst() public {
        requestUnlock(200);
        vm.assertEq(vault.slash(member, 350, "late"), 350);
        Stake memory left = vault.stakeOf(member);
        vm.assertEq(left.active, 0);
        vm.assertEq(left.unlocking, 150);
        vm.assertEq(vault.treasury(), 350);
    }

    function test_slash_whileFrozen_reachesTheStake() public {
        vm.prank(address(manager));
        vault.freeze(one());
        vm.assertEq(vault.slash(member, 1, "late"), 1);
    }

    function test_spendTreasury_byVote_pays() public {
        vault.slash(member, 100, "late");
        govern(address(vault), abi.encodeCall(IStakeVault.spendTreasury, (operators[0], 60)));
        vm.assertEq(token.balanceOf(operators[0]), 1060);
        vm.assertEq(vault.treasury(), 40);
    }

    function test_spendTreasury_moreThanThere_reverts() public {
        vault.slash(member, 100, "late");
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientTreasury.selector, 100, 101));
        vm.prank(address(consortium));
        vault.spendTreasury(operators[0], 101);
    }

    function test_setUnlockDelay_outOfBounds_reverts() public {
        for (uint32 blocks_ = 0; blocks_ <= 10_000_001; blocks_ += 10_000_001) {
            vm.expectRevert(
                abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("unlockDelay"), blocks_, 1, 10_000_000)
            );
            new StakeVault(consortium, token, blocks_);
        }
    }

    function test_setUnlockDelay_pendingRequest_keepsItsBlock() public {
        requestUnlock(200);
        uint32 unlockBlock = vault.stakeOf(member).unlockBlock;
        govern(address(vault), abi.encodeCall(IStakeVault.setUnlockDelay, (1)));
        vm.assertEq(vault.stakeOf(member).unlockBlock, unlockBlock);
    }

    /// @dev A slash takes min(asked, active + unlocking), and what it takes is in the treasury.
    function testFuzz_slash_anyAmount_takesWhatIsThere(uint96 locked, uint96 unlocking, uint96 asked) public {
        locked = locked % 500;
        if (locked > 0) {
            vm.prank(member);
            token.approve(address(vault), locked);
            vm.prank(member);
            vault.lock(locked);
        }
        uint96 total = 500 + locked;
        unlocking = unlocking % total;
        if (unlocking > 0) requestUnlock(unlocking);
        uint96 taken = vault.slash(member, asked, "fuzz");
        vm.assertEq(taken, asked < total ? asked : total);
        vm.assertEq(vault.treasury(), taken);
        Stake memory left = vault.stakeOf(member);
        vm.assertEq(left.active + left.unlocking + taken, total);
    }
}
