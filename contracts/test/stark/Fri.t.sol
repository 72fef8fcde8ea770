// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear} from "../../src/stark/BabyBear.sol";
import {Deep} from "../../src/stark/Deep.sol";
import {Fri} from "../../src/stark/Fri.sol";
import {ProofLayout} from "../../src/stark/ProofLayout.sol";
import {Quintic} from "../../src/stark/Quintic.sol";
import {QuinticPlain} from "./QuinticPlain.sol";

contract FriTest {
    uint256 private constant P = BabyBear.P;
    uint256 private constant LOG_LENGTH = 9;

    /// @dev Bytes of an element as a proof carries it.
    function _bytes(uint256 a) private pure returns (bytes memory) {
        uint256[5] memory c = QuinticPlain.slots(a);
        return abi.encodePacked(uint32(c[0]), uint32(c[1]), uint32(c[2]), uint32(c[3]), uint32(c[4]));
    }

    /// @dev sum_k c_k x^k by Horner.
    function _evaluate(uint256[] memory c, uint256 x) private pure returns (uint256 value) {
        for (uint256 k = c.length; k > 0; --k) {
            value = QuinticPlain.mul(value, x) + c[k - 1];
        }
        return QuinticPlain.pack(QuinticPlain.slots(value));
    }

    function _random(uint256 seed, uint256 count) private pure returns (uint256[] memory c) {
        c = new uint256[](count);
        for (uint256 k = 0; k < count; ++k) {
            c[k] = QuinticPlain.random(uint256(keccak256(abi.encode(seed, k))), P);
        }
    }

    function fold(bytes calldata leaf, uint256 index, uint256 logFold, uint256 beta) external pure returns (uint256) {
        uint256 offset;
        assembly {
            offset := leaf.offset
        }
        uint256[] memory indices = new uint256[](1);
        indices[0] = index;
        return Fri.foldLeaves(offset, indices, logFold, beta, Fri.domain(LOG_LENGTH))[0];
    }

    /// @dev f of degree below 2^k has constant parts f_j = c_j: it folds to sum_j beta^j c_j, whatever the leaf.
    function testFuzz_foldLeaves_polynomialOfLowDegree_foldsToItsValueAtBeta(uint256 seed, uint8 logFold, uint16 index)
        external
        view
    {
        logFold = 1 + logFold % 5;
        uint256 leafIndex = index % 2 ** (LOG_LENGTH - logFold);
        uint256[] memory c = _random(seed, 2 ** logFold);
        uint256 table = BabyBear.pointTable(BabyBear.ROOT, LOG_LENGTH);
        bytes memory leaf;
        for (uint256 i = 0; i < 2 ** logFold; ++i) {
            uint256 x = BabyBear.pointAt(BabyBear.GENERATOR, table, 2 ** logFold * leafIndex + i);
            leaf = abi.encodePacked(leaf, _bytes(_evaluate(c, x)));
        }
        uint256 beta = QuinticPlain.random(seed, P);
        uint256 expected = QuinticPlain.mul(_evaluate(c, beta), 2 ** logFold);
        assert(Quintic.canonical(this.fold(leaf, leafIndex, logFold, beta)) == expected);
    }

    function finals(bytes calldata coefficients, uint256 count, uint256 index) external pure returns (uint256) {
        uint256 offset;
        assembly {
            offset := coefficients.offset
        }
        uint256[] memory indices = new uint256[](1);
        indices[0] = index;
        return Fri.evaluate(offset, count, indices, Fri.domain(LOG_LENGTH))[0];
    }

    function testFuzz_evaluate_anyPolynomial_equalsHorner(uint256 seed, uint8 count, uint8 index) external view {
        uint256[] memory c = _random(seed, 1 + count % 40);
        bytes memory coefficients;
        for (uint256 k = 0; k < c.length; ++k) {
            coefficients = abi.encodePacked(coefficients, _bytes(c[k]));
        }
        uint256 table = BabyBear.pointTable(BabyBear.ROOT, LOG_LENGTH);
        uint256 x = BabyBear.pointAt(BabyBear.GENERATOR, table, index);
        assert(this.finals(coefficients, c.length, index) == _evaluate(c, x));
    }

    function testFuzz_accumulate_anyCount_equalsSumOfProducts(uint256 seed, uint8 count) external pure {
        uint256 y = QuinticPlain.random(seed, P);
        uint256 n = 1 + count % 40;
        uint256 weights = Deep.widePowers(y, n);
        bytes memory elements;
        uint256 expected = 0;
        uint256 power = 1;
        for (uint256 k = 0; k < n; ++k) {
            uint256 v = uint256(keccak256(abi.encode(seed, k))) % P;
            elements = abi.encodePacked(elements, uint32(v));
            expected += QuinticPlain.mul(power, v);
            power = QuinticPlain.mul(power, y);
        }
        elements = abi.encodePacked(elements, bytes32(type(uint256).max)); // what stands behind must not count
        uint256 start;
        assembly {
            start := add(elements, 32)
        }
        (uint256 low, uint256 high) = Deep.accumulate(0, 0, weights, start, n);
        assert(Deep.collect(low, high) == QuinticPlain.pack(QuinticPlain.slots(expected)));
    }

    function canonical(bytes calldata elements) external pure {
        uint256 offset;
        assembly {
            offset := elements.offset
        }
        ProofLayout.requireCanonical(offset, offset + elements.length);
    }

    /// @dev One element not below p, anywhere, is found and named; carries from its neighbours neither hide nor invent one.
    function testFuzz_requireCanonical_oneElementTooLarge_isNamed(uint256 seed, uint8 count, uint8 wrong, uint32 value)
        external
        view
    {
        uint256 n = 1 + count % 80;
        bytes memory elements;
        for (uint256 k = 0; k < n; ++k) {
            uint256 v = uint256(keccak256(abi.encode(seed, k)));
            elements = abi.encodePacked(elements, uint32(v % 3 == 0 ? P - 1 : v % P));
        }
        this.canonical(elements);
        if (value < P) value = uint32(P + value % (2 ** 32 - P));
        uint256 at4 = 4 * (wrong % n);
        for (uint256 k = 0; k < 4; ++k) {
            elements[at4 + k] = bytes4(value)[k];
        }
        bytes memory expected = abi.encodeWithSignature("NonCanonicalElement(uint256,uint256)", wrong % n, value);
        try this.canonical(elements) {
            assert(false);
        } catch (bytes memory reason) {
            assert(keccak256(reason) == keccak256(expected));
        }
    }
}
