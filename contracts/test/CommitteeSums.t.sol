// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICommittee, SharingParameters} from "../src/interfaces/ICommittee.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {IPhases, Phase} from "../src/interfaces/IPhases.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Sums of shares: what is taken, when it is decoded, who is named. Five seats, three give the total.
contract CommitteeSumsTest is SharedDeployment {
    /// @dev All seats but those of `silent` submit to group 0, those of `liars` lie (a bit each).
    function summed(uint256 silent, uint256 liars) internal returns (uint256 roundId) {
        roundId = reach(Phase.Aggregate);
        for (uint256 a = 0; a < 5; ++a) {
            if ((silent >> a) & 1 == 0) submitSum(roundId, 0, a, lie(liars, a));
        }
        if (silent != 0) skipStage(roundId, 2);
    }

    function refuse(uint256 roundId, bytes[] memory sums, uint256 wrong, bytes memory reason) internal {
        vm.expectRevert(reason);
        decode(roundId, 0, sums, wrong);
    }

    // ------------------------------------------------------------------ submitting

    function test_submitSum_faulty_reverts() public {
        uint256 roundId = reach(Phase.Aggregate);
        bytes memory sum = sumAt(roundId, 0, 1, 0);
        refuseSum(roundId, 1, sum, abi.encodeWithSelector(ICommittee.UnknownGroup.selector, 1, 1));
        refuseSum(roundId, 0, bytes.concat(sum, hex"00"), abi.encodeWithSelector(ICommittee.BadSum.selector, 36, 145));
        refuseSum(roundId, 0, "", abi.encodeWithSelector(ICommittee.BadSum.selector, 36, 0));
        (sum[4 * 35], sum[4 * 35 + 3]) = (0x78, 0x01);
        (sum[4 * 35 + 1], sum[4 * 35 + 2]) = (0, 0);
        refuseSum(roundId, 0, sum, abi.encodeWithSelector(ICommittee.BadSum.selector, 35, 0x78000001));
        submitSum(roundId, 0, 0, 0);
        sum = sumAt(roundId, 0, 1, 1);
        refuseSum(roundId, 0, sum, abi.encodeWithSelector(ICommittee.AlreadySummed.selector, roundId, 0, 0));
        vm.assertEq(committee.sumHashOf(roundId, 0, 0), keccak256(sumAt(roundId, 0, 1, 0)));
        skipStage(roundId, 2);
        (,, uint32 until,) = committee.stagesOf(roundId);
        refuseSum(roundId, 0, sum, abi.encodeWithSelector(IPhases.DeadlinePassed.selector, until, vm.getBlockNumber()));
    }

    function refuseSum(uint256 roundId, uint256 group, bytes memory sum, bytes memory reason) internal {
        vm.expectRevert(reason);
        vm.prank(dealers[0]);
        committee.submitSum(roundId, group, sum);
    }

    /// @dev The survivors come first.
    function test_submitSum_beforeTheSurvivorsAreFixed_reverts() public {
        uint256 roundId = reach(Phase.Share);
        vm.assertEq(committee.survivorsOf(roundId).length, 0);
        refuseSum(roundId, 0, new bytes(144), abi.encodeWithSelector(ICommittee.StageNotOpen.selector, roundId));
    }

    function test_submitSum_byAnAggregatorWithoutSeat_reverts() public {
        SharingParameters memory wanted = SharingParameters(4, 3, 7, 0, 0);
        govern(address(committee), abi.encodeCall(ICommittee.setSharing, (wanted, releases())));
        uint256 roundId = openRound();
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotSeated.selector, roundId, operators[2]));
        vm.prank(operators[2]);
        committee.submitSum(roundId, 0, "");
    }

    // ------------------------------------------------------------------ decoding

    function test_decode_allRight_isTheTotal() public {
        uint256 roundId = summed(0, 0);
        vm.expectEmit(address(committee));
        emit ICommittee.SumDecoded(roundId, 0, sumAt(roundId, 0, 0, 0), 0);
        decode(roundId, 0, submitted(roundId, 0, 0), 0);
        vm.assertEq(committee.isDecoded(roundId, 0), true);
        vm.assertEq(committee.isSummed(roundId), true);
        refuse(
            roundId, submitted(roundId, 0, 0), 0, abi.encodeWithSelector(ICommittee.AlreadyDecoded.selector, roundId, 0)
        );
    }

    function test_decode_anyOneWrong_isTheTotalAndNamed() public {
        for (uint256 liar = 0; liar < 5; ++liar) {
            stake(dealers[liar], SUM_PENALTY); // what it will lose
            uint256 roundId = summed(0, 1 << liar);
            bytes[] memory sums = submitted(roundId, 0, 1 << liar);
            vm.expectEmit(address(committee));
            emit ICommittee.SumDecoded(roundId, 0, sumAt(roundId, 0, 0, 0), 1 << liar);
            decode(roundId, 0, sums, 1 << liar);
            finishFrom(roundId);
        }
    }

    function finishFrom(uint256 roundId) internal {
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            skipBeyond(manager.deadlineOf(roundId));
            advance(roundId);
        }
    }

    function test_decode_anyTwoSilent_isTheTotal() public {
        for (uint256 one = 0; one < 5; ++one) {
            for (uint256 two = one + 1; two < 5; ++two) {
                for (uint256 i = 0; i < 5; ++i) {
                    stake(dealers[i], SUM_PENALTY);
                }
                uint256 roundId = summed((1 << one) | (1 << two), 0);
                bytes[] memory sums = submitted(roundId, 0, 0);
                vm.expectEmit(address(committee));
                emit ICommittee.SumDecoded(roundId, 0, sumAt(roundId, 0, 0, 0), 0);
                decode(roundId, 0, sums, 0);
                finishFrom(roundId);
            }
        }
    }

    /// @dev One wrong and one silent, or two wrong apart from each other: no naming passes, whichever of the 32 it is.
    function test_decode_beyondItsBound_neverPasses() public {
        uint256[2] memory silent = [uint256(1), 0];
        uint256[2] memory liars = [uint256(2), 6];
        for (uint256 i = 0; i < 2; ++i) {
            for (uint256 a = 0; a < 5; ++a) {
                stake(dealers[a], SUM_PENALTY);
            }
            uint256 roundId = summed(silent[i], liars[i]);
            bytes[] memory sums = submitted(roundId, 0, liars[i]);
            for (uint256 wrong = 0; wrong < 32; ++wrong) {
                (bool done,) = address(this).call(abi.encodeCall(this.decodeAs, (roundId, sums, wrong)));
                vm.assertEq(done, false);
            }
            finishFrom(roundId);
        }
    }

    /// @dev The bound is tight: two that lie together pass a wrong total, and an honest seat is named in their place.
    function test_decode_twoLyingTogether_arePastWhatFiveSeatsTell() public {
        uint256 roundId = reach(Phase.Aggregate);
        bytes[] memory sums = new bytes[](5);
        for (uint256 a = 0; a < 5; ++a) {
            uint256 offset = a == 1 || a == 2 ? 1 : 0; // 0 1 1 0: -(x - 1) (x - 4) / 2 at 1 .. 4
            sums[a] = sumAt(roundId, 0, a + 1, offset);
            submitSum(roundId, 0, a, offset);
        }
        decode(roundId, 0, sums, 1 << 4);
        vm.assertEq(committee.isDecoded(roundId, 0), true);
    }

    function decodeAs(uint256 roundId, bytes[] memory sums, uint256 wrong) external {
        decode(roundId, 0, sums, wrong);
    }

    function test_decode_wrongNaming_reverts() public {
        uint256 roundId = summed(0, 1 << 3);
        bytes[] memory sums = submitted(roundId, 0, 1 << 3);
        refuse(roundId, sums, 0, abi.encodeWithSelector(ICommittee.Inconsistent.selector, 3));
        refuse(roundId, sums, 1, abi.encodeWithSelector(ICommittee.Inconsistent.selector, 4));
        refuse(roundId, sums, 1 << 5, abi.encodeWithSelector(ICommittee.NamedAbsent.selector, 32, 31));
        refuse(roundId, sums, 9, abi.encodeWithSelector(ICommittee.NotDecodable.selector, 5, 3, 2));
        decode(roundId, 0, sums, 1 << 3);
        vm.assertEq(committee.isDecoded(roundId, 0), true);
    }

    function test_decode_honestSeatNamed_reverts() public {
        uint256 roundId = summed(0, 0);
        for (uint256 a = 0; a < 5; ++a) {
            refuse(roundId, submitted(roundId, 0, 0), 1 << a, abi.encodeWithSelector(ICommittee.NotWrong.selector, a));
        }
    }

    function test_decode_otherSumsThanSubmitted_reverts() public {
        uint256 roundId = summed(1 << 2, 0);
        bytes[] memory sums = submitted(roundId, 0, 1);
        bytes32 kept = committee.sumHashOf(roundId, 0, 0);
        refuse(roundId, sums, 0, abi.encodeWithSelector(ICommittee.WrongSum.selector, 0, kept));
        sums = submitted(roundId, 0, 0);
        sums[2] = sums[1];
        refuse(roundId, sums, 0, abi.encodeWithSelector(ICommittee.WrongSum.selector, 2, 0));
        sums[2] = "";
        (kept, sums[4]) = (keccak256(sums[4]), "");
        refuse(roundId, sums, 0, abi.encodeWithSelector(ICommittee.WrongSum.selector, 4, kept));
        refuse(roundId, new bytes[](4), 0, abi.encodeWithSelector(ICommittee.WrongSumCount.selector, 5, 4));
    }

    /// @dev Three sums lie on a polynomial whatever they are: with time left for the others, nothing is decoded from them.
    function test_decode_whileSumsMayCome_reverts() public {
        uint256 roundId = reach(Phase.Aggregate);
        for (uint256 a = 0; a < 3; ++a) {
            submitSum(roundId, 0, a, a);
        }
        bytes[] memory sums = new bytes[](5);
        for (uint256 a = 0; a < 3; ++a) {
            sums[a] = sumAt(roundId, 0, a + 1, a);
        }
        refuse(roundId, sums, 0, abi.encodeWithSelector(ICommittee.SumsOutstanding.selector, 0, 3, 5));
        submitSum(roundId, 0, 3, 0);
        sums[3] = sumAt(roundId, 0, 4, 0);
        skipStage(roundId, 2);
        refuse(roundId, sums, 0, abi.encodeWithSelector(ICommittee.Inconsistent.selector, 3));
    }

    function test_decode_tooFewSums_reverts() public {
        uint256 roundId = summed(7, 0);
        refuse(roundId, submitted(roundId, 0, 0), 0, abi.encodeWithSelector(ICommittee.NotDecodable.selector, 2, 3, 0));
    }

    function test_decode_byNoMember_reverts() public {
        uint256 roundId = summed(0, 0);
        bytes[] memory sums = submitted(roundId, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        vm.prank(outsider);
        committee.decode(roundId, 0, sums, 0);
    }

    function test_decode_gas_isBelowItsBound() public {
        uint256 roundId = summed(0, 1 << 3);
        bytes[] memory sums = submitted(roundId, 0, 1 << 3);
        vm.prank(hospitals[2]);
        uint256 before = gasleft();
        committee.decode(roundId, 0, sums, 1 << 3);
        vm.assertLe(before - gasleft(), 250_000, "gas of one decoding of 36 slots by 5 seats");
    }
}
