"""What exactly a trace of the rollup's statement breaks: as `check_trace`, ten times as fast."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from stark_cases import FULL

from bfl_ref.stark.air import Air, Frame, constraints, degree_frame, fields
from bfl_ref.stark.field import F, P
from bfl_ref.stark.trace import trace_frame

Forged = tuple[F, F, bytes]  # trace, public inputs, data
Case = tuple[str, Callable[[], Forged]]  # name of the one broken constraint, a trace that breaks it


class Residues:
    """Integers below p as uint64, with + - * modulo p and nothing else."""

    __slots__ = ("values",)

    def __init__(self, values: Any):
        self.values = np.asarray(values, np.uint64)

    def __add__(self, other: "Residues") -> "Residues":
        total = self.values + other.values
        return Residues(np.minimum(total, total - _P))

    def __sub__(self, other: "Residues") -> "Residues":
        less = self.values - other.values
        return Residues(np.minimum(less, less + _P))

    def __mul__(self, other: "Residues") -> "Residues":
        return Residues(self.values * other.values % _P)


_P = np.array(P, np.uint64)


def frame_of(air: Air, trace: F, public: F) -> Frame:
    whole = trace_frame(air, trace, public)
    cells = ([Residues(v.view(np.ndarray)) for v in part] for part in (whole.cur, whole.nxt, whole.short))
    return Frame(*cells, [Residues(int(x)) for x in public], lambda c: Residues(c % P))


def broken(air: Air, trace: F, public: F, data: bytes) -> set[str]:
    """Names of what a trace breaks: "boundary ..." on one row, "lookup", "data"."""
    frame, n = frame_of(air, trace, public), air.length
    cur = fields(air, frame, frame.cur, with_short=True)
    nxt = fields(air, frame, frame.nxt, with_short=False)
    found = {name for name, v in air.transition(cur, nxt, frame.k) if np.broadcast_to(v.values, n)[:-1].any()}
    found |= {name for name, v in air.everywhere(cur, nxt, frame.k) if v.values.any()}
    found |= {
        f"boundary {name}" for name, row, v in air.boundary(cur, frame.public, frame.k) if v.values[row]
    }
    if unbalanced(air, frame):
        found.add("lookup")
    selector, said = _datum(air, frame)
    if selector.max() > 1 or selector[-1] or said != data:
        found.add("data")
    return found


def unbalanced(air: Air, frame: Frame, without: tuple[str, ...] = ()) -> set[tuple[int, ...]]:
    """(numerator's index, values ...) whose sums over all rows are not zero."""
    balance: dict[tuple[int, ...], int] = {}
    for fraction in air.fractions(frame):
        if fraction.name in without:
            continue
        values = np.stack([np.broadcast_to(v.values, air.length) for v in fraction.values], axis=1)
        for j, numerator in enumerate(fraction.numerators):
            amounts = np.broadcast_to(numerator.values, air.length)
            (rows,) = np.nonzero(amounts)
            for amount, key in zip(amounts[rows].tolist(), values[rows].tolist(), strict=True):
                balance[j, *key] = balance.get((j, *key), 0) + amount
    return {key for key, total in balance.items() if total % P}


def data_of(air: Air, trace: F, public: F) -> bytes:
    """The data that a trace carries."""
    return _datum(air, frame_of(air, trace, public))[1]


def _datum(air: Air, frame: Frame) -> tuple[np.ndarray, bytes]:
    selector, values = air.datum_on(frame)
    chosen = np.broadcast_to(selector.values, air.length)
    rows = np.stack([np.broadcast_to(v.values, air.length) for v in values], axis=1)[chosen != 0]
    return chosen, rows.astype(">u4").tobytes()


def all_names(air: Air) -> list[str]:
    """Names of all constraints but the lookups', then the lookups' fractions."""
    found = constraints(air, degree_frame(air, 1, [1] * 1000))
    names = [("boundary " if c.kind == "boundary" else "") + c.name for c in found]
    fractions = air.fractions(degree_frame(air, 1, [1] * 1000))
    return [*(name for name in names if not name.startswith("lookup ")), *(f.name for f in fractions)]


def chosen(cases: Iterable[Case]) -> list:
    """Parameters of a test: all cases under BFL_FULL=1, else the first and the last of each family `name 0`, `name 1`, .."""
    families: dict[str, list[Case]] = {}
    for case in cases:
        families.setdefault(re.sub(r"\d+", "", case[0]), []).append(case)
    kept = [family if FULL else [*family[:1], *family[1:][-1:]] for family in families.values()]
    return [pytest.param(*case, id=case[0]) for family in kept for case in family]
