"""Forged traces of the rollup's statement: a sequencer's own ledger, that refuses nothing, and all cells to alter."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
from rollup_cases import DOMAIN
from rollup_trace_checks import Case, Forged, data_of
from rollup_trace_parts import ALICE, BOB, CAROL, DAVE, NONCES, NOTE, Edit, Scene, block, key, rollup, show

from bfl_ref.rollup import entries as e
from bfl_ref.rollup import ledger
from bfl_ref.rollup.accounts import Account, StateTree
from bfl_ref.rollup.entries import Entry
from bfl_ref.rollup.signatures import (
    CHAINS,
    key_digest,
)
from bfl_ref.stark.field import P, base
from bfl_ref.statements.poseidon2 import DIGEST, WIDTH
from bfl_ref.statements.rollup import blocks
from bfl_ref.statements.rollup import trace as traces
from bfl_ref.statements.rollup.cells import Cells
from bfl_ref.statements.rollup.layout import ROWS


class LooseEntry(Entry):
    """An entry that keeps to no rule; header: other than the rest says, if not None."""

    header: int | None = None

    def __post_init__(self) -> None:
        pass

    @property
    def elements(self) -> tuple[int, ...]:
        own = super().elements
        return own[0] if self.header is None else self.header, *own[1:]


class LooseAccount(Account):
    """An account that keeps to no rule."""

    def __post_init__(self) -> None:
        pass


def own_list(index: int, to: int) -> list[Entry]:
    """One entry of each kind that an owner has, ROTATE but last."""
    asked = [e.transfer(index, to, 100), e.lock(index, 30), e.unlock(index, 7), e.record(index, NOTE)]
    return [*asked, e.access(index, NOTE), e.withdraw(index, 3)]


def busy() -> SimpleNamespace:
    """Four accounts, two lists, one entry of the queue of each kind: slots 0 to 3, then the lists from 4 and from 11 on."""
    queue = [e.deposit(CAROL, 50), e.evidence(CAROL, 3, 2), e.rekey(CAROL, NOTE), e.exit_all(DAVE, 4000, 400)]
    lists = {ALICE: own_list(ALICE, BOB), BOB: [e.transfer(BOB, ALICE, 11), e.record(BOB, NOTE)]}
    return _scene(queue, lists)


def alone() -> SimpleNamespace:
    """One account, one list, on slots 0 to 6; the first block."""
    return _scene([], {ALICE: own_list(ALICE, ALICE)})


def served() -> SimpleNamespace:
    """Two accounts that the queue serves, nobody signs."""
    return _scene([e.evidence(ALICE, 3, 2), e.deposit(CAROL, 50)], {})


def leaving() -> SimpleNamespace:
    """One account, that exits."""
    return _scene([e.exit_all(DAVE, 4000, 400)], {})


def _scene(queue: list[Entry], lists: dict[int, list[Entry]]) -> SimpleNamespace:
    accounts = {
        index: Account((7, 7, 7, 7, 7), (1, 2, 3, 4, 5), 4000, 400, NONCES[index], 6, 1) for index in NONCES
    }
    for index, asked in lists.items():
        asked.append(e.rotate(index, key(index, NONCES[index] + 1).digest))
    return SimpleNamespace(accounts=accounts, queue=queue, lists=lists, domain=DOMAIN)


def forge(scene: Scene, **edits: Edit) -> Forged:
    """(trace, public inputs, data) of a batch that was altered after each part of `edits`; what comes later follows from it.

    plan     t.accounts before, t.queue, t.lists: what is asked for;   opened   t.touched, a block each
    entries  t.cells of entry slots, t.digests: what each list is absorbed to (`absorb` does so again)
    shown    t.shown of each that signs: message, digits, values, ends, steps
    keys     t.accounts, that now have the keys to which the ends lead
    after    t.after: fields of each account after the batch
    cells    t.cells, all but the steps;   steps   t.steps (k, 16), then t.cells of the steps
    trace    t.at(column, i): (slots, rows) of a trace's column;   public   t.public
    """
    assert set(edits) <= set((forge.__doc__ or "").split()), f"no such part among {set(edits)}"
    late = not set(edits) - {"trace", "public"}
    t = copy.deepcopy(_laid_out(scene)) if late else _laid(_filled(scene, edits), edits)
    names = [f"{name}{i}" for name, width in rollup().main_columns for i in range(width or 1)]
    t.at = lambda name, i=0: t.trace[names.index(f"{name}{i}")].view(np.ndarray).reshape(-1, ROWS)
    edits.get("trace", _nothing)(t)
    roots = [t.at("root", i)[end, end] for end in (0, -1) for i in range(DIGEST)]
    t.public = base([*(int(x) for x in roots), *DOMAIN])
    edits.get("public", _nothing)(t)
    return t.trace, t.public, data_of(rollup(), t.trace, t.public)


@cache
def _laid_out(scene: Scene) -> SimpleNamespace:
    return _laid(_filled(scene, {}), {})


def _laid(t: SimpleNamespace, edits: dict[str, Edit]) -> SimpleNamespace:
    edits.get("cells", _nothing)(t)
    t.cells.numbers %= P
    t.cells.numbers[t.cells.numbers >= 1 << 29] = 0
    t.steps = np.concatenate([np.zeros((0, WIDTH), np.int64), *(shown.steps for shown in t.shown.values())])
    traces.fill_steps(t.cells, t.steps)
    edits.get("steps", _nothing)(t)
    for values in (t.cells.raw, *t.cells.columns.values()):
        values %= P
    t.trace = traces.lay_out(rollup(), t.cells)
    return t


def _filled(scene: Scene, edits: dict[str, Edit]) -> SimpleNamespace:
    """All cells but the steps'."""
    if edits and not set(edits) - {"cells", "steps", "trace", "public"}:
        return copy.deepcopy(_filled_once(scene))
    t = scene()

    def edit(part: str) -> None:
        edits.get(part, _nothing)(t)

    edit("plan")
    t.touched = sorted(ledger.touched(t.queue, list(t.lists.values())))
    edit("opened")
    signed = [SimpleNamespace(index=index, entries=tuple(asked)) for index, asked in t.lists.items()]
    t.batch, t.cells = SimpleNamespace(queue=t.queue, lists=signed), Cells(rollup().layout)
    t.digests = traces.fill_entries(t.cells, t.batch)
    t.slots, slot = {}, len(t.queue)
    for index, asked in t.lists.items():
        t.slots[index], slot = range(slot, slot + len(asked)), slot + len(asked)
    edit("entries")
    t.shown = {index: show(t, index) for index in t.lists}
    edit("shown")
    for index, shown in t.shown.items():
        t.accounts[index] = replace(t.accounts[index], key=key_digest(shown.ends.astype(np.uint32)))
    edit("keys")
    _account_for(t, edit)
    return t


