"""A verified round through the client, on the real contracts but for the verifier: beacon, states, audits, slashes."""

import random
from types import SimpleNamespace

import pytest
from eth_abi.abi import encode
from eth_utils import keccak

from bfl_ref.chain import errors
from bfl_ref.chain.compile import compile_contracts
from bfl_ref.chain.contracts import Genesis, System, deploy
from bfl_ref.chain.events import (
    AuditDrawn,
    AuditFailed,
    AuditsDrawn,
    BeaconFixed,
    BeaconStarted,
    HospitalExcluded,
    RoundAborted,
    SecretLost,
    SecretRebuilt,
    StakeSlashed,
    StatesCommitted,
    TreasurySpent,
)
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import (
    AbortReason,
    Content,
    Phase,
    Role,
    RoundParameters,
    SecretState,
    Stage,
    TrainingParameters,
)
from bfl_ref.chain.transactions import transact
from bfl_ref.store import cid_of

Q = 2**255 - 19
STAKE, PENALTY, FEE, BEACON_PENALTY = 1000, 400, 150, 70
DURATIONS = (60, 5, 30, 40, 30, 5, 20, 20, 5)
TRAINING = TrainingParameters(1, 2, 300, 8, 25, 5000, PENALTY, FEE, BEACON_PENALTY)
ROWS = (600, 512, 1025, 1)
ALL = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR


def content(name: str) -> Content:
    return Content(cid_of(name.encode()), keccak(name.encode()))


