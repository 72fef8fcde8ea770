"""Members of shared rounds: they prove what they share, keep shares of others, and publish sums only, with proofs.

A hospital's update leaves it as Shamir shares, one sealed to each seat of the committee; the chain has their digests, which
the release proof binds to the audited states. A seat keeps shares in a process of its own (aggregator_process.py) or, in
tests, in an object here; what it publishes is the sum over each group of survivors, and the proof that it is just that.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from eth_utils import keccak

from . import scoring
from .aggregation import Origin
from .aggregator import Aggregator, MissingShare, RefusedMessage, share_message
from .aggregator_process import AggregatorGone, AggregatorProcess, Unreachable, deliver
from .chain.events import Complained, SharesCommitted, ShareShown, SumSubmitted
from .chain.records import Content, Release
from .fixed_point import State, digest_bytes
from .integers import pack_update
from .member import Round
from .proving import ReleaseTask, SumTask
from .sharing import digest, random_coefficients, salt_length, uniform, unpack
from .stark.field import F, to_bytes
from .stark.setup import Domain
from .statements.release_trace import Sharing, bucket
from .statements.sum_share import Addends
from .store import cid_of
from .verified import VerifiedMember

DELIVERY_SECONDS = 5.0
T = TypeVar("T")
Mailbox = Callable[[bytes], None]
"""Hands a share message to an aggregator. RefusedMessage, or Unreachable."""


class Keeper(Protocol):
    """What keeps a seat's shares: an Aggregator, or the handle of a process that is one."""

    def expect(self, round_key: bytes, seat: int, digests: Mapping[str, bytes], length: int) -> None: ...

    def learn(self, hospital: str, elements: Sequence[int]) -> None: ...

    @property
    def held(self) -> tuple[str, ...]: ...

    def shares_of(self, hospitals: Sequence[str]) -> bytes: ...


Keep = Callable[[bytes], tuple[Keeper, Mailbox]]
"""How an aggregator with this X25519 key keeps shares, and where it takes them."""


def keep_here(key: bytes) -> tuple[Keeper, Mailbox]:
    """In an object of this process: for tests and notebooks."""
    aggregator = Aggregator(key)
    return aggregator, aggregator.receive


@contextmanager
def keepers_in_processes() -> Iterator[Keep]:
    """Each in a process of its own, which speaks over loopback and ends with the `with` block."""
    with ExitStack() as stack:

        def keep(key: bytes) -> tuple[Keeper, Mailbox]:
            process = stack.enter_context(AggregatorProcess(key))
            return process, lambda message: deliver(process.address, message, DELIVERY_SECONDS)

        yield keep


