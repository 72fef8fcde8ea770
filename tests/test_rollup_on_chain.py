"""The rollup's contract with real proofs, through its client: what it settles, what it refuses by name, every way out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from bfl_ref.chain.contracts import Deployment, Genesis, System, deploy
from bfl_ref.chain.errors import (
    AlreadyEscaped,
    NoAccountLeft,
    NotFrozenYet,
    NothingToRefund,
    NotInTurn,
    NotNextInQueue,
    NotOverdue,
    OodMismatch,
    RollupFrozen,
    StillWaiting,
    WrongLength,
    WrongPath,
)
from bfl_ref.chain.events import BatchSettled, EntriesQueued
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import Content, Role, RoundParameters
from bfl_ref.chain.rollup import RollupParameters
from bfl_ref.chain.stark import deploy_verifier, evaluator_of
from bfl_ref.comparison import UNIT
from bfl_ref.layer2 import room
from bfl_ref.proving import BatchTask, prove_step
from bfl_ref.rollup import Batch, OneTimeKey, SignedList, StateTree, Wallet, apply, replay, sign
from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import Digest
from bfl_ref.rollup.ledger import Applied
from bfl_ref.rollup.refusals import ReplayedNonce
from bfl_ref.rollup.sequencer import Cut, ForeignBatch, Sequencer
from bfl_ref.rollup.wallet import KeyUsed, Status
from bfl_ref.stark.field import P
from bfl_ref.stark.setup import Domain
from bfl_ref.stark.solidity.statements import rollup_setup
from bfl_ref.store import cid_of

OWNERS, BALANCE, BOND, FEE = 4, 1_000_000, 7_000 * UNIT, 2_000 * UNIT
RULES = RollupParameters(turn=4, force=20, delay=3, run=8, accounts=OWNERS, bond=BOND, fee=FEE)


@dataclass(frozen=True)
class Posted:
    """A batch and its proof."""

    applied: Applied
    proof: bytes

    @property
    def root(self) -> Digest:
        return self.applied.tree.root


class Stage(NamedTuple):
    """A rollup of four owners who paid 1,000, 2,000, 3,000 and 4,000 units in; the first two hold sequencers' seats."""

    system: System
    tree: StateTree

    @property
    def rollup(self):
        return self.system.rollup

    def owner(self, index: int):
        return self.system.node.accounts[index]

    def key(self, index: int, nonce: int) -> OneTimeKey:
        return OneTimeKey(bytes([index + 1]) * 32, index, nonce)

    def signed(self, index: int, *entries: e.Entry) -> SignedList:
        key = self.key(index, self.tree[index].nonce)
        listed = *entries, e.rotate(index, replace(key, nonce=key.nonce + 1).digest)
        return SignedList(index, listed, sign(key, listed, self.rollup.domain()), key.nonce)

    def proven(self, batch: Batch) -> Posted:
        """As the next batch."""
        applied = apply(self.tree, batch, self.rollup.domain())
        return Posted(applied, self.prove(self.rollup.batches() + 1, self.tree, batch))

    def prove(self, number: int, tree: StateTree, batch: Batch) -> bytes:
        domain = self.rollup.domain()
        where = Domain(self.system.node.web3.eth.chain_id, self.rollup.address, number)
        proof = prove_step(BatchTask(8, tree, batch, domain, where, number))
        assert proof is not None
        return proof

    def post(self, batch: Posted, poster: int = 0) -> "Stage":
        """Settled in the poster's turn."""
        self.until_turn_of(poster)
        sender = self.owner(poster)
        self.rollup.submit(batch.applied.data, batch.root, batch.proof, sender=sender)
        return self._replace(tree=batch.applied.tree)

    def until_turn_of(self, poster: int) -> None:
        node, own = self.system.node, self.owner(poster).address
        while self.rollup.in_turn(self.rollup.turn_of(node.web3.eth.block_number + 1)) != own:
            node.wait_blocks(1)

    def queue(self) -> list[EntriesQueued]:
        return [each for each in self.system.events() if isinstance(each, EntriesQueued)]

    def on_chain(self) -> StateTree:
        """From nothing but the chain."""
        tree = StateTree()
        for each in self.system.events():
            if isinstance(each, BatchSettled):
                tree = replay(tree, self.rollup.data_of(each))
        assert tree.root == self.rollup.root()
        return tree

    def sequencer(self, path: Path) -> Sequencer:
        """With an empty log, from here on."""
        domain = self.rollup.domain()
        Sequencer.create(path, domain, self.tree, self.rollup.batches(), self.rollup.taken())
        return Sequencer(path, domain, room(8), 0.0)


