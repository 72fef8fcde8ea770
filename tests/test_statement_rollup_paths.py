"""Paths and roots of the rollup's statement: for each constraint a trace, of a false path, that breaks nothing else."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
from rollup_trace_cases import alone, busy, case, served
from rollup_trace_checks import Case, broken, chosen
from rollup_trace_parts import ALICE, LAST, NEW, OLD, PATH, block, climb, digest_of, rollup

from bfl_ref.rollup.accounts import DEPTH
from bfl_ref.stark.field import F, P
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.rollup.blocks import fill_path

START = block(0) + PATH
LEVEL = 3  # where paths are bent


def leaves(t: SimpleNamespace) -> list[np.ndarray]:
    return [digest_of(t.cells.raw[:, block(0) + at]) for at in (OLD, NEW)]


def pair_of(level: int) -> list[int]:
    """The two slots of a level."""
    return [START + 2 * level, START + 2 * level + 1]


def climb_on(t: SimpleNamespace, level: int, old_by: Sequence[int] = (0,) * DIGEST) -> None:
    """From the level after this one; old_by: added to the node before."""
    old, new = (digest_of(t.cells.raw[:, slot]) for slot in pair_of(level))
    climb(t, 0, level + 1, [(old + np.array(old_by)) % P, new])


def unit(i: int) -> list[int]:
    return [int(i == j) for j in range(DIGEST)]


def nodes() -> Iterator[Case]:
    for i in range(DIGEST):

        def other_leaf(t, i=i):
            old, new = leaves(t)
            climb(t, 0, 0, [(old + np.array(unit(i))) % P, new])

        yield case(f"old leaf waits {i}", alone, cells=other_leaf)

        def left(t, i=i):
            t.cells.raw[i, pair_of(LEVEL)[i % 2]] += 1
            climb_on(t, LEVEL)

        def right(t, i=i):
            t.cells.raw[DIGEST + i, pair_of(LEVEL)[i % 2]] += 1
            climb_on(t, LEVEL)

        def other_node(t, i=i):
            climb_on(t, LEVEL, unit(i))

        yield case(f"left {i}", alone, cells=left)
        yield case(f"right {i}", alone, cells=right)
        yield case(f"waits {i}", alone, cells=other_node)

        def other_sibling(t, i=i):
            lift = pair_of(LEVEL)[1]
            r, bit = t.cells.columns["r"], t.cells.columns["bit"][0, lift, 0]
            r[DIGEST + i, lift] += 1
            t.cells.raw[i if bit else DIGEST + i, lift] += 1
            climb_on(t, LEVEL)

        yield case(f"one sibling {i}", alone, cells=other_sibling)


def held() -> Iterator[Case]:
    """`r` changes within a slot: a node before (0 to 7), or a sibling."""
    for i in range(DIGEST):

        def other_node(t, i=i):
            kept = t.cells.columns["r"][i, block(0) + NEW, 0]
            old, new = leaves(t)
            climb(t, 0, 0, [(old + np.array(unit(i))) % P, new])
            t.cells.columns["r"][i, block(0) + NEW, 0] = kept

        def other_sibling(t, i=i):
            pair, lift = pair_of(LEVEL)
            r, bit = t.cells.columns["r"], t.cells.columns["bit"][0, lift, 0]
            r[DIGEST + i, lift] += 1
            r[DIGEST + i, pair, 1:] += 1
            t.cells.raw[i if bit else DIGEST + i, lift] += 1
            climb_on(t, LEVEL)

        yield case(f"r {i} is held", alone, cells=other_node)
        yield case(f"r {DIGEST + i} is held", alone, cells=other_sibling)


def places() -> Iterator[Case]:
    def elsewhere(index: int, say: dict[tuple[int, int], int], rows: slice = slice(None)):
        """The path is that of `index`; what is said to be the index at (level, turn) is another."""

        def edit(t):
            siblings = [
                tuple(t.cells.columns["r"][DIGEST:, slot, 0]) for slot in range(START, block(0) + LAST, 2)
            ]
            fill_path(t.cells, START, index, siblings, leaves(t))
            climb(t, 0)
            for (level, turn), said in say.items():
                t.cells.columns["index"][0, pair_of(level)[turn], rows] = said

        return edit

    yield case("path of the account", alone, cells=elsewhere(7, {}))
    yield case("one index", alone, cells=elsewhere(7, {(0, 0): ALICE}))
    yield case("index is held", alone, cells=elsewhere(7, {(0, 0): ALICE}, slice(0, 1)))
    yield case("bits of the index", alone, cells=elsewhere(7, {(0, 0): ALICE, (0, 1): ALICE}))
    beyond = {(level, turn): ALICE >> level for level in range(DEPTH) for turn in (0, 1)}
    yield case("top bit of the index", alone, cells=elsewhere(ALICE + 512, beyond))

    def turned(t):
        """The node before is taken from the other side."""
        pair = pair_of(LEVEL)[0]
        t.cells.raw[:, pair] = np.roll(t.cells.raw[:, pair], DIGEST)
        t.cells.columns["bit"][0, pair] ^= 1
        climb_on(t, LEVEL)

    def turned_for_a_row(t):
        turned(t)
        t.cells.columns["bit"][0, pair_of(LEVEL)[0], 1:] ^= 1

    yield case("one bit", alone, cells=turned)
    yield case("bit is held", alone, cells=turned_for_a_row)

    def bent(t):
        """A bit of 2 takes from either side what lies as far beyond; the index is half of the rest."""
        level, r = 1, t.cells.columns["r"]
        for turn, slot in enumerate(pair_of(level)):
            waited, sibling = r[:DIGEST, slot - 1, 0], r[DIGEST:, slot, 0]
            t.cells.raw[:, slot] = np.concatenate([2 * sibling - waited, 2 * waited - sibling]) % P
            t.cells.columns["bit"][0, slot] = 2
            if turn == 0:
                r[:DIGEST, slot + 1] = digest_of(t.cells.raw[:, slot])[:, None]
        t.cells.columns["index"][0, pair_of(2)] = 0
        climb_on(t, level)

    yield case("bit is a bit", alone, cells=bent)


def roots() -> Iterator[Case]:
    for i in range(DIGEST):

        def another_before(t, i=i):
            t.at("root", i)[: block(0) + LAST + 1] += 1

        def jump(t, i=i):
            t.at("root", i)[:30] += 1

        def claim(at):
            def edit(t):
                t.public[at] += F(1)

            return edit

        yield case(f"old path {i}", alone, trace=another_before)
        yield case(f"root {i}", alone, trace=jump)
        yield case(f"boundary old root {i}", alone, public=claim(i))
        yield case(f"boundary new root {i}", alone, public=claim(DIGEST + i))

    def never_lands(t):
        last = block(3) + LAST
        t.cells.columns["live"][0, last] = 0
        t.cells.put("root", slice(last + 1, None), t.cells.columns["root"][:, last, 0])

    yield case("live is held", busy, cells=never_lands)

    def backwards(t):
        t.touched.reverse()

    def nobody_between(t):
        t.touched.insert(1, 9)

    def skip(t):
        t.cells.put("live", slice(block(1), block(2)), 0)

    yield case("ascending", served, opened=backwards)
    yield case("no gap", served, opened=nobody_between, cells=skip)


CASES = [*nodes(), *held(), *places(), *roots()]


@pytest.mark.parametrize("name, forged", chosen(CASES))
def test_only_its_constraint_refuses_a_false_path(name, forged):
    assert broken(rollup(), *forged()) == {name}
