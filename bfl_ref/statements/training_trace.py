"""The witness of one segment step as a trace of `Training`: what a hospital fills in before it proves."""

from dataclasses import dataclass

import numpy as np

from ..fixed_point.digests import SEED_TAG, absorb_all, seed_commitment, state_blocks
from ..fixed_point.noise import draw_inputs
from ..fixed_point.rows import SALT, leaf_inputs
from ..fixed_point.rule import (
    BIAS,
    BIAS_SLOT,
    NOISE_TABLE,
    NORM,
    SEGMENT_ROWS,
    SIGMOID,
    TABLE,
    WEIGHT_LIMIT,
    Hyper,
    StepValues,
    step_values,
)
from ..fixed_point.training import State
from ..stark.field import F, base
from . import three_rows
from .poseidon2 import DIGEST, WIDTH
from .training import A_ROW, BLOCK, Training

Cells = dict[str, np.ndarray]  # column name -> (width, blocks, 16) int64


@dataclass(frozen=True, eq=False)
class Step:
    """What a segment proof is about.

    v (n, 36 halves), y (n,), salts (n, halves, 4): the rows of one segment, n <= 512.   before, after: weights and salts.
    seed (8,), r1 (4,): noise.   number: of the step in the round, from 0.
    """

    v: np.ndarray
    y: np.ndarray
    salts: F
    before: State
    after: State
    seed: F
    r1: F
    number: int
    hyper: Hyper


def public_inputs(
    segment: F, before: F, after: F, commitment: F, r1: F, number: int, rows: int, hyper: Hyper
) -> F:
    """(46,) in the order of training.py. Digests (8,), r1 (4,); the contract makes the same of what is registered."""
    divisor = hyper.divisor(rows)
    numbers = [
        number,
        rows,
        divisor,
        divisor // 2,
        (1 << 29) // divisor,
        NORM * (hyper.clip - 1),
        *hyper.scales,
    ]
    return np.concatenate([segment, before, after, commitment, r1, base(numbers)]).view(F)


def fill(air: Training, step: Step) -> tuple[F, F]:
    """(trace (107, n), public inputs (46,)). Nothing is checked: a false step gives a trace that breaks constraints."""
    v, y, salts = _padded(air, step)
    cells = {name: np.zeros((width or 1, air.blocks, BLOCK), np.int64) for name, width in air.main_columns}
    holds, digests = _fill_hashing(air, step, cells, leaf_inputs(v, y, salts).reshape(-1, WIDTH))
    values = _fill_rows(air, step, cells, v, y)
    _fill_updates(air, step, cells, values.gradient, digests)
    _fill_multiplicities(air, cells)
    trace = np.concatenate([c.reshape(len(c), -1) for c in cells.values()]) % F.order
    commitment = seed_commitment(step.seed)
    states = step.before.digest, step.after.digest
    public = public_inputs(
        holds[-1].view(F), *states, commitment, step.r1, step.number, len(step.y), step.hyper
    )
    return trace.astype(np.uint32).view(F), public


def _padded(air: Training, step: Step) -> tuple[np.ndarray, np.ndarray, F]:
    """The segment's rows and padding: 512 in all."""
    n, missing = len(step.y), SEGMENT_ROWS - len(step.y)
    v = np.zeros((SEGMENT_ROWS, air.slots), np.int64)
    v[:n], v[n:, BIAS_SLOT] = step.v, BIAS
    y = np.concatenate([step.y, np.zeros(missing, np.int64)])
    salts = np.concatenate([step.salts, np.zeros((missing, air.halves, SALT), np.uint32)]).view(F)
    return v, y, salts


