"""Owners who sign lists for a sequencer, and a chain in a file that takes its batches."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from eth_utils import keccak
from rollup_cases import DOMAIN

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import Account, Digest, StateTree
from bfl_ref.rollup.ledger import replay
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.mempool import Capacity
from bfl_ref.rollup.sequencer import Cut, Sequencer
from bfl_ref.rollup.signatures import OneTimeKey, sign

CAPACITY = Capacity(16, 8)
WAIT_S = 5.0
OWNERS = 6
GENESIS = StateTree(
    {i: Account(OneTimeKey(bytes([i]) * 32, i, 0).digest, balance=1000, stake=500) for i in range(OWNERS)}
)


def signed(index: int, nonce: int, *entries: e.Entry, next_seed: bytes | None = None) -> bytes:
    key = OneTimeKey(bytes([index]) * 32, index, nonce)
    listed = *entries, e.rotate(index, OneTimeKey(next_seed or key.seed, index, nonce + 1).digest)
    return SignedList(index, listed, sign(key, listed, DOMAIN), nonce).to_bytes()


def create(path: Path) -> None:
    Sequencer.create(path, DOMAIN, GENESIS)


def opened(path: Path, capacity: Capacity = CAPACITY, wait_s: float = WAIT_S) -> Sequencer:
    return Sequencer(path, DOMAIN, capacity, wait_s)


def prove(made: Cut) -> bytes:
    """Stands for a proof: it can be checked that it is of this batch."""
    return keccak(made.applied.data)


@dataclass(frozen=True)
class FileChain:
    """Takes batches whose number is the next one, with the state before, the proof and data that lead to the root."""

    path: Path

    def batches(self) -> list[dict]:
        return json.loads(self.path.read_text()) if self.path.exists() else []

    def landed(self) -> tuple[int, Digest]:
        batches = self.batches()
        return len(batches), tuple(batches[-1]["root"]) if batches else GENESIS.root

    def post(self, made: Cut, proof: bytes) -> None:
        number, root = self.landed()
        assert made.number == number + 1 and made.tree.root == root, f"batch {made.number} after {number}"
        assert proof == prove(made)
        self.add(made.applied.data, made.applied.tree.root)

    def add(self, data: bytes, root: Digest) -> None:
        """At once, or not at all."""
        text = json.dumps([*self.batches(), {"data": data.hex(), "root": root}])
        unfinished = self.path.with_suffix(".new")
        unfinished.write_text(text)
        os.replace(unfinished, self.path)

    def state(self) -> StateTree:
        """Replayed from the data alone."""
        tree = GENESIS
        for batch in self.batches():
            tree = replay(tree, bytes.fromhex(batch["data"]), tuple(batch["root"]))
        return tree
