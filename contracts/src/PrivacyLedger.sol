// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Governed} from "./Governed.sol";
import {HOSPITAL, IConsortium} from "./interfaces/IConsortium.sol";
import {IPrivacyLedger, PrivacyAccount} from "./interfaces/IPrivacyLedger.sol";

/// @notice See IPrivacyLedger.
contract PrivacyLedger is IPrivacyLedger, Governed {
    mapping(address hospital => PrivacyAccount) private _accounts;

    constructor(IConsortium consortium_) Governed(consortium_) {}

    /// @inheritdoc IPrivacyLedger
    function fixBudget(uint64 budget, uint64 delta) external override {
        _callerAs(HOSPITAL);
        PrivacyAccount storage own = _accounts[msg.sender];
        if (own.budget != 0) revert BudgetAlreadyFixed(msg.sender);
        _requireRange("budget", budget, 1, type(uint64).max);
        _requireRange("delta", delta, 1, 1e18 - 1);
        own.budget = budget;
        own.delta = delta;
        emit BudgetFixed(msg.sender, budget, delta);
    }

    /// @inheritdoc IPrivacyLedger
    function post(uint64 roundId, uint64 spent) external override {
        _callerAs(HOSPITAL);
        PrivacyAccount storage own = _accounts[msg.sender];
        PrivacyAccount memory before = own;
        if (before.budget == 0) revert NoBudget(msg.sender);
        if (roundId < before.roundId) revert RoundMayOnlyAdvance(before.roundId, roundId);
        if (spent <= before.spent) revert SpentMayOnlyGrow(before.spent, spent);
        if (spent > before.budget) revert BudgetExceeded(before.budget, spent);
        own.spent = spent;
        own.roundId = roundId;
        emit PrivacySpent(roundId, msg.sender, spent, before.budget);
    }

    /// @inheritdoc IPrivacyLedger
    function accountOf(address hospital) external view override returns (PrivacyAccount memory) {
        return _accounts[hospital];
    }
}
