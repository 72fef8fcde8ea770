"""What the ledger refuses by name cannot be proven: each fault as a forged trace, and the constraint that names it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from rollup_cases import DOMAIN, make
from rollup_faults import FAULTS
from rollup_trace_cases import LooseEntry, alone, busy, forge, served
from rollup_trace_checks import broken
from rollup_trace_parts import ALICE, BOB, CAROL, DAVE, NOTE, Edit, Scene, key, rollup, show, undersign
from stark_cases import FULL

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import AMOUNT_LIMIT
from bfl_ref.rollup.ledger import apply
from bfl_ref.rollup.refusals import Overflow
from bfl_ref.rollup.signatures import list_digest
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements.rollup import fill

KEY = {f"signed with the key {j}" for j in range(5)}


def first(*entries: e.Entry) -> Edit:
    """Entries that the list begins with."""

    def plan(t: SimpleNamespace) -> None:
        t.lists[ALICE] = [*entries, *t.lists[ALICE]]

    return plan


def last(*entries: e.Entry) -> Edit:
    def plan(t: SimpleNamespace) -> None:
        t.lists[ALICE] = [*t.lists[ALICE], *entries]

    return plan


def queue(*entries: e.Entry) -> Edit:
    def plan(t: SimpleNamespace) -> None:
        t.queue += entries

    return plan


def other_value(t: SimpleNamespace) -> None:
    t.shown[ALICE].values[17, 2] += 1


def other_counter(t: SimpleNamespace) -> None:
    t.shown[ALICE].message[10] += 1


def signed(alter) -> Edit:
    """What was signed is another list than the batch's."""

    def shown(t: SimpleNamespace) -> None:
        digest = list_digest(alter(t.lists[ALICE])).tolist()
        t.shown[ALICE] = show(t, ALICE, said=dict(enumerate(digest)))

    return shown


def held(account_key: tuple[int, ...]) -> Edit:
    def keys(t: SimpleNamespace) -> None:
        t.accounts[ALICE] = replace(t.accounts[ALICE], key=account_key)

    return keys


def at_nonce(nonce: int) -> dict[str, Edit]:
    """A list that the account's key of that nonce signed; the account is at 3."""

    def shown(t: SimpleNamespace) -> None:
        t.shown[ALICE] = undersign(t, ALICE, nonce)

    return {"shown": shown, "keys": held(key(ALICE, 3).digest)}


def read_twice(t: SimpleNamespace) -> None:
    length = len(t.slots[ALICE])
    for values in (t.cells.raw, t.cells.numbers, *t.cells.columns.values()):
        values[:, length : 2 * length] = values[:, :length]


MORE = e.exit_all(DAVE, 4000, 400)
FORGED: dict[
    str, tuple[Scene, dict[str, Edit], set[str]]
] = {  # some of the names under which a trace is refused
    "a value of the signature": (alone, {"shown": other_value}, {"lookup"}),
    "the counter": (alone, {"shown": other_counter}, {"message 0", "message 1 waits"}),
    "an entry that was not signed": (alone, {"shown": signed(lambda x: x[1:])}, {"lookup"}),
    "the next key": (alone, {"shown": signed(lambda x: [*x[:-1], e.rotate(ALICE, NOTE)])}, {"lookup"}),
    "the order of entries": (alone, {"shown": signed(lambda x: [x[1], x[0], *x[2:]])}, {"lookup"}),
    "another's key": (alone, {"keys": held(key(BOB, 8).digest)}, KEY),
    "more than the balance": (alone, {"plan": first(e.lock(ALICE, 4000))}, {"balance covers"}),
    "a deposit of the same batch": (
        served,
        {"plan": lambda t: t.lists.update({ALICE: [e.withdraw(ALICE, 4001), e.rotate(ALICE, NOTE)]})},
        {"balance covers"},
    ),
    "more than the stake": (alone, {"plan": first(e.unlock(ALICE, 394))}, {"stake covers"}),
    "two lists": (alone, {"entries": read_twice}, {"lookup"}),
    "no key": (alone, {"keys": held((0,) * 5)}, KEY),
    "a nonce of the past": (alone, at_nonce(2), KEY | {"message 9", "lookup"}),
    "a nonce of the future": (alone, at_nonce(4), KEY | {"message 9", "lookup"}),
    "a key that the queue replaces": (
        alone,
        {"plan": queue(e.rekey(ALICE, NOTE))},
        {"who is served by the queue signs nothing"},
    ),
    "two keys": (busy, {"plan": queue(e.rekey(CAROL, NOTE))}, {"rekeyed is a bit"}),
    "signed while exiting": (
        alone,
        {"plan": queue(e.exit_all(ALICE, 4000, 400))},
        {"who is served by the queue signs nothing"},
    ),
    "two exits": (busy, {"plan": queue(MORE)}, {"exited is a bit"}),
    "an exit of more": (served, {"plan": queue(e.exit_all(DAVE, 4001, 400))}, {"lookup"}),
    "an entry after ROTATE": (alone, {"plan": last(e.record(ALICE, NOTE))}, {"a list ends with ROTATE"}),
    "two ROTATEs": (alone, {"plan": last(e.rotate(ALICE, NOTE))}, {"lookup"}),
    "another's entry": (
        alone,
        {"plan": last(LooseEntry(e.Kind.TRANSFER, BOB, ALICE, (0,) * 5))},
        {"a list ends with ROTATE"},
    ),
}
LEFT_TO_THE_CONTRACT = {"more than can be inside"}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_refused_by_the_ledger_and_not_filled(name):
    refusal, alter = FAULTS[name]
    for seed in range(3, 43 if FULL else 4):
        case = make(seed, 40, 4)
        if len(case.batch.lists) < 2:
            continue
        case = alter(case)
        for refuse in (apply, lambda *batch: fill(rollup(), *batch)):
            with pytest.raises(refusal) as caught:
                refuse(case.tree, case.batch, DOMAIN)
            assert type(caught.value) is refusal, f"seed {seed}"


def test_every_fault_is_forged():
    assert set(FORGED) | LEFT_TO_THE_CONTRACT == set(FAULTS)


@pytest.mark.parametrize("name", FORGED)
def test_fault_as_a_trace_is_named(name):
    scene, edits, names = FORGED[name]
    trace, public, data = forge(scene, **edits)
    assert names <= broken(rollup(), trace, public, data)
    with pytest.raises(ValueError) as refused:
        check_trace(rollup(), trace, public, data)
    assert all(f" {name} on rows" in str(refused.value) or f"{name}:" in str(refused.value) for name in names)


def test_that_no_more_is_inside_than_2_to_the_29_is_the_contracts_business():
    """Or else sums could wrap around: the statement says so."""

    def too_much(t):
        t.queue += [e.deposit(CAROL, AMOUNT_LIMIT - 1)] * 2

    trace, public, data = forge(served, plan=too_much)
    assert broken(rollup(), trace, public, data) == set()
    assert FAULTS["more than can be inside"][0] is Overflow
