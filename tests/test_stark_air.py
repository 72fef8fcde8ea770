import numpy as np
import pytest
import sympy
from stark_cases import NAMES, case

from bfl_ref.stark.air import Air, Degree, formulas, labels, quotient_chunks, quotient_degree
from bfl_ref.stark.field import F, base
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements.fibonacci import Fibonacci
from bfl_ref.statements.membership import Membership
from bfl_ref.statements.poseidon2 import Poseidon2Chain
from bfl_ref.statements.ranges import Ranges


@pytest.mark.parametrize("name", NAMES)
def test_check_trace_right_trace_passes(name):
    c = case(name)
    check_trace(c.setup.air, c.trace, c.public, c.data)


def test_check_trace_wrong_cell_names_constraint_and_rows():
    c = case("fibonacci")
    trace = c.trace.copy()
    trace[1, 7] += base(1)
    with pytest.raises(ValueError, match=r"shift on rows \[7\] .*square sum on rows \[6, 7\]"):
        check_trace(c.setup.air, trace, c.public)


def test_check_trace_wrong_public_input_names_boundary():
    c = case("fibonacci")
    with pytest.raises(ValueError, match="boundary result on row 30"):
        check_trace(c.setup.air, c.trace, c.public + base(1))


def test_check_trace_value_outside_table_names_it():
    c = case("ranges")
    trace = c.trace.copy()
    trace[0, 5] = 32
    with pytest.raises(ValueError, match=r"lookup: .* unbalanced, .*\(32,\)"):
        check_trace(c.setup.air, trace, c.public)


@pytest.mark.parametrize("columns, inputs", [(1, 1), (2, 2)])
def test_check_trace_wrong_shape_says_expected_and_got(columns, inputs):
    with pytest.raises(ValueError, match="got"):
        check_trace(case("fibonacci").setup.air, F.Zeros((columns, 32)), F.Zeros(inputs))


def test_degree_adds_under_products_and_takes_the_larger_under_sums():
    a, b = Degree(3), Degree(5)
    assert (a + b, a - b, a * b) == (Degree(5), Degree(5), Degree(8))


def test_quotient_degree_of_known_airs():
    """By hand: n + h - 1 is a column's degree; the square takes two, the S-box seven. The root's constraint, an S-box
    over X - g^row, is above the rounds', an S-box times a selector of degree n - n/16 over X^n - 1.
    """
    n, h = 1024, 128
    assert quotient_degree(Fibonacci(n), h) == 2 * (n + h - 1) - (n - 1)
    assert quotient_degree(Poseidon2Chain(n), h) == 7 * (n + h - 1) - n
    assert quotient_degree(Membership(63), h) == 7 * (n + h - 1) - 1
    assert quotient_chunks(Poseidon2Chain(n), h) == 7


def test_formulas_fibonacci_are_the_textbook_ones():
    a, b, a_next, b_next, public = sympy.symbols("a b a' b' public[0]")
    expressions = {name: expression for _, name, expression in formulas(Fibonacci(32, 30))}
    assert sympy.expand(expressions["square sum"] - (b_next - a**2 - b**2)) == 0
    assert expressions["shift"] == a_next - b
    assert (expressions["start"], expressions["result"]) == (a - 1, a - public)


@pytest.mark.parametrize("name", NAMES)
def test_formulas_every_committed_column_occurs(name):
    """No column without a constraint."""
    air = case(name).setup.air
    seen = {str(s).removesuffix("'") for _, _, f in formulas(air) for s in f.free_symbols}
    assert set(labels([*air.preprocessed_columns, *air.main_columns])) <= seen


def test_lookup_batches_follow_the_degree_allowed():
    assert Ranges(32, 4).lookup_batches == [[0, 1], [2]]

    class Wide(Ranges):
        def __init__(self, allowed):
            Air.__init__(self, "wide", 8, "value multiplicity", preprocessed={"table": np.arange(8)},
                         public={"limit": range(1)}, public_inputs=1, lookup_degree=allowed)  # fmt: skip

    assert Wide(2).lookup_batches == [[0], [1], [2]]
    assert Wide(4).lookup_batches == [[0, 1, 2]]
    with pytest.raises(ValueError, match="needs degree 2; allowed 1"):
        Wide(1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(length=12, main="a"), "power of two"),
        (dict(length=1, main="a"), "power of two"),
        (dict(length=8, main="a a"), "name of its own"),
        (dict(length=8, main="a[0x]"), "expected columns such as"),
        (dict(length=8, main="a", periodic={"p": [1, 2, 3]}), "period of p must divide"),
        (dict(length=8, main="a", preprocessed={"t": [1, 2]}), "t has 2 rows"),
        (dict(length=8, main="a", public={"q": range(0, 2)}, public_inputs=1), "reads range"),
    ],
)
def test_air_bad_columns_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Air("bad", **arguments)


def test_air_boundary_outside_the_trace_is_refused():
    class Outside(Fibonacci):
        def boundary(self, cur, public, k):
            yield "far", 32, cur.a

    with pytest.raises(ValueError, match="row 32 of a trace of 32"):
        quotient_degree(Outside(32, 30), 8)


def test_check_trace_pair_outside_table_names_it():
    """1 and 9 are a number and a square of the table, but not of one row."""
    c = case("squares")
    trace = c.trace.copy()
    trace[1, 1] = 9
    with pytest.raises(ValueError, match=r"\(1, 9\)"):
        check_trace(c.setup.air, trace, c.public)
