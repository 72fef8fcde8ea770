"""Small statements with toy parameters (a few bits of security) for the proof system's tests."""

import os
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bfl_ref.stark.air import Air, quotient_degree
from bfl_ref.stark.composition import composition
from bfl_ref.stark.field import Ext, F, base, to_bytes
from bfl_ref.stark.kernels import FAST, Kernels
from bfl_ref.stark.lookup import Fraction
from bfl_ref.stark.params import StarkParams, least_blinding
from bfl_ref.stark.poly import interpolate, lde
from bfl_ref.stark.setup import Domain, Setup, setup
from bfl_ref.statements.fibonacci import Fibonacci
from bfl_ref.statements.membership import Membership
from bfl_ref.statements.poseidon2 import Poseidon2Chain
from bfl_ref.statements.ranges import Ranges

FULL = os.environ.get("BFL_FULL") == "1"
DOMAIN = Domain(
    31337, "0x00000000000000000000000000000000000000c0", 7, "0x00000000000000000000000000000000000000ee"
)
NAMES = ("fibonacci", "ranges", "squares", "poseidon2", "membership", "sums")


@dataclass(frozen=True)
class Case:
    setup: Setup
    trace: F
    public: F
    data: bytes = b""


class Squares(Air):
    """Secret pairs (x, x^2), looked up as pairs: lookups of several values, no public input."""

    def __init__(self):
        table = {"number": np.arange(16), "square": np.arange(16) ** 2}
        super().__init__("squares", 16, "x y count", preprocessed=table)

    def lookups(self, cur, k):
        yield Fraction("pair", k(1), [cur.x, cur.y])
        yield Fraction("table", k(0) - cur.count, [cur.number, cur.square])

    def trace(self, x: list[int]) -> F:
        numbers = np.array(x)
        return base(np.stack([numbers, numbers**2, np.bincount(numbers, minlength=16)]))

    def public_inputs_of(self, trace: F) -> F:
        return np.zeros(0, np.uint32).view(F)


class Sums(Air):
    """The public list of pairs, each number below 32, whose sum is the public input; secret: on which rows they stand."""

    def __init__(self):
        super().__init__(
            "sums", 32, "listed pair[2] total count", preprocessed={"number": np.arange(32)}, public_inputs=1,
            data_width=2,
        )  # fmt: skip

    def transition(self, cur, nxt, k):
        yield "sum", nxt.total - cur.total - cur.listed * (cur.pair[0] + cur.pair[1])

    def everywhere(self, cur, nxt, k):
        yield "listed or not", cur.listed * (cur.listed - k(1))

    def lookups(self, cur, k):
        yield Fraction("first", k(1), [cur.pair[0]])
        yield Fraction("second", k(1), [cur.pair[1]])
        yield Fraction("numbers", k(0) - cur.count, [cur.number])

    def datum(self, cur, k):
        return cur.listed, cur.pair

    def boundary(self, cur, public, k):
        yield "nothing yet", 0, cur.total
        yield "sum of all", 31, cur.total - public[0]

    def trace(self, pairs: list[list[int]], rows: list[int]) -> F:
        """pairs[i] is listed on row rows[i], ascending."""
        listed, pair = np.zeros(32, int), np.zeros((2, 32), int)
        listed[rows] = 1
        pair[:, rows] = np.transpose(pairs)
        total = np.cumsum(pair.sum(0)) - pair.sum(0)
        return base(np.stack([listed, *pair, total, np.bincount(pair.reshape(-1), minlength=32)]))

    def public_inputs_of(self, trace: F) -> F:
        return trace[3, 31:]


PAIRS = [[0, 0], [31, 2], [4, 30], [0, 17], [5, 5], [5, 5], [29, 1]]  # zeros first: they count too


def rng(seed: int):
    """Reproducible stand-in for the operating system's randomness."""
    return np.random.default_rng(seed).bytes


def elements(seed: int, *shape: int) -> F:
    return base(np.random.default_rng(seed).integers(0, F.order, shape, dtype=np.uint32))


def toy(
    air: Air, log_blowup: int, queries: int = 4, grinding: int = 4, folds: tuple[int, ...] = (4, 4)
) -> Setup:
    step = int(np.prod(folds))
    blinding = -(-(air.length + least_blinding(queries)) // step) * step - air.length
    return setup(air, StarkParams(air.length, log_blowup, queries, grinding, blinding, folds))


@cache
def case(name: str) -> Case:
    """A right trace of each statement."""
    air: Air
    if name == "fibonacci":
        air = Fibonacci(32, last=30)
        trace, log_blowup = air.trace(3141592), 2
    elif name == "ranges":
        air = Ranges(32, period=4)
        limits = [3, 31, 7, 0]
        trace, log_blowup = air.trace(np.arange(32) % (np.tile(limits, 8) + 1), limits), 3
        return Case(toy(air, log_blowup), trace, base(limits))
    elif name == "squares":
        air = Squares()
        trace, log_blowup = air.trace([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 15]), 4
    elif name == "poseidon2":
        air = Poseidon2Chain(16)
        trace, log_blowup = air.trace(elements(1, 16)), 5
    elif name == "sums":
        air = Sums()
        trace, log_blowup = air.trace(PAIRS, [0, 1, 2, 7, 8, 25, 30]), 3
        return Case(toy(air, log_blowup), trace, air.public_inputs_of(trace), to_bytes(base(PAIRS)))
    else:
        air = Membership(depth=3)
        trace, log_blowup = air.trace(elements(2, 16), elements(3, 3, 8), index=5), 4
    return Case(toy(air, log_blowup), trace, air.public_inputs_of(trace))


def pretending(right: Setup) -> Kernels:
    """Kernels of a cheat who cuts the quotient of a false trace down to the degree of a right one."""

    def cut(air, program, codewords, log_size, public, challenges):
        values = composition(air, program, codewords, log_size, public, challenges)
        coefficients = interpolate(values.coeffs)
        coefficients[:, quotient_degree(air, right.params.blinding) + 1 :] = 0
        return Ext(lde(coefficients, log_size))

    return replace(FAST, composition=cut)
