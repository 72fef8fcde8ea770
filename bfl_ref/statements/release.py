"""What a hospital shares is what it trained: the proof that is asked for in every round.

States:  "I know weights behind the state digest, and polynomials of degree below t, one for each weight, whose value at 0 is
a (w - w'), w' the weights of the model in force and a the hospital's weight in the average; digest i is that of their values
at i, i = 1 .. m. The squared norm of w - w', rounded down to units of 2^-6 in each weight, lies within the public limits."
Does not state: how the weights came about (segment proofs do), that shares reach anybody, that two shares were not shown to
one aggregator.

Nothing wraps around: |w - w'| < 2^10 sqrt(high) in units of 2^-16, so a sum of updates stays below p/2 as long as
sum a < (p/2) / (2^10 sqrt(high)), which is for whoever fixes a and high to see to.

One Poseidon2 permutation takes 16 rows (sixteen_rows.py); on its row 0 eight more elements are absorbed:

    chain 0       state digest: six weights, 0 and 3 in each block, beginning with the state's salt
    chain 1       the same of the model in force, whose salt is zero
    chain 2 + a   share of aggregator a: eight values in each block, at last at least four of salt; begins with (4, 0, ..)

Weight j stands on row j, beside the chains: w, w', the polynomial's coefficients. What a chain absorbs is looked up there.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..fixed_point.digests import BLOCK_WEIGHTS, STATE_TAG
from ..fixed_point.rule import HALF_SLOTS
from ..sharing.digest import SHARE_TAG, salt_length
from ..stark.air import Air
from ..stark.field import P
from ..stark.lookup import Fraction
from . import sixteen_rows
from .poseidon2 import DIGEST, Constant
from .sixteen_rows import ROWS

CELL, RANGE = 1, 2  # tags of what is looked up
CHAIN = 128  # ids of a chain's elements begin at CHAIN times its number
COARSE = 10  # bits that the norm leaves out
LIMIT = 1 << 10
# public inputs
STATE, MODEL, SHARES = 0, 8, 16


class Release(Air):
    """halves of a data row: 1 (36 weights) or 2 (72).   aggregators m.   threshold t, 2..m. Degree 8.

    Public inputs: digest of the state, of the model, of each share (8 each); a; low, high: low <= squared norm < high.
    ValueError for other halves or thresholds.
    """

    def __init__(self, halves: int = 1, aggregators: int = 5, threshold: int = 3):
        if halves not in (1, 2):
            raise ValueError(f"a row has 1 or 2 halves, got {halves}")
        if not 2 <= threshold <= aggregators:
            raise ValueError(f"threshold: expected 2 to {aggregators} (aggregators), got {threshold}")
        self.halves, self.aggregators, self.threshold = halves, aggregators, threshold
        self.slots = halves * HALF_SLOTS
        self.salts = salt_length(self.slots)
        of_state, of_share = self.slots // BLOCK_WEIGHTS, (self.slots + self.salts) // DIGEST
        ends = np.cumsum([of_state, of_state, *[of_share] * aggregators]).tolist()
        self.chains = [range(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        self.weight, self.low, self.high = (SHARES + DIGEST * aggregators + i for i in range(3))
        blocks = max(LIMIT // ROWS, 1 << (ends[-1] - 1).bit_length())
        super().__init__(
            f"release-{halves}-{threshold}-of-{aggregators}",
            ROWS * blocks,
            f"{sixteen_rows.COLUMNS} after before scaled coefficient[{threshold - 1}] rest top high norm ranges",
            preprocessed=self._tables(blocks),
            periodic=sixteen_rows.marks(),
            public={"a": range(self.weight, self.weight + 1)},
            public_inputs=self.high + 1,
            lookup_degree=8,
        )

    def _tables(self, blocks: int) -> dict[str, np.ndarray]:
        """Row numbers; which rows hold a weight; what a load absorbs, and from where; after which blocks chains end."""
        n = ROWS * blocks
        row = np.arange(n)
        at, four, six, eight, cut = (np.zeros(n, np.int64) for _ in range(5))
        for number, chain in enumerate(self.chains):
            step = BLOCK_WEIGHTS if number < 2 else DIGEST
            cut[ROWS * chain.stop - 1] = 1
            for k, block in enumerate(chain):
                at[ROWS * block] = CHAIN * number + step * k
                here = min(step, max(self.slots - step * k, 0))
                for marked, count in ((four, 4), (six, 6), (eight, 8)):
                    marked[ROWS * block] = here >= count
        columns = {"number": row % LIMIT, "slot": row < self.slots, "at": at, "cut": cut}
        columns |= {"four": four, "six": six, "eight": eight}
        return {name: np.asarray(values, np.int64) % P for name, values in columns.items()}

    def transition(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        left = [cur.load * x for x in cur.state[:DIGEST]]
        right = [cur.load * x for x in cur.state[DIGEST:]]
        yield from sixteen_rows.transition(cur, nxt, k, left, right, cur.cut)
        coarse = self._coarse(cur, k)
        yield "norm", nxt.norm - cur.norm - cur.slot * coarse * coarse

    def everywhere(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        yield from sixteen_rows.everywhere(cur)
        yield "high is a bit", cur.high * cur.high - cur.high
        update = cur.after - cur.before
        yield "scaled", cur.scaled - cur.a * update
        yield "parts", cur.slot * (update - cur.rest - k(LIMIT) * self._coarse(cur, k))
        of_state = cur.six - cur.eight
        yield "state pads with zero", of_state * cur.state[14]
        yield "state tag", of_state * (cur.state[15] - k(STATE_TAG))

    def _coarse(self, cur: Any, k: Constant) -> Any:
        """floor((w - w') / 2^10), -1024 .. 1023."""
        return cur.top + k(LIMIT) * cur.high - k(LIMIT)

    def lookups(self, cur: Any, k: Constant) -> Iterable[Fraction]:
        for i, element in enumerate(cur.state[DIGEST:]):
            used = cur.four if i < 4 else cur.six if i < 6 else cur.eight
            yield Fraction(f"absorbed {i}", used, [k(CELL), cur.at + k(i), element])
        for name in ("rest", "top"):
            yield Fraction(name, k(1), [k(RANGE), getattr(cur, name)])
        minus = k(0)
        yield Fraction("range table", minus - cur.ranges, [k(RANGE), cur.number])
        given = minus - cur.slot
        yield Fraction("after", given, [k(CELL), cur.number, cur.after])
        yield Fraction("before", given, [k(CELL), cur.number + k(CHAIN), cur.before])
        for a in range(self.aggregators):
            value = cur.scaled
            for power, c in enumerate(cur.coefficient, start=1):
                value = value + k((a + 1) ** power) * c
            yield Fraction(f"share {a}", given, [k(CELL), cur.number + k(CHAIN * (2 + a)), value])

    def boundary(self, cur: Any, public: Any, k: Constant) -> Iterable[tuple[str, int, Any]]:
        names = ["state", "model", *(f"share {a}" for a in range(self.aggregators))]
        digest = sixteen_rows.digest(cur)
        for number, (name, chain) in enumerate(zip(names, self.chains, strict=True)):
            for i in range(DIGEST):
                value = digest[i] - public[DIGEST * number + i]
                yield f"digest of {name} {i}", ROWS * chain.stop - 1, value
                if number:
                    tag = k(SHARE_TAG if number > 1 and i == 0 else 0)
                    yield f"{name} starts {i}", ROWS * chain.start, cur.state[i] - tag
        yield "norm starts", 0, cur.norm
        more = cur.rest + k(LIMIT) * cur.top
        yield "norm not less", self.slots, cur.norm - public[self.low] - more
        yield "norm not more", self.slots + 1, public[self.high] - k(1) - cur.norm - more