class Played(NamedTuple):
    """What the module opens once. wallet: file of the last owner's.  mixed: a batch that was proven from here."""

    node: Node
    deployment: Deployment
    snapshot: int
    tree: StateTree
    wallet: Path
    mixed: Posted


def opened(node: Node, folder: Path) -> Stage:
    made = rollup_setup(8)
    deployer = node.accounts[9]
    verifier = deploy_verifier(node, made, evaluator_of(made), deployer)
    owners = [account.address for account in node.accounts[:OWNERS]]
    members = [*owners, node.accounts[OWNERS].address]
    model, stakes = Content(cid_of(b"model"), b"\x01" * 32), RoundParameters(1, 3)
    balances = dict.fromkeys(owners, BALANCE * UNIT)
    genesis = Genesis(
        dict.fromkeys(members, Role.HOSPITAL | Role.VALIDATOR), balances, model, stakes, rollup=RULES
    )
    stage = Stage(deploy(node, genesis, deployer, batches=verifier.address), StateTree())
    rollup, queued = stage.rollup, list[e.Entry]()
    wallet = Wallet.create(folder / "wallet", bytes(32), OWNERS - 1, rollup.domain(), bytes)
    keys = [*(stage.key(i, 1).digest for i in range(OWNERS - 1)), wallet.cancel().payload]
    for i, (owner, key) in enumerate(zip(node.accounts[:OWNERS], keys, strict=True)):
        stage.system.token.approve(rollup.address, BALANCE * UNIT, sender=owner)
        assert rollup.open(key, sender=owner) == i
        rollup.deposit(i, 1000 * (i + 1), sender=owner)
        queued += e.rekey(i, key), e.deposit(i, 1000 * (i + 1))
    for sequencer in node.accounts[:2]:
        rollup.register(sender=sequencer)
    return stage.post(stage.proven(Batch(tuple(queued))))


def mixed(stage: Stage) -> Batch:
    """A transfer, a record, a move to the stake, a withdrawal: two lists."""
    first = e.transfer(0, 1, 5), e.record(0, (1, 2, 3, 4, 5))
    return Batch((), (stage.signed(0, *first), stage.signed(1, e.lock(1, 300), e.withdraw(1, 70))))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("rollup")
    with open_chain("embedded") as node:
        stage = opened(node, folder)
        batch = stage.proven(mixed(stage))
        taken = node.web3.provider.make_request("evm_snapshot", [])["result"]
        yield Played(node, stage.system.deployment, taken, stage.tree, folder / "wallet", batch)


@pytest.fixture
def stage(played: Played) -> Stage:
    played.node.web3.provider.make_request("evm_revert", [played.snapshot])
    return Stage(System(played.node, played.deployment), played.tree)