@cache
def _filled_once(scene: Scene) -> SimpleNamespace:
    return _filled(scene, {})


def case(name: str, scene: Scene, **edits: Edit) -> Case:
    return name, lambda: forge(scene, **edits)


def _account_for(t: SimpleNamespace, edit: Callable[[str], None]) -> None:
    """Accounts after the batch, and the cells of their blocks."""
    t.tree = StateTree(t.accounts)
    t.after = {index: dict(vars(t.tree[index])) for index in t.touched}
    for entry in [*t.queue, *(x for asked in t.lists.values() for x in asked)]:
        others = {index: dict(vars(Account())) for index in (entry.sender, entry.to)}  # nobody opens them
        ledger.add_effect(entry, others | t.after)
    edit("after")
    loose = {
        index: LooseAccount(**{k: v if isinstance(v, tuple) else v % P for k, v in values.items()})
        for index, values in t.after.items()
    }
    closes = [SimpleNamespace(sender=index) for index in t.touched]
    applied = SimpleNamespace(closes=closes, tree=t.tree.replaced_all(loose))
    for one in t.batch.lists:
        one.signature = SimpleNamespace(counter=0, values=np.zeros((CHAINS, 4)))
    blocks.fill_accounts(t.cells, t.tree, t.batch, applied, t.digests, t.domain)
    for index, shown in t.shown.items():
        for at in np.flatnonzero(np.array(t.touched) == index):
            blocks.fill_signature(t.cells, block(int(at)), shown)


def _nothing(t: SimpleNamespace) -> None:
    pass
