"""Phase 9 through the rollup: what a round leaves behind waits in the queue, and one proven batch settles it.

    the contract queues evidence and rewards -> hospitals sign what they submitted -> the sequencer cuts a batch
    -> it is proven, posted, verified -> evidence is collected: the next round selects by it

Every member has an account and a wallet; one of them sequences. A reward is in the member's account as soon as the batch is
settled, and a withdrawal brings it back to the main chain.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from .chain.contracts import System
from .chain.events import EntriesQueued, UpdateCommitted
from .member import Member
from .proving import BatchTask, Prover
from .rollup.entries import decode, record
from .rollup.mempool import Capacity
from .rollup.sequencer import Cut, Sequencer
from .rollup.wallet import Status, Wallet
from .stark.setup import Domain
from .stark.solidity.statements import rollup_setup
from .statements.rollup import Rollup

SIZES = (8, 64)  # accounts for which there is a generated evaluator
WAIT_S = 60.0  # after which a batch is cut although there is room; a round's end does not wait for it
_SEED, _SALT = b"bfl_ref/rollup/seed", b"bfl_ref/rollup/salt"


def room(members: int) -> Capacity:
    """Of batches for so many members. ValueError for more than 64."""
    fitting = [size for size in SIZES if size >= members]
    if not fitting:
        raise ValueError(f"expected at most {SIZES[-1]} members with a rollup, got {members}")
    return Capacity(Rollup(fitting[0]).layout.entries, fitting[0])


class Layer2:
    """The rollup of a federation at work. folder: for the wallets and the sequencer's log.

    sequencer: the member that posts batches, and pays a bond for its seat.   prover: makes the batches' proofs.
    seed: of their randomness, for runs that are repeated bit by bit; None: the operating system's.
    """

    def __init__(
        self,
        system: System,
        members: Sequence[Member],
        sequencer: Member,
        folder: Path,
        prover: Prover,
        seed: int | None = None,
    ) -> None:
        """Opens an account for each member, takes the sequencer's seat, and settles the batch that enrols the keys."""
        self.system, self.prover, self.poster, self.seed = system, prover, sequencer.account, seed
        self.capacity = room(len(members))
        self.domain = system.rollup.domain()
        folder.mkdir()
        Sequencer.create(folder / "log.sqlite", self.domain)
        self.sequencer = Sequencer(folder / "log.sqlite", self.domain, self.capacity, WAIT_S)
        bond, first = system.rollup.parameters().bond, system.node.web3.eth.block_number
        system.token.approve(system.rollup.address, bond, sender=self.poster)
        system.rollup.register(sender=self.poster)
        self.wallets: dict[str, Wallet] = {
            m.account.address: self._open(m.account, folder / f"{m.name}.json") for m in members
        }
        turn = system.rollup.parameters().turn
        system.node.wait_blocks(max(0, first + turn + 1 - system.node.web3.eth.block_number))
        self.settled: list[Cut] = []
        self._settle()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sequencer.close()

    def settle(self, round_id: int) -> None:
        """Batches what the round queued, and what its hospitals sign: a record of the update that each committed to."""
        committed = {
            event.hospital: event.commitment
            for event in self.system.events()
            if isinstance(event, UpdateCommitted) and event.round_id == round_id
        }
        for address, commitment in committed.items():
            wallet = self.wallets[address]
            if wallet.follow(self.sequencer.account(wallet.index)) == Status.OPEN:
                self.sequencer.submit(wallet.sign([record(wallet.index, record_of(commitment))]), self._now())
        self._settle()
        self.system.settlement.collect(list(self.wallets), sender=self.poster)

    def _open(self, account: LocalAccount, path: Path) -> Wallet:
        secret = bytes(account.key)
        index = self.system.rollup.opened()
        seed, salt = keccak(_SEED + secret), keccak(_SALT + secret)
        wallet = Wallet.create(path, seed, index, self.domain, rng=lambda count: salt[:count])
        opened = self.system.rollup.open(wallet.cancel().payload, sender=account)
        assert opened == index, "nobody else opens accounts meanwhile"
        return wallet

    def _settle(self) -> None:
        """Takes in the queue, then proves and posts batches until nothing waits."""
        for event in self.system.events():
            if isinstance(event, EntriesQueued):
                self.sequencer.queue(event.number, decode(event.entries), self._now())
        while (cut := self.sequencer.cut(self._now(), at_once=True)) is not None:
            (proof,) = self.prover([self._task(cut)])
            assert proof is not None, "what the ledger took is a trace"
            self.system.rollup.submit(cut.applied.data, cut.applied.tree.root, proof, sender=self.poster)
            self.sequencer.settle(self.system.rollup.batches(), self.system.rollup.root())
            self.settled.append(cut)

    def _task(self, cut: Cut) -> BatchTask:
        where = Domain(self.system.node.web3.eth.chain_id, self.system.rollup.address, cut.number)
        seed = None if self.seed is None else self.seed + cut.number
        return BatchTask(self.capacity.accounts, cut.tree, cut.batch, self.domain, where, seed)

    def _now(self) -> float:
        return float(self.system.node.web3.eth.get_block("latest")["timestamp"])


def record_of(commitment: bytes) -> tuple[int, ...]:
    """(5,): five words of 30 bits of a commitment's keccak."""
    digest = keccak(commitment)
    return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "big") & 0x3FFFFFFF for i in range(5))


def ready() -> None:
    """What a process needs that proves batches of small federations."""
    assert rollup_setup(SIZES[0]).security.bits >= 100
