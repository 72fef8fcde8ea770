"""The economy of a round as a Stackelberg game: the contract leads with a reward R, hospitals follow with their effort x_i.

    follower   u_i = R x_i / X - c_i x_i,  X = sum_j x_j          x_i = (n - 1) R / C (1 - (n - 1) c_i / C)
               over the n active ones, C their summed costs; the others contribute nothing
    leader     lambda ln(1 + beta R) - R                           R* = lambda - 1 / beta, or 0

Active: in order of rising cost, as long as (n - 1) c_n < C. The solution is unique; best responses lead to it.
"""

from collections.abc import Sequence

import numpy as np

from .. import audit_arithmetic


def active_set(costs: Sequence[float]) -> tuple[int, ...]:
    """Positions of those who contribute, in order of rising cost. ValueError for fewer than two, or costs not above 0."""
    if len(costs) < 2 or min(costs) <= 0:
        raise ValueError(f"expected at least two costs above 0, got {list(costs)}")
    order = sorted(range(len(costs)), key=lambda i: costs[i])
    active, total = order[:1], costs[order[0]]
    for i in order[1:]:
        if len(active) * costs[i] >= total + costs[i]:  # its best response to the others is nothing
            break
        active.append(i)
        total += costs[i]
    return tuple(active)


def equilibrium(reward: float, costs: Sequence[float]) -> np.ndarray:
    """x_i of every follower, 0 for those who drop out. (n,) float64."""
    active = active_set(costs)
    n, total = len(active), sum(costs[i] for i in active)
    effort = np.zeros(len(costs))
    for i in active:
        effort[i] = (n - 1) * reward / total * (1 - (n - 1) * costs[i] / total)
    return effort


def utilities(reward: float, costs: Sequence[float], effort: np.ndarray) -> np.ndarray:
    """u_i. (n,) float64; nobody is paid where nobody contributes."""
    total = effort.sum()
    share = effort / total if total > 0 else np.zeros_like(effort)
    return reward * share - np.asarray(costs) * effort


def best_response(reward: float, cost: float, others: float) -> float:
    """argmax over x >= 0 of R x / (x + others) - c x = max(0, sqrt(R others / c) - others). others > 0."""
    return max(0.0, float(np.sqrt(reward * others / cost) - others))


def best_response_iteration(
    reward: float, costs: Sequence[float], *, tolerance: float = 1e-10, limit: int = 100_000
) -> np.ndarray:
    """Efforts after all have moved 1 / (n + 2) of the way to their best responses, again and again.

    Without damping three or more followers overshoot for ever. Ends when no effort moves by more than tolerance * R / c_min;
    ArithmeticError if that takes more than `limit` steps.
    """
    c = np.asarray(costs, dtype=np.float64)
    n, scale = len(c), reward / c.min()
    effort = np.full(n, scale / n**2)
    for _ in range(limit):
        others = effort.sum() - effort
        answer = np.maximum(0.0, np.sqrt(reward * others / c) - others)
        step = (answer - effort) / (n + 2)
        effort += step
        if np.abs(step).max() <= tolerance * scale / (n + 2):
            return effort
    raise ArithmeticError(f"no equilibrium after {limit} steps for costs {list(costs)}")


def leader_utility(value: float, beta: float, reward: float) -> float:
    """lambda ln(1 + beta R) - R. value: lambda, what a unit of log quality is worth. beta > 0, R >= 0."""
    return float(value * np.log1p(beta * reward) - reward)


def best_reward(value: float, beta: float) -> float:
    """R* = max(0, lambda - 1 / beta)."""
    if beta <= 0:
        raise ValueError(f"beta: expected above 0, got {beta}")
    return max(0.0, value - 1 / beta)


def break_even_stake(gain: float, audit_rate: float, steps: int, skipped: int) -> float:
    """The stake above which skipping so many of a round's steps for `gain` does not pay, a share audit_rate being audited.

    `steps`: of all hospitals, from which round(audit_rate * steps) audits are drawn. ValueError if that is none.
    """
    audited = round(audit_rate * steps)
    return audit_arithmetic.break_even_stake(gain, audit_arithmetic.detection(steps, skipped, audited))