def _fill_hashing(air: Training, step: Step, cells: Cells, leaves: F) -> tuple[F, np.ndarray]:
    """Permutations, carry, later and hold. leaves (512 halves, 16): what is compressed.

    Returns the segment digest's states (512 halves + 1, 8), and the fifth permutations' digests (8, blocks).
    """
    extra = np.zeros((air.blocks, WIDTH), np.uint32)
    extra[: air.slots] = draw_inputs(step.seed, step.r1, step.number, air.slots)
    for blocks, state in ((air.before, step.before), (air.after, step.after)):
        absorbed = state_blocks(state.weights)
        chain = absorb_all(state.salt, absorbed)[:-1]
        extra[blocks.start : blocks.stop] = np.concatenate([chain, absorbed], axis=1)
    extra[air.seed_block] = [*step.seed.tolist(), *[0] * (DIGEST - 1), SEED_TAG]

    leaf_cells, out = three_rows.fill(leaves.T.view(F))
    leaf = (out[:DIGEST] + leaves.T[:DIGEST].view(F)).view(F)
    holds = absorb_all(base([1] + [0] * (DIGEST - 1)), np.ascontiguousarray(leaf.T).view(F))
    chain_cells, _ = three_rows.fill(np.concatenate([holds[:-1].T, leaf]).view(F))
    extra_cells, out = three_rows.fill(extra.T.view(F))
    digests = (out[:DIGEST] + extra.T[:DIGEST].view(F)).view(np.ndarray)

    hashed = np.zeros((3 * WIDTH, air.blocks, BLOCK), np.uint32)
    for half in range(2):
        for first, filled in ((0, leaf_cells), (3, chain_cells)):
            at = A_ROW * half + first
            hashed[:, :, at : at + 3] = filled[:, :, half::2].transpose(1, 2, 0)
        begin = A_ROW * half
        cells["carry"][:, :, begin + 1 : begin + A_ROW] = leaves[half::2, :DIGEST].T[:, :, None]
        cells["later"][:, :, begin + 1] = leaves[half::2, 10:12].T
        cells["hold"][:, :, begin : begin + A_ROW] = holds[half:-1:2].T[:, :, None]
    hashed[:, :, 12:15] = extra_cells.transpose(1, 2, 0)
    hashed[:DIGEST, :, 15] = digests
    hashed[WIDTH : 2 * WIDTH, :, 15] = three_rows.fill_idle(hashed[:WIDTH, :, 15].view(F))
    cells["carry"][:, :, 13:15] = extra.T[:DIGEST, :, None]
    cells["hold"][:, :, 12:] = holds[2::2].T[:, :, None]
    for i, name in enumerate(("state", "a", "b")):
        cells[name][:] = hashed[WIDTH * i : WIDTH * (i + 1)]
    for blocks in (air.before, air.after):
        cells["read"][:, blocks.start : blocks.stop, 12] = extra[
            blocks.start : blocks.stop, DIGEST : DIGEST + A_ROW
        ].T
    return holds, digests


def _fill_rows(air: Training, step: Step, cells: Cells, v: np.ndarray, y: np.ndarray) -> StepValues:
    """Data rows: bytes, weights, dot products, norms, residuals."""
    n, rows = len(step.y), A_ROW * air.halves  # trace rows of a data row
    w = step.before.weights
    values = step_values(
        w, v, y, step.hyper, np.zeros_like(w)
    )  # padding included: only its `clipped` is not used
    clipped = np.where(np.arange(SEGMENT_ROWS) < n, values.clipped, 0)
    true = step_values(w, v[:n], y[:n], step.hyper, np.zeros_like(w))

    def place(name: str, per_trace_row: np.ndarray, index: int = 0) -> None:
        """(512, rows) -> the feature rows of a column."""
        cells[name][index, :, : 2 * A_ROW] = per_trace_row.reshape(air.blocks, 2 * A_ROW)

    v6, w6 = v.reshape(SEGMENT_ROWS, rows, A_ROW), w.reshape(rows, A_ROW)
    for i in range(A_ROW):
        place("byte", v6[:, :, i] + 128, i)
        place("read", np.broadcast_to(w6[:, i], (SEGMENT_ROWS, rows)), i)
    for name, products in (("dot", v6 * w6), ("norm", v6 * v6)):
        sums = products.sum(axis=2).cumsum(axis=1)
        place(name, np.concatenate([np.zeros((SEGMENT_ROWS, 1), np.int64), sums[:, :-1]], axis=1))

    def per_row(name: str, of_row: np.ndarray) -> None:
        place(name, np.broadcast_to(of_row[:, None], (SEGMENT_ROWS, rows)))

    live = (np.arange(SEGMENT_ROWS) < n).astype(np.int64)
    per_row("clipped", clipped)
    per_row("length", values.norm)
    per_row("live", live)
    per_row("count", np.minimum(np.arange(SEGMENT_ROWS), n))
    a_block = 2 // air.halves  # data rows
    cells["live"][0, :, 12:] = np.append(live, 0)[a_block::a_block, None]  # of the row to come
    cells["count"][0, :, 12:] = np.minimum(np.arange(a_block, SEGMENT_ROWS + 1, a_block), n)[:, None]
    _fill_residuals(air, step, cells, values, clipped, y)
    return true


