"""Accounts of the rollup and the Merkle tree of depth 10 that holds them: its root is what the contract keeps.

    leaf = compress(key[5] | record[5] | balance, stake, nonce, positive, negative | 5)
    node = compress(left[8] | right[8])

An account that nobody has used is all zeros; its leaf is no special one. A tree is a value: a change makes another tree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..fixed_point.digests import compress_each
from ..stark.field import F, P, from_bytes
from ..statements.poseidon2 import DIGEST
from .refusals import WrongPath

DEPTH = 10
ACCOUNTS = 1 << DEPTH
LEAF_TAG = 5
KEY = RECORD = 5  # elements
AMOUNT_LIMIT = 1 << 29  # of a balance, a stake, an amount; and of all that is inside together

Digest = tuple[int, ...]


@dataclass(frozen=True)
class Account:
    """key: digest of the one-time key that signs next, zeros if none may.  record: digest of the last submission.

    balance, stake: units of 1/1000 token, below 2^29.  nonce: keys replaced so far.  positive, negative: evidence, modulo
    p.  ValueError out of range.
    """

    key: tuple[int, ...] = (0,) * KEY
    record: tuple[int, ...] = (0,) * RECORD
    balance: int = 0
    stake: int = 0
    nonce: int = 0
    positive: int = 0
    negative: int = 0

    def __post_init__(self) -> None:
        if len(self.key) != KEY or len(self.record) != RECORD:
            raise ValueError(
                f"expected {KEY} elements of key and record, got {len(self.key)} and {len(self.record)}"
            )
        if not (0 <= self.balance < AMOUNT_LIMIT and 0 <= self.stake < AMOUNT_LIMIT):
            raise ValueError(f"expected amounts from 0 to 2^29 - 1, got {self.balance} and {self.stake}")
        if not all(0 <= x < P for x in self.elements):
            raise ValueError(f"expected elements from 0 to p - 1, got {self.elements}")

    @property
    def elements(self) -> tuple[int, ...]:
        """(15,): what the leaf hashes."""
        return *self.key, *self.record, *self.closing

    @property
    def closing(self) -> tuple[int, ...]:
        """(5,): balance, stake, nonce, positive, negative; a batch publishes them at its end."""
        return self.balance, self.stake, self.nonce, self.positive, self.negative

    def to_bytes(self) -> bytes:
        """60 bytes: the elements, 4 bytes big-endian each."""
        return np.array(self.elements, ">u4").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Account":
        """Inverse of `to_bytes`. ValueError."""
        elements = from_bytes(data).view(np.ndarray).tolist()
        return cls(tuple(elements[:KEY]), tuple(elements[KEY : KEY + RECORD]), *elements[KEY + RECORD :])


EMPTY = Account()


def leaf(accounts: Sequence[Account]) -> F:
    """(8, n): the leaves of n accounts."""
    rows = [(*account.elements, LEAF_TAG) for account in accounts]
    return compress_each(np.array(rows, np.uint32).reshape(-1, 2 * DIGEST).view(F)).T


@cache
def empty_digests() -> tuple[Digest, ...]:
    """(11): digest of a subtree without accounts, of height 0 (the leaf) to 10 (the root)."""
    found = [_tuples(leaf([EMPTY]).T)[0]]
    for _ in range(DEPTH):
        found += _nodes([found[-1]], [found[-1]])
    return tuple(found)


class StateTree:
    """Accounts 0 .. 1023 under one root. Only what differs from the empty tree is stored, and only what changes is hashed.

    accounts: index -> account; those left out are empty.
    """

    def __init__(self, accounts: Mapping[int, Account] | None = None) -> None:
        self._accounts: dict[int, Account] = {}
        self._levels: list[dict[int, Digest]] = [{} for _ in range(DEPTH + 1)]
        self._put(accounts or {})

    @property
    def root(self) -> Digest:
        """(8,)"""
        return self._digest(DEPTH, 0)

    def __getitem__(self, index: int) -> Account:
        _check_index(index)
        return self._accounts.get(index, EMPTY)

    @property
    def accounts(self) -> dict[int, Account]:
        """Those that are not empty; `StateTree(tree.accounts)` is the same tree."""
        return dict(sorted(self._accounts.items()))

    def replaced(self, index: int, account: Account) -> "StateTree":
        """The tree with this account at that index."""
        return self.replaced_all({index: account})

    def replaced_all(self, accounts: Mapping[int, Account]) -> "StateTree":
        """The tree with all these accounts in their places: each digest above them is computed once."""
        other = StateTree()
        other._accounts = dict(self._accounts)
        other._levels = [dict(level) for level in self._levels]
        other._put(accounts)
        return other

    def siblings(self, index: int) -> tuple[Digest, ...]:
        """(10) digests beside the path from the leaf to the root, leaf's level first."""
        _check_index(index)
        return tuple(self._digest(level, (index >> level) ^ 1) for level in range(DEPTH))

    def _digest(self, level: int, position: int) -> Digest:
        return self._levels[level].get(position) or empty_digests()[level]

    def _put(self, accounts: Mapping[int, Account]) -> None:
        for index in accounts:
            _check_index(index)
        self._accounts |= accounts
        for index in [i for i in accounts if self._accounts[i] == EMPTY]:
            del self._accounts[index]
        self._levels[0].update(zip(accounts, _tuples(leaf(list(accounts.values())).T), strict=True))
        changed = sorted(accounts)
        for level in range(DEPTH):
            changed = sorted({position >> 1 for position in changed})
            sides = [[self._digest(level, 2 * p + side) for p in changed] for side in (0, 1)]
            self._levels[level + 1].update(zip(changed, _nodes(*sides), strict=True))


def check_path(root: Digest, index: int, account: Account, siblings: Sequence[Digest]) -> None:
    """Returns if the account is at that index of the tree with that root. WrongPath.

    siblings: (10, 8), leaf's level first.
    """
    _check_index(index)
    if len(siblings) != DEPTH or any(len(s) != DIGEST or not all(0 <= x < P for x in s) for s in siblings):
        raise WrongPath(f"expected {DEPTH} siblings of {DIGEST} elements below p")
    digest = _tuples(leaf([account]).T)[0]
    for level, sibling in enumerate(siblings):
        left, right = (sibling, digest) if index >> level & 1 else (digest, sibling)
        digest = _nodes([left], [right])[0]
    if digest != tuple(root):
        raise WrongPath(f"account {index}: the path leads to {digest}, not to {tuple(root)}")


def _nodes(left: Sequence[Digest], right: Sequence[Digest]) -> list[Digest]:
    rows = [(*a, *b) for a, b in zip(left, right, strict=True)]
    return _tuples(compress_each(np.array(rows, np.uint32).reshape(-1, 2 * DIGEST).view(F)))


def _tuples(digests: F) -> list[Digest]:
    return [tuple(row) for row in digests.view(np.ndarray).tolist()]


def _check_index(index: int) -> None:
    if not 0 <= index < ACCOUNTS:
        raise ValueError(f"expected an index from 0 to {ACCOUNTS - 1}, got {index}")
