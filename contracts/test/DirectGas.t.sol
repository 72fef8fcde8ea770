// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PackedLedger} from "../bench/PackedLedger.sol";
import {meter} from "./RollupGas.t.sol";
import {vm} from "./Vm.sol";

/// @notice What each kind of the rollup's entries costs as a transaction of its own: 21,000 gas, calldata, and the cheapest contract that
/// does the same. forge shows the figures with -vv. Accounts have been used before: no slot is written for the first time ever.
contract DirectGasTest {
    event log_named_uint(string key, uint256 value);

    uint256 internal constant INTRINSIC = 21_000;
    uint160 internal constant DIGEST = uint160(uint256(keccak256("digest")));
    address internal constant ALICE = address(0x1111222233334444555566667777888899990000);
    address internal constant BOB = address(0x2222333344445555666677778888999900001111);

    PackedLedger internal ledger;

    function setUp() public {
        ledger = new PackedLedger(address(this));
        for (uint256 i = 0; i < 2; ++i) {
            address member = i == 0 ? ALICE : BOB;
            done(address(this), abi.encodePacked(uint8(8), member, uint32(5_000_000)));
            done(address(this), abi.encodePacked(uint8(9), member, uint32(3), uint32(4)));
            done(member, abi.encodePacked(uint8(2), uint32(1_000_000)));
            done(member, abi.encodePacked(uint8(4), uint160(77)));
            done(member, abi.encodePacked(uint8(6), uint32(10)));
        }
    }

    function done(address sender, bytes memory call) internal returns (uint256 gas_) {
        vm.cool(address(ledger));
        vm.prank(sender);
        (bool success,) = address(ledger).call(call);
        vm.assertEq(success, true);
        gas_ = INTRINSIC + meter.lastCallGas().total;
        for (uint256 i = 0; i < call.length; ++i) {
            gas_ += call[i] == 0 ? 4 : 16;
        }
    }

    function field(address account, uint256 at) internal view returns (uint256) {
        return uint32(ledger.slotOf(account) >> at);
    }

    function show(string memory kind, uint256 gas_, uint256 most) internal {
        emit log_named_uint(kind, gas_);
        vm.assertLe(gas_, most, kind);
    }

    function test_transfer() public {
        show("transfer", done(ALICE, abi.encodePacked(uint8(1), BOB, uint32(1234))), 32_500);
        vm.assertEq(field(ALICE, 128), 3_998_756);
        vm.assertEq(field(BOB, 128), 4_001_224);
    }

    function test_lock() public {
        show("lock", done(ALICE, abi.encodePacked(uint8(2), uint32(1234))), 27_000);
        vm.assertEq(field(ALICE, 128), 3_998_756);
        vm.assertEq(field(ALICE, 96), 1_001_234);
    }

    function test_unlock() public {
        show("unlock", done(ALICE, abi.encodePacked(uint8(3), uint32(1234))), 27_000);
        vm.assertEq(field(ALICE, 128), 4_001_224);
        vm.assertEq(field(ALICE, 96), 998_766);
    }

    function test_record() public {
        show("record", done(ALICE, abi.encodePacked(uint8(4), DIGEST)), 27_000);
        vm.assertEq(ledger.recordOf(ALICE), DIGEST);
    }

    function test_access() public {
        show("access", done(ALICE, abi.encodePacked(uint8(5), DIGEST)), 23_000);
    }

    function test_withdraw() public {
        show("withdraw", done(ALICE, abi.encodePacked(uint8(6), uint32(1234))), 27_000);
        vm.assertEq(field(ALICE, 128), 3_998_756);
        vm.assertEq(uint48(ledger.slotOf(ALICE) >> 160), 1244);
        vm.assertEq(ledger.slotOf(ALICE) >> 208, vm.getBlockNumber() + 100);
    }

    function test_reward() public {
        show("reward", done(address(this), abi.encodePacked(uint8(8), BOB, uint32(1234))), 27_000);
        vm.assertEq(field(BOB, 128), 4_001_224);
    }

    function test_evidence() public {
        show("evidence", done(address(this), abi.encodePacked(uint8(9), BOB, uint32(1024), uint32(7))), 27_000);
        vm.assertEq(field(BOB, 32), 1027);
        vm.assertEq(field(BOB, 0), 11);
    }

    /// @dev As a round's end would bring them: 24 pieces of evidence and 8 rewards, each for another account, in one transaction.
    function test_evidenceAndRewards_together() public {
        bytes memory run = "";
        for (uint160 i = 0; i < 32; ++i) {
            address to = address(uint160(ALICE) + i + 1);
            run = i % 4 == 3
                ? bytes.concat(run, abi.encodePacked(uint8(8), to, uint32(1234)))
                : bytes.concat(run, abi.encodePacked(uint8(9), to, uint32(1024), uint32(7)));
        }
        done(address(this), run);
        uint256 gas_ = done(address(this), run);
        emit log_named_uint("evidence or reward, one of 32 together", gas_ / 32);
    }

    function test_refusals() public {
        bytes[5] memory calls = [
            abi.encodePacked(uint8(1), BOB, uint32(3_999_991)),
            abi.encodePacked(uint8(2), uint32(3_999_991)),
            abi.encodePacked(uint8(3), uint32(1_000_001)),
            abi.encodePacked(uint8(6), uint32(3_999_991)),
            abi.encodePacked(uint8(8), BOB, uint32(1))
        ];
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(PackedLedger.Refused.selector);
            vm.prank(ALICE);
            (bool success,) = address(ledger).call(calls[i]);
            success;
        }
    }
}
