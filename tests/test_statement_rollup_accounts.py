"""Accounts of the rollup's statement: for each constraint a trace, of false values, that breaks nothing else."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from rollup_trace_cases import LooseEntry, alone, busy, case, leaving, served
from rollup_trace_checks import Case, broken, chosen
from rollup_trace_parts import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    NEW,
    OLD,
    PATH,
    block,
    climb,
    digest_of,
    key,
    rollup,
    show,
    undersign,
)

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import DEPTH
from bfl_ref.rollup.entries import Kind
from bfl_ref.rollup.signatures import key_digest
from bfl_ref.stark.field import P
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.rollup import accounts as leaf
from bfl_ref.statements.rollup.blocks import fill_path, fill_signature


def after(name: str, scene, index: int, field: str, by: int = 1, at: int | None = None, **edits) -> Case:
    """An account's field is another afterwards than it should be."""

    def edit(t: SimpleNamespace) -> None:
        values, old = t.after[index], t.after[index][field]
        values[field] = old + by if at is None else (*old[:at], (old[at] + by) % P, *old[at + 1 :])

    return case(name, scene, after=edit, **edits)


def values() -> Iterator[Case]:
    for field in ("balance", "stake", "nonce", "positive", "negative"):
        yield after(field, busy, DAVE, field)
    for j in range(5):
        yield after(f"key stays {j}", busy, DAVE, "key", at=j)
        yield after(f"record stays {j}", busy, DAVE, "record", at=j)

    def exits_with(balance: int, stake: int):
        def plan(t):
            t.queue[-1] = LooseEntry(Kind.EXIT, 0, DAVE, (balance, stake, 0, 0, 0))

        def gone(t):
            t.after[DAVE] |= {"balance": 0, "stake": 0}

        def taken(t):
            kind = t.cells.columns["kind"]
            kind[[leaf.LEFT, leaf.LEFT_STAKE], block(3) + NEW] = [[balance], [stake]]

        return {"plan": plan, "after": gone, "cells": taken}

    yield case("left", busy, **exits_with(5000, 400))
    yield case("stake left", busy, **exits_with(4000, 500))

    def spends(entry: e.Entry):
        def plan(t):
            t.lists[ALICE].insert(0, entry)

        return plan

    yield case("balance covers", alone, plan=spends(e.withdraw(ALICE, 5000)))
    yield case("stake covers", alone, plan=spends(e.unlock(ALICE, 500)))


def numbers() -> Iterator[Case]:
    """What is left after an overspending is not the number that its limbs make."""
    for i, entry in enumerate((e.withdraw(ALICE, 5000), e.unlock(ALICE, 500))):

        def overspend(t, entry=entry):
            t.lists[ALICE].insert(0, entry)

        def less_than_nothing(t, i=i):
            return (4000 - 5133, 400 - 507)[i] % P

        def jump(t, i=i):
            t.at("number", i)[block(0) + OLD, 3] = less_than_nothing(t, i)

        def start(t, i=i):
            scale = pow(256, -1, P)
            for row in range(4):
                t.at("number", i)[block(0) + OLD, row] = less_than_nothing(t, i) * pow(scale, 3 - row, P) % P

        yield case(f"number {i}", alone, plan=overspend, trace=jump)
        yield case(f"number {i} starts", alone, plan=overspend, trace=start)