def _fill_residuals(
    air: Training, step: Step, cells: Cells, values: StepValues, clipped: np.ndarray, y: np.ndarray
) -> None:
    """A data row's last trace row, and what stands on the rows around it."""
    rows = A_ROW * air.halves
    ends = np.arange(rows - 1, 2 * A_ROW, rows)

    def put(name: str, index: int, of_row: np.ndarray, shift: int = 0) -> None:
        cells[name][index][:, ends + shift] = of_row.reshape(air.blocks, len(ends))

    unclamped = (values.z >> 13) + TABLE // 2
    beyond = np.maximum(np.abs(unclamped - values.index) - 1, 0)
    low_bits = values.z & 8191
    high, low = values.residual > values.bound, values.residual < -values.bound
    high, low = high & (clipped != 0), low & (clipped != 0)  # padding is not clipped but weightless
    bound, residual = values.bound, values.residual
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
    put("index", 1, NORM * (step.hyper.clip - 1) + values.norm - 1)
    put("value", 1, bound)
    squares = cells["norm"][0][:, ends] + ((cells["byte"][:, :, ends] - 128) ** 2).sum(axis=0)
    spare = values.norm**2 - squares.reshape(-1)
    put("range", 0, spare, 1)
    put("range", 1, 2 * values.norm - 2 - spare, 1)
    put("range", 2, beyond >> 12, 1)
    put("range", 3, 256 * (beyond >> 12), 1)
    cells["range"][0][:, [4, 10]] = NORM - cells["length"][0][:, [4, 10]]


def _fill_updates(air: Training, step: Step, cells: Cells, gradient: np.ndarray, digests: np.ndarray) -> None:
    """Rows 14 and 15 of every block; a block without a weight gets a change of zero."""
    index, value, octet, flag, rest = (cells[name] for name in ("index", "value", "byte", "flag", "range"))
    for i in range(2):
        element = digests[i].astype(np.int64)
        edge = (element == F.order - 1).astype(np.int64)
        index[2 * i, :, 15], index[2 * i + 1, :, 15] = element & 4095, element >> 12 & 4095
        octet[i, :, 15] = element >> 24
        octet[2 + i, :, 15], flag[i, :, 15] = 119 + edge - (element >> 24), edge
    value[:, :, 15] = NOISE_TABLE[index[:, :, 15]]
    nu = np.array(step.hyper.scales) @ value[:, :, 15]
    before, total = np.zeros(air.blocks, np.int64), -nu
    before[: air.slots], total[: air.slots] = step.before.weights, gradient

    divisor = step.hyper.divisor(len(step.y))
    limit = (1 << 29) // divisor
    change, remainder = np.divmod(2 * (total + nu) + divisor // 2, divisor)
    unclamped = before - change
    after = np.clip(unclamped, -WEIGHT_LIMIT, WEIGHT_LIMIT - 1)
    beyond = np.abs(unclamped - after)
    for i, cell in enumerate((before, after, total, change)):
        cells["read"][i, :, 15] = cell
    rest[:, :, 15] = remainder, divisor - 1 - remainder, limit + change & 4095, limit + change >> 12
    shifted = before + WEIGHT_LIMIT
    more = limit - change
    rest[:, :, 14] = beyond & 4095, beyond >> 12, after + WEIGHT_LIMIT & 4095, more & 4095
    octet[:3, :, 14] = after + WEIGHT_LIMIT >> 12, more >> 12 & 255, more >> 20
    octet[3:, :, 14] = shifted & 255, shifted >> 8 & 255, shifted >> 16
    octet[4, :, 15] = 16 * (shifted >> 16)
    flag[:2, :, 14] = unclamped > after, unclamped < after


def _fill_multiplicities(air: Training, cells: Cells) -> None:
    """How often each entry of a table is looked up."""
    end = A_ROW * air.halves - 1
    ends = range(end, 2 * A_ROW, end + 1)
    looked_up = {
        "ranges": cells["range"],
        "bytes": cells["byte"],
        "sigmoids": cells["index"][0][:, ends],
        "noises": cells["index"][:, :, 15],
        "clips": cells["index"][1][:, ends],
    }
    for name, entries in looked_up.items():
        counts = np.bincount(np.clip(entries, 0, TABLE - 1).reshape(-1), minlength=TABLE)
        cells[name].reshape(-1)[:TABLE] = counts
