"""What a model keeps of an erased patient: membership inference before, after the key's death, after retraining.

    before      the model that was trained with the row
    key dead    the same model: erasing a record touches no weight, so the attack sees no difference
    retrained   trained again without the row, all else equal, every later round included: the model that never saw it

The attack is `membership`'s: likelihood ratios by shadow models, on the most exposed rows. Each row's scores in models that
had it are set against scores in models that never did. Retraining is exact because training is deterministic and is run from
the model before the first round with the row. Going on without the row, as the protocol does after a withdrawal, is not:
what later rounds make of the earlier ones stays in the model.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from .membership import Fit, Predict, halves, moments, signals


@dataclass(frozen=True)
class Forgetting:
    """AUC of the attack in each state, 1/2 is chance. changed: largest difference of a score by the key's death.

    patients: numbers of the attacked rows in the pool.   trials: models times rows that were erased.
    """

    before: float
    key_dead: float
    retrained: float
    changed: float
    patients: tuple[int, ...]
    trials: int


def forgetting(
    fit: Fit, x: np.ndarray, y: np.ndarray, *, shadows: int, targets: int, patients: int, seed: int
) -> Forgetting:
    """Attacks `targets` models on the `patients` most exposed rows of the pool x (n, d), y (n,); each model trains on n // 2
    rows, and again without each of these rows that it had. shadows, targets: even.   ValueError as in `membership`.
    """
    if not 1 <= patients <= len(x):
        raise ValueError(f"patients: expected 1 to {len(x)} rows, got {patients}")
    members = halves(shadows + targets, len(x), np.random.default_rng(seed))
    inside, outside, spread = moments(signals(fit, x, y, members[:shadows]), members[:shadows])
    rows = np.argsort(-np.abs(inside - outside) / spread)[:patients]

    def score(model: Predict, row: int) -> float:
        phi = (2 * y[row] - 1) * model(x[row : row + 1])[0]
        return ((phi - outside[row]) ** 2 - (phi - inside[row]) ** 2) / (2 * spread[row] ** 2)

    before, dead, retrained, never = [], [], [], []
    for run, chosen in enumerate(members[shadows:], start=shadows):
        model = fit(x[chosen], y[chosen], run)
        for row in rows.tolist():
            if not chosen[row]:
                never.append(score(model, row))
                continue
            before.append(score(model, row))
            dead.append(score(model, row))  # ciphertext, key and salt are gone now: the model is where it was
            others = chosen & (np.arange(len(x)) != row)
            retrained.append(score(fit(x[others], y[others], run), row))
    had, kept, lost = (_auc(scores, never) for scores in (before, dead, retrained))
    changed = float(np.abs(np.subtract(before, dead)).max())
    return Forgetting(had, kept, lost, changed, tuple(rows.tolist()), len(before))


def _auc(members: list[float], others: list[float]) -> float:
    return float(roc_auc_score([1] * len(members) + [0] * len(others), members + others))
