"""Noise, division and clamp: for each constraint a false step that breaks nothing else."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from training_cases import FULL_HALVES, Edit, example, forge, honest, moved, step_on
from training_checks import broken

from bfl_ref.fixed_point.rule import WEIGHT_LIMIT
from bfl_ref.fixed_point.training import State
from bfl_ref.stark.field import P
from bfl_ref.statements.training_layout import AFTERWARDS, COMMITMENT
from bfl_ref.statements.training_trace import Step

Case = tuple[
    str, Callable[[int], tuple[Step, Step, dict[str, Edit]]]
]  # name, halves -> (honest step, forged step, edits)
SLOT = 7
AROUND = (P - 1) // 4096  # a change by this is none, modulo p, at D = 4096: but for a remainder of 1


def slow(halves: int) -> Step:
    """D = 4096."""
    return example(halves, rate=16)


@cache
def edge(halves: int) -> Step:
    """Weights at either limit: some leave the range in this step."""
    step = example(halves)
    w = np.where(np.arange(36 * halves) % 2, WEIGHT_LIMIT - 1, -WEIGHT_LIMIT)
    return step_on(step.v, step.y, step.salts, w, step.hyper, np.random.default_rng(3).bytes)


@cache
def small_draw(halves: int, i: int) -> tuple[Step, int]:
    """A step and a slot whose element i is below 2^24 - 1: it has a second decomposition, 120 2^24 + ... > p - 1."""
    for seed in range(2, 40):
        step = example(halves, rows=30, seed=seed)
        trace, _ = honest(step)
        elements = trace[i].reshape(-1, 16)[: 36 * halves, 15]
        found = np.flatnonzero(np.asarray(elements) < (1 << 24) - 1)
        if len(found):
            return step, int(found[0])
    raise AssertionError("no small element in 38 steps")


def on(name: str, base: Callable[[int], Step] = example, **edits: Edit) -> Case:
    return name, lambda halves: (base(halves), base(halves), edits)


def draws() -> Iterator[Case]:
    def put(i: int, by: int) -> Edit:
        def edit(t):
            t.extra[SLOT, 8 + i] += by

        return edit

    names = [*(f"draw beacon {i}" for i in range(4)), "draw step", "draw slot", "draw zero", "draw tag"]
    for i, name in enumerate(names):
        yield on(name, values=put(i, 1))

    for i in range(2):

        def other(t, i=i):
            t.elements[i, SLOT] ^= 1 << 11

        def around(t, i=i):
            t.elements = t.elements.astype(np.int64)
            t.elements[i, SLOT] += P

        def pay(t, i=i):
            t.cells["byte"][2 + i, SLOT, 15] = 0

        yield on(f"drawn {i}", elements=other)
        yield on(f"top {i}", elements=around, draws=pay)

        def edge_of_field(halves, i=i):
            step, slot = small_draw(halves, i)

            def around(t):
                t.elements = t.elements.astype(np.int64)
                t.elements[i, slot] += P

            def flag(t):
                t.cells["flag"][i, slot, 15], t.cells["byte"][2 + i, slot, 15] = 1, 0

            return step, step, {"elements": around, "draws": flag}

        yield f"p - 1 {i}", edge_of_field


def division() -> Iterator[Case]:
    def rest(t) -> np.ndarray:
        return t.cells["range"][:, SLOT, 15]

    def more(t):
        moved(t, SLOT, 1000)

    def right_rest(t):
        rest(t)[:2] += np.array([1000, -1000]) * t.update.divisor

    yield on("division", update=more, cells=right_rest)

    def one_less(t):
        moved(t, SLOT, -1)

    def no_room(t):
        rest(t)[1] = 0

    yield on("remainder", update=one_less, cells=no_room)

    def far_down(t):
        moved(t, SLOT, -AROUND)

    def unlimited_below(t):
        rest(t)[:] = rest(t)[0] - P, rest(t)[1] + P, 0, 0

    def far_up(t):
        moved(t, SLOT, AROUND)

    def unlimited_above(t):
        rest(t)[:2] += np.array([P, -P])
        t.cells["range"][3, SLOT, 14], t.cells["byte"][1:3, SLOT, 14] = 0, 0

    yield on("change not less", slow, update=far_down, cells=unlimited_below)
    yield on("change not more", slow, update=far_up, cells=unlimited_above)


def clamp() -> Iterator[Case]:
    def after(by: int) -> Edit:
        def edit(t):
            t.update.after[SLOT] += by

        return edit

    def unflagged(t):
        t.cells["flag"][:2, SLOT, 14] = t.cells["range"][:2, SLOT, 14] = 0

    yield on("clamp", update=after(1000), cells=unflagged)
    yield on("clamp", update=after(-1000), cells=unflagged)
    yield on("clamped above", update=after(-1000))
    yield on("clamped below", update=after(1000))

    def beyond(t):
        """The first weight that leaves the range is let go."""
        u = t.update
        t.slot = int(np.flatnonzero(u.after != u.before - u.change)[0])
        u.after[t.slot] = u.before[t.slot] - u.change[t.slot]

    def unbound(t):
        t.cells["range"][2, t.slot, 14] = t.cells["byte"][0, t.slot, 14] = 0

    yield on("after in 20 bits", edge, update=beyond, cells=unbound)

    def too_large(t):
        t.cells["byte"][3:, SLOT, 14] = t.cells["byte"][4, SLOT, 15] = 0

    def wide_top(t):
        t.cells["byte"][4, SLOT, 15] = 0

    for name, edit in (("before in 20 bits", too_large), ("before's top in 4 bits", wide_top)):
        yield name, lambda halves, edit=edit: (example(halves), large(halves), {"cells": edit})


@cache
def large(halves: int) -> Step:
    """A step from a weight that the format does not have."""
    step = example(halves)
    w = step.before.weights.copy()
    w[SLOT] = WEIGHT_LIMIT + 5
    return replace(step, before=State(w, step.before.salt))


CASES = [*draws(), *division(), *clamp()]


@pytest.mark.parametrize("halves", FULL_HALVES)
@pytest.mark.parametrize("name, case", CASES, ids=[name for name, _ in CASES])
def test_constraint_alone_refuses_a_false_update(halves, name, case):
    right, step, edits = case(halves)
    trace, public = forge(step, **edits)
    assert broken(right, trace, public) == {name}
    false_step = (public[AFTERWARDS:COMMITMENT] != honest(right)[1][AFTERWARDS:COMMITMENT]).any()
    assert false_step or name.startswith(("top", "p - 1"))  # the next draw, whose noise may be the same