@dataclass(frozen=True, eq=False)
class SharedMember(VerifiedMember):
    """keeper: an aggregator's, which has the key of its mailbox; None: it is none, or answers nothing.

    sharings: what a hospital shared, and the proof, by round.
    """

    keeper: Keeper | None = field(default=None, kw_only=True)
    sharings: dict[int, tuple[Sharing, bytes | None]] = field(default_factory=dict, kw_only=True)

    # ---------------------------------------------------------------- hospital

    def release(self, round_: Round, update: list[State]) -> ReleaseTask:
        """Shares the update, by coefficients and salts drawn for this round; what its release proof is made from."""
        committee, own = round_.system.committee, self.account.address
        said = committee.sharing_of(round_.round_id)
        slots = len(round_.model)
        coefficients = random_coefficients(slots, said.threshold, self.rng)
        salts = uniform(said.aggregators * salt_length(slots), self.rng).reshape(said.aggregators, -1).view(F)
        weight = committee.weight_of(round_.round_id, own)
        sharing = Sharing(update[-1], round_.model, weight, coefficients, salts)
        self.sharings.clear()  # what was shared in older rounds is of no use, and a secret
        self.sharings[round_.round_id] = sharing, None
        domain = Domain(round_.system.node.web3.eth.chain_id, committee.address, round_.round_id, own)
        return ReleaseTask(sharing, domain, self._proof_seed())

    def released(self, round_: Round, proof: bytes | None) -> None:
        """The release proof, which `commit` hands in. None: the update moved too far, or is not what was committed to."""
        self.sharings[round_.round_id] = self.sharings[round_.round_id][0], proof

    def commit(self, round_: Round, update: list[State]) -> bytes | None:
        """Phase commit: all state digests, the digests of the shares, and the proof that they belong together.

        The update's file is named and stays here. Its digest cannot be taken by somebody quicker: that needs its proof.
        """
        sharing, proof = self.sharings[round_.round_id]
        if proof is None:
            return None
        assert self.rows is not None
        system = round_.system
        chain_id = system.node.web3.eth.chain_id
        origin = Origin(
            chain_id, system.rounds.address, round_.round_id, self.account.address, len(self.rows.y)
        )
        file, last = pack_update(update[-1], origin)
        digests = [digest_bytes(each) for each in digest(sharing.shares(), sharing.salts)]
        release = Release(tuple(digests), bucket(sharing.update), proof)
        states = [digest_bytes(state.digest) for state in update]
        content = Content(cid_of(file), last)
        system.rounds.commit_shared(round_.round_id, content, states, release, sender=self.account)
        return None

    def share(self, round_: Round) -> None:
        """Phase share: a sealed share to each seat. Who does not take it may complain."""
        if round_.round_id not in self.sharings:
            return
        sharing, own = self.sharings[round_.round_id][0], self.account.address
        shares = sharing.shares()
        for seat, aggregator in enumerate(round_.system.committee.seats_of(round_.round_id)):
            key = round_.system.beacon.key_of(aggregator)
            if (mailbox := round_.mailboxes.get(aggregator)) is None:
                continue
            salt = sharing.salts[seat]
            try:
                mailbox(share_message(round_key(round_), own, seat, key, shares[seat], salt, self.rng))
            except (ValueError, Unreachable):
                continue  # refused, or a key that is none: the seat will complain, or is gone

    def answer(self, round_: Round) -> None:
        """Phase share: shows the one share that a seat says it did not get."""
        if round_.round_id not in self.sharings:
            return
        sharing, own = self.sharings[round_.round_id][0], self.account.address
        for said in round_.events(Complained):
            complaints, unanswered = round_.system.committee.complaints_of(round_.round_id, own)
            enough = len(complaints) >= round_.system.committee.sharing_of(round_.round_id).threshold
            if said.hospital == own and said.seat in unanswered and not enough:
                elements = [*sharing.shares()[said.seat].tolist(), *sharing.salts[said.seat].tolist()]
                round_.system.committee.show(round_.round_id, said.seat, elements, sender=self.account)

    # ---------------------------------------------------------------- aggregator

    def _seat(self, round_: Round) -> int | None:
        seats, own = round_.system.committee.seats_of(round_.round_id), self.account.address
        return seats.index(own) if own in seats else None

    def expect(self, round_: Round) -> None:
        """Phase share: the digests of what this seat is owed."""
        if (seat := self._seat(round_)) is not None:
            owed = {e.hospital: e.digests[seat] for e in round_.events(SharesCommitted)}
            self._ask(lambda keeper: keeper.expect(round_key(round_), seat, owed, len(round_.model)))

    def complain(self, round_: Round) -> None:
        """Phase share: of hospitals that may survive and whose share did not come."""
        if self._seat(round_) is None or (held := self._ask(lambda keeper: keeper.held)) is None:
            return
        for said in round_.commitments():
            if said.hospital not in held:
                round_.system.committee.complain(round_.round_id, said.hospital, sender=self.account)

    def confirm(self, round_: Round) -> None:
        """Phase share: takes the shares that were shown to it, and says that it holds all others."""
        if (seat := self._seat(round_)) is None:
            return
        for shown in round_.events(ShareShown):
            if shown.seat == seat:
                hospital, elements = shown.hospital, shown.elements
                self._ask(lambda keeper, h=hospital, e=elements: keeper.learn(h, e))  # type: ignore[misc]
        if self._ask(lambda keeper: keeper.held) is not None:
            round_.system.committee.confirm(round_.round_id, sender=self.account)

    def sums(self, round_: Round) -> list[SumTask]:
        """Phase aggregate: this seat's shares over each group of survivors, as its keeper hands them out to be added up."""
        if self._seat(round_) is None:
            return []
        committee, round_id = round_.system.committee, round_.round_id
        domain = Domain(
            round_.system.node.web3.eth.chain_id, committee.address, round_id, self.account.address
        )
        held = [self._addends(hospitals, len(round_.model)) for hospitals in groups(round_)]
        return [
            SumTask(g, each, domain, self._proof_seed()) for g, each in enumerate(held) if each is not None
        ]

    def _addends(self, hospitals: Sequence[str], slots: int) -> Addends | None:
        """None: a share is missing, nothing can be said."""
        if (held := self._ask(lambda keeper: keeper.shares_of(hospitals))) is None:
            return None
        length = slots + salt_length(slots)
        each = unpack(held, len(hospitals) * length).reshape(-1, length).view(F)
        return Addends(each[:, :slots], each[:, slots:])

    def add(self, round_: Round, task: SumTask, proof: bytes | None) -> None:
        """Phase aggregate: a group's sum and its proof."""
        if proof is not None:
            total = to_bytes(task.addends.total)
            round_.system.committee.submit_sum(round_.round_id, task.group, total, proof, sender=self.account)

    def open(self, round_: Round) -> None:
        """Phase aggregate: decodes the totals that nobody has decoded yet, each from the first sums that suffice."""
        committee, round_id = round_.system.committee, round_.round_id
        threshold = committee.sharing_of(round_id).threshold
        for group in range(len(groups(round_))):
            sums = {e.seat: e.sum for e in round_.events(SumSubmitted) if e.group == group}
            if committee.is_decoded(round_id, group) or len(sums) < threshold:
                continue
            chosen = {seat: sums[seat] for seat in sorted(sums)[:threshold]}
            committee.decode(round_id, group, chosen, sender=self.account)

    # ---------------------------------------------------------------- validator

    def score(self, round_: Round) -> None:
        scoring.commit(self, round_)

    def show_scores(self, round_: Round) -> None:
        scoring.reveal(self, round_)

    def _ask(self, question: Callable[[Keeper], T]) -> T | None:
        """What the keeper answers; None if there is none, it is gone, or lacks a share."""
        if self.keeper is None:
            return None
        try:
            return question(self.keeper)
        except (AggregatorGone, MissingShare, RefusedMessage):
            return None


def round_key(round_: Round) -> bytes:
    """32 bytes that name the round: what shares are sealed for."""
    domain = Domain(round_.system.node.web3.eth.chain_id, round_.system.committee.address, round_.round_id)
    return keccak(b"bfl_ref/round" + domain.to_bytes())


def groups(round_: Round) -> list[list[str]]:
    """The survivors, group by group, as the contract dealt them."""
    committee, round_id = round_.system.committee, round_.round_id
    count, _ = committee.groups_of(round_id)
    dealt: list[list[str]] = [[] for _ in range(count)]
    for hospital in committee.survivors_of(round_id):
        dealt[committee.group_of(round_id, hospital)].append(hospital)
    return dealt
