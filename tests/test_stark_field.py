"""The field and its extension against galois' own GF(p^5) and the axioms."""

import secrets

import galois
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark.field import (
    EXTENSION_DEGREE,
    Ext,
    F,
    P,
    base,
    batch_inverse,
    from_bytes,
    powers,
    random_base,
    root_of_unity,
    to_bytes,
)

# galois' own arithmetic of the same extension, on integers sum_k c_k p^k. It is not asked for a primitive
# element.
ORACLE = galois.GF(
    P,
    EXTENSION_DEGREE,
    irreducible_poly=galois.Poly([1, 0, 0, 0, 0, P - 2], field=galois.GF(P)),
    primitive_element=galois.Poly([1, 31], field=galois.GF(P)),
    verify=False,
)
coefficients = st.lists(
    st.one_of(st.sampled_from([0, 1, P - 1]), st.integers(0, P - 1)), min_size=5, max_size=5
)


def as_oracle(coefficients: list[int]) -> galois.FieldArray:
    return ORACLE(sum(c * P**k for k, c in enumerate(coefficients)))


def as_int(a: Ext) -> int:
    return sum(int(c) * P**k for k, c in enumerate(a.coeffs))


@given(coefficients, coefficients)
@settings(deadline=None)
def test_extension_arithmetic_of_any_elements_equals_galois(a, b):
    x, y, u, v = Ext.from_ints(*a), Ext.from_ints(*b), as_oracle(a), as_oracle(b)
    assert as_int(x + y) == int(u + v)
    assert as_int(x - y) == int(u - v)
    assert as_int(x * y) == int(u * v)
    assert as_int(-x) == int(-u)
    assert as_int(x**5) == int(u**5)
    if any(b):
        assert as_int(x / y) == int(u / v)
        assert as_int(y.inverse()) == int(v**-1)


def test_generator_has_full_order_and_polynomial_is_irreducible():
    assert galois.is_prime(P)
    assert galois.Poly([1, 0, 0, 0, 0, P - 2], field=galois.GF(P)).is_irreducible()
    assert {pow(31, (P - 1) // q, P) for q, _ in zip(*galois.factors(P - 1), strict=True)}.isdisjoint({1})


def test_extension_of_arrays_mixed_with_base_and_ints_broadcasts():
    a = Ext(random_base((5, 3, 4), secrets.token_bytes))
    s, b = a[0, 0], random_base((3, 4), secrets.token_bytes)
    for lifted, mixed in [
        (a * Ext.lift(b), a * b),
        (a * Ext.lift(b), b * a),
        (a + Ext.lift(b), b + a),
        (Ext.lift(b) - a, b - a),
        (a - Ext.lift(b), a - b),
        (Ext.lift(7) * a, 7 * a),
        (a - Ext.lift(-2), a + 2),
        (s * Ext.lift(b), s * b),
        (a / Ext.lift(3), a / 3),
    ]:
        assert lifted == mixed
    assert (s * a).shape == (3, 4) and (s * a)[2, 3] == s * a[2, 3]
    assert (a + s)[1, 1] == a[1, 1] + s
    assert a.roll(1)[:, 0] == a[:, 3]
    assert a.sum()[1] == a[1, 0] + a[1, 1] + a[1, 2] + a[1, 3]
    assert a.equals(s)[0, 0] and not a.equals(s + 1)[0, 0]
    assert a.coeffs.dtype == mixed.coeffs.dtype == np.uint32


@given(st.integers(1, 70))
@settings(deadline=None, max_examples=20)
def test_powers_of_any_count_are_repeated_products(count):
    a = Ext(random_base(5, secrets.token_bytes))
    expected = Ext.lift(1)
    for got in range(count):
        assert a.powers(count)[got] == expected
        expected = expected * a
    assert [int(x) for x in powers(31, count)] == [pow(31, k, P) for k in range(count)]


@given(st.lists(st.integers(1, P - 1), min_size=1, max_size=40))
@settings(deadline=None)
def test_batch_inverse_of_nonzero_elements_equals_single_inverses(values):
    assert [int(x) for x in batch_inverse(base(values))] == [pow(v, -1, P) for v in values]


def test_inverse_of_zero_raises():
    with pytest.raises(ZeroDivisionError):
        batch_inverse(base([1, 2, 0, 4]))
    with pytest.raises(ZeroDivisionError):
        Ext.lift(0).inverse()


def test_root_of_unity_of_power_of_two_has_that_order():
    for log_order in range(28):
        root = root_of_unity(1 << log_order)
        assert pow(root, 1 << log_order, P) == 1
        assert log_order == 0 or pow(root, 1 << log_order - 1, P) == P - 1


@pytest.mark.parametrize("order", [0, 3, 1 << 28])
def test_root_of_unity_of_other_order_raises(order):
    with pytest.raises(ValueError, match=f"got {order}"):
        root_of_unity(order)


@given(st.lists(st.integers(0, P - 1)))
@settings(deadline=None)
def test_bytes_round_trip_is_big_endian(values):
    data = to_bytes(base(values))
    assert data == b"".join(v.to_bytes(4, "big") for v in values)
    assert from_bytes(data).tolist() == values


def test_bytes_of_element_not_below_p_raises():
    with pytest.raises(ValueError, match="below p"):
        from_bytes(P.to_bytes(4, "big"))
    with pytest.raises(ValueError):
        from_bytes(b"\0\0\0")
    with pytest.raises(ValueError):
        base([P])


def test_extension_of_wrong_number_of_rows_raises():
    with pytest.raises(ValueError, match="5 coefficient rows"):
        Ext(base([1, 2, 3]))


def test_elements_put_coefficients_last_as_in_bytes():
    a = Ext.stack([Ext.from_ints(1, 2, 3, 4, 5), Ext.from_ints(6)])
    assert a.to_bytes() == b"".join(v.to_bytes(4, "big") for v in [1, 2, 3, 4, 5, 6, 0, 0, 0, 0])
    assert Ext.from_elements(a.elements()) == a
    assert isinstance(a.elements(), F)
