"""An AIR: which traces are right, as polynomials in the cells of one row and the next that must vanish.

Constraints are written once, over anything with `+ - *`, and evaluated on many things: trace rows (which row
broke, by name), coset codewords (prover), opened values (verifier), degrees, sympy symbols (the formula a
notebook prints), and the recorder of program.py (Solidity, compiled kernel).

Kinds of constraint, each divided by the polynomial that vanishes on the rows where it must hold:

    transition   (X^n - 1) / (X - g^(n-1))   every row but the last
    everywhere   X^n - 1                     every row; the row after the last is the first
    boundary     X - g^row                   one row

Kinds of column: `main` (the secret trace), `preprocessed` (long and public: committed once, its root is part
of the AIR's identity), `periodic` (short and fixed), `public` (short, its values are public inputs). The last
two repeat with a period that divides n and are evaluated by the verifier itself; they are read on the current
row only. Lookups: lookup.py. Public data, too long for public inputs: public_data.py.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from .field import F
from .lookup import Fraction, batches, lookup_constraints
from .public_data import data_step

Columns = list[tuple[str, int | None]]  # (name, width); None: a single value, read as `cur.name`


class Air:
    """Base of all AIRs. A subclass passes its columns to `__init__` and overrides the generators it needs.

    name          identifies the statement in the transcript
    length        rows n, a power of two, at least 2
    main          column names in trace order, e.g. "state[16] bit": `cur.state` is a list, `cur.bit` a value
    preprocessed  name -> integers (n,) or (w, n)
    periodic      name -> integers (period,) or (w, period)
    public        name -> range of the public inputs which the column repeats
    public_inputs how many field elements the verifier is handed
    lookup_degree largest degree that a lookup constraint may have: more means fewer extension columns
    data_width    elements in a row of the public data (`datum`); 0: a statement without data

    Raises ValueError for a length that is not a power of two, a period that does not divide it, a name used
    twice, data without lookups (their challenge weighs the data).
    """

    def __init__(
        self,
        name: str,
        length: int,
        main: str,
        *,
        preprocessed: Mapping[str, Any] | None = None,
        periodic: Mapping[str, Any] | None = None,
        public: Mapping[str, range] | None = None,
        public_inputs: int = 0,
        lookup_degree: int = 3,
        data_width: int = 0,
    ):
        if length < 2 or length & (length - 1):
            raise ValueError(f"trace length must be a power of two, at least 2; got {length}")
        self.name, self.length, self.public_inputs = name, length, public_inputs
        self.lookup_degree, self.data_width = lookup_degree, data_width
        self.main_columns = _parse(main)
        self.preprocessed = {key: F(np.asarray(v, np.uint32)) for key, v in (preprocessed or {}).items()}
        self.periodic = {key: F(np.asarray(v, np.uint32)) for key, v in (periodic or {}).items()}
        self.public = dict(public or {})
        self._refuse_bad_columns()
        self.lookup_batches: list[list[int]] = []  # none while the degrees are taken that the plan needs
        self.lookup_batches = self._plan_lookups()
        if data_width < 0 or (data_width and not self.lookup_batches):
            raise ValueError(
                f"data of width {data_width} in {name}: expected 0 or more, and lookups beside them"
            )

    def transition(self, cur: Any, nxt: Any, k: Callable[[int], Any]) -> Iterable[tuple[str, Any]]:
        """Yield (name, polynomial) that vanish on every row but the last. `k(5)` is the constant 5."""
        return ()

    def everywhere(self, cur: Any, nxt: Any, k: Callable[[int], Any]) -> Iterable[tuple[str, Any]]:
        """Yield (name, polynomial) that vanish on every row; after the last row comes the first."""
        return ()

    def lookups(self, cur: Any, k: Callable[[int], Any]) -> Iterable[Fraction]:
        """Yield the fractions whose sum over all rows must be zero (lookup.py)."""
        return ()

    def datum(self, cur: Any, k: Callable[[int], Any]) -> tuple[Any, Sequence[Any]]:
        """(selector, data_width values) on a row: where the selector is 1, the values are the next row of the data.

        The AIR's own constraints keep the selector 0 or 1 on every row but the last, where it says nothing.
        """
        raise NotImplementedError(f"{self.name} has data, but does not say which rows carry them")

    def boundary(
        self, cur: Any, public: Sequence[Any], k: Callable[[int], Any]
    ) -> Iterable[tuple[str, int, Any]]:
        """Yield (name, row, polynomial in that row's cells and the public inputs) that vanish on that row."""
        return ()

    @property
    def preprocessed_columns(self) -> Columns:
        return [(name, len(v) if v.ndim == 2 else None) for name, v in self.preprocessed.items()]

    @property
    def short_columns(self) -> Columns:
        """Periodic columns, then public columns: the order of `Frame.short`."""
        periodic = [(name, len(v) if v.ndim == 2 else None) for name, v in self.periodic.items()]
        return [*periodic, *((name, None) for name in self.public)]

    @property
    def widths(self) -> tuple[int, int, int]:
        """Number of preprocessed, main and auxiliary (extension field: lookups, then the data's) columns."""
        k_aux = len(self.lookup_batches) + bool(self.data_width)
        return _count(self.preprocessed_columns), _count(self.main_columns), k_aux

    def preprocessed_trace(self) -> F:
        """(k_pre, n): the preprocessed columns one below the other."""
        rows = [np.atleast_2d(v.view(np.ndarray)) for v in self.preprocessed.values()]
        return np.vstack([np.empty((0, self.length), np.uint32), *rows]).view(F)

    def short_values(self, public: F) -> list[F]:
        """One array (period,) per short column: its values on the rows 0 .. period-1."""
        periodic = [row for v in self.periodic.values() for row in np.atleast_2d(v)]
        return [*periodic, *(public[span.start : span.stop] for span in self.public.values())]

    def fractions(self, frame: "Frame") -> list[Fraction]:
        """The lookups' fractions on a frame."""
        return list(self.lookups(fields(self, frame, frame.cur, with_short=True), frame.k))

    def datum_on(self, frame: "Frame") -> tuple[Any, Sequence[Any]]:
        """The datum's selector and values on a frame. ValueError for another number of values than `data_width`."""
        selector, values = self.datum(fields(self, frame, frame.cur, with_short=True), frame.k)
        if len(values) != self.data_width:
            raise ValueError(f"a datum of {self.name} has {self.data_width} values; got {len(values)}")
        return selector, values

    def _refuse_bad_columns(self) -> None:
        names = [n for n, _ in [*self.main_columns, *self.preprocessed_columns, *self.short_columns]]
        if len(set(names)) != len(names):
            raise ValueError(f"each column needs a name of its own; got {names}")
        for name, v in self.preprocessed.items():
            if v.shape[-1] != self.length:
                raise ValueError(
                    f"preprocessed column {name} has {v.shape[-1]} rows, the trace {self.length}"
                )
        periods = {n: v.shape[-1] for n, v in self.periodic.items()} | {
            n: len(s) for n, s in self.public.items()
        }
        for name, period in periods.items():
            if not period or self.length % period:
                raise ValueError(f"period of {name} must divide the trace length {self.length}; got {period}")
        for name, span in self.public.items():
            if span.step != 1 or span.start < 0 or span.stop > self.public_inputs:
                raise ValueError(
                    f"public column {name} reads {span}, but there are {self.public_inputs} inputs"
                )

    def _plan_lookups(self) -> list[list[int]]:
        frame = degree_frame(self, committed=1, short=[1] * _count(self.short_columns))
        return batches(self.fractions(frame), self.lookup_degree)


@dataclass(frozen=True)
class Frame:
    """What constraints are evaluated over: a value for every cell of two neighbouring rows.

    cur, nxt: committed columns (preprocessed, main, auxiliary) on a row and on the next;  short: periodic and
    public columns on the row;  public: public inputs;  beta, lam: lookup challenges (None without lookups);
    k: int -> constant;  data: T of the public data (None without).
    """

    cur: Sequence[Any]
    nxt: Sequence[Any]
    short: Sequence[Any]
    public: Sequence[Any]
    k: Callable[[int], Any]
    beta: Any = None
    lam: Any = None
    data: Any = None


@dataclass(frozen=True)
class Constraint:
    """A constraint's value on a frame. kind: "transition", "everywhere" or "boundary"; row: of a boundary,
    else -1.
    """

    kind: str
    row: int
    name: str
    value: Any


def constraints(air: Air, frame: Frame) -> list[Constraint]:
    """All constraints in the order of the powers of alpha: transition (the AIR's, the data's), everywhere,
    lookups, boundary (the AIR's, the data's).
    """
    cur = fields(air, frame, frame.cur, with_short=True)
    nxt = fields(air, frame, frame.nxt, with_short=False)
    found = [Constraint("transition", -1, *c) for c in air.transition(cur, nxt, frame.k)]
    if air.data_width:
        step = data_step(*air.datum_on(frame), frame.cur[-1], frame.nxt[-1], frame.lam)
        found.append(Constraint("transition", -1, "data", step))
    found += [Constraint("everywhere", -1, *c) for c in air.everywhere(cur, nxt, frame.k)]
    if air.lookup_batches:
        first = len(frame.cur) - air.widths[2]
        stop = first + len(air.lookup_batches)
        aux, aux_next = frame.cur[first:stop], frame.nxt[first:stop]
        sums = lookup_constraints(
            air.fractions(frame), air.lookup_batches, aux, aux_next, frame.beta, frame.lam
        )
        found += [Constraint("everywhere", -1, *c) for c in sums]
    for name, row, value in air.boundary(cur, frame.public, frame.k):
        if not 0 <= row < air.length:
            raise ValueError(f"boundary {name} names row {row} of a trace of {air.length} rows")
        found.append(Constraint("boundary", row, name, value))
    if air.data_width:
        found.append(Constraint("boundary", 0, "data start", frame.cur[-1] - frame.k(1)))
        found.append(Constraint("boundary", air.length - 1, "data end", frame.cur[-1] - frame.data))
    return found


@dataclass(frozen=True)
class Degree:
    """Degree of a polynomial: + and - take the larger, * adds."""

    d: int

    def __add__(self, other: "Degree") -> "Degree":
        return Degree(max(self.d, other.d))

    __sub__ = __add__

    def __mul__(self, other: "Degree") -> "Degree":
        return Degree(self.d + other.d)


def degree_frame(air: Air, committed: int, short: Sequence[int]) -> Frame:
    """Frame of degrees: `committed` for every committed column, one number per short column, 0 for constants."""
    cells = [Degree(committed)] * sum(air.widths)
    zero = Degree(0)
    return Frame(
        cells, cells, [Degree(d) for d in short], [zero] * air.public_inputs, lambda c: zero, zero, zero, zero
    )


def quotient_degree(air: Air, blinding: int) -> int:
    """Largest degree of a constraint over its vanishing polynomial, columns having n + blinding coefficients."""
    n = air.length
    periods = [len(v) for v in air.short_values(F.Zeros(air.public_inputs))]
    frame = degree_frame(air, n + blinding - 1, [n - n // period for period in periods])
    less = {"transition": n - 1, "everywhere": n, "boundary": 1}
    return max((c.value.d - less[c.kind] for c in constraints(air, frame)), default=0)


def quotient_chunks(air: Air, blinding: int) -> int:
    """Number c of chunks of n coefficients that hold the quotient: c n > its degree."""
    return max(quotient_degree(air, blinding), 0) // air.length + 1


def formulas(air: Air) -> list[tuple[str, str, Any]]:
    """(kind, name, sympy expression) of every constraint; a cell of the next row carries a prime.

    A: the data's column; T: what it ends with.
    """
    import sympy

    k_aux = len(air.lookup_batches)
    names = labels([*air.preprocessed_columns, *air.main_columns]) + [f"aux[{i}]" for i in range(k_aux)]
    names += ["A"] if air.data_width else []
    frame = Frame(
        cur=[sympy.Symbol(name) for name in names],
        nxt=[sympy.Symbol(name + "'") for name in names],
        short=[sympy.Symbol(name) for name in labels(air.short_columns)],
        public=[sympy.Symbol(f"public[{i}]") for i in range(air.public_inputs)],
        k=sympy.Integer,
        beta=sympy.Symbol("beta"),
        lam=sympy.Symbol("lambda"),
        data=sympy.Symbol("T"),
    )
    return [(c.kind, c.name, c.value) for c in constraints(air, frame)]


def labels(columns: Columns) -> list[str]:
    """One label per column: "bit", "state[0]", "state[1]", ..."""
    return [name if width is None else f"{name}[{i}]" for name, width in columns for i in range(width or 1)]


def fields(air: Air, frame: Frame, cells: Sequence[Any], with_short: bool) -> SimpleNamespace:
    """Cells of one row by name: `row.bit`, `row.state[3]`."""
    columns: Columns = [*air.preprocessed_columns, *air.main_columns]
    values = iter(cells[: _count(columns)])
    if with_short:
        values = iter([*values, *frame.short])
        columns += air.short_columns
    return SimpleNamespace(
        **{n: next(values) if w is None else [next(values) for _ in range(w)] for n, w in columns}
    )


def _parse(columns: str) -> Columns:
    """ "state[16] bit" -> [("state", 16), ("bit", None)]"""
    parsed: Columns = []
    for word in columns.split():
        match = re.fullmatch(r"([a-z_]\w*)(?:\[(\d+)\])?", word)
        if match is None:
            raise ValueError(f'expected columns such as "state[16] bit"; got {word!r}')
        parsed.append((match[1], int(match[2]) if match[2] else None))
    return parsed


def _count(columns: Columns) -> int:
    return sum(1 if width is None else width for _, width in columns)
