"""The integer rule of a step: against ints and loops, its bounds, its rounding."""

import hashlib
import math
from statistics import NormalDist

import fixed_point_cases as slow
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.fixed_point import (
    CLIP_TABLE,
    NOISE_TABLE,
    SIGMOID,
    Hyper,
    aggregate,
    beacon_elements,
    commit_rows,
    halves_of,
    initial_weights,
    norms,
    quantise,
    seed_commitment,
    segments_of,
    step,
    step_values,
    train_round,
)
from bfl_ref.stark.field import random_base

hypers = st.builds(Hyper, st.integers(1, 8), st.integers(1, 65535), st.integers(1, 32), st.integers(0, 4000))


def random_rows(seed: int, rows: int, features: int = 35, spread: float = 1.5):
    """(x, v, y, w): rows in and out of the norm bound, weights up to the limits."""
    rng = np.random.default_rng(seed)
    x = np.clip(rng.normal(0, spread, (rows, features)), -4, 4)
    v = quantise(x).astype(np.int64)
    w = rng.integers(-(2**19), 2**19, v.shape[1]) >> rng.integers(0, 8)
    return x, v, rng.integers(0, 2, rows), w


@pytest.mark.parametrize(
    ("table", "sha256"),
    [
        (SIGMOID, "761ef00e638e854513365865f42b7d40a6ee0eea57a4bedfab003d6bed49764b"),
        (NOISE_TABLE, "c6590cd5303bfaaef8ecb6c1fd60fab98b66223f044799a760836159295d1ed1"),
        (CLIP_TABLE, "a605f74207fcc5ff5bf24c50ee3dcc1b1e674204b7b372c8d643d7e8a17a180c"),
    ],
)
def test_tables_are_those_of_the_protocol(table, sha256):
    assert table.shape == (4096,) and table.dtype == np.int64
    assert hashlib.sha256(table.astype("<i4").tobytes()).hexdigest() == sha256


def test_no_table_entry_lies_at_a_rounding_border():
    """Else the last bit of another machine's exp or logarithm could change the protocol."""
    d = np.arange(4096)
    real = 2048 / (1 + np.exp(-(d - 2047.5) / 256))
    assert np.abs(real - np.floor(real) - 0.5).min() > 1e-6
    real = np.array([600 * NormalDist().inv_cdf((k + 0.5) / 4096) for k in range(4096)])
    assert np.abs(real - np.floor(real) - 0.5).min() > 1e-6


def test_table_ranges():
    assert SIGMOID.min() == 1 and SIGMOID.max() == 2047 and (np.diff(SIGMOID) >= 0).all()
    assert (-NOISE_TABLE[::-1] == NOISE_TABLE).all() and abs(NOISE_TABLE.std() / 600 - 1) < 1e-3
    assert CLIP_TABLE.min() == 64 and CLIP_TABLE.max() == 2047


@pytest.mark.parametrize("features", [1, 35, 36, 64])
@pytest.mark.parametrize("seed", range(4))
def test_step_equals_ints_and_loops(features, seed):
    rows = [1, 7, 40, 100][seed]
    x, v, y, w = random_rows(seed, rows, features)
    hyper = Hyper(1, [1, 700, 4096, 65535][seed], [1, 5, 16, 32][seed], 0)
    nu = np.random.default_rng(seed).integers(-(2**25), 2**25, len(w))
    assert v.tolist() == [slow.quantise(row, halves_of(features)) for row in x.tolist()]
    expected = slow.step(w.tolist(), v.tolist(), y.tolist(), hyper.rate, hyper.clip, nu.tolist())
    assert step(w, v, y, hyper, nu).tolist() == expected


def test_round_equals_ints_and_loops_and_does_not_change():
    """600 rows of 40 features: two segments, two halves, noise on, two epochs."""
    rng = slow.Bytes("round")
    x = (np.frombuffer(rng(600 * 40), np.uint8).reshape(600, 40) / 64 - 2).astype(np.float32)
    y = np.frombuffer(rng(600), np.uint8) % 2
    rows, hyper = commit_rows(x, y, rng), Hyper(epochs=2, rate=900, clip=8, noise=300)
    seed, r1 = random_base(8, rng), beacon_elements(rng(32))
    states = train_round(initial_weights(40), rows, hyper, seed, r1, rng)
    w = [0] * 72
    assert len(states) == 5 and states[0].salt.tolist() == [0] * 8
    assert len({tuple(state.salt.tolist()) for state in states}) == 5
    for s, state in enumerate(states):
        assert state.weights.tolist() == w
        assert state.digest.tolist() == slow.state_digest(w, state.salt.tolist())
        part = slow.segments(600)[s % 2]
        nu = slow.noise(seed.tolist(), r1.tolist(), s, 72, hyper.noise)
        w = slow.step(w, rows.v[part].tolist(), y[part].tolist(), hyper.rate, hyper.clip, nu)
    assert seed_commitment(seed).tolist() == slow.compress([*seed.tolist(), *[0] * 7, 1])
    pinned = hashlib.sha256(states[-1].weights.astype("<i4").tobytes()).hexdigest()
    assert pinned == "48078b340a71be2a109c150b1a3c1081db20d27afd490cdf9563752fa6a1f249"


