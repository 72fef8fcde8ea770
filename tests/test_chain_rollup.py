"""The rollup's contract through its client, on the embedded chain and on anvil: batches, refusals, everybody's way out."""

from struct import pack

import pytest
from eth_abi import encode
from eth_utils import keccak

from bfl_ref.chain.compile import compile_contracts, system_sources
from bfl_ref.chain.consortium import govern
from bfl_ref.chain.contracts import SYSTEM_ROLE, Genesis, deploy
from bfl_ref.chain.errors import (
    AlreadyQueuing,
    MissingPower,
    NotInTurn,
    NotNextInQueue,
    NotOverdue,
    NotParticipant,
    OodMismatch,
    OutOfRange,
    RollupFrozen,
    StillWaiting,
    WrongPath,
)
from bfl_ref.chain.events import (
    EVENTS,
    AccountEscaped,
    AccountOpened,
    BatchSettled,
    BondPaid,
    DepositRefunded,
    EntriesQueued,
    RollupAbandoned,
    SequencerLeaving,
    SequencerSeated,
    UnitsClaimed,
)
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import Content, Role, RoundParameters, from_names, snake
from bfl_ref.chain.rollup import PUSHER_ROLE, UNIT, Rollup, connect_rollup, deploy_rollup
from bfl_ref.chain.rollup_records import RollupParameters, packed
from bfl_ref.chain.transactions import transact
from bfl_ref.store import cid_of

HOSPITAL = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR
WEALTH = 10**6 * UNIT
BOND, FEE = 7 * UNIT, 3 * UNIT
RULES = RollupParameters(turn=4, force=60, delay=3, run=32, bond=BOND, fee=FEE)
KEYS = [(i, 1, 2, 3, 2**31 - 2**27) for i in range(5)]
ROOTS = [tuple(range(8 * i, 8 * i + 8)) for i in range(9)]
REKEY, DEPOSIT, EXIT, TRANSFER, WITHDRAW, CLOSE = 10, 8, 11, 1, 6, 12


def entry(kind: int, sender: int, to: int, *payload: int) -> bytes:
    return pack(">6I", kind + 16 * sender + 16384 * to, *payload, *(0,) * (5 - len(payload)))


class Stage:
    """Four members with accounts 0 to 3, the first two sequencers; a verifier that takes what it is told to."""

    def __init__(self, node) -> None:
        self.members = node.accounts[:4]
        self.deployer = node.accounts[9]
        names = [member.address for member in self.members]
        content = Content(cid_of(b"model"), bytes(31) + b"\1")
        genesis = Genesis(
            dict.fromkeys(names, HOSPITAL), dict.fromkeys(names, WEALTH), content, RoundParameters(1, 3)
        )
        self.system = deploy(node, genesis, self.deployer)
        artifacts = compile_contracts([*system_sources(), "test/StubDataVerifier.sol"])
        stub = artifacts["StubDataVerifier"]
        factory = node.web3.eth.contract(abi=stub.abi, bytecode=stub.bytecode)
        self.verifier = transact(node, factory.constructor(), self.deployer)["contractAddress"]
        self.first_block = node.web3.eth.block_number + 1
        self.rollup = deploy_rollup(self.system, self.verifier, self.deployer, RULES)
        self.node = node

    def admit(self) -> None:
        grant = self.system.consortium.grant_role(SYSTEM_ROLE, self.rollup.address)
        govern(self.system.consortium, grant, self.members)
        for i, member in enumerate(self.members):
            self.system.token.approve(self.rollup.address, WEALTH, sender=member)
            assert self.rollup.open(KEYS[i], sender=member) == i
        for member in self.members[:2]:
            self.rollup.register(sender=member)
        self.node.wait_blocks(RULES.turn)

    def proof(self, data: bytes, new_root, number: int | None = None) -> bytes:
        """What the stand-in takes for a proof."""
        rollup = self.rollup
        where = self.node.web3.eth.chain_id, rollup.address, number or rollup.batches() + 1, "0x" + 40 * "0"
        inputs = [*rollup.root(), *new_root, *rollup.domain()]
        types = ["(uint256,address,uint256,address)", "uint256[]", "bytes32"]
        return keccak(encode(types, [where, inputs, keccak(data)]))

    def settle(self, data: bytes, new_root) -> BatchSettled:
        """By whoever of the two is in turn."""
        return self.rollup.submit(data, new_root, self.proof(data, new_root), sender=self.sequencer())

    def sequencer(self):
        """Who is in turn in the next block."""
        turn = self.rollup.turn_of(self.node.web3.eth.block_number + 1)
        return next(each for each in self.members if each.address == self.rollup.in_turn(turn))


