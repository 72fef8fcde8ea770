// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Poseidon2} from "./Poseidon2.sol";
import {ICommittee} from "./interfaces/ICommittee.sol";
import {BabyBear} from "./stark/BabyBear.sol";

/// @notice Sums of shares: vectors of elements below p, 4 bytes each; the seat at index a evaluates at a + 1.
library CommitteeSums {
    uint256 private constant P = BabyBear.P;
    /// @notice Hospitals of a group at most: groups of survivors have three to five.
    uint256 internal constant PLACES = 5;
    /// @notice (4, 0, .., 0): tells digests of shares and sums from all others.
    bytes32 internal constant SHARE_START = bytes32(uint256(4) << 224);
    bytes32 private constant ZEROS = 0x0ab8773f2e5e41ed08b84d704a1efc8307d436e40e6bc2682ab6297340563d08;
    bytes32 private constant WIDE_ZEROS = 0x708c1b1463980377024187bc5659fe7d00b64848315fef6f68b033770a47d40e;

    /// @notice Reverts with BadSum unless `sum` is `slots` elements below p.
    function check(bytes calldata sum, uint256 slots) internal pure {
        if (sum.length != 4 * slots) revert ICommittee.BadSum(slots, sum.length);
        for (uint256 i = 0; i < slots; ++i) {
            uint256 value = _at(sum, i);
            if (value >= P) revert ICommittee.BadSum(i, value);
        }
    }

    /// @notice The digest of a checked sum as that of a share, with a salt of zeros: at least four, up to a whole block.
    function digest(bytes calldata sum) internal pure returns (bytes32 h) {
        h = SHARE_START;
        for (uint256 from = 0; from < sum.length + 16; from += 32) {
            uint256 to = from + 32 < sum.length ? from + 32 : sum.length;
            h = Poseidon2.compress(h, from < to ? bytes32(sum[from:to]) : bytes32(0));
        }
    }

    /// @notice The digest of a share of zeros with a salt of zeros.
    function digestOfZeros(uint256 slots) internal pure returns (bytes32) {
        return slots == 36 ? ZEROS : WIDE_ZEROS;
    }

    /// @notice The values at 0 of the polynomials of degree < seats.length through the sums. Lagrange: the sum of
    /// s_k prod_(l != k) x_l / (x_l - x_k).
    /// @param sums Checked by `check`, at most 16.
    /// @param seats Below 16, no two alike.
    function decode(bytes[] calldata sums, uint256[] calldata seats, uint256 slots)
        internal
        pure
        returns (bytes memory total)
    {
        uint256[] memory values = new uint256[](slots);
        for (uint256 k = 0; k < seats.length; ++k) {
            bytes calldata sum = sums[k];
            uint256 c = _coefficient(seats, k);
            for (uint256 i = 0; i < slots; ++i) {
                unchecked {
                    values[i] += c * _at(sum, i); // at most 16 products below 2^62
                }
            }
        }
        total = new bytes(4 * slots);
        for (uint256 i = 0; i < slots; ++i) {
            uint256 value = values[i] % P;
            assembly ("memory-safe") {
                let place := add(add(total, 0x20), mul(4, i))
                mstore(place, or(shl(224, value), and(mload(place), sub(shl(224, 1), 1))))
            }
        }
    }

    function _coefficient(uint256[] calldata seats, uint256 k) private pure returns (uint256) {
        uint256 above = 1;
        uint256 below = 1;
        for (uint256 l = 0; l < seats.length; ++l) {
            if (l == k) continue;
            above = mulmod(above, seats[l] + 1, P);
            below = mulmod(below, P + seats[l] - seats[k], P);
        }
        return mulmod(above, BabyBear.inverse(below), P);
    }

    /// @dev Element i of a sum that is long enough.
    function _at(bytes calldata sum, uint256 i) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(224, calldataload(add(sum.offset, mul(4, i))))
        }
    }
}
