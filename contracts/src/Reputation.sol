// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {Evidence} from "./Evidence.sol";
import {Governed} from "./Governed.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {EVIDENCE_ROLE, IReputation, ReputationParameters, SCORE_ONE, Standing} from "./interfaces/IReputation.sol";

/// @notice See IReputation.
contract Reputation is IReputation, Governed {
    /// @dev What scores of a round are made with. left: of evidence so many rounds ago, as far as it was needed already.
    struct Scale {
        uint256 decay;
        uint256 prior;
        uint256 base;
        uint256[256] left;
    }

    ReputationParameters private _parameters;
    mapping(address member => Standing) private _standings;

    constructor(IConsortium consortium_, ReputationParameters memory parameters) Governed(consortium_) {
        _setReputation(parameters);
    }

    /// @inheritdoc IReputation
    function record(uint256 roundId, address member, uint256 positive, uint256 negative)
        external
        override
        onlyPower(EVIDENCE_ROLE)
    {
        Standing memory own = _standings[member];
        uint256 left = Evidence.fraction(_parameters.decay, _roundsSince(own.written, roundId));
        own.positive = Evidence.sum(own.positive, left, positive);
        own.negative = Evidence.sum(own.negative, left, negative);
        own.written = SafeCast.toUint32(roundId);
        _standings[member] = own;
        emit EvidenceRecorded(roundId, member, positive, negative, own.positive, own.negative);
    }

    /// @inheritdoc IReputation
    function noteBucket(address hospital, uint8 bucket) external override onlyPower(EVIDENCE_ROLE) {
        _standings[hospital].bucket = bucket;
    }

    /// @inheritdoc IReputation
    function noteSelection(uint256 roundId, address[] calldata selected, address[] calldata newcomers)
        external
        override
        onlyPower(EVIDENCE_ROLE)
    {
        uint32 number = SafeCast.toUint32(roundId);
        for (uint256 i = 0; i < newcomers.length; ++i) {
            _standings[newcomers[i]].since = number;
        }
        for (uint256 i = 0; i < selected.length; ++i) {
            _standings[selected[i]].selected = number;
        }
        emit SelectionNoted(roundId, selected);
    }

    /// @inheritdoc IReputation
    function setReputation(ReputationParameters calldata parameters) external override onlyVote {
        _setReputation(parameters);
    }

    /// @inheritdoc IReputation
    function reputation() external view override returns (ReputationParameters memory) {
        return _parameters;
    }

    /// @inheritdoc IReputation
    function standingOf(address member) external view override returns (Standing memory) {
        return _standings[member];
    }

    /// @inheritdoc IReputation
    function standingsOf(address[] calldata members) external view override returns (Standing[] memory standings) {
        standings = new Standing[](members.length);
        for (uint256 i = 0; i < members.length; ++i) {
            standings[i] = _standings[members[i]];
        }
    }

    /// @inheritdoc IReputation
    function scoreOf(address member, uint256 roundId) external view override returns (uint256) {
        (uint256 positive, uint256 negative) = evidenceOf(member, roundId);
        return Evidence.score(positive, negative, _parameters.prior, _parameters.base);
    }

    /// @inheritdoc IReputation
    function scoresOf(address[] calldata members, uint256 roundId)
        external
        view
        override
        returns (uint256[] memory scores)
    {
        scores = _prospectsOf(roundId, members);
        for (uint256 i = 0; i < scores.length; ++i) {
            scores[i] &= type(uint16).max;
        }
    }

    /// @inheritdoc IReputation
    function prospectsOf(uint256 roundId, address[] calldata members)
        external
        view
        override
        returns (uint256[] memory)
    {
        return _prospectsOf(roundId, members);
    }

    /// @inheritdoc IReputation
    function evidenceOf(address member, uint256 roundId)
        public
        view
        override
        returns (uint256 positive, uint256 negative)
    {
        Standing memory own = _standings[member];
        uint256 left = Evidence.fraction(_parameters.decay, _roundsSince(own.written, roundId));
        return (Evidence.sum(own.positive, left, 0), Evidence.sum(own.negative, left, 0));
    }

    function _setReputation(ReputationParameters memory parameters) private {
        _requireRange("decay", parameters.decay, 1, type(uint32).max);
        _requireRange("prior", parameters.prior, 1, type(uint16).max);
        _requireRange("base", parameters.base, 1, SCORE_ONE);
        // who nothing is known about may be selected: else nobody ever could
        _requireRange("threshold", parameters.threshold, 1, parameters.base);
        _requireRange("qualityFull", parameters.qualityFull, 1, SCORE_ONE);
        _parameters = parameters;
        emit ReputationSet(parameters);
    }

    function _prospectsOf(uint256 roundId, address[] calldata members)
        private
        view
        returns (uint256[] memory prospects)
    {
        // filled below
        // slither-disable-next-line uninitialized-local
        Scale memory scale;
        (scale.decay, scale.prior, scale.base) = (_parameters.decay, _parameters.prior, _parameters.base);
        prospects = new uint256[](members.length);
        for (uint256 i = 0; i < members.length; ++i) {
            prospects[i] = _prospectOf(roundId, _standings[members[i]], scale);
        }
    }

    /// @dev Reads the slot once, as it lies: with hundreds of members the fields one by one would cost more than the slot.
    function _prospectOf(uint256 roundId, Standing storage standing, Scale memory scale)
        private
        view
        returns (uint256 prospect)
    {
        uint256 slot;
        assembly ("memory-safe") {
            slot := sload(standing.slot)
        }
        uint256 rounds = _roundsSince(uint32(slot >> 96), roundId);
        uint256 left = _leftOf(scale, rounds);
        (uint256 since, uint256 selected) = (uint32(slot >> 128), uint32(slot >> 160));
        unchecked {
            // 48 bits times 33
            uint256 positive = (uint48(slot) * left) >> 32;
            uint256 negative = (uint48(slot >> 48) * left) >> 32;
            if (selected != 0) prospect = roundId > selected ? roundId - 1 - selected : 0;
            else if (since != 0) prospect = roundId > since ? roundId - since : 0;
            prospect = (prospect << 24) | (uint256(uint8(slot >> 192)) << 16) | (since == 0 ? 1 << 56 : 0)
                | Evidence.score(positive, negative, scale.prior, scale.base);
        }
    }

    /// @dev Evidence.fraction, computed once for each number of rounds below 256.
    function _leftOf(Scale memory scale, uint256 rounds) private pure returns (uint256 left) {
        if (rounds >= scale.left.length) return Evidence.fraction(scale.decay, rounds);
        left = scale.left[rounds];
        if (left != 0) return left;
        left = Evidence.fraction(scale.decay, rounds);
        scale.left[rounds] = left;
    }

    function _roundsSince(uint256 written, uint256 roundId) private pure returns (uint256) {
        if (roundId < written) revert RoundBefore(roundId, written);
        return roundId - written;
    }
}
