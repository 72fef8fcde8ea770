// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IModelOnChain, ModelInCode, ModelInStorage} from "../bench/ModelOnChain.sol";
import {NaiveRounds} from "../bench/NaiveRounds.sol";
import {Content} from "../src/interfaces/Content.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

/// @notice The contracts that gas is measured against do what they stand for, and packing and CIDs pay. Figures of whole
/// transactions come from the benchmarks; here execution alone is compared.
contract GasTest is Deployment {
    string internal constant CID = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

    function setUp() public override {
        super.setUp();
        stakeAll();
    }

    function bytesOf(uint256 size) internal pure returns (bytes memory model) {
        model = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            model[i] = bytes1(uint8(i % 255) + 1);
        }
    }

    function gasOfAppend(IModelOnChain chain, bytes memory model) internal returns (uint256 used) {
        uint256 before = gasleft();
        chain.append(model);
        used = before - gasleft();
        vm.assertEq(keccak256(chain.read(0)), keccak256(model));
        vm.assertEq(chain.pieces(), 1);
    }

    function test_modelOnChain_anyForm_costsMoreThanItsCid() public {
        bytes memory model = bytesOf(4096);
        uint256 inStorage = gasOfAppend(new ModelInStorage(), model);
        uint256 inCode = gasOfAppend(new ModelInCode(), model);
        Content memory file = content("model");
        vm.prank(address(manager));
        uint256 before = gasleft();
        registry.register(1, file);
        uint256 byCid = before - gasleft();
        vm.assertGe(inCode, 4096 * 200, "200 gas a byte of code");
        vm.assertGe(inStorage, 4096 / 32 * 22_100, "22,100 gas a slot");
        vm.assertLe(5 * byCid, inCode, "by CID");
    }

    function test_modelInCode_limits_holdExactly() public {
        ModelInCode chain = new ModelInCode();
        chain.append(bytesOf(24_575));
        vm.assertEq(chain.read(0).length, 24_575);
        vm.expectRevert(abi.encodeWithSelector(ModelInCode.PieceTooLarge.selector, 24_576, 24_575));
        chain.append(new bytes(24_576));
    }

    function test_commitUpdate_packed_costsLessThanNaive() public {
        NaiveRounds naive = new NaiveRounds();
        uint256[9] memory durations_;
        uint256[6] memory numbers = [uint256(100), 3, 8, 1, 5, 5];
        for (uint256 i = 0; i < 9; ++i) {
            durations_[i] = PHASE_BLOCKS;
        }
        uint256 before = gasleft();
        naive.open(CID, keccak256("task"), durations_, numbers);
        uint256 naiveOpen = before - gasleft();
        before = gasleft();
        uint256 roundId = openRound();
        uint256 packedOpen = before - gasleft();
        // the naive round has no committee to draw and to freeze; drawn again it costs a little less, all being read already
        vm.prank(address(manager));
        before = gasleft();
        address[] memory seated = validators.seat(roundId + 1);
        uint256 drawing = before - gasleft();
        vm.prank(address(manager));
        before = gasleft();
        vault.freeze(seated);
        packedOpen -= drawing + before - gasleft();
        vm.assertLe(4 * packedOpen, 3 * naiveOpen, "open, checks and event included");

        while (manager.phaseOf(roundId) != Phase.Commit) {
            work(roundId);
            advance(roundId);
        }
        before = gasleft();
        naive.commitUpdate(roundId, CID, keccak256("update"), 512);
        uint256 naiveCommit = before - gasleft();
        before = gasleft();
        commit(roundId, hospitals[0]);
        vm.assertLe(before - gasleft(), naiveCommit, "commit, checks and event included");
    }
}
