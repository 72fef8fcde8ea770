// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAirEvaluator} from "../interfaces/IAirEvaluator.sol";
import {IStarkVerifier} from "../interfaces/IStarkVerifier.sol";
import {BabyBear} from "./BabyBear.sol";
import {Deep} from "./Deep.sol";
import {Fri} from "./Fri.sol";
import {MerkleMultiproof} from "./MerkleMultiproof.sol";
import {ProofLayout} from "./ProofLayout.sol";
import {Quintic} from "./Quintic.sol";
import {Transcript} from "./Transcript.sol";

/// @notice The verifier of one statement. A new statement brings a new evaluator; this code stays.
/// @dev Phases numbered as in docs/proof-format.md and bfl_ref/stark/verifier.py.
contract StarkVerifier is IStarkVerifier {
    using Quintic for uint256;

    /// @notice The AIR, generated.
    IAirEvaluator public immutable EVALUATOR;
    /// @notice The parameters' bytes, left-aligned, as every proof must carry them.
    bytes32 public immutable PARAMETERS;

    /// @notice What phases 1 to 7 leave for the openings.
    struct Challenges {
        uint256 z;
        uint256 nextZ; // g z
        uint256 gamma;
        uint256[] betas;
        uint256[] positions;
    }

    /// @param evaluator Generated contract of the AIR.
    /// @dev Whether the parameters are sound is for whoever relies on this contract to read: StarkParams in Python refuses those that
    /// are not.
    /// @param parameterWord log2 n, log2 blow-up, queries, grinding, blinding (2 bytes), number of folds, log2 of each; left-aligned.
    constructor(IAirEvaluator evaluator, bytes32 parameterWord) {
        // Check: the parameters are for this AIR's trace length.
        if (uint8(parameterWord[0]) != evaluator.shape().logLength) {
            revert WrongParameters(bytes32(evaluator.shape().logLength << 248), parameterWord);
        }
        EVALUATOR = evaluator;
        PARAMETERS = parameterWord;
    }

    /// @inheritdoc IStarkVerifier
    function verify(bytes calldata proof, Domain calldata domain, uint256[] calldata publicInputs)
        external
        view
        virtual
    {
        _verify(proof, domain, publicInputs, msg.data[:0]);
    }

    /// @dev All phases. data: none but in DataVerifier.
    function _verify(bytes calldata proof, Domain calldata domain, uint256[] calldata publicInputs, bytes calldata data)
        internal
        view
    {
        IAirEvaluator.Shape memory shape = EVALUATOR.shape();
        ProofLayout.Parameters memory p = ProofLayout.parameters(PARAMETERS);
        _checkHeader(proof);
        bytes memory inputs = bytes.concat(_packInputs(publicInputs, shape.publicInputs), _boundData(data, shape));
        (bytes32 state, ProofLayout.Layout memory sections) = _bind(proof, domain, inputs, shape, p);
        (sections.data, sections.dataBytes) = (_offset(data), data.length);
        Challenges memory drawn = _interact(state, sections, shape, p, publicInputs);
        uint256[][] memory leaves = _checkPaths(sections.trees, drawn.positions, p.logFolds);
        Fri.Domain memory points = Fri.domain(p.logCodeword);
        _checkDeep(sections, drawn, points, p.logFolds[0]);
        _checkFolds(sections, drawn.betas, leaves, p.logFolds, points);
    }

    /// @dev Phase 0: version and parameters.
    function _checkHeader(bytes calldata proof) private view {
        uint256 paramBytes = ProofLayout.parameterBytes(PARAMETERS);
        if (proof.length != 0 && uint8(proof[0]) != ProofLayout.VERSION) revert BadVersion(uint8(proof[0]));
        if (proof.length < 1 + paramBytes) revert BadLength(1 + paramBytes, proof.length);
        uint256 unused = 256 - 8 * paramBytes;
        bytes32 got = bytes32(uint256(bytes32(proof[1:])) >> unused << unused);
        if (got != PARAMETERS) revert WrongParameters(PARAMETERS, got);
    }

    /// @dev Phase 0, of a statement with data: their length is right; returns what the first state binds of them.
    function _boundData(bytes calldata data, IAirEvaluator.Shape memory shape)
        internal
        view
        virtual
        returns (bytes memory)
    {}

    /// @dev Phase 0: everything that the proof is about, into the transcript's first state.
    /// @param inputs The bytes that stand for public inputs and data.
    function _bind(
        bytes calldata proof,
        Domain calldata domain,
        bytes memory inputs,
        IAirEvaluator.Shape memory shape,
        ProofLayout.Parameters memory p
    ) private view returns (bytes32 state, ProofLayout.Layout memory sections) {
        uint256 paramBytes = ProofLayout.parameterBytes(PARAMETERS);
        sections = ProofLayout.locate(proof, shape, p, paramBytes);
        ProofLayout.requireCanonical(sections.opened, sections.elementsEnd);
        bytes memory about = abi.encodePacked("bfl_ref/stark/1", shape.airId, proof[1:1 + paramBytes]);
        state = keccak256(bytes.concat(about, abi.encode(domain), inputs));
    }

    /// @dev Number of public inputs (2 bytes), then each as 4 bytes.
    function _packInputs(uint256[] calldata publicInputs, uint256 expected) private pure returns (bytes memory packed) {
        if (publicInputs.length != expected) revert BadPublicInput(publicInputs.length, 0);
        packed = new bytes(2 + 4 * expected);
        assembly ("memory-safe") {
            mstore(add(packed, 32), shl(240, expected))
        }
        for (uint256 i = 0; i < expected; ++i) {
            uint256 input = publicInputs[i];
            if (input >= BabyBear.P) revert BadPublicInput(i, input);
            assembly ("memory-safe") {
                // Four bytes; the 28 zero bytes behind them are the next inputs' place, or fresh memory behind the last.
                mstore(add(add(packed, 34), mul(4, i)), shl(224, input))
            }
        }
    }

    /// @dev Phases 1 to 7: absorb what the prover sent, draw what it had to answer.
    function _interact(
        bytes32 state,
        ProofLayout.Layout memory sections,
        IAirEvaluator.Shape memory shape,
        ProofLayout.Parameters memory p,
        uint256[] calldata publicInputs
    ) private view returns (Challenges memory drawn) {
        ProofLayout.Tree[] memory trees = sections.trees;
        // Phase 1: main trace.
        state = _absorbRoot(state, Transcript.TAG_MAIN, trees[ProofLayout.MAIN]);
        // Phase 2: lookups.
        uint256[4] memory challenges; // beta, lam, alpha, z
        // none without lookups
        // slither-disable-next-line uninitialized-local
        uint256[] memory sums;
        if (shape.aux != 0) {
            challenges[0] = Transcript.drawElement(state, 0);
            challenges[1] = Transcript.drawElement(state, 1);
            sums = _dataSums(sections, challenges[1]);
            state = _absorbRoot(state, Transcript.TAG_AUX, trees[ProofLayout.AUX]);
        }
        // Phase 3: composition.
        challenges[2] = Transcript.drawElement(state, 0);
        state = _absorbRoot(state, Transcript.TAG_QUOTIENT, trees[ProofLayout.QUOTIENT]);
        // Phase 4: out of domain.
        drawn.z = challenges[3] = Transcript.drawElement(state, 0);
        drawn.nextZ = Quintic.canonical(Quintic.scale(drawn.z, BabyBear.rootOfUnity(shape.logLength)));
        state = Transcript.absorb(state, Transcript.TAG_OPENED, sections.opened, sections.openedBytes);
        _checkOutOfDomain(sections.opened, sums, challenges, shape, publicInputs);
        // Phase 5: DEEP.
        drawn.gamma = Transcript.drawElement(state, 0);
        // Phase 6: FRI.
        drawn.betas = new uint256[](p.logFolds.length);
        for (uint256 j = 0; j < drawn.betas.length; ++j) {
            state = _absorbRoot(state, Transcript.TAG_FRI_ROOT, trees[ProofLayout.FRI + j]);
            drawn.betas[j] = Transcript.drawElement(state, 0);
        }
        if (sections.finalCount != p.finalCoefficients) revert FinalDegree(p.finalCoefficients, sections.finalCount);
        state = Transcript.absorb(
            state, Transcript.TAG_FINAL, sections.finals, ProofLayout.EXTENSION_BYTES * sections.finalCount
        );
        // Phase 7: queries.
        uint256 nonce = _word(sections.nonce) >> 192;
        state = Transcript.absorbNonce(state, nonce);
        if (p.grinding != 0 && uint256(state) >> (256 - p.grinding) != 0) revert BadGrinding(p.grinding, nonce);
        drawn.positions = Transcript.drawPositions(state, p.queries, p.logCodeword);
    }

    /// @dev Phase 2, of a statement with data: their sum T, which the evaluator reads behind the opened columns.
    function _dataSums(ProofLayout.Layout memory sections, uint256 lam)
        internal
        view
        virtual
        returns (uint256[] memory)
    {}

    function _absorbRoot(bytes32 state, uint256 tag, ProofLayout.Tree memory tree) private pure returns (bytes32) {
        return Transcript.absorb(state, tag, tree.rootOffset, MerkleMultiproof.DIGEST_BYTES);
    }

    /// @dev Phase 4: sum_j alpha^j c_j(z) / Z_j(z) = sum_i z^(i n) q_i(z).
    function _checkOutOfDomain(
        uint256 opened,
        uint256[] memory sums,
        uint256[4] memory challenges,
        IAirEvaluator.Shape memory shape,
        uint256[] calldata publicInputs
    ) private view {
        unchecked {
            uint256 count = 2 * (shape.preprocessed + shape.main + 5 * shape.aux);
            uint256[] memory columns = new uint256[](count + sums.length);
            for (uint256 i = 0; i < count; ++i) {
                columns[i] = Quintic.unpack(_word(opened + ProofLayout.EXTENSION_BYTES * i));
            }
            if (sums.length != 0) columns[count] = sums[0];
            uint256 composition = EVALUATOR.composition(challenges, columns, publicInputs);

            uint256 zToN = challenges[3];
            for (uint256 i = 0; i < shape.logLength; ++i) {
                zToN = zToN.mul(zToN);
            }
            uint256 offset = opened + ProofLayout.EXTENSION_BYTES * count;
            uint256 quotient = 0;
            for (uint256 i = shape.chunks; i > 0; --i) {
                uint256 chunk = _chunk(offset + 5 * ProofLayout.EXTENSION_BYTES * (i - 1));
                quotient = quotient.mul(zToN) + chunk;
                quotient = quotient.reduce();
            }
            if (!Quintic.equal(composition, quotient)) revert OodMismatch();
        }
    }

    /// @dev A quotient chunk at z from its five base columns there: sum_t X^t v_t. Reduced.
    function _chunk(uint256 offset) private pure returns (uint256 chunk) {
        unchecked {
            for (uint256 t = 0; t < 5; ++t) {
                chunk += Quintic.timesX(Quintic.unpack(_word(offset + ProofLayout.EXTENSION_BYTES * t)), t);
            }
            return chunk.reduce();
        }
    }

    /// @dev Phase 8, Merkle: every opened leaf is under its root. Returns, per FRI layer, the indices of the leaves that the
    /// positions need, ascending.
    function _checkPaths(ProofLayout.Tree[] memory trees, uint256[] memory positions, uint256[] memory logFolds)
        private
        pure
        returns (uint256[][] memory leaves)
    {
        leaves = new uint256[][](logFolds.length);
        for (uint256 t = 0; t < ProofLayout.FRI; ++t) {
            if (trees[t].columns != 0) _checkTree(trees[t], t, positions);
        }
        for (uint256 j = 0; j < logFolds.length; ++j) {
            leaves[j] = _parents(j == 0 ? positions : leaves[j - 1], logFolds[j]);
            _checkTree(trees[ProofLayout.FRI + j], ProofLayout.FRI + j, leaves[j]);
        }
    }

    function _checkTree(ProofLayout.Tree memory tree, uint256 number, uint256[] memory indices) private pure {
        if (tree.leafCount != indices.length) revert BadMerklePath(number);
        uint256[] memory known = MerkleMultiproof.hashLeaves(
            indices, tree.leaves, ProofLayout.ELEMENT_BYTES * tree.columns, tree.salts, tree.saltBytes
        );
        if (!MerkleMultiproof.leadsToRoot(known, tree.depth, tree.nodes, tree.nodeCount, tree.root)) {
            revert BadMerklePath(number);
        }
    }

    /// @dev The distinct values of index >> shift, ascending as the indices are.
    function _parents(uint256[] memory indices, uint256 shift) private pure returns (uint256[] memory parents) {
        parents = new uint256[](indices.length);
        uint256 count = 0;
        for (uint256 i = 0; i < indices.length; ++i) {
            uint256 parent = indices[i] >> shift;
            if (count == 0 || parents[count - 1] != parent) parents[count++] = parent;
        }
        assembly ("memory-safe") {
            mstore(parents, count) // shorter than allocated
        }
    }

    /// @dev Phase 8, DEEP: layer 0 is G at every position, computed from the opened columns.
    function _checkDeep(
        ProofLayout.Layout memory sections,
        Challenges memory drawn,
        Fri.Domain memory points,
        uint256 logFold
    ) private pure {
        unchecked {
            uint256[] memory positions = drawn.positions;
            Deep.Combination memory c = Deep.combination(drawn.gamma, sections.opened, sections.trees);
            Fri.Cursor memory held = Fri.cursor(sections.trees[ProofLayout.FRI].leaves, logFold);
            for (uint256 i = 0; i < positions.length; ++i) {
                uint256 x = BabyBear.pointAt(points.offset, points.points, positions[i]);
                uint256 value = Fri.valueAt(held, positions[i]);
                if (!Deep.agrees(c, sections.trees, i, value, x.sub(drawn.z), x.sub(drawn.nextZ))) {
                    revert DeepMismatch(positions[i]);
                }
            }
        }
    }

    /// @dev Phase 8, FRI: every opened leaf folds to what the next layer, at last the final polynomial, holds there.
    function _checkFolds(
        ProofLayout.Layout memory sections,
        uint256[] memory betas,
        uint256[][] memory leaves,
        uint256[] memory logFolds,
        Fri.Domain memory points
    ) private pure {
        unchecked {
            uint256 last = betas.length - 1;
            for (uint256 j = 0; j <= last; ++j) {
                uint256 logFold = logFolds[j];
                uint256[] memory indices = leaves[j];
                uint256[] memory folded =
                    Fri.foldLeaves(sections.trees[ProofLayout.FRI + j].leaves, indices, logFold, betas[j], points);
                Fri.halve(points, logFold);
                if (j == last) {
                    uint256[] memory ends = Fri.evaluate(sections.finals, sections.finalCount, indices, points);
                    for (uint256 i = 0; i < indices.length; ++i) {
                        if (!Quintic.equal(ends[i] << logFold, folded[i])) revert FinalMismatch(indices[i]);
                    }
                } else {
                    Fri.Cursor memory held = Fri.cursor(sections.trees[ProofLayout.FRI + j + 1].leaves, logFolds[j + 1]);
                    for (uint256 i = 0; i < indices.length; ++i) {
                        if (!Quintic.equal(Fri.valueAt(held, indices[i]) << logFold, folded[i])) {
                            revert FoldMismatch(j, indices[i]);
                        }
                    }
                }
            }
        }
    }

    function _offset(bytes calldata data) private pure returns (uint256 offset) {
        assembly ("memory-safe") {
            offset := data.offset
        }
    }

    function _word(uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(offset)
        }
    }
}
