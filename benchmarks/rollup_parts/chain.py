"""The rollup's benchmark, its place: a rollup on a chain, its members with wallets, its sequencer; each step timed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from eth_utils import to_bytes

from benchmarks.rollup_parts.mix import RUN, Mixed, calldata_gas
from benchmarks.stark import first_proof
from bfl_ref.chain.clients import UtilityToken
from bfl_ref.chain.compile import compile_contracts, system_sources
from bfl_ref.chain.consortium import Consortium
from bfl_ref.chain.contracts import PUSHER_ROLE, SYSTEM_ROLE
from bfl_ref.chain.events import EntriesQueued
from bfl_ref.chain.node import Node
from bfl_ref.chain.records import Role
from bfl_ref.chain.rollup import Rollup, RollupParameters, root_bytes
from bfl_ref.chain.stark import StarkVerifier, deploy_verifier, evaluator_of
from bfl_ref.chain.transactions import transact
from bfl_ref.proving import BatchTask, prove_step
from bfl_ref.rollup.entries import decode, deposit, encode
from bfl_ref.rollup.mempool import Capacity
from bfl_ref.rollup.sequencer import Cut, Sequencer
from bfl_ref.rollup.wallet import Status, Wallet
from bfl_ref.stark.setup import Domain
from bfl_ref.stark.solidity.statements import rollup_setup
from bfl_ref.statements.rollup import Rollup as Statement

ENDOWMENT = 1_000_000  # units that each account begins with
TOKENS = 10**26
TRANSACTION = 21_000  # gas of any, before it does anything


@dataclass
class Site:
    """The first accounts of the node are members with accounts of the rollup; the next one sequences.

    relay: pushes, which only a contract may; what it takes for handing on is counted.
    """

    node: Node
    accounts: int
    rollup: Rollup
    verifier: StarkVerifier
    relay: Any
    sequencer: Sequencer
    wallets: list[Wallet]
    seen: int = 0

    @property
    def operator(self) -> Any:
        return self.node.accounts[self.accounts]

    def push(self, batch: Mixed) -> tuple[int, float]:
        """Queues what the queue is to bring; (gas, seconds)."""
        gas, begin = 0, time.perf_counter()
        for run in batch.runs:
            push = self.rollup.address, self.rollup.contract.encode_abi("push", [encode(run)])
            call = self.relay.functions.forward([push])
            gas += transact(self.node, call, self.operator, rehearsed=False)["gasUsed"]
        return gas, time.perf_counter() - begin

    def take_in(self) -> None:
        """What is queued and was not taken in."""
        head = self.node.web3.eth.block_number
        query = {"fromBlock": self.seen + 1, "toBlock": head, "address": self.rollup.address}
        for event in self.rollup.events(self.node.web3.eth.get_logs(query)):  # type: ignore[arg-type]
            if isinstance(event, EntriesQueued):
                self.sequencer.queue(event.number, decode(event.entries), time.time())
        self.seen = head

    def sign(self, batch: Mixed) -> list[bytes]:
        """Every list by its owner's wallet."""
        signed = []
        for index, entries in batch.lists.items():
            wallet = self.wallets[index]
            assert wallet.follow(self.sequencer.account(index)) == Status.OPEN
            signed.append(wallet.sign(entries))
        return signed

    def accept(self, lists: Sequence[bytes]) -> float:
        """Seconds of the sequencer."""
        begin = time.perf_counter()
        for data in lists:
            self.sequencer.submit(data, time.time())
        return time.perf_counter() - begin

    def cut(self) -> Cut:
        """Everything that waits and is queued, as one batch."""
        self.take_in()
        cut = self.sequencer.cut(time.time(), at_once=True)
        assert cut is not None and not self.sequencer.waiting
        return cut

    def task(self, cut: Cut) -> BatchTask:
        return BatchTask(self.accounts, cut.tree, cut.batch, self.rollup.domain(), self._domain(cut))

    def settle(self, cut: Cut, proof: bytes) -> tuple[int, float]:
        """(gas, seconds) of the transaction."""
        begin = time.perf_counter()
        self.rollup.submit(cut.applied.data, cut.applied.tree.root, proof, sender=self.operator)
        seconds = time.perf_counter() - begin
        self.sequencer.settle(self.rollup.batches(), self.rollup.root())
        return self.rollup.gas["Rollup.submit"][-1], seconds

    def calldata_gas(self, cut: Cut, proof: bytes) -> int:
        """Of the transaction that settles the batch."""
        arguments = [cut.applied.data, root_bytes(cut.applied.tree.root), proof]
        return calldata_gas(to_bytes(hexstr=self.rollup.contract.encode_abi("submit", arguments)))

    def verification(self, cut: Cut, proof: bytes) -> int:
        """Gas that the verifier takes, in a transaction of its own, less the transaction and its calldata."""
        public = [*cut.tree.root, *cut.applied.tree.root, *self.rollup.domain()]
        where, data = self._domain(cut), cut.applied.data
        cost = self.verifier.cost(proof, where, public, self.operator, data)
        calldata = (cost.floor_gas - TRANSACTION) * 4 // 10  # the floor is 10 where calldata is 4
        return cost.gas - calldata - TRANSACTION

    def _domain(self, cut: Cut) -> Domain:
        return Domain(self.node.web3.eth.chain_id, self.rollup.address, cut.number)


