import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stark_cases import NAMES, case, elements

from bfl_ref.stark.air import Air, Frame, constraints
from bfl_ref.stark.composition import (
    Challenges,
    composition,
    next_row,
    short_at,
    short_codewords,
    vanishing_at,
)
from bfl_ref.stark.composition import vanishing_inverse as inverse
from bfl_ref.stark.fast.poseidon2 import chain
from bfl_ref.stark.fast.program import composition as compiled
from bfl_ref.stark.fast.program import lower
from bfl_ref.stark.field import Ext, F, base, root_of_unity
from bfl_ref.stark.poly import coset, evaluate, evaluate_ext, interpolate, intt
from bfl_ref.stark.program import record
from bfl_ref.statements.poseidon2 import DIAGONAL, EXTERNAL, INTERNAL, permute


def run(program, frame):
    """A program by its definition, on numbers."""
    values = []
    for code, a, b in program.ops:
        match code:
            case "add":
                values.append(values[a] + values[b])
            case "sub":
                values.append(values[a] - values[b])
            case "mul":
                values.append(values[a] * values[b])
            case "const":
                values.append(base(a))
            case "beta" | "lam" | "data":
                values.append(getattr(frame, code))
            case _:
                values.append(getattr(frame, code)[a])
    return [(o.kind, o.row, o.name, values[o.node]) for o in program.outputs]


@pytest.mark.parametrize("name", NAMES)
def test_record_runs_to_the_same_values_as_the_air(name):
    air = case(name).setup.air
    k_pre, k_main, k_aux = air.widths

    def cells(seed):
        return [*elements(seed, k_pre + k_main), *(Ext(elements(seed + i + 1, 5)) for i in range(k_aux))]

    short = list(elements(50, len(air.short_values(F.Zeros(air.public_inputs)))))
    public = list(elements(51, air.public_inputs))
    challenges = [Ext(elements(52 + i, 5)) for i in range(3)]
    frame = Frame(cells(10), cells(30), short, public, lambda c: base(c % F.order), *challenges)
    expected = [(c.kind, c.row, c.name, c.value) for c in constraints(air, frame)]
    assert run(record(air), frame) == expected


@pytest.mark.parametrize("name", NAMES)
def test_record_shares_equal_operations_and_keeps_no_unused_ones(name):
    program = record(case(name).setup.air)
    assert len(set(program.ops)) == len(program.ops)
    used = {o.node for o in program.outputs}
    for code, a, b in program.ops:
        used |= {a, b} if code in ("add", "sub", "mul") else set()
    assert used >= set(range(len(program.ops)))


def test_record_same_air_same_bytes_other_air_other_bytes():
    air = case("fibonacci").setup.air
    assert record(air).canonical() == record(type(air)(32, 30)).canonical()
    assert record(air).canonical() != record(type(air)(32, 29)).canonical()


def test_record_constraint_without_cells_is_refused():
    class Empty(Air):
        def boundary(self, cur, public, k):
            yield "nothing", 0, public[0] - k(1)

    with pytest.raises(ValueError, match="reads no cell"):
        record(Empty("empty", 8, "a", public_inputs=1))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32), extra=st.integers(0, 1))
def test_composition_plain_and_compiled_agree_on_any_codewords(name, seed, extra):
    right = case(name).setup
    k_pre, k_main, k_aux = right.air.widths
    length = 1 << right.log_quotient + extra
    codewords = tuple(elements(seed + i, k, length) for i, k in enumerate((k_pre, k_main, 5 * k_aux)))
    challenges = Challenges(*(Ext(elements(seed + 3 + i, 5)) for i in range(4)))
    public = elements(seed + 7, right.air.public_inputs)
    arguments = right.air, right.program, codewords, right.log_quotient, public, challenges
    assert composition(*arguments) == compiled(*arguments)


def test_lower_registers_stay_few_and_no_result_overwrites_its_operands():
    right = case("poseidon2").setup
    code = lower(right.air, right.program, F.Zeros(8), Challenges(Ext.from_ints(3), None, None))
    assert code.registers < 100
    for op, target, a, b in code.instructions.tolist():
        if op in (3, 4, 5):
            assert target not in (a, b)


@pytest.mark.parametrize("n, log_size", [(8, 3), (8, 5), (32, 6)])
def test_next_row_is_the_point_times_g(n, log_size):
    x = coset(log_size)
    assert (x[next_row(n, log_size)] == x * base(root_of_unity(n))).all()


@pytest.mark.parametrize(
    "kind, row", [("transition", -1), ("everywhere", -1), ("boundary", 0), ("boundary", 5)]
)
def test_vanishing_zero_exactly_on_its_rows_and_the_same_on_the_coset(kind, row):
    n, log_size = 8, 5
    over = inverse(n, kind, row, log_size)
    at = [vanishing_at(n, kind, row, Ext.lift(x)) for x in coset(log_size)]
    assert Ext.stack(at) == Ext.lift(over).inverse()
    zero = [r for r in range(n) if _vanishes(n, kind, row, r)]
    assert zero == {"transition": list(range(n - 1)), "everywhere": list(range(n)), "boundary": [row]}[kind]


def _vanishes(n, kind, row, r):
    """Z as coefficients, evaluated at g^r."""
    values = Ext.stack([vanishing_at(n, kind, row, Ext.lift(x)) for x in coset(4)])
    coefficients = interpolate(values.coeffs)
    return evaluate_ext(
        Ext(coefficients), Ext.lift(base(pow(root_of_unity(n), r, F.order)))
    ) == Ext.from_ints(0)


@pytest.mark.parametrize("name", ["membership", "ranges"])
def test_short_columns_are_the_interpolant_of_the_whole_column(name):
    right = case(name)
    air, log_size, z = right.setup.air, right.setup.log_quotient, Ext(elements(9, 5))
    at_z = short_at(air, right.public, z)
    codewords = short_codewords(air, right.public, log_size)
    for values, point, codeword in zip(air.short_values(right.public), at_z, codewords, strict=True):
        whole = intt(np.tile(values, air.length // len(values)).view(F))[None, :]
        assert evaluate(whole, z)[0] == point
        expected = evaluate_ext(Ext.lift(whole[0]), Ext.lift(coset(log_size))).coeffs[0]
        assert (np.repeat(codeword, (1 << log_size) // len(codeword)) == expected).all()


def test_chain_is_the_permutation_again_and_again():
    state = elements(4, 16)
    states = chain(state, 5, EXTERNAL, INTERNAL, DIAGONAL)
    assert (states[:, 0] == state).all()
    assert (states[:, 1:] == permute(states[:, :-1])).all()
