"""Provers who deviate from the protocol, each refused by the check that is there for it."""

from dataclasses import replace

import numpy as np
import pytest
from stark_cases import DOMAIN, FULL, case, pretending, rng

from bfl_ref.stark.codec import decode
from bfl_ref.stark.field import EXTENSION_DEGREE, Ext, F, base
from bfl_ref.stark.kernels import FAST
from bfl_ref.stark.params import StarkParams
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import (
    BadGrinding,
    DeepMismatch,
    FinalDegree,
    FinalMismatch,
    FoldMismatch,
    OodMismatch,
    RejectedProof,
)
from bfl_ref.stark.setup import Setup
from bfl_ref.stark.verifier import composition_at, quotient_at, verify


def false_trace(name="fibonacci", cell=(1, 7), by=1):
    c = case(name)
    trace = c.trace.copy()
    trace[cell] += base(by)
    return c, trace


@pytest.mark.parametrize(
    "name, cell", [("fibonacci", (1, 7)), ("poseidon2", (100, 3)), ("membership", (16, 40))]
)
def test_wrong_cell_is_refused_out_of_domain(name, cell):
    c, trace = false_trace(name, cell)
    proof = prove(c.setup, trace, c.public, DOMAIN, kernels=pretending(c.setup))
    with pytest.raises(OodMismatch):
        verify(c.setup, proof, c.public.tolist(), DOMAIN)


def test_wrong_boundary_is_refused_out_of_domain():
    c = case("fibonacci")
    claimed = c.public + base(1)
    proof = prove(c.setup, c.trace, claimed, DOMAIN, kernels=pretending(c.setup))
    with pytest.raises(OodMismatch):
        verify(c.setup, proof, claimed.tolist(), DOMAIN)


def test_lookup_of_a_missing_row_is_refused_out_of_domain():
    """32 is not in the table 0 .. 31, whatever multiplicities are claimed."""
    c = case("ranges")
    trace = c.trace.copy()
    trace[0, 5] = 32
    proof = prove(c.setup, trace, c.public, DOMAIN, kernels=pretending(c.setup))
    with pytest.raises(OodMismatch):
        verify(c.setup, proof, c.public.tolist(), DOMAIN)


def test_lie_at_the_out_of_domain_point_is_refused_by_deep():
    """The cheat opens the one quotient value that makes the identity at z hold for a false trace."""
    c, trace = false_trace()
    kernels, said, drawn = pretending(c.setup), [], []

    def watch(*arguments):
        drawn.append(arguments[-1])
        return kernels.composition(*arguments)

    def lie(coefficients, z):
        values = FAST.evaluate(coefficients, z)
        said.append(values)
        if len(said) == 3:  # main at z, main at g z, chunks at z
            opened = Ext.concatenate(said)
            right = composition_at(c.setup, opened, c.public, said_z[0], drawn[0].alpha, None, None)
            difference = right - quotient_at(c.setup, opened, said_z[0])
            changed = values.coeffs.copy()
            changed[:, 0] += difference.coeffs
            return Ext(changed)
        said_z.append(z)
        return values

    said_z: list[Ext] = []
    proof = prove(c.setup, trace, c.public, DOMAIN, kernels=replace(kernels, composition=watch, evaluate=lie))
    with pytest.raises(DeepMismatch):
        verify(c.setup, proof, c.public.tolist(), DOMAIN)


@pytest.mark.parametrize("layer, refused", [(0, FoldMismatch), (1, FinalMismatch)])
def test_fri_layer_not_folded_from_the_last_is_refused(layer, refused):
    """The codeword put in its place has a low degree too: only the fold check can tell."""
    c, calls = case("fibonacci"), []

    def other(values, x, beta, factor):
        calls.append(factor)
        folded = FAST.fold(values, x, beta, factor)
        return folded + 1 if len(calls) == layer + 1 else folded

    proof = prove(c.setup, c.trace, c.public, DOMAIN, kernels=replace(FAST, fold=other))
    with pytest.raises(refused) as caught:
        verify(c.setup, proof, c.public.tolist(), DOMAIN)
    if refused is FoldMismatch:
        assert caught.value.layer == layer


def test_lookup_of_a_pair_from_two_rows_of_the_table_is_refused():
    """Each value is in the table, and both columns balance alone: lam ties the values of a row together."""
    c = case("squares")
    trace = c.trace.copy()
    trace[1, [0, 1]] = trace[1, [1, 0]]
    proof = prove(c.setup, trace, c.public, DOMAIN, kernels=pretending(c.setup))
    with pytest.raises(OodMismatch):
        verify(c.setup, proof, c.public.tolist(), DOMAIN)


class Generous(StarkParams):
    """The cheat's own parameters: the same bytes, but twice the degree."""

    @property
    def final_coefficients(self) -> int:
        return 2 * super().final_coefficients


