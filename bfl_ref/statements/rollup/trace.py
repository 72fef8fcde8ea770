"""The trace of a batch: what every permutation hashes, then the cells beside it."""

import numpy as np

from ...fixed_point.digests import absorb_all
from ...rollup.accounts import StateTree
from ...rollup.entries import Entry, Kind
from ...rollup.ledger import Batch, apply
from ...rollup.signatures import ENTRY_TAG, STEP_TAG, Domain4
from ...stark.field import F, base
from .. import three_rows
from ..poseidon2 import DIGEST, WIDTH
from . import signatures as signing
from .air import Rollup
from .blocks import fill_accounts
from .cells import SPENDING, Cells, asked_of
from .layout import LIMBS, ROWS

IN_QUEUE = (Kind.DEPOSIT, Kind.EVIDENCE, Kind.REKEY, Kind.EXIT)


def fill(air: Rollup, tree: StateTree, batch: Batch, domain: Domain4) -> tuple[F, F, bytes]:
    """(trace, public inputs, data) of a batch upon a tree. Whatever `apply` refuses; ValueError if it does not fit."""
    applied = apply(tree, batch, domain)
    layout = air.layout
    entries = [*batch.queue, *(entry for one in batch.lists for entry in one.entries)]
    if len(entries) > layout.entries or len(applied.closes) > layout.accounts:
        raise ValueError(
            f"expected at most {layout.entries} entries of {layout.accounts} accounts, "
            f"got {len(entries)} of {len(applied.closes)}"
        )
    cells = Cells(layout)
    digests = fill_entries(cells, batch)
    fill_steps(cells, fill_accounts(cells, tree, batch, applied, digests, domain))
    trace = lay_out(air, cells)
    public = base([*tree.root, *applied.tree.root, *domain])
    return trace, public, applied.data


def fill_entries(cells: Cells, batch: Batch) -> dict[int, F]:
    """Entry slots; returns the digest of each account's list."""
    start = base([ENTRY_TAG] + [0] * (DIGEST - 1))
    slots = range(cells.layout.entries)
    cells.raw[:DIGEST, : len(slots)] = np.asarray(start)[:, None]
    cells.raw[15, : len(slots)] = ENTRY_TAG
    slot = 0
    for entry in batch.queue:
        fill_entry(cells, slot, entry, asked_of([entry]))
        slot += 1
    digests = {}
    for one in batch.lists:
        blocks = np.array([[*entry.elements, 0, ENTRY_TAG] for entry in one.entries], np.uint32).view(F)
        before = absorb_all(start, blocks)
        for i, entry in enumerate(one.entries):
            fill_entry(cells, slot, entry, asked_of(one.entries[: i + 1]))
            cells.raw[:DIGEST, slot] = before[i]
            slot += 1
        digests[one.index] = before[-1].view(F)
    return digests


def fill_entry(cells: Cells, slot: int, entry: Entry, asked: list[int]) -> None:
    cells.raw[DIGEST : DIGEST + 6, slot] = entry.elements
    cells.put("r", slot, [*entry.elements, *asked])
    cells.columns["kind"][entry.kind - 1, slot] = 1
    cells.put("who", slot, 0 if entry.kind in IN_QUEUE else entry.sender)
    cells.put("to", slot, entry.to)
    if entry.kind in (*SPENDING, Kind.UNLOCK):
        cells.numbers[:, slot] = entry.payload[0], asked[entry.kind == Kind.UNLOCK]


def fill_steps(cells: Cells, raw: np.ndarray) -> None:
    """Chain steps (k, 16) of all signatures, one a slot; those that are left over step from zeros, for nobody."""
    first = cells.layout.steps.start
    used = slice(first, first + len(raw))
    cells.raw[WIDTH - 1, first:] = STEP_TAG
    cells.raw[:, used] = raw.T
    for name, values in (("who", raw[:, 8]), ("when", raw[:, 9]), ("live", np.ones(len(raw)))):
        cells.columns[name][0, used] = values[:, None]
    r = cells.columns["r"][:, first:]
    r[signing.VALUE : signing.VALUE + 4, :, 0] = cells.raw[:4, first:]
    r[signing.POSITION] = cells.raw[10, first:, None]


def lay_out(air: Rollup, cells: Cells) -> F:
    """(k_main, n): the permutations' cells, the others, and the numbers' limbs."""
    raw = cells.raw.astype(np.uint32).view(F)
    filled, out = three_rows.fill(raw)
    digest = (out[:DIGEST] + raw[:DIGEST]).view(np.ndarray)
    first = cells.layout.steps.start
    after = cells.columns["r"][:, first:, ROWS - 1]
    after[signing.VALUE : signing.VALUE + 4] = digest[:4, first:]
    after[signing.POSITION] += 1
    columns = dict(cells.columns)
    hashed = np.zeros((3 * WIDTH, cells.layout.slots, ROWS), np.uint32)
    hashed[:, :, : three_rows.ROWS] = filled.transpose(1, 2, 0)
    hashed[:WIDTH, :, ROWS - 1], hashed[WIDTH : 2 * WIDTH, :, ROWS - 1] = out, three_rows.fill_idle(out)
    columns |= {name: hashed[WIDTH * i : WIDTH * (i + 1)] for i, name in enumerate(("state", "a", "b"))}
    columns["carry"] = np.repeat(cells.raw[:DIGEST, :, None], ROWS, axis=2)
    shifts = 8 * np.arange(ROWS)[::-1]
    columns["number"] = cells.numbers[:, :, None] >> shifts
    columns["byte"] = columns["number"] & 255
    columns["uses"] = _uses(columns["byte"])[None]
    trace = [columns[name].reshape(-1, air.length) for name, _ in air.main_columns]
    return np.concatenate(trace).astype(np.uint32).view(F)


def _uses(limbs: np.ndarray) -> np.ndarray:
    """(slots, rows): how often each row's entry of the limbs' table is looked up. limbs (2, slots, rows)."""
    first, rest = LIMBS
    uses = np.zeros(limbs[0].size, np.int64)
    uses[:rest] = np.bincount(limbs[:, :, 1:].ravel(), minlength=rest)
    uses[rest : rest + first] = np.bincount(limbs[:, :, 0].ravel(), minlength=first)
    return uses.reshape(limbs[0].shape)
