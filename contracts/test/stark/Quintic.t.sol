// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear} from "../../src/stark/BabyBear.sol";
import {Quintic} from "../../src/stark/Quintic.sol";
import {QuinticPlain} from "./QuinticPlain.sol";

contract QuinticTest {
    uint256 private constant P = 2 ** 31 - 2 ** 27 + 1;
    uint256 private constant REDUCED = P * 108 / 100;

    function _isBelow(uint256 a, uint256 bound) private pure returns (bool) {
        for (uint256 k = 0; k < 5; ++k) {
            if ((a >> (51 * k)) & (2 ** 51 - 1) >= bound) return false;
        }
        return a >> 255 == 0;
    }

    function _same(uint256 a, uint256 b) private pure returns (bool) {
        return QuinticPlain.pack(QuinticPlain.slots(a)) == QuinticPlain.pack(QuinticPlain.slots(b));
    }

    function test_constants_haveTheirStatedDerivation() external pure {
        uint256 ones = 1 + 2 ** 51 + 2 ** 102 + 2 ** 153 + 2 ** 204;
        assert(Quintic.ONES == ones);
        assert(Quintic.P_SLOTS == ones * P);
        assert(Quintic.LOW_16 == ones * (2 ** 16 - 1));
        assert(Quintic.LOW_21 == ones * (2 ** 21 - 1));
        assert(Quintic.LOW_27 == ones * (2 ** 27 - 1));
        assert(Quintic.CARRY == ones * (2 ** 32 - P));
        assert(Quintic.SLOTS == ones * (2 ** 51 - 1));
        assert(uint256(2 ** 54) / P == 0x888888);
    }

    function testFuzz_reduce_anySlots_sameElementBelowBound(uint256 seed) external pure {
        uint256 a = QuinticPlain.random(seed, 2 ** 51);
        assert(_same(Quintic.reduce(a), a) && _isBelow(Quintic.reduce(a), REDUCED));
    }

    function testFuzz_canonical_belowTwoP_sameElementBelowP(uint256 seed) external pure {
        uint256 a = QuinticPlain.random(seed, 2 * P);
        assert(_same(Quintic.canonical(a), a) && _isBelow(Quintic.canonical(a), P));
    }

    function testFuzz_mul_slotsAtTheirBounds_equalsSchoolbook(uint256 seedA, uint256 seedB) external pure {
        uint256 a = QuinticPlain.random(seedA, P * 177 / 100);
        uint256 b = QuinticPlain.random(seedB, 2 ** 32);
        assert(_same(Quintic.mul(a, b), QuinticPlain.mul(a, b)) && _isBelow(Quintic.mul(a, b), REDUCED));
    }

    function test_mul_everySlotAtItsBound_equalsSchoolbook() external pure {
        uint256 a = Quintic.ONES * (P * 177 / 100 - 1);
        uint256 b = Quintic.ONES * (2 ** 32 - 1);
        assert(_same(Quintic.mul(a, b), QuinticPlain.mul(a, b)) && _isBelow(Quintic.mul(a, b), REDUCED));
    }

    function testFuzz_scale_baseElement_equalsProduct(uint256 seed, uint256 s) external pure {
        uint256 a = QuinticPlain.random(seed, 2 ** 34);
        s %= P;
        assert(_same(Quintic.scale(a, s), QuinticPlain.mul(a, s)) && _isBelow(Quintic.scale(a, s), REDUCED));
    }

    function testFuzz_sub_slotsAtTheirBounds_addsBack(uint256 seedA, uint256 seedB) external pure {
        uint256 a = QuinticPlain.random(seedA, 2 ** 50);
        uint256 b = QuinticPlain.random(seedB, 8 * P);
        uint256 c = Quintic.sub(a, b);
        assert(_same(Quintic.reduce(c + b), a) && _isBelow(c, REDUCED));
        assert(!Quintic.equal(a, b) || _same(a, b));
        assert(Quintic.equal(a, Quintic.reduce(a)));
    }

    function testFuzz_inverse_timesElement_isOne(uint256 seed) external pure {
        uint256 a = QuinticPlain.random(seed, REDUCED);
        assert(Quintic.canonical(Quintic.mul(Quintic.inverse(a), a)) == 1);
    }

    function test_inverse_ofZero_isZero() external pure {
        assert(Quintic.canonical(Quintic.inverse(0)) == 0);
    }

    function testFuzz_unpack_calldataLanes_fillSlots(uint160 lanes) external pure {
        uint256 a = Quintic.unpack((uint256(lanes) << 96) | 0xabcdef);
        for (uint256 k = 0; k < 5; ++k) {
            assert((a >> (51 * k)) & (2 ** 51 - 1) == (uint256(lanes) >> (128 - 32 * k)) & 0xffffffff);
        }
    }
}

contract BabyBearTest {
    uint256 private constant P = BabyBear.P;

    function test_constants_haveTheirStatedDerivation() external pure {
        assert(P == 2 ** 31 - 2 ** 27 + 1);
        assert(BabyBear.pow(31, (P - 1) / 2 ** 27) == BabyBear.ROOT);
        assert(BabyBear.inverse(BabyBear.ROOT) == BabyBear.ROOT_INVERSE);
        assert(mulmod(BabyBear.GENERATOR_INVERSE, 31, P) == 1);
        assert(BabyBear.pow(BabyBear.ROOT, 2 ** 26) == P - 1);
    }

    function testFuzz_pow_smallExponent_equalsRepeatedProduct(uint256 base, uint8 exponent) external pure {
        base %= P;
        uint256 expected = 1;
        for (uint256 i = 0; i < exponent; ++i) {
            expected = mulmod(expected, base, P);
        }
        assert(BabyBear.pow(base, exponent) == expected);
    }

    function testFuzz_pointAt_position_isOffsetTimesRootToReversedBits(uint16 position, uint256 offset) external pure {
        offset = 1 + offset % (P - 1);
        uint256 reversed = 0;
        for (uint256 k = 0; k < 14; ++k) {
            if ((position >> k) & 1 == 1) reversed += 2 ** (13 - k);
        }
        position &= 2 ** 14 - 1;
        uint256 omega = BabyBear.rootOfUnity(14);
        uint256 x = BabyBear.pointAt(offset, BabyBear.pointTable(BabyBear.ROOT, 14), position);
        assert(x == mulmod(offset, BabyBear.pow(omega, reversed), P));
        uint256 table = BabyBear.pointTable(BabyBear.ROOT_INVERSE, 14);
        assert(mulmod(x, BabyBear.pointAt(BabyBear.inverse(offset), table, position), P) == 1);
    }
}
