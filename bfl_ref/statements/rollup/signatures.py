"""Message, end and step slots: one Winternitz signature an account.

`r` of `end`: a chain's value (4), the message's next three elements, what is left of the present one, the value's place,
three bits that no digit uses, the digits' sum. Rows 0 and 1 take the ends of two chains off the bus, rows 2 and 3 put their
revealed values on it. `r` of `step`: value and place, before the step on row 0, after it on row 3. The bus carries (account,
nonce, place, value): whoever takes an end off it must have put on a value at that place or below, and hashed it up.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ...rollup.signatures import KEY_TAG, MESSAGE_TAG, STEP_TAG, STEPS, SUM
from ...stark.lookup import Fraction
from ..poseidon2 import DIGEST, Constant
from . import entries as mail
from .layout import BUS, DOMAIN

VALUE, WAITING, REST, POSITION, UNUSED, TOTAL = 0, 4, 7, 8, 9, 12  # in `r`


def transition(cur: Any, nxt: Any, k: Constant, digest: Sequence[Any]) -> Iterable[tuple[str, Any]]:
    begins = cur.message * cur.row_3
    for i in range(DIGEST):
        yield f"key digest starts {i}", begins * (nxt.state[i] - k(KEY_TAG if i == 0 else 0))
        yield f"key digest {i}", cur.end * nxt.end * cur.row_3 * (nxt.state[i] - digest[i])
    for i in range(3):
        yield f"message {1 + i} waits", begins * (nxt.r[WAITING + i] - digest[1 + i])
    yield "message 0", begins * (nxt.r[REST] - digest[0])
    yield "digits' sum starts", begins * nxt.r[TOTAL]
    signs = cur.signed * nxt.old * cur.row_3  # `old` follows upon the last end
    for j in range(5):
        yield f"signed with the key {j}", signs * (nxt.state[j] - digest[j])
    yield "digits' sum", signs * (cur.r[TOTAL] + _digit(cur) - k(SUM))
    yield from _digits(cur, nxt, k)
    yield from _steps(cur, nxt, k)


def _digit(cur: Any) -> Any:
    return cur.r[POSITION] - cur.chain


def _digits(cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
    """Rows 2 and 3 of an end slot use one digit each, the lowest first."""
    follows = cur.end * nxt.end
    used = cur.row_2 + cur.row_3
    down = cur.r[REST] - used * _digit(cur)  # 4 times what is left, where a digit is used
    left = (k(1) - used) * nxt.r[REST] + k(4) * used * nxt.r[REST]
    fresh = cur.full * cur.row_3
    yield "rest", follows * (k(1) - fresh) * (left - down)
    yield "next element", follows * fresh * (nxt.r[REST] - cur.r[WAITING])
    for i in range(3):
        moved = cur.r[WAITING + i + 1] if i < 2 else k(0)
        value = nxt.r[WAITING + i] - cur.r[WAITING + i] - fresh * (moved - cur.r[WAITING + i])
        yield f"element waits {i}", follows * value
    yield "digits so far", follows * (nxt.r[TOTAL] - cur.r[TOTAL] - used * _digit(cur))
    for i in range(4):
        yield f"second end {i}", cur.end * cur.row_0 * (nxt.r[VALUE + i] - cur.state[12 + i])


def _steps(cur: Any, nxt: Any, k: Constant) -> Iterable[tuple[str, Any]]:
    inside = cur.row_0 + cur.row_1
    moved = nxt.r[POSITION] - cur.r[POSITION]
    yield "place", cur.step * (inside * moved + cur.row_2 * (moved - k(1)))


def everywhere(cur: Any, k: Constant, digest: Sequence[Any]) -> Iterable[tuple[str, Any]]:
    signing = cur.message * cur.row_0
    bound = {8: cur.who, 9: cur.when, 15: k(MESSAGE_TAG)}
    bound |= {11 + i: getattr(cur, f"domain_{i}") for i in range(4)}
    for at, value in bound.items():
        yield f"message {at}", signing * (cur.state[at] - value)
    digit = _digit(cur)
    yield "ends are at the last place", cur.end * (cur.row_0 + cur.row_1) * (digit - k(STEPS))
    choices = digit * (digit - k(1)) * (digit - k(2)) * (digit - k(3))
    yield "digit has two bits", cur.end * (cur.row_2 + cur.row_3) * choices
    for i in range(4):
        yield f"first end {i}", cur.end * cur.row_0 * (cur.r[VALUE + i] - cur.state[DIGEST + i])
    top = k(0)
    for i in range(3):
        bit = cur.r[UNUSED + i]
        yield f"unused bit {i}", cur.full * cur.row_3 * (bit * bit - bit)
        top = top + k(4 << i) * bit
    yield "element is used up", cur.full * cur.row_3 * (cur.r[REST] - digit - top)
    load, done = cur.step * cur.row_0, cur.step * cur.row_3
    hashed = [*cur.r[VALUE : VALUE + 4], *[k(0)] * 4, cur.who, cur.when, cur.r[POSITION], *[k(0)] * 4]
    for i, value in enumerate([*hashed, k(STEP_TAG)]):
        yield f"step hashes {i}", load * (cur.state[i] - value)
    for i in range(4):
        yield f"step gives {i}", done * (cur.r[VALUE + i] - digest[i])


def bus(cur: Any, k: Constant) -> Fraction:
    ends = cur.end * cur.signed * (cur.row_2 + cur.row_3 - cur.row_0 - cur.row_1)
    steps = cur.step * cur.live * (cur.row_3 - cur.row_0)
    value = [cur.who, k(BUS), cur.when, cur.r[POSITION], *cur.r[VALUE : VALUE + 4]]
    return Fraction("chains", ends + steps, value)


def letter(cur: Any, k: Constant) -> list[Any]:
    """The list that the message signs, to be balanced against the list that was read."""
    here = cur.message * cur.row_0 * cur.signed
    return [k(0)] * mail.LIST + [here * value for value in cur.state[:DIGEST]]


PUBLIC = {f"domain_{i}": range(DOMAIN + i, DOMAIN + i + 1) for i in range(4)}
