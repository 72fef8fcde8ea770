// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IGoverned} from "./IGoverned.sol";

/// @dev What a hospital's patients may lose and have lost. budget, spent: epsilon in millionths. delta: in units of 1e-18.
/// roundId: the round of the last posting.
struct PrivacyAccount {
    uint64 budget;
    uint64 delta;
    uint64 spent;
    uint64 roundId;
}

/// @title The privacy budget of each hospital's patients, and what is spent of it.
/// @notice A hospital keeps its own ledger of all releases and posts the epsilon they add up to, before it trains. A budget is fixed
/// once; what is spent only grows, in rounds that only advance, and never passes the budget. What was spent stays spent if a round
/// is aborted: nothing here depends on how a round ends.
/// @dev The chain does not compute epsilon. Whoever reads the rounds' hyper-parameters can, and compare.
interface IPrivacyLedger is IGoverned {
    /// @notice A hospital fixed its budget.
    event BudgetFixed(address indexed hospital, uint64 budget, uint64 delta);
    /// @notice Before it trained in a round, a hospital had spent so much, that round included.
    event PrivacySpent(uint256 indexed roundId, address indexed hospital, uint64 spent, uint64 budget);

    error BudgetAlreadyFixed(address hospital);
    error NoBudget(address hospital);
    error BudgetExceeded(uint64 budget, uint64 spent);
    error SpentMayOnlyGrow(uint64 current, uint64 got);
    /// @notice Several charges of one round may be posted, but none of an earlier round.
    error RoundMayOnlyAdvance(uint64 current, uint64 got);

    /// @notice Fixes the caller's budget. Hospitals only, once.
    /// @param budget Epsilon in millionths, above zero.
    /// @param delta In units of 1e-18, above zero and below 1.
    function fixBudget(uint64 budget, uint64 delta) external;

    /// @notice What the caller has spent with its training in round `roundId`. Hospitals with a budget only.
    function post(uint64 roundId, uint64 spent) external;

    /// @notice A hospital's account; zeros if it has fixed no budget.
    function accountOf(address hospital) external view returns (PrivacyAccount memory);
}
