// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAirEvaluator} from "../interfaces/IAirEvaluator.sol";
import {BabyBear} from "./BabyBear.sol";
import {Deep} from "./Deep.sol";
import {Quintic} from "./Quintic.sol";

/// @notice What generated evaluators share: vanishing polynomials and short columns at the out-of-domain point.
abstract contract AirEvaluator is IAirEvaluator {
    /// @dev a^(2^k), reduced.
    function _squared(uint256 a, uint256 k) internal pure returns (uint256) {
        for (; k > 0; --k) {
            a = Quintic.mul(a, a);
        }
        return a;
    }

    /// @dev z - g^row, reduced; g of order 2^logLength.
    function _minusRow(uint256 z, uint256 logLength, uint256 row) internal pure returns (uint256) {
        return Quintic.sub(z, BabyBear.pow(BabyBear.rootOfUnity(logLength), row));
    }

    /// @dev sum_k c_k y^k, canonical, for each polynomial of `count` coefficients, one behind the other in `coefficients`, 4 bytes
    /// each. Written to values[first], values[first + 1], ...
    function _periodic(bytes memory coefficients, uint256 count, uint256 y, uint256[] memory values, uint256 first)
        internal
        pure
    {
        unchecked {
            uint256 weights = Deep.widePowers(y, count);
            uint256 elements;
            assembly ("memory-safe") {
                elements := add(coefficients, 32)
            }
            for (uint256 end = elements + coefficients.length; elements < end; elements += 4 * count) {
                (uint256 low, uint256 high) = Deep.accumulate(0, 0, weights, elements, count);
                values[first++] = Deep.collect(low, high);
            }
        }
    }

    /// @dev The polynomial through inputs[i] at w^i, w of order 2^logPeriod, at y; reduced:
    ///     (y^P - 1)/P * sum_i inputs[i] w^i / (y - w^i).
    function _publicColumn(uint256[] calldata inputs, uint256 logPeriod, uint256 y) internal pure returns (uint256) {
        uint256 w = BabyBear.rootOfUnity(logPeriod);
        // Numerator and denominator of the running sum, so that one inversion serves all.
        uint256 above = 0;
        uint256 below = 1;
        uint256 point = 1;
        for (uint256 i = 0; i < inputs.length; ++i) {
            uint256 difference = Quintic.sub(y, point);
            uint256 term = Quintic.scale(below, mulmod(inputs[i], point, BabyBear.P));
            above = Quintic.reduce(Quintic.mul(above, difference) + term);
            below = Quintic.mul(below, difference);
            point = mulmod(point, w, BabyBear.P);
        }
        // The product of all y - w^i is y^P - 1: what remains is the numerator over P.
        return Quintic.scale(above, BabyBear.inverse(inputs.length));
    }

    /// @dev A lookup column's value in E from its five base columns' opened values: sum_t X^t v_t, reduced.
    function _recombined(uint256[] calldata opened, uint256 first) internal pure returns (uint256 sum) {
        for (uint256 t = 0; t < 5; ++t) {
            sum += Quintic.timesX(opened[first + t], t);
        }
        return Quintic.reduce(sum);
    }
}
