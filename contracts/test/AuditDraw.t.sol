// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AuditDraw} from "../src/AuditDraw.sol";
import {StateTree} from "../src/StateTree.sol";
import {vm} from "./Vm.sol";

/// @notice The draw is fair and without replacement; a path through the state tree leads from one place only.
contract AuditDrawTest {
    function draw(bytes32 seed, uint256 n, uint256 k) external pure returns (uint256[] memory) {
        return AuditDraw.draw(seed, n, k);
    }

    function rootAndPath(bytes32[] calldata states, uint256 index) external view returns (bytes32, bytes32[] memory) {
        return StateTree.rootAndPath(place(), states, index);
    }

    function leads(bytes32 root, bytes32 state, uint256 index, uint256 count, bytes32[] calldata path)
        external
        view
        returns (bool)
    {
        return StateTree.leadsTo(root, StateTree.leaf(place(), index, state), index, count, path);
    }

    function place() internal view returns (StateTree.Place memory) {
        return StateTree.Place(address(this), 1, address(0xCAFE));
    }

    function testFuzz_draw_anySeed_isDistinctAndInRange(bytes32 seed, uint16 n, uint16 k) public view {
        uint256 count = uint256(n) % 2000;
        uint256[] memory drawn = this.draw(seed, count, uint256(k) % (count + 1));
        bool[] memory seen = new bool[](count);
        for (uint256 i = 0; i < drawn.length; ++i) {
            vm.assertTrue(!seen[drawn[i]], "drawn twice");
            seen[drawn[i]] = true;
        }
        vm.assertEq(drawn.length, uint256(k) % (count + 1));
    }

    function test_draw_moreThanThereAre_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(AuditDraw.TooFewToDraw.selector, 3, 4));
        this.draw(0, 3, 4);
    }

    /// @dev Each of the 20 sets of 3 of 6, over 4000 seeds: chi-square with 19 degrees of freedom, below its 99.9% point, 43.8.
    function test_draw_manySeeds_everySetEquallyLikely() public view {
        uint256[64] memory counts;
        for (uint256 seed = 0; seed < 4000; ++seed) {
            uint256[] memory drawn = this.draw(keccak256(abi.encode(seed)), 6, 3);
            ++counts[(1 << drawn[0]) | (1 << drawn[1]) | (1 << drawn[2])];
        }
        uint256 squares = 0;
        uint256 sets = 0;
        for (uint256 i = 0; i < 64; ++i) {
            if (counts[i] == 0) continue;
            ++sets;
            squares += (counts[i] > 200 ? counts[i] - 200 : 200 - counts[i]) ** 2;
        }
        vm.assertEq(sets, 20);
        vm.assertLe(squares, 200 * 43, "chi-square");
    }

    /// @dev For any number of states and any of them; one place further, one node less or another state leads nowhere.
    function testFuzz_path_anyState_leadsToTheRoot(uint256 seed, uint8 size, uint8 which) public view {
        uint256 count = 1 + uint256(size) % 70;
        uint256 index = which % count;
        bytes32[] memory states = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            states[i] = keccak256(abi.encode(seed, i));
        }
        (bytes32 root, bytes32[] memory path) = this.rootAndPath(states, index);
        (bytes32 same,) = this.rootAndPath(states, 0);
        vm.assertEq(root, same);
        vm.assertTrue(this.leads(root, states[index], index, count, path), "honest");
        vm.assertTrue(!this.leads(root, bytes32(seed), index, count, path), "another state");
        vm.assertTrue(!this.leads(root, states[index], index + 1, count + 1, path), "another place");
        vm.assertTrue(!this.leads(root, states[index], index + count, count, path), "beyond the end");
        bytes32[] memory longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
        vm.assertTrue(!this.leads(root, states[index], index, count, longer), "a node left over");
        if (path.length == 0) return;
        path[seed % path.length] ^= bytes32(uint256(1));
        vm.assertTrue(!this.leads(root, states[index], index, count, path), "another node");
    }
}
