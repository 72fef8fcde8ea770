// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "./IConsortium.sol";

/// @title What every contract of the system shares: it knows its consortium and obeys its members' vote.
interface IGoverned {
    error NotMember(address account);
    /// @notice The member lacks the role that this needs.
    error MissingRole(address account, uint8 role);
    /// @notice Only the consortium, executing a proposal, may call this.
    error NotTheVote(address caller);
    /// @notice Only a contract that holds this power may call this.
    error MissingPower(address caller, bytes32 power);
    /// @notice A parameter is outside its bounds.
    error OutOfRange(bytes32 parameter, uint256 got, uint256 lowest, uint256 highest);

    /// @notice The consortium that governs this contract.
    function consortium() external view returns (IConsortium);
}
