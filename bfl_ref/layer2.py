"""Phase 9 through the rollup: what a round leaves behind waits in the queue, and one proven batch settles it.

    the contract queues evidence and rewards -> hospitals sign what they submitted, and what they let others read
    -> the sequencer cuts a batch -> it is proven, posted, verified -> evidence is collected: the next round selects by it

Every member has an account and a wallet; one of them sequences. A reward is in the member's account as soon as the batch is
settled, and a withdrawal brings it back to the main chain.

A round never waits for the rollup: what cannot be posted (the sequencer has lost its seat) stays in queue and log, and once
the rollup is frozen the contract settles rounds at once.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from .chain.contracts import System
from .chain.errors import ContractError
from .chain.events import AccessAllowed, BatchSettled, EntriesQueued, UpdateCommitted
from .chain.rollup import root_of
from .member import Member
from .proving import BatchTask, Prover
from .rollup.entries import access, decode, record
from .rollup.mempool import Capacity
from .rollup.sequencer import Cut, Sequencer
from .rollup.wallet import Status, Wallet
from .stark.setup import Domain
from .statements.rollup import Rollup

SIZES = (8, 64)  # accounts for which there is a generated evaluator
ACCESSES = 16  # that a member signs for after one round, so that its list fits beside the others'; the rest after the next
WAIT_S = 60.0  # after which a batch is cut although there is room; a round's end does not wait for it
_SEED, _SALT = b"bfl_ref/rollup/seed", b"bfl_ref/rollup/salt"


def room(members: int) -> Capacity:
    """Of batches for so many members. ValueError for more than 64."""
    fitting = [size for size in SIZES if size >= members]
    if not fitting:
        raise ValueError(f"expected at most {SIZES[-1]} members with a rollup, got {members}")
    return Capacity(Rollup(fitting[0]).layout.entries, fitting[0])


class Layer2:
    """The rollup of a federation at work; to be closed.   folder: to be made, for the wallets and the sequencer's log.

    sequencer: the member that posts batches, and pays a bond for its seat.   prover: makes the batches' proofs.
    seed: of their randomness and of wallets' salts, for runs that are repeated bit by bit; None: the operating system's.
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
        self.settled: list[Cut] = []
        self._recorded: dict[str, int] = {}  # member -> accesses that it has signed for
        folder.mkdir()
        Sequencer.create(folder / "log.sqlite", self.domain)
        self.sequencer = Sequencer(folder / "log.sqlite", self.domain, self.capacity, WAIT_S)
        try:
            bond = system.rollup.parameters().bond
            system.token.approve(system.rollup.address, bond, sender=self.poster)
            system.rollup.register(sender=self.poster)
            self.wallets: dict[str, Wallet] = {
                m.account.address: self._open(m.account, folder / f"{number}.json")
                for number, m in enumerate(members)
            }
            self._settle()
        except BaseException:
            self.sequencer.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sequencer.close()

    def settle(self, round_id: int) -> None:
        """Batches what the round queued, and what its hospitals sign: a record of the update that each committed to, and of
        each access to a record of theirs that the contract allowed.

        ContractError if a batch is refused although it was the sequencer's turn.
        """
        if self.system.rollup.is_frozen():
            return
        events = self.system.events()
        committed = {
            e.hospital: e.commitment
            for e in events
            if isinstance(e, UpdateCommitted) and e.round_id == round_id
        }
        allowed = [e for e in events if isinstance(e, AccessAllowed)]
        for address in dict.fromkeys([*committed, *(e.custodian for e in allowed)]):
            wallet = self.wallets.get(address)  # none: it became a member later
            if wallet is None or wallet.follow(self.sequencer.account(wallet.index)) != Status.OPEN:
                continue
            done = self._recorded.get(address, 0)
            new = [e for e in allowed if e.custodian == address][done : done + ACCESSES]
            said = [access(wallet.index, access_of(event)) for event in new]
            if address in committed:
                said.append(record(wallet.index, record_of(committed[address])))
            if said:
                self.sequencer.submit(wallet.sign(said), self._now())
                self._recorded[address] = done + len(new)
        self._settle()
        self.system.settlement.collect(list(self.wallets), sender=self.poster)

    def _open(self, account: LocalAccount, path: Path) -> Wallet:
        secret = bytes(account.key)
        index = self.system.rollup.opened()
        salt = secrets.token_bytes if self.seed is None else lambda count: keccak(_SALT + secret)[:count]
        wallet = Wallet.create(path, keccak(_SEED + secret), index, self.domain, rng=salt)
        opened = self.system.rollup.open(wallet.cancel().payload, sender=account)
        assert opened == index, "nobody else opens accounts meanwhile"
        return wallet

    def _settle(self) -> None:
        """Takes in the queue, then proves and posts batches until nothing waits, or nothing can be posted."""
        self._catch_up()
        while self._has_turn() and (cut := self._next()) is not None:
            (proof,) = self.prover([self._task(cut)])
            assert proof is not None, "what the ledger took is a trace"
            if not self._has_turn():
                return
            try:
                self.system.rollup.submit(cut.applied.data, cut.applied.tree.root, proof, sender=self.poster)
            except ContractError:
                if not self._catch_up():
                    raise
            else:
                self.sequencer.settle(cut.number, cut.applied.tree.root)
                self.settled.append(cut)

    def _next(self) -> Cut | None:
        """The first batch that is not settled."""
        return next(iter(self.sequencer.cuts), None) or self.sequencer.cut(self._now(), at_once=True)

    def _catch_up(self) -> bool:
        """Takes in what the queue has, and batches of other sequencers. Whether there were any."""
        events, before = self.system.events(), self.sequencer.settled
        for event in events:
            if isinstance(event, EntriesQueued):
                self.sequencer.queue(event.number, decode(event.entries), self._now())
        for event in events:
            if isinstance(event, BatchSettled) and event.number > self.sequencer.settled:
                data = self.system.rollup.data_of(event)
                self.sequencer.yield_to(event.number, data, root_of(event.new_root))
        return self.sequencer.settled > before

    def _has_turn(self) -> bool:
        """Whether the sequencer may post in the next block. Waits while it is another's turn; False if it gets none."""
        rollup, node = self.system.rollup, self.system.node
        length = rollup.parameters().turn
        while not rollup.is_frozen():
            block = node.web3.eth.block_number + 1
            turn = rollup.turn_of(block)
            if rollup.in_turn(turn) == self.poster.address:
                return True
            if not any(
                s.sequencer == self.poster.address and turn + 1 < s.until_turn for s in rollup.seats()
            ):
                return False
            node.wait_blocks(length - block % length)
        return False

    def _task(self, cut: Cut) -> BatchTask:
        where = Domain(self.system.node.web3.eth.chain_id, self.system.rollup.address, cut.number)
        seed = None if self.seed is None else self.seed + cut.number
        return BatchTask(self.capacity.accounts, cut.tree, cut.batch, self.domain, where, seed)

    def _now(self) -> float:
        return float(self.system.node.web3.eth.get_block("latest")["timestamp"])


def record_of(commitment: bytes) -> tuple[int, ...]:
    """(5,): of an update's commitment."""
    return _words(commitment)


def access_of(allowed: AccessAllowed) -> tuple[int, ...]:
    """(5,): of a request and the consent it was allowed under, whose id stands for all of its terms."""
    return _words(allowed.request_id.to_bytes(32) + allowed.consent_id)


def _words(content: bytes) -> tuple[int, ...]:
    """(5,): words of 30 bits of the content's keccak."""
    digest = keccak(content)
    return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "big") & 0x3FFFFFFF for i in range(5))
