"""Entries of the rollup's statement: for each constraint a trace, of what nobody asked for, that breaks nothing else."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from rollup_trace_cases import LooseEntry, alone, busy, case, served
from rollup_trace_checks import Case, broken, chosen
from rollup_trace_parts import ALICE, BOB, CAROL, Edit, absorb, digest_of, gain, letters, rollup

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import AMOUNT_LIMIT
from bfl_ref.rollup.entries import Kind
from bfl_ref.stark.field import P
from bfl_ref.statements.poseidon2 import DIGEST

SPARE = 40  # a slot that no scene uses


def forms() -> Iterator[Case]:
    """Entries that no ledger decodes."""

    def put(place: int, entry: e.Entry, header: int | None = None) -> Edit:
        object.__setattr__(entry, "header", header)

        def edit(t):
            t.lists[ALICE].insert(place, entry)

        return edit

    loose = LooseEntry(Kind.TRANSFER, ALICE, ALICE, (100, 0, 0, 0, 0))
    yield case("header", alone, plan=put(0, loose, e.transfer(BOB, ALICE, 100).elements[0]))
    for j in range(2, 6):
        payload = tuple(100 if k in (1, j) else 0 for k in range(1, 6))
        yield case(
            f"nothing in payload {j}",
            alone,
            plan=put(0, LooseEntry(Kind.TRANSFER, ALICE, ALICE, payload)),
        )
    to_bob = LooseEntry(Kind.LOCK, ALICE, BOB, (5, 0, 0, 0, 0))
    yield case("only a transfer reaches others", alone, plan=put(0, to_bob))

    def from_bob(t):
        t.queue[0] = LooseEntry(Kind.DEPOSIT, BOB, CAROL, (50, 0, 0, 0, 0))

    yield case("the queue is nobody", busy, plan=from_bob, entries=lambda t: t.cells.put("who", 0, BOB))

    def negative(t):
        t.lists[ALICE].insert(1, LooseEntry(Kind.TRANSFER, ALICE, BOB, (P - 50, 0, 0, 0, 0)))

    yield case("amount is in range", alone, plan=negative)

    def around_the_field(t):
        parts = [AMOUNT_LIMIT - 1] * 3
        for amount in (*parts, P - sum(parts) + 100):
            t.lists[ALICE].insert(0, e.transfer(ALICE, BOB, amount))

    yield case("sum is in range", alone, plan=around_the_field)

    def both(t):
        """Both a DEPOSIT and evidence; the data's selector is the number of kinds."""
        t.cells.columns["kind"][Kind.EVIDENCE - 1, 0] = 1
        for values in (t.cells.raw[DIGEST], t.cells.columns["r"][0]):
            values[0] += Kind.EVIDENCE

    yield case(
        "one kind",
        busy,
        entries=both,
        after=gain(CAROL, positive=50),
        cells=lambda t: letters(t, 2, named=1, POSITIVE=50),
    )


def absorbed() -> Iterator[Case]:
    """What is hashed, and stands in the data, is not what is done."""

    def hash_another(at: int, slot: int = 1) -> Edit:
        def edit(t):
            t.cells.raw[at, slot] += 1
            absorb(t, ALICE, slot + 1)

        return edit

    for j in range(6):
        yield case(f"absorbs {j}", alone, entries=hash_another(DIGEST + j))
    yield case("absorbs zero", alone, entries=hash_another(14))
    yield case("absorbs its tag", alone, entries=hash_another(15))
    for i in range(DIGEST):
        yield case(f"list {i}", alone, entries=hash_another(i))
        yield case(f"boundary first list {i}", alone, entries=hash_another(i, 0))


def marked(marks: dict[Kind, int], index: int, payload: tuple[int, ...], slot: int = SPARE) -> Edit:
    """A slot with these kinds, that no data show: the marks add up to none."""

    def edit(t: SimpleNamespace) -> None:
        def weight(*kinds: Kind) -> int:
            return sum(marks.get(kind, 0) for kind in kinds)

        queued = any(kind.by_queue for kind in marks)
        header = sum(kind * mark for kind, mark in marks.items()) + 16384 * index
        header += 0 if queued else 16 * index
        spends, record = weight(Kind.TRANSFER, Kind.LOCK, Kind.WITHDRAW), weight(Kind.RECORD)
        asked = [weight(*kinds) * payload[0] for kinds in ((Kind.UNLOCK,), (Kind.LOCK,))]
        asked = [spends * payload[0], *asked, record, *(record * x for x in payload)]
        t.cells.put("r", slot, [header, *payload, *asked])
        t.cells.raw[DIGEST : DIGEST + 6, slot] = header, *payload
        t.cells.put("who", slot, 0 if queued else index)
        t.cells.put("to", slot, index)
        for kind, mark in marks.items():
            t.cells.columns["kind"][kind - 1, slot] = mark
        t.cells.numbers[0, slot] = (spends + weight(Kind.UNLOCK)) * payload[0]
        t.cells.numbers[1, slot] = spends * asked[0] + weight(Kind.UNLOCK) * asked[1]

    return edit


