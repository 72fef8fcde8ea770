// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SharedHandler} from "./SharedHandler.sol";
import {vm} from "./Vm.sol";

/// @notice What holds in shared rounds after any sequence of calls. Rules about single calls (how many shares are shown, who is slashed
/// for what, that no phase stalls) are noted by the handler as the calls are made, under `broken`.
contract SharedInvariantsTest {
    /// @dev As forge wants it told which functions to call.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    SharedHandler internal handler;
    address[] internal targets;

    function setUp() public {
        handler = new SharedHandler();
        handler.setUp();
        handler.open();
        targets.push(address(handler));
    }

    /// @dev Asked by forge: who is called.
    function targetContracts() external view returns (address[] memory) {
        return targets;
    }

    /// @dev Asked by forge: the handler's actions, without what they are made of.
    function targetSelectors() external view returns (FuzzSelector[] memory all) {
        all = new FuzzSelector[](1);
        bytes4[] memory actions = new bytes4[](10);
        actions[0] = SharedHandler.passBlocks.selector;
        actions[1] = SharedHandler.open.selector;
        actions[2] = SharedHandler.complainAs.selector;
        actions[3] = SharedHandler.showAs.selector;
        actions[4] = SharedHandler.confirmAs.selector;
        actions[5] = SharedHandler.submitAs.selector;
        actions[6] = SharedHandler.decodeAs.selector;
        actions[7] = SharedHandler.candidateAs.selector;
        actions[8] = SharedHandler.workAll.selector;
        actions[9] = SharedHandler.advanceAs.selector;
        all[0] = FuzzSelector(address(handler), actions);
    }

    function invariant_conduct_isKept() public view {
        string memory broken = handler.broken();
        vm.assertTrue(bytes(broken).length == 0, broken);
    }

    function invariant_tokens_areConserved() public view {
        (uint256 all, uint256 stakes, uint256 inVault, uint256 treasury) = handler.balances();
        vm.assertEq(all, 8000, "balances");
        vm.assertEq(stakes + treasury, inVault, "stakes and treasury");
        vm.assertEq(handler.slashed(), treasury, "slashed and kept");
    }

    /// @dev The handler gets where the rules bite.
    function test_handler_drivenOnce_reachesEveryRule() public {
        handler.complainAs(0, 3);
        handler.showAs(0, 3);
        handler.complainAs(1, 3);
        handler.showAs(1, 3);
        handler.complainAs(2, 3);
        handler.showAs(2, 3);
        vm.assertEq(handler.shown(), 2, "shown");
        vm.assertEq(handler.leftOut(), 1, "left out");
        handler.workAll(9);
        handler.advanceAs();
        handler.workAll(3);
        vm.assertEq(handler.decoded(), 1, "decoded");
        handler.advanceAs();
        vm.assertEq(handler.finalised(), 1, "models in force");
        vm.assertEq(handler.slashed(), 8, "slashed for a lie");
        handler.open();
        handler.workAll(9);
        handler.advanceAs();
        for (uint256 i = 0; i < 5; ++i) {
            handler.passBlocks(2);
        }
        handler.advanceAs();
        vm.assertEq(handler.aborted(), 1, "aborted");
        vm.assertEq(handler.slashed(), 48, "slashed for silence");
        invariant_conduct_isKept();
        invariant_tokens_areConserved();
    }
}
