"""A federation whose rounds settle through the rollup, with real proofs, beside its twin that settles them at once."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from eth_account.signers.local import LocalAccount
from shared_cases import Stage, as_a, opened, stub_prover

from bfl_ref import cast
from bfl_ref.chain.errors import AlreadyReclaimed
from bfl_ref.chain.events import (
    BatchSettled,
    EntriesQueued,
    EvidenceRecorded,
    HospitalSelected,
    RewardCredited,
    UpdateCommitted,
)
from bfl_ref.chain.records import Phase
from bfl_ref.comparison import UNIT, standings
from bfl_ref.governance.rewards import TOKEN
from bfl_ref.layer2 import Layer2, record_of, room
from bfl_ref.protocol import Outcome
from bfl_ref.proving import BatchTask, prove_step
from bfl_ref.rollup import StateTree, replay
from bfl_ref.rollup.entries import Kind, decode
from bfl_ref.rollup.sequencer import Sequencer
from bfl_ref.shared import SharedMember
from bfl_ref.stark.setup import Domain

FORCE = 60  # blocks: a rollup can be frozen soon
SEQUENCER = -3  # among the members: the first operator


class Absent(SharedMember):
    """Deals its secrets, and does nothing else: a hospital, a validator and an aggregator that is missed three times."""

    def train(self, round_, config):
        return None

    def sums(self, round_):
        return []

    def ballot(self, round_):
        return None


class Seen(NamedTuple):
    """After a round: its outcome, member -> evidence as of that round."""

    outcome: Outcome
    evidence: dict[str, tuple[int, int]]


class Two(NamedTuple):
    """seen, twins: of each round."""

    stage: Stage
    layer2: Layer2
    twin: Stage
    seen: list[Seen]
    twins: list[Seen]


def play(stage: Stage) -> list[Seen]:
    """A first round without the first hospital; a second without another one, which it cannot do without."""
    first, second, *_ = stage.hospitals
    seen = []
    for absent in (first, second):
        outcome = stage.play(as_a(Absent, absent))
        members = [m.account.address for m in stage.members]
        evidence = {a: stage.system.reputation.evidence_of(a, outcome.round_id) for a in members}
        seen.append(Seen(outcome, evidence))
    return seen


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    folder = tmp_path_factory.mktemp("layer2")
    quick = replace(cast.rollup_parameters(7), force=FORCE)
    with (
        opened(folder / "twin") as without,
        patch.object(cast, "rollup_parameters", lambda _: quick),
        opened(folder / "store", layer2=True) as made,
    ):
        members = made.stage.members
        arguments = made.stage.system, members, members[SEQUENCER], folder / "rollup", stub_prover, 0
        with Layer2(*arguments) as layer2:
            stage = made.stage._replace(layer2=layer2)
            yield Two(stage, layer2, without.stage, play(stage), play(without.stage))


def account(two: Two, member: SharedMember):
    return two.stage.system.rollup.account_of(member.account.address)


def on_chain(stage: Stage) -> StateTree:
    """From nothing but the chain: what its batches published."""
    tree = StateTree()
    for settled in stage.told(BatchSettled):
        tree = replay(tree, stage.system.rollup.data_of(settled))
    return tree


def test_rounds_end_as_without_a_rollup(two: Two) -> None:
    assert [s.outcome.phase for s in two.seen] == [Phase.FINALISED, Phase.ABORTED]
    assert [s.outcome.phase for s in two.twins] == [Phase.FINALISED, Phase.ABORTED]
    assert [s.outcome.model.digest for s in two.seen] == [s.outcome.model.digest for s in two.twins]
    assert not any(s.outcome.refused for s in (*two.seen, *two.twins))


def test_collected_evidence_is_what_the_twin_records_at_once(two: Two) -> None:
    """Of the aborted round too."""
    for seen, twin in zip(two.seen, two.twins, strict=True):
        assert seen.evidence == twin.evidence
    first, second = (m.account.address for m in two.stage.hospitals[:2])
    assert two.seen[0].evidence[first] == (0, 3 * 1024)
    assert two.seen[1].evidence[second][1] == 1024
    written = [e.member for e in two.stage.told(EvidenceRecorded, 1)]
    assert len(written) == len(set(written)) == len(two.stage.members)  # once each


def test_the_next_lottery_reads_what_was_collected(two: Two) -> None:
    absent = two.stage.hospitals[0].account.address
    for stage in (two.stage, two.twin):
        selected = [{e.hospital for e in stage.told(HospitalSelected, n)} for n in (1, 2)]
        assert selected[0] - selected[1] == {absent}


def test_rewards_are_in_the_accounts_to_the_unit(two: Two) -> None:
    paid, credited = 0, two.twin.told(RewardCredited)
    for member in two.stage.members:
        parts = [e.amount // UNIT for e in credited if e.member == member.account.address]
        assert account(two, member).balance == sum(parts)
        paid += sum(parts)
    assert paid > 40_000 and not two.stage.told(RewardCredited)
    system, twin = two.stage.system, two.twin.system
    assert system.rollup.inside() == paid and system.rewards.owed() == 0
    assert system.rewards.pot() == twin.rewards.pot() + twin.rewards.owed() - paid * UNIT
    bond = system.rollup.parameters().bond
    assert system.token.balance_of(system.rollup.address) == paid * UNIT + bond


def test_standings_count_what_is_in_the_rollup(two: Two) -> None:
    found = standings(cast.Consortium(two.stage.system, two.stage.members))
    for member in two.stage.members:
        assert found[member.name]["paid"] == account(two, member).balance * UNIT / TOKEN


def test_what_hospitals_signed_is_in_the_state(two: Two) -> None:
    tree = on_chain(two.stage)
    committed = two.stage.told(UpdateCommitted)
    assert {e.round_id for e in committed} == {1, 2} and len(committed) == 3 + 2
    last = {e.hospital: e.commitment for e in committed}
    for member in two.stage.members:
        wallet = two.layer2.wallets[member.account.address]
        said = last.get(member.account.address)
        assert tree[wallet.index].record == (record_of(said) if said else (0,) * 5)
        signed = sum(e.hospital == member.account.address for e in committed)
        assert tree[wallet.index].nonce == account(two, member).nonce == 1 + signed


def test_the_state_is_rebuilt_from_calldata_alone(two: Two) -> None:
    rollup, tree = two.stage.system.rollup, on_chain(two.stage)
    assert tree.root == rollup.root() and rollup.batches() == len(two.layer2.settled) == 3
    assert rollup.taken() == rollup.queued() == 7 + 2 + 1  # keys; evidence and rewards; evidence
    for index, owner in enumerate(two.stage.members):
        kept = account(two, owner)
        closing = kept.balance, kept.stake, kept.nonce, kept.positive, kept.negative
        assert tree[index].closing == closing


def test_room_is_that_of_a_statement_and_ends_at_64() -> None:
    assert [room(n).accounts for n in (1, 8, 9, 64)] == [8, 8, 64, 64]
    with pytest.raises(ValueError, match="at most 64 members with a rollup, got 65"):
        room(65)


def another_batch(two: Two, folder: Path) -> None:
    """Another member takes a seat, and settles a deposit before the first one does."""
    system, node = two.stage.system, two.stage.system.node
    rollup, (*_, poster) = system.rollup, two.stage.members
    bond, here = rollup.parameters().bond, two.layer2.sequencer
    system.token.approve(rollup.address, bond + 5 * UNIT, sender=poster.account)
    rollup.register(sender=poster.account)
    Sequencer.create(folder / "log", two.layer2.domain, on_chain(two.stage), here.settled, here.queued)
    with Sequencer(folder / "log", two.layer2.domain, two.layer2.capacity, 0.0) as other:
        rollup.deposit(0, 5, sender=poster.account)
        *_, queued = two.stage.told(EntriesQueued)
        other.queue(queued.number, decode(queued.entries), 0.0)
        cut = other.cut(0.0, at_once=True)
        assert cut is not None
        where = Domain(node.web3.eth.chain_id, rollup.address, cut.number)
        task = BatchTask(two.layer2.capacity.accounts, cut.tree, cut.batch, two.layer2.domain, where, 0)
        proof = prove_step(task)
        while rollup.in_turn(rollup.turn_of(node.web3.eth.block_number + 1)) != poster.account.address:
            node.wait_blocks(1)
        rollup.submit(cut.applied.data, cut.applied.tree.root, proof or b"", sender=poster.account)


def reclaim_all(two: Two, round_id: int, sender: LocalAccount) -> None:
    """What a round left in a queue that no batch takes any more: evidence and rewards, to the unit, once."""
    system, rollup = two.stage.system, two.stage.system.rollup
    runs = [e for e in two.stage.told(EntriesQueued) if e.number > rollup.taken() and len(e.entries) > 24]
    assert {e.payer for e in runs} == {system.settlement.address, system.rewards.address}
    expected, reputation = Counter[str](), system.reputation
    for entry in decode(b"".join(e.entries for e in runs)):
        expected[rollup.owner_of(entry.to)] += entry.payload[0] if entry.kind == Kind.EVIDENCE else 0
    before = {a: reputation.evidence_of(a, round_id)[0] for a in expected}
    for run in runs:
        system.settlement.reclaim(run.number, run.entries, sender=sender)
        with pytest.raises(AlreadyReclaimed):
            system.settlement.reclaim(run.number, run.entries, sender=sender)
    assert {a: reputation.evidence_of(a, round_id)[0] - before[a] for a in expected} == expected
    assert system.rewards.owed() == sum(e.amount for e in runs) * UNIT > 0


def test_the_rollup_goes_on_after_anothers_batch_and_rounds_after_the_rollup(
    two: Two, tmp_path: Path
) -> None:
    system, rollup, layer2 = two.stage.system, two.stage.system.rollup, two.layer2
    another_batch(two, tmp_path)
    balance = account(two, two.stage.hospitals[0]).balance
    layer2.settle(1)  # signs the first round's records once more: three lists
    assert rollup.batches() == 5 and len(layer2.settled) == 4 and balance == 5
    assert on_chain(two.stage).root == rollup.root() == layer2.settled[-1].applied.tree.root

    hospital = two.stage.hospitals[2].account
    rollup.resign(layer2.poster.address, sender=layer2.poster)
    rollup.exit_account(sender=hospital)
    system.node.wait_blocks(FORCE - 1)
    layer2.settle(1)  # no seat any more: what was signed waits, and so does the queue
    assert rollup.batches() == 5 and len(layer2.sequencer.waiting) == 4
    system.node.wait_blocks(2)
    stuck = two.stage.play().round_id  # what it leaves waits as well
    rollup.freeze(sender=hospital)
    reclaim_all(two, stuck, hospital)
    outcome = two.stage.play()
    assert outcome.phase is Phase.FINALISED and not outcome.refused and rollup.batches() == 5
    recorded = {e.member for e in two.stage.told(EvidenceRecorded, outcome.round_id)}
    assert recorded == {m.account.address for m in two.stage.members}
    assert two.stage.told(RewardCredited, outcome.round_id) and system.rewards.owed() > 0