@pytest.fixture(params=["embedded", "anvil"])
def stage(request):
    with open_chain(request.param) as node:
        made = Stage(node)
        made.admit()
        yield made


@pytest.fixture
def embedded():
    with open_chain() as node:
        yield Stage(node)


ENROLMENT = b"".join(entry(REKEY, 0, i, *KEYS[i]) for i in range(4))


def test_batch_takes_the_queue_and_its_data_are_found_in_the_chain(stage):
    rollup, members = stage.rollup, stage.members
    rollup.deposit(0, 5000, sender=members[0])
    with pytest.raises(AlreadyQueuing) as again:
        rollup.deposit(1, 1, sender=members[0])
    assert again.value.number == rollup.queued() == 5
    item = rollup.item_of(5)
    waiting = entry(DEPOSIT, 0, 0, 5000)
    assert item.digest == keccak(waiting)[:30] + (1).to_bytes(2, "big")
    assert (item.payer, item.amount) == (members[0].address, 5000)

    data = ENROLMENT + waiting + entry(CLOSE, 0, 0, 5000, 0, 1) + entry(CLOSE, 1, 0, 0, 0, 1)
    settled = stage.settle(data, ROOTS[1])
    assert (settled.number, settled.entries, packed(ROOTS[1], 8)) == (1, 7, settled.new_root)
    assert rollup.data_of(settled) == data and rollup.root() == ROOTS[1] and rollup.batches() == 1
    assert (rollup.taken(), rollup.inside(), rollup.opened()) == (5, 5000, 4)
    state = rollup.account_of(members[0].address)
    assert (state.balance, state.nonce, state.owed) == (5000, 1, 0) and rollup.accounts(0) == state
    assert rollup.slots_of([members[0].address, stage.deployer.address]) == (5000 << 128 | 1 << 64, 0)
    assert rollup.indices_of([stage.deployer.address, members[3].address]) == (1024, 3)
    assert rollup.owner_of(2) == members[2].address and rollup.index_of(members[2].address) == 2

    data = entry(WITHDRAW, 0, 0, 2000) + entry(CLOSE, 0, 0, 3000, 0, 2)
    second = stage.settle(data, ROOTS[2])
    assert rollup.accounts(0).owed == 2000
    with pytest.raises(StillWaiting):
        rollup.claim(sender=members[0])
    stage.node.wait_blocks(RULES.delay)
    before = stage.system.token.balance_of(members[0].address)
    rollup.claim(sender=members[0])
    assert stage.system.token.balance_of(members[0].address) == before + 2000 * UNIT

    told = rollup.history(stage.first_block, stage.node.web3.eth.block_number)
    assert [e for e in told if isinstance(e, BatchSettled)] == [settled, second]
    assert [type(e) for e in told[:2]] == [AccountOpened, EntriesQueued]
    assert b"".join(e.entries for e in told if isinstance(e, EntriesQueued)) == ENROLMENT + waiting
    assert sum(isinstance(e, SequencerSeated) for e in told) == 2
    assert isinstance(told[-1], UnitsClaimed)
    assert "Rollup.submit" in stage.system.gas


