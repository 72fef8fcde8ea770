// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Rollup} from "../src/Rollup.sol";
import {UtilityToken} from "../src/UtilityToken.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IDataVerifier} from "../src/interfaces/IDataVerifier.sol";
import {RollupParameters} from "../src/interfaces/IRollup.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {Crowd} from "./Crowd.sol";
import {origin} from "./RollupDeployment.sol";
import {CredulousVerifier} from "./CredulousVerifier.sol";
import {vm} from "./Vm.sol";

/// @notice Cheat code that tells what the last call cost whom it was made to, the memory of the caller apart.
interface Meter {
    struct Gas {
        uint64 limit;
        uint64 total;
        uint64 memory_;
        int64 refunded;
        uint64 remaining;
    }

    function lastCallGas() external view returns (Gas memory);
}

Meter constant meter = Meter(address(vm));

/// @notice What a batch of 1,024 entries over 64 accounts costs the contract, its verification and its calldata apart: 64 lists of 14
/// entries, of which each has 6 transfers, 1 lock, 1 unlock, 3 records, 2 accesses and ROTATE; 4 runs of 32 entries of the queue; 64 CLOSE
/// besides. forge shows the figures with -vv.
contract RollupGasTest {
    event log_named_uint(string key, uint256 value);

    uint256 internal constant MEMBERS = 64;
    uint256 internal constant UNIT = 10 ** 15;

    Rollup internal rollup;
    uint256 internal batches;
    address[] internal all;

    function setUp() public {
        vm.roll(1000);
        IConsortium crowd = IConsortium(address(new Crowd(MEMBERS, 7)));
        all = crowd.members();
        uint256[] memory amounts = new uint256[](MEMBERS);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            amounts[i] = 10 ** 9 * UNIT;
        }
        UtilityToken token = new UtilityToken(crowd, all, amounts);
        RollupParameters memory rules = RollupParameters(10, 100, 10, 32, 1024, 0, 0);
        rollup = new Rollup(crowd, token, new CredulousVerifier(), address(token), rules);
        vm.prank(all[0]);
        token.transfer(address(this), 10 ** 7 * UNIT);
        token.approve(address(rollup), type(uint256).max);
        bytes memory batch = room(2 * MEMBERS + 1);
        uint256 place = 0;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            vm.prank(all[i]);
            rollup.open(uint160(i));
            place = put(batch, place, 10, 0, i, i);
        }
        rollup.push(abi.encodePacked(uint32(8), uint160(9000) << 128));
        putCloses(batch, put(batch, place, 8, 0, 0, 9000 << 128));
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(all[i]);
            rollup.register();
        }
        vm.roll(1010);
        measured(batch, 0);
    }

    function put(bytes memory batch, uint256 place, uint256 kind, uint256 from, uint256 to, uint256 payload)
        internal
        pure
        returns (uint256)
    {
        uint256 word = ((kind + 16 * from + 16_384 * to) << 160) | payload;
        assembly ("memory-safe") {
            mstore(add(add(batch, 0x20), place), shl(64, word)) // the room of eight bytes behind the last one is there
        }
        return place + 24;
    }

    function room(uint256 entries) internal pure returns (bytes memory batch) {
        batch = new bytes(24 * entries + 8);
        assembly ("memory-safe") {
            mstore(batch, mul(24, entries))
        }
    }

    /// @dev Closing values that are new to every account.
    function putCloses(bytes memory batch, uint256 place) internal {
        ++batches;
        for (uint256 i = 0; i < MEMBERS; ++i) {
            place = put(batch, place, 12, i, 0, (9000 << 128) | (10 << 96) | (batches << 64));
        }
    }

    /// @dev 4 runs of 32 entries: every fourth a reward.
    function putRuns(bytes memory batch, uint256 place) internal returns (uint256) {
        for (uint256 n = 0; n < 4; ++n) {
            bytes memory run = room(32);
            for (uint256 i = 0; i < 32; ++i) {
                (uint256 kind, uint256 to) = (i % 4 == 3 ? 8 : 9, (32 * n + i) % MEMBERS);
                put(run, 24 * i, kind, 0, to, 1000 << 128);
                place = put(batch, place, kind, 0, to, 1000 << 128);
            }
            rollup.push(run);
        }
        return place;
    }

    /// @param withdrawals How many of each account's transfers are withdrawals instead.
    function putLists(bytes memory batch, uint256 place, uint256 withdrawals) internal pure returns (uint256) {
        uint8[14] memory kinds = [1, 4, 1, 5, 2, 1, 4, 1, 3, 1, 5, 4, 1, 7];
        for (uint256 i = 0; i < MEMBERS; ++i) {
            uint256 left = withdrawals;
            for (uint256 k = 0; k < 14; ++k) {
                uint256 kind = kinds[k];
                if (kind == 1 && left > 0) (kind, left) = (6, left - 1);
                uint256 payload = kind == 4 || kind == 5 || kind == 7 ? digest(i, k) : 1 << 128;
                place = put(batch, place, kind, i, kind == 1 ? (i + k) % MEMBERS : i, payload);
            }
        }
        return place;
    }

    function digest(uint256 i, uint256 k) internal pure returns (uint256) {
        uint256 word = uint160(uint256(keccak256(abi.encode(i, k))));
        return word & ((type(uint256).max / 0xffffffff) * 0x3fffffff);
    }

    /// @dev 64 lists of 14, `times` over, and CLOSE.
    function listsAndCloses(uint256 times, uint256 withdrawals) internal returns (bytes memory batch) {
        batch = room((14 * times + 1) * MEMBERS);
        uint256 place = 0;
        for (uint256 i = 0; i < times; ++i) {
            place = putLists(batch, place, withdrawals);
        }
        putCloses(batch, place);
    }

    function measured(bytes memory batch, uint256 proofBytes) internal returns (uint256 used) {
        bytes memory proof = new bytes(proofBytes);
        bytes32 newRoot = keccak256(batch) & bytes32(uint256(0x3fffffff) << 224);
        address sequencer = rollup.inTurn(rollup.turnOf(vm.getBlockNumber()));
        vm.cool(address(rollup));
        origin.prank(sequencer, sequencer);
        rollup.submit(batch, newRoot, proof);
        used = meter.lastCallGas().total;
    }

    function calldataGas(bytes memory batch) internal pure returns (uint256 gas_) {
        for (uint256 i = 0; i < batch.length; ++i) {
            gas_ += batch[i] == 0 ? 4 : 16;
        }
    }

    function test_submit_1024Entries_staysBelowItsAim() public {
        bytes memory batch = room(1024 + MEMBERS);
        putCloses(batch, putLists(batch, putRuns(batch, 0), 0));
        uint256 used = measured(batch, 0);
        emit log_named_uint("contract, 1024 entries, 64 accounts", used);
        emit log_named_uint("calldata of the entries", calldataGas(batch));
        vm.assertLe(used, 500_000, "a batch of 1,024");
    }

    /// @dev Each a test of its own, so that every slot is written for the first time in its transaction.
    function test_submit_lists_alone() public {
        emit log_named_uint("64 lists of 14", measured(listsAndCloses(1, 0), 0));
    }

    function test_submit_listsTwice_alone() public {
        emit log_named_uint("64 lists of 28", measured(listsAndCloses(2, 0), 0));
    }

    function test_submit_withdrawals_alone() public {
        emit log_named_uint("64 lists of 14, a withdrawal in each", measured(listsAndCloses(1, 1), 0));
    }

    function test_submit_moreWithdrawals_alone() public {
        emit log_named_uint("64 lists of 14, two withdrawals in each", measured(listsAndCloses(1, 2), 0));
    }

    function test_submit_proof_isHandedOn() public {
        emit log_named_uint("64 lists of 14, a proof of 64 KiB", measured(listsAndCloses(1, 0), 65_536));
    }

    function test_push_aRun_costsLittle() public {
        bytes memory run = room(32);
        for (uint256 i = 0; i < 32; ++i) {
            put(run, 24 * i, i % 4 == 3 ? 8 : 9, 0, i, 1000 << 128);
        }
        vm.cool(address(rollup));
        rollup.push(run);
        uint256 used = meter.lastCallGas().total;
        emit log_named_uint("a run of 32 entries", used);
        emit log_named_uint("its calldata", calldataGas(run));
        vm.assertLe(used, 160_000, "a run of 32");
    }

    function test_members_calls_costLittle() public {
        UtilityToken token = UtilityToken(address(rollup.token()));
        vm.prank(all[5]);
        token.approve(address(rollup), 5000 * UNIT);
        called("deposit", abi.encodeCall(rollup.deposit, (5, 1000)), 180_000);
        called("rekey", abi.encodeCall(rollup.rekey, (77)), 90_000);
        called("exitAccount", abi.encodeCall(rollup.exitAccount, ()), 90_000);
    }

    function called(string memory name, bytes memory call, uint256 most) internal {
        vm.cool(address(rollup));
        vm.prank(all[5]);
        (bool done,) = address(rollup).call(call);
        uint256 used = meter.lastCallGas().total;
        emit log_named_uint(name, used);
        vm.assertTrue(done, name);
        vm.assertLe(used, most, name);
    }
}
