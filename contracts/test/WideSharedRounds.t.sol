// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TrainingParameters} from "../src/interfaces/IAudits.sol";
import {ICommittee} from "../src/interfaces/ICommittee.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {StubVerifier} from "./StubVerifier.sol";
import {vm} from "./Vm.sol";

/// @notice Shared rounds over rows of two halves: 72 slots, shares of 80 elements with their salt.
contract WideSharedRoundsTest is SharedDeployment {
    function training() internal override returns (TrainingParameters memory wide) {
        wide = super.training();
        wide.halves = 2;
    }

    function verifiers() internal override returns (IStarkVerifier[2] memory both) {
        both[1] = new StubVerifier();
    }

    function releases() internal override returns (IStarkVerifier[2] memory both) {
        both[1] = new StubVerifier();
    }

    function slots() internal pure override returns (uint256) {
        return 72;
    }

    function test_round_twoHalves_showsSumsAndRefuses() public {
        uint256 roundId = reach(Phase.Share);
        complain(roundId, 4, hospitals[0]);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.WrongShareLength.selector, 80, 40));
        vm.prank(hospitals[0]);
        committee.show(roundId, 4, new uint32[](40));
        show(roundId, hospitals[0], 4);
        work(roundId);
        advance(roundId);
        for (uint256 a = 0; a < 5; ++a) {
            if (a != 1) submitSum(roundId, 0, a);
        }
        vm.expectRevert(abi.encodeWithSelector(IStarkVerifier.OodMismatch.selector));
        this.lieFrom(roundId, 1);
        vm.expectEmit(address(committee));
        emit ICommittee.SumDecoded(roundId, 0, sumAt(roundId, 0, 0, 0));
        decode(roundId, 0);
        submit(roundId, operators[0], "model");
        skipBeyond(manager.deadlineOf(roundId));
        advance(roundId);
        vm.assertEq(vault.treasury(), SUM_PENALTY);
    }

    function lieFrom(uint256 roundId, uint256 seat) external {
        submitLie(roundId, 0, seat);
    }
}
