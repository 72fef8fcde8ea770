"""FRI: a committed codeword over E is close to a polynomial of fewer than D coefficients.

Each layer commits to a codeword, a leaf holding the f neighbouring values that fold together; the last fold
is sent as a polynomial in clear, whose number of coefficients is checked. Phases 6 and 8 of
docs/proof-format.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import merkle
from .codec import LayerOpening, Proof
from .field import EXTENSION_DEGREE, GENERATOR, Ext, F, P, base, batch_inverse
from .merkle import Nodes, Tree
from .params import StarkParams
from .poly import coset, evaluate_ext, interpolate
from .rejections import DeepMismatch, FinalDegree, FinalMismatch, FoldMismatch
from .transcript import TAG_FINAL, TAG_FRI_ROOT, Transcript


@dataclass(frozen=True)
class Committed:
    """The prover's side of phase 6. layers: codewords before each fold; final: Ext (final_coefficients,)."""

    layers: tuple[Ext, ...]
    trees: tuple[Tree, ...]
    final: Ext


def halve(codeword: Ext, x: F, beta: Ext) -> Ext:
    """f*(x^2) = (f(x) + f(-x))/2 + beta (f(x) - f(-x))/(2x): even part plus beta times odd part.

    codeword: (..., 2k), values at x and -x side by side. x: (..., k), the first point of each pair, never 0.
    Returns (..., k), the value at x^2 of each pair. Source: ePrint 2019/336, section 3.
    """
    left, right = codeword[..., 0::2], codeword[..., 1::2]
    half = base(pow(2, -1, P))
    return (left + right) * half + (left - right) * (half * batch_inverse(x)) * beta


def fold(values: Ext, x: F, beta: Ext, factor: int) -> Ext:
    """f*(y) = sum_j beta^j f_j(y), where f(x) = sum_j x^j f_j(x^factor).

    The same as log2 factor halvings with beta, beta^2, beta^4, ...

    values: (..., factor k), bit-reversed; x: the points of the same shape. Returns (..., k), at y = x^factor.
    """
    while factor > 1:
        x = x[..., 0::2]
        values = halve(values, x, beta)
        x, beta, factor = x * x, beta * beta, factor // 2
    return values


def layer_columns(codeword: Ext, factor: int) -> np.ndarray:
    """A layer as merkle.hash_leaves wants it: (5 factor, leaves) uint32, `factor` neighbours a leaf."""
    grouped = codeword.coeffs.view(np.ndarray).reshape(EXTENSION_DEGREE, -1, factor)
    return np.ascontiguousarray(grouped.transpose(2, 0, 1)).reshape(EXTENSION_DEGREE * factor, -1)


def commit(
    codeword: Ext,
    params: StarkParams,
    transcript: Transcript,
    hash_leaves: Callable[..., Nodes] = merkle.hash_leaves,
    hash_nodes: Callable[[Nodes], Nodes] = merkle.hash_nodes,
    fold: Callable[[Ext, F, Ext, int], Ext] = fold,
) -> Committed:
    """Phase 6, prover: commit to each layer, fold it with the drawn beta, send the last one as coefficients.

    codeword: (N,), bit-reversed on the evaluation coset, of a polynomial with at most D coefficients.
    """
    layers, trees, log_length, shift = [], [], params.log_length, GENERATOR
    for factor, log_factor in zip(params.folds, params.log_folds, strict=True):
        tree = merkle.build(hash_leaves(layer_columns(codeword, factor), None), hash_nodes)
        layers.append(codeword)
        trees.append(tree)
        transcript.absorb(TAG_FRI_ROOT, tree.root)
        codeword = fold(codeword, coset(log_length, shift), transcript.draw_element(), factor)
        log_length, shift = log_length - log_factor, pow(shift, factor, P)
    final = Ext(interpolate(codeword.coeffs, shift))[: params.final_coefficients]
    transcript.absorb(TAG_FINAL, final.to_bytes())
    return Committed(tuple(layers), tuple(trees), final)


def open_layers(committed: Committed, params: StarkParams, positions: np.ndarray) -> tuple[LayerOpening, ...]:
    """Phase 8, prover: of each layer the leaves that the positions fold through, and their multiproof."""
    openings = []
    for codeword, tree, leaves in zip(
        committed.layers, committed.trees, leaf_positions(params, positions), strict=True
    ):
        rows = codeword.reshape(len(tree.levels[0]), -1)
        openings.append(LayerOpening(rows[leaves], tree.open(leaves)))
    return tuple(openings)


def leaf_positions(params: StarkParams, positions: np.ndarray) -> list[np.ndarray]:
    """Of each layer the distinct leaves P >> (log2 f_0 + ... + log2 f_j), ascending."""
    return [np.unique(positions >> int(s)) for s in np.cumsum(params.log_folds)]


def replay(proof: Proof, params: StarkParams, transcript: Transcript) -> list[Ext]:
    """Phase 6, verifier: the betas. FinalDegree if the final polynomial has not exactly the allowed length."""
    betas = []
    for root in proof.fri_roots:
        transcript.absorb(TAG_FRI_ROOT, root)
        betas.append(transcript.draw_element())
    if len(proof.final) != params.final_coefficients:
        raise FinalDegree(params.final_coefficients, len(proof.final))
    transcript.absorb(TAG_FINAL, proof.final.to_bytes())
    return betas


def check_paths(proof: Proof, params: StarkParams, positions: np.ndarray) -> None:
    """Phase 8, first part: BadMerklePath("fri j") unless every opened leaf leads to its layer's root."""
    depth = params.log_length
    for j, leaves in enumerate(leaf_positions(params, positions)):
        depth -= params.log_folds[j]
        opening = proof.layers[j]
        columns = opening.leaves.elements().reshape(-1, EXTENSION_DEGREE * params.folds[j]).T
        digests = merkle.hash_leaves(columns)
        merkle.check_paths(f"fri {j}", proof.fri_roots[j], depth, leaves, digests, opening.nodes)


def check_folds(
    proof: Proof, params: StarkParams, positions: np.ndarray, betas: list[Ext], deep: Ext
) -> None:
    """Phase 8, second part, after every Merkle path: layer 0 holds `deep`, each layer folds to the next one.

    positions: (queries,) ascending. deep: Ext (queries,), G at the positions from the opened columns.
    DeepMismatch, FoldMismatch(layer), FinalMismatch.
    """
    at, values, log_length, shift = positions, deep, params.log_length, GENERATOR
    for j, (factor, log_factor) in enumerate(zip(params.folds, params.log_folds, strict=True)):
        leaves = np.unique(at >> log_factor)
        opened = proof.layers[j].leaves
        held = opened[np.searchsorted(leaves, at >> log_factor), at & (factor - 1)]
        wrong = ~held.equals(values)
        if wrong.any():
            where = int(at[wrong.argmax()])
            raise DeepMismatch(where) if j == 0 else FoldMismatch(j - 1, where)
        points = coset(log_length, shift).reshape(-1, factor)[leaves].view(F)
        values = fold(opened, points, betas[j], factor)[:, 0]
        at, log_length, shift = leaves, log_length - log_factor, pow(shift, factor, P)
    ends = coset(log_length, shift)[at]
    wrong = ~evaluate_ext(proof.final, Ext.lift(ends)).equals(values)
    if wrong.any():
        raise FinalMismatch(int(at[wrong.argmax()]))
