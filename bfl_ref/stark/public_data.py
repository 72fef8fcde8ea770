"""Public data: a long list of base elements that both sides know, tied to the trace by one running sum.

    A_0 = 1      A' = A lam^k + sum_j datum_j lam^(k-1-j) on selected rows, A' = A on the others      A_(n-1) = T

    T = lam^m + sum_i d_i lam^(m-1-i) over all m elements d_i of the data

Both sides of the last equation are monic polynomials in lam; their other coefficients are what the selected rows say
and what the data say. So for a random lam they agree only if both are equally long and the same, in the same order:
the leading 1 makes leading zeros count. A prover commits to the extension column A as to a lookup's; every verifier
computes T from the data, which the transcript's first state binds. The last row has no step: it can carry no datum.

Data are bytes, 4 an element, big-endian; rows of k elements one behind the other.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from eth_utils import keccak

from .field import Ext, F, P, base
from .lookup import horner
from .rejections import BadPublicData

ELEMENT_BYTES = 4


def check_length(data: bytes, width: int, rows: int) -> None:
    """BadPublicData unless `data` are whole rows of `width` elements, at most one for each row of the trace but the
    last. width 0: none at all.
    """
    row_bytes = ELEMENT_BYTES * width
    if len(data) > (rows - 1) * row_bytes or (row_bytes and len(data) % row_bytes):
        raise BadPublicData(len(data), 0)


def elements(data: bytes) -> F:
    """(m,): the data's elements. BadPublicData if one is not below p."""
    words = np.frombuffer(data, dtype=">u4").astype(np.uint32)
    above = words >= P
    if above.any():
        index = int(above.argmax())
        raise BadPublicData(index, int(words[index]))
    return words.view(F)


def own_elements(data: bytes, width: int, rows: int) -> F:
    """(m,): the elements of data that a prover is handed. ValueError where a verifier raises BadPublicData."""
    try:
        check_length(data, width, rows)
        return elements(data)
    except BadPublicData as wrong:
        raise ValueError(f"data must be up to {rows - 1} rows of {width} elements; {wrong}") from None


def binding(data: bytes) -> bytes:
    """What the transcript's first state binds: the number of elements (4 bytes), keccak of the data."""
    return (len(data) // ELEMENT_BYTES).to_bytes(4, "big") + keccak(data)


def data_sum(data: F, lam: Ext) -> Ext:
    """T = lam^m + sum_i d_i lam^(m-1-i) of the elements (m,)."""
    monic = np.concatenate([base([1]), data]).view(F)
    return (lam.powers(len(monic))[::-1] * monic).sum()


def data_step(selector: Any, values: Sequence[Any], a: Any, a_next: Any, lam: Any) -> Any:
    """A' - A - selector (A lam^k + sum_j values[j] lam^(k-1-j) - A): vanishes on all rows but the last."""
    after = horner([*reversed(values), a], lam)
    return a_next - a - (after - a) * selector


def data_column(selector: Any, values: Sequence[Any], lam: Ext, length: int) -> Ext:
    """(1, n): the column A that an honest prover commits to.

    selector, values: of whole base columns.  After s selected rows of sums h_0, h_1, ... the value is, with w = lam^k,
    w^s (1 + sum_(j<s) h_j w^-(j+1)).  ZeroDivisionError if lam is zero (probability p^-5).
    """
    selected = np.broadcast_to(selector, length).view(np.ndarray) != 0
    said = [np.broadcast_to(v, length)[selected].view(F) for v in values]
    sums = horner(list(reversed(said)), lam)
    step = lam ** len(values)
    steps = len(said[0]) + 1
    scaled = Ext.lift(sums) * step.inverse().powers(steps)[1:]
    before = Ext(np.add.accumulate(np.pad(scaled.coeffs, ((0, 0), (1, 0))).view(F), axis=-1).view(F))
    after = step.powers(steps) * (before + 1)
    return after[np.cumsum(selected) - selected].reshape(1, length)


def faults(selector: Any, values: Sequence[Any], data: F | None, length: int) -> list[str]:
    """What is wrong with the data that a trace carries, in words: a selector other than 0 and 1, a datum on the last row,
    or the first place where the selected rows do not give `data` (None: not compared).
    """
    chosen = np.broadcast_to(selector, length).view(np.ndarray)
    rows = np.flatnonzero(chosen)
    found = []
    strange = np.flatnonzero(chosen > 1)
    if len(strange):
        found.append(f"data: selector neither 0 nor 1 on rows {strange[:5].tolist()}")
    if chosen[-1]:
        found.append(f"data: row {length - 1}, the last, cannot carry a datum")
    if data is None:
        return found
    said = np.stack([np.broadcast_to(v, length).view(np.ndarray)[rows] for v in values], axis=1)
    expected = data.view(np.ndarray).reshape(-1, len(values))
    both = min(len(said), len(expected))
    wrong = np.argwhere(said[:both] != expected[:both])
    if len(wrong):
        at, j = wrong[0].tolist()
        index = at * len(values) + j
        found.append(f"data: row {rows[at]} says {said[at, j]}, element {index} is {expected[at, j]}")
    elif len(said) != len(expected):
        found.append(f"data: {len(rows)} rows are selected, the data have {len(expected)}")
    return found
