// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAirEvaluator} from "../interfaces/IAirEvaluator.sol";
import {IStarkVerifier} from "../interfaces/IStarkVerifier.sol";
import {BabyBear} from "./BabyBear.sol";
import {MerkleMultiproof} from "./MerkleMultiproof.sol";

/// @notice Where everything stands in the proof's bytes. Nothing is copied: sections are calldata offsets.
library ProofLayout {
    uint256 internal constant VERSION = 1;
    uint256 internal constant MAIN = 0;
    uint256 internal constant AUX = 1;
    uint256 internal constant QUOTIENT = 2;
    uint256 internal constant PREPROCESSED = 3;
    uint256 internal constant FRI = 4; // layer j is tree FRI + j
    uint256 internal constant ELEMENT_BYTES = 4;
    uint256 internal constant EXTENSION_BYTES = 20;
    uint256 private constant PARAMS_FIXED_BYTES = 7;
    /// @dev The top bit of each of a word's eight elements.
    uint256 internal constant TOP_BITS = 0x8000000080000000800000008000000080000000800000008000000080000000;

    /// @notice What the verifier is fixed to: the parameters' meaning.
    struct Parameters {
        uint256 logCodeword; // log2 N
        uint256 queries;
        uint256 grinding;
        uint256 finalCoefficients; // D / product of the folding factors
        uint256[] logFolds;
    }

    /// @notice One Merkle tree's part of the proof. A tree that the AIR does not have has columns = 0.
    struct Tree {
        uint256 root; // value, left-aligned; junk behind 26 bytes
        uint256 rootOffset;
        uint256 columns; // base elements a leaf
        uint256 leafCount;
        uint256 leaves;
        uint256 saltBytes;
        uint256 salts;
        uint256 nodeCount;
        uint256 nodes;
        uint256 depth;
    }

    struct Layout {
        uint256 nonce;
        uint256 opened; // offset; all opened values stand together
        uint256 openedBytes;
        uint256 finals;
        uint256 finalCount;
        uint256 elementsEnd;
        uint256 data; // of a statement with data; they stand outside the proof
        uint256 dataBytes;
        Tree[] trees; // main, aux, quotient, preprocessed, FRI layers
    }

    /// @notice Meaning of a parameter word (left-aligned bytes as the proof carries them) for a trace of the AIR's length.
    function parameters(bytes32 word) internal pure returns (Parameters memory p) {
        p.logCodeword = uint256(uint8(word[0])) + uint8(word[1]);
        p.queries = uint8(word[2]);
        p.grinding = uint8(word[3]);
        p.logFolds = new uint256[](uint8(word[6]));
        uint256 logProduct = 0;
        for (uint256 j = 0; j < p.logFolds.length; ++j) {
            p.logFolds[j] = uint8(word[PARAMS_FIXED_BYTES + j]);
            logProduct += p.logFolds[j];
        }
        uint256 blinding = uint256(uint8(word[4])) << 8 | uint8(word[5]);
        p.finalCoefficients = ((uint256(1) << uint8(word[0])) + blinding) >> logProduct;
    }

    /// @notice Number of bytes of a parameter word.
    function parameterBytes(bytes32 word) internal pure returns (uint256) {
        return PARAMS_FIXED_BYTES + uint8(word[6]);
    }

    /// @notice Phase 0: the sections of `proof`, whose version and parameters are known to be right.
    /// @dev Reverts with BadLength unless the proof has exactly the length that its counts say. Counts have 16 bits and every
    /// number below is a sum of small products: nothing can overflow.
    function locate(bytes calldata proof, IAirEvaluator.Shape memory shape, Parameters memory p, uint256 paramBytes)
        internal
        pure
        returns (Layout memory sections)
    {
        sections.trees = _trees(shape, p);
        uint256 start;
        assembly ("memory-safe") {
            start := proof.offset
        }
        uint256 offset = _counts(sections, start + 1 + paramBytes, start, proof.length);
        sections.nonce = offset;
        offset = _roots(sections.trees, offset + 8, shape.preprocessedRoot);
        sections.opened = offset;
        uint256 traceColumns = shape.preprocessed + shape.main + 5 * shape.aux;
        sections.openedBytes = EXTENSION_BYTES * (2 * traceColumns + 5 * shape.chunks);
        sections.finals = offset + sections.openedBytes;
        offset = sections.finals + EXTENSION_BYTES * sections.finalCount;
        for (uint256 t = 0; t < sections.trees.length; ++t) {
            Tree memory tree = sections.trees[t];
            tree.leaves = offset;
            offset += tree.leafCount * tree.columns * ELEMENT_BYTES;
        }
        sections.elementsEnd = offset;
        for (uint256 t = 0; t < sections.trees.length; ++t) {
            Tree memory tree = sections.trees[t];
            tree.salts = offset;
            offset += tree.leafCount * tree.saltBytes;
        }
        for (uint256 t = 0; t < sections.trees.length; ++t) {
            Tree memory tree = sections.trees[t];
            tree.nodes = offset;
            offset += tree.nodeCount * MerkleMultiproof.DIGEST_BYTES;
        }
        if (offset - start != proof.length) revert IStarkVerifier.BadLength(offset - start, proof.length);
    }

    /// @dev Shape of every tree: columns, salts, depth; leaves of the column groups, which are one a query.
    function _trees(IAirEvaluator.Shape memory shape, Parameters memory p) private pure returns (Tree[] memory trees) {
        trees = new Tree[](FRI + p.logFolds.length);
        trees[MAIN].columns = shape.main;
        trees[AUX].columns = 5 * shape.aux;
        trees[QUOTIENT].columns = 5 * shape.chunks + 5;
        trees[PREPROCESSED].columns = shape.preprocessed;
        for (uint256 t = 0; t < FRI; ++t) {
            if (trees[t].columns != 0) {
                trees[t].leafCount = p.queries;
                trees[t].depth = p.logCodeword;
                if (t != PREPROCESSED) trees[t].saltBytes = MerkleMultiproof.SALT_BYTES;
            }
        }
        uint256 depth = p.logCodeword;
        for (uint256 j = 0; j < p.logFolds.length; ++j) {
            depth -= p.logFolds[j];
            trees[FRI + j].depth = depth;
            trees[FRI + j].columns = 5 << p.logFolds[j];
        }
    }

    /// @dev Reads the counts at `offset`; returns the offset behind them.
    function _counts(Layout memory sections, uint256 offset, uint256 start, uint256 length)
        private
        pure
        returns (uint256)
    {
        Tree[] memory trees = sections.trees;
        uint256 numbers = 1 + 2 * (trees.length - FRI);
        for (uint256 t = 0; t < FRI; ++t) {
            if (trees[t].columns != 0) ++numbers;
        }
        // Up to here the length must suffice before a count is read.
        uint256 needed = offset - start + 2 * numbers;
        if (length < needed) revert IStarkVerifier.BadLength(needed, length);
        sections.finalCount = _uint16(offset);
        offset += 2;
        for (uint256 t = 0; t < trees.length; ++t) {
            if (trees[t].columns == 0) continue;
            if (t >= FRI) {
                trees[t].leafCount = _uint16(offset);
                offset += 2;
            }
            trees[t].nodeCount = _uint16(offset);
            offset += 2;
        }
        return offset;
    }

    /// @dev Notes every tree's root, those in the proof from `offset`; returns the offset behind them.
    function _roots(Tree[] memory trees, uint256 offset, bytes32 preprocessedRoot) private pure returns (uint256) {
        for (uint256 t = 0; t < trees.length; ++t) {
            if (trees[t].columns == 0) continue;
            if (t == PREPROCESSED) {
                trees[t].root = uint256(preprocessedRoot);
                continue;
            }
            uint256 root;
            assembly ("memory-safe") {
                root := calldataload(offset)
            }
            trees[t].root = root;
            trees[t].rootOffset = offset;
            offset += MerkleMultiproof.DIGEST_BYTES;
        }
        return offset;
    }

    function _uint16(uint256 offset) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(240, calldataload(offset))
        }
    }

    /// @notice Phase 0: reverts with NonCanonicalElement unless every 4-byte element from `from` to `end` is below p.
    /// @dev Eight at a time: v + 2^31 - p reaches bit 31 of its lane if p <= v < 2^31, and v itself if v >= 2^31. A carry out of a lane
    /// comes from such a v only, so `seen` has a top bit if and only if some element is not below p.
    function requireCanonical(uint256 from, uint256 end) internal pure {
        uint256 seen = 0;
        assembly ("memory-safe") {
            let complement := 0x07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff07ffffff
            let offset := from
            for { let last := sub(end, 127) } slt(offset, last) { offset := add(offset, 128) } {
                let word := calldataload(offset)
                seen := or(seen, or(word, add(word, complement)))
                word := calldataload(add(offset, 32))
                seen := or(seen, or(word, add(word, complement)))
                word := calldataload(add(offset, 64))
                seen := or(seen, or(word, add(word, complement)))
                word := calldataload(add(offset, 96))
                seen := or(seen, or(word, add(word, complement)))
            }
            for {} lt(offset, end) { offset := add(offset, 4) } {
                let v := shr(224, calldataload(offset))
                seen := or(seen, or(v, add(v, 0x07ffffff)))
            }
            seen := and(seen, TOP_BITS)
        }
        if (seen != 0) {
            (uint256 index, uint256 value) = firstAbove(from, end);
            revert IStarkVerifier.NonCanonicalElement(index, value);
        }
    }

    /// @notice Number and value of the first 4-byte element from `from` to `end` that is not below p.
    function firstAbove(uint256 from, uint256 end) internal pure returns (uint256 index, uint256 value) {
        for (uint256 offset = from; offset < end; offset += ELEMENT_BYTES) {
            assembly ("memory-safe") {
                value := shr(224, calldataload(offset))
            }
            if (value >= BabyBear.P) return ((offset - from) / ELEMENT_BYTES, value);
        }
    }
}
