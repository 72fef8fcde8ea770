"""Statements with public data: what the trace lists is what both sides know, element by element, in order."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from stark_cases import DOMAIN, PAIRS, Sums, case, elements, pretending, rng, toy

from bfl_ref.stark import public_data
from bfl_ref.stark.air import Air, quotient_degree
from bfl_ref.stark.field import Ext, F, base, from_bytes, to_bytes
from bfl_ref.stark.kernels import FAST
from bfl_ref.stark.lookup import Fraction
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import BadPublicData, OodMismatch
from bfl_ref.stark.setup import Setup
from bfl_ref.stark.trace import check_trace
from bfl_ref.stark.transcript import Transcript
from bfl_ref.stark.verifier import verify

DATA = case("sums").data
ROW = 8  # bytes
OTHERS = {
    "changed": DATA[:-1] + b"\x07",
    "reordered rows": DATA[ROW : 2 * ROW] + DATA[:ROW] + DATA[2 * ROW :],
    "reordered in a row": DATA[:ROW] + DATA[ROW + 4 : 2 * ROW] + DATA[ROW : ROW + 4] + DATA[2 * ROW :],
    "truncated": DATA[:-ROW],
    "without the first row": DATA[ROW:],  # of zeros
    "extended": DATA + bytes(ROW),
    "extended in front": bytes(ROW) + DATA,
    "none": b"",
}


@cache
def honest() -> bytes:
    c = case("sums")
    return prove(c.setup, c.trace, c.public, DOMAIN, c.data, rng=rng(3))


def check(data: bytes, proof: bytes | None = None) -> None:
    c = case("sums")
    verify(c.setup, proof or honest(), c.public.tolist(), DOMAIN, data)


@pytest.mark.parametrize("how", OTHERS)
def test_verify_other_data_is_refused_out_of_domain(how):
    with pytest.raises(OodMismatch):
        check(OTHERS[how])


@pytest.mark.parametrize("how", OTHERS)
def test_verify_proof_of_a_prover_who_claims_other_data_is_refused(how):
    """The cheat's transcript binds the data that it claims, so only the sum in lam can tell."""
    c = case("sums")
    proof = prove(c.setup, c.trace, c.public, DOMAIN, OTHERS[how], kernels=pretending(c.setup))
    with pytest.raises(OodMismatch):
        check(OTHERS[how], proof)


@pytest.mark.parametrize("how", OTHERS)
def test_prove_other_data_than_the_trace_lists_is_refused_before_anything_is_said(how):
    c = case("sums")
    with pytest.raises(ValueError, match="trace breaks sums: data: "):
        prove(c.setup, c.trace, c.public, DOMAIN, OTHERS[how])


@pytest.mark.parametrize("size", [1, 4, ROW + 4, 31 * ROW + 4, 32 * ROW])
def test_wrong_length_is_bad_public_data_and_a_provers_value_error(size):
    """32 rows, of which the last can carry none."""
    c = case("sums")
    with pytest.raises(BadPublicData) as caught:
        check(bytes(size))
    assert (caught.value.index, caught.value.value) == (size, 0)
    with pytest.raises(ValueError, match=f"up to 31 rows of 2 elements; got {size} bytes"):
        prove(c.setup, c.trace, c.public, DOMAIN, bytes(size))


@pytest.mark.parametrize("value", [F.order, F.order + 31, 2**32 - 1])
def test_element_not_below_p_is_bad_public_data(value):
    """31 and 31 + p are the same in F, but only one of them is data."""
    c = case("sums")
    data = DATA[:ROW] + value.to_bytes(4, "big") + DATA[ROW + 4 :]
    with pytest.raises(BadPublicData) as caught:
        check(data)
    assert (caught.value.index, caught.value.value) == (2, value)
    with pytest.raises(ValueError, match=f"element 2 is {value}"):
        prove(c.setup, c.trace, c.public, DOMAIN, data)


def test_data_of_a_statement_without_any_are_bad_public_data():
    c = case("squares")
    proof = prove(c.setup, c.trace, c.public, DOMAIN)
    with pytest.raises(BadPublicData):
        verify(c.setup, proof, [], DOMAIN, bytes(4))
    with pytest.raises(ValueError, match="got 4 bytes"):
        prove(c.setup, c.trace, c.public, DOMAIN, bytes(4))


@pytest.mark.parametrize("rows", [[], [0], [30], list(range(31))])
def test_prove_any_number_of_rows_wherever_they_stand(rows):
    c, air = case("sums"), Sums()
    pairs = np.arange(2 * len(rows)).reshape(-1, 2) % 32
    trace, data = air.trace(pairs, rows), to_bytes(base(pairs))
    public = air.public_inputs_of(trace)
    check_trace(air, trace, public, data)
    verify(c.setup, prove(c.setup, trace, public, DOMAIN, data), public.tolist(), DOMAIN, data)


def test_prove_datum_on_the_last_row_is_refused():
    """The running sum has no step there: the verifier's data would lack it."""
    c, air = case("sums"), Sums()
    trace = air.trace(PAIRS, [0, 1, 2, 7, 8, 25, 31])
    with pytest.raises(ValueError, match="row 31, the last, cannot carry a datum"):
        check_trace(air, trace, air.public_inputs_of(trace), DATA)
    shorter = DATA[:-ROW]
    proof = prove(c.setup, trace, air.public_inputs_of(trace), DOMAIN, shorter)
    verify(c.setup, proof, air.public_inputs_of(trace).tolist(), DOMAIN, shorter)


