"""An AIR on trace rows: what the prover starts from, and which rule a wrong trace breaks where."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .air import Air, Frame, fields
from .field import F
from .public_data import faults, own_elements


def trace_frame(
    air: Air, trace: F, public: F, aux: Sequence[Any] = (), beta: Any = None, lam: Any = None
) -> Frame:
    """Frame of whole columns on H: value i of each cell is row i, `nxt` the row after it (cyclic).

    trace: (k_main, n);  public: (public_inputs,);  aux: k_aux extension columns of n values.
    """
    cells: list[Any] = [*air.preprocessed_trace(), *trace]
    return Frame(
        cur=[*cells, *aux],
        nxt=[*(np.roll(c, -1) for c in cells), *(a.roll(-1) for a in aux)],
        short=[np.tile(v, air.length // len(v)) for v in air.short_values(public)],
        public=list(public),
        k=lambda c: F(c % F.order),
        beta=beta,
        lam=lam,
    )


def check_trace(air: Air, trace: F, public: F, data: bytes | None = None) -> None:
    """Raise ValueError that names every broken constraint and its first rows; lookups are checked as
    multisets. data: which the selected rows must give, in order; without it only the selector is checked.
    """
    if trace.shape != (air.widths[1], air.length):
        raise ValueError(f"trace must be {(air.widths[1], air.length)} (columns, rows); got {trace.shape}")
    if public.shape != (air.public_inputs,):
        raise ValueError(f"{air.name} takes {air.public_inputs} public inputs; got shape {public.shape}")
    frame = trace_frame(air, trace, public)
    cur = fields(air, frame, frame.cur, with_short=True)
    nxt = fields(air, frame, frame.nxt, with_short=False)
    broken = []
    for kind, found in (
        ("transition", air.transition(cur, nxt, frame.k)),
        ("everywhere", air.everywhere(cur, nxt, frame.k)),
    ):
        for name, value in found:
            rows = np.flatnonzero(np.broadcast_to(value, air.length)[: air.length - (kind == "transition")])
            broken += [f"{kind} {name} on rows {rows[:5].tolist()} ({len(rows)} in all)"] if len(rows) else []
    for name, row, value in air.boundary(cur, frame.public, frame.k):
        if np.broadcast_to(value, air.length)[row]:
            broken.append(f"boundary {name} on row {row}")
    balance: dict[tuple[int, ...], int] = {}
    for fraction in air.fractions(frame):
        values = [np.broadcast_to(v, air.length).tolist() for v in fraction.values]
        for j, numerator in enumerate(fraction.numerators):
            for amount, *key in zip(np.broadcast_to(numerator, air.length).tolist(), *values, strict=True):
                balance[j, *key] = (balance.get((j, *key), 0) + amount) % F.order
    unpaid = [tuple(key[1:]) for key, total in balance.items() if total]
    broken += [f"lookup: {len(unpaid)} unbalanced, e.g. {unpaid[:5]}"] if unpaid else []
    if air.data_width or data:
        expected = None if data is None else own_elements(data, air.data_width, air.length)
        broken += faults(*air.datum_on(frame), expected, air.length)
    if broken:
        raise ValueError(f"trace breaks {air.name}: " + "; ".join(broken))
