// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Poseidon2} from "../src/Poseidon2.sol";
import {BabyBear} from "../src/stark/BabyBear.sol";
import {Content} from "../src/interfaces/Content.sol";
import {Release, SharingParameters} from "../src/interfaces/ICommittee.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {StubVerifier} from "./StubVerifier.sol";
import {VerifiedDeployment} from "./VerifiedDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Shared rounds: five seats, held by `dealers`, three of which give an update. Updates and their polynomials are hashes.
abstract contract SharedDeployment is VerifiedDeployment {
    uint96 internal constant SUM_PENALTY = 8;
    uint8 internal constant BUCKET = 3;

    function parameters() internal virtual override returns (RoundParameters memory) {
        return RoundParameters(MIN_STAKE, 3, true, true);
    }

    function sharing() internal virtual override returns (SharingParameters memory) {
        return SharingParameters(5, 3, 7, SUM_PENALTY);
    }

    function releases() internal virtual override returns (IStarkVerifier[2] memory both) {
        both[0] = new StubVerifier();
    }

    function sumVerifiers() internal virtual override returns (IStarkVerifier[2] memory) {
        return releases();
    }

    function durations() internal pure virtual override returns (uint24[9] memory all) {
        all = super.durations();
        (all[5], all[6]) = (6, 8);
    }

    /// @dev Elements of a share without its salt.
    function slots() internal pure virtual returns (uint256) {
        return 36;
    }

    /// @dev The operators train too: seven hospitals, enough for two groups.
    function widen() internal {
        for (uint256 i = 0; i < 3; ++i) {
            govern(address(consortium), abi.encodeCall(IConsortium.changeRoles, (operators[i], 7)));
            stake(operators[i], MIN_STAKE);
            register(operators[i], 100);
            hospitals.push(operators[i]);
        }
    }

    // ------------------------------------------------------------------ shares

    /// @dev Slot j of the polynomial of a hospital at x; the value at 0 is its weighted update.
    function valueAt(uint256 roundId, address hospital, uint256 j, uint256 x) internal pure returns (uint256 value) {
        uint256 seed = uint256(keccak256(abi.encode(roundId, hospital, j)));
        value = ((seed & 0x3fffffff) * x + ((seed >> 32) & 0x3fffffff)) % BabyBear.P;
        value = (value * x + ((seed >> 64) & 0x3fffffff)) % BabyBear.P;
    }

    function elementsFor(uint256 roundId, address hospital, uint256 seat)
        internal
        pure
        returns (uint32[] memory elements)
    {
        elements = new uint32[](slots() * 10 / 9);
        for (uint256 j = 0; j < elements.length; ++j) {
            elements[j] = uint32(valueAt(roundId, hospital, j, seat + 1)); // the last are the salt
        }
    }

    function digestOf(uint32[] calldata elements) external pure returns (bytes32) {
        return Poseidon2.absorb(bytes32(uint256(4) << 224), elements);
    }

    function lastState(uint256 roundId, address hospital) internal view returns (bytes32) {
        bytes32[] memory states = statesFor(roundId, hospital);
        return states[states.length - 1];
    }

    function proofFor(uint256 roundId, address hospital, bytes32[] memory digests, uint8 bucket)
        internal
        view
        returns (bytes memory)
    {
        uint256[] memory inputs =
            committee.publicInputs(roundId, hospital, lastState(roundId, hospital), digests, bucket);
        IStarkVerifier.Domain memory domain =
            IStarkVerifier.Domain(block.chainid, address(committee), roundId, hospital);
        return abi.encode(keccak256(abi.encode(domain, inputs)));
    }

    function releaseFor(uint256 roundId, address hospital) internal view returns (Release memory release) {
        release.digests = new bytes32[](5);
        for (uint256 a = 0; a < 5; ++a) {
            release.digests[a] = this.digestOf(elementsFor(roundId, hospital, a));
        }
        release.bucket = BUCKET;
        release.proof = proofFor(roundId, hospital, release.digests, BUCKET);
    }

    function commit(uint256 roundId, address hospital) internal virtual override {
        commitShared(roundId, hospital, releaseFor(roundId, hospital));
    }

    function commitShared(uint256 roundId, address hospital, Release memory release) internal {
        bytes32[] memory states = statesFor(roundId, hospital);
        Content memory update = content("update");
        update.digest = states[states.length - 1];
        vm.prank(hospital);
        manager.commitShared(roundId, update, states, release);
    }

    function complain(uint256 roundId, uint256 seat, address hospital) internal {
        vm.prank(dealers[seat]);
        committee.complain(roundId, hospital);
    }

    function show(uint256 roundId, address hospital, uint256 seat) internal {
        uint32[] memory elements = elementsFor(roundId, hospital, seat);
        vm.prank(hospital);
        committee.show(roundId, uint8(seat), elements);
    }

    function confirm(uint256 roundId, uint256 seat) internal {
        vm.prank(dealers[seat]);
        committee.confirm(roundId);
    }

    // ------------------------------------------------------------------ sums

    /// @dev The sum over a group at x, `offset` added to its last slot; the total is at 0.
    function sumAt(uint256 roundId, uint256 group, uint256 x, uint256 offset) internal view returns (bytes memory sum) {
        address[] memory survivors = committee.survivorsOf(roundId);
        uint256[] memory values = new uint256[](slots());
        values[slots() - 1] = offset;
        for (uint256 i = 0; i < survivors.length; ++i) {
            if (committee.groupOf(roundId, survivors[i]) != group) continue;
            for (uint256 j = 0; j < slots(); ++j) {
                values[j] += valueAt(roundId, survivors[i], j, x);
            }
        }
        for (uint256 j = 0; j < slots(); ++j) {
            sum = bytes.concat(sum, bytes4(uint32(values[j] % BabyBear.P)));
        }
    }

    /// @dev The proof of a seat's sum; of another one there is none.
    function sumProof(uint256 roundId, uint256 group, uint256 seat) internal view returns (bytes memory) {
        bytes memory sum = sumAt(roundId, group, seat + 1, 0);
        uint256[] memory inputs = new uint256[](48);
        uint256 next = 0;
        address[] memory survivors = committee.survivorsOf(roundId);
        for (uint256 i = 0; i < survivors.length; ++i) {
            if (committee.groupOf(roundId, survivors[i]) != group) continue;
            next = put(inputs, next, committee.digestsOf(roundId, survivors[i])[seat]);
        }
        while (next < 40) {
            next = put(inputs, next, this.digestOf(new uint32[](slots() * 10 / 9)));
        }
        put(inputs, next, digestOfSum(sum));
        IStarkVerifier.Domain memory domain =
            IStarkVerifier.Domain(block.chainid, address(committee), roundId, dealers[seat]);
        return abi.encode(keccak256(abi.encode(domain, inputs)));
    }

    function digestOfSum(bytes memory sum) internal view returns (bytes32) {
        uint32[] memory elements = new uint32[](slots() * 10 / 9);
        for (uint256 j = 0; j < sum.length; ++j) {
            elements[j / 4] = (elements[j / 4] << 8) | uint8(sum[j]);
        }
        return this.digestOf(elements);
    }

    function put(uint256[] memory inputs, uint256 next, bytes32 digest) internal pure returns (uint256) {
        for (uint256 i = 0; i < 8; ++i) {
            inputs[next + i] = uint32(uint256(digest) >> (224 - 32 * i));
        }
        return next + 8;
    }

    function submitSum(uint256 roundId, uint256 group, uint256 seat) internal {
        bytes memory sum = sumAt(roundId, group, seat + 1, 0);
        bytes memory proof = sumProof(roundId, group, seat);
        vm.prank(dealers[seat]);
        committee.submitSum(roundId, group, sum, proof);
    }

    /// @dev A sum that is one off, with the proof of the right one.
    function submitLie(uint256 roundId, uint256 group, uint256 seat) internal {
        bytes memory sum = sumAt(roundId, group, seat + 1, 1);
        bytes memory proof = sumProof(roundId, group, seat);
        vm.prank(dealers[seat]);
        committee.submitSum(roundId, group, sum, proof);
    }

    function three(uint256 one, uint256 two, uint256 last) internal pure returns (uint256[] memory seats) {
        seats = new uint256[](3);
        (seats[0], seats[1], seats[2]) = (one, two, last);
    }

    /// @dev The right sums of these seats.
    function sumsOf(uint256 roundId, uint256 group, uint256[] memory seats)
        internal
        view
        returns (bytes[] memory sums)
    {
        sums = new bytes[](seats.length);
        for (uint256 k = 0; k < seats.length; ++k) {
            sums[k] = sumAt(roundId, group, seats[k] + 1, 0);
        }
    }

    function decode(uint256 roundId, uint256 group, uint256[] memory seats, bytes[] memory sums) internal {
        vm.prank(hospitals[2]);
        committee.decode(roundId, group, seats, sums);
    }

    /// @dev By the first three seats that submitted.
    function decode(uint256 roundId, uint256 group) internal {
        uint256[] memory seats = new uint256[](3);
        uint256 found = 0;
        for (uint256 a = 0; a < 5 && found < 3; ++a) {
            if (committee.sumHashOf(roundId, group, a) != 0) seats[found++] = a;
        }
        decode(roundId, group, seats, sumsOf(roundId, group, seats));
    }

    function groups(uint256 roundId) internal view returns (uint256 count) {
        (count,) = committee.groupsOf(roundId);
    }

    function work(uint256 roundId) internal virtual override {
        Phase phase = manager.phaseOf(roundId);
        for (uint256 a = 0; a < 5 && phase == Phase.Share; ++a) {
            confirm(roundId, a);
        }
        for (uint256 group = 0; phase == Phase.Aggregate && group < groups(roundId); ++group) {
            for (uint256 a = 0; a < 5; ++a) {
                submitSum(roundId, group, a);
            }
            decode(roundId, group);
        }
        super.work(roundId);
        for (uint256 i = 4; i < hospitals.length && phase == Phase.Commit; ++i) {
            commit(roundId, hospitals[i]);
        }
    }

    function finish(uint256 roundId) internal {
        while (manager.phaseOf(roundId) < Phase.Finalised) {
            work(roundId);
            advance(roundId);
        }
    }

    function skipStage(uint256 roundId, uint256 stage) internal {
        uint32[4] memory stages;
        (stages[0], stages[1], stages[2], stages[3]) = committee.stagesOf(roundId);
        skipBeyond(stages[stage]);
    }
}