def test_check_trace_names_the_first_wrong_row_and_element():
    c = case("sums")
    for data, message in {
        OTHERS["changed"]: "row 30 says 1, element 13 is 7",
        OTHERS["extended"]: "7 rows are selected, the data have 8",
    }.items():
        with pytest.raises(ValueError, match=f"trace breaks sums: data: {message}"):
            check_trace(c.setup.air, c.trace, c.public, data)
    trace = c.trace.copy()
    trace[0, 4] = 2
    with pytest.raises(
        ValueError, match=r"listed or not on rows \[4\].*selector neither 0 nor 1 on rows \[4\]"
    ):
        check_trace(c.setup.air, trace, c.public)


def test_data_are_bound_before_the_first_challenge():
    c = case("sums")
    states = {Transcript(c.setup.binding(c.public, DOMAIN, data)).state for data in (DATA, *OTHERS.values())}
    assert len(states) == 1 + len(OTHERS)


def test_prover_whose_transcript_skips_the_data_is_refused():
    class Dataless(Setup):
        def binding(self, public, domain, data=b""):
            return super().binding(public, domain)

    c = case("sums")
    own = Dataless(**vars(c.setup))
    proof = prove(own, c.trace, c.public, DOMAIN, c.data)
    verify(own, proof, c.public.tolist(), DOMAIN, c.data)
    with pytest.raises(OodMismatch):
        check(c.data, proof)


def test_statements_without_data_bind_what_they_did():
    c = case("ranges")
    assert c.setup.binding(c.public, DOMAIN, b"") == c.setup.binding(c.public, DOMAIN)
    assert c.setup.binding(c.public, DOMAIN).endswith(to_bytes(c.public))


def test_sum_is_horners_and_the_column_ends_with_it():
    c, lam = case("sums"), Ext(elements(5, 5))
    known, total = from_bytes(DATA), Ext.from_ints(1)
    for element in known:
        total = total * lam + element
    assert public_data.data_sum(known, lam) == total
    assert public_data.data_sum(known[:0], lam) == Ext.from_ints(1)
    listed, *pair = c.trace[:3]
    column = public_data.data_column(listed, pair, lam, 32)
    assert column[0, 0] == Ext.from_ints(1) and column[0, 31] == total
    after = column.roll(-1)[0]
    step = public_data.data_step(listed, pair, column[0], after, lam)
    assert not step.coeffs[:, :-1].any() and step.coeffs[:, -1].any()


def test_column_is_committed_with_the_lookups_and_blinded():
    """Equal to A on H, and above X^n - 1 fresh random coefficients in each proof."""
    c, n, said = case("sums"), 32, []

    def lde(coefficients, log_length, *shift):
        said.append(coefficients)
        return FAST.lde(coefficients, log_length, *shift)

    for seed in (1, 2):
        prove(c.setup, c.trace, c.public, DOMAIN, c.data, rng=rng(seed), kernels=replace(FAST, lde=lde))
    blinds = []
    for aux in (said[1], said[5]):  # main, aux, quotient, DEEP; again
        assert aux.shape == (15, n + c.setup.params.blinding)
        a = aux[-5:]
        on_h = np.zeros((5, 3 * n), np.uint32).view(F)
        on_h[:, : a.shape[1]] = a
        on_h = np.add.reduce(on_h.reshape(5, 3, n), axis=1)
        starts = np.add.reduce(on_h, axis=1)
        assert starts.tolist() == [1, 0, 0, 0, 0]  # A_0
        blinds.append(a[:, n:])
        assert len(np.unique(blinds[-1])) == blinds[-1].size
    assert not (blinds[0] == blinds[1]).any()


def test_security_counts_the_elements_a_trace_can_carry():
    terms = case("sums").setup.security.terms
    assert "data" in terms and "data" not in case("ranges").setup.security.terms
    assert terms["lookups"] - terms["data"] == pytest.approx(np.log2(31 * 2 / (3 * 32)))


def test_degree_of_the_step_is_that_of_selector_and_datum():
    """A product of two columns over X - g^(n-1) is below what the lookups have."""
    n, h = 32, case("sums").setup.params.blinding
    assert quotient_degree(Sums(), h) == 3 * (n + h - 1) - n


class Bare(Air):
    def lookups(self, cur, k):
        yield Fraction("same", k(1), [cur.a])
        yield Fraction("other", k(0) - k(1), [cur.b])


def test_air_with_data_needs_lookups_and_a_datum_of_its_width():
    with pytest.raises(ValueError, match="data of width 3 in plain: expected 0 or more, and lookups"):
        Air("plain", 8, "a", data_width=3)
    with pytest.raises(ValueError, match="data of width -1"):
        Bare("bare", 8, "a b", data_width=-1)
    with pytest.raises(NotImplementedError, match="bare has data"):
        toy(Bare("bare", 8, "a b", data_width=1), 4, folds=(4,))

    class Narrow(Bare):
        def datum(self, cur, k):
            return k(1), [cur.a]

    with pytest.raises(ValueError, match="a datum of narrow has 2 values; got 1"):
        toy(Narrow("narrow", 8, "a b", data_width=2), 4, folds=(4,))
    assert toy(Narrow("narrow", 8, "a b", data_width=1), 4, folds=(4,)).shape.aux == 10
