"""The rollup's contract through its client, on the embedded chain and on anvil: batches, refusals, everybody's way out."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from bfl_ref.chain.compile import compile_contracts, system_sources
from bfl_ref.chain.contracts import Genesis, deploy
from bfl_ref.chain.errors import (
    AlreadyQueuing,
    NotInTurn,
    NotNextInQueue,
    NotOverdue,
    OodMismatch,
    OutOfRange,
    RollupFrozen,
    StillWaiting,
    WrongPath,
)
from bfl_ref.chain.events import (
    AccountEscaped,
    AccountOpened,
    BatchSettled,
    BondPaid,
    DepositRefunded,
    EntriesQueued,
    RollupAbandoned,
    SequencerLeaving,
    SequencerSeated,
)
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import Content, Role, RoundParameters
from bfl_ref.chain.rollup import RollupParameters, root_bytes
from bfl_ref.chain.transactions import transact
from bfl_ref.rollup import Batch, StateTree, apply, domain_elements, replay
from bfl_ref.rollup.entries import Entry, decode, deposit, exit_all, rekey
from bfl_ref.rollup.entries import encode as entries_bytes
from bfl_ref.store import cid_of

HOSPITAL = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR
UNIT = 10**15
WEALTH = 10**6 * UNIT
BOND, FEE = 7 * UNIT, 3 * UNIT
RULES = RollupParameters(turn=4, force=60, delay=3, run=32, bond=BOND, fee=FEE)
KEYS = [(i, 1, 2, 3, 2**31 - 2**27) for i in range(4)]
ENROLMENT = tuple(rekey(i, KEYS[i]) for i in range(4))


class Stage:
    """Four members with accounts 0 to 3, the first two sequencers; a verifier that takes what it is told to."""

    def __init__(self, node, rules: RollupParameters = RULES) -> None:
        self.node, self.members = node, node.accounts[:4]
        names = [member.address for member in self.members]
        model = Content(cid_of(b"model"), bytes(31) + b"\1")
        balances = dict.fromkeys(names, WEALTH)
        genesis = Genesis(
            dict.fromkeys(names, HOSPITAL), balances, model, RoundParameters(1, 3), rollup=rules
        )
        stub = compile_contracts([*system_sources(), "test/StubDataVerifier.sol"])["StubDataVerifier"]
        factory = node.web3.eth.contract(abi=stub.abi, bytecode=stub.bytecode)
        self.verifier = transact(node, factory.constructor(), node.accounts[9])["contractAddress"]
        self.system = deploy(node, genesis, node.accounts[9], batches=self.verifier)
        self.rollup, self.tree = self.system.rollup, StateTree()

    def enter(self) -> None:
        for i, member in enumerate(self.members):
            self.system.token.approve(self.rollup.address, WEALTH, sender=member)
            assert self.rollup.open(KEYS[i], sender=member) == i
        for member in self.members[:2]:
            self.rollup.register(sender=member)
        self.node.wait_blocks(RULES.turn)

    def proof(self, data: bytes, new_root, number: int | None = None) -> bytes:
        """What the stand-in takes for a proof."""
        where = (
            self.node.web3.eth.chain_id,
            self.rollup.address,
            number or self.rollup.batches() + 1,
            "0x" + 40 * "0",
        )
        inputs = [*self.rollup.root(), *new_root, *self.rollup.domain()]
        types = ["(uint256,address,uint256,address)", "uint256[]", "bytes32"]
        return keccak(encode(types, [where, inputs, keccak(data)]))

    def sequencer(self):
        """Who is in turn in the next block."""
        turn = self.rollup.turn_of(self.node.web3.eth.block_number + 1)
        return next(each for each in self.members if each.address == self.rollup.in_turn(turn))

    def settle(self, *queue: Entry) -> BatchSettled:
        """A batch of entries of the queue."""
        applied = apply(self.tree, Batch(queue), self.rollup.domain())
        proof = self.proof(applied.data, applied.tree.root)
        settled = self.rollup.submit(applied.data, applied.tree.root, proof, sender=self.sequencer())
        self.tree = applied.tree
        return settled

    def told(self, *kinds):
        return [event for event in self.system.events() if isinstance(event, kinds)]


@pytest.fixture(params=["embedded", "anvil"])
def stage(request):
    with open_chain(request.param) as node:
        made = Stage(node)
        made.enter()
        yield made


def test_batches_take_the_queue_and_the_state_is_rebuilt_from_the_chain(stage):
    rollup, members = stage.rollup, stage.members
    assert rollup.root() == StateTree().root
    assert rollup.domain() == domain_elements(stage.node.web3.eth.chain_id, rollup.address)
    rollup.deposit(0, 5000, sender=members[0])
    with pytest.raises(AlreadyQueuing) as again:
        rollup.deposit(1, 1, sender=members[0])
    assert again.value.number == rollup.queued() == 5
    item = rollup.item_of(5)
    assert item.digest == keccak(deposit(0, 5000).to_bytes())[:30] + (1).to_bytes(2, "big")
    assert (item.payer, item.amount) == (members[0].address, 5000)

    first = stage.settle(*ENROLMENT, deposit(0, 5000))
    assert (first.number, first.entries, root_bytes(stage.tree.root)) == (1, 9, first.new_root)
    assert rollup.root() == stage.tree.root and rollup.batches() == 1
    assert (rollup.taken(), rollup.inside(), rollup.opened()) == (5, 5000, 4)
    state = rollup.account_of(members[0].address)
    assert (state.balance, state.nonce, state.owed) == (5000, 1, 0) and rollup.accounts(0) == state
    stranger = stage.node.accounts[5].address
    assert rollup.slots_of([members[0].address, stranger]) == (5000 << 128 | 1 << 64, 0)
    assert rollup.owner_of(2) == members[2].address and rollup.index_of(members[2].address) == 2
    assert rollup.account_number_of(stranger) == 0

    rollup.exit_account(sender=members[0])
    second = stage.settle(exit_all(0, 5000, 0))
    assert (rollup.accounts(0).owed, rollup.accounts(0).balance, rollup.inside()) == (5000, 0, 0)
    with pytest.raises(StillWaiting):
        rollup.claim(sender=members[0])
    stage.node.wait_blocks(RULES.delay)
    before = stage.system.token.balance_of(members[0].address)
    rollup.claim(sender=members[0])
    assert stage.system.token.balance_of(members[0].address) == before + 5000 * UNIT

    assert stage.told(BatchSettled) == [first, second]
    tree = StateTree()
    for settled in stage.told(BatchSettled):
        tree = replay(tree, rollup.data_of(settled))
        assert root_bytes(tree.root) == settled.new_root
    assert tree.accounts == stage.tree.accounts
    queued = b"".join(event.entries for event in stage.told(EntriesQueued))
    assert queued == entries_bytes([*ENROLMENT, deposit(0, 5000), exit_all(0, 0, 0)])
    assert [event.index for event in stage.told(AccountOpened)] == [0, 1, 2, 3]
    assert [event.seat for event in stage.told(SequencerSeated)] == [0, 1]
    seats = rollup.seats()
    assert [seat.sequencer for seat in seats] == [each.address for each in members[:2]]
    assert all(seat.from_turn < seat.until_turn == 2**32 - 1 for seat in seats)
    assert decode(rollup.data_of(first))[0] == ENROLMENT[0]


def test_refused_batch_raises_the_contracts_error(stage):
    rollup, members = stage.rollup, stage.members
    with pytest.raises(NotNextInQueue):
        stage.settle(rekey(1, KEYS[1]))
    root = stage.tree.root
    with pytest.raises(NotInTurn) as early:
        data = entries_bytes(ENROLMENT)
        rollup.submit(data, root, stage.proof(data, root), sender=members[3])
    assert early.value.caller == members[3].address
    stage.settle(*ENROLMENT)
    rollup.deposit(0, 5, sender=members[0])
    data = deposit(0, 5).to_bytes()
    with pytest.raises(OodMismatch):
        rollup.submit(data, root, stage.proof(data, root, number=1), sender=stage.sequencer())
    with pytest.raises(NotOverdue):
        rollup.freeze(sender=members[3])
    with pytest.raises(ValueError, match="expected 5 elements"):
        rollup.rekey((1, 2, 3), sender=members[0])
    with pytest.raises(ValueError, match="expected 8 elements"):
        rollup.submit(data, root[:7], b"", sender=members[0])


def test_dead_sequencers_are_left_with_everything(stage):
    rollup, system, members = stage.rollup, stage.system, stage.members
    rollup.deposit(1, 900, sender=members[3])
    stage.settle(*ENROLMENT, deposit(1, 900))
    rollup.resign(members[1].address, sender=members[1])
    rollup.deposit(2, 700, sender=members[2])
    stage.node.wait_blocks(RULES.force + 1)
    assert rollup.is_overdue() and not rollup.is_frozen()
    rollup.freeze(sender=members[3])
    assert rollup.is_frozen()
    with pytest.raises(RollupFrozen):
        rollup.exit_account(sender=members[0])
    rollup.refund(6, sender=members[0])
    assert system.token.balance_of(members[2].address) == WEALTH
    account, siblings = stage.tree[1], stage.tree.siblings(1)
    with pytest.raises(WrongPath):
        rollup.escape(2, account, siblings, sender=members[0])
    rollup.escape(1, account, siblings, sender=members[0])
    stage.node.wait_blocks(RULES.delay)
    rollup.claim(sender=members[1])
    assert system.token.balance_of(members[1].address) == WEALTH - BOND + 900 * UNIT
    assert rollup.bonds_owed_to(members[3].address) == FEE
    assert rollup.bonds_owed_to(rollup.pot()) == BOND - FEE
    (abandoned,) = stage.told(RollupAbandoned)
    assert (abandoned.by, abandoned.item) == (members[3].address, 6)
    innocent = next(each.address for each in members[:2] if each.address != abandoned.culprit)
    for to in (members[3].address, rollup.pot(), innocent):
        rollup.pay_bond(to, sender=members[0])
    assert system.token.balance_of(rollup.address) == 0
    assert [event.amount for event in stage.told(BondPaid)] == [FEE, BOND - FEE, BOND]
    assert [event.amount for event in stage.told(DepositRefunded, AccountEscaped)] == [700, 900]
    assert [event.sequencer for event in stage.told(SequencerLeaving)] == [members[1].address]


def test_deployment_keeps_its_parameters_and_refuses_others():
    with open_chain() as node:
        made = Stage(node)
        assert made.rollup.parameters() == RULES and made.rollup.verifier() == made.verifier
        assert made.rollup.token() == made.system.token.address
        assert made.rollup.pot() == made.system.rewards.address
        with pytest.raises(OutOfRange) as short:
            Stage(node, RollupParameters(turn=10, force=19))
        assert (short.value.got, short.value.lowest) == (19, 20)
