"""The cells of a `Training` trace, part by part: each function fills what it is told, right or not.

So a test can put any false value into any part and have the rest follow.
"""

from dataclasses import dataclass

import numpy as np

from ..fixed_point.digests import absorb_all
from ..fixed_point.rule import NOISE_TABLE, NORM, SEGMENT_ROWS, SIGMOID, TABLE, WEIGHT_LIMIT, StepValues
from ..stark.field import F
from . import three_rows
from .poseidon2 import DIGEST, WIDTH
from .training import Training
from .training_layout import A_ROW, BLOCK

Cells = dict[str, np.ndarray]  # column name -> (width, blocks, 16) int64


@dataclass(frozen=True, eq=False)
class Update:
    """What row 15 of each block says of its weight, (blocks,). Beyond the weights' blocks all is 0, and `total` is -nu.

    divisor D.   change = floor((2 (total + nu) + D // 2) / D).   after = before - change, clamped.
    """

    divisor: int
    before: np.ndarray
    total: np.ndarray
    nu: np.ndarray
    change: np.ndarray
    after: np.ndarray


def blank(air: Training) -> Cells:
    return {name: np.zeros((width or 1, air.blocks, BLOCK), np.int64) for name, width in air.main_columns}


def fill_leaves(cells: Cells, leaves: F) -> F:
    """First permutation of each half. leaves (512 halves, 16): what is compressed -> the leaves (8, 512 halves)."""
    filled, out = three_rows.fill(leaves.T.view(F))
    for half in range(2):
        begin = A_ROW * half
        _place_permutations(cells, filled[:, :, half::2], begin)
        cells["carry"][:, :, begin + 1 : begin + A_ROW] = leaves[half::2, :DIGEST].T[:, :, None]
        cells["later"][:, :, begin + 1] = leaves[half::2, 10:12].T
    return (out[:DIGEST] + leaves.T[:DIGEST].view(F)).view(F)


def fill_chain(cells: Cells, start: F, leaf: F) -> F:
    """Second permutation of each half, and hold: start (8,), leaf (8, 512 halves) -> the segment digest (8,)."""
    holds = absorb_all(start, np.ascontiguousarray(leaf.T).view(F))
    filled, _ = three_rows.fill(np.concatenate([holds[:-1].T, leaf]).view(F))
    for half in range(2):
        begin = A_ROW * half
        _place_permutations(cells, filled[:, :, half::2], begin + 3)
        cells["hold"][:, :, begin : begin + A_ROW] = holds[half:-1:2].T[:, :, None]
    cells["hold"][:, :, 12:] = holds[2::2].T[:, :, None]
    return holds[-1].view(F)


def fill_extra(air: Training, cells: Cells, extra: np.ndarray) -> None:
    """The fifth permutations, of extra (blocks, 16); their digests; the weights that states are made of."""
    raw = extra.T.view(F)
    filled, out = three_rows.fill(raw)
    _place_permutations(cells, filled, 12)
    cells["carry"][:, :, 13:15] = raw[:DIGEST, :, None]
    cells["state"][:DIGEST, :, 15] = out[:DIGEST] + raw[:DIGEST]
    cells["a"][:, :, 15] = three_rows.fill_idle(cells["state"][:, :, 15].astype(np.uint32).view(F))
    for blocks in (air.before, air.after):
        cells["read"][:, blocks.start : blocks.stop, 12] = extra[
            blocks.start : blocks.stop, DIGEST : DIGEST + A_ROW
        ].T


def _place_permutations(cells: Cells, filled: F, first: int) -> None:
    """filled (3, 48, blocks): on rows first .. first + 2 of each block."""
    for i, name in enumerate(("state", "a", "b")):
        cells[name][:, :, first : first + 3] = filled[:, WIDTH * i : WIDTH * (i + 1)].transpose(1, 2, 0)


def _place(air: Training, cells: Cells, name: str, per_trace_row: np.ndarray, index: int = 0) -> None:
    """(512, rows), rows = trace rows of a data row -> the feature rows of a column."""
    shape = SEGMENT_ROWS, A_ROW * air.halves
    cells[name][index, :, : 2 * A_ROW] = np.broadcast_to(per_trace_row, shape).reshape(air.blocks, 2 * A_ROW)


def fill_rows(
    air: Training, cells: Cells, v: np.ndarray, w: np.ndarray, live: np.ndarray, values: StepValues
) -> None:
    """Data rows: bytes, weights, dot products, norms, and what stays the same over a row. live (512,): which rows count."""
    v6, w6 = v.reshape(SEGMENT_ROWS, -1, A_ROW), w.reshape(-1, A_ROW)
    for i in range(A_ROW):
        _place(air, cells, "byte", v6[:, :, i] + 128, i)
        _place(air, cells, "read", w6[:, i], i)
    for name, products in (("dot", v6 * w6), ("norm", v6 * v6)):
        sums = products.sum(axis=2).cumsum(axis=1)
        _place(
            air, cells, name, np.concatenate([np.zeros((SEGMENT_ROWS, 1), np.int64), sums[:, :-1]], axis=1)
        )
    counts = np.append(0, np.cumsum(live))
    for name, of_row in (
        ("clipped", values.clipped),
        ("length", values.norm),
        ("live", live),
        ("count", counts[:-1]),
    ):
        _place(air, cells, name, of_row[:, None])
    a_block = 2 // air.halves  # data rows
    cells["live"][0, :, 12:] = np.append(live, False)[a_block::a_block, None]  # of the row to come
    cells["count"][0, :, 12:] = counts[a_block::a_block, None]


