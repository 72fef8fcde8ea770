// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Committee} from "../src/Committee.sol";
import {IAudits} from "../src/interfaces/IAudits.sol";
import {IBeacon} from "../src/interfaces/IBeacon.sol";
import {ICommittee, Release, SharingParameters} from "../src/interfaces/ICommittee.sol";
import {IConsortium, ROUNDS_ROLE} from "../src/interfaces/IConsortium.sol";
import {IDataRegistry} from "../src/interfaces/IDataRegistry.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {IRoundManager, RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {SharedDeployment} from "./SharedDeployment.sol";
import {StubVerifier} from "./StubVerifier.sol";
import {vm} from "./Vm.sol";

/// @notice Who sits on a committee, how updates are weighed, what is committed to and proven of shares; every refusal by name.
contract CommitteeTest is SharedDeployment {
    function setSharing(SharingParameters memory wanted) internal {
        IStarkVerifier[2] memory both = releases();
        govern(address(committee), abi.encodeCall(ICommittee.setSharing, (wanted, both, both)));
    }

    // ------------------------------------------------------------------ parameters

    function test_setSharing_byVote_countsForComingRounds() public {
        uint256 roundId = openRound();
        IStarkVerifier[2] memory both = [IStarkVerifier(address(new StubVerifier())), new StubVerifier()];
        IStarkVerifier[2] memory sums = [IStarkVerifier(address(new StubVerifier())), new StubVerifier()];
        SharingParameters memory wanted = SharingParameters(16, 16, 10, 9);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotTheVote.selector, operators[0]));
        vm.prank(operators[0]);
        committee.setSharing(wanted, both, sums);
        govern(address(committee), abi.encodeCall(ICommittee.setSharing, (wanted, both, sums)));
        vm.assertEq(committee.sharing().aggregators, 16);
        vm.assertEq(committee.sharingOf(roundId).aggregators, 5);
        vm.assertEq(address(committee.verifierOf(2)), address(both[1]));
        vm.assertEq(address(committee.verifierOf(3)), address(0));
        vm.assertEq(address(committee.sumVerifierOf(1)), address(sums[0]));
        vm.assertEq(address(committee.sumVerifierOf(0)), address(0));
    }

    function test_setSharing_outsideItsBounds_reverts() public {
        refuseSharing(SharingParameters(1, 1, 7, 0), "aggregators", 1, 2, 16);
        refuseSharing(SharingParameters(17, 3, 7, 0), "aggregators", 17, 2, 16);
        refuseSharing(SharingParameters(5, 1, 7, 0), "threshold", 1, 2, 5);
        refuseSharing(SharingParameters(5, 6, 7, 0), "threshold", 6, 2, 5);
        refuseSharing(SharingParameters(5, 3, 11, 0), "maxBucket", 11, 0, 10);
    }

    function refuseSharing(SharingParameters memory wanted, bytes32 what, uint256 got, uint256 low, uint256 high)
        internal
    {
        IStarkVerifier[2] memory none;
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, what, got, low, high));
        new Committee(consortium, vault, data, audits, beacon, none, none, wanted);
    }

    function test_setParameters_sharedButNotVerified_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.InvalidParameters.selector, false, true));
        vm.prank(address(consortium));
        manager.setParameters(RoundParameters(MIN_STAKE, 3, false, true));
    }

    function test_powers_withoutThem_revert() public {
        bytes[6] memory all = [
            abi.encodeCall(ICommittee.seat, (1, durations())),
            abi.encodeCall(ICommittee.weigh, (1, hospitals)),
            abi.encodeCall(ICommittee.record, (1, hospitals[0], 0, Release(new bytes32[](5), 0, ""))),
            abi.encodeCall(ICommittee.askShares, (1, 9)),
            abi.encodeCall(ICommittee.fixSurvivors, (1, hospitals, 9)),
            abi.encodeCall(ICommittee.close, (1))
        ];
        for (uint256 i = 0; i < all.length; ++i) {
            vm.prank(operators[0]);
            (bool done, bytes memory reason) = address(committee).call(all[i]);
            vm.assertEq(done, false);
            bytes memory expected = abi.encodeWithSelector(IGoverned.MissingPower.selector, operators[0], ROUNDS_ROLE);
            vm.assertEq(keccak256(reason), keccak256(expected));
        }
    }

    // ------------------------------------------------------------------ seats

    function test_open_seatsTheFirstAggregatorsWithStake() public {
        setSharing(SharingParameters(3, 3, 7, 31)); // the operators hold 30
        vm.expectRevert(abi.encodeWithSelector(ICommittee.TooFewAggregators.selector, 3, 2));
        openRound();
        stake(operators[1], 1);
        uint256 roundId = openRound();
        address[] memory seats = committee.seatsOf(roundId);
        vm.assertEq(seats.length, 3);
        vm.assertEq(seats[2], operators[1]);
        vm.assertEq(committee.seatOf(roundId, operators[1]), 2);
        vm.expectRevert(abi.encodeWithSelector(ICommittee.NotSeated.selector, roundId, operators[0]));
        committee.seatOf(roundId, operators[0]);
    }

    function test_open_withTheThresholdOfSeats_leavesOthersVacant() public {
        setSharing(SharingParameters(3, 2, 7, 31));
        uint256 roundId = openRound();
        vm.assertEq(committee.seatsOf(roundId).length, 2);
        vm.assertEq(committee.sharingOf(roundId).aggregators, 3);
    }

    function test_open_noVerifierForItsRows_reverts() public {
        IStarkVerifier[2] memory none;
        IStarkVerifier[2] memory both = releases();
        for (uint256 i = 0; i < 2; ++i) {
            (IStarkVerifier[2] memory one, IStarkVerifier[2] memory two) = i == 0 ? (none, both) : (both, none);
            govern(address(committee), abi.encodeCall(ICommittee.setSharing, (sharing(), one, two)));
            vm.expectRevert(abi.encodeWithSelector(IAudits.NoVerifier.selector, 1));
            openRound();
        }
    }

    function test_open_tooShortForSharing_reverts() public {
        for (uint256 phase = 5; phase < 7; ++phase) {
            uint24[9] memory short = durations();
            short[phase] = 1;
            vm.expectRevert(abi.encodeWithSelector(IBeacon.StagesTooShort.selector, 1, 2));
            vm.prank(operators[0]);
            manager.open(content("task"), short);
        }
    }

    // ------------------------------------------------------------------ weights

    function test_weightOf_fewRows_isTheirNumber() public {
        uint256 roundId = reach(Phase.Commit);
        uint32[4] memory rows = [uint32(600), 512, 1025, 1];
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(committee.weightOf(roundId, hospitals[i]), rows[i]);
        }
        commit(roundId, hospitals[2]);
        vm.assertEq(committee.weightOf(roundId, hospitals[2]), 1025);
    }

    /// @dev 2138 rows, maxBucket 10: B = 2^20, P / 2 / B = 960, K = 830; each scaled to the nearest, none to zero.
    function test_weightOf_manyRows_isScaled() public {
        setSharing(SharingParameters(5, 3, 10, SUM_PENALTY));
        uint256 roundId = reach(Phase.Commit);
        uint32[4] memory weights = [uint32(233), 199, 398, 1];
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(committee.weightOf(roundId, hospitals[i]), weights[i]);
        }
    }

    // ------------------------------------------------------------------ release

    function test_publicInputs_areStateModelSharesWeightAndBounds() public {
        uint256 roundId = reach(Phase.Commit);
        bytes32[] memory digests = releaseFor(roundId, hospitals[0]).digests;
        bytes32 state = lastState(roundId, hospitals[0]);
        uint256[] memory inputs = committee.publicInputs(roundId, hospitals[0], state, digests, 7);
        vm.assertEq(inputs.length, 59);
        bytes memory packed;
        for (uint256 i = 0; i < 56; ++i) {
            packed = bytes.concat(packed, bytes4(uint32(inputs[i])));
        }
        bytes32 start = registry.current().digest;
        vm.assertEq(keccak256(packed), keccak256(bytes.concat(state, start, abi.encodePacked(digests))));
        vm.assertEq(inputs[56], 600);
        vm.assertEq(inputs[57], 4096);
        vm.assertEq(inputs[58], 16_384);
        inputs = committee.publicInputs(roundId, hospitals[0], state, digests, 0);
        vm.assertEq(inputs[57], 0);
        vm.assertEq(inputs[58], 1);
    }

    function test_commitShared_honest_isRecorded() public {
        uint256 roundId = reach(Phase.Commit);
        bytes32[] memory digests = releaseFor(roundId, hospitals[0]).digests;
        vm.expectEmit(address(committee));
        emit ICommittee.SharesCommitted(roundId, hospitals[0], digests, 600, BUCKET);
        commit(roundId, hospitals[0]);
        vm.assertEq(keccak256(abi.encode(committee.digestsOf(roundId, hospitals[0]))), keccak256(abi.encode(digests)));
        vm.assertEq(committee.bucketOf(roundId, hospitals[0]), BUCKET);
        vm.assertEq(manager.participationOf(roundId, hospitals[0]).rows, 600);
    }

    function test_commit_ofTheOtherKind_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.VerifiedRound.selector, roundId));
        vm.prank(hospitals[0]);
        manager.commitUpdate(roundId, content("update"), 5);
        vm.expectRevert(abi.encodeWithSelector(IRoundManager.SharedRound.selector, roundId));
        vm.prank(hospitals[0]);
        manager.commitStates(roundId, content("update"), new bytes32[](5));
        finish(roundId);
        for (uint256 verified = 0; verified < 2; ++verified) {
            RoundParameters memory wanted = RoundParameters(MIN_STAKE, 3, verified == 1, false);
            govern(address(manager), abi.encodeCall(IRoundManager.setParameters, (wanted)));
            roundId = openRound();
            while (manager.phaseOf(roundId) != Phase.Commit) {
                if (verified == 1) super.work(roundId);
                skipBeyond(manager.deadlineOf(roundId));
                advance(roundId);
            }
            vm.expectRevert(abi.encodeWithSelector(IRoundManager.UnsharedRound.selector, roundId));
            vm.prank(hospitals[0]);
            manager.commitShared(roundId, content("update"), new bytes32[](5), Release(new bytes32[](5), 0, ""));
            while (manager.phaseOf(roundId) < Phase.Finalised) {
                skipBeyond(manager.deadlineOf(roundId));
                advance(roundId);
            }
        }
    }

    function refuseRelease(uint256 roundId, Release memory release, bytes memory reason) internal {
        vm.expectRevert(reason);
        this.commitAs(roundId, hospitals[0], release);
    }

    function commitAs(uint256 roundId, address hospital, Release memory release) external {
        commitShared(roundId, hospital, release);
    }

    function test_commitShared_faultyRelease_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        Release memory release = releaseFor(roundId, hospitals[0]);
        bytes32[] memory digests = release.digests;
        release.digests = new bytes32[](4);
        refuseRelease(roundId, release, abi.encodeWithSelector(ICommittee.WrongDigestCount.selector, 5, 4));
        release.digests = digests;
        release.bucket = 8;
        refuseRelease(roundId, release, abi.encodeWithSelector(ICommittee.NormAboveBound.selector, 7, 8));
        release.bucket = BUCKET + 1; // not what was proven
        refuseRelease(roundId, release, abi.encodeWithSelector(IStarkVerifier.OodMismatch.selector));
        release.bucket = BUCKET;
        bytes32 kept = digests[1];
        digests[1] = bytes32(uint256(0x78000001) << 64);
        refuseRelease(roundId, release, abi.encodeWithSelector(IDataRegistry.NonCanonicalDigest.selector, digests[1]));
        digests[1] = digests[0];
        refuseRelease(roundId, release, abi.encodeWithSelector(ICommittee.CopiedDigest.selector, digests[0]));
        digests[1] = kept;
        commitShared(roundId, hospitals[0], release);
    }

    /// @dev Neither another hospital's proof nor its digests serve twice.
    function test_commitShared_anothersRelease_reverts() public {
        uint256 roundId = reach(Phase.Commit);
        Release memory release = releaseFor(roundId, hospitals[1]);
        refuseRelease(roundId, release, abi.encodeWithSelector(IStarkVerifier.OodMismatch.selector));
        commit(roundId, hospitals[1]);
        release.proof = proofFor(roundId, hospitals[0], release.digests, BUCKET);
        refuseRelease(roundId, release, abi.encodeWithSelector(ICommittee.CopiedDigest.selector, release.digests[0]));
    }
}
