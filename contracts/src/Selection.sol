// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {Governed} from "./Governed.sol";
import {Lottery} from "./Lottery.sol";
import {Roster} from "./Roster.sol";
import {IAudits} from "./interfaces/IAudits.sol";
import {HOSPITAL, IConsortium, ROUNDS_ROLE} from "./interfaces/IConsortium.sol";
import {EVIDENCE_ROLE, IReputation, Standing} from "./interfaces/IReputation.sol";
import {ISelection, SelectionParameters} from "./interfaces/ISelection.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";

/// @notice See ISelection.
contract Selection is ISelection, Governed {
    /// @dev A round with fewer is none (RoundBooks); with more, what it takes to select and settle them does not fit a transaction.
    uint256 public constant MIN_SEATS = 3;
    uint256 public constant MAX_SEATS = 64;
    uint256 public constant MAX_UNDRAWN = 128;
    /// @dev A slot each, written for the first time: 20,000 gas.
    uint256 public constant MAX_NEWCOMERS = 100;

    /// @dev Who can be drawn, in the order of `members()`.
    struct Lot {
        address[] eligible;
        uint256[] weights;
        address[] newcomers;
    }

    /// @dev What weights are made of, beside what is known of each.
    struct Rule {
        uint256 roundId;
        uint256 minStake;
        uint256 mostStake;
        uint256 patience;
        uint256 typical;
    }

    /// @inheritdoc ISelection
    IStakeVault public immutable override vault;
    /// @inheritdoc ISelection
    IReputation public immutable override reputation;
    /// @inheritdoc ISelection
    IAudits public immutable override audits;
    /// @inheritdoc ISelection
    uint8 public override typical;

    SelectionParameters private _parameters;

    constructor(
        IConsortium consortium_,
        IStakeVault vault_,
        IReputation reputation_,
        IAudits audits_,
        SelectionParameters memory parameters
    ) Governed(consortium_) {
        (vault, reputation, audits) = (vault_, reputation_, audits_);
        _setSelection(parameters);
    }

    /// @inheritdoc ISelection
    function select(uint256 roundId, uint32 membersVersion, uint96 minStake, bytes32 seed)
        external
        override
        onlyPower(ROUNDS_ROLE)
        returns (address[] memory selected)
    {
        address[] memory hospitals = Roster.holding(consortium, HOSPITAL, membersVersion);
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
        uint96[] memory stakes = vault.activeOf(hospitals);
        Standing[] memory standings = reputation.standingsOf(hospitals);
        bool[] memory ready = verified ? audits.mayTrainOf(roundId, hospitals) : new bool[](0);
        uint256 threshold = reputation.reputation().threshold;
        Rule memory rule = _ruleOf(roundId, minStake);
        // hospitals and scores are written over from their beginnings: no more room is needed
        lot = Lot(hospitals, reputation.scoresOf(hospitals, roundId), new address[](hospitals.length));
        (uint256 found, uint256 fresh) = (0, 0);
        for (uint256 i = 0; i < hospitals.length; ++i) {
            uint256 score = lot.weights[i];
            if (stakes[i] < minStake || score < threshold || (verified && !ready[i])) continue;
            if (standings[i].since == 0 && fresh < MAX_NEWCOMERS) lot.newcomers[fresh++] = hospitals[i];
            lot.weights[found] = _weight(rule, score, standings[i], stakes[i]);
            lot.eligible[found++] = hospitals[i];
        }
        Roster.cut(lot.eligible, found);
        Roster.cut(lot.newcomers, fresh);
        uint256[] memory weights = lot.weights;
        assembly ("memory-safe") {
            mstore(weights, found) // no more than there were
        }
    }

    function _ruleOf(uint256 roundId, uint256 minStake) private view returns (Rule memory) {
        SelectionParameters memory parameters = _parameters;
        return Rule(roundId, minStake, parameters.stakeCap * minStake, parameters.patience, typical);
    }

    function _weight(Rule memory rule, uint256 score, Standing memory standing, uint256 stake)
        private
        pure
        returns (uint256)
    {
        uint256 waited = 0;
        if (standing.selected != 0) waited = rule.roundId - 1 - standing.selected;
        else if (standing.since != 0) waited = rule.roundId - standing.since;
        uint256 quality = 4 + Math.min(standing.bucket, rule.typical);
        uint256 sixteenths = rule.minStake == 0 ? 16 : (16 * Math.min(stake, rule.mostStake)) / rule.minStake;
        return score * quality * sixteenths * (1 + Math.min(waited, rule.patience));
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
        uint256[] memory weights = new uint256[](count); // of its own: drawing uses them up
        for (uint256 i = 0; i < count; ++i) {
            weights[i] = lot.weights[i];
        }
        uint256[] memory drawn = Lottery.draw(seed, weights, _parameters.seats);
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
