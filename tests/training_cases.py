"""Steps of the training statement, forged traces of it, and a quick check of what exactly a forged trace breaks."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
from stark_cases import FULL

from bfl_ref import fixed_point
from bfl_ref.fixed_point import CLIP_TABLE, NORM, SIGMOID, Hyper, beacon_elements, commit_rows
from bfl_ref.fixed_point.rows import leaf_inputs
from bfl_ref.fixed_point.rule import SEGMENT_ROWS, WEIGHT_LIMIT
from bfl_ref.fixed_point.training import State
from bfl_ref.stark.field import F, base, random_base
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements import three_rows
from bfl_ref.statements import training as statement
from bfl_ref.statements import training_cells as cells_of
from bfl_ref.statements import training_trace as traces
from bfl_ref.statements.poseidon2 import DIGEST, WIDTH
from bfl_ref.statements.training import Training
from bfl_ref.statements.training_layout import A_ROW
from bfl_ref.statements.training_trace import Step

FEATURES = {1: 34, 2: 50}
FULL_HALVES = (1, 2) if FULL else (1,)
DRAWN = ("index", "value", "byte", "flag")  # columns of row 15
training = cache(Training)


@cache
def example(
    halves: int, rows: int = 300, rate: int = 512, clip: int = 8, noise: int = 100, seed: int = 1
) -> Step:
    """An honest first step on random rows: some residuals clipped on either side, some not. D = 300, or 4096 at rate 16."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, FEATURES[halves])) * 0.4
    data = commit_rows(x, (rng.random(rows) < 0.5).astype(int), rng.bytes)
    w = rng.integers(-(2**16), 2**16, 36 * halves)
    return step_on(data.v, data.y, data.salts, w, Hyper(1, rate, clip, noise), rng.bytes)


def step_on(v, y, salts, w, hyper: Hyper, rng, number: int = 0) -> Step:
    """The honest step number 0 on these rows; or, with its own noise, any other."""
    seed, r1 = random_base(DIGEST, rng), beacon_elements(rng(32))
    nu = fixed_point.noise(seed, r1, number, len(w), hyper)
    states = [State(x, random_base(DIGEST, rng)) for x in (w, fixed_point.step(w, v, y, hyper, nu))]
    return Step(v, y, salts, *states, seed, r1, number, hyper)


@cache
def honest(step: Step) -> tuple[F, F]:
    """(trace, public inputs), checked in full."""
    trace, public = traces.fill(training(step.halves), step)
    check_trace(training(step.halves), trace, public)
    return trace, public


Edit = Callable[[SimpleNamespace], None]


def forge(step: Step, **edits: Edit) -> tuple[F, F]:
    """(trace, public inputs) of a step that was altered after each part of `edits`; what comes later follows from it.

    leaves    t.leaves (512 halves, 16), t.start: what the segment digest is over
    seen      t.v, t.y, t.live: what is trained on, whatever was committed to
    values    t.values of each row, t.extra: what the fifth permutations compress
    sums      t.cells of dot products, norms and what stays the same over a row
    residuals t.cells of a row's last trace row;  t.gradient, the sum that follows from t.values.clipped
    elements  t.elements (2, blocks): what the noise is drawn from
    draws     t.cells of the draws;   update   t.update;   state   t.extra with the weights after
    cells     t.cells, all;   public   t.public, which is otherwise read off the cells
    """
    assert set(edits) <= set((forge.__doc__ or "").split()), f"no such part among {set(edits)}"
    late = not set(edits) - {"cells", "public"}
    t = copy.deepcopy(_filled(step)) if late else _fill(step, edits)
    edits.get("cells", _nothing)(t)
    t.public = public_of(training(step.halves), step, t.cells)
    edits.get("public", _nothing)(t)
    return cells_of.finish(training(step.halves), t.cells), t.public


def _nothing(t: SimpleNamespace) -> None:
    pass


@cache
def _filled(step: Step) -> SimpleNamespace:
    return _fill(step, {})


@cache
def _committed(step: Step) -> SimpleNamespace:
    return _commit(step, _nothing)


def _commit(step: Step, leaves: Edit) -> SimpleNamespace:
    """The cells of the segment digest."""
    air = training(step.halves)
    t = SimpleNamespace(step=step, halves=step.halves, slots=air.slots, last=air.blocks - 1)
    t.cells, t.start = cells_of.blank(air), traces.SEGMENT_START
    t.v, t.y, salts = traces.padded(air, step)
    t.live = np.arange(SEGMENT_ROWS) < len(step.y)
    t.leaves = leaf_inputs(t.v, t.y, salts).reshape(-1, WIDTH).view(F)
    leaves(t)
    cells_of.fill_chain(t.cells, t.start, cells_of.fill_leaves(t.cells, t.leaves))
    return t


