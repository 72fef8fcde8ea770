// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Poseidon2} from "../src/Poseidon2.sol";
import {BabyBear} from "../src/stark/BabyBear.sol";
import {vm} from "./Vm.sol";

/// @notice Known answers, made by bfl_ref/statements/poseidon2.py and bfl_ref/sharing/digest.py, and bounds of elements.
contract Poseidon2Test {
    bytes32 internal constant SHARE = bytes32(uint256(4) << 224);

    function compressed(bytes32 left, bytes32 right, bytes32 expected) internal pure {
        vm.assertEq(Poseidon2.compress(left, right), expected);
    }

    function absorbed(bytes32 start, uint32[] calldata elements) external pure returns (bytes32) {
        return Poseidon2.absorb(start, elements);
    }

    /// @dev The published vector of the permutation (Plonky3, test_default_babybear_poseidon2_width_16), its input added.
    function test_compress_publishedVector_isMet() public pure {
        bytes32 left = 0x35564d4d55b0dfe4478fcda564bb8cd4043d60426842c6a76665cdb707300aff;
        bytes32 permuted = 0x1ec30335056204eb41ac65a462fd8ea2158013596aa9e4b26aa09d3a2193dcc1;
        bytes32 sum = 0;
        for (uint256 shift = 0; shift < 256; shift += 32) {
            uint256 element = ((uint256(left) >> shift) & 0xffffffff) + ((uint256(permuted) >> shift) & 0xffffffff);
            sum |= bytes32((element % BabyBear.P) << shift);
        }
        compressed(left, 0x012dc2160286b6856d300ca22b343e200a349cef4d7055130d8879f06a51f0a1, sum);
    }

    function test_compress_extremes_areMet() public pure {
        compressed(0, 0, 0x45acb8c607ad10682c8c7c9f34afa361157e0af3659ba3866ff58f573ed70fd1);
        bytes32 highest = 0x7800000078000000780000007800000078000000780000007800000078000000;
        compressed(highest, highest, 0x4986b1b3083e022c555a539022e4874d18dba3445733860122d83b9c34ae8a21);
        compressed(
            0x0000000000000001000000020000000300000004000000050000000600000007,
            0x00000008000000090000000a0000000b0000000c0000000d0000000e0000000f,
            0x71a73fe76788eb7c74cf666b29be1dc761a2ab313ce4835966eb36bf68f8abb7
        );
    }

    function test_compress_drawn_areMet() public pure {
        compressed(
            0x71637af24b02eec7521a01f6456524e65d15107d6409c2671b065d6806a9ee18,
            0x2235426068d38fd56d83c8d500a1c0093bf97338628c23130fc5dbe45fa5f90d,
            0x24cae74a0d9086a94f8ddec64b9d5a391add6001738a1318717f96ca44510359
        );
        compressed(
            0x0e4a3ac73826f63561f9cf42245d27f928fe0eae21693c1c565625811e9597fe,
            0x76daec9d3568be7e3960bbd645e7b8023d22389a7775c4ca60eb6e475f1e92fc,
            0x5d3728ed1fc4df126dffbf5a7086db5461dec08b59d632f335fbf9684f47e1ef
        );
        compressed(
            0x54086e5e28ec50eb76acdb1237f299e519d64880656915681339b6b366e4d75b,
            0x498137760dc3ff2c0545e603355efc650448192110fca5d63dc9627237f1d95e,
            0x5569529f0e6fd8210dfa2009340e2f0e73bd3eba6c7c63a528b9c7b727635c32
        );
    }

    /// @dev Digests of shares of 36 and of 72 elements.
    function test_absorb_shares_areMet() public view {
        uint32[] memory elements = new uint32[](40);
        for (uint32 i = 0; i < 40; ++i) {
            elements[i] = i + 1;
        }
        vm.assertEq(this.absorbed(SHARE, elements), 0x72957d70493d2a7c07dadd2b4cb3cca60b0d37d9472b5dbf73990b9c5c42e52b);
        elements = new uint32[](80);
        for (uint256 i = 0; i < 80; ++i) {
            // forge-lint: disable-next-line(unsafe-typecast)
            elements[i] = uint32((i * 123_456_789) % BabyBear.P);
        }
        vm.assertEq(this.absorbed(SHARE, elements), 0x6559f42a03dc9739108028566a6e162c3b2be6a764dd788e6f2550913e8f9026);
    }

    function test_absorb_nothing_isTheStart() public view {
        vm.assertEq(this.absorbed(SHARE, new uint32[](0)), SHARE);
    }

    function test_compress_gas_isBelowItsAim() public view {
        uint256 before = gasleft();
        Poseidon2.compress(SHARE, bytes32(uint256(1)));
        vm.assertLe(before - gasleft(), 60_000, "gas of one compression");
    }

    function testFuzz_compress_anyElements_givesADigestOfItsInput(uint256 left, uint256 right) public pure {
        uint256 mask = 0x3fffffff3fffffff3fffffff3fffffff3fffffff3fffffff3fffffff3fffffff;
        bytes32 digest = Poseidon2.compress(bytes32(left & mask), bytes32(right & mask));
        vm.assertEq(Poseidon2.isDigest(digest), true);
        bytes32 other = Poseidon2.compress(bytes32(left & mask), bytes32((right & mask) ^ 1));
        vm.assertEq(digest == other, false);
    }

    function test_isDigest_elementFromP_isFalse() public pure {
        vm.assertEq(Poseidon2.isDigest(bytes32(uint256(BabyBear.P - 1) << 96)), true);
        for (uint256 shift = 0; shift < 256; shift += 32) {
            vm.assertEq(Poseidon2.isDigest(bytes32(BabyBear.P << shift)), false);
        }
    }
}
