"""The compiled twins against the plain functions: same results on every shape."""

import secrets

import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark import merkle, poly, transcript
from bfl_ref.stark.fast import combine as fast_combine
from bfl_ref.stark.fast import keccak as fast_keccak
from bfl_ref.stark.fast import montgomery
from bfl_ref.stark.fast import ntt as fast_ntt
from bfl_ref.stark.field import Ext, P, base, random_base

EDGES = [0, 1, 2, P // 2, P - 2, P - 1]


def same(a, b) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and type(a) is type(b) and bool((a == b).all())


@given(st.integers(1, 3), st.integers(1, 300), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_transforms_of_any_shape_equal_plain(columns, count, extra):
    log_length = (count - 1).bit_length() + extra
    c = random_base((columns, count), secrets.token_bytes)
    codeword = fast_ntt.lde(c, log_length)
    assert same(codeword, poly.lde(c, log_length))
    assert same(fast_ntt.lde(c, log_length, 5), poly.lde(c, log_length, 5))
    assert same(fast_ntt.interpolate(codeword), poly.interpolate(codeword))
    assert same(fast_ntt.interpolate(codeword[0], 5), poly.interpolate(codeword[0], 5))
    assert same(fast_ntt.intt(codeword), poly.intt(codeword))


def test_transforms_of_extreme_values_equal_plain():
    c = base(np.array(EDGES * 30)[np.random.default_rng(0).permutation(180)].reshape(2, 90))
    assert same(fast_ntt.lde(c, 8), poly.lde(c, 8))
    full = np.full((1, 64), P - 1, dtype=np.uint32).view(type(c))
    assert same(fast_ntt.lde(full, 9), poly.lde(full, 9))
    assert same(fast_ntt.intt(full), poly.intt(full))


def test_inputs_stay_unchanged_and_need_not_be_contiguous():
    c = random_base((6, 64), secrets.token_bytes)
    before, view = c.copy(), c[::2, ::2].view(type(c))
    assert same(fast_ntt.lde(view, 7), poly.lde(view.copy(), 7))
    assert same(fast_ntt.intt(view), poly.intt(view.copy()))
    fast_ntt.interpolate(c)
    assert (c == before).all()


def test_lde_of_more_coefficients_than_points_raises():
    with pytest.raises(ValueError, match="at most 8 coefficients, got 9"):
        fast_ntt.lde(random_base((1, 9), secrets.token_bytes), 3)


@given(st.integers(1, 5), st.integers(1, 2100))
@settings(deadline=None, max_examples=20)
def test_long_sums_of_any_shape_equal_plain(columns, count):
    c = random_base((columns, count), secrets.token_bytes)
    z = Ext(random_base(5, secrets.token_bytes))
    assert fast_combine.evaluate(c, z) == poly.evaluate(c, z)
    assert fast_combine.combine(c, z.powers(columns)) == poly.combine(c, z.powers(columns))


def test_long_sums_of_largest_values_equal_plain():
    c = np.full((3, 5000), P - 1, dtype=np.uint32).view(type(base(0)))
    top = Ext.from_ints(P - 1, P - 1, P - 1, P - 1, P - 1)
    weights = Ext.stack([top, top, top])
    assert fast_combine.combine(c, weights) == poly.combine(c, weights)
    assert fast_combine.evaluate(c, Ext.lift(1)) == poly.evaluate(c, Ext.lift(1))


@pytest.mark.parametrize("a", EDGES)
def test_montgomery_product_of_edge_values_is_the_product(a):
    for b in EDGES:
        b_r = np.uint64(montgomery.to_montgomery(base(b)))
        assert int(MUL(np.uint64(a), b_r)) == a * b % P
        assert int(ADD(np.uint64(a), np.uint64(b))) == (a + b) % P
        assert int(SUB(np.uint64(a), np.uint64(b))) == (a - b) % P


MUL, ADD, SUB = montgomery.mul, montgomery.add, montgomery.sub


@pytest.mark.parametrize("elements", [1, 2, 5, 31, 32, 33, 34, 66, 67, 68, 161])
@pytest.mark.parametrize("salted", [True, False])
def test_leaf_hashes_around_every_block_border_equal_plain(elements, salted):
    for leaves in [1, 7, 8, 13]:
        columns = random_base((elements, leaves), secrets.token_bytes)
        octets = np.frombuffer(secrets.token_bytes(16 * leaves), dtype=np.uint8).reshape(leaves, 16)
        salts = octets if salted else None
        assert same(fast_keccak.hash_leaves(columns, salts), merkle.hash_leaves(columns, salts))


@pytest.mark.parametrize("count", [1, 2, 8, 9, 64])
def test_node_hashes_of_any_number_equal_plain(count):
    children = np.frombuffer(secrets.token_bytes(52 * count), dtype=np.uint8).reshape(2 * count, 26)
    assert same(fast_keccak.hash_nodes(children), merkle.hash_nodes(children))
    assert fast_keccak.hash_nodes(children)[0].tobytes() == keccak(b"\x01" + children[:2].tobytes())[:26]


@given(st.binary(min_size=32, max_size=32), st.integers(0, 10))
@settings(deadline=None, max_examples=30)
def test_grinding_finds_the_same_least_nonce_as_plain(state, bits):
    for start in [0, 3, 2**32 - 20]:
        assert fast_keccak.grind(state, bits, start) == transcript.grind(state, bits, start)


def test_grinding_over_many_stretches_finds_a_nonce_that_counts():
    state, bits = keccak(b"seed"), 18
    nonce = fast_keccak.grind(state, bits)
    assert transcript.leading_zero_bits(keccak(state + b"\xfe" + nonce.to_bytes(8, "big"))) >= bits
