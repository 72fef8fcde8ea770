"""The rollup's benchmark, its transactions: which they are, what they cost done directly, and what ABI would make of them.

The mix, of every 16: 6 transfers, 3 records, 2 accesses, 1 lock, 1 unlock and 1 withdrawal that owners sign; 2 that the
queue brings, evidence and (every fourth) a reward. Directly each is a transaction of its own. The queue gets its entries in
runs of up to 128, a transaction each; what the same runs cost done directly is told beside the mean, under `in_runs`.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
from eth_abi.abi import encode

from bfl_ref.chain.compile import compile_contracts
from bfl_ref.chain.node import Node
from bfl_ref.chain.transactions import transact
from bfl_ref.rollup import entries as e
from bfl_ref.rollup.entries import Entry, Kind
from bfl_ref.statements.rollup.layout import BLOCK, HASHES

SHARE = 8  # one in eight comes from the queue
RUN = 128  # entries of one push at most
REWARDS = 4  # one in four of the queue's
OWNERS = (
    *(Kind.TRANSFER, Kind.RECORD, Kind.LOCK, Kind.TRANSFER, Kind.ACCESS, Kind.RECORD, Kind.TRANSFER),
    *(Kind.UNLOCK, Kind.TRANSFER, Kind.RECORD, Kind.WITHDRAW, Kind.TRANSFER, Kind.ACCESS, Kind.TRANSFER),
)
MOST, STAKE = 1000, 10_000  # units: of an amount; locked at first
OPENINGS = 22  # permutations that a proof opens an account with: two leaves, ten levels before and after


@dataclass(frozen=True)
class Mixed:
    """queue: in order.  lists: account -> what it signs, ROTATE apart."""

    queue: tuple[Entry, ...]
    lists: Mapping[int, tuple[Entry, ...]]

    @property
    def runs(self) -> list[tuple[Entry, ...]]:
        return [self.queue[i : i + RUN] for i in range(0, len(self.queue), RUN)]

    @property
    def entries(self) -> list[Entry]:
        return [*self.queue, *(entry for part in self.lists.values() for entry in part)]


def mixed(transactions: int, accounts: int, rng: np.random.Generator, first: bool = False) -> Mixed:
    """So many transactions of accounts 0, 1, .., each with as many as the next, give or take one.

    first: for accounts that have no stake yet: each begins with a large lock, and locks where others unlock.
    """
    queued = transactions // SHARE
    kinds = list(islice(cycle(OWNERS), transactions - queued))
    lists = {}
    for index in range(accounts):
        own = kinds[len(kinds) * index // accounts : len(kinds) * (index + 1) // accounts]
        part = [_owners(kind, index, accounts, rng) for kind in own]
        if first:
            part = [e.lock(index, x.amount) if x.kind == Kind.UNLOCK else x for x in part]
            part[:1] = [e.lock(index, STAKE)] * len(part[:1])
        lists[index] = tuple(part)
    queue = [
        e.deposit(i % accounts, int(rng.integers(1, MOST)))
        if i % REWARDS == 1
        else e.evidence(i % accounts, *rng.integers(1, MOST, 2).tolist())
        for i in range(queued)
    ]
    return Mixed(tuple(queue), {index: part for index, part in lists.items() if part})


def _owners(kind: Kind, index: int, accounts: int, rng: np.random.Generator) -> Entry:
    digest, amount = tuple(rng.integers(0, 2**30, 5).tolist()), int(rng.integers(1, MOST))
    to = (index + 1 + int(rng.integers(accounts - 1))) % accounts if kind == Kind.TRANSFER else index
    return Entry(kind, index, to, digest if kind in (Kind.RECORD, Kind.ACCESS) else (amount, 0, 0, 0, 0))


def packed(entry: Entry, addresses: Sequence[str]) -> bytes:
    """The call of PackedLedger that does the same."""
    kind, amount = bytes([entry.kind]), entry.amount.to_bytes(4, "big")
    to = bytes.fromhex(addresses[entry.to][2:])
    match entry.kind:
        case Kind.TRANSFER | Kind.DEPOSIT:
            return kind + to + amount
        case Kind.RECORD | Kind.ACCESS:
            return kind + _digest(entry)
        case Kind.EVIDENCE:
            return kind + to + amount + entry.payload[1].to_bytes(4, "big")
    return kind + amount


def abi_encoded(entry: Entry, addresses: Sequence[str]) -> bytes:
    """The call of a contract with a function for each kind, as the ABI has it; the selector's bytes are not zero."""
    to, digest = addresses[entry.to], bytes(12) + _digest(entry)
    match entry.kind:
        case Kind.TRANSFER | Kind.DEPOSIT:
            arguments = encode(["address", "uint256"], [to, entry.amount])
        case Kind.RECORD | Kind.ACCESS:
            arguments = encode(["bytes32"], [digest])
        case Kind.EVIDENCE:
            arguments = encode(["address", "uint256", "uint256"], [to, *entry.payload[:2]])
        case _:
            arguments = encode(["uint256"], [entry.amount])
    return b"\xff" * 4 + arguments


