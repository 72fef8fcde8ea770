// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audits} from "../src/Audits.sol";
import {Beacon} from "../src/Beacon.sol";
import {Committee} from "../src/Committee.sol";
import {Consortium} from "../src/Consortium.sol";
import {DataRegistry} from "../src/DataRegistry.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {PrivacyLedger} from "../src/PrivacyLedger.sol";
import {RoundManager} from "../src/RoundManager.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {UtilityToken} from "../src/UtilityToken.sol";
import {TrainingParameters} from "../src/interfaces/IAudits.sol";
import {SharingParameters} from "../src/interfaces/ICommittee.sol";
import {Content} from "../src/interfaces/Content.sol";
import {
    AGGREGATOR,
    AUDITOR,
    HOSPITAL,
    Power,
    ROUNDS_ROLE,
    SYSTEM_ROLE,
    VALIDATOR
} from "../src/interfaces/IConsortium.sol";
import {MODEL_WRITER_ROLE} from "../src/interfaces/IModelRegistry.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {FREEZER_ROLE, SLASHER_ROLE} from "../src/interfaces/IStakeVault.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {vm} from "./Vm.sol";

/// @notice The system with its default cast: 4 hospitals (two of them aggregators and validators as well), 3 operators, and an
/// auditor. The test contract itself plays the contract that may slash.
abstract contract Deployment {
    uint256 internal constant SUPPLY = 8000;
    uint96 internal constant MIN_STAKE = 100;
    uint32 internal constant VOTING_PERIOD = 20;
    uint32 internal constant UNLOCK_DELAY = 30;
    uint24 internal constant PHASE_BLOCKS = 5;

    Consortium internal consortium;
    UtilityToken internal token;
    StakeVault internal vault;
    ModelRegistry internal registry;
    DataRegistry internal data;
    Beacon internal beacon;
    Audits internal audits;
    Committee internal committee;
    RoundManager internal manager;
    PrivacyLedger internal privacy;

    address[] internal hospitals;
    address[] internal operators;
    address internal auditor;
    address internal outsider = address(0xBAD);
    /// @dev All members, hospitals first, auditor last.
    address[] internal cast;

    function setUp() public virtual {
        uint8[] memory roles = new uint8[](8);
        uint256[] memory amounts = new uint256[](8);
        for (uint256 i = 0; i < 8; ++i) {
            cast.push(vm.addr(i + 1));
            amounts[i] = SUPPLY / 8;
            roles[i] = i < 4 ? HOSPITAL : AGGREGATOR | VALIDATOR;
            if (i < 4) hospitals.push(cast[i]);
            else if (i < 7) operators.push(cast[i]);
        }
        (roles[0], roles[1], roles[7]) = (HOSPITAL | AGGREGATOR | VALIDATOR, HOSPITAL | AGGREGATOR | VALIDATOR, AUDITOR);
        auditor = cast[7];

        consortium = new Consortium(cast, roles, VOTING_PERIOD);
        token = new UtilityToken(consortium, cast, amounts);
        vault = new StakeVault(consortium, token, UNLOCK_DELAY);
        registry = new ModelRegistry(consortium, content("genesis"));
        data = new DataRegistry(consortium, vault);
        beacon = new Beacon(consortium, vault);
        audits = new Audits(consortium, vault, registry, data, beacon, verifiers(), training());
        committee = new Committee(consortium, vault, data, audits, beacon, releases(), sumVerifiers(), sharing());
        manager = new RoundManager(consortium, vault, registry, beacon, audits, committee, parameters());
        privacy = new PrivacyLedger(consortium);
        Power[] memory powers = new Power[](15);
        powers[0] = Power(SYSTEM_ROLE, address(token));
        powers[1] = Power(SYSTEM_ROLE, address(vault));
        powers[2] = Power(SYSTEM_ROLE, address(registry));
        powers[3] = Power(SYSTEM_ROLE, address(data));
        powers[4] = Power(SYSTEM_ROLE, address(beacon));
        powers[5] = Power(SYSTEM_ROLE, address(audits));
        powers[6] = Power(SYSTEM_ROLE, address(manager));
        powers[7] = Power(FREEZER_ROLE, address(manager));
        powers[8] = Power(MODEL_WRITER_ROLE, address(manager));
        powers[9] = Power(ROUNDS_ROLE, address(manager));
        powers[10] = Power(SLASHER_ROLE, address(beacon));
        powers[11] = Power(SLASHER_ROLE, address(audits));
        powers[12] = Power(SLASHER_ROLE, address(this));
        powers[13] = Power(SYSTEM_ROLE, address(committee));
        powers[14] = Power(SLASHER_ROLE, address(committee));
        consortium.seal(powers);
    }

    function parameters() internal virtual returns (RoundParameters memory) {
        return RoundParameters(MIN_STAKE, 3, false, false);
    }

    function training() internal virtual returns (TrainingParameters memory) {
        return TrainingParameters(1, 1, 256, 8, 0, 1000, 0, 0, 0);
    }

    function verifiers() internal virtual returns (IStarkVerifier[2] memory none) {}

    function sharing() internal virtual returns (SharingParameters memory) {
        return SharingParameters(5, 3, 7, 0);
    }

    function releases() internal virtual returns (IStarkVerifier[2] memory none) {}

    function sumVerifiers() internal virtual returns (IStarkVerifier[2] memory none) {}

    function content(string memory name) internal pure returns (Content memory) {
        return Content(keccak256(bytes.concat("file", bytes(name))), keccak256(bytes(name)), 0x55);
    }

    function stake(address member, uint96 amount) internal {
        vm.prank(member);
        token.approve(address(vault), amount);
        vm.prank(member);
        vault.lock(amount);
    }

    function stakeAll() internal {
        for (uint256 i = 0; i < 4; ++i) {
            stake(hospitals[i], MIN_STAKE);
        }
    }

    function skip(uint256 blocks_) internal {
        vm.roll(vm.getBlockNumber() + blocks_);
    }

    /// @dev Carries a call through the vote, with the least number of votes.
    function govern(address target, bytes memory data) internal {
        uint256 proposalId = propose(target, data);
        vm.prank(operators[0]);
        consortium.execute(proposalId);
    }

    /// @dev A proposal with a majority of the default cast: 4 of 7 voting members.
    function propose(address target, bytes memory data) internal returns (uint256 proposalId) {
        vm.prank(operators[0]);
        proposalId = consortium.propose(target, data);
        for (uint256 i = 0; i < 3; ++i) {
            address voter = [operators[1], operators[2], hospitals[1]][i];
            vm.prank(voter);
            consortium.vote(proposalId);
        }
    }

    function durations() internal pure virtual returns (uint24[9] memory all) {
        for (uint256 i = 0; i < 9; ++i) {
            all[i] = PHASE_BLOCKS;
        }
    }

    function openRound() internal virtual returns (uint256) {
        vm.prank(operators[0]);
        return manager.open(content("task"), durations());
    }

    function commit(uint256 roundId, address hospital) internal virtual {
        Content memory update = content("update");
        update.digest = keccak256(abi.encode(roundId, hospital));
        vm.prank(hospital);
        manager.commitUpdate(roundId, update, 512);
    }

    function submit(uint256 roundId, address aggregator, string memory name) internal {
        vm.prank(aggregator);
        manager.submitCandidate(roundId, content(name));
    }

    function voteFor(uint256 roundId, address validator, string memory name) internal {
        vm.prank(validator);
        manager.voteModel(roundId, content(name));
    }

    function advance(uint256 roundId) internal {
        vm.prank(operators[0]);
        manager.advance(roundId);
    }

    /// @dev Everybody does their part of the phase that the round is in; Train is waited for.
    function work(uint256 roundId) internal virtual {
        Phase phase = manager.phaseOf(roundId);
        if (phase == Phase.Train) skip(PHASE_BLOCKS + 1);
        for (uint256 i = 0; i < 4 && phase == Phase.Commit; ++i) {
            commit(roundId, hospitals[i]);
        }
        for (uint256 i = 0; i < 5; ++i) {
            address member = i < 2 ? hospitals[i] : operators[i - 2];
            if (phase == Phase.Aggregate) submit(roundId, member, "model");
            if (phase == Phase.Finalise) voteFor(roundId, member, "model");
        }
    }

    /// @dev An honest round up to the beginning of `phase`.
    function reach(Phase phase) internal returns (uint256 roundId) {
        roundId = openRound();
        while (manager.phaseOf(roundId) != phase) {
            work(roundId);
            advance(roundId);
        }
    }
}
