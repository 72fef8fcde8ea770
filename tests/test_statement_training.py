"""The segment proof as a whole: honest steps at the edges of their ranges, false steps by name, one real proof."""

import re
from dataclasses import replace

import numpy as np
import pytest
from training_cases import FULL_HALVES, example, forge, honest, row_of_norm, step_on, training
from training_checks import broken, refusals

from bfl_ref import fixed_point
from bfl_ref.fixed_point import HALF_SLOTS, Hyper, seed_commitment, segment_digest
from bfl_ref.fixed_point.rows import leaf_inputs
from bfl_ref.fixed_point.training import State
from bfl_ref.stark.field import F, base
from bfl_ref.stark.trace import check_trace
from bfl_ref.statements.poseidon2 import compress
from bfl_ref.statements.three_rows import fill_idle
from bfl_ref.statements.training import Training
from bfl_ref.statements.training_trace import fill


def drawn(seed: int):
    return np.random.default_rng(seed).bytes


@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("rows", [1, 300, 511, 512])
def test_trace_of_an_honest_step_says_what_fixed_point_says(halves, rows):
    step = example(halves, rows)
    _, public = honest(step)
    leaves = compress(leaf_inputs(step.v, step.y, step.salts).reshape(-1, 16).T.view(F)).T
    expected = [
        segment_digest(np.ascontiguousarray(leaves).view(F), halves),
        step.before.digest,
        step.after.digest,
        seed_commitment(step.seed),
        step.r1,
    ]
    assert (public[:36] == np.concatenate(expected)).all()
    divisor = step.hyper.divisor(rows)
    assert public[36:].tolist() == [
        0,
        rows,
        divisor,
        divisor // 2,
        2**29 // divisor,
        128 * 7,
        100,
        101,
        103,
        108,
    ]


ROWS = 40
EDGES = {
    "weights at either limit, sigmoid saturated": {"w": (-(2**19), 2**19 - 1), "scale": 0.7},
    "large weights": {"w": (-(2**18), 2**18), "scale": 0.7},
    "D = 64": {"rate": 65535},
    "D = 4096": {"rate": 1},
    "clip 1": {"clip": 1},
    "clip 32": {"clip": 32},
    "no noise": {"noise": 0},
    "most noise": {"noise": 4000, "rate": 65535},
    "norm exactly 128": {"norm": 128},
    "rows of zeros": {"norm": 32},
}


@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("name", EDGES)
def test_honest_step_at_the_edge_of_a_range_is_accepted(halves, name):
    edge = {"w": (-60000, 60001), "scale": 0.4, "rate": 512, "clip": 8, "noise": 100, "norm": 0} | EDGES[name]
    rng = np.random.default_rng(5)
    w = rng.choice(edge["w"], 36 * halves) if "limit" in name else rng.integers(*edge["w"], 36 * halves)
    data = fixed_point.commit_rows(
        rng.normal(size=(ROWS, 34 if halves == 1 else 50)) * edge["scale"], np.arange(ROWS) % 2, rng.bytes
    )
    v = data.v if not edge["norm"] else np.array([row_of_norm(halves, edge["norm"])] * ROWS)
    hyper = Hyper(1, edge["rate"], edge["clip"], edge["noise"])
    honest(step_on(v, data.y, data.salts, w, hyper, rng.bytes, number=3))


def test_residual_at_exactly_the_bound_is_accepted_clipped_or_not():
    """sigma = B at label 0, then 2048 - sigma = B at label 1 with the weights' signs turned."""
    v = np.array([row_of_norm(1, 128)] * 2)
    clip = next(c for c in range(2, 32) if 64 * c in fixed_point.SIGMOID)
    bound = 64 * clip
    at = int(np.flatnonzero(bound == fixed_point.SIGMOID)[0])
    z = (at - 2048) << 13
    w = np.zeros(HALF_SLOTS, np.int64)
    w[35] = z // 32
    for sign, label in ((1, 0), (-1, 1)):
        step = step_on(
            v, np.full(2, label), example(1).salts[:2], sign * w - (sign < 0), Hyper(1, 8, clip, 0), drawn(1)
        )
        residual = fixed_point.residuals(step.before.weights, v, step.y)[2]
        assert residual.tolist() == [sign * bound] * 2
        honest(step)

        def flagged(t, sign=sign):
            """high or low with nothing beyond the bound."""
            t.cells["flag"][3 if sign > 0 else 4, 0, [5, 11]] = 1
            t.cells["range"][2 if sign > 0 else 3, 0, [5, 11]] = 0

        trace, public = forge(step, residuals=flagged)
        check_trace(training(1), trace, public)