def calldata_gas(data: bytes) -> int:
    """4 a zero byte, 16 any other."""
    return sum(16 if byte else 4 for byte in data)


def permutations(batch: Mixed) -> dict[str, float]:
    """A transaction: of a batch where each account signs once and is opened once; and where each transaction is signed, and
    opens its accounts, by itself.
    """
    entries, lists = batch.entries, batch.lists
    touched = {entry.to for entry in entries} | set(lists)
    signature = BLOCK - OPENINGS + HASHES
    once = len(entries) + len(lists) * (1 + signature) + len(touched) * OPENINGS
    each = sum(
        1 + (1 + signature if entry.kind.by_owner else 0) + OPENINGS * (1 + (entry.kind == Kind.TRANSFER))
        for entry in entries
    )
    return {"one_a_batch": once / len(entries), "one_a_transaction": each / len(entries)}


@dataclass(frozen=True)
class _Bare:
    """A call of a contract without an ABI."""

    to: str
    data: bytes

    def build_transaction(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {**fields, "to": self.to, "data": self.data}


def directly(node: Node, batch: Mixed, owners: int) -> dict[str, Any]:
    """The batch by PackedLedger: gas of each kind and of the mix, and how many transactions the chain does a second.

    owners: only the first so many accounts do what they do, and what the queue brings them, and stand for all.
    in_runs: of the mix, if evidence and rewards come in the queue's runs, all of them.
    Accounts were used before: no slot is written for the first time ever.
    """
    artifact = compile_contracts(["bench/PackedLedger.sol"])["PackedLedger"]
    addresses, pusher = [account.address for account in node.accounts], node.accounts[0]
    factory = node.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    ledger = str(transact(node, factory.constructor(pusher.address), pusher)["contractAddress"])

    def send(sender: Any, *entries: Entry) -> int:
        data = b"".join(packed(entry, addresses) for entry in entries)
        return transact(node, _Bare(ledger, data), sender, rehearsed=False)["gasUsed"]

    send(pusher, *(e.deposit(i, 5_000_000) for i in range(len(addresses))))
    for i in range(owners):
        for entry in (e.lock(i, 1_000_000), e.record(i, (1, 2, 3, 4, 5)), e.withdraw(i, 10)):
            send(node.accounts[i], entry)
    sample = [(node.accounts[i], entry) for i in range(owners) for entry in batch.lists[i]]
    sample += [(pusher, entry) for entry in batch.queue[:owners]]
    gas: dict[str, list[int]] = {}
    begin = time.perf_counter()
    for sender, entry in sample:
        gas.setdefault(entry.kind.name.lower(), []).append(send(sender, entry))
    seconds = time.perf_counter() - begin
    kinds = {kind: sum(used) / len(used) for kind, used in gas.items()}
    count = len(batch.entries)
    total = sum(kinds[entry.kind.name.lower()] for entry in batch.entries)
    saved = sum(kinds[entry.kind.name.lower()] for entry in batch.queue) - sum(
        send(pusher, *run) for run in batch.runs
    )
    calls = [abi_encoded(entry, addresses) for entry in batch.entries]
    return {
        "gas": {**kinds, "mix": total / count, "in_runs": (total - saved) / count},
        "tps": len(sample) / seconds,
        "abi_bytes": sum(map(len, calls)) / count,
        "abi_gas": sum(map(calldata_gas, calls)) / count,
    }


def shares(batch: Mixed) -> dict[str, float]:
    """Of each kind in a batch."""
    counts = Counter(entry.kind.name.lower() for entry in batch.entries)
    return {kind: count / len(batch.entries) for kind, count in counts.items()}


def _digest(entry: Entry) -> bytes:
    return b"".join(x.to_bytes(4, "big") for x in entry.payload)
