"""The square-Fibonacci statement of STARK 101, over our field: the smallest complete example.

States:  "I know x such that a_0 = 1, a_1 = x, a_(i+2) = a_(i+1)^2 + a_i^2 leads to the public a_last."
Does not state: that x is the only such number, or that anybody had a right to know it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..stark.air import Air
from ..stark.field import F


class Fibonacci(Air):
    """Two columns: a_i and a_(i+1). Public inputs: [a_last].

    length: rows n.  last: index of the published element, 1 .. n-1; STARK 101 publishes a_1022 of n = 1024.
    """

    def __init__(self, length: int = 1024, last: int = 1022):
        if not 1 <= last < length:
            raise ValueError(f"last must be 1 .. {length - 1}, a row of the trace; got {last}")
        self.last = last
        super().__init__("fibonacci-square", length, "a b", public_inputs=1)

    def transition(self, cur: Any, nxt: Any, k: Callable[[int], Any]) -> Iterable[tuple[str, Any]]:
        yield "shift", nxt.a - cur.b
        yield "square sum", nxt.b - (cur.b * cur.b + cur.a * cur.a)

    def boundary(self, cur: Any, public: Any, k: Callable[[int], Any]) -> Iterable[tuple[str, int, Any]]:
        yield "start", 0, cur.a - k(1)
        yield "result", self.last, cur.a - public[0]

    def trace(self, x: int) -> F:
        """(2, n): the trace that starts with a_1 = x, 0 <= x < p."""
        if not 0 <= x < F.order:
            raise ValueError(f"x must be a field element, 0 .. {F.order - 1}; got {x}")
        a = [1, x]
        for i in range(self.length - 1):
            a.append((a[i + 1] ** 2 + a[i] ** 2) % F.order)
        return np.array([a[:-1], a[1:]], np.uint32).view(F)

    def public_inputs_of(self, trace: F) -> F:
        """(1,): the published element of a trace."""
        return trace[0, self.last : self.last + 1]
