// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleMultiproof} from "../../src/stark/MerkleMultiproof.sol";

/// @dev A whole tree of 32 leaves, hashed by the definition, against which the multiproof is checked.
contract MerkleMultiproofTest {
    uint256 private constant DEPTH = 5;
    uint256 private constant LEAVES = 32;

    function _digest(bytes memory message) private pure returns (bytes26) {
        return bytes26(keccak256(message));
    }

    /// @dev nodes[1] is the root, nodes[2 i], nodes[2 i + 1] the children of nodes[i].
    function _tree(bytes memory elements, bytes memory salts) private pure returns (bytes26[] memory nodes) {
        nodes = new bytes26[](2 * LEAVES);
        for (uint256 i = 0; i < LEAVES; ++i) {
            bytes memory message = new bytes(25); // 0x00, two elements, salt
            for (uint256 k = 0; k < 8; ++k) {
                message[1 + k] = elements[8 * i + k];
            }
            for (uint256 k = 0; k < 16; ++k) {
                message[9 + k] = salts[16 * i + k];
            }
            nodes[LEAVES + i] = _digest(message);
        }
        for (uint256 i = LEAVES - 1; i > 0; --i) {
            nodes[i] = _digest(abi.encodePacked(uint8(1), nodes[2 * i], nodes[2 * i + 1]));
        }
    }

    /// @dev Random bytes.
    function _noise(uint256 seed, uint256 length) private pure returns (bytes memory noise) {
        while (noise.length < length) {
            noise = abi.encodePacked(noise, keccak256(abi.encode(seed, noise.length)));
        }
        assembly {
            mstore(noise, length)
        }
    }

    /// @dev Opens the leaves whose bit is set in `chosen`.
    function _open(uint256 seed, uint32 chosen)
        private
        pure
        returns (uint256[] memory indices, bytes memory opened, bytes memory salts, bytes memory nodes, bytes26 root)
    {
        bytes memory allElements = _noise(seed, 8 * LEAVES);
        bytes memory allSalts = _noise(seed + 1, 16 * LEAVES);
        bytes26[] memory tree = _tree(allElements, allSalts);
        root = tree[1];
        bool[] memory known = new bool[](2 * LEAVES);
        indices = new uint256[](LEAVES);
        uint256 count = 0;
        for (uint256 i = 0; i < LEAVES; ++i) {
            if ((chosen >> i) & 1 == 0) continue;
            indices[count++] = i;
            known[LEAVES + i] = true;
            for (uint256 k = 0; k < 8; ++k) {
                opened = abi.encodePacked(opened, allElements[8 * i + k]);
            }
            for (uint256 k = 0; k < 16; ++k) {
                salts = abi.encodePacked(salts, allSalts[16 * i + k]);
            }
        }
        assembly {
            mstore(indices, count)
        }
        for (uint256 level = LEAVES; level > 1; level /= 2) {
            for (uint256 i = level; i < 2 * level; ++i) {
                if (!known[i]) continue;
                known[i / 2] = true;
                if (!known[i ^ 1]) nodes = abi.encodePacked(nodes, tree[i ^ 1]);
            }
        }
    }

    function check(
        uint256[] memory indices,
        bytes calldata opened,
        bytes calldata salts,
        bytes calldata nodes,
        uint256 count,
        bytes26 root
    ) external pure returns (bool) {
        uint256 elementsAt;
        uint256 saltsAt;
        uint256 nodesAt;
        assembly {
            elementsAt := opened.offset
            saltsAt := salts.offset
            nodesAt := nodes.offset
        }
        uint256[] memory known = MerkleMultiproof.hashLeaves(indices, elementsAt, 8, saltsAt, 16);
        return MerkleMultiproof.leadsToRoot(known, DEPTH, nodesAt, count, uint256(bytes32(root)));
    }

    function testFuzz_leadsToRoot_anySetOfLeaves_holdsForTheWholeTreesRoot(uint256 seed, uint32 chosen) external view {
        if (chosen == 0) chosen = 1;
        seed >>= 1;
        (uint256[] memory indices, bytes memory opened, bytes memory salts, bytes memory nodes, bytes26 root) =
            _open(seed, chosen);
        uint256 count = nodes.length / 26;
        assert(this.check(indices, opened, salts, nodes, count, root));
        assert(!this.check(indices, opened, salts, abi.encodePacked(nodes, bytes26(0)), count + 1, root));
        assert(!this.check(indices, opened, salts, nodes, count, root ^ bytes26(uint208(1))));
        if (count > 0) {
            assert(!this.check(indices, opened, salts, nodes, count - 1, root));
            nodes[seed % nodes.length] ^= 0x01;
            assert(!this.check(indices, opened, salts, nodes, count, root));
            nodes[seed % nodes.length] ^= 0x01;
        }
        opened[seed % opened.length] ^= 0x80;
        assert(!this.check(indices, opened, salts, nodes, count, root));
        opened[seed % opened.length] ^= 0x80;
        salts[seed % salts.length] ^= 0x80;
        assert(!this.check(indices, opened, salts, nodes, count, root));
    }
}
