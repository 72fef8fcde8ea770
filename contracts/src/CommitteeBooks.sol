// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {CommitteeGroups} from "./CommitteeGroups.sol";
import {Governed} from "./Governed.sol";
import {IAudits} from "./interfaces/IAudits.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {ICommittee, SharingParameters} from "./interfaces/ICommittee.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {IStarkVerifier} from "./interfaces/IStarkVerifier.sol";
import {BabyBear} from "./stark/BabyBear.sol";

/// @dev The books of each round's committee, and what can be read in them.
abstract contract CommitteeBooks is ICommittee, Governed {
    uint256 internal constant P_HALF = BabyBear.P / 2;
    /// @dev Above the hospitals of a round, so that rounding up their weights never wraps a sum around.
    uint256 internal constant ROUNDING = 130;

    /// @dev slots: elements of a share without its salt. confirmed: a bit for each seat; decoded: for each group. disputed: hospitals with
    /// an unanswered complaint; leftOut: those of them that may not answer any more.
    struct Book {
        SharingParameters parameters;
        IStarkVerifier verifier;
        IStarkVerifier sumVerifier;
        uint32 complainUntil;
        uint32 showUntil;
        uint32 sumUntil;
        uint32 decodeUntil;
        uint16 confirmed;
        uint8 disputed;
        uint8 leftOut;
        uint8 slots;
        uint8 groups;
        uint256 decoded;
        uint256 rows;
        address[] seats;
        address[] survivors;
    }

    /// @dev What a hospital shares. complaints, unanswered: a bit for each seat. place: 1 + its group; zero: not a survivor.
    struct Sharer {
        uint32 weight;
        uint8 bucket;
        uint8 place;
        uint16 complaints;
        uint16 unanswered;
        bytes32[] digests;
    }

    /// @inheritdoc ICommittee
    IStakeVault public immutable override vault;
    /// @inheritdoc ICommittee
    IDataRegistry public immutable override data;
    /// @inheritdoc ICommittee
    IAudits public immutable override audits;
    /// @inheritdoc ICommittee
    IBeacon public immutable override beacon;

    SharingParameters internal _sharing;
    IStarkVerifier[2] internal _releaseVerifiers;
    IStarkVerifier[2] internal _sumVerifiers;
    mapping(uint256 roundId => Book) internal _books;
    mapping(uint256 roundId => mapping(address member => uint8)) internal _seatNumbers; // from 1
    mapping(uint256 roundId => mapping(address hospital => Sharer)) internal _sharers;
    mapping(uint256 roundId => mapping(uint256 group => mapping(uint256 seat => bytes32))) internal _sumHashes;
    mapping(bytes32 digest => bool) internal _taken;

    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IDataRegistry data_,
        IAudits audits_,
        IBeacon beacon_,
        IStarkVerifier[2] memory releases,
        IStarkVerifier[2] memory sums,
        SharingParameters memory parameters
    ) Governed(consortium_) {
        (vault, data, audits, beacon) = (vault_, data_, audits_, beacon_);
        _setSharing(parameters, releases, sums);
    }

    /// @inheritdoc ICommittee
    function setSharing(
        SharingParameters calldata parameters,
        IStarkVerifier[2] calldata releases,
        IStarkVerifier[2] calldata sums
    ) external override onlyVote {
        _setSharing(parameters, releases, sums);
    }

    /// @inheritdoc ICommittee
    function sharing() external view override returns (SharingParameters memory) {
        return _sharing;
    }

    /// @inheritdoc ICommittee
    function sharingOf(uint256 roundId) external view override returns (SharingParameters memory) {
        return _books[roundId].parameters;
    }

    /// @inheritdoc ICommittee
    function verifierOf(uint8 halves) public view override returns (IStarkVerifier) {
        return halves == 1 || halves == 2 ? _releaseVerifiers[halves - 1] : IStarkVerifier(address(0));
    }

    /// @inheritdoc ICommittee
    function sumVerifierOf(uint8 halves) public view override returns (IStarkVerifier) {
        return halves == 1 || halves == 2 ? _sumVerifiers[halves - 1] : IStarkVerifier(address(0));
    }

    /// @inheritdoc ICommittee
    function seatsOf(uint256 roundId) external view override returns (address[] memory) {
        return _books[roundId].seats;
    }

    /// @inheritdoc ICommittee
    function seatOf(uint256 roundId, address member) public view override returns (uint8) {
        uint8 number = _seatNumbers[roundId][member];
        if (number == 0) revert NotSeated(roundId, member);
        return number - 1;
    }

    /// @inheritdoc ICommittee
    function stagesOf(uint256 roundId)
        external
        view
        override
        returns (uint32 complainUntil, uint32 showUntil, uint32 sumUntil, uint32 decodeUntil)
    {
        Book storage book = _books[roundId];
        return (book.complainUntil, book.showUntil, book.sumUntil, book.decodeUntil);
    }

    /// @inheritdoc ICommittee
    function weightOf(uint256 roundId, address hospital) public view override returns (uint32) {
        uint32 recorded = _sharers[roundId][hospital].weight;
        if (recorded != 0) return recorded;
        uint256 total = _books[roundId].rows;
        uint256 own = data.rowsOf(hospital);
        uint256 bound = 1 << (10 + uint256(_books[roundId].parameters.maxBucket));
        if (total * bound < P_HALF) return SafeCast.toUint32(own);
        uint256 scale = P_HALF / bound - ROUNDING;
        return SafeCast.toUint32(Math.max(1, (2 * own * scale + total) / (2 * total)));
    }

    /// @inheritdoc ICommittee
    function digestsOf(uint256 roundId, address hospital) external view override returns (bytes32[] memory) {
        return _sharers[roundId][hospital].digests;
    }

    /// @inheritdoc ICommittee
    function bucketOf(uint256 roundId, address hospital) external view override returns (uint8) {
        return _sharers[roundId][hospital].bucket;
    }

    /// @inheritdoc ICommittee
    function complaintsOf(uint256 roundId, address hospital)
        external
        view
        override
        returns (uint16 complaints, uint16 unanswered)
    {
        Sharer storage sharer = _sharers[roundId][hospital];
        return (sharer.complaints, sharer.unanswered);
    }

    /// @inheritdoc ICommittee
    function disputed(uint256 roundId) external view override returns (uint256) {
        return _books[roundId].disputed;
    }

    /// @inheritdoc ICommittee
    function areSharesSettled(uint256 roundId) external view override returns (bool) {
        Book storage book = _books[roundId];
        return book.confirmed == (1 << book.seats.length) - 1 && book.disputed == book.leftOut;
    }

    /// @inheritdoc ICommittee
    function survivorsOf(uint256 roundId) external view override returns (address[] memory) {
        return _books[roundId].survivors;
    }

    /// @inheritdoc ICommittee
    function groupsOf(uint256 roundId) public view override returns (uint256 count, uint32[] memory weights) {
        Book storage book = _books[roundId];
        count = book.groups;
        weights = new uint32[](count);
        for (uint256 i = 0; i < book.survivors.length; ++i) {
            Sharer storage sharer = _sharers[roundId][book.survivors[i]];
            weights[sharer.place - 1] += sharer.weight;
        }
    }

    /// @inheritdoc ICommittee
    function groupOf(uint256 roundId, address hospital) external view override returns (uint8) {
        uint8 place = _sharers[roundId][hospital].place;
        if (place != 0) return place - 1;
        revert NotSurviving(roundId, hospital);
    }

    /// @inheritdoc ICommittee
    function sumHashOf(uint256 roundId, uint256 group, uint256 seat_) external view override returns (bytes32) {
        return _sumHashes[roundId][group][seat_];
    }

    /// @inheritdoc ICommittee
    function isDecoded(uint256 roundId, uint256 group) public view override returns (bool) {
        return _books[roundId].decoded & (1 << group) != 0;
    }

    /// @inheritdoc ICommittee
    function isSummed(uint256 roundId) external view override returns (bool) {
        Book storage book = _books[roundId];
        return book.groups != 0 && book.decoded == (1 << book.groups) - 1;
    }

    /// @inheritdoc ICommittee
    function requireSummed(uint256 roundId) external view override {
        uint256 groups = _books[roundId].groups;
        for (uint256 group = 0; group < groups; ++group) {
            if (!isDecoded(roundId, group)) revert NotDecoded(roundId, group);
        }
    }

    /// @inheritdoc ICommittee
    function partition(bytes32 seed, uint256 n) external pure override returns (uint8[] memory) {
        return CommitteeGroups.partition(seed, n);
    }

    function _setSharing(
        SharingParameters memory parameters,
        IStarkVerifier[2] memory releases,
        IStarkVerifier[2] memory sums
    ) private {
        _requireRange("aggregators", parameters.aggregators, 2, 16);
        _requireRange("threshold", parameters.threshold, 2, parameters.aggregators);
        _requireRange("maxBucket", parameters.maxBucket, 0, 10);
        _sharing = parameters;
        (_releaseVerifiers, _sumVerifiers) = (releases, sums);
        emit SharingSet(parameters, releases, sums);
    }
}
