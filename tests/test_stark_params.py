"""Parameters that are refused, and the security calculator against pinned and independent figures."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark.params import StarkParams, default_folds, least_blinding, quotient_chunks
from bfl_ref.stark.security import (
    CONJECTURED,
    Instance,
    conjectured,
    johnson,
    proven,
    security_table,
    unique_decoding,
)

GOOD = dict(trace_length=64, log_blowup=3, queries=20, grinding_bits=8, blinding=64, folds=(8, 4))
# Blow-up 2, 100 queries, 16-bit grinding, 2^20 rows, no blinding: the published reference.
REFERENCE = Instance(
    trace_length=2**20,
    degree_bound=2**20,
    codeword_length=2**21,
    queries=100,
    grinding_bits=16,
    folds=(2,) * 15,
    columns=100,
    quotient_columns=10,
    degree=2,
)


def test_reference_parameters_give_57_bits_unique_decoding_and_65_johnson():
    assert math.floor(unique_decoding(REFERENCE).bits) == 57
    assert math.floor(johnson(REFERENCE).bits) == 65
    assert proven(REFERENCE).regime == "Johnson (proven)"
    assert conjectured(REFERENCE).terms["queries"] == pytest.approx(116)  # the number never to report
    assert "disproved" in CONJECTURED


def test_johnson_terms_equal_theorem_written_out():
    """ePrint 2025/2055, Theorem 4.2, at m = 10, a = 1 - theta = sqrt(rho) (1 + 1/m), in another arrangement."""
    m, rho, n, q = 10, 0.5, 2.0**21, (2**31 - 2**27 + 1) ** 5 / (1 + 2**-20) ** 5
    a = math.sqrt(rho) * (1 + 1 / m)
    curve = (2 * (m + 0.5) ** 5 + 3 * (m + 0.5) * (1 - a) * rho) * n / (3 * rho**1.5) + (m + 0.5) / rho**0.5
    terms = johnson(REFERENCE, 10).terms
    assert terms["batching"] == pytest.approx(math.log2(q) - math.log2(210 * curve), abs=1e-9)
    assert terms["queries"] == pytest.approx(16 - 100 * math.log2(a), abs=1e-9)
    assert terms["composition"] == pytest.approx(math.log2(q) - math.log2(4095 * m / (2 * rho)), abs=1e-4)
    half = johnson(REFERENCE, 10).terms["fold 0"]
    assert half == pytest.approx(terms["batching"] + math.log2(210) + 1, abs=1e-6)  # M = 1 on n/2 points


def test_best_johnson_parameter_is_no_worse_than_any_other():
    best = johnson(REFERENCE)
    assert best.m is not None
    for m in [3, 10, best.m - 1, best.m + 1, 2 * best.m, 100_000]:
        assert johnson(REFERENCE, m).bits <= best.bits
    with pytest.raises(ValueError, match="m >= 3, got 2"):
        johnson(REFERENCE, 2)


def test_rate_counts_the_blinding():
    blinded = Instance(**{**vars(REFERENCE), "degree_bound": 2**20 + 2**17})
    assert unique_decoding(blinded).bits < unique_decoding(REFERENCE).bits
    assert johnson(blinded).bits < johnson(REFERENCE).bits


def test_lookups_and_short_digests_show_as_terms_of_their_own():
    with_lookups = Instance(**{**vars(REFERENCE), "lookup_fractions": 3, "lookup_width": 2})
    assert "lookups" in johnson(with_lookups).terms and "lookups" not in johnson(REFERENCE).terms
    short = Instance(**{**vars(REFERENCE), "queries": 200, "digest_bits": 160})
    assert johnson(short).bits == 80 and johnson(short).weakest == "digests"


def test_table_names_every_term_and_ends_with_the_weakest():
    rows = security_table(REFERENCE)
    assert [row["term"] for row in rows[:4]] == ["composition", "out of domain", "batching", "fold 0"]
    assert [row["term"] for row in rows[-3:]] == ["queries", "digests", "weakest"]
    assert rows[-1]["unique decoding (proven)"] == 57.5


@pytest.mark.parametrize(("n", "columns", "degree"), [(512, 26, 2), (4096, 60, 3), (2**14, 157, 7)])
@pytest.mark.parametrize("log_blowup", [3, 4, 5])
def test_chosen_parameters_prove_100_bits_with_the_fewest_queries(n, columns, degree, log_blowup):
    params = StarkParams.for_trace(n, columns, degree, log_blowup=log_blowup)
    assert proven(params.instance(columns, degree)).bits >= 100
    assert params.blinding >= least_blinding(params.queries)
    fewer = StarkParams(
        n, log_blowup, params.queries - 1, params.grinding_bits, params.blinding, params.folds
    )
    assert proven(fewer.instance(columns, degree)).bits < 100


def test_wide_poseidon_trace_at_blowup_8_proves_100_bits():
    params = StarkParams.for_trace(2**14, 157, 7, log_blowup=3)
    assert (params.queries, params.blinding, params.folds) == (56, 512, (8, 8, 8))
    assert quotient_chunks(2**14, params.blinding, 7) == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(trace_length=48), "trace_length must be a power of two, at least 2: 64 would do, got 48"),
        (dict(trace_length=1), "trace_length .* 2 would do, got 1"),
        (dict(log_blowup=0), "log_blowup must be 1 to 21 for 64 rows, got 0"),
        (dict(log_blowup=22), "log_blowup must be 1 to 21"),
        (dict(queries=0), "queries must be 1 to 255, got 0"),
        (dict(queries=256), "queries must be 1 to 255, got 256"),
        (dict(grinding_bits=41), "grinding_bits must be 0 to 40, got 41"),
        (dict(grinding_bits=-1), "grinding_bits must be 0 to 40"),
        (dict(blinding=32), r"blinding must be 2 \(queries \+ 5 \* 2\) = 60 or more .* got 32"),
        (dict(blinding=2**16), r"blinding must be .*below 2\^16"),
        (dict(log_blowup=1), "log_blowup is too small: 128 coefficients .* log_blowup=2 would do"),
        (dict(folds=()), "folds must be one or more"),
        (dict(folds=(3,)), "folds must be one or more of 2, 4, 8, 16, 32"),
        (dict(blinding=65), "folds: their product 32 must divide .* = 129; blinding=64 would do"),
    ],
)
def test_bad_parameters_raise_saying_which_and_what_would_do(change, message):
    StarkParams(**GOOD)
    with pytest.raises(ValueError, match=message):
        StarkParams(**{**GOOD, **change})


def test_bad_wishes_raise_saying_which_and_what_would_do():
    with pytest.raises(ValueError, match=r"degree 7 .* 7 quotient chunks; log_blowup=3 would do, got 2"):
        StarkParams.for_trace(2**14, 157, 7, log_blowup=2)
    StarkParams.for_trace(2**14, 157, 7, log_blowup=3)
    with pytest.raises(ValueError, match="64 would do, got 33"):
        StarkParams.for_trace(33, 10, 2)
    with pytest.raises(ValueError, match=r"target_bits=105 is out of reach .* digests"):
        StarkParams.for_trace(2**12, 10, 2, target_bits=105)
    with pytest.raises(ValueError, match=r"out of reach with up to 32 queries .* larger log_blowup"):
        StarkParams.for_trace(8, 10, 2)


@given(st.integers(1, 18), st.integers(1, 255))
@settings(deadline=None)
def test_default_folds_divide_some_small_blinding(log_n, queries):
    n, folds = 1 << log_n, default_folds(1 << log_n, queries)
    needed, total = least_blinding(queries), math.prod(folds)
    blinding = -(-(n + needed) // total) * total - n
    assert blinding <= max(2 * needed, n // 32 + needed)
    assert (n + blinding) // total <= max(64, 2 + n + needed if n < 128 else 0)
    if (n + blinding) < n << 3 and queries <= 4 * n:
        assert StarkParams(n, 3, queries, 0, blinding, folds).final_coefficients == (n + blinding) // total


def test_bytes_of_parameters_are_as_documented():
    assert StarkParams(**GOOD).to_bytes() == bytes([6, 3, 20, 8, 0, 64, 2, 3, 2])
    assert StarkParams(**GOOD).final_coefficients == 4