def fill_residuals(air: Training, cells: Cells, values: StepValues, y: np.ndarray, clip: int) -> None:
    """A data row's last trace row, and what stands on the rows around it. After `fill_rows`."""
    rows = A_ROW * air.halves
    ends = np.arange(rows - 1, 2 * A_ROW, rows)

    def put(name: str, index: int, of_row: np.ndarray, shift: int = 0) -> None:
        cells[name][index][:, ends + shift] = of_row.reshape(air.blocks, len(ends))

    unclamped = (values.z >> 13) + TABLE // 2
    beyond = np.maximum(np.abs(unclamped - values.index) - 1, 0)
    low_bits = values.z & 8191
    bound, residual, clipped = values.bound, values.residual, values.clipped
    high, low = (residual > bound) & (clipped != 0), (residual < -bound) & (clipped != 0)  # padding: neither
    put("range", 0, low_bits & 4095)
    put("range", 1, beyond & 4095)
    put("range", 2, np.where(high, residual - bound, bound - clipped))
    put("range", 3, np.where(low, -bound - residual, bound + clipped))
    for i, flag in enumerate(
        (low_bits >> 12, unclamped > values.index, unclamped < values.index, high, low, y)
    ):
        put("flag", i, flag)
    put("index", 0, values.index)
    put("value", 0, SIGMOID[values.index])
    put("index", 1, NORM * (clip - 1) + values.norm - 1)
    put("value", 1, bound)
    squares = cells["norm"][0][:, ends] + ((cells["byte"][:, :, ends] - 128) ** 2).sum(axis=0)
    spare = values.norm**2 - squares.reshape(-1)
    put("range", 0, spare, 1)
    put("range", 1, 2 * values.norm - 2 - spare, 1)
    put("range", 2, beyond >> 12, 1)
    put("range", 3, 256 * (beyond >> 12), 1)
    cells["range"][0][:, [4, 10]] = NORM - cells["length"][0][:, [4, 10]]


def fill_draws(cells: Cells, elements: np.ndarray) -> None:
    """Row 15: two draws of each of the elements (2, blocks)."""
    index, octet, flag = cells["index"], cells["byte"], cells["flag"]
    for i, element in enumerate(elements.astype(np.int64)):
        edge = (element == F.order - 1).astype(np.int64)
        index[2 * i, :, 15], index[2 * i + 1, :, 15] = element & 4095, element >> 12 & 4095
        octet[i, :, 15] = element >> 24
        octet[2 + i, :, 15], flag[i, :, 15] = 119 + edge - (element >> 24), edge
    cells["value"][:, :, 15] = NOISE_TABLE[index[:, :, 15]]


def fill_updates(cells: Cells, update: Update) -> None:
    """Rows 14 and 15 of every block."""
    octet, rest = cells["byte"], cells["range"]
    before, change, after, divisor = update.before, update.change, update.after, update.divisor
    limit = (1 << 29) // divisor
    remainder = 2 * (update.total + update.nu) + divisor // 2 - change * divisor
    for i, cell in enumerate((before, after, update.total, change)):
        cells["read"][i, :, 15] = cell
    rest[:, :, 15] = remainder, divisor - 1 - remainder, limit + change & 4095, limit + change >> 12
    unclamped, shifted, more = before - change, before + WEIGHT_LIMIT, limit - change
    beyond = np.abs(unclamped - after)
    rest[:, :, 14] = beyond & 4095, beyond >> 12, after + WEIGHT_LIMIT & 4095, more & 4095
    octet[:3, :, 14] = after + WEIGHT_LIMIT >> 12, more >> 12 & 255, more >> 20
    octet[3:, :, 14] = shifted & 255, shifted >> 8 & 255, shifted >> 16
    octet[4, :, 15] = 16 * (shifted >> 16)
    cells["flag"][:2, :, 14] = unclamped > after, unclamped < after


def finish(air: Training, cells: Cells) -> F:
    """(107, n): the tables' multiplicities counted, all cells one below the other."""
    _fill_multiplicities(air, cells)
    trace = np.concatenate([c.reshape(len(c), -1) for c in cells.values()]) % F.order
    return trace.astype(np.uint32).view(F)


def _fill_multiplicities(air: Training, cells: Cells) -> None:
    """How often each entry of a table is looked up. What is in no table is not counted: nothing can pay for it."""
    end = A_ROW * air.halves - 1
    ends = range(end, 2 * A_ROW, end + 1)
    looked_up = {
        "ranges": (cells["range"], TABLE),
        "bytes": (cells["byte"], 256),
        "sigmoids": (cells["index"][0][:, ends], TABLE),
        "noises": (cells["index"][:, :, 15], TABLE),
        "clips": (cells["index"][1][:, ends], TABLE),
    }
    for name, (entries, size) in looked_up.items():
        counts = np.bincount(entries[(entries >= 0) & (entries < size)], minlength=TABLE)
        cells[name].reshape(-1)[:TABLE] = counts
