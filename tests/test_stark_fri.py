"""FRI: folding against its definition, honest openings accepted, every kind of lie refused by name."""

import secrets
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark import fri
from bfl_ref.stark.codec import Proof
from bfl_ref.stark.field import Ext, P, base, random_base
from bfl_ref.stark.params import StarkParams
from bfl_ref.stark.poly import coset, evaluate_ext, lde
from bfl_ref.stark.rejections import (
    BadMerklePath,
    DeepMismatch,
    FinalDegree,
    FinalMismatch,
    FoldMismatch,
    RejectedProof,
)
from bfl_ref.stark.transcript import Transcript

PARAMS = StarkParams(64, 2, 12, 0, 64, (4, 2, 8))


def random_ext(*shape: int) -> Ext:
    return Ext(random_base((5, *shape), secrets.token_bytes))


def codeword_of(coefficients: Ext, params: StarkParams = PARAMS) -> Ext:
    return Ext(lde(coefficients.coeffs, params.log_length))


def prove(codeword: Ext, params: StarkParams = PARAMS, change=lambda committed: committed) -> Proof:
    """Only what FRI reads of a proof. change: what a dishonest prover does after its commitments."""
    transcript = Transcript(b"fri")
    committed = change(fri.commit(codeword, params, transcript))
    positions = transcript.draw_positions(params.queries, params.log_length)
    roots = tuple(tree.root for tree in committed.trees)
    layers = fri.open_layers(committed, params, positions)
    return Proof(0, {}, roots, random_ext(0), committed.final, {}, layers)


def check(proof: Proof, codeword: Ext, params: StarkParams = PARAMS) -> None:
    """Phases 6 and 8, in the verifier's order; `codeword` stands for the DEEP values."""
    transcript = Transcript(b"fri")
    betas = fri.replay(proof, params, transcript)
    positions = transcript.draw_positions(params.queries, params.log_length)
    fri.check_paths(proof, params, positions)
    fri.check_folds(proof, params, positions, betas, codeword[positions])


@given(st.sampled_from([2, 4, 8, 16]), st.integers(0, 3))
@settings(deadline=None, max_examples=20)
def test_fold_of_codeword_is_codeword_of_combined_coefficients(factor, extra):
    """f = sum_j x^j f_j(x^factor): coefficient i of the fold is sum_j beta^j c_(factor i + j)."""
    log_length = factor.bit_length() + extra
    coefficients, beta = random_ext(factor * 3), random_ext()
    if len(coefficients) > 1 << log_length:
        log_length = len(coefficients).bit_length()
    folded = fri.fold(Ext(lde(coefficients.coeffs, log_length)), coset(log_length), beta, factor)
    parts = coefficients.reshape(3, factor) * beta.powers(factor)
    points = coset(log_length - factor.bit_length() + 1, pow(31, factor, P))
    assert folded == evaluate_ext(parts.sum(), Ext.lift(points))


@pytest.mark.parametrize(
    "params", [PARAMS, StarkParams(8, 3, 2, 0, 24, (2,)), StarkParams(32, 3, 9, 0, 64, (32,))]
)
def test_honest_low_degree_codeword_is_accepted(params):
    codeword = codeword_of(random_ext(params.degree_bound), params)
    check(prove(codeword, params), codeword, params)


def test_codeword_of_one_degree_too_many_is_refused():
    """The final polynomial is cut to its allowed length, so it cannot agree with the last layer everywhere."""
    codeword = codeword_of(random_ext(PARAMS.degree_bound + 1))
    with pytest.raises(FinalMismatch):
        check(prove(codeword), codeword)


def test_final_polynomial_of_too_high_a_degree_is_refused():
    codeword = codeword_of(random_ext(PARAMS.degree_bound))
    proof = prove(codeword)
    for final in [Ext.concatenate([proof.final, random_ext(1)]), proof.final[:-1]]:
        with pytest.raises(FinalDegree, match=f"expected 2 final coefficients, got {len(final)}"):
            check(replace(proof, final=final), codeword)


def test_final_polynomial_that_was_not_committed_is_refused():
    codeword = codeword_of(random_ext(PARAMS.degree_bound))
    proof = prove(codeword)
    with pytest.raises((FinalMismatch, BadMerklePath)):  # other positions are drawn: openings cannot fit
        check(replace(proof, final=proof.final + 1), codeword)


def test_layer_that_is_no_fold_of_the_last_is_refused(monkeypatch):
    honest = fri.fold
    calls = []

    def dishonest(values, x, beta, factor):
        calls.append(factor)
        return honest(values, x, beta, factor) + (1 if len(calls) == 2 else 0)

    codeword = codeword_of(random_ext(PARAMS.degree_bound))
    transcript = Transcript(b"fri")
    committed = fri.commit(codeword, PARAMS, transcript, fold=dishonest)
    positions = transcript.draw_positions(PARAMS.queries, PARAMS.log_length)
    roots = tuple(tree.root for tree in committed.trees)
    layers = fri.open_layers(committed, PARAMS, positions)
    proof = Proof(0, {}, roots, random_ext(0), committed.final, {}, layers)
    with pytest.raises(FoldMismatch, match="layer 1") as caught:
        check(proof, codeword)
    assert caught.value.layer == 1


def test_layer_zero_that_is_not_the_deep_combination_is_refused():
    codeword = codeword_of(random_ext(PARAMS.degree_bound))
    other = codeword_of(random_ext(PARAMS.degree_bound))
    with pytest.raises(DeepMismatch):
        check(prove(other), codeword)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_changed_leaf_or_node_or_root_is_refused_in_its_layer(layer):
    codeword = codeword_of(random_ext(PARAMS.degree_bound))
    proof = prove(codeword)
    opening = proof.layers[layer]
    bump = Ext(np.zeros((5, *opening.leaves.shape), dtype=np.uint32).view(type(base(0))))
    bump.coeffs[0, 0, 0] = 1
    for changed in [
        replace(opening, leaves=opening.leaves + bump),
        replace(opening, leaves=opening.leaves[1:]),
        replace(opening, leaves=opening.leaves[:0]),
        replace(opening, nodes=opening.nodes[:-1] if len(opening.nodes) else random_nodes()),
        replace(opening, nodes=np.concatenate([opening.nodes, random_nodes()])),
    ]:
        layers = (*proof.layers[:layer], changed, *proof.layers[layer + 1 :])
        with pytest.raises(BadMerklePath, match=f"^fri {layer}: expected"):
            check(replace(proof, layers=layers), codeword)
    roots = (*proof.fri_roots[:layer], bytes(26), *proof.fri_roots[layer + 1 :])
    with pytest.raises(RejectedProof):
        check(replace(proof, fri_roots=roots), codeword)


def random_nodes() -> np.ndarray:
    return np.frombuffer(secrets.token_bytes(26), dtype=np.uint8).reshape(1, 26)


def test_openings_hold_every_distinct_leaf_once():
    positions = np.array([0, 1, 2, 5, 40, 41, 255])
    first, second, third = fri.leaf_positions(PARAMS, positions)
    assert first.tolist() == [0, 1, 10, 63] and second.tolist() == [0, 5, 31] and third.tolist() == [0, 3]
