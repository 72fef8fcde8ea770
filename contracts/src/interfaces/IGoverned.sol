// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "./IConsortium.sol";

/// @title What every contract of the system shares: it knows its consortium and obeys its members' vote.
/// @notice Errors that the consortium has too (NotMember, NoVote, NotTheVote, OutOfRange) are declared in IConsortium.
interface IGoverned {
    /// @notice The member lacks the role that this needs.
    error MissingRole(address account, uint8 role);
    /// @notice Only a contract that holds this power may call this.
    error MissingPower(address caller, bytes32 power);
    /// @notice The members paused the system, and this with it.
    error Paused();

    /// @notice The consortium that governs this contract.
    function consortium() external view returns (IConsortium);
}
