// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GovernanceHandler} from "./GovernanceHandler.sol";
import {SharedHandler} from "./SharedHandler.sol";
import {vm} from "./Vm.sol";

/// @notice What holds of votes, scores and rewards after any sequence of calls. Rules about single calls (who is paid and slashed for what,
/// that no phase stalls, that ends leave no stake frozen) are noted by the handler as the calls are made, under `broken`.
contract GovernanceInvariantsTest {
    /// @dev As forge wants it told which functions to call.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    GovernanceHandler internal handler;
    address[] internal targets;

    function setUp() public {
        handler = new GovernanceHandler();
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
        bytes4[] memory actions = new bytes4[](13);
        actions[0] = SharedHandler.passBlocks.selector;
        actions[1] = SharedHandler.open.selector;
        actions[2] = SharedHandler.complainAs.selector;
        actions[3] = SharedHandler.workAll.selector;
        actions[4] = SharedHandler.advanceAs.selector;
        actions[5] = GovernanceHandler.removeAs.selector;
        actions[6] = GovernanceHandler.voteAs.selector;
        actions[7] = GovernanceHandler.scoreAs.selector;
        actions[8] = GovernanceHandler.revealAs.selector;
        actions[9] = GovernanceHandler.reportAs.selector;
        actions[10] = GovernanceHandler.claimAs.selector;
        actions[11] = GovernanceHandler.judgeAll.selector;
        actions[12] = SharedHandler.passBlocks.selector;
        all[0] = FuzzSelector(address(handler), actions);
    }

    function invariant_conduct_isKept() public view {
        string memory broken = handler.broken();
        vm.assertTrue(bytes(broken).length == 0, broken);
    }

    function invariant_tokens_areConserved() public view {
        (uint256 all, uint256 stakes, uint256 inVault, uint256 treasury) = handler.balances();
        (uint256 owed, uint256 sum, uint256 held, uint256 pot) = handler.books();
        vm.assertEq(all + held, 8000, "members, vault and rewards");
        vm.assertEq(stakes + treasury, inVault, "stakes and treasury");
        vm.assertEq(handler.slashed() + handler.forfeited(), treasury + handler.fees(), "slashed, kept and paid");
        vm.assertEq(owed, sum, "owed to members");
        vm.assertEq(owed + pot, held, "owed and pot");
        vm.assertLe(owed, held, "covered");
    }

    /// @dev The handler gets where the rules bite.
    function test_handler_drivenOnce_reachesEveryRule() public {
        handler.workAll(9);
        handler.advanceAs();
        handler.workAll(9);
        handler.advanceAs();
        handler.judgeAll(9);
        handler.advanceAs();
        handler.judgeAll(9);
        handler.advanceAs();
        vm.assertEq(handler.finalised(), 1, "models in force");
        vm.assertEq(handler.scored(), 1, "scored");
        handler.claimAs(0);
        handler.claimAs(2);
        vm.assertEq(handler.claimed(), 2, "claimed");
        handler.reportAs(4, 7, 0);
        handler.reportAs(4, 7, 0);
        vm.assertEq(handler.equivocated(), 1, "two votes");
        vm.assertEq(handler.fees(), 4, "fees");
        handler.open();
        handler.removeAs(2);
        handler.removeAs(0);
        for (uint256 i = 0; i < 200; ++i) {
            handler.passBlocks(2);
            handler.advanceAs();
        }
        vm.assertEq(handler.removed(), 2, "removed");
        vm.assertEq(handler.settled(), 2, "rounds that ended");
        handler.open();
        handler.workAll(9);
        invariant_conduct_isKept();
        invariant_tokens_areConserved();
    }
}
