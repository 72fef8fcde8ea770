"""Entry slots: what the queue and the owners ask for, list by list.

`r` of a slot: the entry's six elements, then what its list has asked for up to here: spent, unlocked, locked, whether it
recorded, and the record. `kind[k - 1]` says that the entry is of kind k; a slot without a kind is unused.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...rollup.entries import FROM, TO, Kind
from ...rollup.signatures import ENTRY_TAG
from ...stark.lookup import Fraction
from ..poseidon2 import DIGEST, Constant
from .layout import MAIL

SPENT, UNLOCKED, LOCKED, WROTE, RECORD = 6, 7, 8, 9, 10  # in `r`
# what a letter carries, and whose leaf it goes to: received, evidence, queue's requests, one of each entry; then what
# the list says of itself
RECEIVED, POSITIVE, NEGATIVE, REKEYED, EXITED, LEFT, LEFT_STAKE, NAMED, SIGNED = range(9)
KEY, OUT, FREED, TIED, WRITES, WRITTEN, LIST = 9, 14, 15, 16, 17, 18, 23
LETTER = LIST + DIGEST


def start(k: Constant) -> list[Any]:
    """What a list's digest begins with."""
    return [k(ENTRY_TAG), *[k(0)] * (DIGEST - 1)]


def of(cells: Any, *kinds: Kind) -> Any:
    """Sum of the marks of these kinds."""
    total = cells.kind[kinds[0] - 1]
    for kind in kinds[1:]:
        total = total + cells.kind[kind - 1]
    return total


def spends(cells: Any) -> Any:
    return of(cells, Kind.TRANSFER, Kind.LOCK, Kind.WITHDRAW)


def queued(cells: Any) -> Any:
    return of(cells, Kind.DEPOSIT, Kind.EVIDENCE, Kind.REKEY, Kind.EXIT)


def open_list(cells: Any) -> Any:
    """1 on entries after which their list goes on."""
    own = (Kind.TRANSFER, Kind.LOCK, Kind.UNLOCK, Kind.RECORD, Kind.ACCESS, Kind.WITHDRAW)
    return of(cells, *own)


def used(cells: Any) -> Any:
    """1 on all entries, 0 in slots without one."""
    return queued(cells) + open_list(cells) + of(cells, Kind.ROTATE)


def asked(cells: Any, before: Any, k: Constant) -> Iterator[tuple[str, int, Any]]:
    """(name, place in `r`, value) of what a list has asked for with this entry, `before`: the place before it, or None."""

    def kept(i: int) -> Any:
        return before(i) if before else k(0)

    yield "spent", SPENT, kept(SPENT) + spends(cells) * cells.r[1]
    yield "unlocked", UNLOCKED, kept(UNLOCKED) + of(cells, Kind.UNLOCK) * cells.r[1]
    yield "locked", LOCKED, kept(LOCKED) + of(cells, Kind.LOCK) * cells.r[1]
    record = of(cells, Kind.RECORD)
    yield "wrote", WROTE, kept(WROTE) + record - record * kept(WROTE)
    for j in range(5):
        old = kept(RECORD + j)
        yield f"record {j}", RECORD + j, old + record * (cells.r[1 + j] - old)


def transition(cur: Any, nxt: Any, k: Constant, digest: Sequence[Any]) -> Iterable[tuple[str, Any]]:
    """From an entry to the next: its list goes on, or another begins."""
    there = cur.goes_on * cur.row_3
    goes_on = open_list(cur)
    yield "a list ends with ROTATE", there * goes_on * (k(1) - open_list(nxt) - of(nxt, Kind.ROTATE))
    yield "a list has one owner", there * goes_on * (nxt.who - cur.who)
    for i, (begins, value) in enumerate(zip(start(k), digest, strict=True)):
        yield f"list {i}", there * (nxt.state[i] - begins - goes_on * (value - begins))
    for name, place, value in asked(nxt, lambda i: goes_on * cur.r[i], k):
        yield f"asked: {name}", there * (nxt.r[place] - value)


