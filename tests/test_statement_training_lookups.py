"""Lookups: for each fraction a false step that only this fraction refuses; and every constraint has such a step."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from test_statement_training_hashing import CASES as DIGESTS
from test_statement_training_rows import CASES as ROWS
from test_statement_training_rows import on_row
from test_statement_training_unpacking import CASES as BYTES
from test_statement_training_update import CASES as UPDATES
from test_statement_training_update import SLOT, edge, large, moved, slow
from training_cases import FULL_HALVES, Edit, example, forge, honest, place, refit, training
from training_checks import all_names, broken, unbalanced

from bfl_ref.fixed_point.rule import WEIGHT_LIMIT
from bfl_ref.stark.field import P
from bfl_ref.statements.training_layout import AFTER, BUS, BYTE, CLIP, NOISE, OF_SIGMOID, RANGE, WEIGHT
from bfl_ref.statements.training_trace import Step

Case = tuple[
    str, Callable[[int], tuple[Step, Step, dict[str, Edit]]]
]  # fraction, halves -> (honest, forged step, edits)
TABLES = {RANGE: "range", BYTE: "byte", OF_SIGMOID: "sigmoid", NOISE: "noise", CLIP: "clip"}


def on(name: str, base: Callable[[int], Step] = example, **edits: Edit) -> Case:
    return name, lambda halves: (base(halves), base(halves), edits)


def on_data(name: str, kind: str, **edits: Callable) -> Case:
    def case(halves: int) -> tuple[Step, Step, dict[str, Edit]]:
        step, found = on_row(name, kind, **edits)[1](halves)
        return step, step, found

    return name, case


def octets() -> Iterator[Case]:
    def let_go(t):
        u = t.update
        slot = int(np.flatnonzero(u.after != u.before - u.change)[0])
        u.after[slot] = u.before[slot] - u.change[slot]

    yield on("byte 0", edge, update=let_go)

    def far_up(t):
        moved(t, SLOT, (P - 1) // 4096)

    def beyond(which: int) -> Edit:
        def edit(t):
            t.cells["range"][:2, SLOT, 15] += np.array([P, -P])
            more = (1 << 29) // t.update.divisor - t.update.change[SLOT]
            t.cells["byte"][1:3, SLOT, 14] = (more >> 12, 0) if which == 1 else (more >> 12 & 255, more >> 20)

        return edit

    yield on("byte 1", slow, update=far_up, cells=beyond(1))
    yield on("byte 2", slow, update=far_up, cells=beyond(2))

    shifted = 2 * WEIGHT_LIMIT + 5
    for name, limbs, top in (
        ("byte 3", (shifted - (15 << 16), 0, 15), 240),
        ("byte 4", (shifted & 255, (shifted >> 8) - (15 << 8), 15), 240),
        ("byte 5", (5, 16, 255 * pow(16, -1, P)), 255),  # a 16th of a byte, modulo p
    ):

        def too_large(t, limbs=limbs, top=top):
            t.cells["byte"][3:, SLOT, 14], t.cells["byte"][4, SLOT, 15] = limbs, top

        yield name, lambda halves, edit=too_large: (example(halves), large(halves), {"cells": edit})


def ranges() -> Iterator[Case]:
    def to_the_limit(t):
        t.update.after[SLOT] = WEIGHT_LIMIT - 1

    def negative(low: Callable[[int], int], high: Callable[[int], int]) -> Edit:
        def edit(t):
            beyond = t.update.before[SLOT] - t.update.change[SLOT] - t.update.after[SLOT]
            t.cells["flag"][:2, SLOT, 14] = 1, 0
            t.cells["range"][:2, SLOT, 14] = low(beyond), high(beyond)

        return edit

    yield on("range 0", update=to_the_limit, cells=negative(lambda b: b, lambda b: 0))
    yield on("range 1", update=to_the_limit, cells=negative(lambda b: b & 4095, lambda b: b >> 12))

    def unclipped(t, k, cell):
        t.values.clipped[k] = t.values.residual[k]

    def unflagged(t, k, cell):
        flag, clipped, bound = t.cells["flag"], t.values.clipped[k], t.values.bound[k]
        flag[cell(3)] = flag[cell(4)] = 0
        t.cells["range"][cell(2)], t.cells["range"][cell(3)] = bound - clipped, bound + clipped

    yield on_data("range 2", "above", values=unclipped, residuals=unflagged)
    yield on_data("range 3", "below", values=unclipped, residuals=unflagged)


def entries() -> Iterator[Case]:
    def other_sigmoid(t, k, cell):
        refit(t, k, residual=t.values.residual[k] + 50)

    def say_so(t, k, cell):
        t.cells["value"][cell(0)] += 50

    def other_bound(t, k, cell):
        refit(t, k, bound=t.values.bound[k] + 50)

    yield on_data("entry 0", "between", values=other_sigmoid, residuals=say_so)
    yield on_data("entry 1", "above", values=other_bound)
    for i in range(4):

        def other_noise(t, i=i):
            t.cells["value"][i, SLOT, 15] += 1000

        yield on(f"entry {i}", draws=other_noise)


def weights() -> Iterator[Case]:
    for i in range(6):

        def other_weight(t, k, cell, i=i):
            t.by = 700_000 // int(t.v[k, i]) if t.v[k, i] else 0
            assert t.by, "a feature of zero has no weight"
            refit(t, k, z=t.values.z[k] + t.by * t.v[k, i])

        def read(t, k, cell, i=i):
            t.cells["read"][(i, *place(t.halves, k))] += t.by
            for p in range(1, 6 * t.halves):
                t.cells["dot"][(0, *place(t.halves, k, p))] += t.by * t.v[k, i]

        yield on_data(f"weight {i}", "between", values=other_weight, sums=read)

        def other_digest(t, i=i):
            t.extra[t.last, 8 + i] += 1

        yield on("after", state=other_digest)

    def other_start(t):
        t.update.before[SLOT] += 1000
        moved(t, SLOT, 0)

    def other_total(t):
        t.gradient[SLOT] += 70_000

    yield on("before", update=other_start)
    yield on("gradient", residuals=other_total)

    def other_seed(t):
        t.extra[SLOT, 0] += 1

    def other_chain(t):
        t.extra[t.last, 0] += 1

    yield on("bus", values=other_seed)
    yield on("bus", state=other_chain)


CASES = [*octets(), *ranges(), *entries(), *weights()]
OWN = {"gradient": lambda j, tag, *v: tag == WEIGHT and j == 1, "bus": lambda j, tag, *v: tag == BUS}
OWN |= {"after": lambda j, tag, *v: tag == WEIGHT and v[0] >= AFTER}
OWN |= {"before": lambda j, tag, *v: tag == WEIGHT and v[0] < AFTER}
OWN |= {f"weight {i}": lambda j, tag, *v, i=i: tag == WEIGHT and v[0] % 6 == i for i in range(6)}


def payable(halves: int) -> set[tuple[int, ...]]:
    """All that the tables hold."""
    air = training(halves)
    number = range(4096)
    columns = {RANGE: [number], BYTE: [range(256)]}
    for tag, name in ((OF_SIGMOID, "sigmoid"), (NOISE, "noise"), (CLIP, "clip")):
        columns[tag] = [number, air.preprocessed[name][:4096].tolist()]
    return {(0, tag, *values) for tag, each in columns.items() for values in zip(*each, strict=True)}


@pytest.mark.parametrize("halves", FULL_HALVES)
@pytest.mark.parametrize("name, case", CASES, ids=[name for name, _ in CASES])
def test_lookup_alone_refuses_a_false_step(halves, name, case):
    """An entry: without its fraction the tables' multiplicities could pay for all. Else: no sum but its own is wrong."""
    right, step, edits = case(halves)
    trace, public = forge(step, **edits)
    assert broken(right, trace, public) == {"lookup"}
    assert (public != honest(right)[1]).any()
    if name in OWN:
        wrong = unbalanced(step, trace, public)
        assert wrong and all(OWN[name](*key) for key in wrong)
    else:
        tables = tuple(f"{table} table" for table in TABLES.values())
        looked_up = {key for key in unbalanced(step, trace, public, tables) if key[1] in TABLES}
        assert len(looked_up - payable(halves)) == 1
        rest = unbalanced(step, trace, public, (*tables, name))
        assert {key for key in rest if key[1] in TABLES} <= payable(halves)
        assert all(key[1] in TABLES for key in rest)


@pytest.mark.parametrize("name", [*(f"{table} table" for table in TABLES.values()), "before", "after"])
def test_without_a_table_no_step_passes(name):
    step = example(1)
    assert not unbalanced(step, *honest(step))
    assert unbalanced(step, *honest(step), (name,))


@pytest.mark.parametrize("halves", [1, 2])
def test_every_constraint_and_every_fraction_has_a_false_step_of_its_own(halves):
    covered = {name for cases in (ROWS, BYTES, UPDATES, DIGESTS, CASES) for name, _ in cases}
    covered |= {f"{table} table" for table in TABLES.values()} | ({"one label"} if halves == 2 else set())
    assert covered == {*all_names(training(halves)), "gradient"}