def test_a_batch_settles_and_what_it_withdraws_is_paid(played: Played, stage: Stage) -> None:
    token, rollup, owner = stage.system.token, stage.rollup, stage.owner(1)
    stage = stage.post(played.mixed)
    assert stage.on_chain().accounts == stage.tree.accounts
    kept = [rollup.accounts(i) for i in range(OWNERS)]
    assert [(a.balance, a.stake, a.nonce) for a in kept] == [
        *((995, 0, 2), (1635, 300, 2), (3000, 0, 1), (4000, 0, 1))
    ]
    assert (kept[1].owed, rollup.inside()) == (70, 10_000 - 70)
    with pytest.raises(StillWaiting):
        rollup.claim(sender=owner)
    stage.system.node.wait_blocks(RULES.delay)
    before = token.balance_of(owner.address)
    rollup.claim(sender=owner)
    assert token.balance_of(owner.address) == before + 70 * UNIT
    assert token.balance_of(rollup.address) == rollup.inside() * UNIT + 2 * BOND


def swapped(data: bytes, *order: int) -> bytes:
    """The entries at the beginning in another order."""
    rows = [data[i : i + e.ENTRY_BYTES] for i in range(0, len(data), e.ENTRY_BYTES)]
    return b"".join([*(rows[i] for i in order), *rows[len(order) :]])


def raised(data: bytes, entry: int) -> bytes:
    """One unit more in the first element of an entry's payload."""
    end = entry * e.ENTRY_BYTES + 8
    return data[: end - 1] + bytes([data[end - 1] + 1]) + data[end:]


ALTERED = {
    "a transfer of one unit more": partial(raised, entry=0),
    "a withdrawal of one unit more": partial(raised, entry=4),
    "a closing balance of one unit more": partial(raised, entry=6),
    "entries of a list in another order": lambda data: swapped(data, 1, 0),
    "lists in another order": lambda data: swapped(data, 3, 4, 5, 0, 1, 2),
    "without the first entry": lambda data: data[e.ENTRY_BYTES :],
    "without the last close": lambda data: data[: -e.ENTRY_BYTES],
}


@pytest.mark.parametrize("how", ALTERED)
def test_other_data_than_the_proofs_are_refused_by_name(played: Played, stage: Stage, how: str) -> None:
    applied = played.mixed.applied
    other = ALTERED[how](applied.data)
    assert other != applied.data
    with pytest.raises(OodMismatch):
        stage.post(Posted(replace(applied, data=other), played.mixed.proof))
    assert stage.rollup.batches() == 1 and stage.rollup.root() == stage.tree.root


def test_another_new_root_is_refused_by_name(played: Played, stage: Stage) -> None:
    data, (first, *rest) = played.mixed.applied.data, played.mixed.root
    stage.until_turn_of(0)
    for root in (((first + 1) % P, *rest), stage.tree.root):
        with pytest.raises(OodMismatch):
            stage.rollup.submit(data, root, played.mixed.proof, sender=stage.owner(0))
    assert stage.rollup.root() == stage.tree.root


def test_data_that_are_not_entries_are_refused_by_name(played: Played, stage: Stage) -> None:
    stage.until_turn_of(0)
    for data in (b"", played.mixed.applied.data[:-1]):
        with pytest.raises(WrongLength):
            stage.rollup.submit(data, played.mixed.root, played.mixed.proof, sender=stage.owner(0))


def test_the_proof_of_another_batch_is_refused_by_name(played: Played, stage: Stage) -> None:
    """The same again; and a batch that leads from the same state, under another number."""
    after = stage.post(played.mixed)
    with pytest.raises(OodMismatch):
        after.post(played.mixed)
    assert after.rollup.batches() == 2 and after.rollup.root() == played.mixed.root


def test_only_who_holds_a_seat_settles_and_in_its_turn(played: Played, stage: Stage) -> None:
    """The proof is right: what is refused is who brings it."""
    applied, proof, rollup = played.mixed.applied, played.mixed.proof, stage.rollup
    stage.until_turn_of(0)
    for foreign in (1, 2, 9):  # a seat in another turn, a member, nobody
        with pytest.raises(NotInTurn) as refused:
            rollup.submit(applied.data, played.mixed.root, proof, sender=stage.owner(foreign))
        assert refused.value.in_turn == stage.owner(0).address
    stage.until_turn_of(1)
    rollup.submit(applied.data, played.mixed.root, proof, sender=stage.owner(1))
    assert rollup.batches() == 2


