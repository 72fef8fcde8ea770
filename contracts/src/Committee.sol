// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CommitteeBooks} from "./CommitteeBooks.sol";
import {CommitteeShares} from "./CommitteeShares.sol";
import {CommitteeSums} from "./CommitteeSums.sol";
import {IAudits} from "./interfaces/IAudits.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {ICommittee, SharingParameters} from "./interfaces/ICommittee.sol";
import {IConsortium, ROUNDS_ROLE} from "./interfaces/IConsortium.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {IStarkVerifier} from "./interfaces/IStarkVerifier.sol";

/// @notice See ICommittee.
contract Committee is CommitteeShares {
    /// @param verifiers Of release proofs over rows of one half and of two; zero where there is none.
    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IDataRegistry data_,
        IAudits audits_,
        IBeacon beacon_,
        IStarkVerifier[2] memory verifiers,
        SharingParameters memory parameters
    ) CommitteeBooks(consortium_, vault_, data_, audits_, beacon_, verifiers, parameters) {}

    /// @inheritdoc ICommittee
    function submitSum(uint256 roundId, uint256 group, bytes calldata sum) external override {
        uint8 own = _seatedCaller(roundId);
        Book storage book = _books[roundId];
        _requireSums(roundId, group, book.sumUntil);
        if (_sumHashes[roundId][group][own] != 0) revert AlreadySummed(roundId, group, own);
        CommitteeSums.check(sum, book.slots);
        _sumHashes[roundId][group][own] = keccak256(sum);
        emit SumSubmitted(roundId, group, own, sum);
    }

    /// @inheritdoc ICommittee
    function decode(uint256 roundId, uint256 group, bytes[] calldata sums, uint256 wrong) external override onlyMember {
        // Checks
        Book storage book = _books[roundId];
        _requireSums(roundId, group, book.decodeUntil);
        if (isDecoded(roundId, group)) revert AlreadyDecoded(roundId, group);
        uint256 present = _requirePresent(roundId, group, sums);
        uint256 count = _ones(present);
        if (count < sums.length && block.number <= book.sumUntil) revert SumsOutstanding(group, count, sums.length);
        if (wrong & ~present != 0) revert NamedAbsent(wrong, present);
        uint256 named = _ones(wrong);
        uint256 threshold = book.parameters.threshold;
        if (count < threshold + 2 * named) revert NotDecodable(count, threshold, named);
        bytes memory total = CommitteeSums.decode(sums, book.slots, threshold, wrong);
        // Effects
        book.decoded |= 1 << group;
        // a seat's bit each, of at most 16
        // forge-lint: disable-next-line(unsafe-typecast)
        book.wrong |= uint16(wrong);
        emit SumDecoded(roundId, group, total, wrong);
    }

    /// @inheritdoc ICommittee
    function close(uint256 roundId) external override onlyPower(ROUNDS_ROLE) {
        // Effects
        Book storage book = _books[roundId];
        (book.sumUntil, book.decodeUntil) = (0, 0);
        SharingParameters memory parameters = book.parameters;
        address[] memory seats = book.seats;
        uint96[] memory penalties = new uint96[](seats.length);
        bytes32[] memory offences = new bytes32[](seats.length);
        for (uint256 a = 0; a < seats.length; ++a) {
            if ((book.wrong >> a) & 1 == 1) {
                (penalties[a], offences[a]) = (parameters.penalty, "committee: wrong sum");
            } else if (_isSilent(roundId, a)) {
                (penalties[a], offences[a]) = (parameters.silencePenalty, "committee: no sum");
            }
            if (offences[a] != 0) emit AggregatorFailed(roundId, seats[a], offences[a]);
        }
        // Interactions
        for (uint256 a = 0; a < seats.length; ++a) {
            // what was there to take stands in the vault's event
            // slither-disable-next-line unused-return
            if (offences[a] != 0) vault.slash(seats[a], penalties[a], offences[a]);
        }
    }

    /// @dev The seats that submitted, a bit each; reverts unless `sums` is what they submitted.
    function _requirePresent(uint256 roundId, uint256 group, bytes[] calldata sums)
        private
        view
        returns (uint256 present)
    {
        uint256 seats = _books[roundId].seats.length;
        if (sums.length != seats) revert WrongSumCount(seats, sums.length);
        for (uint256 a = 0; a < seats; ++a) {
            bytes32 expected = _sumHashes[roundId][group][a];
            bytes32 got = sums[a].length == 0 ? bytes32(0) : keccak256(sums[a]);
            if (got != expected) revert WrongSum(a, expected);
            if (expected != 0) present |= 1 << a;
        }
    }

    /// @dev Whether a seat left the sum of a group out.
    function _isSilent(uint256 roundId, uint256 a) private view returns (bool silent) {
        uint256 groups = _books[roundId].groups;
        for (uint256 group = 0; group < groups; ++group) {
            if (_sumHashes[roundId][group][a] == 0) silent = true;
        }
    }

    function _requireSums(uint256 roundId, uint256 group, uint32 until) private view {
        _requireOpen(roundId, until);
        uint256 groups = _books[roundId].groups;
        if (group >= groups) revert UnknownGroup(group, groups);
    }
}