@contextmanager
def open_site(node: Node, accounts: int, folder: Path) -> Iterator[Site]:
    """Contracts deployed, accounts opened, their first balances pushed; nothing settled yet."""
    artifacts = compile_contracts([*system_sources(), "test/Relay.sol"])
    gas: dict[str, list[int]] = {}
    members, operator = node.accounts[: accounts + 1], node.accounts[accounts]
    addresses = [account.address for account in members]
    abis = [artifact.abi for artifact in artifacts.values()]

    def create(name: str, *arguments: Any) -> Any:
        factory = node.web3.eth.contract(abi=artifacts[name].abi, bytecode=artifacts[name].bytecode)
        address = transact(node, factory.constructor(*arguments), operator)["contractAddress"]
        return node.web3.eth.contract(address, abi=artifacts[name].abi, decode_tuples=True)

    made = rollup_setup(accounts)
    verifier = deploy_verifier(node, made, evaluator_of(made), operator)
    roles = [int(Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR)] * len(members)
    consortium = Consortium(node, create("Consortium", addresses, roles, 100, 2), abis, gas)
    relay = create("Relay")
    holders, amounts = [operator.address], [TOKENS]
    token = UtilityToken(node, create("UtilityToken", consortium.address, holders, amounts), abis, gas)
    rules = astuple(RollupParameters(run=RUN))
    contract = create("Rollup", consortium.address, token.address, verifier.address, token.address, rules)
    rollup = Rollup(node, contract, abis, gas)
    powers = [(SYSTEM_ROLE, holder.address) for holder in (token, rollup, relay)]
    consortium.seal([*powers, (PUSHER_ROLE, relay.address)], sender=operator)
    token.transfer(relay.address, TOKENS, sender=operator)
    allow = token.contract.encode_abi("approve", [rollup.address, TOKENS])
    transact(node, relay.functions.forward([(token.address, allow)]), operator)
    rollup.register(sender=operator)
    domain, statement = rollup.domain(), Statement(accounts)
    wallets = []
    for index, member in enumerate(members[:-1]):
        wallet = Wallet.create(folder / f"{index}.json", bytes(member.key), index, domain)
        rollup.open(wallet.cancel().payload, sender=member)
        wallets.append(wallet)
    node.wait_blocks(2 * RollupParameters.turn)
    Sequencer.create(folder / "log.sqlite", domain)
    capacity = Capacity(statement.layout.entries, accounts)
    with Sequencer(folder / "log.sqlite", domain, capacity, 60.0) as sequencer:
        site = Site(node, accounts, rollup, verifier, relay, sequencer, wallets)
        site.push(Mixed(tuple(deposit(index, ENDOWMENT) for index in range(accounts)), {}))
        yield site


def timed_proof(task: BatchTask) -> tuple[bytes, float]:
    """(proof, seconds), the set-up and compiled code being there."""
    first_proof()
    assert rollup_setup(task.accounts).security.bits >= 100
    begin = time.perf_counter()
    proof = prove_step(task)
    assert proof is not None
    return proof, time.perf_counter() - begin