def bits() -> Iterator[Case]:
    def same_key_twice(t):
        t.queue += [e.rekey(CAROL, t.accounts[CAROL].key)] * 2

    yield case("rekeyed is a bit", served, plan=same_key_twice)

    def leaves_twice(t):
        t.queue += [e.exit_all(DAVE, 4000, 400)] * 2

    yield case("exited is a bit", served, plan=leaves_twice)

    def signs_and_leaves(t):
        t.queue.append(e.exit_all(ALICE, 4000, 400))
        t.lists[ALICE] = t.lists[ALICE][-1:]

    yield case("who is served by the queue signs nothing", alone, plan=signs_and_leaves)

    def same_list(t):
        """A list that leaves the key: read twice, it is taken in twice by whom `signed` counts twice."""
        t.lists[ALICE] = [e.withdraw(ALICE, 100), e.rotate(ALICE, key(ALICE, 3).digest)]

    def read_twice(t):
        for values in (t.cells.raw, t.cells.numbers, *t.cells.columns.values()):
            values[:, 2:4] = values[:, 0:2]

    def prove_twice(t):
        t.shown[ALICE].steps = np.concatenate([t.shown[ALICE].steps] * 2)

    def enact_twice(t):
        t.after[ALICE]["balance"] -= 100
        t.after[ALICE]["nonce"] += 1

    def take_twice(t):
        t.cells.put("signed", slice(block(0), block(1)), 2)
        for name in ("kind", "to"):
            t.cells.columns[name][:, block(0) + NEW] *= 2
        t.cells.numbers[0, block(0) + NEW] = 3
        t.cells.numbers[0, block(0) + OLD] -= 100

    yield case(
        "signed is a bit",
        alone,
        plan=same_list,
        entries=read_twice,
        shown=prove_twice,
        after=enact_twice,
        cells=take_twice,
    )

    def weigh(t):
        """A step that counts twice less one that counts once: the one constraint that keeps weights out."""
        first = rollup().layout.steps.start
        spare = first + len(t.steps)
        for values in (t.cells.raw, t.cells.numbers, *t.cells.columns.values()):
            values[:, spare] = values[:, first]
        t.cells.columns["live"][0, [first, spare]] = np.array([[2], [-1]])

    yield case("live is a bit", alone, steps=weigh)


def beside_a_list() -> Iterator[Case]:
    """The owner signed another list at this nonce: a block of nobody, with a key of its own, signs the difference."""

    def two_signatures(t):
        once_signed = np.arange(DIGEST)
        rest = (t.digests[ALICE].view(np.ndarray).astype(np.int64) - once_signed) % P
        t.shown[ALICE] = show(t, ALICE, said=dict(enumerate(once_signed.tolist())))
        t.other = show(t, ALICE, said=dict(enumerate(rest.tolist())))
        t.shown[ALICE].steps = np.concatenate([t.shown[ALICE].steps, t.other.steps])

    def sign_for_nobody(t):
        first, nonce = block(1), t.accounts[ALICE].nonce
        for name, value in (("who", ALICE), ("when", nonce), ("signed", 1)):
            t.cells.put(name, slice(first, block(2)), value)
        fill_signature(t.cells, first, t.other)
        t.cells.raw[:5, first + OLD] = key_digest(t.other.ends.astype(np.uint32))
        t.cells.raw[12, first + OLD], t.cells.raw[12, first + NEW] = nonce, nonce + 1
        t.cells.put("r", first + OLD, t.cells.raw[:15, first + OLD])
        nodes = [digest_of(t.cells.raw[:, first + at]) for at in (OLD, NEW)]
        fill_path(t.cells, first + PATH, ALICE, [(0,) * DIGEST] * DEPTH, nodes)

    yield case("who signs is live", alone, shown=two_signatures, cells=sign_for_nobody)


def leaves() -> Iterator[Case]:
    first = block(0)
    for i in range(15):

        def other_leaf(t, i=i):
            t.cells.raw[i, first + OLD] += 1
            climb(t, 0)

        yield case(f"old leaf {i}", leaving, cells=other_leaf)

    def other_tag(t):
        t.cells.raw[15, first + NEW] += 1
        climb(t, 0)

    yield case("leaf tag", leaving, cells=other_tag)

    def one_more(t):
        t.touched.append(BOB)

    def named_for_a_row(t):
        t.cells.columns["to"][0, block(1) + NEW, 3] = 1

    yield case("some entry names it", alone, opened=one_more)
    yield case("to is held", alone, opened=one_more, cells=named_for_a_row)

    def sign_with_the_last_key(t):
        t.shown[ALICE] = undersign(t, ALICE, nonce=2)

    def at_the_last_nonce(t):
        t.cells.put("when", slice(first, block(1)), 2)

    yield case("nonce of the key", alone, shown=sign_with_the_last_key, cells=at_the_last_nonce)


CASES = [*values(), *numbers(), *bits(), *beside_a_list(), *leaves()]


@pytest.mark.parametrize("name, forged", chosen(CASES))
def test_only_its_constraint_refuses_a_false_account(name, forged):
    assert broken(rollup(), *forged()) == {name}
