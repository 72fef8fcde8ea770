"""Cells of the accounts' blocks: signature, leaves, path."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...fixed_point.digests import absorb_all, compress_each
from ...rollup.accounts import DEPTH, LEAF_TAG, Account, Digest, StateTree
from ...rollup.entries import Entry, Kind
from ...rollup.ledger import Applied, Batch
from ...rollup.signatures import (
    CHAINS,
    DIGITS_OF_EACH,
    KEY_TAG,
    MESSAGE_TAG,
    STEP_TAG,
    STEPS,
    VALUE,
    Domain4,
    Signature,
    digits_of,
)
from ...stark.field import F, base
from ..poseidon2 import DIGEST, WIDTH
from . import accounts as leaf
from . import signatures as signing
from .cells import Cells, asked_of
from .layout import BLOCK, ENDS, PLACE


def fill_accounts(
    cells: Cells,
    tree: StateTree,
    batch: Batch,
    applied: Applied,
    digests: dict[int, F],
    domain: Domain4,
) -> np.ndarray:
    """Blocks of the touched accounts by ascending index, then those of nobody; returns the chain steps (k, 16) to hash."""
    steps = [np.zeros((0, WIDTH), np.int64)]
    lists = {one.index: one for one in batch.lists}
    entries = [*batch.queue, *(entry for one in batch.lists for entry in one.entries)]
    touched = [close.sender for close in applied.closes]
    now = tree
    cells.put("root", slice(0, cells.layout.entries), tree.root)
    for number in range(cells.layout.accounts):
        first = cells.layout.block(number)
        block = slice(first, first + BLOCK)
        cells.put("root", slice(first, None), now.root)
        index = touched[number] if number < len(touched) else 0
        live = number < len(touched)
        old = now[index] if live else Account()
        one = lists.get(index) if live else None
        for name, value in (("who", index), ("when", old.nonce), ("live", live), ("signed", one is not None)):
            cells.put(name, block, value)
        signed = (digests[index], one.signature) if one else None
        steps.append(fill_signature(cells, first, shown_by(index, old.nonce, domain, signed)))
        new = applied.tree[index] if live else old
        at = first + 1 + ENDS
        _fill_leaves(cells, at, index, old, new, entries if live else [])
        siblings = now.siblings(index) if live else ((0,) * DIGEST,) * DEPTH
        fill_path(cells, at + 2, index, siblings, [_digest_of([*x.elements, LEAF_TAG]) for x in (old, new)])
        now = now.replaced(index, new) if live else now
        if number + 1 < len(touched):
            cells.numbers[0, first + BLOCK - 1] = touched[number + 1] - index - 1
    cells.put("root", slice(cells.layout.steps.start, None), applied.tree.root)
    return np.concatenate(steps)


@dataclass
class Shown:
    """A signature: the message (16,), the elements of its digest that digits are cut from (4,), the digits (56,), the chains
    at these places and at their ends (56, 4), what is hashed in between (k, 16).
    """

    message: list[int]
    elements: list[int]
    digits: np.ndarray
    values: np.ndarray
    ends: np.ndarray
    steps: np.ndarray


def shown_by(index: int, nonce: int, domain: Domain4, signed: tuple[F, Signature] | None) -> Shown:
    """signed: the list's digest H, and the signature. None: zeros that lead nowhere."""
    digest, counter = (signed[0].tolist(), signed[1].counter) if signed else ([0] * DIGEST, 0)
    message = [*digest, index, nonce, counter, *domain, MESSAGE_TAG]
    hashed = compress_each(base(message).reshape(1, WIDTH).view(F))
    (digits,), elements = digits_of(hashed), hashed[0].tolist()[: CHAINS // DIGITS_OF_EACH]
    if not signed:
        none = np.zeros((CHAINS, VALUE), np.int64)
        return Shown(message, elements, digits, none, none, np.zeros((0, WIDTH), np.int64))
    values = np.array(signed[1].values, np.int64)
    return Shown(message, elements, digits, values, *chain_steps(index, nonce, digits, values))


def fill_signature(cells: Cells, first: int, shown: Shown) -> np.ndarray:
    """Message and ends, from slot `first` on. Returns the steps."""
    cells.raw[:, first] = shown.message
    digits, elements, ends = shown.digits, shown.elements, shown.ends
    slots = slice(first + 1, first + 1 + ENDS)
    start = base([KEY_TAG] + [0] * (DIGEST - 1))
    blocks = ends.reshape(ENDS, DIGEST)
    cells.raw[:DIGEST, slots] = absorb_all(start, blocks.astype(np.uint32).view(F))[:-1].T
    cells.raw[DIGEST:, slots] = blocks.T
    r = cells.columns["r"][:, slots]  # (16, 28, 4)
    even, odd = np.arange(0, CHAINS, 2), np.arange(1, CHAINS, 2)
    for row, values, chain, place in (
        (0, ends, even, np.full(ENDS, STEPS)),
        (1, ends, odd, np.full(ENDS, STEPS)),
        (2, shown.values, even, digits[even]),
        (3, shown.values, odd, digits[odd]),
    ):
        r[signing.VALUE : signing.VALUE + 4, :, row] = values[chain].T
        r[signing.POSITION, :, row] = PLACE * chain + place
    for end in range(ENDS):
        part, at = divmod(end, DIGITS_OF_EACH // 2)
        for row, used in enumerate((0, 0, 0, 1)):
            r[signing.REST, end, row] = elements[part] >> 2 * (2 * at + used)
            r[signing.TOTAL, end, row] = digits[: 2 * end + used].sum()
        waiting = [*elements[part + 1 :], 0, 0, 0][:3]
        r[signing.WAITING : signing.WAITING + 3, end] = np.array(waiting)[:, None]
        if at == DIGITS_OF_EACH // 2 - 1:
            for i in range(3):
                r[signing.UNUSED + i, end] = elements[part] >> 2 * DIGITS_OF_EACH + i & 1
    return shown.steps


def chain_steps(
    index: int, nonce: int, digits: np.ndarray, shown: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(the chains' ends (56, 4), what is hashed on the way there, (k, 16) from each position)."""
    values, steps = shown.copy(), []
    for position in range(STEPS):
        chains = np.flatnonzero(digits <= position)
        raw = np.zeros((len(chains), WIDTH), np.int64)
        raw[:, :4], raw[:, 8], raw[:, 9] = values[chains], index, nonce
        raw[:, 10], raw[:, 15] = PLACE * chains + position, STEP_TAG
        values[chains] = compress_each(raw.astype(np.uint32).view(F))[:, :4]
        steps.append(raw)
    return values, np.concatenate(steps)


def _fill_leaves(
    cells: Cells, at: int, index: int, old: Account, new: Account, entries: Sequence[Entry]
) -> None:
    """The leaves, and the letters that lead from one to the other.   entries: of the batch."""
    for slot, account in ((at, old), (at + 1, new)):
        cells.raw[:, slot] = [*account.elements, LEAF_TAG]
    cells.put("r", at, old.elements)
    out, freed, tied, wrote, *_ = asked_of([e for e in entries if e.kind.by_owner and e.sender == index])
    reached = [e for e in entries if e.to == index]
    got = np.zeros(11, np.int64)
    for entry in reached:
        if entry.kind in (Kind.TRANSFER, Kind.DEPOSIT):
            got[leaf.RECEIVED] += entry.payload[0]
        if entry.kind == Kind.EVIDENCE:
            got[leaf.POSITIVE] += entry.payload[0]
            got[leaf.NEGATIVE] += entry.payload[1]
        got[leaf.REKEYED] += entry.kind == Kind.REKEY
        got[leaf.EXITED] += entry.kind == Kind.EXIT
    got[[leaf.OUT, leaf.FREED, leaf.TIED, leaf.WRITES]] = out, freed, tied, wrote
    got[[leaf.LEFT, leaf.LEFT_STAKE]] = got[leaf.EXITED] * np.array([old.balance, old.stake])
    cells.put("kind", at + 1, got)
    cells.put("to", at + 1, len(reached))
    cells.numbers[:, at] = old.balance - out, old.stake - freed
    cells.numbers[0, at + 1] = max(len(reached) - 1, 0)


def fill_path(
    cells: Cells, first: int, index: int, siblings: Sequence[Digest], nodes: Sequence[Sequence[int]]
) -> list[Sequence[int]]:
    """Both paths from slot `first` on, level by level.   index: of these nodes, before and after, on the first level.

    Returns what the paths lead to.
    """
    nodes = list(nodes)
    cells.put("r", first - 1, nodes[0])
    for level, sibling in enumerate(siblings):
        bit = index >> level & 1
        for turn in (0, 1):
            slot = first + 2 * level + turn
            pair = [*sibling, *nodes[turn]] if bit else [*nodes[turn], *sibling]
            cells.raw[:, slot] = pair
            cells.put("r", slot, [*nodes[1 - turn], *sibling])
            nodes[turn] = _digest_of(pair)
            cells.put("bit", slot, bit)
            cells.put("index", slot, index >> level)
    return nodes


def _digest_of(raw: Sequence[int]) -> list[int]:
    """(8) of (16)."""
    return compress_each(base(raw).reshape(1, WIDTH).view(F))[0].tolist()
