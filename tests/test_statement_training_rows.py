"""Rows of data: for each constraint a false step that breaks nothing else, so that without it a hospital could cheat so."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from training_cases import FULL_HALVES, Edit, example, forge, honest, place, refit, training
from training_checks import broken

from bfl_ref.fixed_point import CLIP_TABLE
from bfl_ref.stark.field import F, P
from bfl_ref.statements.training_layout import AFTERWARDS, COMMITMENT, ROWS
from bfl_ref.statements.training_trace import Step, padded, row_values

Case = tuple[
    str, Callable[[int], tuple[Step, dict[str, Edit]]]
]  # name of the one broken constraint, halves -> forgery
UNIT = 1 << 13  # of the logit: one entry of the sigmoid's table


@cache
def row(halves: int, kind: str) -> int:
    """A row of the example with |z| < 7, norm 50 to 100 and a residual of this kind."""
    step, air = example(halves), training(halves)
    v, y, _ = padded(air, step)
    values = row_values(step, v, y, np.arange(512) < 300)
    r, bound = values.residual, values.bound
    found = {
        "above": r > bound + 60,
        "below": r < -bound - 60,
        "between": (abs(r) < bound - 60) & (abs(r) > 20) & (values.z < 0),
    }[kind]
    usual = (abs(values.z) < 7 * 256 * UNIT) & (values.norm > 50) & (values.norm < 100)
    return int(np.flatnonzero(found[:300] & usual[:300])[2])


def on_row(name: str, kind: str = "between", **edits: Callable) -> Case:
    """Edits take (t, k, cell): k the row, cell(column, i, shift) -> index of a cell `shift` after the row's last."""

    def case(halves: int) -> tuple[Step, dict[str, Edit]]:
        k = row(halves, kind)
        block, end = place(halves, k, -1)
        return example(halves), {
            part: lambda t, edit=edit: edit(t, k, lambda i, shift=0: (i, block, end + shift))
            for part, edit in edits.items()
        }

    return name, case


def sums() -> Iterator[Case]:
    def add(column: str, from_p: int, by: int):
        def edit(t, k, cell):
            for p in range(from_p, 6 * t.halves):
                t.cells[column][(0, *place(t.halves, k, p))] += by

        return edit

    def other_logit(t, k, cell):
        refit(t, k, z=t.values.z[k] + 90 * UNIT)

    def other_norm(t, k, cell):
        refit(t, k, norm=int(np.ceil(np.sqrt((t.v[k] ** 2).sum() + 2500))))

    for p in range(6):
        yield on_row("dot" if p else "dot starts", values=other_logit, sums=add("dot", p, 90 * UNIT))
        yield on_row("norm" if p else "norm starts", "above", values=other_norm, sums=add("norm", p, 2500))
    yield on_row("sigmoid index", values=other_logit)

    def once_more(t, k, cell):
        t.cells["clipped"][(0, *place(t.halves, k))] += 300
        t.gradient[:6] += 300 * t.v[k, :6]

    yield on_row("clipped stays", residuals=once_more)
    for on_last_row in (False, True):
        yield "clipped elsewhere", lambda halves, last=on_last_row: collected(halves, last)


def collected(halves: int, on_last_row: bool) -> tuple[Step, dict[str, Edit]]:
    """Something else than a row of data adds to the gradient of slot 5."""

    def put(t):
        at = (t.last, 15) if on_last_row else (100, 13)
        t.cells["clipped"][(0, *at)] = 70_000
        t.cells["byte"][(slice(None), *at)] = 128
        t.cells["byte"][(5, *at)] = 129
        t.cells["read"][(5, *at)] = t.step.before.weights[5]

    def gain(t):
        t.gradient[5] += 70_000

    return example(halves), {"residuals": gain, "cells": put}


def weights_of_rows() -> Iterator[Case]:
    def heavy_padding(t):
        t.values.clipped[400] = t.values.bound[400]

    def another_counts(t):
        t.live[[7, 300]] = False, True

    def jump(t):
        t.cells["count"].reshape(-1)[3000:] += 1

    def begin_later(t):
        t.cells["count"] += 1

    def more_rows(t):
        t.public[ROWS] += F(1)

    for name, part, edit in (
        ("clipped of padding", "values", heavy_padding),
        ("live", "seen", another_counts),
        ("count", "residuals", jump),
        ("count starts", "residuals", begin_later),
        ("rows", "public", more_rows),
    ):
        yield name, lambda halves, part=part, edit=edit: (example(halves), {part: edit})


def too_long(halves: int) -> Step:
    """Row 9 has norm 150; its leaf, too, is that of the long row. 150 lies among the next clip norm's bounds."""
    step = example(halves)
    v = step.v.astype(np.int64)
    v[9] = 0
    v[9, [0, 1, 35]] = 127, 73, 32
    return replace(step, v=v)


