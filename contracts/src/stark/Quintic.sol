// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear} from "./BabyBear.sol";

/// @notice E = F[X]/(X^5 - 2), one element in one word: coefficient k in bits [51 k, 51 k + 51), its *slot*.
/// @dev Slots are wide on purpose: words add slot by slot with one `add`, and a slot may hold up to 2^51 - 1, so sums are reduced
/// late. As X^5 = 2 in E and (2^51)^5 = 2 modulo 2^255 - 2, one `mulmod` by 2^255 - 2 is a product in E, provided that no slot
/// of it reaches 2^51. Each function states the bound on its operands' slots; *reduced* means below 1.08 p, *canonical* below p.
library Quintic {
    /// @dev One in every slot.
    uint256 internal constant ONES = 0x1000000000000200000000000040000000000008000000000001;
    /// @dev p in every slot.
    uint256 internal constant P_SLOTS = 0x7800000100000f000000200001e000000400003c0000008000078000001;
    /// @dev The low 16, 21 and 27 bits of every slot.
    uint256 internal constant LOW_16 = 0xffff000000001fffe000000003fffc000000007fff800000000ffff;
    uint256 internal constant LOW_21 = 0x1fffff00000003ffffe00000007ffffc0000000fffff80000001fffff;
    uint256 internal constant LOW_27 = 0x7ffffff000000ffffffe000001ffffffc000003ffffff8000007ffffff;
    /// @dev 2^32 - p in every slot: added to a slot below 2p, it carries into bit 32 if the slot is not below p.
    uint256 internal constant CARRY = 0x87ffffff000010ffffffe000021ffffffc000043ffffff8000087ffffff;
    /// @dev The five slots, all bits.
    uint256 internal constant SLOTS = 0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff;

    /// @notice Every slot modulo p, to below 1.08 p. Slots of `a` below 2^51.
    /// @dev Barrett, five slots at once: q = ((v >> 24) * floor(2^54 / p)) >> 30 is v / p less at most 1.08, so v - q p < 1.08 p.
    /// The product stays below 2^51, the quotient below 2^21.
    function reduce(uint256 a) internal pure returns (uint256 r) {
        assembly ("memory-safe") {
            r := sub(a, mul(and(shr(30, mul(and(shr(24, a), LOW_27), 0x888888)), LOW_21), 0x78000001))
        }
    }

    /// @notice Every slot below p. Slots of `a` reduced, or below 2p.
    function canonical(uint256 a) internal pure returns (uint256 r) {
        assembly ("memory-safe") {
            r := sub(a, mul(and(shr(32, add(a, CARRY)), ONES), 0x78000001))
        }
    }

    /// @notice a * b, reduced. Slots of `a` below 1.77 p, of `b` below 2^32.
    /// @dev `b` is split into 16-bit halves. A slot of a half product is at most 9 * 1.77 p * (2^16 - 1) (nine, since the terms that
    /// wrap count twice); with the upper half, reduced and shifted up by 16 bits, that stays below 2^51.
    function mul(uint256 a, uint256 b) internal pure returns (uint256 r) {
        assembly ("memory-safe") {
            let m := sub(SLOTS, 1) // 2^255 - 2
            r := mulmod(a, and(shr(16, b), LOW_16), m)
            r := sub(r, mul(and(shr(30, mul(and(shr(24, r), LOW_27), 0x888888)), LOW_21), 0x78000001))
            r := add(shl(16, r), mulmod(a, and(b, LOW_16), m))
            r := sub(r, mul(and(shr(30, mul(and(shr(24, r), LOW_27), 0x888888)), LOW_21), 0x78000001))
        }
    }

    /// @notice a * s for a base element s < p, reduced. Slots of `a` below 2^34.
    function scale(uint256 a, uint256 s) internal pure returns (uint256 r) {
        assembly ("memory-safe") {
            r := mul(a, shr(16, s))
            r := sub(r, mul(and(shr(30, mul(and(shr(24, r), LOW_27), 0x888888)), LOW_21), 0x78000001))
            r := add(shl(16, r), mul(a, and(s, 0xffff)))
            r := sub(r, mul(and(shr(30, mul(and(shr(24, r), LOW_27), 0x888888)), LOW_21), 0x78000001))
        }
    }

    /// @notice a - b, reduced. Slots of `a` below 2^50, of `b` below 8 p.
    function sub(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return reduce(a + 8 * P_SLOTS - b);
        }
    }

    /// @notice X^k a, unreduced: slots that wrap are doubled. Slots of `a` below 2^50; k < 5.
    function timesX(uint256 a, uint256 k) internal pure returns (uint256) {
        return mulmod(a, 1 << (51 * k), SLOTS - 1);
    }

    /// @notice Whether a = b in E. Slots of `a` below 2^50, of `b` below 8 p.
    function equal(uint256 a, uint256 b) internal pure returns (bool) {
        return canonical(sub(a, b)) == 0;
    }

    /// @notice The element whose five coefficients stand in the upper 20 bytes of `word`, lowest power first, 4 bytes each.
    function unpack(uint256 word) internal pure returns (uint256 a) {
        assembly ("memory-safe") {
            a := shr(224, word)
            a := or(a, and(shr(141, word), shl(51, 0xffffffff)))
            a := or(a, and(shr(58, word), shl(102, 0xffffffff)))
            a := or(a, and(shl(25, word), shl(153, 0xffffffff)))
            a := or(a, and(shl(108, word), shl(204, 0xffffffff)))
        }
    }

    /// @notice The element whose 20 bytes stand in calldata at `offset`.
    function load(uint256 offset) internal pure returns (uint256) {
        uint256 word;
        assembly ("memory-safe") {
            word := calldataload(offset)
        }
        return unpack(word);
    }

    /// @notice 1/a, reduced; 0 for 0. Slots of `a` reduced.
    /// @dev a^(p + p^2 + p^3 + p^4) / norm(a), where norm(a) = a^(1 + p + ... + p^4) lies in F.
    function inverse(uint256 a) internal pure returns (uint256) {
        uint256 b = _frobenius(a, 815036133, 609564788, 1956349769, 645581151);
        b = mul(b, _frobenius(b, 815036133, 609564788, 1956349769, 645581151));
        b = mul(b, _frobenius(b, 609564788, 645581151, 815036133, 1956349769));
        uint256 norm = canonical(mul(a, b)) & 0xffffffff;
        return scale(b, BabyBear.inverse(norm));
    }

    /// @dev a^(p^j): coefficient k times c^(jk), c = 2^((p-1)/5). The factors c^j, c^2j, c^3j, c^4j are handed in.
    function _frobenius(uint256 a, uint256 c1, uint256 c2, uint256 c3, uint256 c4) private pure returns (uint256 r) {
        unchecked {
            uint256 slot = 0x7ffffffffffff;
            r = (a & slot) % BabyBear.P;
            r |= mulmod((a >> 51) & slot, c1, BabyBear.P) << 51;
            r |= mulmod((a >> 102) & slot, c2, BabyBear.P) << 102;
            r |= mulmod((a >> 153) & slot, c3, BabyBear.P) << 153;
            r |= mulmod((a >> 204) & slot, c4, BabyBear.P) << 204;
        }
    }
}
