"""Seeded batches of the rollup: states, lists with valid signatures, queues. rollup_faults.py breaks them."""

from dataclasses import dataclass, field, replace

import numpy as np

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import ACCOUNTS, AMOUNT_LIMIT, Account, StateTree
from bfl_ref.rollup.ledger import Batch
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.signatures import OneTimeKey, domain_elements, sign
from bfl_ref.stark.field import P

CHAIN_ID, CONTRACT = 31337, "0x00000000000000000000000000000000000000c0"
DOMAIN = domain_elements(CHAIN_ID, CONTRACT)


@dataclass(frozen=True)
class Case:
    """batch is to be applied to tree. seeds: account -> secret seed of its one-time keys."""

    tree: StateTree
    batch: Batch
    seeds: dict[int, bytes] = field(default_factory=dict)

    def signed(self, index: int, *entries: e.Entry) -> SignedList:
        """A list by the account's present key, ROTATE to its next one appended."""
        key = OneTimeKey(self.seeds[index], index, self.tree[index].nonce)
        listed = *entries, e.rotate(index, replace(key, nonce=key.nonce + 1).digest)
        return SignedList(index, listed, sign(key, listed, DOMAIN), key.nonce)


def make(seed: int, entries: int, accounts: int) -> Case:
    """`entries` entries (queue's and lists', ROTATE counted) that touch at most `accounts` accounts, all of which have keys
    but one in eight. Every kind occurs if there is room.
    """
    rng = np.random.default_rng(seed)
    indices = sorted(rng.choice(ACCOUNTS, accounts, replace=False).tolist())
    seeds = {index: rng.bytes(32) for index in indices}
    most = AMOUNT_LIMIT // (4 * accounts)
    held = {}
    for place, index in enumerate(indices):
        nonce, balance, stake = (int(x) for x in rng.integers(0, [1000, most, most]))
        key = (0,) * 5 if place % 8 == 7 else OneTimeKey(seeds[index], index, nonce).digest
        held[index] = Account(key, elements(rng), balance, stake, nonce, *rng.integers(0, 100, 2).tolist())
    return following(Case(StateTree(held), Batch(), seeds), rng, entries)


def following(case: Case, rng: np.random.Generator, entries: int) -> Case:
    """A batch of so many entries on the case's state."""
    tree, indices = case.tree, list(case.seeds)
    queue = _queue(case, rng, entries // 8)
    barred = {entry.to for entry in queue if entry.kind in (e.Kind.REKEY, e.Kind.EXIT)}
    signers = [index for index in indices if any(tree[index].key) and index not in barred]
    if not signers:
        return replace(case, batch=Batch(tuple(_queue(case, rng, entries))))
    left = entries - len(queue)
    signers = sorted(rng.permutation(signers)[: max(1, left // 2)].tolist())
    sizes = 1 + rng.multinomial(left - len(signers), [1 / len(signers)] * len(signers))
    lists = [
        case.signed(index, *_list(tree[index], index, indices, rng, size - 1))
        for index, size in zip(signers, sizes.tolist(), strict=True)
    ]
    order = rng.permutation(len(lists)).tolist()
    return replace(case, batch=Batch(tuple(queue), tuple(lists[i] for i in order)))


def _queue(case: Case, rng: np.random.Generator, count: int) -> list[e.Entry]:
    """Deposits and evidence; the first two entries are an enrolment and an exit."""
    queue, indices = [], list(case.seeds)
    rekeyed, exiting = (int(i) for i in rng.choice(indices, 2))
    rekeyed = next((index for index in indices if not any(case.tree[index].key)), rekeyed)
    for k in range(count):
        index = int(rng.choice(indices))
        if k == 0:
            key = OneTimeKey(case.seeds[rekeyed], rekeyed, case.tree[rekeyed].nonce + 1)
            queue.append(e.rekey(rekeyed, key.digest))
        elif k == 1:
            queue.append(e.exit_all(exiting, case.tree[exiting].balance, case.tree[exiting].stake))
        elif rng.integers(2):
            queue.append(e.deposit(index, int(rng.integers(1000))))
        else:
            queue.append(e.evidence(index, *rng.integers(0, 10, 2).tolist()))
    return [queue[i] for i in rng.permutation(count).tolist()]


def _list(
    account: Account, index: int, indices: list[int], rng: np.random.Generator, count: int
) -> list[e.Entry]:
    balance, stake, made = account.balance, account.stake, []
    for kind in rng.integers(1, e.Kind.ROTATE, count).tolist():
        amount = int(rng.integers(0, (stake if kind == e.Kind.UNLOCK else balance) // 4 + 1))
        if kind in (e.Kind.TRANSFER, e.Kind.LOCK, e.Kind.WITHDRAW):
            balance -= amount
        elif kind == e.Kind.UNLOCK:
            stake -= amount
        to = int(rng.choice(indices)) if kind == e.Kind.TRANSFER else index
        payload = elements(rng) if kind in (e.Kind.RECORD, e.Kind.ACCESS) else (amount, 0, 0, 0, 0)
        made.append(e.Entry(e.Kind(kind), index, to, payload))
    return made


def elements(rng: np.random.Generator, count: int = 5) -> tuple[int, ...]:
    """Random field elements."""
    return tuple(rng.integers(0, P, count).tolist())
