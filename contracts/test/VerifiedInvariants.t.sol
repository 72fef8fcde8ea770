// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VerifiedHandler} from "./VerifiedHandler.sol";
import {vm} from "./Vm.sol";

/// @notice What holds in verified rounds after any sequence of calls. Rules about single calls (who may be slashed, when secrets may be
/// shown, that no phase stalls) are noted by the handler as the calls are made, under `broken`.
contract VerifiedInvariantsTest {
    /// @dev As forge wants it told which functions to call.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    VerifiedHandler internal handler;
    address[] internal targets;

    function setUp() public {
        handler = new VerifiedHandler();
        handler.setUp();
        targets.push(address(handler));
    }

    /// @dev Asked by forge: who is called.
    function targetContracts() external view returns (address[] memory) {
        return targets;
    }

    /// @dev Asked by forge: the handler's actions, without what they are made of.
    function targetSelectors() external view returns (FuzzSelector[] memory all) {
        all = new FuzzSelector[](1);
        bytes4[] memory actions = new bytes4[](11);
        actions[0] = VerifiedHandler.passBlocks.selector;
        actions[1] = VerifiedHandler.topUp.selector;
        actions[2] = VerifiedHandler.open.selector;
        actions[3] = VerifiedHandler.dealAs.selector;
        actions[4] = VerifiedHandler.revealAs.selector;
        actions[5] = VerifiedHandler.postAs.selector;
        actions[6] = VerifiedHandler.commitAs.selector;
        actions[7] = VerifiedHandler.proveAs.selector;
        actions[8] = VerifiedHandler.workAll.selector;
        actions[9] = VerifiedHandler.playOn.selector;
        actions[10] = VerifiedHandler.advanceAs.selector;
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
        vm.assertEq(handler.slashed(), handler.paid() + treasury, "slashed, paid and kept");
        vm.assertLe(handler.paid(), handler.slashed(), "paid out of slashes");
    }

    function invariant_secondValue_waitsForTheCommitments() public view {
        vm.assertTrue(!handler.secondIsEarly(), "draw before all commitments");
    }

    /// @dev The handler gets where the rules bite.
    function test_handler_drivenOnce_reachesEveryRule() public {
        handler.open();
        handler.playOn(11, 8); // nobody is silent
        vm.assertEq(handler.finalised(), 1, "models in force");
        handler.open();
        handler.playOn(2, 8); // a hospital that does nothing: dropped, since it did not commit
        handler.open();
        handler.workAll(11, false);
        handler.advanceAs(0);
        handler.playOn(11, 1);
        handler.passBlocks(4);
        for (uint256 i = 0; i < 4; ++i) {
            handler.revealAs(i, 1);
        }
        handler.passBlocks(4);
        handler.passBlocks(4);
        handler.postAs(4, 1, 7, 0);
        vm.assertEq(handler.rebuilt(), 1, "rebuilt");
        handler.advanceAs(0);
        handler.passBlocks(4);
        handler.passBlocks(4);
        handler.advanceAs(5); // nothing was proven
        vm.assertGe(handler.excluded(), 2, "excluded");
        vm.assertGe(handler.paid(), 15, "paid");
        invariant_conduct_isKept();
        invariant_tokens_areConserved();
        invariant_secondValue_waitsForTheCommitments();
    }
}
