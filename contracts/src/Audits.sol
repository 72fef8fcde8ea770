// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {AuditBooks} from "./AuditBooks.sol";
import {AuditDraw} from "./AuditDraw.sol";
import {StateTree} from "./StateTree.sol";
import {Audit, IAudits, StateCommitment, TrainingParameters} from "./interfaces/IAudits.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IConsortium, ROUNDS_ROLE} from "./interfaces/IConsortium.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IPhases} from "./interfaces/IPhases.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {IStarkVerifier} from "./interfaces/IStarkVerifier.sol";

/// @notice See IAudits.
contract Audits is AuditBooks {
    /// @dev Drawing an audit costs some 30,000 gas: so many fit a transaction (EIP-7825), and the round cannot stall on its draw.
    uint256 public constant MAX_AUDITS = 400;

    /// @param verifiers Of segment proofs over rows of one half and of two; zero where there is none.
    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IModelRegistry registry_,
        IDataRegistry data_,
        IBeacon beacon_,
        IStarkVerifier[2] memory verifiers,
        TrainingParameters memory training_
    ) AuditBooks(consortium_, vault_, registry_, data_, beacon_, verifiers, training_) {}

    /// @inheritdoc IAudits
    function prove(
        uint256 roundId,
        uint256 auditId,
        bytes calldata proof,
        bytes32 before,
        bytes32[] calldata pathBefore,
        bytes32 after_,
        bytes32[] calldata pathAfter
    ) external override {
        // Checks
        Audit memory audit = auditOf(roundId, auditId);
        if (msg.sender != audit.hospital) revert NotAudited(auditId, audit.hospital, msg.sender);
        if (audit.passed) revert AlreadyProven(auditId);
        _requireOpen(roundId);
        _requireState(roundId, audit.step, before, pathBefore);
        _requireState(roundId, audit.step + 1, after_, pathAfter);
        _verify(roundId, proof, publicInputs(roundId, auditId, before, after_));
        // Effects
        Book storage book = _books[roundId];
        book.audits[auditId].passed = true;
        --book.outstanding;
        StateCommitment storage own = _states[roundId][msg.sender];
        own.proven = true;
        if (--own.outstanding == 0) --book.failing;
        emit AuditPassed(roundId, auditId, msg.sender, audit.step);
    }

    /// @inheritdoc IAudits
    function begin(uint256 roundId) external override onlyPower(ROUNDS_ROLE) returns (uint96 beaconPenalty) {
        if (address(verifierOf(_training.halves)) == address(0)) revert NoVerifier(_training.halves);
        Book storage book = _books[roundId];
        book.parameters = _training;
        book.start = registry.current().digest;
        book.dataVersion = data.version();
        emit AuditsBegun(roundId, _training, book.start, book.dataVersion);
        return _training.beaconPenalty;
    }

    /// @inheritdoc IAudits
    function record(uint256 roundId, address hospital, bytes32[] calldata states)
        external
        override
        onlyPower(ROUNDS_ROLE)
    {
        Book storage book = _books[roundId];
        uint256 steps = book.parameters.epochs * data.segmentsOf(hospital).length;
        if (states.length != steps + 1) revert WrongStateCount(steps + 1, states.length);
        if (states[0] != book.start) revert WrongStart(book.start, states[0]);
        (bytes32 root,) = pathOf(roundId, hospital, states, 0);
        _states[roundId][hospital] = StateCommitment(root, SafeCast.toUint32(steps), 0, false, false);
        book.hospitals.push(hospital);
        emit StatesCommitted(roundId, hospital, root, states);
    }

    /// @inheritdoc IAudits
    function draw(uint256 roundId, uint32 until) external override onlyPower(ROUNDS_ROLE) {
        Book storage book = _books[roundId];
        address[] memory hospitals = book.hospitals;
        uint256[] memory ends = new uint256[](hospitals.length); // steps up to and including each hospital's
        uint256 steps = 0;
        for (uint256 i = 0; i < hospitals.length; ++i) {
            steps += _states[roundId][hospitals[i]].steps;
            ends[i] = steps;
        }
        uint256 count = Math.min(Math.ceilDiv(steps * book.parameters.auditRate, 10_000), MAX_AUDITS);
        bytes32 seed = beacon.valueOf(roundId, 1);
        uint256[] memory drawn = AuditDraw.draw(seed, steps, count);
        book.until = until;
        book.outstanding = SafeCast.toUint32(count);
        for (uint256 i = 0; i < count; ++i) {
            // the drawn step's number counts through the hospitals in the order of their commitments
            uint256 which = Arrays.upperBoundMemory(ends, drawn[i]);
            uint32 step = SafeCast.toUint32(which == 0 ? drawn[i] : drawn[i] - ends[which - 1]);
            book.audits.push(Audit(hospitals[which], step, false));
            if (++_states[roundId][hospitals[which]].outstanding == 1) ++book.failing;
            emit AuditDrawn(roundId, i, hospitals[which], step);
        }
        emit AuditsDrawn(roundId, seed, steps, count, until);
    }

    /// @inheritdoc IAudits
    function close(uint256 roundId, address closer) external override onlyPower(ROUNDS_ROLE) {
        // Effects
        Book storage book = _books[roundId];
        address[] memory failed = new address[](book.failing);
        uint256 found = 0;
        book.until = 0;
        for (uint256 i = 0; i < book.audits.length; ++i) {
            Audit memory audit = book.audits[i];
            if (audit.passed) continue;
            emit AuditFailed(roundId, i, audit.hospital, audit.step);
            StateCommitment storage own = _states[roundId][audit.hospital];
            if (own.excluded) continue;
            own.excluded = true;
            failed[found++] = audit.hospital;
            emit HospitalExcluded(roundId, audit.hospital);
        }
        // Interactions
        uint256 fees = 0;
        for (uint256 i = 0; i < found; ++i) {
            uint96 slashed = vault.slash(failed[i], book.parameters.penalty, "audit: not proven");
            fees += Math.min(slashed, book.parameters.auditFee);
        }
        bool paid = fees != 0 && consortium.rolesOf(closer) != 0 && !_states[roundId][closer].excluded;
        if (paid) vault.payFee(closer, fees);
    }

    function _requireOpen(uint256 roundId) private view {
        uint32 until = _books[roundId].until;
        if (until == 0) revert AuditsNotOpen(roundId);
        if (block.number > until) revert IPhases.DeadlinePassed(until, block.number);
    }

    /// @dev The digest is the caller's own state `index`.
    function _requireState(uint256 roundId, uint256 index, bytes32 digest, bytes32[] calldata path) private view {
        StateCommitment memory own = _states[roundId][msg.sender];
        bytes32 leaf = StateTree.leaf(StateTree.Place(address(this), roundId, msg.sender), index, digest);
        if (!StateTree.leadsTo(own.root, leaf, index, uint256(own.steps) + 1, path)) revert BadStatePath(index);
    }

    /// @dev Returns if the caller's proof holds; reverts with the verifier's error.
    function _verify(uint256 roundId, bytes calldata proof, uint256[] memory inputs) private view {
        IStarkVerifier.Domain memory domain = IStarkVerifier.Domain(block.chainid, address(this), roundId, msg.sender);
        verifierOf(_books[roundId].parameters.halves).verify(proof, domain, inputs);
    }
}
