"""Transforms and polynomials against sympy and against evaluation by definition."""

import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.discrete.transforms import intt as sympy_intt
from sympy.discrete.transforms import ntt as sympy_ntt

from bfl_ref.stark import poly
from bfl_ref.stark.field import GENERATOR, Ext, P, base, powers, random_base, root_of_unity

# sympy takes a primitive root of its own choice for p: the least one, which is 31 too.
lengths = st.integers(0, 7).map(lambda k: 1 << k)


def by_definition(coefficients, x: int) -> int:
    return sum(int(c) * pow(x, k, P) for k, c in enumerate(coefficients)) % P


@pytest.mark.parametrize("log_length", [1, 2, 5, 8])
def test_ntt_of_random_coefficients_equals_sympy(log_length):
    c = random_base(1 << log_length, secrets.token_bytes)
    natural = poly.ntt(c)[poly.bit_reversal(log_length)]
    assert natural.tolist() == sympy_ntt([int(x) for x in c], P)
    assert poly.intt(c).tolist() == [x % P for x in sympy_intt([int(x) for x in c], P)]


@given(lengths)
@settings(deadline=None, max_examples=20)
def test_intt_of_ntt_of_any_length_is_identity(length):
    c = random_base((2, length), secrets.token_bytes)
    natural = poly.ntt(c)[:, poly.bit_reversal(poly.log2(length))]
    assert (poly.intt(natural) == c).all()


@given(st.integers(1, 64), st.integers(0, 2))
@settings(deadline=None, max_examples=20)
def test_lde_of_any_degree_holds_values_on_bit_reversed_coset(count, extra):
    log_length = (count - 1).bit_length() + extra
    c = random_base((2, count), secrets.token_bytes)
    codeword, points = poly.lde(c, log_length), poly.coset(log_length)
    for i in {0, len(points) // 3, len(points) - 1}:
        assert codeword[:, i].tolist() == [by_definition(row, int(points[i])) for row in c]
    back = poly.interpolate(codeword)
    assert (back[:, :count] == c).all() and (back[:, count:] == 0).all()


def test_lde_of_more_coefficients_than_points_raises():
    with pytest.raises(ValueError, match="at most 8 coefficients, got 9"):
        poly.lde(random_base((1, 9), secrets.token_bytes), 3)


def test_coset_points_that_fold_together_are_neighbours():
    x = poly.coset(6)
    assert (x[0::2] + x[1::2] == 0).all()
    assert ((x[0::2] ** 2) == poly.coset(5, GENERATOR**2)).all()
    assert (poly.vanishing(x, 16) != 0).all()  # disjoint from H
    assert (poly.vanishing(powers(root_of_unity(16), 16), 16) == 0).all()


def test_bit_reversal_of_eight_is_the_textbook_order():
    assert poly.bit_reversal(3).tolist() == [0, 4, 2, 6, 1, 5, 3, 7]


def test_blind_column_keeps_its_values_on_the_trace_domain_only():
    n, h = 16, 40  # more random coefficients than rows is allowed
    rows = random_base((3, n), secrets.token_bytes)
    column = poly.blind(poly.intt(rows), random_base((3, h), secrets.token_bytes))
    g = root_of_unity(n)
    assert column.shape == (3, n + h)
    for i in range(n):
        assert [by_definition(c, pow(g, i, P)) for c in column] == rows[:, i].tolist()
    assert [by_definition(c, 31) for c in column] != [by_definition(c, 31) for c in poly.intt(rows)]


@given(st.integers(1, 50))
@settings(deadline=None, max_examples=15)
def test_evaluate_and_combine_of_any_size_equal_horner(count):
    c, z = random_base((3, count), secrets.token_bytes), Ext(random_base(5, secrets.token_bytes))
    values = poly.evaluate(c, z)
    for i in range(3):
        assert values[i] == poly.evaluate_ext(Ext.lift(c[i]), z)
    weights = z.powers(4)[1:]
    combined = poly.combine(c, weights)
    assert (
        poly.evaluate_ext(combined, z)
        == values[0] * weights[0] + values[1] * weights[1] + values[2] * (weights[2])
    )


@given(st.integers(1, 50))
@settings(deadline=None, max_examples=15)
def test_divide_linear_times_divisor_gives_back_the_polynomial(count):
    f, z = Ext(random_base((5, count), secrets.token_bytes)), Ext(random_base(5, secrets.token_bytes))
    quotient = poly.divide_linear(f, z)
    assert len(quotient) == count and quotient[count - 1] == Ext.lift(0)
    x = Ext(random_base((5, 4), secrets.token_bytes))
    assert poly.evaluate_ext(quotient, x) * (x - z) == poly.evaluate_ext(f, x) - poly.evaluate_ext(f, z)


def test_vanishing_at_extension_point_is_power_minus_one():
    z = Ext(random_base(5, secrets.token_bytes))
    assert poly.vanishing(z, 8) == z**8 - 1


@pytest.mark.parametrize("length", [0, 3, 12])
def test_log2_of_no_power_of_two_raises(length):
    with pytest.raises(ValueError, match=f"got {length}"):
        poly.log2(length)


def test_sympy_uses_the_same_generator():
    assert sympy_ntt([0, 1, 0, 0], P)[1] == root_of_unity(4)
    assert int(base(31)) == GENERATOR
