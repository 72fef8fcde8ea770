// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AGGREGATOR, Member, VALIDATOR, VOTING_ROLES} from "../src/interfaces/IConsortium.sol";
import {SLASHER_ROLE, Stake} from "../src/interfaces/IStakeVault.sol";
import {Deployment} from "./Deployment.sol";
import {Handler} from "./Handler.sol";
import {Outsider} from "./Outsider.sol";
import {vm} from "./Vm.sol";

/// @notice What holds after any sequence of calls. Rules about single calls (delays, quorums, order of phases, roles) are noted by
/// the handlers as the calls are made, under `broken`.
contract InvariantsTest is Deployment {
    Handler internal handler;
    Outsider internal intruder;
    address[] internal targets;

    function setUp() public override {
        super.setUp();
        address[] memory accounts = new address[](10);
        address[] memory insiders = new address[](12);
        for (uint256 i = 0; i < 10; ++i) {
            accounts[i] = vm.addr(i + 1); // the cast and two newcomers
            insiders[i] = accounts[i];
        }
        handler = new Handler(consortium, token, vault, registry, manager, accounts);
        (insiders[10], insiders[11]) = (address(handler), address(this));
        intruder = new Outsider(
            address(consortium), address(token), address(vault), address(registry), address(manager), insiders
        );
        vm.prank(address(consortium));
        consortium.grantRole(SLASHER_ROLE, address(handler));
        vm.prank(address(consortium));
        vault.setUnlockDelay(6); // shorter than a round, so that the freeze is what holds a stake
        stakeAll();
        targets.push(address(handler));
        targets.push(address(intruder));
    }

    /// @dev Asked by forge: who is called.
    function targetContracts() external view returns (address[] memory) {
        return targets;
    }

    function invariant_conduct_isKept() public view {
        string memory broken = handler.broken();
        vm.assertTrue(bytes(broken).length == 0, broken);
    }

    function invariant_outsiders_changeNothing() public view {
        vm.assertEq(bytes32(intruder.broken()), bytes32(0));
    }

    function invariant_supply_isConserved() public view {
        uint256 held = token.balanceOf(address(vault));
        uint256 staked = vault.treasury();
        for (uint256 i = 0; i < 10; ++i) {
            held += token.balanceOf(handler.accountAt(i));
            Stake memory one = vault.stakeOf(handler.accountAt(i));
            staked += one.active + one.unlocking;
        }
        vm.assertEq(held, SUPPLY, "balances");
        vm.assertEq(token.balanceOf(address(vault)), staked, "stakes and treasury");
    }

    function invariant_freezes_areThoseOfTheOpenRound() public view {
        for (uint256 i = 0; i < 10; ++i) {
            address account = handler.accountAt(i);
            vm.assertEq(vault.stakeOf(account).freezes, handler.undertakings(account), "freezes");
        }
    }

    function invariant_history_growsByVotesAlone() public view {
        vm.assertEq(registry.versions(), 1 + handler.finalised(), "versions");
        for (uint256 i = 1; i < registry.versions(); ++i) {
            vm.assertTrue(registry.modelAt(i).roundId > registry.modelAt(i - 1).roundId, "rounds in order");
        }
    }

    function invariant_members_matchTheirCounts() public view {
        address[] memory all = consortium.members();
        uint256 voters;
        uint256 judges;
        uint256 aggregators;
        for (uint256 i = 0; i < all.length; ++i) {
            Member memory record = consortium.recordOf(all[i]);
            vm.assertEq(record.position, i + 1, "position");
            if (record.roles & VOTING_ROLES != 0) ++voters;
            if (record.roles & VALIDATOR != 0) ++judges;
            if (record.roles & AGGREGATOR != 0) ++aggregators;
        }
        vm.assertEq(consortium.voters(), voters, "voters");
        vm.assertEq(consortium.validators(), judges, "validators");
        vm.assertEq(consortium.aggregators(), aggregators, "aggregators");
        vm.assertGe(judges, 3, "working minimum");
    }

    /// @dev The handlers get where the rules bite: a handler whose calls are all refused would keep every invariant.
    function test_handler_drivenOnce_reachesEveryRule() public {
        handler.requestUnlock(0, 10);
        handler.open(4);
        handler.work(7, 8);
        handler.withdraw();
        handler.vote(3, 0, 4, type(uint256).max);
        intruder.intrude(outsider, 1, 0, hospitals[0]);
        vm.assertEq(handler.finalised(), 1, "models in force");
        vm.assertEq(handler.withdrawals(), 1, "withdrawals");
        vm.assertEq(handler.removals(), 1, "removals");
        invariant_conduct_isKept();
        invariant_outsiders_changeNothing();
    }

    function test_handler_removingEveryValidator_stopsAtTheWorkingMinimum() public {
        for (uint256 i = 6; i > 2; --i) {
            handler.vote(i, 0, 2, type(uint256).max); // proposed by a hospital that stays
        }
        handler.vote(1, 0, 2, type(uint256).max);
        handler.vote(0, 0, 2, type(uint256).max);
        invariant_members_matchTheirCounts();
        vm.assertEq(consortium.validators(), 3);
    }
}