def test_refused_batch_raises_the_contracts_error(stage):
    rollup, members = stage.rollup, stage.members
    with pytest.raises(NotNextInQueue):
        stage.settle(entry(REKEY, 0, 1, *KEYS[1]), ROOTS[1])
    with pytest.raises(NotInTurn) as early:
        rollup.submit(ENROLMENT, ROOTS[1], stage.proof(ENROLMENT, ROOTS[1]), sender=members[3])
    assert early.value.caller == members[3].address
    stage.settle(ENROLMENT, ROOTS[1])
    proof = stage.proof(entry(TRANSFER, 0, 1, 5), ROOTS[2], number=1)
    with pytest.raises(OodMismatch):
        rollup.submit(entry(TRANSFER, 0, 1, 5), ROOTS[2], proof, sender=stage.sequencer())
    with pytest.raises(NotOverdue):
        rollup.freeze(sender=members[3])
    with pytest.raises(ValueError, match="expected 5 elements"):
        rollup.rekey((1, 2, 3), sender=members[0])


def test_dead_sequencers_are_left_with_everything(stage):
    rollup, system, members = stage.rollup, stage.system, stage.members
    stage.settle(ENROLMENT, ROOTS[1])
    rollup.resign(members[1].address, sender=members[1])
    rollup.deposit(2, 700, sender=members[2])
    stage.node.wait_blocks(RULES.force + 1)
    assert rollup.is_overdue() and not rollup.is_frozen()
    rollup.freeze(sender=members[3])
    assert rollup.is_frozen()
    with pytest.raises(RollupFrozen):
        rollup.exit_account(sender=members[0])
    rollup.refund(5, sender=members[0])
    assert system.token.balance_of(members[2].address) == WEALTH
    with pytest.raises(WrongPath):
        rollup.escape(0, _Leaf(), [ROOTS[1]] * 10, sender=members[0])
    assert rollup.bonds_owed_to(members[3].address) == FEE
    assert rollup.bonds_owed_to(rollup.pot()) == BOND - FEE
    told = rollup.history(stage.first_block, stage.node.web3.eth.block_number)
    assert isinstance(told[-1], DepositRefunded) and isinstance(told[-2], RollupAbandoned)
    guilty = told[-2].culprit
    innocent = next(each.address for each in members[:2] if each.address != guilty)
    for to in (members[3].address, rollup.pot(), innocent):
        rollup.pay_bond(to, sender=members[0])
    assert system.token.balance_of(rollup.address) == 0
    told = rollup.history(stage.first_block, stage.node.web3.eth.block_number)
    assert [type(e) for e in told[-3:]] == [BondPaid] * 3
    assert sum(isinstance(e, SequencerLeaving) for e in told) == 1


class _Leaf:
    key = record = (0,) * 5
    balance, stake, nonce, positive, negative = 5, 0, 0, 0, 0


def test_deployment_stands_beside_the_system_and_needs_its_vote(embedded):
    rollup = embedded.rollup
    assert rollup.parameters() == RULES and rollup.verifier() == embedded.verifier
    assert rollup.token() == embedded.system.token.address and rollup.pot() == embedded.system.rewards.address
    member = embedded.members[0]
    with pytest.raises(NotParticipant):
        embedded.system.token.approve(rollup.address, 1, sender=member)
    again = connect_rollup(embedded.system, rollup.address)
    assert again.root() == rollup.root() and again.seats() == () and again.last_turn() == 0
    for wrong in (embedded.system.token.address, member.address):
        with pytest.raises(ValueError, match="bytes of code"):
            connect_rollup(embedded.system, wrong)
    with pytest.raises(OutOfRange) as short:
        deploy_rollup(
            embedded.system, embedded.verifier, embedded.deployer, RollupParameters(turn=10, force=19)
        )
    assert (short.value.got, short.value.lowest) == (19, 20)
    with pytest.raises(MissingPower) as powerless:
        rollup._send(member, "push", entry(9, 0, 0, 1, 2))
    assert powerless.value.power == PUSHER_ROLE


def test_client_has_a_method_for_every_function_and_a_dataclass_for_every_event():
    abi = compile_contracts(system_sources())["IRollup"].abi
    functions = {e["name"] for e in abi if e["type"] == "function"} - {"push"}  # contracts push
    missing = {snake(function) for function in functions} - set(dir(Rollup))
    assert not missing, f"Rollup has no method for {missing}"
    events = [e for e in abi if e["type"] == "event"]
    assert len(events) == 10 and AccountEscaped in EVENTS.values()
    for event in events:
        assert from_names(EVENTS[event["name"]], {part["name"]: 0 for part in event["inputs"]})
