// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICommittee, SharingParameters} from "../src/interfaces/ICommittee.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Sums of shares: what is taken as proven, from which a total is decoded. Five seats, three give the total.
contract CommitteeSumsTest is SharedDeployment {
    /// @dev The seats of `present` submit to group 0 (a bit each).
    function summed(uint256 present) internal returns (uint256 roundId) {
        roundId = reach(Phase.Aggregate);
        for (uint256 a = 0; a < 5; ++a) {
            if ((present >> a) & 1 == 1) submitSum(roundId, 0, a);
        }
    }

    function finishFrom(uint256 roundId) internal {
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            skipBeyond(manager.deadlineOf(roundId));
            advance(roundId);
        }
    }

    function refuseSum(uint256 roundId, uint256 group, bytes memory sum, bytes memory proof, bytes memory reason)
        internal
    {
        vm.expectRevert(reason);
        vm.prank(dealers[0]);
        committee.submitSum(roundId, group, sum, proof);
    }

    function refuseFalse(uint256 roundId, uint256 group, bytes memory sum, bytes memory proof) internal {
        refuseSum(roundId, group, sum, proof, abi.encodeWithSelector(IStarkVerifier.OodMismatch.selector));
        vm.assertEq(committee.sumHashOf(roundId, group, 0), 0);
    }

    // ------------------------------------------------------------------ submitting

    function test_submitSum_proven_isRecorded() public {
        uint256 roundId = reach(Phase.Aggregate);
        bytes memory sum = sumAt(roundId, 0, 1, 0);
        vm.expectEmit(address(committee));
        emit ICommittee.SumSubmitted(roundId, 0, 0, sum);
        submitSum(roundId, 0, 0);
        vm.assertEq(committee.sumHashOf(roundId, 0, 0), keccak256(sum));
    }

    function test_submitSum_faulty_reverts() public {
        uint256 roundId = reach(Phase.Aggregate);
        bytes memory sum = sumAt(roundId, 0, 1, 0);
        bytes memory proof = sumProof(roundId, 0, 0);
        refuseSum(roundId, 1, sum, proof, abi.encodeWithSelector(ICommittee.UnknownGroup.selector, 1, 1));
        bytes memory reason = abi.encodeWithSelector(ICommittee.BadSum.selector, 36, 145);
        refuseSum(roundId, 0, bytes.concat(sum, hex"00"), proof, reason);
        refuseSum(roundId, 0, "", proof, abi.encodeWithSelector(ICommittee.BadSum.selector, 36, 0));
        (sum[4 * 35], sum[4 * 35 + 3]) = (0x78, 0x01);
        (sum[4 * 35 + 1], sum[4 * 35 + 2]) = (0, 0);
        refuseSum(roundId, 0, sum, proof, abi.encodeWithSelector(ICommittee.BadSum.selector, 35, 0x78000001));
        submitSum(roundId, 0, 0);
        sum = sumAt(roundId, 0, 1, 0);
        refuseSum(roundId, 0, sum, proof, abi.encodeWithSelector(ICommittee.AlreadySummed.selector, roundId, 0, 0));
        skipStage(roundId, 2);
        (,, uint32 until,) = committee.stagesOf(roundId);
        reason = abi.encodeWithSelector(IPhases.DeadlinePassed.selector, until, vm.getBlockNumber());
        refuseSum(roundId, 0, sum, proof, reason);
    }

    /// @dev Any one element off by one, or no proof: the verifier's error, and nothing is recorded.
    function test_submitSum_anotherSumThanThatOfTheShares_reverts() public {
        uint256 roundId = reach(Phase.Aggregate);
        bytes memory proof = sumProof(roundId, 0, 0);
        for (uint256 j = 0; j < 36; ++j) {
            bytes memory sum = sumAt(roundId, 0, 1, 0);
            sum[4 * j + 3] ^= 0x02; // p ends in 1, so that it stays below
            refuseFalse(roundId, 0, sum, proof);
        }
        refuseFalse(roundId, 0, sumAt(roundId, 0, 1, 0), "");
        submitSum(roundId, 0, 0);
    }

    /// @dev The proof is true, but of another seat's shares or for another seat, with its sum or with the own one.
    function test_submitSum_anothersProof_reverts() public {
        uint256 roundId = reach(Phase.Aggregate);
        refuseFalse(roundId, 0, sumAt(roundId, 0, 2, 0), sumProof(roundId, 0, 1));
        refuseFalse(roundId, 0, sumAt(roundId, 0, 1, 0), sumProof(roundId, 0, 1));
        bytes memory sum = sumAt(roundId, 0, 1, 0);
        bytes memory proof = sumProof(roundId, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IStarkVerifier.OodMismatch.selector));
        vm.prank(dealers[1]);
        committee.submitSum(roundId, 0, sum, proof);
    }

    function test_submitSum_anotherGroupsOrRoundsProof_reverts() public {
        widen();
        uint256 before = reach(Phase.Aggregate);
        bytes memory old = sumProof(before, 0, 0);
        bytes memory oldSum = sumAt(before, 0, 1, 0);
        refuseFalse(before, 0, sumAt(before, 1, 1, 0), sumProof(before, 1, 0));
        refuseFalse(before, 1, oldSum, old);
        finishFrom(before);
        for (uint256 a = 0; a < 5; ++a) {
            stake(dealers[a], SUM_PENALTY);
        }
        uint256 roundId = reach(Phase.Aggregate);
        refuseFalse(roundId, 0, oldSum, old);
        refuseFalse(roundId, 0, sumAt(roundId, 0, 1, 0), old);
        submitSum(roundId, 0, 0);
    }

    /// @dev The survivors come first.
    function test_submitSum_beforeTheSurvivorsAreFixed_reverts() public {
        uint256 roundId = reach(Phase.Share);
        vm.assertEq(committee.survivorsOf(roundId).length, 0);
        refuseSum(roundId, 0, new bytes(144), "", abi.encodeWithSelector(ICommittee.StageNotOpen.selector, roundId));
    }

    function test_submitSum_byAnAggregatorWithoutSeat_reverts() public {
        SharingParameters memory wanted = SharingParameters(4, 3, 7, 0);
        IStarkVerifier[2] memory both = releases();
        govern(address(committee), abi.encodeCall(ICommittee.setSharing, (wanted, both, both)));
        uint256 roundId = openRound();
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotSeated.selector, roundId, operators[2]));
        vm.prank(operators[2]);
        committee.submitSum(roundId, 0, "", "");
    }

    /// @dev Digests of the group for the seat, in the order of the survivors; then zeros; then the sum.
    function test_sumInputs_areTheGroupsDigestsAndTheSums() public {
        widen();
        uint256 roundId = reach(Phase.Aggregate);
        bytes32 free = this.digestOf(new uint32[](40));
        for (uint256 group = 0; group < 2; ++group) {
            bytes memory sum = sumAt(roundId, group, 4, 0);
            uint256[] memory inputs = committee.sumInputs(roundId, group, 3, sum);
            vm.assertEq(inputs.length, 48);
            uint256[] memory expected = new uint256[](48);
            uint256 next = 0;
            for (uint256 i = 0; i < 7; ++i) {
                address hospital = committee.survivorsOf(roundId)[i];
                if (committee.groupOf(roundId, hospital) != group) continue;
                next = put(expected, next, committee.digestsOf(roundId, hospital)[3]);
            }
            vm.assertEq(next, group == 0 ? 32 : 24);
            while (next < 40) {
                next = put(expected, next, free);
            }
            put(expected, next, digestOfSum(sum));
            vm.assertEq(keccak256(abi.encode(inputs)), keccak256(abi.encode(expected)));
        }
    }

    // ------------------------------------------------------------------ decoding

    function test_decode_anyThree_isTheTotal() public {
        for (uint256 one = 0; one < 3; ++one) {
            for (uint256 two = one + 1; two < 4; ++two) {
                for (uint256 last = two + 1; last < 5; ++last) {
                    this.decodeThree(one, two, last);
                }
            }
        }
    }

    function decodeThree(uint256 one, uint256 two, uint256 last) external {
        for (uint256 a = 0; a < 5; ++a) {
            stake(dealers[a], SUM_PENALTY); // what the silent lose
        }
        uint256 roundId = summed((1 << one) | (1 << two) | (1 << last));
        uint256[] memory seats = three(one, two, last);
        bytes[] memory sums = sumsOf(roundId, 0, seats);
        vm.expectEmit(address(committee));
        emit ICommittee.SumDecoded(roundId, 0, sumAt(roundId, 0, 0, 0));
        decode(roundId, 0, seats, sums);
        vm.assertEq(committee.isDecoded(roundId, 0), true);
        vm.assertEq(committee.isSummed(roundId), true);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.AlreadyDecoded.selector, roundId, 0));
        decode(roundId, 0, seats, sums);
        finishFrom(roundId);
    }

    /// @dev From the third sum on; who comes after is still in time.
    function test_decode_whileSumsMayCome_isTheTotalAndTheyStillCount() public {
        uint256 roundId = summed(7);
        decode(roundId, 0);
        submitSum(roundId, 0, 3);
        submit(roundId, operators[0], "model");
        skipBeyond(manager.deadlineOf(roundId));
        vm.expectEmit(address(committee));
        emit ICommittee.AggregatorFailed(roundId, dealers[4], "committee: no sum");
        advance(roundId);
        vm.assertTrue(manager.phaseOf(roundId) == Phase.Finalise, "goes on");
        vm.assertEq(vault.treasury(), SUM_PENALTY);
    }

    function refuse(uint256 roundId, uint256[] memory seats, bytes[] memory sums, bytes memory reason) internal {
        vm.expectRevert(reason);
        decode(roundId, 0, seats, sums);
        vm.assertEq(committee.isDecoded(roundId, 0), false);
    }

    function test_decode_faultySeats_reverts() public {
        uint256 roundId = summed(31);
        uint256[] memory seats = three(0, 2, 4);
        bytes[] memory sums = sumsOf(roundId, 0, seats);
        uint256[] memory two = new uint256[](2);
        two[1] = 2;
        refuse(roundId, two, sums, abi.encodeWithSelector(ICommittee.WrongSumCount.selector, 3, 2));
        refuse(roundId, seats, new bytes[](4), abi.encodeWithSelector(ICommittee.WrongSumCount.selector, 3, 4));
        refuse(roundId, new uint256[](4), sums, abi.encodeWithSelector(ICommittee.WrongSumCount.selector, 3, 4));
        bytes memory reason = abi.encodeWithSelector(ICommittee.SeatsNotAscending.selector, 2, 2);
        (seats[1], sums[1]) = (2, sums[1]);
        (seats[2], sums[2]) = (2, sums[1]);
        refuse(roundId, seats, sums, reason);
        seats = three(0, 4, 2);
        refuse(
            roundId,
            seats,
            sumsOf(roundId, 0, seats),
            abi.encodeWithSelector(ICommittee.SeatsNotAscending.selector, 4, 2)
        );
    }

    function test_decode_otherSumsThanProven_reverts() public {
        uint256 roundId = summed(27);
        uint256[] memory seats = three(0, 1, 2);
        bytes[] memory sums = sumsOf(roundId, 0, seats);
        refuse(roundId, seats, sums, abi.encodeWithSelector(ICommittee.WrongSum.selector, 2, 0));
        sums[2] = "";
        refuse(roundId, seats, sums, abi.encodeWithSelector(ICommittee.WrongSum.selector, 2, 0));
        seats[2] = 5; // nobody's
        refuse(roundId, seats, sums, abi.encodeWithSelector(ICommittee.WrongSum.selector, 5, 0));
        seats[2] = 4;
        refuse(roundId, seats, sums, abi.encodeWithSelector(ICommittee.WrongSum.selector, 4, proven(roundId, 4)));
        (sums[1], sums[2]) = (sums[0], sumAt(roundId, 0, 5, 0));
        refuse(roundId, seats, sums, abi.encodeWithSelector(ICommittee.WrongSum.selector, 1, proven(roundId, 1)));
        sums[1] = sumAt(roundId, 0, 2, 1);
        refuse(roundId, seats, sums, abi.encodeWithSelector(ICommittee.WrongSum.selector, 1, proven(roundId, 1)));
    }

    function proven(uint256 roundId, uint256 seat) internal view returns (bytes32) {
        return committee.sumHashOf(roundId, 0, seat);
    }

    function test_decode_tooFewSums_reverts() public {
        uint256 roundId = summed(3);
        uint256[] memory seats = three(0, 1, 2);
        bytes[] memory sums = sumsOf(roundId, 0, seats);
        refuse(roundId, seats, sums, abi.encodeWithSelector(ICommittee.WrongSum.selector, 2, 0));
    }

    function test_decode_byNoMember_reverts() public {
        uint256 roundId = summed(31);
        uint256[] memory seats = three(0, 1, 2);
        bytes[] memory sums = sumsOf(roundId, 0, seats);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        committee.decode(roundId, 0, seats, sums);
    }

    // ------------------------------------------------------------------ gas

    function test_decode_gas_isBelowItsBound() public {
        uint256 roundId = summed(31);
        uint256[] memory seats = three(0, 1, 2);
        bytes[] memory sums = sumsOf(roundId, 0, seats);
        vm.prank(hospitals[2]);
        uint256 before = gasleft();
        committee.decode(roundId, 0, seats, sums);
        vm.assertLe(before - gasleft(), 120_000, "gas of one decoding of 36 slots by 3 seats");
    }

    /// @dev Without the verification, which the stub does for next to nothing.
    function test_submitSum_gas_isBelowItsBound() public {
        uint256 roundId = reach(Phase.Aggregate);
        bytes memory sum = sumAt(roundId, 0, 1, 0);
        bytes memory proof = sumProof(roundId, 0, 0);
        vm.prank(dealers[0]);
        uint256 before = gasleft();
        committee.submitSum(roundId, 0, sum, proof);
        vm.assertLe(before - gasleft(), 330_000, "gas of one sum of 36 slots besides its verification");
    }
}
