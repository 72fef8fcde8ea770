// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audit, TrainingParameters} from "../src/interfaces/IAudits.sol";
import {Content} from "../src/interfaces/Content.sol";
import {Stage} from "../src/interfaces/IBeacon.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {Deployment} from "./Deployment.sol";
import {StubVerifier} from "./StubVerifier.sol";
import {vm} from "./Vm.sol";

/// @notice The default cast in verified rounds, with data of 2, 1, 3 and 1 segments and two epochs: 4, 2, 6 and 2 steps. What each
/// party keeps to itself (secrets, states, proofs) is made from hashes here.
abstract contract VerifiedDeployment is Deployment {
    uint256 internal constant Q = 2 ** 255 - 19;
    uint96 internal constant PENALTY = 40;
    uint96 internal constant FEE = 15;
    uint96 internal constant BEACON_PENALTY = 7;

    address[5] internal dealers;
    /// @dev The round's validators, in the order of their shares.
    address[] internal listed;

    function setUp() public virtual override {
        super.setUp();
        uint32[4] memory rows = [uint32(600), 512, 1025, 1];
        for (uint256 i = 0; i < 4; ++i) {
            register(hospitals[i], rows[i]);
        }
        stakeAll();
        for (uint256 i = 0; i < 5; ++i) {
            dealers[i] = i < 2 ? hospitals[i] : operators[i - 2];
            if (i >= 2) stake(dealers[i], 30);
        }
    }

    function parameters() internal virtual override returns (RoundParameters memory) {
        return RoundParameters(MIN_STAKE, 3, true, false);
    }

    function training() internal virtual override returns (TrainingParameters memory) {
        return TrainingParameters(1, 2, 256, 8, 10, 5000, PENALTY, FEE, BEACON_PENALTY);
    }

    function verifiers() internal virtual override returns (IStarkVerifier[2] memory both) {
        both[0] = new StubVerifier();
    }

    /// @dev Select with its three stages of three blocks, Draw with its two of four.
    function durations() internal pure virtual override returns (uint24[9] memory all) {
        all = super.durations();
        (all[0], all[3]) = (9, 8);
    }

    function openRound() internal virtual override returns (uint256 roundId) {
        roundId = super.openRound();
        listed = beacon.validatorsOf(roundId);
    }

    // ------------------------------------------------------------------ data

    function canonical(bytes memory preimage) internal pure returns (bytes32) {
        uint256 mask = 0x3fffffff;
        for (uint256 i = 0; i < 3; ++i) {
            mask |= mask << (32 << i);
        }
        return keccak256(preimage) & bytes32(mask);
    }

    function segmentsFor(address hospital, uint32 rows) internal pure returns (bytes32[] memory segments) {
        segments = new bytes32[]((rows + 511) / 512);
        for (uint256 i = 0; i < segments.length; ++i) {
            segments[i] = canonical(abi.encode("segment", hospital, rows, i));
        }
    }

    function register(address hospital, uint32 rows) internal {
        vm.prank(hospital);
        data.register(segmentsFor(hospital, rows), rows, canonical(abi.encode("seed", hospital)), content("leaves"));
    }

    // ------------------------------------------------------------------ beacon

    /// @dev f(x) mod Q of a dealer's polynomial; f(0) is the secret, f(1 + i) the share of the i-th of the round's validators.
    function evaluate(uint256 roundId, uint8 which, address dealer, uint256 x) internal view returns (uint256 y) {
        for (uint256 k = listed.length / 2 + 1; k > 0; --k) {
            uint256 coefficient = uint256(keccak256(abi.encode(roundId, which, dealer, k))) % Q;
            y = addmod(mulmod(y, x, Q), coefficient, Q);
        }
    }

    function shareHashes(uint256 roundId, uint8 which, address dealer, uint256 offset)
        internal
        view
        returns (bytes32[] memory hashes)
    {
        hashes = new bytes32[](listed.length);
        for (uint256 i = 0; i < listed.length; ++i) {
            uint256 share = evaluate(roundId, which, dealer, 1 + i) + offset;
            hashes[i] = keccak256(abi.encode(block.chainid, address(beacon), roundId, which, dealer, i, share));
        }
    }

    function deal(uint256 roundId, address dealer) internal {
        dealShifted(roundId, dealer, 0);
    }

    /// @param offset Added to every share: above zero, they belong to another secret.
    function dealShifted(uint256 roundId, address dealer, uint256 offset) internal {
        bytes32[2] memory commitments;
        bytes32[][2] memory hashes;
        for (uint8 which = 0; which < 2; ++which) {
            uint256 secret = evaluate(roundId, which, dealer, 0);
            commitments[which] = keccak256(abi.encode(block.chainid, address(beacon), roundId, which, dealer, secret));
            hashes[which] = shareHashes(roundId, which, dealer, offset);
        }
        vm.prank(dealer);
        beacon.commit(roundId, commitments, hashes, "sealed");
    }

    function reveal(uint256 roundId, uint8 which, address dealer) internal {
        uint256 secret = evaluate(roundId, which, dealer, 0);
        vm.prank(dealer);
        beacon.reveal(roundId, which, secret);
    }

    function post(uint256 roundId, uint8 which, address dealer, uint256 index, uint256 offset) internal {
        bytes32[] memory hashes = shareHashes(roundId, which, dealer, offset);
        vm.prank(listed[index]);
        beacon.postShare(roundId, which, dealer, hashes, index, evaluate(roundId, which, dealer, 1 + index) + offset);
    }

    function skipBeyond(uint256 blockNumber) internal {
        if (vm.getBlockNumber() <= blockNumber) vm.roll(blockNumber + 1);
    }

    function skipReveal(uint256 roundId, uint8 which) internal {
        (, uint32 until) = beacon.stagesOf(roundId, which);
        skipBeyond(until);
    }

    // ------------------------------------------------------------------ training and proofs

    function stateAt(uint256 roundId, address hospital, uint256 index) internal view returns (bytes32) {
        return index == 0 ? audits.startOf(roundId) : canonical(abi.encode("state", roundId, hospital, index));
    }

    function statesFor(uint256 roundId, address hospital) internal view returns (bytes32[] memory states) {
        states = new bytes32[](1 + audits.trainingOf(roundId).epochs * data.segmentsOf(hospital).length);
        for (uint256 i = 0; i < states.length; ++i) {
            states[i] = stateAt(roundId, hospital, i);
        }
    }

    function commit(uint256 roundId, address hospital) internal virtual override {
        commitStates(roundId, hospital, statesFor(roundId, hospital));
    }

    function commitStates(uint256 roundId, address hospital, bytes32[] memory states) internal {
        Content memory update = content("update");
        update.digest = states[states.length - 1];
        vm.prank(hospital);
        manager.commitStates(roundId, update, states);
    }

    function proofOf(uint256 roundId, uint256 auditId, bytes32 before, bytes32 after_)
        internal
        view
        returns (bytes memory)
    {
        IStarkVerifier.Domain memory domain = IStarkVerifier.Domain(
            block.chainid, address(audits), roundId, audits.auditOf(roundId, auditId).hospital
        );
        return abi.encode(keccak256(abi.encode(domain, audits.publicInputs(roundId, auditId, before, after_))));
    }

    function prove(uint256 roundId, uint256 auditId) internal {
        Audit memory audit = audits.auditOf(roundId, auditId);
        bytes32[] memory states = statesFor(roundId, audit.hospital);
        (bytes32 before, bytes32 after_) = (states[audit.step], states[audit.step + 1]);
        (, bytes32[] memory pathBefore) = audits.pathOf(roundId, audit.hospital, states, audit.step);
        (, bytes32[] memory pathAfter) = audits.pathOf(roundId, audit.hospital, states, audit.step + 1);
        bytes memory proof = proofOf(roundId, auditId, before, after_);
        vm.prank(audit.hospital);
        audits.prove(roundId, auditId, proof, before, pathBefore, after_, pathAfter);
    }

    /// @dev Proves all audits but those of one hospital.
    function proveAllBut(uint256 roundId, address silent) internal {
        for (uint256 i = 0; i < audits.auditsOf(roundId); ++i) {
            if (audits.auditOf(roundId, i).hospital != silent) prove(roundId, i);
        }
    }

    function work(uint256 roundId) internal virtual override {
        Phase phase = manager.phaseOf(roundId);
        for (uint256 i = 0; i < listed.length && phase == Phase.Select; ++i) {
            deal(roundId, listed[i]);
        }
        for (uint256 i = 0; i < listed.length; ++i) {
            if (phase == Phase.Select) reveal(roundId, 0, listed[i]);
            if (phase == Phase.Draw) reveal(roundId, 1, listed[i]);
        }
        if (phase == Phase.Prove) proveAllBut(roundId, address(0));
        super.work(roundId);
    }

    function expectStage(uint256 roundId, uint8 which, Stage stage) internal view {
        vm.assertEq(uint8(beacon.stageOf(roundId, which)), uint8(stage));
    }
}
