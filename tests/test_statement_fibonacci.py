import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark.field import F, base
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements.fibonacci import Fibonacci

AIR = Fibonacci(32, last=30)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, F.order - 1))
def test_trace_any_start_is_right_and_follows_the_recurrence(x):
    trace = AIR.trace(x)
    check_trace(AIR, trace, AIR.public_inputs_of(trace))
    a = [int(v) for v in trace[0]]
    assert a[:2] == [1, x]
    assert all(a[i + 2] == (a[i + 1] ** 2 + a[i] ** 2) % F.order for i in range(30))
    assert int(AIR.public_inputs_of(trace)[0]) == a[30]


def test_trace_of_the_tutorial_has_1023_published_steps():
    """STARK 101's numbers are over another field; the shape is the same: a_0 .. a_1022."""
    air = Fibonacci()
    assert (air.length, air.last) == (1024, 1022)


@pytest.mark.parametrize("x", [-1, F.order])
def test_trace_start_outside_the_field_is_refused(x):
    with pytest.raises(ValueError, match="field element"):
        AIR.trace(x)


@pytest.mark.parametrize("last", [0, 32])
def test_last_outside_the_trace_is_refused(last):
    with pytest.raises(ValueError, match="last must be 1"):
        Fibonacci(32, last)


def carried_on(trace: F, row: int) -> F:
    """Rows after `row` by the recurrence."""
    for i in range(row, 31):
        trace[0, i + 1] = trace[1, i]
        trace[1, i + 1] = trace[0, i] * trace[0, i] + trace[1, i] * trace[1, i]
    return trace


@pytest.mark.parametrize("column, name", [(0, "shift"), (1, "square sum")])
def test_each_transition_alone_refuses_a_wrong_cell(column, name):
    trace = AIR.trace(5)
    trace[column, 9] += base(1)
    trace = carried_on(trace, 9)
    with pytest.raises(ValueError) as caught:
        check_trace(AIR, trace, AIR.public_inputs_of(trace))
    assert str(caught.value) == f"trace breaks {AIR.name}: transition {name} on rows [8] (1 in all)"


def test_each_boundary_alone_refuses_its_lie():
    trace = AIR.trace(5)
    with pytest.raises(ValueError, match=r": boundary result on row 30$"):
        check_trace(AIR, trace, AIR.public_inputs_of(trace) + base(1))
    trace[0, 0] = 2
    trace = carried_on(trace, 0)
    with pytest.raises(ValueError, match=r": boundary start on row 0$"):
        check_trace(AIR, trace, AIR.public_inputs_of(trace))
