// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Batch} from "./Batch.sol";
import {Governed} from "./Governed.sol";
import {Lottery} from "./Lottery.sol";
import {Roster} from "./Roster.sol";
import {IAudits} from "./interfaces/IAudits.sol";
import {HOSPITAL, IConsortium, ROUNDS_ROLE} from "./interfaces/IConsortium.sol";
import {IDataRegistry} from "./interfaces/IDataRegistry.sol";
import {EVIDENCE_ROLE, IReputation} from "./interfaces/IReputation.sol";
import {ISelection, SelectionParameters} from "./interfaces/ISelection.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @notice See ISelection.
contract Selection is ISelection, Governed {
    using Batch for uint256[];

    /// @dev A round with fewer is none (RoundBooks); with more, what it takes to select and settle them does not fit a transaction.
    uint256 public constant MIN_SEATS = 3;
    uint256 public constant MAX_SEATS = 64;
    uint256 public constant MAX_UNDRAWN = 128;
    /// @dev A slot each, written for the first time: 20,000 gas.
    uint256 public constant MAX_NEWCOMERS = 16;

    /// @dev Who can be drawn, in the order of `members()`.
    struct Lot {
        address[] eligible;
        uint256[] weights;
        address[] newcomers;
    }

    /// @dev What makes a hospital eligible, and its weight, beside what is known of each.
    struct Rule {
        uint256 threshold;
        uint256 minStake;
        uint256 mostStake;
        uint256 patience;
        uint256 typical;
        bool verified;
        uint256 dataVersion;
    }

    /// @inheritdoc ISelection
    IStakeVault public immutable override vault;
    /// @inheritdoc ISelection
    IReputation public immutable override reputation;
    /// @inheritdoc ISelection
    IAudits public immutable override audits;
    /// @inheritdoc ISelection
    uint8 public override typical;

    IDataRegistry private immutable _data;
    SelectionParameters private _parameters;

    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IReputation reputation_,
        IAudits audits_,
        SelectionParameters memory parameters
    ) Governed(consortium_) {
        (vault, reputation, audits, _data) = (vault_, reputation_, audits_, audits_.data());
        _setSelection(parameters);
    }

    /// @inheritdoc ISelection
    function select(uint256 roundId, uint32 membersVersion, uint96 minStake, bytes32 seed)
        external
        override
        onlyPower(ROUNDS_ROLE)
        returns (address[] memory selected)
    {
        address[] memory hospitals = consortium.holding(HOSPITAL, membersVersion);
        Lot memory lot = _lotOf(roundId, hospitals, minStake, seed != 0);
        selected = _drawn(lot, seed);
        emit LotteryDrawn(roundId, seed, lot.eligible, lot.weights, selected);
        // Interactions
        reputation.noteSelection(roundId, selected, lot.newcomers);
    }

    /// @inheritdoc ISelection
    function draw(bytes32 seed, uint256[] calldata weights, uint256 seats)
        external
        pure
        override
        returns (uint256[] memory)
    {
        return Lottery.draw(seed, weights, seats);
    }

    /// @inheritdoc ISelection
    function setTypical(uint8 bucket) external override onlyPower(EVIDENCE_ROLE) {
        typical = bucket;
        emit TypicalBucketSet(bucket);
    }

    /// @inheritdoc ISelection
    function setSelection(SelectionParameters calldata parameters) external override onlyVote {
        _setSelection(parameters);
    }

    /// @inheritdoc ISelection
    function selection() external view override returns (SelectionParameters memory) {
        return _parameters;
    }

    /// @dev Those of the hospitals that are eligible, with their weights.
    function _lotOf(uint256 roundId, address[] memory hospitals, uint96 minStake, bool verified)
        private
        view
        returns (Lot memory lot)
    {
        Rule memory rule = _ruleOf(roundId, minStake, verified);
        lot.eligible = hospitals; // written over, from its beginning
        lot.newcomers = new address[](Math.min(hospitals.length, MAX_NEWCOMERS));
        uint256[] memory prospects = _prospectsOf(roundId, hospitals);
        lot.weights = prospects; // written over as well
        uint256[] memory stakes = _ask(address(vault), IStakeVault.activeOf.selector, hospitals);
        uint256[] memory versions =
            verified ? _ask(address(_data), IDataRegistry.versionsOf.selector, hospitals) : stakes;
        (uint256 found, uint256 fresh) = (0, 0);
        for (uint256 i = 0; i < hospitals.length; ++i) {
            uint256 weight = _weight(rule, prospects.word(i), stakes.word(i), versions.word(i));
            if (weight == 0) continue;
            address hospital = hospitals[i];
            if (prospects[i] >> 56 == 1 && fresh < MAX_NEWCOMERS) lot.newcomers[fresh++] = hospital;
            prospects[found] = weight;
            hospitals[found++] = hospital;
        }
        Roster.cut(hospitals, found);
        Roster.cut(lot.newcomers, fresh);
        assembly ("memory-safe") {
            mstore(prospects, found) // no more than there were
        }
    }

    /// @dev The weight of a hospital; zero: it is not eligible. A weight is not zero, since a threshold is not.
    /// @param prospect See IReputation.prospectsOf.
    // sixteenths of the least stake are whole, as in the twin
    // slither-disable-next-line divide-before-multiply
    function _weight(Rule memory rule, uint256 prospect, uint256 stake, uint256 version)
        private
        pure
        returns (uint256)
    {
        if (stake < rule.minStake || uint16(prospect) < rule.threshold) return 0;
        if (rule.verified && (version == 0 || version > rule.dataVersion)) return 0;
        unchecked {
            // 14 bits, 9, 12 and 9; stakes are below 2^96
            uint256 quality = 4 + _min(uint8(prospect >> 16), rule.typical);
            uint256 sixteenths = rule.minStake == 0 ? 16 : (16 * _min(stake, rule.mostStake)) / rule.minStake;
            uint256 patience = 1 + _min(uint32(prospect >> 24), rule.patience);
            return uint16(prospect) * quality * sixteenths * patience;
        }
    }

    function _ruleOf(uint256 roundId, uint256 minStake, bool verified) private view returns (Rule memory rule) {
        (rule.minStake, rule.mostStake) = (minStake, _parameters.stakeCap * minStake);
        (rule.patience, rule.typical) = (_parameters.patience, typical);
        rule.threshold = reputation.reputation().threshold;
        (rule.verified, rule.dataVersion) = (verified, verified ? audits.dataVersionOf(roundId) : 0);
    }

    function _prospectsOf(uint256 roundId, address[] memory hospitals) private view returns (uint256[] memory) {
        bytes memory head = abi.encodePacked(IReputation.prospectsOf.selector, roundId, uint256(0x40));
        return Batch.ask(address(reputation), head, hospitals);
    }

    function _ask(address target, bytes4 selector, address[] memory list) private view returns (uint256[] memory) {
        return Batch.ask(target, abi.encodePacked(selector, uint256(0x20)), list);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _drawn(Lot memory lot, bytes32 seed) private view returns (address[] memory selected) {
        uint256 count = lot.eligible.length;
        if (seed == 0 || count <= _parameters.seats) {
            selected = new address[](Math.min(count, MAX_UNDRAWN));
            for (uint256 i = 0; i < selected.length; ++i) {
                selected[i] = lot.eligible[i];
            }
            return selected;
        }
        uint256[] memory drawn = Lottery.draw(seed, lot.weights, _parameters.seats);
        selected = new address[](drawn.length);
        for (uint256 i = 0; i < drawn.length; ++i) {
            selected[i] = lot.eligible[drawn[i]];
        }
    }

    function _setSelection(SelectionParameters memory parameters) private {
        _requireRange("seats", parameters.seats, MIN_SEATS, MAX_SEATS);
        _requireRange("stakeCap", parameters.stakeCap, 1, type(uint8).max);
        _requireRange("patience", parameters.patience, 0, type(uint8).max);
        _parameters = parameters;
        emit SelectionSet(parameters);
    }
}