def everywhere(cur: Any, k: Constant) -> Iterable[tuple[str, Any]]:
    """What one entry must look like."""
    total = used(cur)
    for i, mark in enumerate(cur.kind):
        yield f"kind {i + 1} is a bit", cur.entry * (mark * mark - mark)
    yield "one kind", cur.entry * (total * total - total)
    # on all four rows of a slot, with `r`, `who` and `to` held: so the kind is the same there, too
    header = k(FROM) * cur.who + k(TO) * cur.to
    for i, mark in enumerate(cur.kind):
        header = header + k(i + 1) * mark
    yield "header", cur.entry * (cur.r[0] - header)
    yield "the queue is nobody", cur.entry * queued(cur) * cur.who
    yield (
        "only a transfer reaches others",
        (cur.entry * (open_list(cur) + of(cur, Kind.ROTATE) - of(cur, Kind.TRANSFER)) * (cur.to - cur.who)),
    )
    one = spends(cur) + of(cur, Kind.UNLOCK, Kind.DEPOSIT)
    two = one + of(cur, Kind.EVIDENCE, Kind.EXIT)
    for j in range(2, 6):
        yield f"nothing in payload {j}", cur.entry * (one if j == 2 else two) * cur.r[j]
    loaded = cur.entry * cur.row_0
    for j in range(6):
        yield f"absorbs {j}", loaded * (cur.state[DIGEST + j] - cur.r[j])
    yield "absorbs zero", loaded * cur.state[14]
    yield "absorbs its tag", loaded * (cur.state[15] - k(ENTRY_TAG))
    amount = (spends(cur) + of(cur, Kind.UNLOCK)) * cur.r[1]
    yield "amount is in range", cur.entry * cur.row_3 * (cur.number[0] - amount)
    so_far = spends(cur) * cur.r[SPENT] + of(cur, Kind.UNLOCK) * cur.r[UNLOCKED]
    yield "sum is in range", cur.entry * cur.row_3 * (cur.number[1] - so_far)


def boundary(cur: Any, k: Constant, last_row: int) -> Iterable[tuple[str, int, Any]]:
    """The first entry begins a list; the last one opens none."""
    for i, value in enumerate(start(k)):
        yield f"first list {i}", 0, cur.state[i] - value
    for name, place, value in asked(cur, None, k):
        yield f"first asked: {name}", 0, cur.r[place] - value
    yield "last list ends", last_row, open_list(cur)


def letter_to(cur: Any, k: Constant) -> Fraction:
    """What an entry brings to the account that it names: itself, if nothing else, so that there is such an account."""
    here = cur.entry * cur.row_3
    rekeyed, exited, evidence = (here * of(cur, kind) for kind in (Kind.REKEY, Kind.EXIT, Kind.EVIDENCE))
    carried = [k(0)] * (KEY + 5)
    carried[RECEIVED] = here * of(cur, Kind.TRANSFER, Kind.DEPOSIT) * cur.r[1]
    carried[POSITIVE], carried[NEGATIVE] = evidence * cur.r[1], evidence * cur.r[2]
    carried[REKEYED], carried[EXITED] = rekeyed, exited
    carried[LEFT], carried[LEFT_STAKE] = exited * cur.r[1], exited * cur.r[2]
    carried[NAMED] = here * used(cur)
    carried[KEY:] = [rekeyed * cur.r[1 + j] for j in range(5)]
    return Fraction("to", carried, [cur.to, k(MAIL)])


def letter_from(cur: Any, k: Constant, digest: Sequence[Any]) -> list[Any]:
    """What a list, where it ends, says to its own account."""
    ends = cur.entry * cur.row_3 * of(cur, Kind.ROTATE)
    said = [k(0)] * LETTER
    said[SIGNED] = ends
    said[KEY : KEY + 5] = [ends * cur.r[1 + j] for j in range(5)]
    for at, place in ((OUT, SPENT), (FREED, UNLOCKED), (TIED, LOCKED), (WRITES, WROTE)):
        said[at] = ends * cur.r[place]
    said[WRITTEN : WRITTEN + 5] = [ends * cur.r[RECORD + j] for j in range(5)]
    said[LIST:] = [ends * value for value in digest]
    return said