def test_a_deposit_that_nobody_paid_is_proven_and_not_taken(stage: Stage) -> None:
    """The statement says nothing of where the queue's entries come from: that is the contract's part."""
    forged = stage.proven(Batch((e.deposit(0, 1_000_000),)))
    with pytest.raises(NotNextInQueue):
        stage.post(forged)
    assert stage.rollup.root() == stage.tree.root


def test_a_forced_exit_is_paid_and_a_rekey_makes_a_lost_list_worthless(
    played: Played, stage: Stage, tmp_path: Path
) -> None:
    rollup, leaver, loser = stage.rollup, stage.owner(2), stage.owner(3)
    wallet_file = tmp_path / "wallet"
    wallet_file.write_bytes(played.wallet.read_bytes())
    wallet = Wallet(wallet_file, bytes(32), 3, rollup.domain())
    assert wallet.follow(stage.tree[3]) is Status.OPEN
    lost = wallet.sign([e.transfer(3, 0, 100)])  # nobody knows who has it
    with pytest.raises(KeyUsed):
        wallet.sign([e.transfer(3, 1, 100)])
    rollup.rekey(wallet.cancel().payload, sender=loser)
    rollup.exit_account(sender=leaver)
    with stage.sequencer(tmp_path / "log") as sequencer:
        for item in stage.queue()[-2:]:
            sequencer.queue(item.number, e.decode(item.entries), 0.0)
        with pytest.raises(ReplayedNonce):
            sequencer.submit(lost, 0.0)
        cut = sequencer.cut(0.0, at_once=True)
        assert cut is not None and len(cut.batch.queue) == 2
        stage = stage.post(Posted(cut.applied, stage.prove(cut.number, cut.tree, cut.batch)))
        sequencer.settle(rollup.batches(), rollup.root())
        assert wallet.follow(sequencer.account(3)) is Status.OPEN and wallet.nonce == 2
        sequencer.submit(wallet.sign([e.transfer(3, 1, 100)]), 0.0)
    assert rollup.account_of(leaver.address).owed == 3000 and rollup.inside() == 7000
    assert stage.on_chain()[3].balance == 4000 and stage.tree[2].closing[:2] == (0, 0)
    stage.system.node.wait_blocks(RULES.delay)
    before = stage.system.token.balance_of(leaver.address)
    rollup.claim(sender=leaver)
    assert stage.system.token.balance_of(leaver.address) == before + 3000 * UNIT


def test_a_sequencer_gives_way_to_anothers_batch_and_loses_no_list(stage: Stage, tmp_path: Path) -> None:
    rollup = stage.rollup
    both, mine, theirs = (
        signed.to_bytes()
        for signed in (
            stage.signed(2, e.transfer(2, 3, 10)),
            stage.signed(0, e.lock(0, 20)),
            stage.signed(1, e.lock(1, 30)),
        )
    )
    with stage.sequencer(tmp_path / "first") as first, stage.sequencer(tmp_path / "second") as second:
        receipts = [first.submit(data, 0.0) for data in (both, mine)]
        assert first.cut(0.0, at_once=True)
        for data in (both, theirs):
            second.submit(data, 0.0)

        def settled(sequencer: Sequencer, poster: int, before: Stage) -> Stage:
            cut: Cut | None = sequencer.cut(0.0, at_once=True)
            assert cut is not None
            after = before.post(Posted(cut.applied, before.prove(cut.number, cut.tree, cut.batch)), poster)
            sequencer.settle(rollup.batches(), rollup.root())
            return after

        stage = settled(second, 1, stage)
        with pytest.raises(ForeignBatch):
            first.settle(rollup.batches(), rollup.root())
        *_, foreign = [each for each in stage.system.events() if isinstance(each, BatchSettled)]
        first.yield_to(2, rollup.data_of(foreign), rollup.root())
        fates = [first.fate(receipt) for receipt in receipts]
        assert [(fate.batch, fate.is_settled, fate.refusal) for fate in fates] == [
            (2, True, None),
            (None, False, None),
        ]
        stage = settled(first, 0, stage)
        assert [first.fate(receipt).batch for receipt in receipts] == [2, 3]
    tree = stage.on_chain()
    assert [tree[i].closing[:3] for i in range(OWNERS)] == [
        *((980, 20, 2), (1970, 30, 2), (2990, 0, 2), (4010, 0, 1))
    ]


