"""Where everything stands in the trace of a batch: 128 slots for each account that it may touch.

A slot is four rows and one Poseidon2 permutation: rows 0-2 are three_rows.py's, row 3 holds the output, to which the first
half of the input is still to be added (`digest`). Slots are of these types, in this order:

    entry     21 an account        one entry of the queue or of a list; lists are absorbed here
    then, account by account, 51 slots
    message   1                    what is signed; its digest gives the digits
    end       28                   two chain ends each, absorbed into the key's digest
    old, new  1 + 1                the account's leaf before and after
    pair, lift  10 + 10            one level of the tree: its node before, its node after, by the same sibling
    step      56 an account        one step of a signature's chain, in any order
"""

from dataclasses import dataclass

import numpy as np

from ...rollup.accounts import DEPTH
from ...rollup.signatures import CHAINS, DIGITS_OF_EACH, STEPS, SUM
from ...stark.field import P
from .. import three_rows

ROWS = 4  # of a slot
ENDS = CHAINS // 2
BLOCK = 1 + ENDS + 2 + 2 * DEPTH  # slots of an account
ENTRIES = 21  # slots for entries, an account
HASHES = STEPS * CHAINS - SUM  # steps that a signature is verified by
SLOTS = ENTRIES + BLOCK + HASHES
LIMBS = (32, 256)  # a number below 2^29 is a first limb of 5 bits and three of 8
PLACE = 8  # positions of chain c are numbered from 8 c
# tags of what is looked up; limbs have 0 and 1
MAIL, BUS = 2, 3
OLD_ROOT, NEW_ROOT, DOMAIN, PUBLIC_INPUTS = 0, 8, 16, 20
KINDS = ("entry", "message", "end", "old", "new", "pair", "lift", "step")


@dataclass(frozen=True)
class Layout:
    """accounts: the most that a batch touches, 4, 8, .. 256. ValueError for another number."""

    accounts: int

    def __post_init__(self) -> None:
        if self.accounts not in (4, 8, 16, 32, 64, 128, 256):
            raise ValueError(f"accounts: expected a power of two from 4 to 256, got {self.accounts}")

    @property
    def entries(self) -> int:
        """The most entries, ROTATE included, CLOSE not."""
        return ENTRIES * self.accounts

    @property
    def slots(self) -> int:
        return SLOTS * self.accounts

    @property
    def steps(self) -> range:
        """Slots of chain steps."""
        return range(self.entries + BLOCK * self.accounts, self.slots)

    def block(self, account: int) -> int:
        """First slot of an account."""
        return self.entries + BLOCK * account

    def tables(self) -> dict[str, np.ndarray]:
        """Types of slots and marks among them, the same on a slot's four rows; the chain of a row; the limbs' table."""
        within = np.tile(_of_block(), self.accounts)
        kind = np.concatenate([np.zeros(self.entries, np.int64), within, np.full(len(self.steps), 7)])
        slot = np.arange(self.slots)
        columns = {name: kind == number for number, name in enumerate(KINDS)}
        end = np.where(kind == 2, (slot - self.entries) % BLOCK - 1, 0)
        columns["goes_on"] = slot < self.entries - 1  # another entry follows
        columns["full"] = (kind == 2) & (
            end % (DIGITS_OF_EACH // 2) == DIGITS_OF_EACH // 2 - 1
        )  # an element's digits are used up
        columns["last"] = (kind == 6) & ((slot - self.entries) % BLOCK == BLOCK - 1)
        rows = {name: np.repeat(v.astype(np.int64), ROWS) for name, v in columns.items()}
        row = np.arange(ROWS * self.slots)
        rows["chain"] = rows["end"] * PLACE * (2 * np.repeat(end, ROWS) + row % 2)
        first, rest = LIMBS
        rows["limb"] = np.where(row < rest, row, np.where(row < rest + first, row - rest, 0))
        rows["limb_tag"] = (row >= rest) & (row < rest + first)
        return {name: np.asarray(v, np.int64) % P for name, v in rows.items()}


def marks() -> dict[str, np.ndarray]:
    """Periodic columns: which row of a slot it is, and Poseidon2's constants."""
    rows = {f"row_{i}": np.arange(ROWS) == i for i in range(ROWS)}
    return {k: v.astype(np.int64) for k, v in rows.items()} | three_rows.round_constants([0], ROWS)


def _of_block() -> np.ndarray:
    """(51,) types of an account's slots."""
    return np.array([1] + [2] * ENDS + [3, 4] + [5, 6] * DEPTH)
