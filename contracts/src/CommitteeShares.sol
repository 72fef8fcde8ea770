// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {CommitteeBooks} from "./CommitteeBooks.sol";
import {CommitteeGroups} from "./CommitteeGroups.sol";
import {CommitteeSums} from "./CommitteeSums.sol";
import {Poseidon2} from "./Poseidon2.sol";
import {SegmentInputs} from "./SegmentInputs.sol";
import {IAudits} from "./interfaces/IAudits.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {ICommittee, Release} from "./interfaces/ICommittee.sol";
import {AGGREGATOR, ROUNDS_ROLE} from "./interfaces/IConsortium.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {IPhases} from "./interfaces/IPhases.sol";
import {IStarkVerifier} from "./interfaces/IStarkVerifier.sol";
import {BabyBear} from "./stark/BabyBear.sol";

/// @dev The committee up to its survivors: seats, what hospitals commit to, complaints.
abstract contract CommitteeShares is CommitteeBooks {
    using SegmentInputs for uint256[];

    uint256 private constant SHARES_PHASE = 5; // its place among a round's durations; Aggregate follows

    /// @inheritdoc ICommittee
    function complain(uint256 roundId, address hospital) external override {
        // Checks
        uint8 own = _seatedCaller(roundId);
        Book storage book = _books[roundId];
        _requireOpen(roundId, book.complainUntil);
        if ((book.confirmed >> own) & 1 == 1) revert AlreadyConfirmed(roundId, own);
        Sharer storage sharer = _sharers[roundId][hospital];
        uint256 count = _ones(sharer.complaints);
        if (sharer.digests.length == 0 || audits.isExcluded(roundId, hospital) || count >= book.parameters.threshold) {
            revert NotSurviving(roundId, hospital);
        }
        uint16 bit = uint16(1) << own;
        if (sharer.complaints & bit != 0) revert AlreadyComplained(roundId, hospital, own);
        // Effects
        if (sharer.unanswered == 0) ++book.disputed;
        sharer.complaints |= bit;
        sharer.unanswered |= bit;
        emit Complained(roundId, hospital, own);
        if (++count < book.parameters.threshold) return;
        ++book.leftOut;
        emit HospitalLeftOut(roundId, hospital, count);
    }

    /// @inheritdoc ICommittee
    function show(uint256 roundId, uint8 seat_, uint32[] calldata elements) external override {
        // Checks
        Book storage book = _books[roundId];
        Sharer storage sharer = _sharers[roundId][msg.sender];
        _requireOpen(roundId, book.showUntil);
        uint256 count = _ones(sharer.complaints);
        if (count >= book.parameters.threshold) revert TooManyComplaints(count, book.parameters.threshold);
        if ((sharer.unanswered >> seat_) & 1 == 0) revert NoComplaint(roundId, msg.sender, seat_);
        uint256 length = (10 * uint256(book.slots)) / 9; // four of salt for each 36
        if (elements.length != length) revert WrongShareLength(length, elements.length);
        for (uint256 i = 0; i < length; ++i) {
            if (elements[i] >= BabyBear.P) revert ElementAboveField(i, elements[i]);
        }
        bytes32 digest = Poseidon2.absorb(CommitteeSums.SHARE_START, elements);
        if (digest != sharer.digests[seat_]) revert WrongShare(sharer.digests[seat_], digest);
        // Effects
        sharer.unanswered &= ~(uint16(1) << seat_);
        if (sharer.unanswered == 0) --book.disputed;
        emit ShareShown(roundId, msg.sender, seat_, elements);
    }

    /// @inheritdoc ICommittee
    function confirm(uint256 roundId) external override {
        uint8 own = _seatedCaller(roundId);
        Book storage book = _books[roundId];
        _requireOpen(roundId, book.showUntil);
        if ((book.confirmed >> own) & 1 == 1) revert AlreadyConfirmed(roundId, own);
        book.confirmed |= uint16(1) << own;
        emit SharesConfirmed(roundId, own);
    }

    /// @inheritdoc ICommittee
    function seat(uint256 roundId, uint24[9] calldata durations) external override onlyPower(ROUNDS_ROLE) {
        for (uint256 i = SHARES_PHASE; i < SHARES_PHASE + 2; ++i) {
            if (durations[i] < 2) revert IBeacon.StagesTooShort(durations[i], 2);
        }
        Book storage book = _books[roundId];
        uint8 halves = audits.trainingOf(roundId).halves;
        book.parameters = _sharing;
        (book.verifier, book.sumVerifier) = (verifierOf(halves), sumVerifierOf(halves));
        if (address(book.verifier) == address(0) || address(book.sumVerifier) == address(0)) {
            revert IAudits.NoVerifier(halves);
        }
        book.slots = 36 * halves;
        address[] memory members = consortium.members();
        uint8 needed = _sharing.aggregators;
        uint8 found = 0;
        for (uint256 i = 0; i < members.length && found < needed; ++i) {
            if (consortium.rolesOf(members[i]) & AGGREGATOR == 0) continue;
            if (vault.stakeOf(members[i]).active < _sharing.penalty) continue;
            book.seats.push(members[i]);
            _seatNumbers[roundId][members[i]] = ++found;
        }
        if (found < _sharing.threshold) revert TooFewAggregators(_sharing.threshold, found);
        emit SeatsFixed(roundId, book.seats, _sharing.threshold, _sharing.maxBucket);
    }

    /// @inheritdoc ICommittee
    function weigh(uint256 roundId, address[] calldata hospitals) external override onlyPower(ROUNDS_ROLE) {
        uint256 rows = 0;
        for (uint256 i = 0; i < hospitals.length; ++i) {
            rows += data.rowsOf(hospitals[i]);
        }
        _books[roundId].rows = rows;
        emit RowsWeighed(roundId, rows);
    }

    /// @inheritdoc ICommittee
    function record(uint256 roundId, address hospital, bytes32 state, Release calldata release)
        external
        override
        onlyPower(ROUNDS_ROLE)
    {
        // Checks
        Book storage book = _books[roundId];
        uint256 count = book.parameters.aggregators;
        if (release.digests.length != count) revert WrongDigestCount(count, release.digests.length);
        if (release.bucket > book.parameters.maxBucket) {
            revert NormAboveBound(book.parameters.maxBucket, release.bucket);
        }
        for (uint256 a = 0; a < count; ++a) {
            bytes32 digest = release.digests[a];
            if (!Poseidon2.isDigest(digest)) revert IDataRegistry.NonCanonicalDigest(digest);
            if (_taken[digest]) revert CopiedDigest(digest);
            _taken[digest] = true; // at once: a digest given twice is a copy too
        }
        uint256[] memory inputs = publicInputs(roundId, hospital, state, release.digests, release.bucket);
        IStarkVerifier.Domain memory domain = IStarkVerifier.Domain(block.chainid, address(this), roundId, hospital);
        book.verifier.verify(release.proof, domain, inputs);
        // Effects
        uint32 weight = weightOf(roundId, hospital);
        Sharer storage sharer = _sharers[roundId][hospital];
        sharer.weight = weight;
        sharer.bucket = release.bucket;
        sharer.digests = release.digests;
        emit SharesCommitted(roundId, hospital, release.digests, weight, release.bucket);
    }

    /// @inheritdoc ICommittee
    function askShares(uint256 roundId, uint32 until) external override onlyPower(ROUNDS_ROLE) {
        Book storage book = _books[roundId];
        uint32 complainUntil = SafeCast.toUint32(block.number + (until - block.number) / 2);
        (book.complainUntil, book.showUntil) = (complainUntil, until);
        emit SharesAsked(roundId, complainUntil, until);
    }

    /// @inheritdoc ICommittee
    function fixSurvivors(uint256 roundId, address[] calldata hospitals, uint32 until)
        external
        override
        onlyPower(ROUNDS_ROLE)
    {
        Book storage book = _books[roundId];
        (book.complainUntil, book.showUntil) = (0, 0);
        // rounded up, so that submitting has no less time than decoding
        book.sumUntil = SafeCast.toUint32(block.number + (until - block.number + 1) / 2);
        book.decodeUntil = until;
        for (uint256 i = 0; i < hospitals.length; ++i) {
            Sharer storage sharer = _sharers[roundId][hospitals[i]];
            bool counts = sharer.digests.length != 0 && sharer.unanswered == 0;
            if (counts && !audits.isExcluded(roundId, hospitals[i])) book.survivors.push(hospitals[i]);
        }
        address[] memory survivors = book.survivors;
        uint8[] memory groups = CommitteeGroups.partition(beacon.valueOf(roundId, 1), survivors.length);
        book.groups = survivors.length < 6 ? 1 : SafeCast.toUint8(survivors.length / 3);
        for (uint256 i = 0; i < survivors.length; ++i) {
            _sharers[roundId][survivors[i]].place = groups[i] + 1;
        }
        (, uint32[] memory weights) = groupsOf(roundId);
        emit SurvivorsFixed(roundId, survivors, groups, weights, book.sumUntil, until);
    }

    /// @inheritdoc ICommittee
    function publicInputs(uint256 roundId, address hospital, bytes32 state, bytes32[] calldata digests, uint8 bucket)
        public
        view
        override
        returns (uint256[] memory inputs)
    {
        inputs = new uint256[](19 + 8 * digests.length);
        inputs.putDigest(0, state);
        inputs.putDigest(8, audits.startOf(roundId));
        uint256 next = 16;
        for (uint256 a = 0; a < digests.length; ++a) {
            inputs.putDigest(next, digests[a]);
            next += 8;
        }
        inputs[next] = weightOf(roundId, hospital);
        inputs[next + 1] = bucket == 0 ? 0 : 4 ** (uint256(bucket) - 1);
        inputs[next + 2] = 4 ** uint256(bucket);
    }

    /// @inheritdoc ICommittee
    function sumInputs(uint256 roundId, uint256 group, uint256 seat_, bytes calldata sum)
        public
        view
        override
        returns (uint256[] memory inputs)
    {
        Book storage book = _books[roundId];
        CommitteeSums.check(sum, book.slots);
        inputs = new uint256[](8 * CommitteeSums.PLACES + 8);
        uint256 next = 0;
        for (uint256 i = 0; i < book.survivors.length; ++i) {
            Sharer storage sharer = _sharers[roundId][book.survivors[i]];
            if (sharer.place != group + 1) continue;
            inputs.putDigest(next, sharer.digests[seat_]);
            next += 8;
        }
        bytes32 free = CommitteeSums.digestOfZeros(book.slots);
        for (; next < 8 * CommitteeSums.PLACES; next += 8) {
            inputs.putDigest(next, free);
        }
        inputs.putDigest(next, CommitteeSums.digest(sum));
    }

    /// @dev The caller's seat; it must still be an aggregator.
    function _seatedCaller(uint256 roundId) internal view returns (uint8) {
        // only that the role is held counts here
        // slither-disable-next-line unused-return
        _callerAs(AGGREGATOR);
        return seatOf(roundId, msg.sender);
    }

    function _ones(uint256 bits) internal pure returns (uint256 count) {
        for (; bits != 0; bits &= bits - 1) {
            ++count;
        }
    }

    /// @dev until: last block of the stage; zero outside its phase.
    function _requireOpen(uint256 roundId, uint32 until) internal view {
        if (until == 0) revert StageNotOpen(roundId);
        if (block.number > until) revert IPhases.DeadlinePassed(until, block.number);
    }
}
