"""Account slots: the leaf before, the leaf after, and one path for both.

`r` of `old`: the leaf's elements. `kind` of `new`, which no entry uses there: the letters that arrived (entries.py), as
named below; `to` of `new`: how many entries name the account. `r` of `new`, `pair` and `lift`: the digest that waits for
the slot after the next, then the level's sibling.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ...rollup.accounts import LEAF_TAG
from ...rollup.entries import FROM, Kind
from ..poseidon2 import DIGEST, Constant
from . import entries as mail

# places in `kind` of `new`
RECEIVED, POSITIVE, NEGATIVE, OUT, FREED, TIED, WRITES, REKEYED, EXITED, LEFT, LEFT_STAKE = range(11)
# elements of a leaf
KEY, RECORD, BALANCE, STAKE, NONCE, GOOD, BAD, TAG = 0, 5, 10, 11, 12, 13, 14, 15


def transition(cur: Any, nxt: Any, k: Constant, digest: Sequence[Any]) -> Iterable[tuple[str, Any]]:
    yield from _update(cur, nxt, k)
    for i, value in enumerate(digest):
        yield f"old leaf waits {i}", cur.old * cur.row_3 * (nxt.r[i] - value)
    yield from _climb(cur, nxt, k, digest)
    yield from _land(cur, nxt, k, digest)


def _update(cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
    """From the old leaf, in `r`, to the new one, by the letters."""
    there, new, got = cur.old * cur.row_3, nxt.state, nxt.kind
    rekeyed, exited, writes = got[REKEYED], got[EXITED], got[WRITES]
    for name, mark in (("rekeyed", rekeyed), ("exited", exited)):  # `writes` is one, of the one list
        yield f"{name} is a bit", there * (mark * mark - mark)
    yield "who is served by the queue signs nothing", there * cur.signed * (rekeyed + exited)
    stays = k(1) - exited
    balance, stake = cur.r[BALANCE], cur.r[STAKE]
    yield "left", there * (got[LEFT] - exited * balance)
    yield "stake left", there * (got[LEFT_STAKE] - exited * stake)
    yield "balance covers", there * (cur.number[0] - balance + got[OUT])
    yield "stake covers", there * (cur.number[1] - stake + got[FREED])
    after = stays * balance - got[OUT] + got[FREED] + got[RECEIVED]
    yield "balance", there * (new[BALANCE] - after)
    yield "stake", there * (new[STAKE] - stays * stake + got[FREED] - got[TIED])
    yield "nonce", there * (new[NONCE] - cur.r[NONCE] - cur.signed - rekeyed)
    yield "positive", there * (new[GOOD] - cur.r[GOOD] - got[POSITIVE])
    yield "negative", there * (new[BAD] - cur.r[BAD] - got[NEGATIVE])
    same_key, same_record = k(1) - cur.signed - rekeyed, k(1) - writes
    for j in range(5):
        yield f"key stays {j}", there * same_key * (new[KEY + j] - cur.r[KEY + j])
        yield f"record stays {j}", there * same_record * (new[RECORD + j] - cur.r[RECORD + j])


def _climb(cur: Any, nxt: Any, k: Constant, digest: Sequence[Any]) -> Iterable[tuple[str, Any]]:
    """To the next slot of a path: what waited is hashed with the sibling, what was hashed waits."""
    there = cur.row_3 * (cur.new + cur.pair + cur.lift - cur.last)
    for i in range(DIGEST):
        waited, sibling = cur.r[i], nxt.r[DIGEST + i]
        swap = nxt.bit * (sibling - waited)
        yield f"left {i}", there * (nxt.state[i] - waited - swap)
        yield f"right {i}", there * (nxt.state[DIGEST + i] - sibling + swap)
        yield f"waits {i}", there * (nxt.r[i] - digest[i])
        yield f"one sibling {i}", cur.row_3 * cur.pair * (sibling - cur.r[DIGEST + i])
    yield "one bit", cur.row_3 * cur.pair * (nxt.bit - cur.bit)
    yield "one index", cur.row_3 * cur.pair * (nxt.index - cur.index)
    yield "path of the account", cur.row_3 * cur.new * (nxt.index - cur.who)
    up = cur.row_3 * (cur.lift - cur.last)
    yield "bits of the index", up * (nxt.index + nxt.index + cur.bit - cur.index)
    yield "top bit of the index", cur.row_3 * cur.last * (cur.index - cur.bit)


def _land(cur: Any, nxt: Any, k: Constant, digest: Sequence[Any]) -> Iterable[tuple[str, Any]]:
    """At the top: from one root to the next; accounts come by ascending index, unused blocks last."""
    top = cur.row_3 * cur.last
    for i, value in enumerate(digest):
        yield f"old path {i}", top * cur.live * (cur.r[i] - cur.root[i])
        yield f"root {i}", nxt.root[i] - cur.root[i] - top * cur.live * (value - cur.root[i])
    follows = top * nxt.message * nxt.live
    yield "no gap", follows * (k(1) - cur.live)
    yield "ascending", follows * (cur.number[0] - nxt.who + cur.who + k(1))


def everywhere(cur: Any, k: Constant) -> Iterable[tuple[str, Any]]:
    for i in range(TAG):
        yield f"old leaf {i}", cur.old * cur.row_0 * (cur.state[i] - cur.r[i])
    yield "leaf tag", (cur.old + cur.new) * cur.row_0 * (cur.state[TAG] - k(LEAF_TAG))
    yield "some entry names it", cur.new * cur.row_3 * cur.live * (cur.number[0] - cur.to + k(1))
    yield "nonce of the key", cur.old * (cur.r[NONCE] - cur.when)
    yield "bit is a bit", (cur.pair + cur.lift) * (cur.bit * cur.bit - cur.bit)
    yield "live is a bit", cur.live * cur.live - cur.live
    yield "signed is a bit", cur.signed * cur.signed - cur.signed
    yield "who signs is live", cur.signed * (k(1) - cur.live)


def letter(cur: Any, k: Constant) -> list[Any]:
    """What the account has taken in, to be balanced against all letters."""
    here = cur.new * cur.row_0 * cur.live
    got = cur.kind
    changes, writes = cur.signed + got[REKEYED], got[WRITES]
    taken = [got[RECEIVED], got[POSITIVE], got[NEGATIVE], got[REKEYED], got[EXITED]]
    taken += [got[LEFT], got[LEFT_STAKE], cur.to, cur.signed]
    taken += [changes * x for x in cur.state[KEY : KEY + 5]]
    taken += [got[OUT], got[FREED], got[TIED], writes]
    taken += [writes * x for x in cur.state[RECORD : RECORD + 5]]
    return [here * value for value in taken] + [k(0)] * (mail.LETTER - len(taken))


def close(cur: Any, k: Constant) -> list[Any]:
    """The six elements of the account's CLOSE entry, on `new`."""
    return [k(Kind.CLOSE) + k(FROM) * cur.who, *cur.state[BALANCE:TAG]]