def lengths() -> Iterator[Case]:
    def short_at_first(t):
        for p in range(6 * t.halves - 1):
            t.cells["length"][(0, *place(t.halves, 9, p))] = 128

    def no_spare(t):
        for half in range(t.halves):
            block, first = place(t.halves, 9, 4 + 6 * half)
            t.cells["range"][0, block, first] = 0

    yield "length stays", lambda halves: (too_long(halves), {"sums": short_at_first})
    yield "length bound", lambda halves: (too_long(halves), {"residuals": no_spare})

    def shorter(t, k, cell):
        refit(t, k, norm=t.values.norm[k] - 15)

    def longer(t, k, cell):
        refit(t, k, norm=t.values.norm[k] + 15)

    def pretend(t, k, cell):
        t.cells["range"][cell(0, 1)], t.cells["range"][cell(1, 1)] = 0, 2 * t.values.norm[k] - 2

    def no_room(t, k, cell):
        t.cells["range"][cell(1, 1)] = 0

    yield on_row("length not less", "above", values=shorter, residuals=pretend)
    yield on_row("length not more", "above", values=longer, residuals=no_room)

    def looser(t, k, cell):
        refit(t, k, bound=CLIP_TABLE[128 * t.step.hyper.clip + t.values.norm[k] - 1])

    def next_clip(t, k, cell):
        t.cells["index"][cell(1)] += 128

    yield on_row("clip entry", "above", values=looser, residuals=next_clip)


def residuals() -> Iterator[Case]:
    def around_the_field(t, k, cell):
        refit(t, k, z=t.values.z[k] + P)

    def not_so_far(t, k, cell):
        t.cells["range"][cell(3, 1)] = 0

    yield on_row("beyond in 16 bits", values=around_the_field, residuals=not_so_far)

    def off(by: int):
        def edit(t, k, cell):
            refit(t, k, index=t.values.index[k] + by)

        return edit

    yield on_row("above", values=off(-90))
    yield on_row("below", values=off(90))

    def clipped(change):
        def edit(t, k, cell):
            t.values.clipped[k] = change(t.values.residual[k], t.values.bound[k])

        return edit

    def unflagged(t, k, cell):
        flag, rest, clipped, bound = t.cells["flag"], t.cells["range"], t.values.clipped[k], t.values.bound[k]
        flag[cell(3)] = flag[cell(4)] = 0
        rest[cell(2)], rest[cell(3)] = max(bound - clipped, 0), max(bound + clipped, 0)

    yield on_row("upper side", "above", values=clipped(lambda r, b: r), residuals=unflagged)
    yield on_row("lower side", "below", values=clipped(lambda r, b: r), residuals=unflagged)
    yield on_row("clipped above", "above", values=clipped(lambda r, b: b - 50))
    yield on_row("clipped below", "below", values=clipped(lambda r, b: 50 - b))
    yield on_row("not clipped", values=clipped(lambda r, b: r // 2))
    yield on_row("not clipped", values=clipped(lambda r, b: 0))  # weightless, though counted


def bits() -> Iterator[Case]:
    def lower(t, k, cell):
        refit(t, k, z=t.values.z[k] - 90 * UNIT)

    def carry(t, k, cell):
        t.cells["flag"][cell(0)] += 2 * 90

    yield on_row("flag 0 is a bit", values=lower, residuals=carry)

    def saturated(index: int):
        def edit(t, k, cell):
            t.true = int(t.values.index[k])
            refit(t, k, index=index)

        return edit

    def multiple(t, k, cell):
        """index + (above - below) 1 is the true index."""
        flag, rest = t.cells["flag"], t.cells["range"]
        above = t.values.index[k] == 4095
        flag[cell(1)], flag[cell(2)] = (t.true - 4095, 0) if above else (0, -t.true)
        rest[cell(1)] = rest[cell(2, 1)] = rest[cell(3, 1)] = 0

    yield on_row("flag 1 is a bit", values=saturated(4095), residuals=multiple)
    yield on_row("flag 2 is a bit", values=saturated(0), residuals=multiple)


CASES = [*sums(), *weights_of_rows(), *lengths(), *residuals(), *bits()]


def refused_alone(halves: int, name: str, case: Callable[[int], tuple[Step, dict[str, Edit]]]) -> None:
    """Nothing but this constraint is broken, and the state after is not the honest one (but for the counts)."""
    step, edits = case(halves)
    trace, public = forge(step, **edits)
    assert broken(example(halves), trace, public) == {name}
    was, now = honest(example(halves))[1], public
    moved = (was[AFTERWARDS:COMMITMENT] != now[AFTERWARDS:COMMITMENT]).any()
    assert moved or name in ("count", "count starts", "rows")


@pytest.mark.parametrize("halves", FULL_HALVES)
@pytest.mark.parametrize("name, case", CASES, ids=[name for name, _ in CASES])
def test_constraint_alone_refuses_a_false_row(halves, name, case):
    refused_alone(halves, name, case)
