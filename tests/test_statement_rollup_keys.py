"""Keys and chains of the rollup's statement: for each constraint a trace, of a key made otherwise, that breaks it alone."""

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rollup_trace_cases import alone, case
from rollup_trace_checks import Case, broken, chosen
from rollup_trace_parts import ALICE, CAROL, NOTE, block, digest_of, key, reveal, rollup

from bfl_ref.rollup.signatures import CHAINS, DIGITS_OF_EACH, KEY_TAG, STEPS
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.rollup import signatures as signing
from bfl_ref.statements.rollup.layout import ENDS, PLACE

FIRST = block(0) + 1  # slot of the first two ends
HALF = DIGITS_OF_EACH // 2  # end slots that an element's digits take


def ends(t: SimpleNamespace, place: int) -> np.ndarray:
    """(28, 4): a cell of `r` on the rows of the end slots."""
    return t.cells.columns["r"][place, FIRST : FIRST + ENDS]


def keys() -> Iterator[Case]:
    """The account's key was made otherwise than keys are: whoever makes it so can sign more with it."""
    for j in range(5):

        def another(t, j=j):
            held = list(t.accounts[ALICE].key)
            held[j] += 1
            t.accounts[ALICE] = replace(t.accounts[ALICE], key=tuple(held))

        yield case(f"signed with the key {j}", alone, keys=another)

    def absorbed(end: int, i: int):
        """One element more before the ends of that slot."""

        def keys(t):
            shown_ends, state = t.shown[ALICE].ends.reshape(ENDS, DIGEST), np.array([KEY_TAG] + [0] * 7)
            t.states = []
            for k in range(ENDS):
                state = state + (np.arange(DIGEST) == i) * (k == end)
                t.states.append(state)
                state = digest_of([*state, *shown_ends[k]]).astype(np.int64)
            t.accounts[ALICE] = replace(t.accounts[ALICE], key=tuple(state[:5].tolist()))

        def cells(t):
            t.cells.raw[:DIGEST, FIRST : FIRST + ENDS] = np.array(t.states).T

        return {"keys": keys, "cells": cells}

    for i in range(DIGEST):
        yield case(f"key digest starts {i}", alone, **absorbed(0, i))
        yield case(f"key digest {i}", alone, **absorbed(11, i))

    for i in range(4):
        for name, parity in (("first", 0), ("second", 1)):

            def other_end(t, i=i, parity=parity):
                t.true = t.shown[ALICE].ends
                t.shown[ALICE].ends = t.true.copy()
                t.shown[ALICE].ends[10 + parity, i] += 1

            def prove_the_true_one(t, i=i, parity=parity):
                ends(t, signing.VALUE + i)[5, parity] = t.true[10 + parity, i]

            yield case(f"{name} end {i}", alone, shown=other_end, cells=prove_the_true_one)


def chain(t: SimpleNamespace, most: int) -> int:
    """The first chain that is shown at that place or before."""
    return int(np.flatnonzero(t.shown[ALICE].digits <= most)[0])


def steps() -> Iterator[Case]:
    def step_of(t: SimpleNamespace, place: int) -> int:
        """Which step starts there."""
        return int(np.flatnonzero(t.shown[ALICE].steps[:, 10] == place)[0])

    def without(t: SimpleNamespace, place: int) -> None:
        shown = t.shown[ALICE]
        shown.steps = np.delete(shown.steps, step_of(t, place), axis=0)

    def short(t):
        c = t.chain = chain(t, 2)
        t.shown[ALICE].ends[c] = key(ALICE, 3).positions[2, c]
        without(t, PLACE * c + 2)

    def ends_early(t):
        ends(t, signing.POSITION)[t.chain // 2, t.chain % 2] -= 1

    yield case("ends are at the last place", alone, shown=short, cells=ends_early)

    def skip(t):
        c = chain(t, 1)
        t.shown[ALICE].ends[c] = key(ALICE, 3).positions[2, c]
        without(t, PLACE * c + 2)
        t.slot = rollup().layout.steps.start + step_of(t, PLACE * c + 1)

    def two_places(t):
        t.at("r", signing.POSITION)[t.slot, 3] += 1

    yield case("place", alone, shown=skip, trace=two_places)

    for i in range(16):

        def hash_another(t, i=i):
            shown, c = t.shown[ALICE], chain(t, 2)
            step = step_of(t, PLACE * c + STEPS - 1)
            t.slot, t.kept = rollup().layout.steps.start + step, shown.steps[step].copy()
            shown.steps[step, i] += 1
            shown.ends[c] = digest_of(shown.steps[step])[:4]

        def say_the_same(t, i=i):
            r = t.cells.columns["r"]
            r[signing.VALUE : signing.VALUE + 4, t.slot, 0] = t.kept[:4]
            r[signing.POSITION, t.slot] = t.kept[10]
            t.cells.put("who", t.slot, t.kept[8])
            t.cells.put("when", t.slot, t.kept[9])

        yield case(f"step hashes {i}", alone, shown=hash_another, steps=say_the_same)

    for i in range(4):

        def end_elsewhere(t, i=i):
            c = chain(t, 2)
            t.shown[ALICE].ends[c, i] += 1
            t.slot = rollup().layout.steps.start + step_of(t, PLACE * c + STEPS - 1)

        def give_it(t, i=i):
            t.at("r", signing.VALUE + i)[t.slot, 3] += 1

        yield case(f"step gives {i}", alone, shown=end_elsewhere, trace=give_it)


def of_others() -> Iterator[Case]:
    """In the end slots the account is another, or at another nonce, or signs nothing."""

    def hashed_for(index: int, nonce: int):
        def edit(t):
            reveal(t, ALICE, t.shown[ALICE], t.shown[ALICE].digits, (index, nonce))

        return edit

    def said(name: str, value: int):
        def edit(t):
            t.cells.put(name, slice(FIRST, FIRST + ENDS), value)

        return edit

    yield case("who is held", alone, shown=hashed_for(CAROL, 3), cells=said("who", CAROL))
    yield case("when is held", alone, shown=hashed_for(ALICE, 2), cells=said("when", 2))

    def unsigned(t):
        shown = t.shown[ALICE]
        shown.values = shown.ends = np.zeros((CHAINS, 4), np.int64)
        shown.steps = shown.steps[:0]

    def any_key(t):
        t.accounts[ALICE] = replace(t.accounts[ALICE], key=NOTE)

    yield case("signed is held", alone, shown=unsigned, keys=any_key, cells=said("signed", 0))


CASES = [*keys(), *steps(), *of_others()]


@pytest.mark.parametrize("name, forged", chosen(CASES))
def test_only_its_constraint_refuses_a_false_key(name, forged):
    assert broken(rollup(), *forged()) == {name}
