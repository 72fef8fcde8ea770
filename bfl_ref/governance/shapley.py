"""What each hospital adds to a coalition, exactly: Shapley's value by enumeration. An oracle for small federations.

phi_i = sum over S without i of  |S|! (n - |S| - 1)! / n!  (v(S + i) - v(S))
"""

from collections.abc import Callable
from itertools import combinations
from math import factorial

MOST = 8


def shapley(n: int, value: Callable[[frozenset[int]], float]) -> list[float]:
    """phi of players 0 .. n - 1; value(S) of a coalition is asked for once. ValueError unless 1 <= n <= 8."""
    if not 1 <= n <= MOST:
        raise ValueError(f"expected 1 to {MOST} players, got {n}")
    coalitions = [frozenset(c) for size in range(n + 1) for c in combinations(range(n), size)]
    worth = {coalition: value(coalition) for coalition in coalitions}

    def gain(i: int, coalition: frozenset[int]) -> float:
        chance = factorial(len(coalition)) * factorial(n - len(coalition) - 1) / factorial(n)
        return chance * (worth[coalition | {i}] - worth[coalition])

    return [sum(gain(i, s) for s in coalitions if i not in s) for i in range(n)]
