"""Secret numbers stay within public limits: a range check by lookups.

States:  "I know n numbers, the i-th of which lies between 0 and limit[i mod period], both included."
Does not state: what the numbers are for or where they come from; nothing ties them to anything outside the
proof.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..stark.air import Air
from ..stark.field import F
from ..stark.lookup import Fraction


class Ranges(Air):
    """Columns: the value, and how often the table's number of this row is looked up. Public inputs: `period`
    limits.

    The table holds 0 .. n-1, so a limit must be below n. Both `value` and `limit - value` are looked up.
    """

    def __init__(self, length: int, period: int):
        super().__init__(
            "ranges",
            length,
            "value multiplicity",
            preprocessed={"table": np.arange(length)},
            public={"limit": range(period)},
            public_inputs=period,
        )

    def lookups(self, cur: Any, k: Callable[[int], Any]) -> Iterable[Fraction]:
        yield Fraction("value", k(1), [cur.value])
        yield Fraction("rest", k(1), [cur.limit - cur.value])
        yield Fraction("table", k(0) - cur.multiplicity, [cur.table])

    def trace(self, values: Any, limits: Any) -> F:
        """(2, n): values (n,) and limits (period,) are integers. ValueError if one is outside."""
        values, limits = np.asarray(values), np.asarray(limits)
        shapes = (self.length,), (self.public_inputs,)
        if (values.shape, limits.shape) != shapes:
            raise ValueError(f"values, limits must be {shapes}; got {values.shape}, {limits.shape}")
        rest = np.tile(limits, self.length // len(limits)) - values
        if values.min() < 0 or rest.min() < 0 or limits.max() >= self.length:
            raise ValueError(f"values must be 0 .. limit and limits below {self.length}")
        multiplicity = np.bincount(np.concatenate([values, rest]), minlength=self.length)
        return np.stack([values, multiplicity]).astype(np.uint32).view(F)
