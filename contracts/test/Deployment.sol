// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audits} from "../src/Audits.sol";
import {Beacon} from "../src/Beacon.sol";
import {Committee} from "../src/Committee.sol";
import {Consortium} from "../src/Consortium.sol";
import {Contributions} from "../src/Contributions.sol";
import {DataRegistry} from "../src/DataRegistry.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {PrivacyLedger} from "../src/PrivacyLedger.sol";
import {Reputation} from "../src/Reputation.sol";
import {Rewards} from "../src/Rewards.sol";
import {RoundManager} from "../src/RoundManager.sol";
import {Selection} from "../src/Selection.sol";
import {Settlement} from "../src/Settlement.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {UtilityToken} from "../src/UtilityToken.sol";
import {Validators} from "../src/Validators.sol";
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
import {EVIDENCE_ROLE, ReputationParameters} from "../src/interfaces/IReputation.sol";
import {PAYER_ROLE, RewardParameters} from "../src/interfaces/IRewards.sol";
import {IRollup} from "../src/interfaces/IRollup.sol";
import {Parts, RoundParameters} from "../src/interfaces/IRoundManager.sol";
import {SelectionParameters} from "../src/interfaces/ISelection.sol";
import {FREEZER_ROLE, SLASHER_ROLE} from "../src/interfaces/IStakeVault.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {ValidatorParameters} from "../src/interfaces/IValidators.sol";
import {vm} from "./Vm.sol";

