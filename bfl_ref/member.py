"""A round as its members see it, and a member: what each phase asks of it.

A member is an object whose methods answer what a phase asks; None is silence. Tests and attacks put dishonest members in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eth_account.signers.local import LocalAccount

from .aggregation import FLOATS, SALT_BYTES, Origin, Rule, pack_update
from .chain.contracts import System
from .chain.errors import ReplayedSubmission
from .chain.events import Event, HospitalExcluded, SumDecoded, UpdateCommitted
from .chain.records import Content, Phase
from .data import Silo
from .integers import next_of_sums
from .learning import TrainConfig, local_update
from .privacy.ledger import Budget
from .proving import ProofTask, ReleaseTask, SumTask
from .store import Store, cid_of

E = TypeVar("E", bound=Event)
Rng = Callable[[int], bytes]


@dataclass(frozen=True)
class Round:
    """What every member sees of the round it is in. model: the weights that are trained on; rule: how they are averaged.

    mailboxes: where aggregators take shares, by address.
    """

    system: System
    store: Store
    round_id: int
    model: Any
    rule: Rule = FLOATS
    mailboxes: Mapping[str, Callable[[bytes], None]] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        return self.system.rounds.phase_of(self.round_id)

    @property
    def over(self) -> bool:
        return self.phase in (Phase.FINALISED, Phase.ABORTED)

    def events(self, kind: type[E]) -> list[E]:
        """The round's events of one kind, in chain order."""
        return [
            e
            for e in self.system.events()
            if isinstance(e, kind) and getattr(e, "round_id", 0) == self.round_id
        ]

    def commitments(self) -> list[UpdateCommitted]:
        """The committed updates of hospitals that no audit excluded, in chain order."""
        out = {e.hospital for e in self.events(HospitalExcluded)}
        return [e for e in self.events(UpdateCommitted) if e.hospital not in out]

    def next_model(self) -> tuple[Any, dict[str, str]]:
        """What the committed updates lead to (None: too few), and hospital -> why an update was left out.

        In a shared round, what the decoded totals lead to; None: not all are decoded.
        """
        if self.system.rounds.round_of(self.round_id).shared:
            decoded = [e.total for e in self.events(SumDecoded)]
            count, weights = self.system.committee.groups_of(self.round_id)
            known = count > 0 and len(decoded) == count
            return (next_of_sums(self.model, decoded, sum(weights)) if known else None), {}
        chain_id = self.system.node.web3.eth.chain_id
        least = self.system.rounds.round_of(self.round_id).min_hospitals
        return self.rule.following(self.store, self.model, self.commitments(), chain_id, least)


class RowsWithoutConsent(Exception):
    """A hospital keeps out of a round: `count` of its registered rows have no consent any more. reason: of the first."""

    def __init__(self, count: int, reason: str) -> None:
        super().__init__(f"{count} registered rows without a consent in force: {reason}")
        self.count, self.reason = count, reason


