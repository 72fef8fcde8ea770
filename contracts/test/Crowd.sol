// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roster} from "../src/Roster.sol";
import {Member} from "../src/interfaces/IConsortium.sol";
import {vm} from "./Vm.sol";

/// @notice A consortium of any size as its contracts see it: members with one record each, and its deployer with every power.
contract Crowd {
    address[] internal all;
    mapping(address account => Member) internal records;
    address internal immutable deployer = msg.sender;

    constructor(uint256 count, uint8 roles) {
        for (uint256 i = 0; i < count; ++i) {
            all.push(vm.addr(1 + i));
            records[all[i]].roles = roles;
            records[all[i]].version = uint32(1 + i);
        }
    }

    function members() external view returns (address[] memory) {
        return all;
    }

    function recordOf(address account) external view returns (Member memory) {
        return records[account];
    }

    function recordsOf(address[] calldata accounts) external view returns (Member[] memory found) {
        found = new Member[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            found[i] = records[accounts[i]];
        }
    }

    function holding(uint8 role, uint32 version) external view returns (address[] memory found) {
        uint256 count = 0;
        found = new address[](all.length);
        for (uint256 i = 0; i < found.length; ++i) {
            address account = all[i];
            Member memory record = records[account];
            if (record.roles & role != 0 && record.version <= version) found[count++] = account;
        }
        Roster.cut(found, count);
    }

    function rolesOf(address account) external view returns (uint8) {
        return records[account].roles;
    }

    function hasRole(bytes32, address account) external view returns (bool) {
        return account == deployer || account.code.length != 0;
    }

    function isParticipant(address account) external view returns (bool) {
        return records[account].roles != 0 || account.code.length != 0;
    }

    function isPaused() external pure returns (bool) {
        return false;
    }
}
