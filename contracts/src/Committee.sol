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
    bytes32 private constant NO_SUM = "committee: no sum";

    /// @param releases Verifiers of release proofs over rows of one half and of two; zero where there is none.
    /// @param sums The same of proofs of sums.
    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IDataRegistry data_,
        IAudits audits_,
        IBeacon beacon_,
        IStarkVerifier[2] memory releases,
        IStarkVerifier[2] memory sums,
        SharingParameters memory parameters
    ) CommitteeBooks(consortium_, vault_, data_, audits_, beacon_, releases, sums, parameters) {}

    /// @inheritdoc ICommittee
    function submitSum(uint256 roundId, uint256 group, bytes calldata sum, bytes calldata proof) external override {
        // Checks
        uint8 own = _seatedCaller(roundId);
        Book storage book = _books[roundId];
        _requireSums(roundId, group, book.sumUntil);
        if (_sumHashes[roundId][group][own] != 0) revert AlreadySummed(roundId, group, own);
        uint256[] memory inputs = sumInputs(roundId, group, own, sum);
        IStarkVerifier.Domain memory domain = IStarkVerifier.Domain(block.chainid, address(this), roundId, msg.sender);
        book.sumVerifier.verify(proof, domain, inputs);
        // Effects
        _sumHashes[roundId][group][own] = keccak256(sum);
        emit SumSubmitted(roundId, group, own, sum);
    }

    /// @inheritdoc ICommittee
    function decode(uint256 roundId, uint256 group, uint256[] calldata seats, bytes[] calldata sums)
        external
        override
        onlyMember
    {
        // Checks
        Book storage book = _books[roundId];
        _requireSums(roundId, group, book.decodeUntil);
        if (isDecoded(roundId, group)) revert AlreadyDecoded(roundId, group);
        uint256 threshold = book.parameters.threshold;
        if (seats.length != threshold) revert WrongSumCount(threshold, seats.length);
        if (sums.length != threshold) revert WrongSumCount(threshold, sums.length);
        for (uint256 k = 0; k < threshold; ++k) {
            if (k > 0 && seats[k] <= seats[k - 1]) revert SeatsNotAscending(seats[k - 1], seats[k]);
            bytes32 expected = _sumHashes[roundId][group][seats[k]];
            if (keccak256(sums[k]) != expected) revert WrongSum(seats[k], expected);
        }
        // Effects
        book.decoded |= 1 << group;
        emit SumDecoded(roundId, group, CommitteeSums.decode(sums, seats, book.slots));
    }

    /// @inheritdoc ICommittee
    function close(uint256 roundId) external override onlyPower(ROUNDS_ROLE) {
        // Effects
        Book storage book = _books[roundId];
        (book.sumUntil, book.decodeUntil) = (0, 0);
        uint96 penalty = book.parameters.penalty;
        address[] memory seats = book.seats;
        bool[] memory silent = new bool[](seats.length);
        for (uint256 a = 0; a < seats.length; ++a) {
            silent[a] = _isSilent(roundId, a);
            if (silent[a]) emit AggregatorFailed(roundId, seats[a], NO_SUM);
        }
        // Interactions
        for (uint256 a = 0; a < seats.length; ++a) {
            // what was there to take stands in the vault's event
            // slither-disable-next-line unused-return
            if (silent[a]) vault.slash(seats[a], penalty, NO_SUM);
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