@dataclass(frozen=True, eq=False)
class Member:
    """A party with a key. silo: a hospital's rows, None for an operator. rng(k): k random bytes for salts.

    budget: what its patients may still lose; None: training is not private.   mailbox: takes shares, if it aggregates.
    """

    name: str
    account: LocalAccount
    silo: Silo | None
    rng: Rng
    budget: Budget | None = field(default=None, kw_only=True)
    mailbox: Callable[[bytes], None] | None = field(default=None, kw_only=True)

    def deal(self, round_: Round) -> None:
        """Phase select: what a validator commits to for the beacon. A basic round has none."""

    def reveal(self, round_: Round, which: int) -> None:
        """Phases select (0) and draw (1): its secret."""

    def rebuild(self, round_: Round, which: int) -> None:
        """The same phases: its shares of secrets that others keep back."""

    def look(self, round_: Round) -> None:
        """Phase train, before anything else: whether its rows may be trained on. RowsWithoutConsent."""

    def pay(self, round_: Round) -> None:
        """Phase train, before training: charge the privacy ledger and post what is spent. BudgetExhausted."""
        if self.budget is not None:
            task = f"{round_.system.node.web3.eth.chain_id}/{round_.system.rounds.address}"
            spent = self.budget.pay(task, round_.round_id)
            round_.system.privacy.post(round_.round_id, spent, sender=self.account)

    def train(self, round_: Round, config: TrainConfig) -> Any:
        """Phase train: the weights after this hospital's local training."""
        assert self.silo is not None
        return local_update(
            round_.model, self.silo, config, round_.round_id - 1
        )  # the first round on chain is 1

    def audited(self, round_: Round, update: Any) -> list[ProofTask]:
        """Phase prove: the steps that it is asked to prove."""
        return []

    def show(self, round_: Round, update: Any, task: ProofTask, proof: bytes | None) -> None:
        """Phase prove: hand a proof in; None: there is none for this step."""

    def release(self, round_: Round, update: Any) -> ReleaseTask | None:
        """Phase commit: what a shared round wants proven of the update before it is committed to."""
        return None

    def released(self, round_: Round, proof: bytes | None) -> None:
        """Phase commit: the proof of `release`; None: there is none."""

    def expect(self, round_: Round) -> None:
        """Phase share: what an aggregator is owed."""

    def share(self, round_: Round) -> None:
        """Phase share: what a hospital owes to aggregators."""

    def complain(self, round_: Round) -> None:
        """Phase share: an aggregator's word on what did not come."""

    def answer(self, round_: Round) -> None:
        """Phase share: a hospital's answer."""

    def confirm(self, round_: Round) -> None:
        """Phase share: an aggregator has all that it may still get."""

    def sums(self, round_: Round) -> list[SumTask]:
        """Phase aggregate: what an aggregator has to add up and prove, a sum for each group."""
        return []

    def add(self, round_: Round, task: SumTask, proof: bytes | None) -> None:
        """Phase aggregate: hand a sum in with its proof; None: there is none."""

    def open(self, round_: Round) -> None:
        """Phase aggregate: the totals, from as many sums as it takes."""

    def commit(self, round_: Round, update: Any) -> bytes | None:
        """Phase commit: CID, digest and row count of the salted update on chain. Returns the file itself, which goes into
        the store only when nobody can commit any more: what cannot be read cannot be copied.

        Whoever sees the transaction on its way can be quicker with the same digest, but only once a round: salt anew then.
        """
        assert self.silo is not None
        rounds, rows = round_.system.rounds, len(self.silo.y_train)
        chain_id = round_.system.node.web3.eth.chain_id
        origin = Origin(chain_id, rounds.address, round_.round_id, self.account.address, rows)
        for rivals in reversed(range(rounds.round_of(round_.round_id).selected)):
            file, digest = pack_update(update, origin, self.rng(SALT_BYTES))
            content = Content(cid_of(file), digest)
            try:
                rounds.commit_update(round_.round_id, content, rows, sender=self.account)
                return file
            except ReplayedSubmission:
                if not rivals:
                    raise
        return None

    def candidate(self, round_: Round) -> Content | None:
        """Phase aggregate: the new model by this aggregator's own computation, put into the store."""
        weights, _ = round_.next_model()
        return None if weights is None else round_.rule.put(round_.store, weights, round_.round_id)

    def ballot(self, round_: Round) -> Content | None:
        """Phase finalise: the model that this validator recomputed, if an aggregator submitted and stored it."""
        weights, _ = round_.next_model()
        if weights is None:
            return None
        content = round_.rule.content(weights, round_.round_id)
        number, _ = round_.system.rounds.candidate_of(round_.round_id, content)
        return content if number and round_.store.has(content.cid) else None

    def votes(self, round_: Round) -> list[tuple[Content, bytes]]:
        """Phase finalise: what this validator signs, for anybody to bring to the chain."""
        content = self.ballot(round_)
        return [] if content is None else [(content, self.sign(round_, content))]

    def sign(self, round_: Round, model: Content) -> bytes:
        """A vote: its signature over the round and the model (EIP-712)."""
        message = round_.system.validators.vote_message(round_.round_id, model)
        return bytes(self.account.sign_message(message).signature)

    def score(self, round_: Round) -> None:
        """Phase finalise: a validator with rows commits to what the opened sums do to the model on them."""

    def show_scores(self, round_: Round) -> None:
        """Phase settle: it reveals these scores."""
