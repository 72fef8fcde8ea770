"""Noise in parts: the opened sum is exact in the field, hides what it should, and is refused when too few parts are left."""

from dataclasses import replace

import numpy as np
import pytest

from bfl_ref.fixed_point import Hyper, step
from bfl_ref.privacy.accounting import epsilon
from bfl_ref.privacy.distributed import (
    calibrate_parts,
    check_survivors,
    distributed_federated,
    honest_noises,
    noisy_gradient,
    open_sum,
    step_of_sum,
)
from bfl_ref.privacy.settings import private_data
from bfl_ref.privacy.training import draw_noise
from bfl_ref.stark.field import P

HYPER = Hyper(1, 512, 2, 60)


def rows(count, seed=0):
    rng = np.random.default_rng(seed)
    v = rng.integers(-20, 21, (count, 36)).astype(np.int8)
    v[:, 35] = 32
    return v, rng.integers(0, 2, count)


def test_one_hospital_of_one_segment_is_the_protocol_step():
    v, y = rows(100)
    w, nu = np.zeros(36, np.int64), draw_noise(HYPER, 36, np.random.default_rng(1))
    total = open_sum([noisy_gradient(w, v, y, HYPER, nu)], 100, HYPER)
    moved, momentum = step_of_sum(w, np.zeros_like(w), total, 100, HYPER)
    assert (moved == step(w, v, y, HYPER, nu)).all() and (momentum == total).all()


def test_the_opened_sum_does_not_depend_on_how_rows_are_dealt():
    v, y = rows(1300)
    w, silent = np.zeros(36, np.int64), np.zeros(36, np.int64)
    whole = open_sum([noisy_gradient(w, v, y, HYPER, silent)], 1300, HYPER)
    cut = [slice(0, 5), slice(5, 900), slice(900, 1300)]
    parts = [noisy_gradient(w, v[c], y[c], HYPER, silent) for c in cut]
    assert all(((part >= 0) & (part < P)).all() for part in parts)
    assert (open_sum(parts, 1300, HYPER) == whole).all() and (whole < 0).any()


def test_a_sum_that_could_wrap_around_is_refused():
    with pytest.raises(ValueError, match="below p/2"):
        open_sum([np.zeros(36, np.int64)], 100_000, Hyper(1, 512, 16, 1000))


def test_parts_give_the_claim_in_the_sum_and_far_less_alone():
    noise = calibrate_parts(4.0, 1e-5, 5, 2, survivors=4, colluders=1)
    part = replace(HYPER, noise=noise)
    assert 3.7 < epsilon(part, 5, 1e-5, copies=3) <= 4.0
    assert epsilon(part, 5, 1e-5, copies=4) < epsilon(part, 5, 1e-5, copies=3)
    assert epsilon(part, 5, 1e-5, copies=1) > 7.0


def test_too_few_survivors_are_refused_by_name():
    check_survivors(4, 4)
    with pytest.raises(ValueError, match=r"at least 4 survivors .* got 3"):
        check_survivors(3, 4)
    for survivors, colluders in ((3, 3), (2, 5), (3, -1)):
        with pytest.raises(ValueError, match="colluders"):
            honest_noises(survivors, colluders)
    with pytest.raises(ValueError, match="epochs: expected 1"):
        distributed_federated(
            private_data("heart", "plain", 0), 1, Hyper(2, 512, 8, 100), np.random.default_rng(0)
        )
