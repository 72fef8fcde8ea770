"""Lookups of the rollup's statement: for each element of a letter a trace in which it alone is wrong; numbers out of range;
chains that lead elsewhere. Every constraint has a false trace of its own.
"""

from collections.abc import Iterator

import pytest
from rollup_trace_cases import LooseEntry, alone, busy, case, forge
from rollup_trace_checks import Case, all_names, broken, frame_of, unbalanced
from rollup_trace_parts import ALICE, BOB, CAROL, DAVE, OLD, block, gain, letters, rollup, show
from test_statement_rollup_accounts import CASES as ACCOUNTS
from test_statement_rollup_entries import CASES as ENTRIES
from test_statement_rollup_hashing import CASES as HASHING
from test_statement_rollup_keys import CASES as KEYS
from test_statement_rollup_lists import CASES as LISTS
from test_statement_rollup_paths import CASES as PATHS
from test_statement_rollup_signatures import CASES as SIGNATURES

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.entries import Kind
from bfl_ref.stark.field import P
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.rollup import entries as mail
from bfl_ref.statements.rollup.layout import BUS, LIMBS, MAIL

Letter = tuple[int, int, Case]  # place in the letter, to whom, the trace


def letter(name: str, index: int, scene, **edits) -> Letter:
    """name: the letter's element in entries.py, and what is to be added to it."""
    base, _, more = name.partition(" ")
    return getattr(mail, base) + int(more or 0), index, case(name, scene, **edits)


def received() -> Iterator[Letter]:
    for place, field, by in (
        ("RECEIVED", "balance", 5),
        ("POSITIVE", "positive", 5),
        ("NEGATIVE", "negative", -1),
    ):
        yield letter(
            place,
            CAROL,
            busy,
            after=gain(CAROL, **{field: by}),
            cells=lambda t, place=place, by=by: letters(t, 2, **{place: by}),
        )

    def rekeyed_to_nothing(t):
        t.after[DAVE] |= {"nonce": t.after[DAVE]["nonce"] + 1, "key": (0,) * 5}

    yield letter("REKEYED", DAVE, busy, after=rekeyed_to_nothing, cells=lambda t: letters(t, 3, REKEYED=1))

    def exit_of(balance: int, stake: int):
        def plan(t):
            t.queue[-1] = e.exit_all(DAVE, balance, stake)

        return plan

    def stays(t):
        letters(t, 3, EXITED=-1, LEFT=-4000, LEFT_STAKE=-400)

    def leaves(t):
        t.after[DAVE] |= {"balance": 0, "stake": 0}

    yield letter("EXITED", DAVE, busy, plan=exit_of(0, 0), cells=stays)
    yield letter("LEFT", DAVE, busy, plan=exit_of(5000, 400), after=leaves)
    yield letter("LEFT_STAKE", DAVE, busy, plan=exit_of(4000, 500), after=leaves)
    yield letter("NAMED", CAROL, busy, cells=lambda t: letters(t, 2, named=1))


def own() -> Iterator[Letter]:
    def two_lists(t):
        for values in (t.cells.raw, t.cells.numbers, *t.cells.columns.values()):
            values[:, 1] = values[:, 0]
        t.digests[ALICE] = t.digests[ALICE] + t.digests[ALICE]

    def rotate_to_nothing(t):
        t.lists[ALICE] = [e.rotate(ALICE, (0,) * 5)]

    yield letter(
        "SIGNED",
        ALICE,
        alone,
        plan=rotate_to_nothing,
        entries=two_lists,
        cells=lambda t: letters(t, 0, named=1),
    )
    for place, fields in (
        ("OUT", {"balance": 50}),
        ("FREED", {"balance": -50, "stake": 50}),
        ("TIED", {"stake": -50}),
    ):
        yield letter(
            place,
            ALICE,
            alone,
            after=gain(ALICE, **fields),
            cells=lambda t, place=place: letters(t, 0, **{place: -50}),
        )

    def no_record(t):
        t.lists[ALICE] = [x for x in t.lists[ALICE] if x.kind != Kind.RECORD]

    def no_record_after(t):
        t.after[ALICE]["record"] = (0,) * 5

    yield letter(
        "WRITES", ALICE, alone, plan=no_record, after=no_record_after, cells=lambda t: letters(t, 0, WRITES=1)
    )
    for j in range(5):
        for place, field in (("KEY", "key"), ("WRITTEN", "record")):

            def another(t, field=field, j=j):
                kept = list(t.after[ALICE][field])
                kept[j] += 1
                t.after[ALICE][field] = tuple(kept)

            yield letter(f"{place} {j}", ALICE, alone, after=another)
    for i in range(DIGEST):

        def another_list(t, i=i):
            t.shown[ALICE] = show(t, ALICE, said={i: int(t.digests[ALICE][i]) + 1})

        yield letter(f"LIST {i}", ALICE, alone, shown=another_list)


LETTERS = [*received(), *own()]


