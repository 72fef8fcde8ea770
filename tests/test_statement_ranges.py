import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stark_cases import DOMAIN, pretending, toy

from bfl_ref.stark.field import F, base
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import OodMismatch
from bfl_ref.stark.trace import check_trace
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.ranges import Ranges

AIR = Ranges(16, period=2)
LIMITS = [5, 15]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=16, max_size=16))
def test_trace_values_within_limits_are_right(values):
    check_trace(AIR, AIR.trace(values, LIMITS), base(LIMITS))


@pytest.mark.parametrize("value", [-1, 6, 16])
def test_trace_value_outside_is_refused(value):
    with pytest.raises(ValueError, match=r"values must be 0 \.\. limit"):
        AIR.trace([value] + [0] * 15, LIMITS)


def test_trace_limit_that_the_table_does_not_hold_is_refused():
    with pytest.raises(ValueError, match="limits below 16"):
        AIR.trace([0] * 16, [5, 16])


def forged(value: int) -> F:
    """A trace with one value outside, its multiplicities counted as well as they can be."""
    values = np.array([value] + [0] * 15)
    rest = np.tile(LIMITS, 8) - values
    looked_up = [v for v in [*values, *rest] if 0 <= v < 16]
    counts = np.bincount(looked_up, minlength=16)
    return base(np.stack([values % F.order, counts]))


@pytest.mark.parametrize("value, missing", [(6, F.order - 1), (16, 16), (F.order - 1, F.order - 1)])
def test_lookup_of_a_value_outside_is_refused(value, missing):
    """6 is in the table, but 5 - 6 is not; 16 and -1 are not themselves."""
    trace = forged(value)
    with pytest.raises(ValueError, match=str(missing)):
        check_trace(AIR, trace, base(LIMITS))
    right = toy(AIR, 4)
    with pytest.raises(OodMismatch):
        verify(right, prove(right, trace, LIMITS, DOMAIN, kernels=pretending(right)), LIMITS, DOMAIN)


@pytest.mark.parametrize("left_out, value", [("value", F.order - 3), ("rest", 6)])
def test_without_a_lookup_its_cheat_is_accepted(left_out, value):
    """-3 leaves a rest of 8, which is in the table; 6 is in the table itself."""

    class Mutant(Ranges):
        def lookups(self, cur, k):
            return [f for f in super().lookups(cur, k) if f.name != left_out]

    values = np.array([value] + [0] * 15)
    rest = (np.tile(LIMITS, 8) - values) % F.order
    counts = np.bincount(rest if left_out == "value" else values, minlength=16)
    trace = base(np.stack([values, counts]))
    mutant = toy(Mutant(16, 2), 4)
    verify(mutant, prove(mutant, trace, LIMITS, DOMAIN), LIMITS, DOMAIN)
    with pytest.raises(ValueError, match="lookup"):
        check_trace(AIR, trace, base(LIMITS))
