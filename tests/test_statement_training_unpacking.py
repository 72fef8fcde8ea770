"""Unpacking is unique: bytes, label and bias that the leaf does not hold break the one constraint that is there for them."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from stark_cases import FULL
from test_statement_training_rows import Case, on_row, refused_alone, row
from training_cases import FULL_HALVES, Edit, example, forge, place, refit
from training_checks import broken

from bfl_ref.stark.field import P
from bfl_ref.statements.training_trace import Step


def seen(name: str, change: Callable[[np.ndarray, np.ndarray, int, int], None], **more: Edit) -> Case:
    """change(v, y, k, halves): row k is trained on as another than was committed to."""

    def case(halves: int) -> tuple[Step, dict[str, Edit]]:
        k = row(halves, "between")
        return example(halves), {"seen": lambda t: change(t.v, t.y, k, halves), **more}

    return name, case


def other_feature(slot: int):
    def change(v, y, k, halves):
        v[k, slot % (36 * halves)] += -8 if v[k, slot % (36 * halves)] > 0 else 8

    return change


def unpacking() -> Iterator[Case]:
    for p in range(6):
        for b in range(6):
            if (p, b) != (5, 5) and (FULL or b % 3 == p % 3):
                yield seen(f"packed {b // 3}", other_feature(6 * p + b))
            if (p, b) != (5, 5) and FULL:  # of the second half, if there is one
                yield seen(f"packed {b // 3}", other_feature(36 + 6 * p + b))

    def other_label(v, y, k, halves):
        y[k] ^= 1

    def other_bias(slot):
        def change(v, y, k, halves):
            v[k, slot % (36 * halves)] += 1

        return change

    yield seen("packed 1", other_label)
    yield seen("bias", other_bias(35))
    yield seen("bias", other_bias(71))
    for i in range(2):
        yield "later " + str(i), lambda halves, i=i: unpacked_late(halves, "later", i, 6 + 3 * i, 1)
    for i in range(2, 8):
        p = 2 + i // 2
        yield f"carry {i}", lambda halves, i=i, p=p: unpacked_late(halves, "carry", i, 6 * p + 3 * (i % 2), p)


def unpacked_late(halves: int, column: str, i: int, slot: int, p: int) -> tuple[Step, dict[str, Edit]]:
    """Bytes that do not belong to the leaf, and a false copy of the leaf's element that they do belong to."""
    k = row(halves, "between")

    def change(t):
        t.by = -8 if t.v[k, slot] > 0 else 8
        t.v[k, slot] += t.by

    def copy(t):
        block, first = place(halves, k, p)
        t.cells[column][i, block, first : first + (6 - p if column == "carry" else 1)] += t.by

    return example(halves), {"seen": change, "residuals": copy}


def no_bits() -> Iterator[Case]:
    def other_packing(t, k, cell):
        """The same element e_11 = u_33 + 256 u_34 + 65536 label, with another u_33 and no bit for a label."""
        slot = 36 * (t.halves - 1) + 33
        t.by = -1 if t.v[k, slot] > 0 else 1
        t.v[k, slot] += 32 * t.by

    def other_residual(t, k, cell):
        refit(t, k, residual=t.values.residual[k] + t.by)

    def no_bit(t, k, cell):
        t.cells["flag"][cell(5)] = t.y[k] - t.by * 32 * pow(65536, -1, P)

    yield on_row("flag 5 is a bit", seen=other_packing, values=other_residual, residuals=no_bit)


def two_labels(halves: int) -> tuple[Step, dict[str, Edit]]:
    def put(t):
        t.leaves[2 * 5, 7] += type(t.leaves)(65536)

    def flag(t):
        t.cells["flag"][5, 5, 5] = 1

    return example(halves), {"leaves": put, "residuals": flag}


CASES = [*unpacking(), *no_bits()]


@pytest.mark.parametrize("halves", FULL_HALVES)
@pytest.mark.parametrize("name, case", CASES, ids=[name for name, _ in CASES])
def test_constraint_alone_refuses_another_unpacking(halves, name, case):
    refused_alone(halves, name, case)


@pytest.mark.parametrize("halves", [1, 2])
def test_another_packing_of_the_same_element_has_no_bytes(halves):
    """u_0 + 256 u_1 = (u_0 + 256) + 256 (u_1 - 1); adding p, too, leads beyond three bytes."""

    def borrow(t):
        t.cells["byte"][:2, 3, 0] += [256, -1]

    found = broken(example(halves), *forge(example(halves), cells=borrow))
    assert "lookup" in found and not [name for name in found if name.startswith("packed")]
    assert P > 1 << 24


def test_constraint_alone_refuses_a_label_in_a_first_half():
    step, edits = two_labels(2)
    assert broken(step, *forge(step, **edits)) == {"one label"}