def _fill(step: Step, edits: dict[str, Edit]) -> SimpleNamespace:
    """All cells but `edits["cells"]` and the tables' multiplicities."""

    def edit(part: str) -> None:
        edits.get(part, _nothing)(t)

    air = training(step.halves)
    t = _commit(step, edits["leaves"]) if "leaves" in edits else copy.deepcopy(_committed(step))
    edit("seen")
    t.values = traces.row_values(step, t.v, t.y, t.live)
    t.extra = traces.extra_inputs(air, step)
    edit("values")
    cells_of.fill_rows(air, t.cells, t.v, step.before.weights, t.live, t.values)
    edit("sums")
    cells_of.fill_residuals(air, t.cells, t.values, t.y, step.hyper.clip)
    t.gradient = t.values.clipped @ t.v
    edit("residuals")
    cells_of.fill_extra(air, t.cells, t.extra)
    t.elements = t.cells["state"][:2, :, 15].copy()
    edit("elements")
    cells_of.fill_draws(t.cells, t.elements)
    edit("draws")
    t.update = traces.updates(air, step, t.cells, t.gradient)
    edit("update")
    false = replace(step, after=State(t.update.after[: air.slots], step.after.salt))
    after = slice(air.after.start, air.after.stop)
    t.extra[after] = traces.extra_inputs(air, false)[after]
    edit("state")
    cells_of.fill_extra(air, t.cells, t.extra)
    draw_elsewhere(t)
    cells_of.fill_updates(t.cells, t.update)
    return t


def draw_elsewhere(t: SimpleNamespace) -> None:
    """Blocks beyond the weights' take draws apart as well, of digests that are known only with the weights after."""
    drawn = [(t.cells[name], t.cells[name][:, : t.slots, 15].copy()) for name in DRAWN]
    cells_of.fill_draws(t.cells, t.cells["state"][:2, :, 15])
    for cells, kept in drawn:
        cells[:, : t.slots, 15] = kept
    t.update.nu[t.slots :] = np.array(t.step.hyper.scales) @ t.cells["value"][:, t.slots :, 15]
    t.update.total[t.slots :] = -t.update.nu[t.slots :]


def public_of(air: Training, step: Step, cells: cells_of.Cells) -> F:
    """The public inputs that fit best: digests and row count as the cells have them."""
    last, state = air.blocks - 1, cells["state"]
    digests = [
        cells["hold"][:, last, 15],
        *(state[:DIGEST, block, 15] for block in (air.before.stop - 1, last, air.seed_block)),
    ]
    segment, before, after, commitment = (base(d % F.order) for d in digests)
    public = traces.public_inputs(
        segment, before, after, commitment, step.r1, step.number, len(step.y), step.hyper
    )
    public[statement.ROWS] = cells["count"][0, last, 15] % F.order
    return public


def place(halves: int, row: int, p: int = 0) -> tuple[int, int]:
    """(block, row in it) of the trace row p of a data row; p = -1: its last."""
    rows = A_ROW * halves
    block, first = divmod(row * rows, 2 * A_ROW)
    return block, first + p % rows


def refit(t: SimpleNamespace, k: int, **known: int) -> None:
    """Row k's values by the rule, from those that are `known`: z, index, norm, bound or residual."""
    for name, value in known.items():
        getattr(t.values, name)[k] = value
    z, index, residual, norm, bound, clipped = (
        getattr(t.values, name) for name in ("z", "index", "residual", "norm", "bound", "clipped")
    )
    if "z" in known:
        index[k] = min(max((z[k] >> 13) + 2048, 0), 4095)
    if "residual" not in known:
        residual[k] = SIGMOID[index[k]] - 2048 * t.y[k]
    if "bound" not in known:
        bound[k] = CLIP_TABLE[NORM * (t.step.hyper.clip - 1) + norm[k] - 1]
    clipped[k] = min(max(residual[k], -bound[k]), bound[k])


def moved(t: SimpleNamespace, j: int, by: int) -> None:
    """Weight j changes by `by` more than the rule says."""
    t.update.change[j] += by
    unclamped = t.update.before[j] - t.update.change[j]
    t.update.after[j] = min(max(unclamped, -WEIGHT_LIMIT), WEIGHT_LIMIT - 1)


def permute(t: SimpleNamespace, block: int, first: int, raw: np.ndarray) -> np.ndarray:
    """Put the permutation of raw (16,) on three rows of a block. Its output (16,)."""
    filled, out = three_rows.fill((raw.reshape(WIDTH, 1) % F.order).astype(np.uint32).view(F))
    for i, name in enumerate(("state", "a", "b")):
        t.cells[name][:, block, first : first + 3] = filled[:, WIDTH * i : WIDTH * (i + 1), 0].T
    return out[:, 0].view(np.ndarray).astype(np.int64)


def row_of_norm(halves: int, norm: int) -> np.ndarray:
    """(36 halves,): features whose norm, with the bias, is exactly this: 32 (no features) or 128."""
    v = np.zeros(36 * halves, np.int64)
    v[35] = 32
    if norm == 128:
        v[:15] = 32
    return v
