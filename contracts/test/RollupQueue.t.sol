// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";

import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IRollupQueue, PUSHER_ROLE, QueueItem} from "../src/interfaces/IRollupQueue.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {BabyBear} from "../src/stark/BabyBear.sol";
import {RollupDeployment} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Accounts and the queue: who queues what, how it is kept, what is refused.
contract RollupQueueTest is RollupDeployment {
    function digestOf(bytes memory entries) internal pure returns (bytes32) {
        return bytes32((uint256(keccak256(entries)) >> 16 << 16) | entries.length / 24);
    }

    function test_open_byMembers_numbersAccountsAndQueuesTheirKeys() public {
        bytes memory first = entry(REKEY, 0, 0, KEY);
        vm.expectEmit(address(rollup));
        emit IRollupQueue.AccountOpened(hospitals[0], 0);
        vm.expectEmit(address(rollup));
        emit IRollupQueue.EntriesQueued(1, hospitals[0], 0, first);
        vm.assertEq(open(hospitals[0]), 0);
        vm.assertEq(open(operators[2]), 1);
        vm.assertEq(open(auditor), 2);
        vm.assertEq(rollup.opened(), 3);
        vm.assertEq(rollup.ownerOf(1), operators[2]);
        vm.assertEq(rollup.indexOf(auditor), 2);
        vm.assertEq(rollup.accountNumberOf(auditor), 3);
        vm.assertEq(rollup.accountNumberOf(hospitals[3]), 0);
        QueueItem memory item = rollup.itemOf(2);
        vm.assertEq(item.digest, digestOf(entry(REKEY, 0, 1, KEY)));
        vm.assertEq(item.payer, operators[2]);
        vm.assertEq(item.amount, 0);
        vm.assertEq(item.blockNumber, vm.getBlockNumber());
    }

    function test_open_refusals_byName() public {
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        open(outsider);
        open(hospitals[0]);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.AlreadyOpened.selector, hospitals[0], 0));
        open(hospitals[0]);
        for (uint256 i = 0; i < 5; ++i) {
            uint160 wrong = uint160(BabyBear.P << (32 * i));
            vm.expectRevert(abi.encodeWithSelector(IRollupQueue.WrongKey.selector, wrong));
            vm.prank(hospitals[1]);
            rollup.open(wrong);
        }
        uint160 highest = uint160(0x7800000078000000780000007800000078000000);
        vm.prank(hospitals[1]);
        rollup.open(highest);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.NoAccount.selector, hospitals[2]));
        rollup.indexOf(hospitals[2]);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.UnknownAccount.selector, 2));
        rollup.ownerOf(2);
    }

    function test_deposit_takesTokens_andWaitsWithItsPayer() public {
        open(hospitals[0]);
        deposit(operators[0], 0, 1500);
        vm.assertEq(coin.balanceOf(address(rollup)), 1500 * UNIT);
        vm.assertEq(coin.balanceOf(operators[0]), WEALTH - 1500 * UNIT);
        vm.assertEq(rollup.inside(), 1500);
        QueueItem memory item = rollup.itemOf(2);
        vm.assertEq(item.digest, digestOf(entry(DEPOSIT, 0, 0, amountOf(1500))));
        vm.assertEq(item.payer, operators[0]);
        vm.assertEq(item.amount, 1500);
    }

    function test_deposit_refusals_byName() public {
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.UnknownAccount.selector, 0));
        deposit(hospitals[0], 0, 5);
        open(hospitals[0]);
        vm.expectRevert(IStakeVault.ZeroAmount.selector);
        deposit(hospitals[0], 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        deposit(outsider, 0, 5);
        deposit(hospitals[0], 0, 5);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.AlreadyQueuing.selector, hospitals[0], 2));
        deposit(hospitals[0], 0, 5);
        vm.prank(hospitals[1]);
        coin.approve(address(rollup), 0);
        vm.expectPartialRevert(IERC20Errors.ERC20InsufficientAllowance.selector);
        deposit(hospitals[1], 0, 5);
    }

    function test_deposit_upToTheLimit_staysBelow2To29() public {
        open(hospitals[0]);
        uint32 most = 2 ** 29 - 1;
        deposit(hospitals[0], 0, most - 10);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.TooMuchInside.selector, most - 10, 11));
        deposit(hospitals[1], 0, 11);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.TooMuchInside.selector, most - 10, type(uint32).max));
        deposit(hospitals[1], 0, type(uint32).max);
        deposit(hospitals[1], 0, 10);
        vm.assertEq(rollup.inside(), most);
    }

    /// @dev One of each kind at a time: nobody fills the queue with what batches can take one at a time only.
    function test_rekeyAndExit_oneAtATime() public {
        open(hospitals[0]);
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.AlreadyQueuing.selector, hospitals[0], 1));
        vm.prank(hospitals[0]);
        rollup.rekey(KEY);
        address sequencer = seated();
        submit(sequencer, bytes.concat(entry(REKEY, 0, 0, KEY), entry(CLOSE, 0, 0, closing(0, 0, 1, 0, 0))), rootOf(1));
        vm.prank(hospitals[0]);
        rollup.rekey(KEY);
        vm.prank(hospitals[0]);
        rollup.exitAccount();
        vm.assertEq(rollup.itemOf(3).digest, digestOf(entry(EXIT, 0, 0, 0)));
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.AlreadyQueuing.selector, hospitals[0], 3));
        vm.prank(hospitals[0]);
        rollup.exitAccount();
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.NoAccount.selector, hospitals[1]));
        vm.prank(hospitals[1]);
        rollup.exitAccount();
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.NoAccount.selector, hospitals[1]));
        vm.prank(hospitals[1]);
        rollup.rekey(KEY);
    }

    function test_push_aRun_isOneItem() public {
        open(hospitals[0]);
        open(hospitals[1]);
        bytes memory run = bytes.concat(
            entry(EVIDENCE, 0, 0, two(1024, 0)),
            entry(EVIDENCE, 0, 1, two(0, uint32(BabyBear.P - 1))),
            entry(DEPOSIT, 0, 1, amountOf(20)),
            entry(DEPOSIT, 0, 0, amountOf(0)),
            entry(DEPOSIT, 0, 0, amountOf(22))
        );
        vm.expectEmit(address(rollup));
        emit IRollupQueue.EntriesQueued(3, address(this), 42, run);
        rollup.push(run);
        QueueItem memory item = rollup.itemOf(3);
        vm.assertEq(item.digest, digestOf(run));
        vm.assertEq(uint256(item.digest) & 0xffff, 5);
        vm.assertEq(item.payer, address(this));
        vm.assertEq(item.amount, 42);
        vm.assertEq(coin.balanceOf(address(rollup)), 42 * UNIT);
    }

    function test_push_byOthers_reverts() public {
        open(hospitals[0]);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], PUSHER_ROLE));
        vm.prank(operators[0]);
        rollup.push(entry(EVIDENCE, 0, 0, 0));
    }

    function test_push_wrongLength_reverts() public {
        open(hospitals[0]);
        bytes memory one = entry(EVIDENCE, 0, 0, 0);
        uint256 limit = 32 * 24;
        bytes memory run = "";
        expectLength(run, limit);
        expectLength(bytes.concat(one, hex"00"), limit);
        for (uint256 i = 0; i < 32; ++i) {
            run = bytes.concat(run, one);
        }
        rollup.push(run);
        expectLength(bytes.concat(run, one), limit);
    }

    function expectLength(bytes memory run, uint256 limit) internal {
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.WrongLength.selector, run.length, limit));
        rollup.push(run);
    }

    /// @dev Whatever a batch could not take would stop the queue: it does not get in.
    function testFuzz_push_anyBytes_areTakenOnlyIfABatchCanTakeThem(uint32 header, uint160 payload, uint8 how) public {
        open(hospitals[0]);
        open(hospitals[1]);
        if (how & 1 != 0) header = header % 16 + 16_384 * (how >> 1 & 1);
        if (how & 4 != 0) header = header / 16 * 16 + DEPOSIT + (how >> 3 & 1);
        if (how & 16 != 0) payload = payload >> 96 << 96;
        if (how & 32 != 0) payload = payload >> 131 << 128;
        bool known = header >> 14 < 2;
        uint160 unused = header % 16 == DEPOSIT ? type(uint128).max : type(uint96).max;
        bool right = (header % 16 == DEPOSIT || header % 16 == EVIDENCE) && (header >> 4) % 1024 == 0
            && header < 2 ** 24 && payload & unused == 0 && payload >> 128 < BabyBear.P
            && uint32(payload >> 96) < BabyBear.P;
        uint256 amount = header % 16 == DEPOSIT ? payload >> 128 : 0;
        bytes memory run = abi.encodePacked(header, payload);
        if (!right) {
            vm.expectRevert(abi.encodeWithSelector(IRollupQueue.MalformedEntry.selector, 0));
        } else if (!known) {
            vm.expectRevert(abi.encodeWithSelector(IRollupQueue.UnknownAccount.selector, header >> 14));
        } else if (amount >= 2 ** 29) {
            vm.expectRevert(abi.encodeWithSelector(IRollupQueue.TooMuchInside.selector, 0, amount));
        }
        rollup.push(run);
        if (right && known && amount < 2 ** 29) vm.assertEq(rollup.inside(), amount);
    }

    function test_push_secondEntryWrong_isNamed() public {
        open(hospitals[0]);
        bytes memory right = entry(EVIDENCE, 0, 0, two(1, 2));
        for (uint8 kind = 0; kind < 16; ++kind) {
            if (kind == EVIDENCE || kind == DEPOSIT) continue;
            vm.expectRevert(abi.encodeWithSelector(IRollupQueue.MalformedEntry.selector, 1));
            rollup.push(bytes.concat(right, entry(kind, 0, 0, 0)));
        }
    }

    function test_itemOf_whatDoesNotWait_reverts() public {
        open(hospitals[0]);
        for (uint256 number = 0; number < 3; number += 2) {
            vm.expectRevert(abi.encodeWithSelector(IRollupQueue.NotWaiting.selector, number, 1, 1));
            rollup.itemOf(number);
        }
    }

    /// @dev Its places are used again once batches have taken what was in them.
    function test_queue_whenFull_refuses() public {
        open(hospitals[0]);
        bytes memory one = entry(EVIDENCE, 0, 0, two(1, 0));
        for (uint256 i = 1; i < 4096; ++i) {
            rollup.push(one);
        }
        vm.expectRevert(abi.encodeWithSelector(IRollupQueue.QueueFull.selector, 4096));
        rollup.push(one);
        submit(seated(), entry(REKEY, 0, 0, KEY), rootOf(1));
        rollup.push(one);
        vm.assertEq(rollup.itemOf(4097).digest, rollup.itemOf(4096).digest);
    }
}
