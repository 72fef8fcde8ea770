// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICommittee} from "./interfaces/ICommittee.sol";
import {BabyBear} from "./stark/BabyBear.sol";

/// @notice Sums of shares: vectors of elements below p, 4 bytes each; the seat at index a evaluates at a + 1.
library CommitteeSums {
    uint256 private constant P = BabyBear.P;

    /// @notice Reverts with BadSum unless `sum` is `slots` elements below p.
    function check(bytes calldata sum, uint256 slots) internal pure {
        if (sum.length != 4 * slots) revert ICommittee.BadSum(slots, sum.length);
        for (uint256 i = 0; i < slots; ++i) {
            uint256 value = _at(sum, i);
            if (value >= P) revert ICommittee.BadSum(i, value);
        }
    }

    /// @notice The values at 0 of the polynomials of degree < threshold through the sums that are not named.
    /// @dev Those of the first `threshold` unnamed seats fix the polynomials; all the others are compared with them.
    /// @param sums Checked by `check`, empty where a seat submitted none.
    /// @param wrong The seats named: a bit each, of seats that are present.
    function decode(bytes[] calldata sums, uint256 slots, uint256 threshold, uint256 wrong)
        internal
        pure
        returns (bytes memory total)
    {
        uint256[] memory basis = _basis(sums, threshold, wrong);
        uint256[] memory inverses = _denominators(basis);
        for (uint256 a = 0; a < sums.length; ++a) {
            if (sums[a].length == 0 || _contains(basis, a)) continue;
            bytes memory expected = _evaluate(sums, basis, _coefficients(basis, inverses, a + 1), slots);
            bool lies = keccak256(expected) == keccak256(sums[a]);
            bool named = (wrong >> a) & 1 == 1;
            if (!lies && !named) revert ICommittee.Inconsistent(a);
            if (lies && named) revert ICommittee.NotWrong(a);
        }
        return _evaluate(sums, basis, _coefficients(basis, inverses, 0), slots);
    }

    /// @dev The first `threshold` seats that are present and not named; there are as many.
    function _basis(bytes[] calldata sums, uint256 threshold, uint256 wrong)
        private
        pure
        returns (uint256[] memory basis)
    {
        basis = new uint256[](threshold);
        uint256 found = 0;
        for (uint256 a = 0; found < threshold; ++a) {
            if (sums[a].length != 0 && (wrong >> a) & 1 == 0) basis[found++] = a;
        }
    }

    /// @dev 1 / prod_(l != k) (x_k - x_l).
    function _denominators(uint256[] memory basis) private pure returns (uint256[] memory inverses) {
        inverses = new uint256[](basis.length);
        for (uint256 k = 0; k < basis.length; ++k) {
            uint256 below = 1;
            for (uint256 l = 0; l < basis.length; ++l) {
                if (l != k) below = mulmod(below, P + basis[k] - basis[l], P);
            }
            inverses[k] = BabyBear.inverse(below);
        }
    }

    /// @dev Lagrange: prod_(l != k) (x - x_l) / (x_k - x_l).
    function _coefficients(uint256[] memory basis, uint256[] memory inverses, uint256 x)
        private
        pure
        returns (uint256[] memory coefficients)
    {
        coefficients = new uint256[](basis.length);
        for (uint256 k = 0; k < basis.length; ++k) {
            uint256 above = inverses[k];
            for (uint256 l = 0; l < basis.length; ++l) {
                if (l != k) above = mulmod(above, P + x - basis[l] - 1, P);
            }
            coefficients[k] = above;
        }
    }

    /// @dev sum_k c_k s_k for every slot. At most 16 products below 2^62.
    function _evaluate(bytes[] calldata sums, uint256[] memory basis, uint256[] memory coefficients, uint256 slots)
        private
        pure
        returns (bytes memory values)
    {
        uint256[] memory sum = new uint256[](slots);
        for (uint256 k = 0; k < basis.length; ++k) {
            bytes calldata share = sums[basis[k]];
            uint256 c = coefficients[k];
            for (uint256 i = 0; i < slots; ++i) {
                unchecked {
                    sum[i] += c * _at(share, i);
                }
            }
        }
        values = new bytes(4 * slots);
        for (uint256 i = 0; i < slots; ++i) {
            uint256 value = sum[i] % P;
            assembly ("memory-safe") {
                let place := add(add(values, 0x20), mul(4, i))
                mstore(place, or(shl(224, value), and(mload(place), sub(shl(224, 1), 1))))
            }
        }
    }

    function _contains(uint256[] memory basis, uint256 a) private pure returns (bool found) {
        for (uint256 k = 0; k < basis.length; ++k) {
            if (basis[k] == a) found = true;
        }
    }

    /// @dev Element i of a sum that is long enough.
    function _at(bytes calldata sum, uint256 i) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(224, calldataload(add(sum.offset, mul(4, i))))
        }
    }
}
