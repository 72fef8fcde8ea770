"""A seat's sum is the sum of the shares it was sent: the proof that comes with every sum-share.

States:  "I know five vectors of shares with salts, and their sum, element by element modulo p; digest i is that of the i-th
vector with its salt, i = 0 .. 4, and the last one that of the sum, with salts of zero (sharing/digest.py)."
Does not state: whose shares these are, or that they belong to an update (whoever fills in the digests takes them from
releases that were proven); that the vectors stay secret outside the proof.

A group has three to five hospitals: in free places stand shares of zeros, with salts of zero.

One Poseidon2 permutation takes 16 rows (sixteen_rows.py); on its row 0 eight more elements are absorbed. Six chains, each
begins with (4, 0, ..):

    chain k < 5   share k: eight elements in each block, at last its salt
    chain 5       the sum, zeros at last

That they add up needs no column of its own: the sum of fractions  sign (e_0 + lam e_1 + .. + lam^7 e_7) / (beta + block)
over all blocks, e the elements that are absorbed, sign 1 for shares, -1 for the sum, vanishes only if each element does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..fixed_point.digests import absorb_all
from ..fixed_point.rule import HALF_SLOTS
from ..sharing.digest import SHARE_TAG, salt_length
from ..sharing.shamir import sum_shares
from ..stark.air import Air
from ..stark.field import F, P, base
from ..stark.lookup import Fraction
from . import sixteen_rows
from .poseidon2 import DIGEST, WIDTH, Constant
from .sixteen_rows import ROWS

PLACES = 5  # hospitals of a group at most


class SumShare(Air):
    """halves of a data row: 1 (36 elements a share, 512 rows) or 2 (72, 1,024 rows). Degree 8.

    Public inputs: digests of the five shares, of their sum (8 each).   ValueError for other halves.
    """

    def __init__(self, halves: int = 1):
        if halves not in (1, 2):
            raise ValueError(f"a row has 1 or 2 halves, got {halves}")
        self.halves, self.slots = halves, halves * HALF_SLOTS
        self.salts = salt_length(self.slots)
        of_each = (self.slots + self.salts) // DIGEST
        self.chains = [range(of_each * k, of_each * (k + 1)) for k in range(PLACES + 1)]
        blocks = 1 << (self.chains[-1].stop - 1).bit_length()
        super().__init__(
            f"sum-share-{halves}",
            ROWS * blocks,
            sixteen_rows.COLUMNS,
            preprocessed=self._tables(blocks),
            periodic=sixteen_rows.marks(),
            public_inputs=DIGEST * len(self.chains),
            lookup_degree=8,
        )

    def _tables(self, blocks: int) -> dict[str, np.ndarray]:
        """Which block of its chain a load is; the signs of its first and last four elements; after which rows chains end."""
        at, low, high, cut = (np.zeros(ROWS * blocks, np.int64) for _ in range(4))
        for number, chain in enumerate(self.chains):
            sign = 1 if number < PLACES else -1
            cut[ROWS * chain.stop - 1] = 1
            for k, block in enumerate(chain):
                at[ROWS * block] = k
                low[ROWS * block] = sign * (DIGEST * k < self.slots)
                high[ROWS * block] = sign * (DIGEST * k + DIGEST // 2 < self.slots)
        return {name: v % P for name, v in {"at": at, "low": low, "high": high, "cut": cut}.items()}

    def transition(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        left = [cur.load * x for x in cur.state[:DIGEST]]
        right = [cur.load * x for x in cur.state[DIGEST:]]
        start = [k(SHARE_TAG), *[k(0)] * (DIGEST - 1)]
        yield from sixteen_rows.transition(cur, nxt, k, left, right, cur.cut, start)

    def everywhere(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        yield from sixteen_rows.everywhere(cur)

    def lookups(self, cur: Any, k: Constant) -> Iterable[Fraction]:
        signs = [cur.low] * (DIGEST // 2) + [cur.high] * (DIGEST // 2)
        absorbed = [sign * e for sign, e in zip(signs, cur.state[DIGEST:], strict=True)]
        yield Fraction("sum", absorbed, [cur.at])

    def boundary(self, cur: Any, public: Any, k: Constant) -> Iterable[tuple[str, int, Any]]:
        digest = sixteen_rows.digest(cur)
        names = [*(f"share {i}" for i in range(PLACES)), "sum"]
        for number, (name, chain) in enumerate(zip(names, self.chains, strict=True)):
            for i in range(DIGEST):
                value = digest[i] - public[DIGEST * number + i]
                yield f"digest of {name} {i}", ROWS * chain.stop - 1, value
        for i in range(DIGEST):
            yield f"starts {i}", 0, cur.state[i] - k(SHARE_TAG if i == 0 else 0)
        for i in range(min(self.salts, DIGEST)):
            last = self.chains[-1].stop - 1
            yield f"no salt {i}", ROWS * last, cur.state[WIDTH - 1 - i]


@dataclass(frozen=True, eq=False)
class Addends:
    """What a seat holds of a group of h = 1 .. 5. shares (h, 36 halves), salts (h, k): field, k of `SumShare.salts`."""

    shares: F
    salts: F

    @property
    def total(self) -> F:
        """(36 halves,): the sum-share."""
        return sum_shares(list(self.shares))


def fill(air: SumShare, addends: Addends) -> tuple[F, F]:
    """(trace, public inputs). ValueError for shapes that do not fit."""
    count = len(addends.shares)
    expected = (count, air.slots), (count, air.salts)
    if (addends.shares.shape, addends.salts.shape) != expected or not 1 <= count <= PLACES:
        raise ValueError(
            f"expected 1 to {PLACES} shares of {air.slots} and salts of {air.salts}, "
            f"got shapes {addends.shares.shape}, {addends.salts.shape}"
        )
    vectors = np.zeros((len(air.chains), air.slots + air.salts), np.uint32).view(F)
    vectors[:count, : air.slots], vectors[:count, air.slots :] = addends.shares, addends.salts
    vectors[PLACES, : air.slots] = addends.total
    return lay_out(air, vectors)


def lay_out(air: SumShare, vectors: F) -> tuple[F, F]:
    """(trace, public inputs) of what the six chains absorb: (6, elements of a share with its salt)."""
    start = base([SHARE_TAG] + [0] * (DIGEST - 1))
    loaded = np.zeros((WIDTH, air.length // ROWS), np.uint32).view(F)
    ends = []
    for chain, vector in zip(air.chains, vectors, strict=True):
        blocks = vector.reshape(-1, DIGEST)
        before = absorb_all(start, blocks)
        loaded[:, chain.start : chain.stop] = np.concatenate([before[:-1], blocks], axis=1).T
        ends.append(before[-1])
    used = air.chains[-1].stop  # what follows absorbs zeros and means nothing
    empty = F.Zeros((air.length // ROWS - used, DIGEST))
    loaded[:DIGEST, used:] = absorb_all(start, empty)[:-1].T
    cells = sixteen_rows.fill(loaded)
    trace = np.ascontiguousarray(cells.transpose(0, 2, 1)).reshape(len(cells), air.length).view(F)
    return trace, np.concatenate(ends).view(F)
