"""Cells of a trace that permutations do not fill themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...rollup.entries import Entry, Kind
from ..poseidon2 import WIDTH
from .layout import ROWS, Layout

SPENDING = (Kind.TRANSFER, Kind.LOCK, Kind.WITHDRAW)


@dataclass
class Cells:
    """raw (16, slots): what is hashed. columns: name -> (width, slots, rows). numbers (2, slots): in range."""

    layout: Layout
    raw: np.ndarray = field(init=False)
    numbers: np.ndarray = field(init=False)
    columns: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        slots = self.layout.slots
        self.raw = np.zeros((WIDTH, slots), np.int64)
        self.numbers = np.zeros((2, slots), np.int64)
        widths = {"r": 16, "root": 8, "kind": 11, "bit": 1, "index": 1}
        widths |= {name: 1 for name in ("who", "when", "live", "signed", "to")}
        self.columns = {name: np.zeros((width, slots, ROWS), np.int64) for name, width in widths.items()}

    def put(self, name: str, slots: int | slice, values: Sequence[int] | np.ndarray | int) -> None:
        """The same on all rows of one slot, or of several."""
        held = np.atleast_1d(np.asarray(values, np.int64))
        place = self.columns[name][: len(held), slots]
        place[...] = held.reshape(-1, *[1] * (place.ndim - 1))


def asked_of(entries: Sequence[Entry]) -> list[int]:
    """spent, unlocked, locked, wrote, record of a list up to here."""
    total = {kind: sum(e.payload[0] for e in entries if e.kind == kind) for kind in Kind}
    records = [e.payload for e in entries if e.kind == Kind.RECORD]
    spent = sum(total[kind] for kind in SPENDING)
    return [
        spent,
        total[Kind.UNLOCK],
        total[Kind.LOCK],
        bool(records),
        *(records[-1] if records else [0] * 5),
    ]