@pytest.mark.parametrize("place, index, forged", [pytest.param(j, i, c[1], id=c[0]) for j, i, c in LETTERS])
def test_every_element_of_a_letter_has_to_arrive(place, index, forged):
    trace, public, data = forged()
    assert broken(rollup(), trace, public, data) == {"lookup"}
    assert unbalanced(rollup(), frame_of(rollup(), trace, public)) == {(place, index, MAIL)}


def test_letters_have_no_other_element():
    assert sorted(place for place, _, _ in LETTERS) == list(range(mail.LETTER))


def nobody(kind: Kind, header: int):
    """An entry of no effect, to an account that is none: so its header could say anything."""

    def plan(t):
        to = (header - kind) * pow(16384, -1, P) % P
        t.queue.append(LooseEntry(kind, 0, to, (0,) * 5))

    def opened(t):
        t.touched = [index for index in t.touched if index < 1024]

    return {"plan": plan, "opened": opened}


@pytest.mark.parametrize("kind", [Kind.DEPOSIT, Kind.EVIDENCE])
def test_an_entry_without_effect_cannot_close_an_account(kind):
    """With such an entry a sequencer could have published any closing values of zeros, or a key, of anybody."""
    closing = e.close(BOB, (0,) * 5)
    trace, public, data = forge(busy, **nobody(kind, closing.elements[0]))
    assert closing.to_bytes() in [data[i : i + 24] for i in range(0, len(data), 24)]
    assert broken(rollup(), trace, public, data) == {"lookup"}
    ((place, _, tag),) = unbalanced(rollup(), frame_of(rollup(), trace, public))
    assert (place, tag) == (mail.NAMED, MAIL)


def out_of_range() -> Iterator[Case]:
    """What is left after an overspending: a number modulo p, whose first limb has more than 5 bits."""
    for i, (entry, left) in enumerate(((e.withdraw(ALICE, 5000), -1133), (e.unlock(ALICE, 500), -107))):

        def overspend(t, entry=entry):
            t.lists[ALICE].insert(0, entry)

        def below_nothing(t, i=i, left=left):
            for row in range(4):
                t.at("number", i)[block(0) + OLD, row] = left % P >> 8 * (3 - row)
                t.at("byte", i)[block(0) + OLD, row] = left % P >> 8 * (3 - row) & 255

        yield case(f"byte {i}", alone, plan=overspend, trace=below_nothing)


LIMITS = [*out_of_range()]


@pytest.mark.parametrize("name, forged", LIMITS, ids=[name for name, _ in LIMITS])
def test_limb_out_of_range_is_refused(name, forged):
    trace, public, data = forged()
    assert broken(rollup(), trace, public, data) == {"lookup"}
    frame = frame_of(rollup(), trace, public)
    payable = {(0, limb, tag) for tag, size in ((1, LIMBS[0]), (0, LIMBS[1])) for limb in range(size)}
    (beyond,) = unbalanced(rollup(), frame, ("limbs",)) - payable
    assert beyond[2] == 1 and not unbalanced(rollup(), frame, ("limbs", name)) - payable


def test_without_the_table_no_limb_is_in_range():
    trace, public, _ = forge(busy)
    assert unbalanced(rollup(), frame_of(rollup(), trace, public), ("limbs",))


@pytest.mark.parametrize("i", range(4))
def test_chains_that_lead_elsewhere_are_refused(i):
    """A value of a signature is another; its chain's end is as the key has it."""

    def another(t):
        t.shown[ALICE].values[20, i] += 1

    trace, public, data = forge(alone, shown=another)
    assert broken(rollup(), trace, public, data) == {"lookup"}
    wrong = unbalanced(rollup(), frame_of(rollup(), trace, public))
    assert len(wrong) == 2 and {key[2] for key in wrong} == {BUS}


@pytest.mark.parametrize("change", ["dropped", "added", "altered", "reordered"])
def test_data_are_what_the_trace_says(change):
    trace, public, data = forge(busy)
    rows = [data[i : i + 24] for i in range(0, len(data), 24)]
    if change == "dropped":
        rows.pop(3)
    elif change == "added":
        rows.insert(3, bytes(24))
    elif change == "altered":
        rows[5] = rows[5][:7] + bytes([rows[5][7] ^ 1]) + rows[5][8:]
    else:
        rows[4], rows[5] = rows[5], rows[4]
    assert broken(rollup(), trace, public, b"".join(rows)) == {"data"}


def test_every_constraint_and_every_fraction_has_a_false_trace_of_its_own():
    named = {
        name
        for cases in (HASHING, PATHS, ACCOUNTS, SIGNATURES, KEYS, ENTRIES, LISTS, LIMITS)
        for name, _ in cases
    }
    named |= {"limbs", "to", "from", "chains"}  # above
    named |= {
        "data",
        "boundary data start",
        "boundary data end",
    }  # of any statement's data: test_stark_public_data.py
    assert named == set(all_names(rollup()))
