// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roster} from "../src/Roster.sol";
import {Member} from "../src/interfaces/IConsortium.sol";
import {Relay} from "../test/Relay.sol";

/// @title For measuring gas, not part of the system: a consortium of any size as its contracts see it.
/// @notice Members are relays, each with one record; everybody holds every power. Reading it costs what reading Consortium does: a slot
/// for each address and one for each record.
contract Assembly {
    address[] private _members;
    mapping(address account => Member) private _records;

    /// @notice Admits so many members in these roles.
    function admit(uint256 count, uint8 roles) external {
        for (uint256 i = 0; i < count; ++i) {
            address member = address(new Relay());
            _members.push(member);
            _records[member].roles = roles;
            // fewer than 2^32
            // forge-lint: disable-next-line(unsafe-typecast)
            _records[member].version = uint32(_members.length);
        }
    }

    function members() external view returns (address[] memory) {
        return _members;
    }

    function recordOf(address account) external view returns (Member memory) {
        return _records[account];
    }

    function recordsOf(address[] calldata accounts) external view returns (Member[] memory found) {
        found = new Member[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            found[i] = _records[accounts[i]];
        }
    }

    function holding(uint8 role, uint32 version) external view returns (address[] memory found) {
        uint256 count = 0;
        found = new address[](_members.length);
        for (uint256 i = 0; i < found.length; ++i) {
            address account = _members[i];
            Member memory record = _records[account];
            if (record.roles & role != 0 && record.version <= version) found[count++] = account;
        }
        Roster.cut(found, count);
    }

    function rolesOf(address account) external view returns (uint8) {
        return _records[account].roles;
    }

    function hasRole(bytes32, address) external pure returns (bool) {
        return true;
    }

    function isParticipant(address) external pure returns (bool) {
        return true;
    }

    function isPaused() external pure returns (bool) {
        return false;
    }
}
