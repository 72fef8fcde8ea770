"""Signatures of the rollup's statement: for each constraint a trace, of a list never signed, that breaks nothing else."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from rollup_trace_cases import alone, case
from rollup_trace_checks import Case, broken, chosen
from rollup_trace_parts import ALICE, BOB, block, digest_of, reveal, rollup, show

from bfl_ref.rollup.signatures import CHAINS, DIGITS_OF_EACH, SUM
from bfl_ref.stark.field import P
from bfl_ref.statements.rollup import signatures as signing
from bfl_ref.statements.rollup.blocks import chain_steps
from bfl_ref.statements.rollup.layout import ENDS, PLACE

FIRST = block(0) + 1  # slot of the first two ends
HALF = DIGITS_OF_EACH // 2  # end slots that an element's digits take


def ends(t: SimpleNamespace, place: int) -> np.ndarray:
    """(28, 4): a cell of `r` on the rows of the end slots."""
    return t.cells.columns["r"][place, FIRST : FIRST + ENDS]


def messages() -> Iterator[Case]:
    said = {8: BOB, 9: 2, 15: 7, **{11 + i: 1 for i in range(4)}}
    for at, value in said.items():

        def of_another(t, at=at, value=value):
            t.shown[ALICE] = show(t, ALICE, said={at: value})

        yield case(f"message {at}", alone, shown=of_another)

    def unbalanced(t):
        t.shown[ALICE] = show(t, ALICE, total=SUM + 3)

    def less_from(end: int):
        """The sum of digits that comes out is right."""

        def edit(t):
            total = ends(t, signing.TOTAL).reshape(-1)
            total[4 * end :] -= 3

        return edit

    yield case("digits' sum", alone, shown=unbalanced)
    yield case("digits' sum starts", alone, shown=unbalanced, cells=less_from(0))
    yield case("digits so far", alone, shown=unbalanced, cells=less_from(9))


def swap(t: SimpleNamespace, part: int, lowest: int = 0, told: bool = True) -> int:
    """Two unequal digits of the message's element are taken for each other. Returns the first. told: the element, too."""
    shown = t.shown[ALICE]
    digits, start = shown.digits.copy(), DIGITS_OF_EACH * part
    a = next(k for k in range(start + lowest, start + DIGITS_OF_EACH - 1) if digits[k] != digits[k + 1])
    digits[[a, a + 1]] = digits[[a + 1, a]]
    reveal(t, ALICE, shown, digits)
    t.read = list(shown.elements)
    if told:
        low = 2 * (a - start)
        shown.elements[part] += (int(digits[a]) - int(digits[a + 1])) * ((1 << low) - (1 << low + 2))
    return a


def readings() -> Iterator[Case]:
    """Digits of other elements than the message's are revealed."""
    for i in range(4):

        def another(t, i=i):
            swap(t, i)

        yield case(f"message {i} waits" if i else "message 0", alone, shown=another)

    for i in range(3):

        def change_waiting(t, i=i):
            ends(t, signing.WAITING + i)[0] = t.read[1 + i]

        yield case(f"element waits {i}", alone, shown=lambda t, i=i: swap(t, 1 + i), cells=change_waiting)

    def change_at_last(t):
        ends(t, signing.WAITING)[:HALF] = t.read[1]

    yield case("next element", alone, shown=lambda t: swap(t, 1), cells=change_at_last)

    def change_midway(t):
        rest = ends(t, signing.REST)
        for end in range(4):
            rest[end] = [t.read[0] >> 2 * (2 * end + used) for used in (0, 0, 0, 1)]

    yield case("rest", alone, shown=lambda t: swap(t, 0, lowest=8), cells=change_midway)

    def divide(t):
        """What is left of the element, in the field, after other digits. Returns 4 times the unused bits' number."""
        rest, digits = t.read[0], t.shown[ALICE].digits
        for end in range(HALF):
            ends(t, signing.REST)[end, :3] = rest
            rest = (rest - int(digits[2 * end])) * pow(4, -1, P) % P
            ends(t, signing.REST)[end, 3] = rest
            rest = rest - int(digits[2 * end + 1])
            rest = rest * pow(4, -1, P) % P
        return 4 * rest

    yield case("element is used up", alone, shown=lambda t: swap(t, 0, told=False), cells=divide)
    for i in range(3):

        def no_bit(t, i=i):
            over = divide(t) - sum((4 << k) * (t.read[0] >> 28 + k & 1) for k in range(3) if k != i)
            ends(t, signing.UNUSED + i)[HALF - 1] = over * pow(4 << i, -1, P) % P

        yield case(f"unused bit {i}", alone, shown=lambda t: swap(t, 0, told=False), cells=no_bit)

    def below(t):
        """A digit of 3 is taken for -1, and 1 more for the next; the key's chain begins one place earlier."""
        shown = t.shown[ALICE] = show(t, ALICE, total=SUM + 3)
        pairs = shown.digits.reshape(-1, 2)
        end = t.end = int(np.flatnonzero((pairs[:, 0] == 3) & (pairs[:, 1] < 3))[0])
        chain, start = 2 * end, (1, 2, 3, 4)
        raw = np.array([[*start, *[0] * 4, ALICE, 3, PLACE * chain - 1, *[0] * 4, signing.STEP_TAG]])
        digits, at_zero = shown.digits.copy(), digest_of(raw)[:4]
        digits[[chain, chain + 1]] += [-3, 1]
        reveal_from(t, digits, chain, at_zero)
        shown.digits, shown.values = digits, shown.values.copy()
        shown.digits[chain], shown.values[chain] = -1, start
        shown.steps = np.concatenate([raw, shown.steps])

    def one_left(t):
        ends(t, signing.REST)[t.end, 3] += 1

    yield case("digit has two bits", alone, shown=below, cells=one_left)


def reveal_from(t: SimpleNamespace, digits: np.ndarray, chain: int, value: np.ndarray) -> None:
    """One chain begins with this value, at digit 0; `digits` are those of the others."""
    shown = t.shown[ALICE]
    digits = np.where(np.arange(CHAINS) == chain, 0, digits)
    reveal(t, ALICE, shown, digits)
    shown.values[chain] = value
    shown.ends, shown.steps = chain_steps(ALICE, t.accounts[ALICE].nonce, digits, shown.values)


CASES = [*messages(), *readings()]


@pytest.mark.parametrize("name, forged", chosen(CASES))
def test_only_its_constraint_refuses_a_false_signature(name, forged):
    assert broken(rollup(), *forged()) == {name}
