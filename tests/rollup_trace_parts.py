"""What forged traces of the rollup's statement are altered by: cells of `forge`'s `t`, and what follows from them."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import count
from types import SimpleNamespace

import numpy as np

from bfl_ref.fixed_point.digests import compress_each
from bfl_ref.rollup.accounts import DEPTH
from bfl_ref.rollup.signatures import CHAINS, MESSAGE_TAG, SUM, OneTimeKey, digits_of
from bfl_ref.stark.field import F, P, base
from bfl_ref.statements.poseidon2 import DIGEST, WIDTH
from bfl_ref.statements.rollup import Rollup, blocks
from bfl_ref.statements.rollup import accounts as leaf
from bfl_ref.statements.rollup.layout import ENDS

ALICE, BOB, CAROL, DAVE = 5, 9, 700, 1000  # two that sign, one that is enrolled, one that exits
NOTE = (11, 22, 33, 44, 55)
NONCES = {ALICE: 3, BOB: 8, CAROL: 0, DAVE: 2}
OLD, NEW, PATH, LAST = 1 + ENDS, 2 + ENDS, 3 + ENDS, 2 + ENDS + 2 * DEPTH  # slots of a block

Edit = Callable[[SimpleNamespace], None]
Scene = Callable[[], SimpleNamespace]


@cache
def rollup() -> Rollup:
    return Rollup(4)


@cache
def key(index: int, nonce: int) -> OneTimeKey:
    return OneTimeKey(bytes([index % 256]) * 32, index, nonce)


def block(number: int) -> int:
    """First slot of an account's block."""
    return rollup().layout.block(number)


def digest_of(raw: Sequence[int] | np.ndarray) -> np.ndarray:
    """(8,) of what a slot hashes."""
    return compress_each((np.array(raw).reshape(1, WIDTH) % P).astype(np.uint32).view(F))[0].view(np.ndarray)


def absorb(t: SimpleNamespace, index: int, first: int = 1) -> None:
    """The list's digest again, from its entry `first` on: of what its slots hash now."""
    slots = t.slots[index]
    for slot in slots[first:]:
        t.cells.raw[:DIGEST, slot] = digest_of(t.cells.raw[:, slot - 1])
    t.digests[index] = digest_of(t.cells.raw[:, slots[-1]]).view(F)


def show(
    t: SimpleNamespace, index: int, total: int = SUM, said: dict[int, int] | None = None
) -> blocks.Shown:
    """A signature, by the account's present key, with that sum of digits.   said: what else the message hashes."""
    nonce = t.accounts[index].nonce
    message = [*t.digests[index].tolist(), index, nonce, 0, *t.domain, MESSAGE_TAG]
    for at, value in (said or {}).items():
        message[at] = value % P
    message[10], hashed = _counted(tuple(message), total)
    shown = blocks.Shown(message, list(hashed), *[np.zeros(0)] * 4)
    reveal(t, index, shown, digits_of(base([hashed]))[0])
    return shown


@cache
def _counted(message: tuple[int, ...], total: int) -> tuple[int, tuple[int, ...]]:
    """(counter, four elements) of a message whose digits have that sum."""
    states = np.tile(np.array(message, np.uint32), (1 << 13, 1))
    for start in count(0, len(states)):
        states[:, 10] = np.arange(start, start + len(states))
        hashed = compress_each(states.view(F))
        found = np.flatnonzero(digits_of(hashed).sum(axis=1) == total)
        if len(found):
            return start + int(found[0]), tuple(hashed[found[0]].tolist()[:4])
    raise AssertionError("counters never end")


def undersign(t: SimpleNamespace, index: int, nonce: int) -> blocks.Shown:
    """A signature of the list, for that nonce."""
    shown = show(t, index, said={9: nonce})
    reveal(t, index, shown, shown.digits, (index, nonce))
    return shown


def reveal(
    t: SimpleNamespace,
    index: int,
    shown: blocks.Shown,
    digits: np.ndarray,
    tweak: tuple[int, int] | None = None,
) -> None:
    """Show the chains at these places.   tweak: account and nonce that a key's chains are hashed for, if not its own."""
    own = index, t.accounts[index].nonce
    shown.digits = digits
    shown.values = key(*own).positions[digits, np.arange(CHAINS)].astype(np.int64)
    shown.ends, shown.steps = blocks.chain_steps(*(tweak or own), digits, shown.values)


def climb(t: SimpleNamespace, number: int, level: int = 0, nodes: Sequence | None = None) -> None:
    """The paths of a block again, from a level on, and the roots that follow; of the only block, or of the last.

    nodes: before and after on that level; on level 0: the digests of what the leaves' slots hash.
    """
    first = block(number)
    if nodes is None:
        nodes = [digest_of(t.cells.raw[:, first + at]) for at in (OLD, NEW)]
    start = first + PATH + 2 * level
    slots = range(start, first + LAST, 2)
    siblings = [tuple(t.cells.columns["r"][DIGEST:, slot, 0]) for slot in slots]
    index = int(t.cells.columns["index"][0, start, 0]) if level < DEPTH else 0
    before, after = blocks.fill_path(t.cells, start, index, siblings, nodes)
    if number == 0:
        t.cells.put("root", slice(0, first + LAST + 1), before)
    t.cells.put("root", slice(first + LAST + 1, None), after)


def letters(t: SimpleNamespace, number: int, named: int = 0, **more: int) -> None:
    """An account takes in more than its entries bring: places in `kind` of `new` by their names in accounts.py."""
    new, old = block(number) + NEW, block(number) + OLD
    for name, by in more.items():
        t.cells.columns["kind"][getattr(leaf, name), new] += by
    t.cells.columns["to"][0, new] += named
    t.cells.numbers[0, new] += named
    t.cells.numbers[:, old] -= more.get("OUT", 0), more.get("FREED", 0)


def gain(index: int, **by: int) -> Edit:
    """An account's values afterwards are others than the ledger says."""

    def edit(t: SimpleNamespace) -> None:
        for name, value in by.items():
            t.after[index][name] += value

    return edit
