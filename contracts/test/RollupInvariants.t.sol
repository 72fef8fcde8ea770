// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RollupHandler} from "./RollupHandler.sol";
import {vm} from "./Vm.sol";

/// @notice What holds of the rollup after any sequence of calls. Rules about single calls (who may settle, freeze, claim, and what
/// is refused) are noted by the handler as the calls are made, under `broken`.
contract RollupInvariantsTest {
    /// @dev As forge wants it told which functions to call.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    uint256 internal constant UNIT = 10 ** 15;

    RollupHandler internal handler;
    uint256 internal supply;
    address[] internal targets;

    function setUp() public {
        handler = new RollupHandler();
        handler.setUp();
        (, supply) = handler.tokens();
        targets.push(address(handler));
    }

    /// @dev Asked by forge: who is called.
    function targetContracts() external view returns (address[] memory) {
        return targets;
    }

    /// @dev Asked by forge: the handler's actions, the batch three times, since most of it is about them.
    function targetSelectors() external view returns (FuzzSelector[] memory all) {
        all = new FuzzSelector[](1);
        bytes4[] memory actions = new bytes4[](18);
        actions[0] = RollupHandler.passBlocks.selector;
        actions[1] = RollupHandler.openAs.selector;
        actions[2] = RollupHandler.depositAs.selector;
        actions[3] = RollupHandler.rekeyAs.selector;
        actions[4] = RollupHandler.exitAs.selector;
        actions[5] = RollupHandler.pushAs.selector;
        actions[6] = RollupHandler.claimAs.selector;
        actions[7] = RollupHandler.registerAs.selector;
        actions[8] = RollupHandler.resignAs.selector;
        actions[9] = RollupHandler.payBondAs.selector;
        actions[10] = RollupHandler.settleAs.selector;
        actions[11] = RollupHandler.settleAs.selector;
        actions[12] = RollupHandler.settleAs.selector;
        actions[13] = RollupHandler.cheatAs.selector;
        actions[14] = RollupHandler.freezeAs.selector;
        actions[15] = RollupHandler.escapeAs.selector;
        actions[16] = RollupHandler.refundAs.selector;
        actions[17] = RollupHandler.depositAs.selector;
        all[0] = FuzzSelector(address(handler), actions);
    }

    function invariant_conduct_isKept() public view {
        string memory broken = handler.broken();
        vm.assertTrue(bytes(broken).length == 0, broken);
    }

    /// @dev Locked is what the accounts hold, what waits in the queue, what can be claimed, and bonds; nothing comes or goes besides.
    function invariant_tokens_areThoseOfAccountsQueueAndBonds() public view {
        (uint256 inTree, uint256 waiting, uint256 due) = handler.units();
        (uint256 held, uint256 all) = handler.tokens();
        vm.assertEq(held, UNIT * (inTree + waiting + due) + handler.bonds(), "locked");
        vm.assertEq(all, supply, "in and out");
    }

    function invariant_contract_saysWhatTheLedgerSays() public view {
        vm.assertTrue(handler.agrees(), "another state");
    }

    /// @dev The handler gets where the rules bite.
    function test_handler_drivenOnce_reachesEveryRule() public {
        for (uint256 i = 0; i < 7; ++i) {
            handler.openAs(i);
            handler.depositAs(i, i, 50_000);
        }
        handler.pushAs(type(uint256).max, 3);
        for (uint256 i = 0; i < 12; ++i) {
            handler.settleAs(4 + i % 3, 11, uint256(keccak256(abi.encode(i))));
            if (i % 4 == 3) handler.exitAs(i % 8);
            handler.passBlocks(5);
        }
        vm.assertGe(handler.settled(), 4, "batches");
        vm.assertGe(handler.withdrawn(), 2, "withdrawals");
        handler.passBlocks(7);
        for (uint256 i = 0; i < 8; ++i) {
            handler.claimAs(i);
        }
        vm.assertGe(handler.claimed(), 1, "claims");
        handler.depositAs(2, 2, 40_000);
        handler.exitAs(1);
        for (uint256 i = 0; i < 9; ++i) {
            handler.freezeAs(7);
            handler.passBlocks(7);
        }
        vm.assertEq(handler.frozen(), 1, "frozen");
        vm.assertEq(handler.blamed(), 1, "blamed");
        for (uint256 i = 0; i < 40; ++i) {
            handler.escapeAs(i, i % 3 == 0);
            handler.refundAs(i);
            handler.payBondAs(i);
        }
        vm.assertGe(handler.escaped(), 7, "escapes");
        vm.assertGe(handler.refunded(), 1, "refunds");
        vm.assertGe(handler.forced(), 1, "forced exits");
        handler.passBlocks(7);
        for (uint256 i = 0; i < 8; ++i) {
            handler.claimAs(i);
        }
        handler.payBondAs(8);
        (uint256 held,) = handler.tokens();
        vm.assertEq(held, 0, "all that came in went out");
        invariant_conduct_isKept();
        invariant_tokens_areThoseOfAccountsQueueAndBonds();
        invariant_contract_saysWhatTheLedgerSays();
    }
}
