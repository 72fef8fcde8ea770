// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Consortium} from "../src/Consortium.sol";
import {RoundManager} from "../src/RoundManager.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {IConsortium, VOTING_ROLES} from "../src/interfaces/IConsortium.sol";
import {IRoundManager, RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {vm} from "./Vm.sol";

/// @notice Proposes, votes, queues and executes as anybody might, at any time, and keeps its own books: who voted, whose record
/// changed since, what waits until when, and what every parameter must therefore be. All proposals of a run come from here.
contract Government {
    enum Kind {
        Membership,
        VotingPeriod,
        Delay,
        UnlockDelay,
        MinStake,
        Pause
    }

    /// @dev A proposal. `first` is zero until it is queued.
    struct Wish {
        Kind kind;
        uint256 value;
        uint256 first;
        uint256 last;
        bool done;
    }

    Consortium internal immutable consortium;
    StakeVault internal immutable vault;
    RoundManager internal immutable manager;
    address[] internal accounts;

    Wish[] internal wishes;
    /// @dev 1 + `changes` of the voter when it voted.
    mapping(uint256 proposalId => mapping(address voter => uint256)) internal stamps;
    mapping(address account => uint256) internal changes;

    /// @notice What the system must say of itself, were every change the vote's, with its delay.
    mapping(address account => uint8) public roles;
    mapping(Kind => uint256) public parameter;

    /// @notice What went wrong; empty while the contracts keep their word.
    string public broken;
    /// @notice How often each kind of change came about, and members were removed.
    mapping(Kind => uint256) public made;
    uint256 public removals;

    constructor(Consortium consortium_, StakeVault vault_, RoundManager manager_, address[] memory accounts_) {
        (consortium, vault, manager, accounts) = (consortium_, vault_, manager_, accounts_);
        for (uint256 i = 0; i < accounts.length; ++i) {
            roles[accounts[i]] = consortium.rolesOf(accounts[i]);
        }
        for (uint8 kind = 1; kind <= uint8(Kind.Pause); ++kind) {
            parameter[Kind(kind)] = inForce(Kind(kind));
        }
    }

    // ------------------------------------------------------------------ actions

    /// @param value Of a parameter, brought into its range; for a membership whose (low byte) and the roles, zero for a removal.
    function propose(uint256 who, uint8 kind_, uint256 value) public {
        Kind kind = Kind(kind_ % 6);
        address mover = pick(who);
        value = ranged(kind, value);
        (address target, bytes memory data) = callOf(kind, value);
        vm.prank(mover);
        try consortium.propose(target, data) returns (uint256 proposalId) {
            note(votes(mover), "without a vote, and proposed");
            note(proposalId == wishes.length, "a proposal from elsewhere");
            wishes.push(Wish(kind, value, 0, vm.getBlockNumber() + parameter[Kind.VotingPeriod], false));
            stamps[proposalId][mover] = 1 + changes[mover];
        } catch {}
    }

    function vote(uint256 who, uint256 id) public {
        if (wishes.length == 0) return;
        (address voter, uint256 proposalId) = (pick(who), id % wishes.length);
        vm.prank(voter);
        try consortium.vote(proposalId) {
            note(votes(voter), "without a vote, and voted");
            note(stamps[proposalId][voter] != 1 + changes[voter], "voted twice");
            note(vm.getBlockNumber() <= wishes[proposalId].last, "voted too late");
            stamps[proposalId][voter] = 1 + changes[voter];
        } catch {}
    }

    function queue(uint256 who, uint256 id) public {
        if (wishes.length == 0) return;
        (address mover, uint256 proposalId) = (pick(who), id % wishes.length);
        Wish storage wish = wishes[proposalId];
        (uint256 cast, uint256 voters) = count(proposalId);
        bool may = votes(mover) && 2 * cast > voters && wish.first == 0 && !wish.done && wish.kind != Kind.Pause
            && vm.getBlockNumber() <= wish.last;
        vm.prank(mover);
        try consortium.queue(proposalId) {
            note(may, "queued what may not be");
            wish.first = vm.getBlockNumber() + parameter[Kind.Delay];
            wish.last = wish.first + parameter[Kind.VotingPeriod];
        } catch {
            note(!may, "refused to queue");
        }
    }

    function execute(uint256 who, uint256 id) public {
        if (wishes.length == 0) return;
        (address mover, uint256 proposalId) = (pick(who), id % wishes.length);
        bool may = votes(mover) && mayBeMade(proposalId);
        Wish storage wish = wishes[proposalId];
        vm.prank(mover);
        try consortium.execute(proposalId) {
            note(may, "executed without its votes or its delay");
            wish.done = true;
            ++made[wish.kind];
            if (wish.kind == Kind.Membership) noteMembership(wish.value);
            else parameter[wish.kind] = wish.value;
        } catch {
            // a membership may have changed since it was proposed, or be the last that is needed
            note(!may || wish.kind == Kind.Membership, "refused to execute");
        }
    }

    /// @dev All the way, mostly: a proposal, votes by three of four, and a wait that is sometimes too short or too long.
    function carry(uint256 who, uint8 kind, uint256 value, uint256 mask, uint8 wait) external {
        propose(who, kind, value);
        uint256 proposalId = wishes.length - (wishes.length == 0 ? 0 : 1);
        for (uint256 i = 0; i < accounts.length; ++i) {
            if (mask & (0x10001 << i) != 0) vote(i, proposalId);
        }
        queue(who, proposalId);
        vm.roll(vm.getBlockNumber() + wait % 10);
        execute(who, proposalId);
    }

    /// @dev Every key tries to do by itself what the vote alone may.
    function seize(uint256 who, uint8 kind_, uint256 value) external {
        Kind kind = Kind(kind_ % 6);
        (address target, bytes memory data) = callOf(kind, ranged(kind, value));
        vm.prank(pick(who));
        (bool done,) = target.call(data);
        note(!done, "a key did what only the vote may");
    }

    // ------------------------------------------------------------------ reads

    /// @notice What the system says of a parameter.
    function inForce(Kind kind) public view returns (uint256) {
        if (kind == Kind.VotingPeriod) return consortium.votingPeriod();
        if (kind == Kind.Delay) return consortium.delay();
        if (kind == Kind.UnlockDelay) return vault.unlockDelay();
        if (kind == Kind.MinStake) return manager.parameters().minStake;
        return consortium.isPaused() ? 1 : 0;
    }

    function mayBeMade(uint256 proposalId) internal view returns (bool) {
        Wish memory wish = wishes[proposalId];
        (uint256 cast, uint256 voters) = count(proposalId);
        if (wish.done || vm.getBlockNumber() > wish.last) return false;
        if (wish.kind == Kind.Pause) return 3 * cast >= 2 * voters;
        return wish.first != 0 && vm.getBlockNumber() >= wish.first && 2 * cast > voters;
    }

    function count(uint256 proposalId) internal view returns (uint256 cast, uint256 voters) {
        for (uint256 i = 0; i < accounts.length; ++i) {
            if (!votes(accounts[i])) continue;
            ++voters;
            if (stamps[proposalId][accounts[i]] == 1 + changes[accounts[i]]) ++cast;
        }
    }

    function votes(address account) internal view returns (bool) {
        return roles[account] & VOTING_ROLES != 0;
    }

    function noteMembership(uint256 value) internal {
        address account = pick(value % 256);
        uint8 wanted = uint8(value >> 8);
        if (wanted == 0) ++removals;
        roles[account] = wanted;
        ++changes[account];
    }

    /// @dev Values that leave rounds possible: members have 100 staked, or what is left of it.
    function ranged(Kind kind, uint256 value) internal pure returns (uint256) {
        if (kind == Kind.VotingPeriod) return 2 + value % 30;
        if (kind == Kind.Delay) return 1 + value % 8;
        if (kind == Kind.UnlockDelay) return 1 + value % 12;
        if (kind == Kind.MinStake) return 50 + value % 60;
        if (kind == Kind.Pause) return value % 2;
        return value % 4096;
    }

    function callOf(Kind kind, uint256 value) internal view returns (address, bytes memory) {
        if (kind == Kind.VotingPeriod) {
            return (address(consortium), abi.encodeCall(IConsortium.setVotingPeriod, (uint32(value))));
        }
        if (kind == Kind.Delay) return (address(consortium), abi.encodeCall(IConsortium.setDelay, (uint32(value))));
        if (kind == Kind.Pause) return (address(consortium), abi.encodeCall(IConsortium.setPaused, (value == 1)));
        if (kind == Kind.UnlockDelay) {
            return (address(vault), abi.encodeCall(IStakeVault.setUnlockDelay, (uint32(value))));
        }
        if (kind == Kind.MinStake) {
            RoundParameters memory wanted = manager.parameters();
            wanted.minStake = uint96(value);
            return (address(manager), abi.encodeCall(IRoundManager.setParameters, (wanted)));
        }
        return (address(consortium), membership(pick(value % 256), uint8(value >> 8)));
    }

    function membership(address account, uint8 wanted) internal view returns (bytes memory) {
        if (roles[account] == 0) return abi.encodeCall(IConsortium.admit, (account, wanted));
        if (wanted == 0) return abi.encodeCall(IConsortium.remove, (account));
        return abi.encodeCall(IConsortium.changeRoles, (account, wanted));
    }

    function pick(uint256 seed) internal view returns (address) {
        return accounts[seed % accounts.length];
    }

    function note(bool kept, string memory what) internal {
        if (!kept) broken = what;
    }
}
