// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Content, InvalidContent} from "../src/interfaces/Content.sol";
import {HOSPITAL, IConsortium} from "../src/interfaces/IConsortium.sol";
import {IDataRegistry} from "../src/interfaces/IDataRegistry.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {Phase} from "../src/interfaces/IPhases.sol";
import {Deployment} from "./Deployment.sol";
import {vm} from "./Vm.sol";

contract DataRegistryTest is Deployment {
    bytes32 internal constant SEED = bytes32(uint256(77));
    address internal hospital;

    function setUp() public override {
        super.setUp();
        hospital = hospitals[0];
    }

    function list(uint256 count) internal pure returns (bytes32[] memory segments) {
        segments = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            segments[i] = bytes32(1000 + i);
        }
    }

    function register(uint256 count, uint32 rows) internal {
        vm.prank(hospital);
        data.register(list(count), rows, SEED, content("leaves"));
    }

    function shrink(uint256 count, uint32 rows) internal {
        vm.prank(hospital);
        data.shrink(list(count), rows, content("fewer leaves"));
    }

    function test_register_byHospital_keepsAndEmits() public {
        Content memory leaves = content("leaves");
        vm.expectEmit(address(data));
        emit IDataRegistry.DataRegistered(hospital, 1025, SEED, list(3), leaves.cid, leaves.digest, 0x55);
        register(3, 1025);
        vm.assertEq(data.rowsOf(hospital), 1025);
        vm.assertEq(data.segmentsOf(hospital).length, 3);
        vm.assertEq(data.segmentOf(hospital, 2), bytes32(uint256(1002)));
        vm.assertEq(data.seedCommitmentOf(hospital), SEED);
        vm.assertEq(data.version(), 1);
        vm.assertEq(data.versionOf(hospital), 1);
        vm.assertEq(data.rowsOf(hospitals[1]), 0);
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.UnknownSegment.selector, hospital, 3, 3));
        data.segmentOf(hospital, 3);
    }

    function test_register_twice_reverts() public {
        register(1, 512);
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.AlreadyRegistered.selector, hospital));
        register(1, 511);
    }

    function test_register_notAHospital_reverts() public {
        hospital = outsider;
        vm.expectRevert(abi.encodeWithSelector(IConsortium.NotMember.selector, outsider));
        register(1, 512);
        hospital = operators[0];
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, operators[0], HOSPITAL));
        register(1, 512);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.MissingRole.selector, operators[0], HOSPITAL));
        shrink(1, 511);
    }

    function test_register_anotherNumberOfSegments_reverts() public {
        for (uint256 got = 1; got < 4; got += 2) {
            vm.expectRevert(abi.encodeWithSelector(IDataRegistry.WrongSegmentCount.selector, 2, got));
            register(got, 513);
        }
    }

    function test_register_rowsOutOfBounds_reverts() public {
        for (uint32 rows = 0; rows <= 131_073; rows += 131_073) {
            vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("rows"), rows, 1, 131_072));
            register(1, rows);
        }
    }

    function test_register_mostSegments_fitATransaction() public {
        uint256 before = gasleft();
        register(256, 131_072);
        vm.assertLe(before - gasleft(), 10_000_000, "gas");
    }

    function test_register_elementNotBelowP_reverts() public {
        for (uint256 i = 0; i < 8; ++i) {
            bytes32[] memory segments = list(2);
            segments[1] = bytes32((2 ** 31 - 2 ** 27 + 1) << (32 * i));
            bytes memory reason = abi.encodeWithSelector(IDataRegistry.NonCanonicalDigest.selector, segments[1]);
            vm.expectRevert(reason);
            vm.prank(hospital);
            data.register(segments, 513, SEED, content("leaves"));
            vm.expectRevert(reason);
            vm.prank(hospital);
            data.register(list(1), 512, segments[1], content("leaves"));
        }
        vm.prank(hospital);
        data.register(list(1), 512, bytes32(uint256((2 ** 31 - 2 ** 27) << 224)), content("leaves"));
    }

    function test_register_invalidLeaves_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(InvalidContent.selector, 0, 0, 0));
        vm.prank(hospital);
        data.register(list(1), 512, SEED, Content(0, 0, 0));
    }

    function test_shrink_fewerRows_replacesAndEmits() public {
        register(3, 1025);
        Content memory leaves = content("fewer leaves");
        vm.expectEmit(address(data));
        emit IDataRegistry.RowsLeft(hospital, 1025, 1024, list(2), leaves.cid, leaves.digest, 0x55);
        shrink(2, 1024);
        vm.assertEq(data.rowsOf(hospital), 1024);
        vm.assertEq(data.segmentsOf(hospital).length, 2);
        vm.assertEq(data.seedCommitmentOf(hospital), SEED);
        vm.assertEq(data.versionOf(hospital), 2);
    }

    function test_shrink_notFewerRows_reverts() public {
        register(2, 1000);
        for (uint32 rows = 1000; rows < 1002; ++rows) {
            vm.expectRevert(abi.encodeWithSelector(IDataRegistry.RowsMayOnlyLeave.selector, 1000, rows));
            shrink(2, rows);
        }
        vm.expectRevert(abi.encodeWithSelector(IConsortium.OutOfRange.selector, bytes32("rows"), 0, 1, 131_072));
        shrink(0, 0);
    }

    function test_shrink_notRegistered_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.NotRegistered.selector, hospital));
        shrink(1, 5);
    }

    function test_data_whileTraining_standStill() public {
        stakeAll();
        register(2, 1000);
        reach(Phase.Train);
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.DataFrozen.selector, hospital));
        shrink(1, 500);
        hospital = hospitals[2]; // not registered yet
        vm.expectRevert(abi.encodeWithSelector(IDataRegistry.DataFrozen.selector, hospital));
        register(1, 500);
    }

    /// @dev Segments differ by one row at most, and together hold all.
    function testFuzz_segmentRows_anyData_addUp(uint32 rows) public view {
        rows = 1 + rows % 131_072;
        uint256 count = (uint256(rows) + 511) / 512;
        uint256 sum = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint256 here = data.segmentRows(rows, count, i);
            vm.assertTrue(here == rows / count || here == rows / count + 1, "even");
            vm.assertLe(here, 512, "full");
            sum += here;
        }
        vm.assertEq(sum, rows);
    }
}
