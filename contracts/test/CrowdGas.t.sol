// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Audits} from "../src/Audits.sol";
import {Beacon} from "../src/Beacon.sol";
import {DataRegistry} from "../src/DataRegistry.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {Reputation} from "../src/Reputation.sol";
import {Selection} from "../src/Selection.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {UtilityToken} from "../src/UtilityToken.sol";
import {Validators} from "../src/Validators.sol";
import {Content} from "../src/interfaces/Content.sol";
import {TrainingParameters} from "../src/interfaces/IAudits.sol";
import {IConsortium} from "../src/interfaces/IConsortium.sol";
import {ReputationParameters} from "../src/interfaces/IReputation.sol";
import {SelectionParameters} from "../src/interfaces/ISelection.sol";
import {IStarkVerifier} from "../src/interfaces/IStarkVerifier.sol";
import {ValidatorParameters} from "../src/interfaces/IValidators.sol";
import {Crowd} from "./Crowd.sol";
import {StubVerifier} from "./StubVerifier.sol";
import {vm} from "./Vm.sol";

/// @notice What drawing from 500 members costs, each of them a hospital and a validator with stake and data: below 9,200,000 gas,
/// where a transaction takes 16,777,216 (EIP-7825), so that what else a phase does fits beside it.
contract CrowdGasTest {
    uint256 internal constant MEMBERS = 500;
    uint256 internal constant MOST = 9_200_000;

    address[] internal all;
    Reputation internal reputation;
    Selection internal selection;
    Validators internal validators;

    function setUp() public virtual {
        IConsortium crowd = IConsortium(address(new Crowd(MEMBERS, 7)));
        all = crowd.members();
        uint256[] memory amounts = new uint256[](MEMBERS);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            amounts[i] = 1000;
        }
        UtilityToken token = new UtilityToken(crowd, all, amounts);
        StakeVault vault = new StakeVault(crowd, token, 1);
        Content memory file = Content(keccak256("file"), keccak256("digest"), 0x55);
        ModelRegistry registry = new ModelRegistry(crowd, file);
        DataRegistry data = new DataRegistry(crowd, vault);
        IStarkVerifier[2] memory verifiers;
        verifiers[0] = new StubVerifier();
        TrainingParameters memory training = TrainingParameters(1, 1, 256, 8, 0, 1000, 0, 0, 0);
        Audits audits = new Audits(crowd, vault, registry, data, new Beacon(crowd, vault), verifiers, training);
        reputation = new Reputation(
            crowd, ReputationParameters(4_080_218_931, 2048, 2000, 1000, 1024, 1024, 2048, 16_384, 1024, 4, 2000)
        );
        selection = new Selection(crowd, vault, reputation, audits, SelectionParameters(10, 4, 7));
        validators = new Validators(crowd, vault, reputation, ValidatorParameters(5, 1, 50, 5));
        bytes32[] memory segments = new bytes32[](1);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            vm.prank(all[i]);
            token.approve(address(vault), 200);
            vm.prank(all[i]);
            vault.lock(uint96(100 + i % 100));
            vm.prank(all[i]);
            data.register(segments, 5, 0, file);
        }
        audits.begin(1);
        audits.begin(200);
    }

    function drawsOf(uint256 roundId) internal {
        uint256 before = gasleft();
        address[] memory selected = selection.select(roundId, uint32(MEMBERS), 100, keccak256(abi.encode(roundId)));
        vm.assertLe(before - gasleft(), MOST, "select");
        vm.assertEq(selected.length, 10);
        before = gasleft();
        address[] memory committee = validators.seat(roundId);
        vm.assertLe(before - gasleft(), MOST, "seat");
        vm.assertEq(committee.length, 5);
    }

    function test_draws_from500_fitATransaction() public virtual {
        drawsOf(1);
    }
}

/// @notice How many a lottery takes and notes at most.
contract CrowdLimitsTest is CrowdGasTest {
    /// @dev Without a seed the first 128; and the first 16 begin to wait, then the next.
    function test_select_withoutSeed_takesTheFirst128() public {
        address[] memory selected = selection.select(1, uint32(MEMBERS), 100, 0);
        vm.assertEq(selected.length, 128);
        vm.assertEq(selected[127], all[127]);
        vm.assertEq(reputation.standingOf(all[15]).since, 1);
        vm.assertEq(reputation.standingOf(all[16]).since, 0);
        vm.assertEq(reputation.standingOf(all[16]).selected, 1);
        selection.select(200, uint32(MEMBERS), 100, keccak256("r1"));
        vm.assertEq(reputation.standingOf(all[31]).since, 200);
        vm.assertEq(reputation.standingOf(all[32]).since, 0);
    }
}

/// @notice The same once everybody has evidence of its own age and stood in a lottery.
contract SeasonedCrowdGasTest is CrowdGasTest {
    function setUp() public override {
        super.setUp();
        reputation.noteSelection(1, new address[](0), all);
        for (uint256 i = 0; i < MEMBERS; ++i) {
            reputation.record(2 + i % 190, all[i], 5000, 300);
        }
    }

    function test_draws_from500_fitATransaction() public override {
        drawsOf(200);
    }

    /// @dev Operators are read one by one once a vote has named any.
    function test_seat_withOperators_fitsATransaction() public {
        vm.prank(address(reputation.consortium()));
        validators.setOperator(all[0], all[1]);
        uint256 before = gasleft();
        vm.assertEq(validators.seat(200).length, 5);
        vm.assertLe(before - gasleft(), MOST, "seat");
    }
}
