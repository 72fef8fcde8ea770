"""Permutations, digests and boundaries: for each constraint a false trace that breaks nothing else."""

from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from stark_cases import FULL
from training_cases import FULL_HALVES, Edit, example, forge, honest, permute, training
from training_checks import broken

from bfl_ref.stark.field import F, base
from bfl_ref.statements import three_rows
from bfl_ref.statements.poseidon2 import DIGEST, WIDTH
from bfl_ref.statements.three_rows import PARTIAL

Case = tuple[str, dict[str, Edit]]
FAULTS = [("a", r, i) for r in range(3) for i in range(WIDTH) if FULL or i % 3 == r]
FAULTS += [("b", r, i) for r in range(3) for i in range(PARTIAL if r == 1 else WIDTH)]
FAULTS += [("next", r, i) for r in range(2) for i in range(WIDTH) if FULL or i % 2 == r]
LAST = -1  # block


@cache
def faulty(halves: int) -> tuple[dict[str, F], F]:
    """The last permutation once for each of FAULTS: the cell that this constraint gives is one too large, all else right.

    Cells by name (16, 3, faults) and outputs (16, faults).
    """
    trace, _ = honest(example(halves))
    cells = {name: F.Zeros((WIDTH, 3, len(FAULTS))) for name in ("state", "a", "b")}
    cells["state"][:, 0] = trace[:WIDTH, -4, None]
    constants = {k: v[:, 12:15] for k, v in training(1).periodic.items() if k.startswith("before_")}
    for r in range(3):
        wanted = {(kind, i): base([int((kind, r, i) == f) for f in FAULTS]) for kind, _, i in FAULTS}
        for _ in range(PARTIAL + 3):  # each S-box of row 1 needs the one before
            cur = SimpleNamespace(**{k: list(v[:, r]) for k, v in cells.items()})
            cur.__dict__.update({k: list(v[:, r]) for k, v in constants.items()})
            nxt = SimpleNamespace(state=list(cells["state"][:, min(r + 1, 2)]))
            for name, value in three_rows.constraints(cur, nxt, F, *(F(int(r == s)) for s in range(3))):
                kind, i = name.split()[0], int(name.split()[1])
                if kind == "next" and r < 2:
                    cells["state"][i, r + 1] += value - wanted[kind, i]
                elif kind != "next":
                    cells[kind][i, r] -= value - wanted.get((kind, i), F(0))
    last = SimpleNamespace(b=list(cells["b"][:, 2]), before_next=list(constants["before_next"][:, 2]))
    return cells, np.stack(three_rows.output(last)).view(F)


def permutations() -> Iterator[Case]:
    for f, (kind, _, i) in enumerate(FAULTS):

        def put(t, f=f):
            """Instead of the last permutation of the state after."""
            cells, out = faulty(t.halves)
            for name, values in cells.items():
                t.cells[name][:, LAST, 12:15] = values[..., f]
            t.cells["state"][:DIGEST, LAST, 15] = out[:DIGEST, f] + cells["state"][:DIGEST, 0, f]

        yield f"{kind} {i}", {"cells": put}


def digests() -> Iterator[Case]:
    def last_permutation(i: int) -> Edit:
        """Another input of the last block's fifth permutation than the weights."""

        def edit(t):
            t.extra[LAST, i] += 1

        return edit

    def keep_read(i: int) -> Edit:
        def edit(t):
            t.cells["read"][i, LAST, 12] -= 1

        return edit

    for i in range(6):
        yield f"hashed weight {i}", {"state": last_permutation(8 + i), "cells": keep_read(i)}
    yield "hashed zero", {"state": last_permutation(14)}
    yield "hash tag", {"state": last_permutation(15)}

    def chain(change: Callable[[np.ndarray], None]) -> Edit:
        """Another input of the last leaf's chain permutation."""

        def edit(t):
            raw = t.cells["state"][:, LAST, 9].copy()
            change(raw)
            out = permute(t, LAST, 9, raw)
            t.cells["hold"][:, LAST, 12:] = (t.cells["hold"][:, LAST, 11] + out[:DIGEST])[:, None]

        return edit

    for i in range(DIGEST):

        def other(raw, i=i):
            raw[i] += 1

        def leaf(raw, i=i):
            raw[DIGEST + i] += 1

        def digest(t, i=i):
            t.cells["state"][i, LAST, 15] += 1

        def hold(t, i=i):
            t.cells["hold"][i, LAST, 12:] += 1

        def hold_late(t, i=i):
            t.cells["hold"][i, LAST, 14:] += 1

        def carry(t, i=i):
            t.cells["carry"][i, LAST, 13:15] += 1
            t.cells["state"][i, LAST, 15] += 1

        def carry_late(t, i=i):
            t.cells["carry"][i, LAST, 14] += 1
            t.cells["state"][i, LAST, 15] += 1

        yield f"digest {i}", {"cells": chain(other)}
        yield f"digest {i}", {"cells": digest}
        yield f"leaf {i}", {"cells": chain(leaf)}
        yield f"hold {i}", {"cells": hold}
        yield f"hold {i}", {"cells": hold_late}
        yield f"carry {i}", {"cells": carry}
        yield f"carry {i}", {"cells": carry_late}


def boundaries() -> Iterator[Case]:
    def claim(at: int) -> Edit:
        def edit(t):
            t.public[at] += F(1)

        return edit

    for i in range(DIGEST):

        def start(t, i=i):
            t.start = t.start.copy()
            t.start[i] += F(1)

        def seed_input(t, i=i):
            t.extra[training(t.halves).seed_block, DIGEST + i] += 1

        yield f"segment starts {i}", {"leaves": start}
        yield f"seed input {i}", {"values": seed_input}
        for name, at in (("segment", 0), ("state before", 8), ("state after", 16), ("seed", 24)):
            yield f"{name} {i}", {"public": claim(at + i)}


CASES = [*permutations(), *digests(), *boundaries()]


@pytest.mark.parametrize("halves", FULL_HALVES)
@pytest.mark.parametrize("name, edits", CASES, ids=[name for name, _ in CASES])
def test_constraint_alone_refuses_a_false_digest(halves, name, edits):
    assert broken(example(halves), *forge(example(halves), **edits)) == {name}
