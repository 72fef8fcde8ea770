"""The witness of one segment step as a trace of `Training`: what a hospital fills in before it proves."""

from dataclasses import dataclass, replace

import numpy as np

from ..fixed_point.digests import SEED_TAG, absorb_all, seed_commitment, state_blocks
from ..fixed_point.noise import draw_inputs
from ..fixed_point.rows import SALT, leaf_inputs
from ..fixed_point.rule import (
    BIAS,
    BIAS_SLOT,
    HALF_SLOTS,
    NORM,
    SEGMENT_ROWS,
    WEIGHT_LIMIT,
    Hyper,
    StepValues,
    step_values,
)
from ..fixed_point.training import State
from ..stark.field import F, base
from .poseidon2 import DIGEST, WIDTH
from .training import Training
from .training_cells import (
    Cells,
    Update,
    blank,
    fill_chain,
    fill_draws,
    fill_extra,
    fill_leaves,
    fill_residuals,
    fill_rows,
    fill_updates,
    finish,
)

SEGMENT_START = base([1] + [0] * (DIGEST - 1))


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

    @property
    def halves(self) -> int:
        return self.v.shape[1] // HALF_SLOTS


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
    v, y, salts = padded(air, step)
    live = np.arange(SEGMENT_ROWS) < len(step.y)
    cells = blank(air)
    leaf = fill_leaves(cells, leaf_inputs(v, y, salts).reshape(-1, WIDTH).view(F))
    segment = fill_chain(cells, SEGMENT_START, leaf)
    fill_extra(air, cells, extra_inputs(air, step))
    values = row_values(step, v, y, live)
    fill_rows(air, cells, v, step.before.weights, live, values)
    fill_residuals(air, cells, values, y, step.hyper.clip)
    fill_draws(cells, cells["state"][:2, :, 15])
    fill_updates(cells, updates(air, step, cells, values.gradient))
    return finish(air, cells), step_inputs(step, segment)


def step_inputs(step: Step, segment: F) -> F:
    """The public inputs (46,) of a step on the rows behind a segment digest."""
    states = step.before.digest, step.after.digest
    commitment = seed_commitment(step.seed)
    return public_inputs(segment, *states, commitment, step.r1, step.number, len(step.y), step.hyper)


def padded(air: Training, step: Step) -> tuple[np.ndarray, np.ndarray, F]:
    """The segment's rows and padding: 512 in all."""
    n, missing = len(step.y), SEGMENT_ROWS - len(step.y)
    v, y = np.zeros((SEGMENT_ROWS, air.slots), np.int64), np.zeros(SEGMENT_ROWS, np.int64)
    v[:n], v[n:, BIAS_SLOT], y[:n] = step.v, BIAS, step.y
    salts = np.concatenate([step.salts, np.zeros((missing, air.halves, SALT), np.uint32)]).view(F)
    return v, y, salts


def row_values(step: Step, v: np.ndarray, y: np.ndarray, live: np.ndarray) -> StepValues:
    """Of 512 rows, padding weightless: its `clipped` is 0. Neither noise nor update yet."""
    w = step.before.weights
    values = step_values(w, v, y, step.hyper, np.zeros_like(w))
    clipped = np.where(live, values.clipped, 0)
    return replace(values, clipped=clipped, gradient=clipped @ v)


def extra_inputs(air: Training, step: Step) -> np.ndarray:
    """(blocks, 16): what each block's fifth permutation compresses."""
    extra = np.zeros((air.blocks, WIDTH), np.uint32)
    extra[: air.slots] = draw_inputs(step.seed, step.r1, step.number, air.slots)
    for blocks, state in ((air.before, step.before), (air.after, step.after)):
        absorbed = state_blocks(state.weights)
        chain = absorb_all(state.salt, absorbed)[:-1]
        extra[blocks.start : blocks.stop] = np.concatenate([chain, absorbed], axis=1)
    extra[air.seed_block] = [*step.seed.tolist(), *[0] * (DIGEST - 1), SEED_TAG]
    return extra


def updates(air: Training, step: Step, cells: Cells, gradient: np.ndarray) -> Update:
    """With the noise that `fill_draws` found. gradient (36 halves,)."""
    nu = np.array(step.hyper.scales) @ cells["value"][:, :, 15]
    before, total = np.zeros(air.blocks, np.int64), -nu
    before[: air.slots], total[: air.slots] = step.before.weights, gradient
    divisor = step.hyper.divisor(len(step.y))
    change = (2 * (total + nu) + divisor // 2) // divisor
    return Update(
        divisor, before, total, nu, change, np.clip(before - change, -WEIGHT_LIMIT, WEIGHT_LIMIT - 1)
    )
