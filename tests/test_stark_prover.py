import secrets
from dataclasses import replace

import numpy as np
import pytest
from stark_cases import DOMAIN, NAMES, case, elements, rng, toy

from bfl_ref.stark.codec import decode
from bfl_ref.stark.composition import Challenges
from bfl_ref.stark.field import Ext, F, base
from bfl_ref.stark.kernels import FAST, PLAIN
from bfl_ref.stark.params import StarkParams
from bfl_ref.stark.poly import evaluate
from bfl_ref.stark.prover import masked_chunks, prove
from bfl_ref.stark.setup import degree, params_for, setup
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.fibonacci import Fibonacci
from bfl_ref.statements.membership import Membership
from bfl_ref.statements.poseidon2 import Poseidon2Chain
from bfl_ref.statements.ranges import Ranges


@pytest.mark.parametrize("name", NAMES)
def test_prove_right_trace_is_accepted(name):
    c = case(name)
    proof = prove(c.setup, c.trace, c.public, DOMAIN, c.data)
    verify(c.setup, proof, c.public.tolist(), DOMAIN, c.data)


@pytest.mark.parametrize("name", NAMES)
def test_prove_plain_and_fast_give_the_same_bytes(name):
    c = case(name)
    plain, fast = (
        prove(c.setup, c.trace, c.public, DOMAIN, c.data, rng=rng(1), kernels=k) for k in (PLAIN, FAST)
    )
    assert plain == fast


def test_prove_randomness_is_the_operating_systems_by_default():
    c = case("fibonacci")
    assert prove(c.setup, c.trace, c.public, DOMAIN) != prove(c.setup, c.trace, c.public, DOMAIN)
    assert prove.__kwdefaults__["rng"] is secrets.token_bytes


@pytest.mark.parametrize("name", NAMES)
def test_prove_wrong_cell_is_refused_before_anything_is_said(name):
    c = case(name)
    trace = c.trace.copy()
    trace[0, 6] += base(1)
    with pytest.raises(ValueError, match=f"breaks {c.setup.air.name}"):
        prove(c.setup, trace, c.public, DOMAIN, c.data)


def test_prove_wrong_shape_says_expected_and_got():
    c = case("fibonacci")
    with pytest.raises(ValueError, match=r"trace must be \(2, 32\) .*got \(2, 16\)"):
        prove(c.setup, c.trace[:, :16], c.public, DOMAIN)
    with pytest.raises(ValueError, match="takes 1 public inputs"):
        prove(c.setup, c.trace, [1, 2], DOMAIN)


def test_prove_reports_every_phase_in_order():
    c, phases = case("fibonacci"), []
    prove(c.setup, c.trace, c.public, DOMAIN, progress=phases.append)
    assert [int(phase[0]) for phase in phases] == list(range(9))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_masked_chunks_recombine_to_the_quotient_and_differ_from_it(count):
    params = StarkParams(16, 3, 2, 0, 32, (4, 4))
    quotient, z = Ext(elements(1, 5, 16 * count)), Ext(elements(2, 5))
    chunks = masked_chunks(quotient, count, params, rng(3))
    assert chunks.shape == (5 * count, 48)
    values = evaluate(chunks, z).reshape(count, 5)
    x = Ext.from_ints(0, 1).powers(5)
    recombined = (Ext.stack([(row * x).sum() for row in values]) * (z**16).powers(count)).sum()
    assert recombined == (Ext.from_elements(quotient.elements()) * z.powers(16 * count)).sum()
    if count > 1:
        assert chunks[:5, 16:].all() and (chunks[5:10, :16] != quotient.coeffs[:, 16:32]).all()


@pytest.mark.parametrize(
    "field, value",
    [
        ("chain_id", -1),
        ("chain_id", 2**256),
        ("round_id", 2**256),
        ("contract", hex(2**160)),
        ("prover", "0xno"),
    ],
)
def test_domain_out_of_range_is_refused(field, value):
    with pytest.raises(ValueError):
        replace(DOMAIN, **{field: value})


def test_setup_wrong_length_is_refused():
    with pytest.raises(ValueError, match="parameters are for 64 rows, fibonacci-square has 32"):
        setup(Fibonacci(32, 30), StarkParams(64, 2, 4, 0, 64, (4, 4)))


def test_setup_too_small_blowup_is_refused_with_one_that_would_do():
    with pytest.raises(
        ValueError, match=r"log_blowup is too small: constraints of degree 7 .*log_blowup=4 would do, got 3"
    ):
        toy(Poseidon2Chain(64), 3)
    toy(Poseidon2Chain(64), 4)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(trace_length=48), "trace_length must be a power of two.*64 would do"),
        (dict(log_blowup=1), "log_blowup is too small"),
        (dict(blinding=16), "blinding must be .* or more"),
        (dict(grinding_bits=41), "grinding_bits must be 0 to 40, got 41"),
        (dict(queries=0), "queries must be"),
        (dict(folds=(4, 3)), "folds must be"),
    ],
)
def test_bad_parameters_are_refused_by_name_with_what_would_do(change, message):
    right = dict(trace_length=32, log_blowup=2, queries=4, grinding_bits=4, blinding=32, folds=(4, 4))
    StarkParams(**right)
    with pytest.raises(ValueError, match=message):
        StarkParams(**right | change)


@pytest.mark.parametrize(
    "air, log_blowup",
    [(Membership(31), 5), (Poseidon2Chain(1024), 3), (Fibonacci(1024), 2), (Ranges(256, 4), 3)],
)
def test_params_for_reach_a_hundred_proven_bits(air, log_blowup):
    chosen = setup(air, params_for(air, log_blowup=log_blowup))
    assert chosen.security.bits >= 100
    assert chosen.security.regime == "Johnson (proven)"


def test_degree_of_known_airs():
    assert [degree(a) for a in (Fibonacci(8, 6), Poseidon2Chain(8), Membership(1))] == [2, 7, 8]


def test_air_id_two_airs_never_share_one():
    ids = [case(name).setup.air_id for name in NAMES]
    ids += [toy(Fibonacci(32, last), 2).air_id for last in (28, 29)]
    ids += [toy(Membership(depth), 4).air_id for depth in (1, 7)]
    assert len(set(ids)) == len(ids)
    assert toy(Fibonacci(32, 30), 2).air_id == case("fibonacci").setup.air_id


def test_setup_preprocessed_root_enters_the_identity():
    ranges = case("ranges").setup
    assert toy(ranges.air, 4).air_id != ranges.air_id  # another blow-up, another commitment
    c = case("ranges")
    proof = decode(prove(c.setup, c.trace, c.public, DOMAIN), c.setup.shape)
    assert proof.groups["preprocessed"].salts is None and "preprocessed" not in proof.roots


def test_challenges_lookups_are_absent_without_lookups():
    seen: list[Challenges] = []

    def watch(air, program, codewords, log_size, public, challenges):
        seen.append(challenges)
        return FAST.composition(air, program, codewords, log_size, public, challenges)

    for name in ("fibonacci", "ranges"):
        c = case(name)
        prove(c.setup, c.trace, c.public, DOMAIN, kernels=replace(FAST, composition=watch))
    assert seen[0].beta is None and isinstance(seen[1].beta, Ext)


def test_opened_rows_are_the_committed_codewords():
    c = case("fibonacci")
    proof = decode(prove(c.setup, c.trace, c.public, DOMAIN), c.setup.shape)
    assert proof.groups["main"].rows.shape == (4, 2)
    assert isinstance(proof.groups["main"].rows, F) and proof.groups["main"].rows.dtype == np.uint32
