"""One federated round, phase by phase, as the contract's state machine leads it: the basic blockchain federation.

    select -> train -> commit -> draw -> prove -> share -> aggregate -> finalise -> settle

Hospitals commit to their updates on chain, and put them into the store once nobody can commit any more; aggregators average
what was committed; every validator repeats the average before it votes, and two thirds of the votes put the new model in
force. No proof, no noise and no secret sharing yet: draw, prove, share and settle pass through, and in the end every member
can read every update.

A member is an object whose methods answer what a phase asks of it; None is silence. Tests put dishonest members in.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from .aggregation import SALT_BYTES, Origin, load_model, model_content, next_model, pack_model, pack_update
from .chain.contracts import System
from .chain.errors import ContractError, PhaseNotOver, ReplayedSubmission
from .chain.events import UpdateCommitted
from .chain.records import Content, Phase, Role
from .data import Silo
from .learning import TrainConfig, Weights, local_update
from .store import Store, canonical_json, cid_of

Rng = Callable[[int], bytes]
DURATIONS = (10, 2, 40, 10, 10, 10, 20, 40, 10)  # blocks a phase, Select first: roomy for a dozen members
VOTING = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR


@dataclass(frozen=True)
class Round:
    """What every member sees of the round it is in. model: the weights that are trained on."""

    system: System
    store: Store
    round_id: int
    model: Weights

    @property
    def phase(self) -> Phase:
        return self.system.rounds.phase_of(self.round_id)

    @property
    def over(self) -> bool:
        return self.phase in (Phase.FINALISED, Phase.ABORTED)

    def commitments(self) -> list[UpdateCommitted]:
        """The round's committed updates in chain order."""
        events = self.system.events()
        return [e for e in events if isinstance(e, UpdateCommitted) and e.round_id == self.round_id]

    def next_model(self) -> tuple[Weights | None, dict[str, str]]:
        """What the committed updates lead to, and hospital -> why an update was left out."""
        chain_id = self.system.node.web3.eth.chain_id
        least = self.system.rounds.round_of(self.round_id).min_hospitals
        return next_model(self.store, self.model, self.commitments(), chain_id, least)


@dataclass(frozen=True, eq=False)
class Member:
    """A party with a key. silo: a hospital's rows, None for an operator. rng(k): k random bytes for salts."""

    name: str
    account: LocalAccount
    silo: Silo | None
    rng: Rng

    def train(self, model: Weights, config: TrainConfig, round_id: int) -> Weights | None:
        """Phase train: the weights after this hospital's local training."""
        assert self.silo is not None
        return local_update(model, self.silo, config, round_id - 1)  # the first round on chain is 1

    def commit(self, round_: Round, update: Weights) -> bytes | None:
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
        return None if weights is None else put_model(round_.store, weights, round_.round_id)

    def ballot(self, round_: Round) -> Content | None:
        """Phase finalise: the model that this validator recomputed, if an aggregator submitted and stored it."""
        weights, _ = round_.next_model()
        if weights is None:
            return None
        content = model_content(weights, round_.round_id)
        submitted, _ = round_.system.rounds.candidate_of(round_.round_id, content)
        return content if submitted and round_.store.has(content.cid) else None


@dataclass(frozen=True)
class Outcome:
    """How a round ended: its last phase and the model in force now.

    rejected: hospital -> why its committed update was left out.  refused: member -> why a contract refused its transaction.
    """

    round_id: int
    phase: Phase
    model: Content
    rejected: dict[str, str]
    refused: dict[str, ContractError]


def play_round(
    system: System, store: Store, members: Sequence[Member], task: Content, config: TrainConfig
) -> Outcome:
    """Lead one round from open to its end; who is silent, late or refused is passed over, and the round goes on.

    members: those that take part, hospitals and operators. The first validator opens, the first voter advances.
    """
    parties: dict[str, Member] = {member.account.address: member for member in members}
    refused: dict[str, ContractError] = {}
    files: list[bytes] = []
    opener = _with_role(system, parties, Role.VALIDATOR)[0].account
    model = load_model(store, system.registry.current().content)
    round_ = Round(system, store, system.rounds.open(task, DURATIONS, sender=opener), model)

    def each(acting: Iterable[Member], act: Callable[[Member], None]) -> None:
        for member in acting:
            try:
                act(member)
            except ContractError as refusal:
                # its own loss: in a federation of processes nobody else would notice
                refused[member.account.address] = refusal
        advance(round_, members)

    def commit(member: Member) -> None:
        update = updates[member]
        if update is not None and (file := member.commit(round_, update)) is not None:
            files.append(file)

    def submit(member: Member) -> None:
        if (content := member.candidate(round_)) is not None:
            system.rounds.submit_candidate(round_.round_id, content, sender=member.account)

    def vote(member: Member) -> None:
        if (content := member.ballot(round_)) is not None:
            system.rounds.vote_model(round_.round_id, content, sender=member.account)

    advance(round_, members)  # select: the contract draws
    if not round_.over:
        selected = [parties[a] for a in system.rounds.hospitals_of(round_.round_id) if a in parties]
        updates = {member: member.train(model, config, round_.round_id) for member in selected}
        advance(round_, members)
        each(selected, commit)
    if not round_.over:
        for file in files:
            store.put(file)
    for _ in (Phase.DRAW, Phase.PROVE, Phase.SHARE):
        if not round_.over:
            advance(round_, members)
    if not round_.over:
        each(_with_role(system, parties, Role.AGGREGATOR), submit)
    if not round_.over:
        each(_with_role(system, parties, Role.VALIDATOR), vote)
    if not round_.over:
        advance(round_, members)  # settle
    current = system.registry.current().content
    return Outcome(round_.round_id, round_.phase, current, round_.next_model()[1], refused)


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


def put_model(store: Store, weights: Weights, round_id: int) -> Content:
    """Put a model into the store; what the chain is told of it."""
    file, digest = pack_model(weights, round_id)
    return Content(store.put(file), digest)


def put_task(store: Store, dataset: str, config: TrainConfig) -> Content:
    """Put the task (data set and hyper-parameters, canonical JSON) into the store; its digest is keccak-256."""
    description = canonical_json({"dataset": dataset, **vars(config)})
    return Content(store.put(description), keccak(description))


def _with_role(system: System, parties: dict[str, Member], role: Role) -> list[Member]:
    """The taking-part members that hold a role, in the consortium's order."""
    return [parties[address] for address in system.holders(role) if address in parties]
