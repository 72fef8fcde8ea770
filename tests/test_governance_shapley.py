"""Shapley's value by hand, by its axioms, and as the oracle for what group scores say of hospitals over rounds."""

import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from bfl_ref.data import load
from bfl_ref.fixed_point import Hyper, aggregate, initial_weights, quantise, trajectory
from bfl_ref.governance.contributions import group_score, log_loss
from bfl_ref.governance.shapley import shapley
from bfl_ref.sharing import partition


def test_glove_game_by_hand():
    """Players 0 and 1 hold a left glove, 2 the right one; a pair is worth 1."""
    assert shapley(3, lambda s: float(2 in s and len(s) > 1)) == pytest.approx([1 / 6, 1 / 6, 2 / 3])


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_values_add_up_and_who_adds_nothing_gets_nothing(n, seed):
    worth = np.random.default_rng(seed).normal(size=2**n)

    def value(s, idle=None):
        return worth[sum(1 << i for i in s if i != idle)]

    assert sum(shapley(n, value)) == pytest.approx(worth[-1] - worth[0])
    idle = seed % n
    assert shapley(n, lambda s: value(s, idle))[idle] == pytest.approx(0)


def test_nine_players_are_refused():
    with pytest.raises(ValueError, match="1 to 8 players, got 9"):
        shapley(9, lambda s: 0.0)


def test_mean_group_scores_rank_hospitals_as_shapley_does():
    """Eight hospitals of unequal label noise, groups of four dealt anew each round: it takes rounds, not one."""
    federation = load("wdbc", seed=0)
    x = quantise(np.concatenate([silo.x_train for silo in federation.silos]))
    y = np.concatenate([silo.y_train for silo in federation.silos])
    rng = np.random.default_rng(0)
    parts = np.array_split(rng.permutation(len(y)), 8)
    noisy = [np.where(rng.random(len(p)) < i / 8, 1 - y[p], y[p]) for i, p in enumerate(parts)]
    hyper, silent = Hyper(1, 256, 16, 0), np.zeros(len(initial_weights(30)), np.int64)

    def trained(w, i):
        return list(trajectory(w, x[parts[i]], noisy[i], hyper, lambda _: silent))[-1]

    start = trained(trained(silent, 0), 1)  # a model that can become worse
    updates = [trained(start, i) for i in range(8)]
    before = log_loss(start, federation.x_test, federation.y_test)

    def value(s):
        if not s:
            return 0
        moved = aggregate(start, [updates[i] for i in s], [len(parts[i]) for i in s])
        return group_score(before, log_loss(moved, federation.x_test, federation.y_test))

    truth = shapley(8, value)
    scores: list[list[int]] = [[] for _ in range(8)]
    agreement = []
    for round_id in range(400):
        for group in partition(range(8), keccak(round_id.to_bytes(4, "big"))):
            q = value(frozenset(group))
            for i in group:
                scores[i].append(q)
        agreement.append(spearmanr([np.mean(s) for s in scores], truth).statistic)
    enough = next(r for r in range(400) if min(agreement[r:]) > 0.9)
    assert agreement[0] < 0.9 and enough < 100 and agreement[-1] > 0.95