@given(st.integers(0, 2**32), st.integers(1, 512), hypers)
@settings(max_examples=60, deadline=None)
def test_every_value_is_within_its_bound(seed, rows, hyper):
    _, v, y, w = random_rows(seed, rows, features=64)
    nu = np.full(len(w), sum(hyper.scales) * NOISE_TABLE.max())
    values = step_values(w, v, y, hyper, nu)
    square = (v * v).sum(axis=1)
    assert ((values.norm - 1) ** 2 < square).all() and (square <= values.norm**2).all()
    assert (values.norm >= 32).all() and (values.norm <= 128).all()
    assert (np.abs(values.z) <= 2**29).all() and (np.abs(values.residual) <= 2047).all()
    assert (np.abs(values.clipped) * values.norm <= hyper.clip_norm * 2**16).all()
    assert (np.abs(values.gradient) <= rows * hyper.clip_norm * 2**16).all()
    assert (np.abs(2 * (values.gradient + nu)) + values.divisor // 2 < 2**30 - 2**26).all()
    assert values.weights.min() >= -(2**19) and values.weights.max() < 2**19
    exact = [sum(int(c) * int(a) for c, a in zip(values.clipped, column, strict=True)) for column in v.T]
    assert values.gradient.tolist() == exact


@given(st.integers(0, 2**32), st.integers(1, 60), hypers)
@settings(max_examples=60, deadline=None)
def test_one_replaced_row_moves_the_sum_by_at_most_twice_the_clip_norm(seed, rows, hyper):
    _, v, y, w = random_rows(seed, rows)
    other, label = random_rows(seed + 1, 1)[1], np.array([1 - y[0]])
    nu = np.zeros_like(w)
    before = step_values(w, v, y, hyper, nu)
    replaced = np.concatenate([other, v[1:]]), np.concatenate([label, y[1:]])
    after = step_values(w, *replaced, hyper, nu)
    assert np.linalg.norm(before.gradient - after.gradient) <= 2 * hyper.clip_norm * 2**16
    assert before.divisor == after.divisor


@given(st.integers(-(2**27), 2**27), st.integers(1, 65535), st.integers(1, 512))
def test_rounding_is_to_the_nearest_and_half_upwards(total, rate, rows):
    hyper = Hyper(1, rate, 1, 0)
    v = np.zeros((rows, 36), np.int64)
    v[:, 35] = 32
    silent = step_values(np.zeros(36, np.int64), v, np.zeros(rows, np.int64), hyper, np.zeros(36, np.int64))
    nu = np.full(36, total) - silent.gradient
    values = step_values(np.zeros(36, np.int64), v, np.zeros(rows, np.int64), hyper, nu)
    divisor = values.divisor
    assert 64 <= divisor <= 4096
    lead = values.delta[0] * divisor - 2 * total  # D (delta - exact)
    assert -divisor < 2 * lead <= divisor
    assert (values.weights == np.clip(-values.delta, -(2**19), 2**19 - 1)).all()


@given(st.floats(0, 8))
def test_sigmoid_is_within_its_error(z):
    w, v = np.array([round(z * 2**16)] + [0] * 35), np.zeros((1, 36), np.int64)
    v[0, 0] = 32
    w = np.clip(w, -(2**19), 2**19 - 1)
    for sign in (1, -1):
        values = step_values(sign * w, v, np.zeros(1, np.int64), Hyper(1, 256, 32, 0), np.zeros(36, np.int64))
        exact = 1 / (1 + math.exp(-sign * w[0] / 2**16))
        assert abs(values.residual[0] / 2048 - exact) <= 3 / 4096


@given(st.integers(1, 20_000))
def test_segments_are_evenly_filled_in_order(rows):
    parts = segments_of(rows)
    assert [range(p.start, p.stop) for p in parts] == slow.segments(rows)
    sizes = {p.stop - p.start for p in parts}
    assert len(parts) == math.ceil(rows / 512) and max(sizes) <= 512 and max(sizes) - min(sizes) <= 1


@given(st.integers(0, 2**32), st.floats(0.01, 30))
@settings(deadline=None)
def test_quantised_rows_are_within_norm_and_only_long_ones_change(seed, spread):
    x = np.random.default_rng(seed).normal(0, spread, (50, 64))
    v = quantise(x).astype(np.int64)
    assert (norms(v) <= 128).all() and (v[:, 35] == 32).all() and (v[:, 71] == 0).all()
    plain = np.clip(np.rint(32 * x), -127, 127)
    short = (plain**2).sum(axis=1) <= 128**2 - 32**2
    features = np.delete(v, [35, *range(65, 72)], axis=1)
    assert (features[short] == plain[short]).all()
    assert (np.abs(features) <= np.abs(plain)).all() and (norms(v)[~short] >= 128 - 9).all()


def test_aggregate_rounds_exact_means():
    old = np.array([5, -5, 2**19 - 1, 0])
    updates = [np.array([6, -4, 2**19 - 1, -1]), np.array([5, -5, 2**19 - 1, 0])]
    assert aggregate(old, updates, [1, 1]).tolist() == [6, -4, 2**19 - 1, 0]
    assert aggregate(old, updates, [1, 3]).tolist() == [5, -5, 2**19 - 1, 0]
    assert (aggregate(old, updates[::-1], [3, 1]) == aggregate(old, updates, [1, 3])).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Hyper(0, 1, 1, 0),
        lambda: Hyper(1, 65536, 1, 0),
        lambda: Hyper(1, 1, 33, 0),
        lambda: Hyper(1, 1, 1, -1),
        lambda: Hyper(1, 1, 1, 0).divisor(513),
        lambda: halves_of(65),
        lambda: quantise(np.full((1, 2), np.nan)),
        lambda: quantise(np.zeros((1, 65))),
        lambda: segments_of(0),
        lambda: aggregate(np.zeros(36), [], []),
        lambda: aggregate(np.zeros(36), [np.zeros(72)], [1]),
        lambda: step(np.zeros(36), np.zeros((2, 72)), np.zeros(2), Hyper(1, 1, 1, 0), np.zeros(36)),
        lambda: beacon_elements(b"short"),
    ],
)
def test_mistakes_are_named(wrong):
    with pytest.raises(ValueError, match="expected"):
        wrong()
