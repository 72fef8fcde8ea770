// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountTree} from "../src/AccountTree.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {AccountLeaf, AccountState, IRollup} from "../src/interfaces/IRollup.sol";
import {IRollupQueue} from "../src/interfaces/IRollupQueue.sol";
import {IUtilityToken} from "../src/interfaces/IUtilityToken.sol";
import {BabyBear} from "../src/stark/BabyBear.sol";
import {RollupBook} from "./RollupBook.sol";
import {RollupDeployment} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice The rollup after its sequencers died: everybody leaves with what is theirs, once.
contract RollupExitsTest is RollupDeployment, RollupBook {
    /// @dev Accounts 0 to 4 with balance and stake, two deposits and a run that no batch takes; frozen.
    function setUp() public override {
        super.setUp();
        address sequencer = seated();
        bytes memory batch = "";
        for (uint256 i = 0; i < 5; ++i) {
            open(cast[i]);
            batch = taken(batch, REKEY, 0, i, KEY);
        }
        for (uint256 i = 0; i < 5; ++i) {
            deposit(cast[i], i, uint32(1000 + i));
            batch = taken(batch, DEPOSIT, 0, i, amountOf(uint32(1000 + i)));
        }
        submit(sequencer, batch, bookRoot());
        batch = "";
        for (uint256 i = 0; i < 5; ++i) {
            batch = taken(batch, LOCK, i, i, amountOf(uint32(10 * i)));
            batch = taken(batch, RECORD, i, i, uint160(77 + i));
        }
        batch = taken(batch, WITHDRAW, 1, 1, amountOf(300));
        for (uint256 i = 0; i < 5; ++i) {
            batch = bytes.concat(batch, entry(CLOSE, i, 0, closingOf(i)));
        }
        submit(sequencer, batch, bookRoot());
        deposit(hospitals[0], 2, 50);
        deposit(auditor, 0, 60);
        rollup.push(bytes.concat(entry(EVIDENCE, 0, 0, two(1, 1)), entry(DEPOSIT, 0, 3, amountOf(70))));
        vm.prank(hospitals[3]);
        rollup.exitAccount();
    }

    function taken(bytes memory batch, uint8 kind, uint256 from, uint256 to, uint160 payload)
        internal
        returns (bytes memory)
    {
        enact(kind, from, to, payload);
        return bytes.concat(batch, entry(kind, from, to, payload));
    }

    function freeze() internal {
        skip(FORCE + 1);
        rollup.freeze();
    }

    function claim(address owner) internal {
        vm.prank(owner);
        rollup.claim();
    }

    function escapeWith(uint256 index, AccountLeaf memory leaf, bytes32[10] memory siblings) internal {
        vm.prank(outsider);
        rollup.escape(index, leaf, siblings);
    }

    function test_empty_isTheRootOfNoAccounts() public view {
        vm.assertEq(AccountTree.EMPTY, empty[10]);
        vm.assertEq(leafDigest(AccountLeaf(0, 0, 0, 0, 0, 0, 0)), empty[0]);
    }

    function test_escape_beforeTheFreeze_reverts() public {
        vm.expectRevert(IRollup.NotFrozenYet.selector);
        escapeWith(0, book[0], siblingsOf(0));
        vm.expectRevert(IRollup.NotFrozenYet.selector);
        rollup.refund(11);
    }

    /// @dev All accounts, deposits and bonds leave; what came in went out, to the unit.
    function test_frozen_everybodyLeaves_withWhatIsTheirs() public {
        freeze();
        for (uint256 i = 0; i < 5; ++i) {
            uint256 amount = 1000 + i - (i == 1 ? 300 : 0);
            vm.expectEmit(address(rollup));
            emit IRollup.AccountEscaped(i, amount);
            escapeWith(i, book[i], siblingsOf(i));
            AccountState memory state = rollup.accounts(i);
            vm.assertEq(state.owed, amount + (i == 1 ? 300 : 0));
            vm.assertEq(state.balance + state.stake, 0);
            vm.assertEq(state.escaped, true);
        }
        vm.assertEq(rollup.inside(), 180);
        for (uint256 number = 11; number < 14; ++number) {
            rollup.refund(number);
        }
        vm.assertEq(rollup.inside(), 0);
        skip(EXIT_DELAY);
        for (uint256 i = 0; i < 5; ++i) {
            claim(cast[i]);
            vm.assertEq(coin.balanceOf(cast[i]), i == 4 ? WEALTH - BOND : WEALTH);
        }
        vm.assertEq(coin.balanceOf(auditor), WEALTH);
        vm.assertEq(coin.balanceOf(address(this)), WEALTH);
        rollup.payBond(address(this));
        rollup.payBond(address(rewards));
        vm.assertEq(coin.balanceOf(address(rollup)), 0);
    }

    function test_escape_twice_reverts() public {
        freeze();
        escapeWith(0, book[0], siblingsOf(0));
        vm.expectRevert(abi.encodeWithSelector(IRollup.AlreadyEscaped.selector, 0));
        escapeWith(0, book[0], siblingsOf(0));
    }

    function test_escape_ofNobodysAccount_reverts() public {
        freeze();
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.UnknownAccount.selector, 5));
        escapeWith(5, book[5], siblingsOf(5));
    }

    /// @dev Another account, other amounts, another path, or elements that only look different modulo p.
    function test_escape_withSomethingElse_reverts() public {
        freeze();
        AccountLeaf memory leaf = book[1];
        bytes32[10] memory siblings = siblingsOf(1);
        bytes memory reason = abi.encodeWithSelector(IRollup.WrongPath.selector, 1);
        AccountLeaf[9] memory others;
        for (uint256 i = 0; i < 9; ++i) {
            others[i] = book[1];
        }
        others[0].balance += 1;
        others[1].stake += 1;
        others[2].nonce += 1;
        others[3].positive += 1;
        others[4].negative += 1;
        others[5].key ^= 1;
        others[6].record ^= 1 << 128;
        others[7].balance += uint32(BabyBear.P);
        others[8].stake += uint32(BabyBear.P);
        for (uint256 i = 0; i < 9; ++i) {
            vm.expectRevert(reason);
            escapeWith(1, others[i], siblings);
        }
        vm.expectRevert(abi.encodeWithSelector(IRollup.WrongPath.selector, 2));
        escapeWith(2, leaf, siblings);
        for (uint256 i = 0; i < 10; ++i) {
            bytes32[10] memory wrong = siblingsOf(1);
            wrong[i] ^= bytes32(uint256(1));
            vm.expectRevert(reason);
            escapeWith(1, leaf, wrong);
            wrong[i] = bytes32(uint256(siblings[i]) + BabyBear.P); // the last element, twice as written
            vm.expectRevert(reason);
            escapeWith(1, leaf, wrong);
        }
        escapeWith(1, leaf, siblings);
    }

    /// @dev What could be claimed before the freeze can be after it, with or without an escape.
    function test_claim_afterTheFreeze_paysWhatWasOwed() public {
        freeze();
        claim(hospitals[1]);
        vm.assertEq(coin.balanceOf(hospitals[1]), WEALTH - 701 * UNIT);
    }

    function test_refund_refusals_byName() public {
        freeze();
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.NotWaiting.selector, 10, 11, 14));
        rollup.refund(10);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.NotWaiting.selector, 15, 11, 14));
        rollup.refund(15);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NothingToRefund.selector, 14));
        rollup.refund(14); // the EXIT: void
        vm.expectEmit(address(rollup));
        emit IRollup.DepositRefunded(12, auditor, 60);
        rollup.refund(12);
        vm.expectRevert(abi.encodeWithSelector(IRollup.NothingToRefund.selector, 12));
        rollup.refund(12);
    }

    /// @dev Tokens do not move to who is no member: they wait, and hold up nobody.
    function test_removedMember_waitsForItsReturn() public {
        freeze();
        escapeWith(1, book[1], siblingsOf(1));
        govern(address(consortium), abi.encodeCall(IConsortium.remove, (auditor)));
        vm.expectRevert(abi.encodeWithSelector(IUtilityToken.NotParticipant.selector, auditor));
        rollup.refund(12);
        rollup.refund(11);
        govern(address(consortium), abi.encodeCall(IConsortium.admit, (auditor, 8)));
        rollup.refund(12);
        vm.assertEq(coin.balanceOf(auditor), WEALTH);
    }

    function test_waysOut_whilePaused_revert() public {
        freeze();
        vm.prank(address(consortium));
        consortium.setPaused(true);
        vm.expectRevert(IGoverned.Paused.selector);
        claim(hospitals[1]);
        vm.expectRevert(IGoverned.Paused.selector);
        rollup.refund(11);
        escapeWith(1, book[1], siblingsOf(1));
    }

    function test_escape_gas_isBelowItsAim() public {
        freeze();
        (AccountLeaf memory leaf, bytes32[10] memory siblings) = (book[4], siblingsOf(4));
        uint256 before = gasleft();
        rollup.escape(4, leaf, siblings);
        vm.assertLe(before - gasleft(), 650_000, "gas of an escape");
    }
}