@pytest.mark.parametrize("i", [0, 1])
def test_draw_of_p_minus_1_is_taken_apart(i):
    """As no known seed gives it, the digest is put there: all that refuses it is that it is not the permutation's output."""

    def drawn_from(t):
        t.elements[i, 7] = F.order - 1

    def digest(t):
        t.cells["state"][i, 7, 15] = F.order - 1
        state = base(t.cells["state"][:, 7, 15:] % F.order)
        t.cells["a"][:, 7, 15] = fill_idle(state)[:, 0]

    step = example(1)
    assert broken(step, *forge(step, elements=drawn_from, cells=digest)) == {f"digest {i}"}


@pytest.mark.parametrize("halves", [1, 2])
def test_other_state_after_the_step_is_refused(halves):
    step = example(halves)
    w = step.after.weights.copy()
    w[3] += 1
    assert refusals(step, *fill(training(halves), replace(step, after=State(w, step.after.salt)))) == {
        "lookup"
    }


def other(step, **changes):
    """The honest step with these changes, from the same weights."""
    step = replace(step, **changes)
    nu = fixed_point.noise(step.seed, step.r1, step.number, len(step.before.weights), step.hyper)
    w = fixed_point.step(step.before.weights, step.v, step.y, step.hyper, nu)
    return replace(step, after=State(w, step.after.salt))


def with_row_1(array):
    """Row 0 is replaced by row 1."""
    return np.concatenate([array[1:2], array[1:]])


FALSE_STEPS = {
    "other learning rate": (
        lambda s: {"hyper": replace(s.hyper, rate=700)},
        {"division", "remainder", "state after"},
    ),
    "no clipping": (lambda s: {"hyper": replace(s.hyper, clip=32)}, {"clip entry", "state after"}),
    "no noise": (lambda s: {"hyper": replace(s.hyper, noise=0)}, {"division", "state after"}),
    "other r1": (lambda s: {"r1": base([1, 2, 3, 4])}, {"draw beacon", "state after"}),
    "other step": (lambda s: {"number": 1}, {"draw step", "state after"}),
    "other seed": (lambda s: {"seed": base(list(range(8)))}, {"seed", "state after"}),
    "other row": (lambda s: {"v": with_row_1(s.v)}, {"segment", "state after"}),
    "other label": (lambda s: {"y": 1 - s.y}, {"segment", "state after"}),
    "other salt": (lambda s: {"salts": F(np.roll(s.salts, 1, axis=0))}, {"segment"}),
    "a row twice": (lambda s: {"v": with_row_1(s.v), "y": with_row_1(s.y)}, {"segment", "state after"}),
    "fewer rows": (
        lambda s: {"v": s.v[:-1], "y": s.y[:-1], "salts": s.salts[:-1]},
        {"rows", "segment", "state after"},
    ),
    "wrong start": (
        lambda s: {"before": State(s.before.weights + 1, s.before.salt)},
        {"state before", "state after"},
    ),
}


@pytest.mark.parametrize("halves", FULL_HALVES)
@pytest.mark.parametrize("name", FALSE_STEPS)
def test_another_step_under_these_public_inputs_is_refused_by_name(halves, name):
    step = example(halves)
    changes, kinds = FALSE_STEPS[name]
    lie = other(step, **changes(step))
    trace, own = fill(training(halves), lie)
    check_trace(training(halves), trace, own)  # honest under its own
    found = {re.sub(r" \d+$", "", part) for part in refusals(step, trace, honest(step)[1])}
    assert kinds <= found | ({"state after"} if (lie.after.weights == step.after.weights).all() else set())


@pytest.mark.parametrize("halves", FULL_HALVES)
def test_scaled_update_is_refused(halves):
    step = example(halves)
    w = step.before.weights + 10 * (step.after.weights - step.before.weights)
    assert refusals(step, *fill(training(halves), replace(step, after=State(w, step.after.salt)))) == {
        "lookup"
    }


def test_weight_of_another_slot_is_refused():
    """Row 9 multiplies its first feature by the second slot's weight."""

    def other_slot(t):
        t.cells["read"][0, 4, 6] = t.step.before.weights[1]
        t.cells["dot"][0, 4, 7:12] += t.v[9, 0] * (t.step.before.weights[1] - t.step.before.weights[0])

    found = refusals(example(1), *forge(example(1), sums=other_slot))
    assert "lookup" in found and found <= {"lookup", "sigmoid index"}


def test_halves_beyond_two_are_refused():
    with pytest.raises(ValueError, match="1 or 2 halves, got 3"):
        Training(3)
