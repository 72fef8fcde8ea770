"""One federated round, phase by phase, as the contract's state machine leads it.

    select -> train -> commit -> draw -> prove -> share -> aggregate -> finalise -> settle

Hospitals commit to their updates on chain, and put them into the store once nobody can commit any more; aggregators average
what was committed; every validator repeats the average before it votes, and two thirds of the votes put the new model in
force. In a basic round draw, prove and share pass through; in a verified one (verified.py) the validators' beacon seeds the
noise and draws audits, and who does not prove its audited steps is out; in a shared one (shared.py) no update is opened
ever: hospitals prove what they share, aggregators prove the sums that they publish. Settle passes through still.

A member is an object whose methods answer what a phase asks of it; None is silence. Tests put dishonest members in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from .aggregation import FLOATS, SALT_BYTES, Origin, Rule, pack_update
from .chain.contracts import System
from .chain.errors import ContractError, PhaseNotOver, ReplayedSubmission
from .chain.events import Event, HospitalExcluded, SumDecoded, UpdateCommitted
from .chain.records import Content, Phase, Role, Stage, TrainingParameters
from .data import Silo
from .integers import INTEGERS, next_of_sums
from .learning import TrainConfig, local_update
from .privacy.ledger import Budget, BudgetExhausted
from .proving import ProofTask, Prover, ReleaseTask, SumTask, prove_here
from .store import Store, canonical_json, cid_of

E = TypeVar("E", bound=Event)
Rng = Callable[[int], bytes]
DURATIONS = (10, 2, 40, 10, 10, 10, 20, 40, 10)  # blocks a phase, Select first: roomy for a dozen members
# with the beacon's stages, and a block for each audit
VERIFIED_DURATIONS = (90, 2, 40, 60, 450, 10, 20, 40, 10)
# with time for complaints and answers, and for a sum of each seat and group
SHARED_DURATIONS = (90, 2, 40, 60, 450, 60, 60, 40, 10)
VOTING = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR


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

    def pay(self, round_: Round) -> None:
        """Phase train, before anything else: charge the privacy ledger and post what is spent. BudgetExhausted."""
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
        submitted, _ = round_.system.rounds.candidate_of(round_.round_id, content)
        return content if submitted and round_.store.has(content.cid) else None


@dataclass(frozen=True)
class Outcome:
    """How a round ended: its last phase and the model in force now.

    rejected: hospital -> why its committed update was left out.  refused: member -> why a contract refused its transaction.
    exhausted: hospital -> why it did not train.
    """

    round_id: int
    phase: Phase
    model: Content
    rejected: dict[str, str]
    refused: dict[str, ContractError]
    exhausted: dict[str, BudgetExhausted]


def play_round(
    system: System,
    store: Store,
    members: Sequence[Member],
    task: Content,
    config: TrainConfig,
    prover: Prover = prove_here,
) -> Outcome:
    """Lead one round from open to its end; who is silent, late or refused is passed over, and the round goes on.

    members: those that take part, hospitals and operators. The first validator opens, the first voter advances.
    config: how basic members train; verified ones train as the contract says. prover: makes all proofs that are asked for.
    """
    parties: dict[str, Member] = {member.account.address: member for member in members}
    refused: dict[str, ContractError] = {}
    exhausted: dict[str, BudgetExhausted] = {}
    updates: dict[Member, Any] = {}
    files: list[bytes] = []
    verified, shared = system.rounds.parameters().verified, system.rounds.parameters().shared
    durations = SHARED_DURATIONS if shared else VERIFIED_DURATIONS if verified else DURATIONS
    rule = INTEGERS if verified else FLOATS
    validators = _with_role(system, parties, Role.VALIDATOR)
    model = rule.load(store, system.registry.current().content)
    round_id = system.rounds.open(task, durations, sender=validators[0].account)
    mailboxes = {address: m.mailbox for address, m in parties.items() if m.mailbox is not None}
    round_ = Round(system, store, round_id, model, rule, mailboxes)

    def each(acting: Iterable[Member], act: Callable[[Member], None]) -> None:
        for member in acting:
            try:
                act(member)
            except ContractError as refusal:
                # its own loss: in a federation of processes nobody else would notice
                refused[member.account.address] = refusal

    def beacon(which: int) -> None:
        if verified:
            wait_for(round_, which, Stage.REVEAL)
            each(validators, lambda member: member.reveal(round_, which))
            if not system.beacon.is_done(round_id, which):
                wait_for(round_, which, Stage.REBUILD)
                each(validators, lambda member: member.rebuild(round_, which))
        advance(round_, members)

    def train(member: Member) -> None:
        try:
            member.pay(round_)
        except BudgetExhausted as reason:
            exhausted[member.account.address] = reason
        else:
            updates[member] = member.train(round_, config)

    def commit(member: Member) -> None:
        update = updates.get(member)
        if update is not None and (file := member.commit(round_, update)) is not None:
            files.append(file)

    def release() -> None:
        asked = [(m, t) for m in trained if (t := m.release(round_, updates[m])) is not None]
        for (member, _), proof in zip(asked, prover([task for _, task in asked]), strict=True):
            member.released(round_, proof)

    def share() -> None:
        each(aggregators, lambda member: member.expect(round_))
        each(trained, lambda member: member.share(round_))
        each(aggregators, lambda member: member.complain(round_))
        each(trained, lambda member: member.answer(round_))
        each(aggregators, lambda member: member.confirm(round_))

    def total() -> None:
        asked = [(m, t) for m in aggregators for t in m.sums(round_)]
        for (member, task), proof in zip(asked, prover([task for _, task in asked]), strict=True):
            each([member], lambda m, t=task, p=proof: m.add(round_, t, p))  # type: ignore[misc]
        each(aggregators, lambda member: member.open(round_))

    def prove() -> None:
        asked = [(m, t) for m in trained for t in m.audited(round_, updates[m])]
        for (member, task), proof in zip(asked, prover([task for _, task in asked]), strict=True):
            each([member], lambda m, t=task, p=proof: m.show(round_, updates[m], t, p))  # type: ignore[misc]

    def submit(member: Member) -> None:
        if (content := member.candidate(round_)) is not None:
            system.rounds.submit_candidate(round_id, content, sender=member.account)

    def vote(member: Member) -> None:
        if (content := member.ballot(round_)) is not None:
            system.rounds.vote_model(round_id, content, sender=member.account)

    each(validators, lambda member: member.deal(round_))
    beacon(0)  # select: the contract draws
    if not round_.over:
        selected = [parties[a] for a in system.rounds.hospitals_of(round_id) if a in parties]
        each(selected, train)
        trained = [m for m in selected if updates.get(m) is not None]
        advance(round_, members)
        release()
        each(selected, commit)
        advance(round_, members)
    if not round_.over:
        for file in files:
            store.put(file)
        beacon(1)  # draw
    if not round_.over:
        prove()
        advance(round_, members)
    aggregators = _with_role(system, parties, Role.AGGREGATOR)
    if not round_.over:
        if shared:
            share()
        advance(round_, members)
    if not round_.over:
        if shared:
            total()
        each(aggregators, submit)
        advance(round_, members)
    if not round_.over:
        each(_with_role(system, parties, Role.VALIDATOR), vote)
        advance(round_, members)
    if not round_.over:
        advance(round_, members)  # settle
    current = system.registry.current().content
    return Outcome(round_id, round_.phase, current, round_.next_model()[1], refused, exhausted)


def wait_for(round_: Round, which: int, stage: Stage) -> None:
    """Let blocks pass until a transaction would come into this stage of the beacon, or a later one."""
    beacon, node = round_.system.beacon, round_.system.node
    ends = dict(zip((Stage.REVEAL, Stage.REBUILD), beacon.stages_of(round_.round_id, which), strict=True))
    if beacon.stage_of(round_.round_id, which) < stage:
        node.wait_blocks(ends[stage] - node.web3.eth.block_number)


def advance(round_: Round, members: Sequence[Member]) -> None:
    """Move the round by one phase; where the phase still has time and work, wait for its deadline first.

    The first of `members` that has a vote at this moment sends it: anyone may have been removed since the last phase.
    """
    rounds, node, roles_of = round_.system.rounds, round_.system.node, round_.system.consortium.roles_of
    sender = next(m.account for m in members if roles_of(m.account.address) & VOTING)
    try:
        rounds.advance(round_.round_id, sender=sender)
    except PhaseNotOver as early:
        node.wait_blocks(early.deadline - node.web3.eth.block_number)
        rounds.advance(round_.round_id, sender=sender)


def put_task(store: Store, dataset: str, config: TrainConfig | TrainingParameters) -> Content:
    """Put the task (data set and hyper-parameters, canonical JSON) into the store; its digest is keccak-256."""
    description = canonical_json({"dataset": dataset, **vars(config)})
    return Content(store.put(description), keccak(description))


def _with_role(system: System, parties: dict[str, Member], role: Role) -> list[Member]:
    """The taking-part members that hold a role, in the consortium's order."""
    return [parties[address] for address in system.holders(role) if address in parties]
