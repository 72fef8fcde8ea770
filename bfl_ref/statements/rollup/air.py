"""The rollup's batch.

States:  "I know accounts in the tree of the old root, and of each that asks for something a one-time signature, by the key
that its leaf names and for this rollup, over all that it asks for, in that order, and its next key. Applying the data's
entries gives the tree of the new root; what an account spends it had before; CLOSE entries say what accounts hold now."
Does not state: that queue entries (DEPOSIT, EVIDENCE, REKEY, EXIT) are those of the contract's queue, in its order, and
before all lists (within a list they are not); that all that was ever deposited stays below 2^29, without which sums could
wrap around: both are for the contract to see to.

Public inputs: old root (8), new root (8), domain (4: chain and contract, in every signature). Data: entries of six elements.

Where what stands: layout.py. Between slots that are far apart, facts travel as letters, that is as numerators of a lookup
whose table is the account: what all entries bring to an account, summed element by element, is what the account took in.
Every entry brings one more name, so it names an account that is opened here, and so below 1024, whatever else it brings.
Amounts are below 2^29, and so is their sum, which therefore never wraps around.
"""

from collections.abc import Iterable
from typing import Any

from ...stark.air import Air
from ...stark.lookup import Fraction
from .. import three_rows
from ..poseidon2 import DIGEST, Constant
from . import accounts, entries, signatures
from .layout import NEW_ROOT, OLD_ROOT, PUBLIC_INPUTS, ROWS, Layout, marks

HELD = ("who", "when", "live", "signed", "to", "bit", "index")  # the same on a slot's four rows
ACROSS = ("who", "when", "live", "signed")  # ... and in all slots of an account


class Rollup(Air):
    """accounts: the most that a batch touches, 4, 8, .. 256; it holds 21 times as many entries. Degree 8, 512 rows each."""

    def __init__(self, accounts: int = 64):
        self.layout = Layout(accounts)
        columns = (
            f"{three_rows.COLUMNS} carry[8] r[16] root[8] kind[11] {' '.join(HELD)} byte[2] number[2] uses"
        )
        super().__init__(
            f"rollup-{accounts}",
            ROWS * self.layout.slots,
            columns,
            preprocessed=self.layout.tables(),
            periodic=marks(),
            public=signatures.PUBLIC,
            public_inputs=PUBLIC_INPUTS,
            lookup_degree=8,
            data_width=6,
        )

    def transition(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        yield from three_rows.constraints(cur, nxt, k, cur.row_0, cur.row_1, cur.row_2)
        for i, value in enumerate(three_rows.output(cur)[:DIGEST]):
            yield f"output {i}", cur.row_2 * (value - nxt.state[i])
        digest = _digest(cur)
        yield from self._held(cur, nxt, k)
        yield from entries.transition(cur, nxt, k, digest)
        yield from signatures.transition(cur, nxt, k, digest)
        yield from accounts.transition(cur, nxt, k, digest)

    def _held(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        inside = k(1) - cur.row_3
        for i in range(DIGEST):
            yield f"carry {i}", inside * (nxt.carry[i] - cur.carry[i])
        within = cur.message + cur.end + cur.old + cur.new + cur.pair + cur.lift - cur.last
        for name in HELD:
            here = inside + cur.row_3 * within if name in ACROSS else inside
            yield f"{name} is held", here * (getattr(nxt, name) - getattr(cur, name))
        kept = inside * (cur.entry + cur.old + cur.new + cur.pair + cur.lift)
        for i, (value, following) in enumerate(zip(cur.r, nxt.r, strict=True)):
            yield f"r {i} is held", kept * (following - value)
        for i in range(2):
            more = nxt.number[i] - k(256) * cur.number[i] - nxt.byte[i]
            yield f"number {i}", inside * more

    def everywhere(self, cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
        for i in range(DIGEST):
            yield f"carries {i}", cur.row_0 * (cur.carry[i] - cur.state[i])
        for i in range(2):
            yield f"number {i} starts", cur.row_0 * (cur.number[i] - cur.byte[i])
        yield from entries.everywhere(cur, k)
        yield from signatures.everywhere(cur, k, _digest(cur))
        yield from accounts.everywhere(cur, k)

    def lookups(self, cur: Any, k: Constant) -> Iterable[Fraction]:
        for i in range(2):
            yield Fraction(f"byte {i}", k(1), [cur.byte[i], cur.row_0])
        yield Fraction("limbs", k(0) - cur.uses, [cur.limb, cur.limb_tag])
        yield entries.letter_to(cur, k)
        sent = entries.letter_from(cur, k, _digest(cur))
        taken = zip(accounts.letter(cur, k), signatures.letter(cur, k), strict=True)
        letter = [s - a - m for s, (a, m) in zip(sent, taken, strict=True)]
        yield Fraction("from", letter, [cur.who, k(entries.MAIL)])
        yield signatures.bus(cur, k)

    def datum(self, cur: Any, k: Constant) -> tuple[Any, list[Any]]:
        here = cur.row_0 * (cur.entry * entries.used(cur) + cur.new * cur.live)
        said = zip(cur.state[DIGEST : DIGEST + 6], accounts.close(cur, k), strict=True)
        return here, [cur.entry * a + cur.new * b for a, b in said]

    def boundary(self, cur: Any, public: Any, k: Constant) -> Iterable[tuple[str, int, Any]]:
        for i in range(DIGEST):
            yield f"old root {i}", 0, cur.root[i] - public[OLD_ROOT + i]
            yield f"new root {i}", self.length - 1, cur.root[i] - public[NEW_ROOT + i]
        yield from entries.boundary(cur, k, ROWS * self.layout.entries - 1)


def _digest(cur: Any) -> list[Any]:
    """On row 3: the permutation's digest."""
    return [out + kept for out, kept in zip(cur.state[:DIGEST], cur.carry, strict=True)]
