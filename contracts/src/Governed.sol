// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium, Member, VOTING_ROLES} from "./interfaces/IConsortium.sol";
import {IGoverned} from "./interfaces/IGoverned.sol";

/// @dev Who may call: the vote, a contract that holds a power, or a member in a role; and whether anybody may at the time.
abstract contract Governed is IGoverned {
    /// @inheritdoc IGoverned
    IConsortium public immutable override consortium;

    constructor(IConsortium consortium_) {
        consortium = consortium_;
    }

    modifier onlyVote() {
        if (msg.sender != address(consortium)) revert IConsortium.NotTheVote(msg.sender);
        _;
    }

    modifier onlyPower(bytes32 power) {
        if (!consortium.hasRole(power, msg.sender)) revert MissingPower(msg.sender, power);
        _;
    }

    modifier onlyMember() {
        if (consortium.rolesOf(msg.sender) == 0) revert IConsortium.NotMember(msg.sender);
        _;
    }

    modifier onlyVoter() {
        uint8 roles = consortium.rolesOf(msg.sender);
        if (roles == 0) revert IConsortium.NotMember(msg.sender);
        if (roles & VOTING_ROLES == 0) revert IConsortium.NoVote(msg.sender);
        _;
    }

    modifier whenNotPaused() {
        if (consortium.isPaused()) revert Paused();
        _;
    }

    /// @dev The caller's record; reverts unless it is a member that holds `role`.
    function _callerAs(uint8 role) internal view returns (Member memory record) {
        record = consortium.recordOf(msg.sender);
        if (record.roles == 0) revert IConsortium.NotMember(msg.sender);
        if (record.roles & role == 0) revert MissingRole(msg.sender, role);
    }

    function _requireRange(bytes32 parameter, uint256 got, uint256 lowest, uint256 highest) internal pure {
        if (got < lowest || got > highest) revert IConsortium.OutOfRange(parameter, got, lowest, highest);
    }
}