def kinds() -> Iterator[Case]:
    """A kind counts -1 beside another that counts 1: a slot with letters, of which the data show nothing."""
    owners = {
        Kind.TRANSFER: (Kind.LOCK, -100),
        **{
            kind: (Kind.TRANSFER, 100)
            for kind in (Kind.LOCK, Kind.UNLOCK, Kind.RECORD, Kind.ACCESS, Kind.WITHDRAW)
        },
    }
    for kind, (other, amount) in owners.items():
        yield case(
            f"kind {kind} is a bit",
            alone,
            entries=marked({kind: -1, other: 1}, ALICE, (amount, 0, 0, 0, 0)),
            after=gain(ALICE, balance=100),
            cells=lambda t: letters(t, 0, RECEIVED=100),
        )

    def carol(kind: Kind, other: Kind, payload: tuple[int, ...], plan=None, after=None, **taken: int) -> Case:
        edits = {"plan": plan} if plan else {}
        return case(
            f"kind {kind} is a bit",
            served,
            **edits,
            entries=marked({kind: -1, other: 1}, CAROL, payload),
            after=after,
            cells=lambda t: letters(t, 1, **taken),
        )

    nothing = (0, 0, 0)
    yield carol(
        Kind.DEPOSIT, Kind.EVIDENCE, (-100, 0, *nothing),
        after=gain(CAROL, balance=100, positive=-100), RECEIVED=100, POSITIVE=-100,
    )  # fmt: skip
    yield carol(
        Kind.EVIDENCE, Kind.DEPOSIT, (100, 0, *nothing),
        after=gain(CAROL, balance=100, positive=-100), RECEIVED=100, POSITIVE=-100,
    )  # fmt: skip

    def rekeyed_twice(t):
        t.queue += [e.rekey(CAROL, (8, 9, 0, 0, 0))] * 2

    yield carol(
        Kind.REKEY, Kind.EVIDENCE, (8, 9, *nothing), plan=rekeyed_twice,
        after=gain(CAROL, nonce=-1, positive=8, negative=9), REKEYED=-1, POSITIVE=8, NEGATIVE=9,
    )  # fmt: skip

    def exits_twice(t):
        t.queue += [e.exit_all(CAROL, 4000, 400)] * 2

    yield carol(
        Kind.EXIT, Kind.EVIDENCE, (4000, 400, *nothing), plan=exits_twice,
        after=gain(CAROL, balance=4000, stake=400, positive=4000, negative=400),
        EXITED=-1, LEFT=-4000, LEFT_STAKE=-400, POSITIVE=4000, NEGATIVE=400,
    )  # fmt: skip
    yield rotated_twice()


def rotated_twice() -> Case:
    """Account 0 signs one digest for two lists less a third that is no entry."""
    new = (8, 9, 0, 0, 0)

    def plan(t):
        t.accounts[0] = t.accounts[ALICE]
        t.lists = {0: [e.rotate(0, new)]}

    def entries(t):
        for values in (t.cells.raw, t.cells.numbers, *t.cells.columns.values()):
            values[:, 1] = values[:, 0]
        marked({Kind.ROTATE: -1, Kind.EVIDENCE: 1}, 0, new)(t)
        t.digests[0] = t.digests[0] + t.digests[0] - digest_of(t.cells.raw[:, SPARE]).view(type(t.digests[0]))

    return case(
        f"kind {Kind.ROTATE} is a bit",
        alone,
        plan=plan,
        entries=entries,
        after=gain(0, positive=8, negative=9),
        cells=lambda t: letters(t, 0, named=1, POSITIVE=8, NEGATIVE=9),
    )


CASES = [*forms(), *absorbed(), *kinds()]
TOGETHER = {"one kind": {"data"}}  # what no trace can break without something else


@pytest.mark.parametrize("name, forged", chosen(CASES))
def test_only_its_constraint_refuses_a_false_entry(name, forged):
    assert broken(rollup(), *forged()) == {name} | TOGETHER.get(name, set())
