// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Transcript} from "../../src/stark/Transcript.sol";

contract TranscriptTest {
    uint256 private constant P = 2 ** 31 - 2 ** 27 + 1;

    function absorb(bytes32 state, uint8 tag, bytes calldata data) external pure returns (bytes32) {
        uint256 offset;
        assembly {
            offset := data.offset
        }
        return Transcript.absorb(state, tag, offset, data.length);
    }

    function testFuzz_absorb_anyMessage_isKeccakOfStateTagData(bytes32 state, uint8 tag, bytes calldata data)
        external
        view
    {
        assert(this.absorb(state, tag, data) == keccak256(abi.encodePacked(state, tag, data)));
    }

    function testFuzz_absorbNonce_anyNonce_isKeccakOfStateMarkNonce(bytes32 state, uint64 nonce) external pure {
        assert(Transcript.absorbNonce(state, nonce) == keccak256(abi.encodePacked(state, uint8(0xfe), nonce)));
    }

    function testFuzz_drawElement_anyState_isFivePiecesModuloP(bytes32 state, uint32 index) external pure {
        uint256 drawn = uint256(keccak256(abi.encodePacked(state, uint8(0xff), index)));
        uint256 element = Transcript.drawElement(state, index);
        for (uint256 k = 0; k < 5; ++k) {
            uint256 piece = (drawn / 2 ** (51 * k)) % 2 ** 51;
            assert((element / 2 ** (51 * k)) % 2 ** 51 == piece % P);
        }
        assert(element / 2 ** 255 == 0);
    }

    /// @dev Small domains repeat positions often, large ones hardly ever.
    function testFuzz_drawPositions_anyState_areTheFirstDistinctOnesSorted(bytes32 state, uint8 count, uint8 logLength)
        external
        pure
    {
        logLength = 6 + logLength % 12;
        count = 1 + count % 60;
        uint256[] memory positions = Transcript.drawPositions(state, count, logLength);
        bool[] memory isDrawn = new bool[](2 ** uint256(logLength));
        uint256 found = 0;
        for (uint32 squeezed = 0; found < count; ++squeezed) {
            uint256 drawn = uint256(keccak256(abi.encodePacked(state, uint8(0xff), squeezed)));
            for (uint256 piece = 0; piece < 8 && found < count; ++piece) {
                uint256 position = (drawn / 2 ** (224 - 32 * piece)) % 2 ** logLength;
                if (!isDrawn[position]) ++found;
                isDrawn[position] = true;
            }
        }
        uint256 next = 0;
        for (uint256 position = 0; position < isDrawn.length; ++position) {
            if (isDrawn[position]) assert(positions[next++] == position);
        }
        assert(next == positions.length);
    }
}
