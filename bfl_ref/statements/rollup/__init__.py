"""A batch of the rollup was applied as its owners signed it: `Rollup` (air.py), and its trace (trace.py)."""

from .air import Rollup
from .trace import fill

__all__ = ["Rollup", "fill"]
