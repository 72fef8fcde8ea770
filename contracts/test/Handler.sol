// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Consortium} from "../src/Consortium.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {RoundManager} from "../src/RoundManager.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {UtilityToken} from "../src/UtilityToken.sol";
import {Content} from "../src/interfaces/Content.sol";
import {AGGREGATOR, HOSPITAL, IConsortium, VALIDATOR, VOTING_ROLES} from "../src/interfaces/IConsortium.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {vm} from "./Vm.sol";

/// @notice Calls the system as its members would, in any order and with any arguments, and keeps by itself the books that the
/// invariants are held against. A call that the contracts refuse changes nothing.
contract Handler {
    Consortium internal immutable consortium;
    UtilityToken internal immutable token;
    StakeVault internal immutable vault;
    ModelRegistry internal immutable registry;
    RoundManager internal immutable manager;

    /// @dev Members at genesis and two newcomers; who is a member at the time is up to the votes. Their keys are 1, 2, ..
    address[] internal accounts;

    /// @dev First block in which an account may take out stake, by the handler's own count from its last request.
    mapping(address account => uint256) internal earliest;
    /// @dev Votes seen for a digest in a round, by validators of its opening.
    mapping(uint256 roundId => mapping(bytes32 digest => uint256)) internal votes;
    uint256 internal openValidators;

    /// @notice What went wrong; empty while the contracts keep their word.
    string public broken;
    /// @notice How often each kind of event came about, so that a run that never gets anywhere can be told.
    uint256 public finalised;
    uint256 public withdrawals;
    uint256 public removals;

    constructor(
        Consortium consortium_,
        UtilityToken token_,
        StakeVault vault_,
        ModelRegistry registry_,
        RoundManager manager_,
        address[] memory accounts_
    ) {
        (consortium, token, vault, registry, manager) = (consortium_, token_, vault_, registry_, manager_);
        accounts = accounts_;
    }

    // ------------------------------------------------------------------ actions

    function passBlocks(uint8 blocks_) external {
        vm.roll(vm.getBlockNumber() + (blocks_ % 12));
    }

    function lock(uint256 who, uint96 amount) external {
        address account = pick(who);
        vm.prank(account);
        try token.approve(address(vault), amount % 300) {} catch {}
        vm.prank(account);
        try vault.lock(amount % 300) {
            note(consortium.rolesOf(account) != 0, "a non-member staked");
        } catch {}
    }

    function requestUnlock(uint256 who, uint96 amount) external {
        address account = pick(who);
        vm.prank(account);
        try vault.requestUnlock(1 + amount % 60) {
            earliest[account] = vm.getBlockNumber() + vault.unlockDelay();
            note(consortium.rolesOf(account) != 0, "a non-member unlocked");
        } catch {}
    }

    /// @dev Everybody tries.
    function withdraw() external {
        for (uint256 i = 0; i < accounts.length; ++i) {
            address account = accounts[i];
            bool frozen = vault.stakeOf(account).freezes != 0;
            vm.prank(account);
            try vault.withdraw() {
                ++withdrawals;
                note(vm.getBlockNumber() >= earliest[account], "stake left before its delay");
                note(!frozen && !selectedInOpenRound(account), "frozen stake left");
                note(consortium.rolesOf(account) != 0, "a non-member withdrew");
            } catch {}
        }
    }

    function slash(uint256 who, uint96 amount) external {
        try vault.slash(pick(who), amount % 200, "handler") {} catch {}
    }

    function spend(uint256 who, uint96 amount) external {
        vm.prank(address(consortium));
        try vault.spendTreasury(pick(who), amount % 200) {} catch {}
    }

    function transfer(uint256 from, uint256 to, uint96 amount) external {
        address account = pick(from);
        vm.prank(account);
        try token.transfer(pick(to), amount % 300) {
            note(consortium.rolesOf(account) != 0, "a non-member moved tokens");
        } catch {}
    }

    /// @dev A proposal and votes by whomever; executed if it may be. Roles 0 stands for a removal.
    function vote(uint256 who, uint8 roles, uint256 proposer, uint256 mask) external {
        address account = pick(who);
        bytes memory data = abi.encodeCall(IConsortium.admit, (account, roles % 16));
        if (consortium.rolesOf(account) != 0) {
            data = roles % 16 == 0
                ? abi.encodeCall(IConsortium.remove, (account))
                : abi.encodeCall(IConsortium.changeRoles, (account, roles % 16));
        }
        address mover = pick(proposer);
        vm.prank(mover);
        try consortium.propose(address(consortium), data) returns (uint256 proposalId) {
            note(consortium.rolesOf(mover) & VOTING_ROLES != 0, "without a vote, and proposed");
            uint256 cast = 1;
            for (uint256 i = 0; i < accounts.length; ++i) {
                if (mask & (0x10001 << i) == 0) continue; // three of four vote, so that most proposals pass
                vm.prank(accounts[i]);
                try consortium.vote(proposalId) {
                    note(consortium.rolesOf(accounts[i]) & VOTING_ROLES != 0, "without a vote, and voted");
                    ++cast;
                } catch {}
            }
            bool majority = cast * 2 > consortium.voters();
            bool member = consortium.rolesOf(account) != 0;
            vm.prank(mover);
            try consortium.execute(proposalId) {
                note(majority, "executed without a majority");
                if (member && roles % 16 == 0) ++removals;
            } catch {}
        } catch {}
    }

    function open(uint256 who) external {
        uint24[9] memory durations;
        for (uint256 i = 0; i < 9; ++i) {
            durations[i] = uint24(3 + i);
        }
        vm.prank(pick(who));
        try manager.open(content(0), durations) {
            openValidators = manager.roundOf(manager.currentRound()).validators;
        } catch {}
    }

    function commitUpdate(uint256 who, uint8 name) external {
        address account = pick(who);
        bool may = consortium.rolesOf(account) & HOSPITAL != 0;
        uint256 roundId = manager.currentRound();
        vm.prank(account);
        try manager.commitUpdate(roundId, content(1000 * roundId + name), 1) {
            note(may, "committed without the role");
        } catch {}
    }

    function submitCandidate(uint256 who, uint8 name) external {
        address account = pick(who);
        bool may = consortium.rolesOf(account) & AGGREGATOR != 0;
        uint256 roundId = manager.currentRound();
        vm.prank(account);
        try manager.submitCandidate(roundId, content(name % 2)) {
            note(may, "submitted without the role");
        } catch {}
    }

    function voteModel(uint256 who, uint8 name) external {
        address account = pick(who);
        uint256 roundId = manager.currentRound();
        bool may = consortium.rolesOf(account) & VALIDATOR != 0 && manager.validators().isSeated(roundId, account);
        uint256 versions = registry.versions();
        Content memory model = content(name % 2);
        bytes[] memory signatures = new bytes[](1);
        bytes32 digest = manager.validators().voteDigest(roundId, model);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(1 + who % accounts.length, digest);
        signatures[0] = abi.encodePacked(r, s, v);
        vm.prank(accounts[firstVoter()]);
        try manager.voteModel(roundId, model, signatures) {
            note(may, "voted without the role or a seat");
            ++votes[roundId][model.digest];
            if (registry.versions() > versions) {
                ++finalised;
                note(3 * votes[roundId][model.digest] >= 2 * openValidators, "in force below two thirds");
                note(registry.current().digest == model.digest, "another model in force");
            }
        } catch {}
    }

    function advance(uint256 who) external {
        address account = pick(who);
        uint256 roundId = manager.currentRound();
        Phase from = manager.phaseOf(roundId);
        uint32 deadline = manager.deadlineOf(roundId);
        vm.prank(account);
        try manager.advance(roundId) {
            Phase to = manager.phaseOf(roundId);
            note(uint8(to) == uint8(from) + 1 || to == Phase.Aborted, "a phase was skipped");
            note(from != Phase.Train || vm.getBlockNumber() > deadline, "training was cut short");
            note(consortium.rolesOf(account) & VOTING_ROLES != 0, "advanced without a vote");
        } catch {
            bool open_ = from != Phase.Idle && from < Phase.Finalised;
            bool votes_ = consortium.rolesOf(account) & VOTING_ROLES != 0;
            note(!open_ || !votes_ || vm.getBlockNumber() <= deadline, "stalled after its deadline");
        }
    }

    /// @dev Some phases of an honest round with one silent account, so that the far phases are reached often.
    function work(uint8 silent, uint8 phases) external {
        uint256 roundId = manager.currentRound();
        for (uint256 phase = 0; phase <= phases % 9; ++phase) {
            for (uint256 i = 0; i < accounts.length; ++i) {
                if (i == silent % (2 * accounts.length)) continue;
                this.commitUpdate(i, uint8(i));
                this.submitCandidate(i, 0);
                this.voteModel(i, 0);
            }
            if (vm.getBlockNumber() <= manager.deadlineOf(roundId)) vm.roll(manager.deadlineOf(roundId) + 1);
            this.advance(firstVoter());
        }
    }

    // ------------------------------------------------------------------ reads

    function accountAt(uint256 i) external view returns (address) {
        return accounts[i];
    }

    function selectedInOpenRound(address account) public view returns (bool) {
        uint256 roundId = manager.currentRound();
        Phase phase = manager.phaseOf(roundId);
        return phase > Phase.Select && phase < Phase.Finalised && manager.participationOf(roundId, account).selected;
    }

    /// @notice Roles of the account in the open round: as a hospital once it is selected, as a validator from the opening on.
    function undertakings(address account) external view returns (uint256) {
        uint256 roundId = manager.currentRound();
        Phase phase = manager.phaseOf(roundId);
        bool seated = phase != Phase.Idle && phase < Phase.Finalised && manager.validators().isSeated(roundId, account);
        return (seated ? 1 : 0) + (selectedInOpenRound(account) ? 1 : 0);
    }

    function firstVoter() internal view returns (uint256 i) {
        while (consortium.rolesOf(accounts[i]) & VOTING_ROLES == 0) ++i;
    }

    function pick(uint256 seed) internal view returns (address) {
        return accounts[seed % accounts.length];
    }

    function content(uint256 name) internal pure returns (Content memory) {
        return Content(keccak256(abi.encode("file", name)), keccak256(abi.encode(name)), 0x55);
    }

    function note(bool kept, string memory what) internal {
        if (!kept) broken = what;
    }
}