def canonical(*name) -> bytes:
    return (int.from_bytes(keccak(repr(name).encode())) & (0x3FFFFFFF * (2**256 // (2**32 - 1)))).to_bytes(32)


def digests(address: str, rows: int) -> list[bytes]:
    return [canonical("segment", address, i) for i in range(-(-rows // 512))]


def hashed(types: str, *values) -> bytes:
    return keccak(encode(types.split(), values))


@pytest.fixture
def stage():
    """Four hospitals, all of them validators; a verifier that takes the statement's hash for its proof."""
    with open_chain("embedded") as node:
        hospitals = node.accounts[:4]
        stub = compile_contracts(["test/StubVerifier.sol"])["StubVerifier"]
        factory = node.web3.eth.contract(abi=stub.abi, bytecode=stub.bytecode)
        verifier = str(transact(node, factory.constructor(), hospitals[0])["contractAddress"])
        members = dict.fromkeys((a.address for a in hospitals), ALL)
        balances = dict.fromkeys(members, 10 * STAKE)
        genesis = Genesis(
            members, balances, content("genesis"), RoundParameters(STAKE, 3, True), training=TRAINING
        )
        system = deploy(node, genesis, node.accounts[9], (verifier, None))
        for hospital, rows in zip(hospitals, ROWS, strict=True):
            system.token.approve(system.vault.address, STAKE, sender=hospital)
            system.vault.lock(STAKE, sender=hospital)
            seed = canonical("seed", hospital.address)
            leaves = content("leaves")
            system.data.register(digests(hospital.address, rows), rows, seed, leaves, sender=hospital)
            system.beacon.publish_key(keccak(hospital.address.encode()), sender=hospital)
        yield SimpleNamespace(system=system, hospitals=hospitals, verifier=verifier, node=node)


def dealing(system: System, round_id: int, dealer: str, which: int):
    """(secret, shares, commitment, share hashes) of a polynomial of degree 2."""
    rng = random.Random(f"{round_id} {dealer} {which}")
    coefficients = [rng.randrange(Q) for _ in range(3)]
    shares = [sum(c * x**k for k, c in enumerate(coefficients)) % Q for x in range(1, 5)]
    chain, at = system.node.web3.eth.chain_id, system.beacon.address
    words = "uint256 address uint256 uint8 address uint256"
    commitment = hashed(words, chain, at, round_id, which, dealer, coefficients[0])
    assert commitment == system.beacon.commitment_of(round_id, which, dealer, coefficients[0])
    hashes = [
        hashed(f"{words} uint256", chain, at, round_id, which, dealer, i, s) for i, s in enumerate(shares)
    ]
    assert hashes[3] == system.beacon.share_hash_of(round_id, which, dealer, 3, shares[3])
    return coefficients[0], shares, commitment, hashes


def advance(system: System, round_id: int) -> None:
    sender = system.node.accounts[0]
    try:
        system.rounds.advance(round_id, sender=sender)
    except errors.PhaseNotOver as early:
        system.node.wait_blocks(early.deadline - system.node.web3.eth.block_number)
        system.rounds.advance(round_id, sender=sender)


def deal_all(system: System, round_id: int, hospitals) -> None:
    for hospital in hospitals:
        pairs = [dealing(system, round_id, hospital.address, which) for which in (0, 1)]
        commitments, hashes = [p[2] for p in pairs], [p[3] for p in pairs]
        system.beacon.commit(round_id, commitments, hashes, b"sealed", sender=hospital)


def reveal_all(system: System, round_id: int, which: int, hospitals) -> None:
    for hospital in hospitals:
        secret = dealing(system, round_id, hospital.address, which)[0]
        system.beacon.reveal(round_id, which, secret, sender=hospital)


def states_of(system: System, round_id: int, hospital: str) -> list[bytes]:
    steps = TRAINING.epochs * len(system.data.segments_of(hospital))
    return [system.audits.start_of(round_id)] + [
        canonical("state", round_id, hospital, i) for i in range(steps)
    ]


def to_draw(system: System, hospitals) -> int:
    round_id = system.rounds.open(content("task"), DURATIONS, sender=hospitals[0])
    deal_all(system, round_id, hospitals)
    assert system.beacon.stage_of(round_id, 0) is Stage.REVEAL
    reveal_all(system, round_id, 0, hospitals)
    assert system.beacon.is_done(round_id, 0)
    advance(system, round_id)
    advance(system, round_id)
    for hospital in hospitals:
        states = states_of(system, round_id, hospital.address)
        update = Content(cid_of(b"update"), states[-1])
        system.rounds.commit_states(round_id, update, states, sender=hospital)
    advance(system, round_id)
    assert system.rounds.phase_of(round_id) is Phase.DRAW
    return round_id


def prove(stage, round_id: int, audit_id: int) -> None:
    audits, node = stage.system.audits, stage.node
    audit = audits.audit_of(round_id, audit_id)
    states = states_of(stage.system, round_id, audit.hospital)
    before, after = states[audit.step : audit.step + 2]
    paths = [audits.path_of(round_id, audit.hospital, states, audit.step + i)[1] for i in (0, 1)]
    public = audits.public_inputs(round_id, audit_id, before, after)
    domain = (node.web3.eth.chain_id, audits.address, round_id, audit.hospital)
    offset = encode(["(uint256,address,uint256,address)", "uint256[]"], [domain, public])
    sender = next(a for a in stage.hospitals if a.address == audit.hospital)
    proof = encode(["bytes32"], [keccak(offset)])
    audits.prove(round_id, audit_id, proof, before, paths[0], after, paths[1], sender=sender)


def told(system: System, kind: type) -> list:
    return [event for event in system.events() if isinstance(event, kind)]


def test_verified_round_is_drawn_from_the_beacon_and_excludes_who_proves_nothing(stage):
    system, hospitals = stage.system, stage.hospitals
    assert system.audits.verifier_of(1) == stage.verifier and system.audits.training() == TRAINING
    round_id = to_draw(system, hospitals)
    reveal_all(system, round_id, 1, hospitals)
    advance(system, round_id)

    (started,) = told(system, BeaconStarted)
    assert started.validators == system.beacon.validators_of(round_id) and started.threshold == 3
    assert started.keys == tuple(system.beacon.key_of(v) for v in started.validators)
    secrets = [dealing(system, round_id, v, 1)[0] for v in started.validators]
    words = (stage.node.web3.eth.chain_id, system.beacon.address, round_id, 1, secrets)
    r2 = hashed("uint256 address uint256 uint8 uint256[]", *words)
    assert system.beacon.value_of(round_id, 1) == r2 and told(system, BeaconFixed)[1].value == r2

    # the draw by its definition: pairs are counted through the hospitals in the order of their commitments
    pairs = [(e.hospital, i) for e in told(system, StatesCommitted) for i in range(len(e.states) - 1)]
    (drawn,) = told(system, AuditsDrawn)
    assert (drawn.seed, drawn.steps, drawn.audits) == (r2, len(pairs), 7)
    numbers: list[int] = []
    for j in range(len(pairs) - 7, len(pairs)):
        t = int.from_bytes(hashed("bytes32 uint256", r2, j)) % (j + 1)
        numbers.append(j if t in numbers else t)
    assert system.audits.sample(r2, len(pairs), 7) == tuple(numbers)
    assert [(e.hospital, e.step) for e in told(system, AuditDrawn)] == [pairs[n] for n in numbers]

    idle = next(a.address for a in hospitals if system.audits.states_of(round_id, a.address).outstanding)
    with pytest.raises(errors.NotAudited):
        states = states_of(system, round_id, idle)
        stranger = next(a for a in hospitals if a.address != system.audits.audit_of(round_id, 0).hospital)
        system.audits.prove(round_id, 0, b"", states[0], [], states[1], [], sender=stranger)
    for audit_id in range(system.audits.audits_of(round_id)):
        if system.audits.audit_of(round_id, audit_id).hospital != idle:
            prove(stage, round_id, audit_id)
    assert system.audits.failing(round_id) == 1
    advance(system, round_id)
    assert [e.hospital for e in told(system, HospitalExcluded)] == [idle]
    assert {e.hospital for e in told(system, AuditFailed)} == {idle}
    assert [(e.member, e.amount) for e in told(system, StakeSlashed)] == [(idle, PENALTY)]
    paid = [(e.to, e.amount) for e in told(system, TreasurySpent)]
    assert paid == ([] if idle == hospitals[0].address else [(hospitals[0].address, FEE)])
    assert system.audits.is_excluded(round_id, idle)
    taken = system.rounds.round_of(round_id)
    assert (taken.verified, taken.committed, taken.excluded) == (True, 4, 1)
    assert system.rounds.phase_of(round_id) is Phase.SHARE


def test_secret_kept_back_is_rebuilt_from_shares_and_its_dealer_slashed(stage):
    system, hospitals = stage.system, stage.hospitals
    round_id = to_draw(system, hospitals)
    silent = hospitals[3].address
    reveal_all(system, round_id, 1, hospitals[:3])
    _, until = system.beacon.stages_of(round_id, 1)
    system.node.wait_blocks(until - system.node.web3.eth.block_number)
    assert system.beacon.stage_of(round_id, 1) is Stage.REVEAL  # of the last block; the next one is over it
    secret, shares, _, hashes = dealing(system, round_id, silent, 1)
    order = system.beacon.validators_of(round_id)
    for hospital in hospitals[:3]:
        index = order.index(hospital.address)
        system.beacon.post_share(round_id, 1, silent, hashes, index, shares[index], sender=hospital)
    dealt = system.beacon.dealing_of(round_id, 1, silent)
    assert (dealt.secret, dealt.state, dealt.shares) == (secret, SecretState.REBUILT, 3)
    assert [(e.dealer, e.secret) for e in told(system, SecretRebuilt)] == [(silent, secret)]
    assert system.vault.stake_of(silent).active == STAKE - BEACON_PENALTY
    advance(system, round_id)
    assert system.rounds.phase_of(round_id) is Phase.PROVE


def test_round_without_a_beacon_value_is_aborted(stage):
    system, hospitals = stage.system, stage.hospitals
    round_id = system.rounds.open(content("task"), DURATIONS, sender=hospitals[0])
    deal_all(system, round_id, hospitals[:2])
    advance(system, round_id)
    assert system.rounds.phase_of(round_id) is Phase.ABORTED
    assert [event.reason for event in told(system, RoundAborted)] == [AbortReason.NO_BEACON]
    assert {event.dealer for event in told(system, SecretLost)} == {a.address for a in hospitals[:2]}
    with pytest.raises(errors.WrongStage) as refused:
        system.beacon.reveal(round_id, 1, 5, sender=hospitals[0])
    assert (refused.value.expected, refused.value.got) == (Stage.REVEAL, Stage.NONE)


def test_rows_may_only_leave(stage):
    system, hospital = stage.system, stage.hospitals[2]
    system.data.shrink(digests(hospital.address, 1000), 1000, content("fewer"), sender=hospital)
    assert system.data.rows_of(hospital.address) == 1000 and system.data.version_of(hospital.address) == 5
    with pytest.raises(errors.RowsMayOnlyLeave):
        system.data.shrink(digests(hospital.address, 1000), 1000, content("same"), sender=hospital)
    assert system.data.segment_rows(1025, 3, 1) == 342


def test_deploy_with_another_number_of_verifiers_is_refused(stage):
    with pytest.raises(ValueError, match="expected verifiers for one and for two halves, got 1"):
        deploy(stage.node, None, stage.node.accounts[9], (None,))  # type: ignore[arg-type]
    for more in ({"releases": (None,) * 3}, {"sums": (None,) * 3}):
        with pytest.raises(ValueError, match="expected verifiers for one and for two halves, got 3"):
            deploy(stage.node, None, stage.node.accounts[9], **more)  # type: ignore[arg-type]