def test_a_dead_sequencer_costs_nobody_a_unit(stage: Stage, played: Played) -> None:
    system, rollup, token, node = stage.system, stage.rollup, stage.system.token, stage.system.node
    payer, ender = stage.owner(1), stage.owner(2)
    with pytest.raises(NotOverdue):
        rollup.freeze(sender=ender)
    with pytest.raises(NotFrozenYet):
        rollup.escape(0, stage.tree[0], stage.tree.siblings(0), sender=ender)
    rollup.deposit(2, 50, sender=payer)
    assert token.balance_of(rollup.address) == 10_050 * UNIT + 2 * BOND
    node.wait_blocks(RULES.force)
    held = [token.balance_of(stage.owner(i).address) for i in range(OWNERS)]
    rollup.freeze(sender=ender)
    with pytest.raises(RollupFrozen):
        applied, proof = played.mixed.applied, played.mixed.proof
        rollup.submit(applied.data, applied.tree.root, proof, sender=stage.owner(0))
    number = rollup.queued()
    rollup.refund(number, sender=ender)
    with pytest.raises(NothingToRefund):
        rollup.refund(number, sender=ender)
    tree = stage.on_chain()
    with pytest.raises(WrongPath):
        rollup.escape(0, replace(tree[0], balance=2000), tree.siblings(0), sender=ender)
    for index in range(OWNERS):
        rollup.escape(index, tree[index], tree.siblings(index), sender=ender)
        with pytest.raises(AlreadyEscaped):
            rollup.escape(index, tree[index], tree.siblings(index), sender=ender)
        assert rollup.accounts(index).owed == 1000 * (index + 1)
    node.wait_blocks(RULES.delay)
    for index in range(OWNERS):
        rollup.claim(sender=stage.owner(index))
    got = [token.balance_of(stage.owner(i).address) - held[i] for i in range(OWNERS)]
    assert got == [units * UNIT for units in (1000, 2000 + 50, 3000, 4000)]
    assert rollup.inside() == 0 and token.balance_of(rollup.address) == 2 * BOND
    culprit = next(each for each in system.events() if type(each).__name__ == "RollupAbandoned").culprit
    honest = next(stage.owner(i).address for i in (0, 1) if stage.owner(i).address != culprit)
    due = {ender.address: FEE, system.rewards.address: BOND - FEE, honest: BOND}
    for to, amount in due.items():
        before = token.balance_of(to)
        rollup.pay_bond(to, sender=ender)
        assert token.balance_of(to) == before + amount
    assert token.balance_of(rollup.address) == 0


def test_seats_and_parameters_are_read_as_they_were_given(stage: Stage) -> None:
    rollup = stage.rollup
    first, second = rollup.seats()
    assert (first.sequencer, second.sequencer) == (stage.owner(0).address, stage.owner(1).address)
    assert first.from_turn <= second.from_turn and first.until_turn == second.until_turn == 2**32 - 1
    assert rollup.parameters() == RULES and rollup.slots_of([stage.owner(9).address]) == (0,)


def test_no_more_accounts_than_a_batch_has_room_for(stage: Stage) -> None:
    """Else one push could go to more of them than any batch can take, and the queue would stand still."""
    with pytest.raises(NoAccountLeft) as refused:
        stage.rollup.open(stage.key(OWNERS, 1).digest, sender=stage.owner(OWNERS))
    assert refused.value.limit == OWNERS == stage.rollup.opened()