/// @notice The system with its default cast: 4 hospitals (two of them aggregators and validators as well), 3 operators, and an
/// auditor. The test contract itself plays the contract that may slash.
abstract contract Deployment {
    uint256 internal constant SUPPLY = 8000;
    uint96 internal constant MIN_STAKE = 100;
    uint32 internal constant VOTING_PERIOD = 20;
    uint32 internal constant DELAY = 2;
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
    Reputation internal reputation;
    Selection internal selection;
    Validators internal validators;
    Contributions internal contributions;
    Rewards internal rewards;
    Settlement internal settlement;
    RoundManager internal manager;
    PrivacyLedger internal privacy;

    address[] internal hospitals;
    address[] internal operators;
    address internal auditor;
    address internal outsider = address(0xBAD);
    /// @dev All members, hospitals first, auditor last.
    address[] internal cast;
    /// @dev Who signs with which.
    mapping(address account => uint256) internal keyOf;

    function setUp() public virtual {
        uint8[] memory roles = new uint8[](8);
        uint256[] memory amounts = new uint256[](8);
        for (uint256 i = 0; i < 8; ++i) {
            cast.push(vm.addr(i + 1));
            keyOf[cast[i]] = i + 1;
            amounts[i] = SUPPLY / 8;
            roles[i] = i < 4 ? HOSPITAL : AGGREGATOR | VALIDATOR;
            if (i < 4) hospitals.push(cast[i]);
            else if (i < 7) operators.push(cast[i]);
        }
        (roles[0], roles[1], roles[7]) = (HOSPITAL | AGGREGATOR | VALIDATOR, HOSPITAL | AGGREGATOR | VALIDATOR, AUDITOR);
        auditor = cast[7];

        consortium = new Consortium(cast, roles, VOTING_PERIOD, DELAY);
        token = new UtilityToken(consortium, cast, amounts);
        vault = new StakeVault(consortium, token, UNLOCK_DELAY);
        registry = new ModelRegistry(consortium, content("genesis"));
        data = new DataRegistry(consortium, vault);
        beacon = new Beacon(consortium, vault);
        audits = new Audits(consortium, vault, registry, data, beacon, verifiers(), training());
        committee = new Committee(consortium, vault, data, audits, beacon, releases(), sumVerifiers(), sharing());
        reputation = new Reputation(consortium, evidence());
        selection = new Selection(consortium, vault, reputation, audits, lottery());
        validators = new Validators(consortium, vault, reputation, judging());
        contributions = new Contributions(consortium, committee, validators);
        rewards = new Rewards(consortium, token, paying());
        settlement = new Settlement(
            consortium, reputation, rewards, contributions, selection, validators, audits, beacon, committee, ledger()
        );
        manager = new RoundManager(consortium, parts(), parameters());
        privacy = new PrivacyLedger(consortium);
        consortium.seal(powersAtSealing());
    }

    /// @dev The rollup that rounds are settled through: none.
    function ledger() internal virtual returns (IRollup) {
        return IRollup(address(0));
    }

    function parts() internal view returns (Parts memory) {
        return Parts(vault, registry, beacon, audits, committee, selection, validators, contributions, settlement);
    }

    function powersAtSealing() internal view returns (Power[] memory powers) {
        powers = new Power[](26);
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
        powers[15] = Power(SYSTEM_ROLE, address(reputation));
        powers[16] = Power(SYSTEM_ROLE, address(selection));
        powers[17] = Power(SYSTEM_ROLE, address(validators));
        powers[18] = Power(SYSTEM_ROLE, address(contributions));
        powers[19] = Power(SYSTEM_ROLE, address(rewards));
        powers[20] = Power(SYSTEM_ROLE, address(settlement));
        powers[21] = Power(SLASHER_ROLE, address(validators));
        powers[22] = Power(EVIDENCE_ROLE, address(settlement));
        powers[23] = Power(EVIDENCE_ROLE, address(selection));
        powers[24] = Power(EVIDENCE_ROLE, address(validators));
        powers[25] = Power(PAYER_ROLE, address(settlement));
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

    /// @dev 0.95 a round.
    function evidence() internal virtual returns (ReputationParameters memory) {
        return ReputationParameters(4_080_218_931, 2048, 2000, 1000, 1024, 1024, 2048, 16_384, 1024, 4, 2000);
    }

    function lottery() internal virtual returns (SelectionParameters memory) {
        return SelectionParameters(10, 4, 7);
    }

    /// @dev Room for all validators of the default cast, whatever they stake.
    function judging() internal virtual returns (ValidatorParameters memory) {
        return ValidatorParameters(7, 1, 0, 0);
    }

    function paying() internal virtual returns (RewardParameters memory) {
        return RewardParameters(40, 1);
    }

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

    /// @dev Carries a call through the vote and the time lock, with the least number of votes.
    function govern(address target, bytes memory data) internal {
        uint256 proposalId = enqueue(target, data);
        skip(consortium.delay());
        vm.prank(operators[0]);
        consortium.execute(proposalId);
    }

    /// @dev A proposal that has its majority and waits.
    function enqueue(address target, bytes memory data) internal returns (uint256 proposalId) {
        proposalId = propose(target, data);
        vm.prank(operators[0]);
        consortium.queue(proposalId);
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
        bytes[] memory signatures = new bytes[](1);
        signatures[0] = signed(validator, roundId, content(name));
        vm.prank(operators[1]);
        manager.voteModel(roundId, content(name), signatures);
    }

    /// @dev A vote as EIP-712 has it, made by hand; asks no contract, so that a refusal can be expected before it.
    function signed(address validator, uint256 roundId, Content memory model) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("bfl_ref"),
                keccak256("1"),
                block.chainid,
                address(validators)
            )
        );
        bytes32 vote = keccak256(
            abi.encode(
                keccak256("Vote(uint256 roundId,bytes32 cid,uint8 codec,bytes32 digest)"),
                roundId,
                model.cid,
                model.codec,
                model.digest
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(keyOf[validator], keccak256(abi.encodePacked("\x19\x01", domain, vote)));
        return abi.encodePacked(r, s, v);
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
            if (manager.participationOf(roundId, hospitals[i]).selected) commit(roundId, hospitals[i]);
        }
        for (uint256 i = 0; i < 5; ++i) {
            address member = i < 2 ? hospitals[i] : operators[i - 2];
            if (phase == Phase.Aggregate) submit(roundId, member, "model");
            if (phase == Phase.Finalise && validators.isSeated(roundId, member)) voteFor(roundId, member, "model");
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
