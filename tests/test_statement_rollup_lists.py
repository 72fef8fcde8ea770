"""Lists of the rollup's statement: for each constraint a trace, of a list that asks for more, that breaks nothing else."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from rollup_trace_cases import alone, case, served
from rollup_trace_checks import Case, broken, chosen
from rollup_trace_parts import ALICE, BOB, digest_of, gain, letters, rollup

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.entries import Kind
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.rollup import entries as mail
from bfl_ref.statements.rollup.trace import fill_entry

SPARE = 40  # a slot that no scene uses


def sums() -> Iterator[Case]:
    """What a list asks for is not the sum of its entries: from its third entry on, or from its first."""
    amounts = {
        "spent": (mail.SPENT, {"OUT": -50}, {"balance": 50}),
        "unlocked": (mail.UNLOCKED, {"FREED": 50}, {"balance": 50, "stake": -50}),
        "locked": (mail.LOCKED, {"TIED": 50}, {"stake": 50}),
        "wrote": (mail.WROTE, {"WRITES": 1}, {}),
    }
    for first, prefix in ((2, "asked: "), (0, "boundary first asked: ")):

        def skew(t, place, by, first=first):
            slots = np.array(t.slots[ALICE])[first:]
            t.cells.columns["r"][place, slots] += by
            for kind in adding_to(place):
                t.cells.numbers[1, slots] += by * t.cells.columns["kind"][kind - 1, slots, 0]

        for name, (place, taken, fields) in amounts.items():
            by = next(iter(taken.values()))

            def no_record(t, first=first):
                t.lists[ALICE] = [x for x in t.lists[ALICE] if x.kind != Kind.RECORD]

            def empty(t):
                t.after[ALICE]["record"] = (0,) * 5

            yield case(
                prefix + name,
                alone,
                **(
                    {"plan": no_record, "after": empty}
                    if name == "wrote"
                    else {"after": gain(ALICE, **fields)}
                ),
                entries=lambda t, place=place, by=by, skew=skew: skew(t, place, by),
                cells=lambda t, taken=taken: letters(t, 0, **taken),
            )
        for j in range(5):

            def another(t, j=j, first=first):
                t.cells.columns["r"][mail.RECORD + j, np.array(t.slots[ALICE])[4 if first else 0 :]] += 1

            def written(t, j=j):
                kept = list(t.after[ALICE]["record"])
                kept[j] += 1
                t.after[ALICE]["record"] = tuple(kept)

            yield case(
                f"{prefix}record {j}", recorded_first if first == 0 else alone, entries=another, after=written
            )


def adding_to(place: int) -> tuple[Kind, ...]:
    """Kinds whose number in range is that sum."""
    spending = (Kind.TRANSFER, Kind.LOCK, Kind.WITHDRAW)
    return {mail.SPENT: spending, mail.UNLOCKED: (Kind.UNLOCK,)}.get(place, ())


def recorded_first() -> SimpleNamespace:
    """The list's only record is its first entry, so that nothing takes its place."""
    t = alone()
    record = next(x for x in t.lists[ALICE] if x.kind == Kind.RECORD)
    t.lists[ALICE].remove(record)
    t.lists[ALICE].insert(0, record)
    return t


def ends_of_lists() -> Iterator[Case]:
    """Entries of no signed list."""
    stolen, of_nobody = e.transfer(BOB, ALICE, 100), e.transfer(0, ALICE, 100)

    def first_of_the_queue(t):
        t.queue = [of_nobody, e.deposit(ALICE, 1)]

    def next_to_it(t):
        """The deposit behind it goes on where it was left."""
        t.cells.raw[:DIGEST, 1] = digest_of(t.cells.raw[:, 0])
        t.cells.columns["r"][mail.SPENT, 1] = 100

    yield case("a list ends with ROTATE", served, plan=first_of_the_queue, entries=next_to_it)

    def by_another(t):
        t.lists[ALICE].insert(1, stolen)

    yield case(
        "a list has one owner",
        alone,
        plan=by_another,
        after=gain(ALICE, balance=-100),
        cells=lambda t: letters(t, 0, OUT=100),
    )

    def last_of_all(t):
        fill_entry(t.cells, rollup().layout.entries - 1, stolen, [100, 0, 0, 0, *[0] * 5])

    yield case(
        "boundary last list ends",
        alone,
        entries=last_of_all,
        after=gain(ALICE, balance=100),
        cells=lambda t: letters(t, 0, named=1, RECEIVED=100),
    )


CASES = [*sums(), *ends_of_lists()]


@pytest.mark.parametrize("name, forged", chosen(CASES))
def test_only_its_constraint_refuses_a_false_list(name, forged):
    assert broken(rollup(), *forged()) == {name}