def high_degree(c):
    """Kernels that commit to a DEEP polynomial of too high a degree: X^D is added to it."""
    extended = []

    def lde(coefficients, log_length, *shift):
        extended.append(len(coefficients))
        if len(extended) == 3:  # main, quotient, DEEP
            tail = np.ones((len(coefficients), 1), np.uint32)
            coefficients = np.concatenate([coefficients, tail], axis=1).view(F)
        return FAST.lde(coefficients, log_length, *shift)

    return replace(FAST, lde=lde)


def test_final_polynomial_of_too_high_a_degree_is_refused_by_its_length():
    c = case("fibonacci")
    p = c.setup.params
    generous = Generous(p.trace_length, p.log_blowup, p.queries, p.grinding_bits, p.blinding, p.folds)
    own = replace(c.setup, params=generous)
    proof = prove(own, c.trace, c.public, DOMAIN, kernels=high_degree(c))
    assert decode(proof, own.shape).final.coeffs[:, p.final_coefficients :].any()
    with pytest.raises(FinalDegree) as caught:
        verify(c.setup, proof, c.public.tolist(), DOMAIN)
    assert (caught.value.expected, caught.value.got) == (p.final_coefficients, 2 * p.final_coefficients)


def test_final_polynomial_cut_to_the_right_length_is_refused_by_its_values():
    c = case("fibonacci")
    proof = prove(c.setup, c.trace, c.public, DOMAIN, kernels=high_degree(c))
    with pytest.raises(DeepMismatch):  # layer 0 holds what was not opened
        verify(c.setup, proof, c.public.tolist(), DOMAIN)


def test_committed_column_of_too_high_a_degree_is_refused_by_the_final_polynomial():
    """Every layer is folded honestly from the openings; only the last polynomial cannot be sent."""
    c, calls = case("fibonacci"), []

    def lde(coefficients, log_length, *shift):
        calls.append(coefficients)
        if len(calls) == 2:  # the mask R, part of the quotient group, gets X^D
            tail = np.zeros((len(coefficients), 1), np.uint32)
            tail[-EXTENSION_DEGREE:] = 1
            coefficients = np.concatenate([coefficients, tail], axis=1).view(F)
        if len(calls) == 3:
            coefficients = np.concatenate([coefficients, np.ones((5, 1), np.uint32)], axis=1).view(F)
        return FAST.lde(coefficients, log_length, *shift)

    proof = prove(c.setup, c.trace, c.public, DOMAIN, kernels=replace(FAST, lde=lde))
    with pytest.raises(FinalMismatch):
        verify(c.setup, proof, c.public.tolist(), DOMAIN)


class Forgetful(Setup):
    """A transcript that skips the public inputs."""

    def binding(self, public, domain, data=b""):
        return super().binding(public[:0], domain)


class Homeless(Setup):
    """A transcript that skips the domain."""

    def binding(self, public, domain, data=b""):
        return super().binding(public, type(domain)())


@pytest.mark.parametrize("cheat", [Forgetful, Homeless])
def test_transcript_that_skips_public_inputs_or_domain_is_refused(cheat):
    c = case("fibonacci")
    own = cheat(**vars(c.setup))
    proof = prove(own, c.trace, c.public, DOMAIN)
    verify(own, proof, c.public.tolist(), DOMAIN)
    with pytest.raises(OodMismatch):
        verify(c.setup, proof, c.public.tolist(), DOMAIN)


def test_prover_who_does_not_grind_is_refused():
    """Own parameters ask for no grinding; bytes and transcript claim the verifier's."""
    c, refused = case("fibonacci"), 0
    right = c.setup.params.to_bytes()

    class Claiming(Setup):
        def binding(self, public, domain, data=b""):
            return super().binding(public, domain).replace(self.params.to_bytes(), right, 1)

    own = Claiming(**vars(c.setup) | {"params": replace(c.setup.params, grinding_bits=0)})
    for seed in range(8):
        proof = prove(own, c.trace, c.public, DOMAIN, rng=rng(seed))
        try:
            verify(c.setup, proof[:1] + right + proof[1 + len(right) :], c.public.tolist(), DOMAIN)
        except BadGrinding:
            refused += 1
    assert refused >= 4  # the nonce 0 does for one transcript in 16


@pytest.mark.parametrize("seed", range(200 if FULL else 10))
def test_random_false_traces_are_never_accepted(seed):
    """Any cell of any column changed by any amount; fibonacci's free last cell b_(n-1) apart."""
    random = np.random.default_rng(seed)
    c, trace = false_trace(
        "fibonacci", (random.integers(2), random.integers(31)), int(random.integers(1, F.order))
    )
    proof = prove(c.setup, trace, c.public, DOMAIN, kernels=pretending(c.setup))
    with pytest.raises(RejectedProof):
        verify(c.setup, proof, c.public.tolist(), DOMAIN)
