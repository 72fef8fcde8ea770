// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BabyBear} from "./stark/BabyBear.sol";

/// @notice Poseidon2 over BabyBear, width 16, as compression of two digests: the first eight elements of P(x) + x.
/// @dev Twin of bfl_ref/statements/poseidon2.py. A digest is eight elements of 4 bytes, the first one first. Inside, word j holds the
/// elements j, 4 + j, 8 + j and 12 + j in lanes of 64 bits, the first lowest, so that the linear layers act on all four at once.
/// Nothing is reduced before it has to be: an external layer leaves less than 35 p, and (36 p)^7 < 2^256.
library Poseidon2 {
    /// @notice Whether every element is below p.
    function isDigest(bytes32 digest) internal pure returns (bool) {
        for (uint256 shift = 0; shift < 256; shift += 32) {
            if ((uint256(digest) >> shift) & 0xffffffff >= BabyBear.P) return false;
        }
        return true;
    }

    /// @notice h = compress(h | e) for every eight elements e, beginning with h = start. Their number is a multiple of eight, each
    /// below p.
    function absorb(bytes32 start, uint32[] calldata elements) internal pure returns (bytes32 h) {
        h = start;
        for (uint256 i = 0; i < elements.length; i += 8) {
            uint256 block_ = 0;
            for (uint256 k = 0; k < 8; ++k) {
                block_ = (block_ << 32) | elements[i + k];
            }
            h = compress(h, bytes32(block_));
        }
    }

    /// @notice compress(left | right), both of elements below p.
    function compress(bytes32 left, bytes32 right) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            /// Elements j, 4 + j of both digests; `at` = 224 - 32 j.
            function spread(at, l, r) -> w {
                w := or(and(shr(at, l), 0xffffffff), shl(64, and(shr(sub(at, 128), l), 0xffffffff)))
                w := or(w, shl(128, and(shr(at, r), 0xffffffff)))
                w := or(w, shl(192, and(shr(sub(at, 128), r), 0xffffffff)))
            }
            /// Each lane and the sum of all four.
            function mix(w) -> v {
                let ones := 0x0000000000000001000000000000000100000000000000010000000000000001
                v := add(w, mul(shr(192, mul(w, ones)), ones))
            }
            /// circ(2 M4, M4, M4, M4), M4 = circ(2, 3, 1, 1).
            function externally(a, b, c, d) -> w, x, y, z {
                let total := add(add(a, b), add(c, d))
                w := mix(add(total, add(a, add(b, b))))
                x := mix(add(total, add(b, add(c, c))))
                y := mix(add(total, add(c, add(d, d))))
                z := mix(add(total, add(d, add(a, a))))
            }
            function power7(x) -> y {
                let square := mul(x, x)
                y := mod(mul(mul(square, x), mul(square, square)), 0x78000001)
            }
            function powers(w) -> v {
                v := power7(and(w, 0xffffffffffffffff))
                v := or(v, shl(64, power7(and(shr(64, w), 0xffffffffffffffff))))
                v := or(v, shl(128, power7(and(shr(128, w), 0xffffffffffffffff))))
                v := or(v, shl(192, power7(shr(192, w))))
            }
            /// Constants l, r of eight elements each, S-boxes, linear layer.
            function round(a, b, c, d, l, r) -> w, x, y, z {
                a := powers(add(a, spread(224, l, r)))
                b := powers(add(b, spread(192, l, r)))
                c := powers(add(c, spread(160, l, r)))
                d := powers(add(d, spread(128, l, r)))
                w, x, y, z := externally(a, b, c, d)
            }
            /// To memory, an element a word.
            function unpack(m, w) {
                mstore(m, and(w, 0xffffffffffffffff))
                mstore(add(m, 0x80), and(shr(64, w), 0xffffffffffffffff))
                mstore(add(m, 0x100), and(shr(128, w), 0xffffffffffffffff))
                mstore(add(m, 0x180), shr(192, w))
            }
            function pack(m) -> w {
                w := or(mload(m), shl(64, mload(add(m, 0x80))))
                w := or(w, or(shl(128, mload(add(m, 0x100))), shl(192, mload(add(m, 0x180)))))
            }
            function reduce(m) {
                for { let end := add(m, 0x200) } lt(m, end) { m := add(m, 0x20) } {
                    mstore(m, mod(mload(m), 0x78000001))
                }
            }
            /// J + diag(V) after the S-box of element 0. Elements below 2^b come out below 2^(b + 31): seven rounds fit from 2^31 on.
            function partially(m, constant_) {
                let x := power7(mod(add(mload(m), constant_), 0x78000001))
                let total := x
                for { let i := 0x20 } lt(i, 0x200) { i := add(i, 0x20) } { total := add(total, mload(add(m, i))) }
                mstore(m, add(total, mul(2013265919, x)))
                mstore(add(m, 0x20), add(total, mload(add(m, 0x20))))
                mstore(add(m, 0x40), add(total, mul(2, mload(add(m, 0x40)))))
                mstore(add(m, 0x60), add(total, mul(1006632961, mload(add(m, 0x60)))))
                mstore(add(m, 0x80), add(total, mul(3, mload(add(m, 0x80)))))
                mstore(add(m, 0xa0), add(total, mul(4, mload(add(m, 0xa0)))))
                mstore(add(m, 0xc0), add(total, mul(1006632960, mload(add(m, 0xc0)))))
                mstore(add(m, 0xe0), add(total, mul(2013265918, mload(add(m, 0xe0)))))
                mstore(add(m, 0x100), add(total, mul(2013265917, mload(add(m, 0x100)))))
                mstore(add(m, 0x120), add(total, mul(2005401601, mload(add(m, 0x120)))))
                mstore(add(m, 0x140), add(total, mul(1509949441, mload(add(m, 0x140)))))
                mstore(add(m, 0x160), add(total, mul(1761607681, mload(add(m, 0x160)))))
                mstore(add(m, 0x180), add(total, mul(2013265906, mload(add(m, 0x180)))))
                mstore(add(m, 0x1a0), add(total, mul(7864320, mload(add(m, 0x1a0)))))
                mstore(add(m, 0x1c0), add(total, mul(125829120, mload(add(m, 0x1c0)))))
                mstore(add(m, 0x1e0), add(total, mul(15, mload(add(m, 0x1e0)))))
            }
            /// Elements j and 4 + j of w, reduced, and of what is `added`; `at` = 224 - 32 j.
            function gather(at, added, w) -> part {
                let low := add(and(w, 0xffffffffffffffff), and(shr(at, added), 0xffffffff))
                let high := add(and(shr(64, w), 0xffffffffffffffff), and(shr(sub(at, 128), added), 0xffffffff))
                part := or(shl(at, mod(low, 0x78000001)), shl(sub(at, 128), mod(high, 0x78000001)))
            }

            let a, b, c, d :=
                externally(
                    spread(224, left, right),
                    spread(192, left, right),
                    spread(160, left, right),
                    spread(128, left, right)
                )
            let l := 0x69cbb6af46ad93f960a00f4e6b1297cd23189afe732e7bef72c246de2c941900
            let r := 0x0557eede1580496f3a3ea77b54f3f2710f49b02947872fe1221e2e361ab7202e
            a, b, c, d := round(a, b, c, d, l, r)
            l := 0x487779a63851c9d838dc17c0209f8849268dcee8350c48da5b9ad32e0523272b
            r := 0x3f89055b01e894b213ddedde1b2ef3347507d8b46ceeb94e52eb6ba250642905
            a, b, c, d := round(a, b, c, d, l, r)
            l := 0x05453f3f06349efc6922787c04bfff9c768c714a3e9ff21a15737c9c2229c807
            r := 0x0d47f88c097e0ecc27eadba02d7d29e43502aaa00f475fd729fbda49018afffd
            a, b, c, d := round(a, b, c, d, l, r)
            l := 0x0315b6186d4497d11b171d9e52861abd2e5d05013ec8646c6e5f250a148ae8e6
            r := 0x17f5fa4a3e66d2840051aa3b483f79132cfe5f15023427ca2cc783151e36ea47
            a, b, c, d := round(a, b, c, d, l, r)
            let m := mload(0x40)
            unpack(m, a)
            unpack(add(m, 0x20), b)
            unpack(add(m, 0x40), c)
            unpack(add(m, 0x60), d)
            partially(m, 1518359488)
            partially(m, 1765533241)
            partially(m, 945325693)
            partially(m, 422793067)
            partially(m, 311365592)
            partially(m, 1311448267)
            reduce(m)
            partially(m, 1629555936)
            partially(m, 1009879353)
            partially(m, 190525218)
            partially(m, 786108885)
            partially(m, 557776863)
            partially(m, 212616710)
            partially(m, 605745517)
            reduce(m)
            a := pack(m)
            b := pack(add(m, 0x20))
            c := pack(add(m, 0x40))
            d := pack(add(m, 0x60))
            l := 0x7290a80d6f7e5329598ec8a876a859a06559e868657b83af13271d3f1f876063
            r := 0x0aeeae37706e9ca646400cee72a05c262c589c9e20bd37a76a2d3d1020523767
            a, b, c, d := round(a, b, c, d, l, r)
            l := 0x5b8fe9c42aa501d61e01ac3e1448bc545ce5ad1c4918a14d2c46a83f4fcf6876
            r := 0x61d8d5c86ddf4ff911fda4d302933a8f170eaf815a9c314f49a1259035ec52a1
            a, b, c, d := round(a, b, c, d, l, r)
            l := 0x58eb16115e481e65367125c90eba33ba1fc28ded066399ad0cbec0ea75fd1af0
            r := 0x50f5bf4e643d5f416f4fe7185b3cbbde1e3afb3e296fb02745e1547b4a8db2ab
            a, b, c, d := round(a, b, c, d, l, r)
            l := 0x59986d1930bcdfa31db639321d7c282453b336810673b747038a98a32c5bce60
            r := 0x351979cd5008fb73547bca78711af4813f93bf64644d987b3c8bcd87608758b8
            a, b, c, d := round(a, b, c, d, l, r)
            digest := or(or(gather(224, left, a), gather(192, left, b)), or(gather(160, left, c), gather(128, left, d)))
        }
    }
}
