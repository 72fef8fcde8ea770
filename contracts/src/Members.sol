// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Roster} from "./Roster.sol";
import {AGGREGATOR, AUDITOR, IConsortium, Member, VALIDATOR, VOTING_ROLES} from "./interfaces/IConsortium.sol";

/// @dev The list of members: one slot a member, its counts beside its version.
abstract contract Members is IConsortium {
    /// @dev A walk over all members, 7,100 gas each where votes are counted, fits a transaction (EIP-7825) four times.
    uint256 public constant MAX_MEMBERS = 500;

    /// @dev The least number of which two thirds do not need every single one: with three, one may be silent.
    uint256 public constant MIN_VALIDATORS = 3;

    address[] private _members;
    mapping(address account => Member) private _records;

    /// @inheritdoc IConsortium
    uint32 public override version;
    /// @inheritdoc IConsortium
    uint16 public override voters;
    /// @inheritdoc IConsortium
    uint16 public override validators;
    /// @inheritdoc IConsortium
    uint16 public override aggregators;

    constructor(address[] memory accounts, uint8[] memory roles) {
        if (accounts.length != roles.length) revert LengthMismatch(accounts.length, roles.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            _admit(accounts[i], roles[i]);
        }
        _requireValidators();
    }

    /// @inheritdoc IConsortium
    function members() external view override returns (address[] memory) {
        return _members;
    }

    /// @inheritdoc IConsortium
    function recordOf(address account) external view override returns (Member memory) {
        return _records[account];
    }

    /// @inheritdoc IConsortium
    function recordsOf(address[] calldata accounts) external view override returns (Member[] memory records) {
        records = new Member[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            records[i] = _records[accounts[i]];
        }
    }

    /// @inheritdoc IConsortium
    function holding(uint8 role, uint32 version_) external view override returns (address[] memory found) {
        uint256 count = 0;
        found = new address[](_members.length);
        for (uint256 i = 0; i < found.length; ++i) {
            address account = _members[i];
            Member memory record = _records[account];
            if (record.roles & role != 0 && record.version <= version_) found[count++] = account;
        }
        Roster.cut(found, count);
    }

    /// @inheritdoc IConsortium
    function rolesOf(address account) public view override returns (uint8) {
        return _records[account].roles;
    }

    function _admit(address account, uint8 roles) internal {
        if (rolesOf(account) != 0) revert AlreadyMember(account);
        if (_members.length == MAX_MEMBERS) revert TooManyMembers(MAX_MEMBERS);
        _requireValid(account, roles);
        _members.push(account);
        // casting is safe: at most MAX_MEMBERS
        // forge-lint: disable-next-line(unsafe-typecast)
        _records[account].position = uint16(_members.length);
        _write(account, roles);
        emit MemberAdmitted(account, roles, version);
    }

    function _remove(address account) internal {
        uint8 roles = _requireMember(account);
        uint16 position = _records[account].position;
        address last = _members[_members.length - 1];
        _members[position - 1] = last;
        _records[last].position = position;
        _members.pop();
        _write(account, 0);
        delete _records[account];
        _requireValidators();
        emit MemberRemoved(account, roles, version);
    }

    function _changeRoles(address account, uint8 roles) internal {
        uint8 previous = _requireMember(account);
        _requireValid(account, roles);
        _write(account, roles);
        _requireValidators();
        emit RolesChanged(account, previous, roles, version);
    }

    /// @dev The version of the account's record if it votes; reverts otherwise.
    function _requireVoter(address account) internal view returns (uint32) {
        if (_requireMember(account) & VOTING_ROLES == 0) revert NoVote(account);
        return _records[account].version;
    }

    /// @dev How many voting members have `stamps` that are the versions of their records.
    function _countStamped(mapping(address account => uint32) storage stamps) internal view returns (uint256 count) {
        for (uint256 i = 0; i < _members.length; ++i) {
            address account = _members[i];
            Member memory record = _records[account];
            if (record.roles & VOTING_ROLES != 0 && stamps[account] == record.version) ++count;
        }
    }

    function _requireMember(address account) private view returns (uint8 roles) {
        roles = rolesOf(account);
        if (roles == 0) revert NotMember(account);
    }

    function _requireValid(address account, uint8 roles) private pure {
        if (account == address(0) || roles == 0 || roles > (VOTING_ROLES | AUDITOR)) {
            revert InvalidRoles(account, roles);
        }
    }

    function _requireValidators() private view {
        if (validators < MIN_VALIDATORS) revert TooFewValidators(validators, MIN_VALIDATORS);
    }

    /// @dev Replaces the roles of a record, and keeps the counts and the version.
    function _write(address account, uint8 roles) private {
        uint8 previous = _records[account].roles;
        voters = voters + _one(roles, VOTING_ROLES) - _one(previous, VOTING_ROLES);
        validators = validators + _one(roles, VALIDATOR) - _one(previous, VALIDATOR);
        aggregators = aggregators + _one(roles, AGGREGATOR) - _one(previous, AGGREGATOR);
        ++version;
        _records[account].roles = roles;
        _records[account].version = version;
    }

    function _one(uint8 roles, uint8 mask) private pure returns (uint8) {
        return roles & mask == 0 ? 0 : 1;
    }
}
