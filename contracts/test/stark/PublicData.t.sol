// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDataVerifier} from "../../src/interfaces/IDataVerifier.sol";
import {PublicData} from "../../src/stark/PublicData.sol";
import {Quintic} from "../../src/stark/Quintic.sol";
import {QuinticPlain} from "./QuinticPlain.sol";

contract PublicDataTest {
    uint256 private constant P = 2 ** 31 - 2 ** 27 + 1;
    uint256 private constant REDUCED = P * 108 / 100;

    function sum(bytes calldata data, uint256 lam) external pure returns (uint256) {
        uint256 offset;
        assembly {
            offset := data.offset
        }
        return PublicData.sum(offset, data.length, lam);
    }

    /// @notice What `sum` of these data costs.
    function gasOfSum(bytes calldata data, uint256 lam) external view returns (uint256) {
        uint256 offset;
        assembly {
            offset := data.offset
        }
        uint256 before = gasleft();
        PublicData.sum(offset, data.length, lam);
        return before - gasleft();
    }

    function binding(bytes calldata data) external pure returns (bytes memory) {
        return PublicData.binding(data);
    }

    function requireRows(bytes calldata data, uint256 width, uint256 rows) external pure {
        PublicData.requireRows(data, width, rows);
    }

    /// @dev Elements of 4 bytes, a quarter of them p - 1.
    function _data(uint256 seed, uint256 count) private pure returns (bytes memory data) {
        for (uint256 i = 0; i < count; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            data = bytes.concat(data, bytes4(uint32(seed % 4 == 0 ? P - 1 : (seed >> 2) % P)));
        }
    }

    /// @dev Horner by definition, from 1 on.
    function _plain(bytes memory data, uint256 lam) private pure returns (uint256 total) {
        total = 1;
        for (uint256 i = 0; i < data.length; i += 4) {
            total = QuinticPlain.mul(total, lam);
            uint256 element = uint8(data[i]);
            for (uint256 j = 1; j < 4; ++j) {
                element = element << 8 | uint8(data[i + j]);
            }
            uint256 constantTerm = (total & (2 ** 51 - 1)) + element;
            total = total >> 51 << 51 | constantTerm % P;
        }
    }

    function testFuzz_sum_anyData_isHorners(uint256 seed, uint8 count) external view {
        bytes memory data = _data(seed, count);
        uint256 lam = QuinticPlain.random(seed, REDUCED);
        assert(this.sum(data, lam) == _plain(data, lam));
    }

    /// @dev The leading 1 stands in the last place of a block, in the first, or in one of its own.
    function test_sum_aroundBlockBorders_isHorners() external view {
        for (uint256 count = 62; count <= 66; ++count) {
            bytes memory data = _data(count, count);
            uint256 lam = QuinticPlain.random(count, P);
            assert(this.sum(data, lam) == _plain(data, lam));
        }
        assert(this.sum("", QuinticPlain.random(1, P)) == 1);
    }

    /// @dev Where a lane that overflows would carry.
    function test_sum_everyNumberAtItsBound_isHorners() external view {
        bytes memory data;
        for (uint256 i = 0; i < 200; ++i) {
            data = bytes.concat(data, bytes4(uint32(P - 1)));
        }
        uint256 lam = Quintic.ONES * (P - 1);
        assert(this.sum(data, lam) == _plain(data, lam));
        assert(uint256(4) * (P - 1) * (REDUCED - 1) < 2 ** 64);
    }

    function test_sum_leadingZeros_count() external view {
        uint256 lam = QuinticPlain.random(2, P);
        assert(this.sum(hex"00000000", lam) == lam);
        assert(this.sum(hex"0000000000000000", lam) == QuinticPlain.mul(lam, lam));
    }

    function testFuzz_sum_elementNotBelowP_isNamed(uint256 seed, uint8 index, uint32 value) external view {
        bytes memory data = _data(seed, 256);
        value = uint32(P + value % (2 ** 32 - P));
        for (uint256 j = 0; j < 4; ++j) {
            data[uint256(4) * index + j] = bytes4(value)[j];
        }
        try this.sum(data, seed % P) {
            assert(false);
        } catch (bytes memory reason) {
            bytes memory expected = abi.encodeWithSelector(IDataVerifier.BadPublicData.selector, index, value);
            assert(keccak256(reason) == keccak256(expected));
        }
    }

    function testFuzz_binding_anyData_isCountAndKeccak(bytes calldata data) external view {
        bytes memory expected = abi.encodePacked(uint32(data.length / 4), keccak256(data));
        assert(keccak256(this.binding(data)) == keccak256(expected));
    }

    /// @dev Eight rows, of which the last carries no data.
    function test_requireRows_wholeRowsForAllButTheLast_arePassed() external view {
        for (uint256 length = 0; length <= 100; ++length) {
            bool isRight = length % 12 == 0 && length <= 84;
            try this.requireRows(new bytes(length), 3, 8) {
                assert(isRight);
            } catch (bytes memory reason) {
                bytes memory expected = abi.encodeWithSelector(IDataVerifier.BadPublicData.selector, length, 0);
                assert(!isRight && keccak256(reason) == keccak256(expected));
            }
        }
    }
}
