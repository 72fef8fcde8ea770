// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";

import {Rollup} from "../src/Rollup.sol";
import {SYSTEM_ROLE} from "../src/interfaces/IConsortium.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {ReputationParameters} from "../src/interfaces/IReputation.sol";
import {IRollup, RollupParameters} from "../src/interfaces/IRollup.sol";
import {ISettlement} from "../src/interfaces/ISettlement.sol";
import {IRollupQueue, PUSHER_ROLE} from "../src/interfaces/IRollupQueue.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {CredulousVerifier} from "./CredulousVerifier.sol";
import {origin} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Cheat codes that keep a transaction's logs.
interface Logs {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
}

/// @notice Rounds that settle through the rollup: evidence is one push, and counts once a batch has settled it.
contract RollupSettlementTest is SharedDeployment {
    uint256 internal constant KEPT = 1;
    uint256 internal constant PROVEN = 100;
    bytes32 internal constant NEW_ROOT = bytes32(uint256(1));

    Rollup internal rollup;

    function evidence() internal override returns (ReputationParameters memory units) {
        units = super.evidence();
        (units.kept, units.proven, units.missed, units.failed) = (1, 100, 7, 1000);
    }

    function ledger() internal override returns (IRollup) {
        RollupParameters memory rules = RollupParameters(10, 40, 7, 32, 1024, 0, 0);
        rollup = new Rollup(consortium, token, new CredulousVerifier(), address(rewards), rules);
        return rollup;
    }

    function setUp() public override {
        super.setUp();
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (SYSTEM_ROLE, address(rollup))));
        govern(address(consortium), abi.encodeCall(IAccessControl.grantRole, (PUSHER_ROLE, address(settlement))));
    }

    /// @dev Accounts of all but the last hospital, whose first keys are in the queue.
    function openAccounts() internal {
        for (uint256 i = 0; i < 7; ++i) {
            if (cast[i] == hospitals[3]) continue;
            vm.prank(cast[i]);
            rollup.open(uint160(i + 1));
        }
    }

    function close(uint256 index, uint32 positive, uint32 negative) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(12 + 16 * index), uint32(0), uint32(0), uint32(1), positive, negative);
    }

    /// @dev A batch of the six keys, then what the round pushed, then these closing values.
    function settleBatch(bytes memory pushed, bytes memory closes) internal {
        bytes memory batch = "";
        for (uint256 i = 0; i < 6; ++i) {
            uint256 member = i < 3 ? i : i + 1;
            batch = bytes.concat(batch, abi.encodePacked(uint32(10 + 16_384 * i), uint160(member + 1)));
        }
        batch = bytes.concat(batch, pushed, closes);
        address sequencer = operators[0];
        vm.prank(sequencer);
        rollup.register();
        skip(10);
        origin.prank(sequencer, sequencer);
        rollup.submit(batch, NEW_ROOT, "");
    }

    /// @dev Ends the round; the entries that it pushed.
    function advanceAndRead(uint256 roundId) internal returns (bytes memory entries) {
        Logs logs = Logs(address(vm));
        logs.recordLogs();
        advance(roundId);
        Logs.Log[] memory found = logs.getRecordedLogs();
        for (uint256 i = 0; i < found.length; ++i) {
            if (found[i].topics[0] == IRollupQueue.EntriesQueued.selector) {
                (, entries) = abi.decode(found[i].data, (uint256, bytes));
            }
        }
    }

    function test_settle_isOnePush_andCountsWhenCollected() public {
        openAccounts();
        uint256 roundId = reach(Phase.Settle);
        bytes memory list = advanceAndRead(roundId);
        vm.assertEq(rollup.queued(), 7);
        (uint256 r,) = reputation.evidenceOf(hospitals[0], roundId);
        vm.assertEq(r, 0, "before the batch");
        (r,) = reputation.evidenceOf(hospitals[3], roundId);
        vm.assertEq(r, KEPT + PROVEN, "who has no account is written at once");
        vm.assertEq(settlement.lastSettled(), roundId);

        // accounts in the order of `cast`, the last hospital left out: hospitals 0, 1, 2 and operators 0, 1, 2
        vm.assertEq(list.length, 24 * (3 + 5 + 5)); // three hospitals, five validators, five seats
        bytes memory closes = "";
        for (uint256 i = 0; i < 6; ++i) {
            closes = bytes.concat(closes, close(i, expected(i), i == 5 ? 9 : 0));
        }
        settleBatch(list, closes);
        settlement.collect(cast);
        settlement.collect(cast); // the second time there is nothing new
        for (uint256 i = 0; i < 6; ++i) {
            uint256 s;
            (r, s) = reputation.evidenceOf(cast[i < 3 ? i : i + 1], roundId);
            vm.assertEq(r, expected(i), "collected");
            vm.assertEq(s, i == 5 ? 9 : 0);
        }
    }

    /// @dev Hospitals 0 and 1 and the operators are validators, and have seats.
    function expected(uint256 index) internal pure returns (uint32) {
        return uint32((index < 3 ? KEPT + PROVEN : 0) + (index == 2 ? 0 : 2 * KEPT));
    }

    /// @dev Whatever the rollup is like, a round ends; what it cannot take is written at once.
    function test_settle_withAFrozenRollup_writesAtOnce() public {
        openAccounts();
        skip(41);
        rollup.freeze();
        uint256 roundId = reach(Phase.Settle);
        advance(roundId);
        (uint256 r,) = reputation.evidenceOf(hospitals[0], roundId);
        vm.assertEq(r, 3 * KEPT + PROVEN);
        vm.assertEq(rollup.queued(), 6);
    }

    /// @dev Who lets the queue wait until the rollup is frozen makes no evidence vanish.
    function test_reclaim_afterAFreeze_writesWhatNoBatchTook() public {
        openAccounts();
        uint256 roundId = reach(Phase.Settle);
        bytes memory list = advanceAndRead(roundId);
        vm.expectRevert(IRollup.NotFrozenYet.selector);
        settlement.reclaim(7, list);
        skip(41);
        rollup.freeze();
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongItem.selector, 7));
        settlement.reclaim(7, bytes.concat(list, list));
        vm.expectRevert(abi.encodeWithSelector(ISettlement.WrongItem.selector, 1)); // a key, not of a round
        settlement.reclaim(1, list);
        settlement.reclaim(7, list);
        for (uint256 i = 0; i < 6; ++i) {
            (uint256 r,) = reputation.evidenceOf(cast[i < 3 ? i : i + 1], roundId);
            vm.assertEq(r, expected(i), "reclaimed");
        }
        vm.expectRevert(abi.encodeWithSelector(ISettlement.AlreadyReclaimed.selector, 7));
        settlement.reclaim(7, list);
    }

    function test_settle_withoutThePower_writesAtOnce() public {
        openAccounts();
        govern(address(consortium), abi.encodeCall(IAccessControl.revokeRole, (PUSHER_ROLE, address(settlement))));
        uint256 roundId = reach(Phase.Settle);
        advance(roundId);
        (uint256 r,) = reputation.evidenceOf(hospitals[0], roundId);
        vm.assertEq(r, 3 * KEPT + PROVEN);
    }

    function test_collect_wrapsLikeTheRollup() public {
        openAccounts();
        uint256 roundId = reach(Phase.Settle);
        uint32 p = 0x78000001;
        settleBatch(advanceAndRead(roundId), close(0, p - 1, 0));
        settlement.collect(cast);
        skip(10);
        origin.prank(operators[0], operators[0]);
        rollup.submit(close(0, 4, 0), NEW_ROOT, "");
        settlement.collect(cast);
        (uint256 r,) = reputation.evidenceOf(hospitals[0], roundId);
        vm.assertEq(r, uint256(p) + 4);
    }
}
