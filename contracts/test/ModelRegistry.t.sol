// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "../src/ModelRegistry.sol";
import {Content, InvalidContent} from "../src/interfaces/Content.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IModelRegistry, MODEL_WRITER_ROLE, Model} from "../src/interfaces/IModelRegistry.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

contract ModelRegistryTest is Deployment {
    function register(uint64 roundId, string memory name) internal {
        vm.prank(address(manager));
        registry.register(roundId, content(name));
    }

    function expectInvalid(Content memory bad) internal {
        vm.expectRevert(abi.encodeWithSelector(InvalidContent.selector, bad.cid, bad.digest, bad.codec));
        new ModelRegistry(consortium, bad);
    }

    function test_genesis_atDeployment_isVersionZero() public view {
        Model memory model = registry.current();
        vm.assertEq(registry.versions(), 1);
        vm.assertEq(model.roundId, 0);
        vm.assertEq(model.cid, content("genesis").cid);
        vm.assertEq(model.digest, content("genesis").digest);
        vm.assertEq(model.codec, 0x55);
    }

    function test_content_anyFieldWrong_reverts() public {
        Content memory good = content("genesis");
        expectInvalid(Content(0, good.digest, 0x55));
        expectInvalid(Content(good.cid, 0, 0x55));
        expectInvalid(Content(good.cid, good.digest, 0x71));
        new ModelRegistry(consortium, Content(good.cid, good.digest, 0x70));
    }

    function test_register_byWriter_appendsAndEmits() public {
        Content memory next = content("next");
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(1, 4, next.digest, next.cid, next.codec);
        register(4, "next");
        vm.assertEq(registry.current().digest, next.digest);
        vm.assertEq(registry.current().roundId, 4);
        vm.assertEq(registry.current().blockNumber, vm.getBlockNumber());
        vm.assertEq(registry.modelAt(0).digest, content("genesis").digest);
    }

    function test_register_withoutPower_reverts() public {
        address[3] memory callers = [outsider, operators[0], address(consortium)];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingPower.selector, callers[i], MODEL_WRITER_ROLE));
            vm.prank(callers[i]);
            registry.register(1, content("next"));
        }
    }

    function test_register_roundTwice_reverts() public {
        register(4, "next");
        for (uint64 roundId = 3; roundId <= 4; ++roundId) {
            vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RoundNotAfter.selector, roundId, 4));
            register(roundId, "other");
        }
    }

    function test_modelAt_unknown_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownVersion.selector, 1, 1));
        registry.modelAt(1);
    }
}
