// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {TrainingParameters} from "./interfaces/IAudits.sol";

/// @notice The public inputs of a segment proof, written one group after another.
library SegmentInputs {
    uint256 internal constant COUNT = 46;

    /// @notice Elements from .. from + 7: a digest's 4-byte words, the first one first.
    function putDigest(uint256[] memory inputs, uint256 from, bytes32 digest) internal pure {
        for (uint256 i = 0; i < 8; ++i) {
            inputs[from + i] = (uint256(digest) >> (224 - 32 * i)) & 0xffffffff;
        }
    }

    /// @notice Elements 32 .. 35: the first four 4-byte words of r1, 30 bits of each.
    function putBeacon(uint256[] memory inputs, bytes32 r1) internal pure {
        for (uint256 i = 0; i < 4; ++i) {
            inputs[32 + i] = (uint256(r1) >> (224 - 32 * i)) & 0x3fffffff;
        }
    }

    /// @notice Elements 36 .. 45: step, rows, D, D / 2, 2^29 / D, 128 (clip - 1), noise scales.
    function putStep(uint256[] memory inputs, uint256 step, uint256 rows, TrainingParameters memory parameters)
        internal
        pure
    {
        uint256 divisor = (512 * rows + parameters.rate / 2) / parameters.rate;
        divisor = Math.min(Math.max(divisor, 64), 4096);
        inputs[36] = step;
        inputs[37] = rows;
        inputs[38] = divisor;
        inputs[39] = divisor / 2;
        inputs[40] = 2 ** 29 / divisor;
        inputs[41] = 128 * (uint256(parameters.clip) - 1);
        if (parameters.noise == 0) return;
        uint256 noise = parameters.noise;
        (inputs[42], inputs[43], inputs[44], inputs[45]) = (noise, noise + 1, noise + 3, noise + 8);
    }
}
