"""One federated round, phase by phase, as the contract's state machine leads it.

    select -> train -> commit -> draw -> prove -> share -> aggregate -> finalise -> settle

Hospitals commit to their updates on chain, and put them into the store once nobody can commit any more; aggregators average
what was committed; the round's validators repeat the average before they sign it, and two thirds of their signatures put the
new model in force. In a basic round draw, prove and share pass through; in a verified one (verified.py) the validators'
beacon seeds selection and noise and draws audits, and who does not prove its audited steps is out; in a shared one
(shared.py) no update is opened ever: hospitals prove what they share, aggregators the sums that they publish, and validators
score what these did to the model. As a round ends the contract settles it: evidence for reputations, and rewards; with a
rollup (layer2.py) these are two runs of its queue, and one proven batch brings them home.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils import keccak

from .aggregation import FLOATS
from .chain.contracts import System
from .chain.errors import ContractError, PhaseNotOver
from .chain.records import Content, Phase, Role, Stage, TrainingParameters
from .integers import INTEGERS
from .layer2 import Layer2
from .learning import TrainConfig
from .member import Member, Round, RowsWithoutConsent
from .privacy.ledger import BudgetExhausted
from .proving import Prover, prove_here
from .store import Store, canonical_json
from .votes import bring, gather, report_equivocation

DURATIONS = (10, 2, 40, 10, 10, 10, 20, 40, 10)  # blocks a phase, Select first: roomy for a dozen members
# with the beacon's stages, and a block for each audit
VERIFIED_DURATIONS = (90, 2, 40, 60, 450, 10, 20, 40, 10)
# with time for complaints and answers, and for a sum of each seat and group
SHARED_DURATIONS = (90, 2, 40, 60, 450, 60, 60, 40, 10)
VOTING = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR


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
    exhausted: dict[str, BudgetExhausted | RowsWithoutConsent]


def play_round(
    system: System,
    store: Store,
    members: Sequence[Member],
    task: Content,
    config: TrainConfig,
    prover: Prover = prove_here,
    layer2: Layer2 | None = None,
) -> Outcome:
    """Lead one round from open to its end; who is silent, late or refused is passed over, and the round goes on.

    members: those that take part, hospitals and operators. The first validator opens, the first voter advances.
    config: how basic members train; verified ones train as the contract says. prover: makes all proofs that are asked for.
    layer2: what the round settles through, if it was deployed to; else it settles at once.
    """
    parties: dict[str, Member] = {member.account.address: member for member in members}
    refused: dict[str, ContractError] = {}
    exhausted: dict[str, BudgetExhausted | RowsWithoutConsent] = {}
    updates: dict[Member, Any] = {}
    files: list[bytes] = []
    verified, shared = system.rounds.parameters().verified, system.rounds.parameters().shared
    durations = SHARED_DURATIONS if shared else VERIFIED_DURATIONS if verified else DURATIONS
    rule = INTEGERS if verified else FLOATS
    opener = _with_role(system, parties, Role.VALIDATOR)[0]
    model = rule.load(store, system.registry.current().content)
    round_id = system.rounds.open(task, durations, sender=opener.account)
    validators = [parties[a] for a in system.validators.committee_of(round_id) if a in parties]
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
            member.look(round_)
            member.pay(round_)
        except (BudgetExhausted, RowsWithoutConsent) as reason:
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

    def finalise() -> None:
        if shared:
            each(validators, lambda member: member.score(round_))
        votes = gather(round_, validators)
        refused.update(bring(round_, votes))
        report_equivocation(round_, votes, members)

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
        finalise()
        advance(round_, members)
    if not round_.over:
        if shared:
            each(validators, lambda member: member.show_scores(round_))
        advance(round_, members)  # settle
    if layer2 is not None:
        try:
            layer2.settle(round_id)
        except ContractError as refusal:
            refused[layer2.poster.address] = refusal
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
