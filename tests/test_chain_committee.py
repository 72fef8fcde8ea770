"""A shared round through the client, on the real contracts but for the verifiers: shares, complaints, sums, slashes."""

import random
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from eth_abi.abi import encode
from eth_utils import keccak
from test_chain_verified import (
    ALL,
    ROWS,
    STAKE,
    TRAINING,
    advance,
    canonical,
    content,
    deal_all,
    digests,
    prove,
    reveal_all,
    states_of,
    told,
)

from bfl_ref.chain import errors
from bfl_ref.chain.compile import compile_contracts
from bfl_ref.chain.contracts import Genesis, deploy
from bfl_ref.chain.events import (
    AggregatorFailed,
    HospitalLeftOut,
    RoundAborted,
    SeatsFixed,
    ShareShown,
    StakeSlashed,
    SumDecoded,
    SumSubmitted,
    SurvivorsFixed,
)
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import AbortReason, Content, Phase, Release, RoundParameters, SharingParameters
from bfl_ref.chain.stark import deploy_verifier, generated_evaluators
from bfl_ref.chain.transactions import transact
from bfl_ref.fixed_point.digests import digest_bytes
from bfl_ref.proving import SumTask, prove_step
from bfl_ref.sharing.decoding import decode
from bfl_ref.sharing.digest import digest
from bfl_ref.sharing.groups import partition
from bfl_ref.sharing.shamir import random_coefficients, share, signed
from bfl_ref.stark.field import F, from_bytes, to_bytes
from bfl_ref.stark.setup import Domain
from bfl_ref.stark.solidity.statements import sum_setup
from bfl_ref.statements.sum_share import Addends, SumShare, fill
from bfl_ref.store import cid_of

SHARING = SharingParameters(aggregators=4, threshold=2, max_bucket=7, penalty=50)
DURATIONS = (60, 5, 30, 40, 30, 20, 30, 20, 5)
SLOTS, SALTS = 36, 4


@contextmanager
def opened(sums: Callable[[Node], str] | None = None):
    """Four hospitals that do everything; verifiers that take the statement's hash for its proof. sums: who verifies sums."""
    with open_chain("embedded") as node:
        hospitals = node.accounts[:4]
        stub = compile_contracts(["test/StubVerifier.sol"])["StubVerifier"]
        factory = node.web3.eth.contract(abi=stub.abi, bytecode=stub.bytecode)
        verifier = str(transact(node, factory.constructor(), hospitals[0])["contractAddress"])
        members = dict.fromkeys((a.address for a in hospitals), ALL)
        balances = dict.fromkeys(members, 10 * STAKE)
        parameters = RoundParameters(STAKE, 3, verified=True, shared=True)
        genesis = Genesis(
            members, balances, content("genesis"), parameters, training=TRAINING, sharing=SHARING
        )
        narrow, of_sums = (verifier, None), (sums(node) if sums else verifier, None)
        system = deploy(node, genesis, node.accounts[9], narrow, narrow, of_sums)
        for hospital, rows in zip(hospitals, ROWS, strict=True):
            system.token.approve(system.vault.address, 2 * STAKE, sender=hospital)
            system.vault.lock(2 * STAKE, sender=hospital)
            seed = canonical("seed", hospital.address)
            leaves = content("leaves")
            system.data.register(digests(hospital.address, rows), rows, seed, leaves, sender=hospital)
        yield SimpleNamespace(system=system, hospitals=hospitals, verifier=verifier, node=node)


@pytest.fixture
def stage():
    with opened() as made:
        yield made


def shared_by(round_id: int, hospital: str) -> tuple[np.ndarray, F, F]:
    """(weighted update (36,), shares (4, 36), salts (4, 4)), from the names alone."""
    rng = random.Random(f"{round_id} {hospital}")
    update = np.array([rng.randrange(-(2**24), 2**24) for _ in range(SLOTS)])
    shares = share(update, random_coefficients(SLOTS, SHARING.threshold, rng.randbytes), 4)
    return update, shares, random_coefficients(SALTS, 5, rng.randbytes)


def commit_shared(stage, round_id: int, hospital) -> None:
    system, own = stage.system, hospital.address
    states = states_of(system, round_id, own)
    _, shares, salts = shared_by(round_id, own)
    named = tuple(digest_bytes(each) for each in digest(shares, salts))
    public = system.committee.public_inputs(round_id, own, states[-1], named, 3)
    assert len(public) == 16 + 8 * 4 + 3 and public[-2:] == (4**2, 4**3)
    release = Release(named, 3, stub_proof(stage, round_id, own, public))
    system.rounds.commit_shared(round_id, Content(cid_of(b""), states[-1]), states, release, sender=hospital)
    assert system.committee.digests_of(round_id, own) == named
    assert system.committee.bucket_of(round_id, own) == 3


def stub_proof(stage, round_id: int, prover: str, public) -> bytes:
    domain = (stage.node.web3.eth.chain_id, stage.system.committee.address, round_id, prover)
    statement = keccak(encode(["(uint256,address,uint256,address)", "uint256[]"], [domain, list(public)]))
    return encode(["bytes32"], [statement])


def to_share(stage) -> int:
    system, hospitals = stage.system, stage.hospitals
    round_id = system.rounds.open(content("task"), DURATIONS, sender=hospitals[0])
    deal_all(system, round_id, hospitals)
    reveal_all(system, round_id, 0, hospitals)
    advance(system, round_id)
    advance(system, round_id)
    weights = tuple(system.committee.weight_of(round_id, h.address) for h in hospitals)
    assert weights == ROWS
    for hospital in hospitals:
        commit_shared(stage, round_id, hospital)
    advance(system, round_id)
    reveal_all(system, round_id, 1, hospitals)
    advance(system, round_id)
    for audit_id in range(system.audits.audits_of(round_id)):
        prove(stage, round_id, audit_id)
    advance(system, round_id)
    assert system.rounds.phase_of(round_id) is Phase.SHARE
    return round_id


def sum_of(system, round_id: int, seat: int) -> bytes:
    return to_bytes(addends_of(system, round_id, seat).total)


def addends_of(system, round_id: int, seat: int) -> Addends:
    of = [shared_by(round_id, hospital) for hospital in system.committee.survivors_of(round_id)]
    return Addends(np.stack([s[seat] for _, s, _ in of]).view(F), np.stack([s[seat] for *_, s in of]).view(F))


def test_shared_round_is_summed_by_whoever_proves_its_sum(stage):
    system, hospitals = stage.system, stage.hospitals
    committee = system.committee
    assert committee.sharing() == SHARING
    assert committee.verifier_of(1) == committee.sum_verifier_of(1) == stage.verifier
    assert system.rounds.committee() == committee.address
    round_id = to_share(stage)
    seats = committee.seats_of(round_id)
    (fixed,) = told(system, SeatsFixed)
    assert fixed.seats == seats and committee.sharing_of(round_id) == SHARING
    assert system.rounds.round_of(round_id).shared
    accounts = {a.address: a for a in hospitals}

    # one hospital answers a complaint, another has as many as make it leave
    answering, leaving = hospitals[1], hospitals[3]
    committee.complain(round_id, answering.address, sender=accounts[seats[2]])
    assert committee.complaints_of(round_id, answering.address) == ((2,), (2,))
    _, shares, salts = shared_by(round_id, answering.address)
    elements = [*shares[2].tolist(), *salts[2].tolist()]
    with pytest.raises(errors.WrongShare):
        committee.show(round_id, 2, [elements[0] ^ 1, *elements[1:]], sender=answering)
    committee.show(round_id, 2, elements, sender=answering)
    assert [e.elements for e in told(system, ShareShown)] == [tuple(elements)]
    for seat in (0, 1):
        committee.complain(round_id, leaving.address, sender=accounts[seats[seat]])
    assert [e.hospital for e in told(system, HospitalLeftOut)] == [leaving.address]
    assert committee.disputed(round_id) == 1
    for seat in seats:
        committee.confirm(round_id, sender=accounts[seat])
    assert committee.are_shares_settled(round_id)
    advance(system, round_id)

    survivors = tuple(h.address for h in hospitals[:3])
    (dealt,) = told(system, SurvivorsFixed)
    assert dealt.survivors == committee.survivors_of(round_id) == survivors
    assert committee.groups_of(round_id) == (1, (sum(ROWS[:3]),)) and dealt.weights == (sum(ROWS[:3]),)
    assert committee.stages_of(round_id)[2:] == (dealt.sum_until, dealt.until)
    with pytest.raises(errors.NotSurviving):
        committee.group_of(round_id, leaving.address)

    sums = {seat: sum_of(system, round_id, seat) for seat in range(4)}
    proofs = {}
    for seat in range(4):
        public = fill(SumShare(1), addends_of(system, round_id, seat))[1].tolist()
        assert committee.sum_inputs(round_id, 0, seat, sums[seat]) == tuple(public)
        proofs[seat] = stub_proof(stage, round_id, seats[seat], public)
    false = sums[1][:-1] + bytes([sums[1][-1] ^ 1])
    for seat, total in ((0, sums[0]), (3, sums[3]), (2, sums[2]), (1, false)):
        if total == false:
            with pytest.raises(errors.OodMismatch):
                committee.submit_sum(round_id, 0, total, proofs[seat], sender=accounts[seats[seat]])
        else:
            committee.submit_sum(round_id, 0, total, proofs[seat], sender=accounts[seats[seat]])
    assert committee.sum_hash_of(round_id, 0, 2) == keccak(sums[2])
    assert committee.sum_hash_of(round_id, 0, 1) == bytes(32)
    with pytest.raises(errors.WrongSum):
        committee.decode(round_id, 0, {0: sums[0], 1: sums[1]}, sender=hospitals[0])
    with pytest.raises(errors.NotDecoded):
        system.rounds.submit_candidate(round_id, content("model"), sender=hospitals[0])
    committee.decode(round_id, 0, {3: sums[3], 2: sums[2]}, sender=hospitals[0])
    (decoded,) = told(system, SumDecoded)
    expected = sum(shared_by(round_id, hospital)[0] for hospital in survivors)
    assert (signed(from_bytes(decoded.total)) == expected).all()
    assert [(e.seat, e.sum) for e in told(system, SumSubmitted)] == [(s, sums[s]) for s in (0, 3, 2)]
    assert committee.is_decoded(round_id, 0) and committee.is_summed(round_id)
    committee.require_summed(round_id)
    for hospital in hospitals:
        system.rounds.submit_candidate(round_id, content("model"), sender=hospital)
    advance(system, round_id)
    assert [e.aggregator for e in told(system, AggregatorFailed)] == [seats[1]]
    assert [(e.member, e.amount) for e in told(system, StakeSlashed)] == [(seats[1], SHARING.penalty)]
    assert system.rounds.phase_of(round_id) is Phase.FINALISE


def test_round_without_its_sum_is_aborted_and_the_silent_slashed(stage):
    system = stage.system
    round_id = to_share(stage)
    for hospital in stage.hospitals:
        system.committee.confirm(round_id, sender=hospital)
    advance(system, round_id)
    advance(system, round_id)
    assert [event.reason for event in told(system, RoundAborted)] == [AbortReason.NO_SUM]
    assert [event.amount for event in told(system, StakeSlashed)] == [SHARING.penalty] * 4


def test_contract_decodes_as_the_package_does(stage):
    """Every pair of four sums, on chain and off: the same total, which is that of robust decoding of all of them."""
    system = stage.system
    accounts = {a.address: a for a in stage.hospitals}
    round_id = to_share(stage)
    for hospital in stage.hospitals:
        system.committee.confirm(round_id, sender=hospital)
    advance(system, round_id)
    sums = {seat: sum_of(system, round_id, seat) for seat in range(4)}
    for seat, address in enumerate(system.committee.seats_of(round_id)):
        public = system.committee.sum_inputs(round_id, 0, seat, sums[seat])
        proof = stub_proof(stage, round_id, address, public)
        system.committee.submit_sum(round_id, 0, sums[seat], proof, sender=accounts[address])
    whole = decode({seat: from_bytes(each) for seat, each in sums.items()}, SHARING.threshold)
    assert whole.wrong == ()
    for pair in combinations(range(4), 2):
        taken = stage.node.web3.provider.make_request("evm_snapshot", [])["result"]
        chosen = {seat: sums[seat] for seat in pair}
        system.committee.decode(round_id, 0, chosen, sender=stage.hospitals[0])
        (said,) = system.committee.events(logs(stage))
        assert from_bytes(said.total).tolist() == whole.total.tolist()
        part = decode({seat: from_bytes(each) for seat, each in chosen.items()}, SHARING.threshold)
        assert (part.total == whole.total).all()
        stage.node.web3.provider.make_request("evm_revert", [taken])


def test_a_real_proof_is_taken_and_no_other():
    """StarkVerifier behind the committee: it takes the proof of the right sum once, from that seat, in that round."""

    def real(node):
        evaluator = generated_evaluators()["SumEvaluator"]
        return deploy_verifier(node, sum_setup(1), evaluator, node.accounts[9]).address

    with opened(real) as stage:
        system, committee = stage.system, stage.system.committee
        accounts = {a.address: a for a in stage.hospitals}
        round_id = to_share(stage)
        for hospital in stage.hospitals:
            committee.confirm(round_id, sender=hospital)
        advance(system, round_id)
        first, second, *_ = committee.seats_of(round_id)
        domain = Domain(stage.node.web3.eth.chain_id, committee.address, round_id, first)
        addends = addends_of(system, round_id, 0)
        proof = prove_step(SumTask(0, addends, domain, seed=0))
        elsewhere = prove_step(SumTask(0, addends, replace(domain, round_id=round_id + 1), seed=0))
        sums = sum_of(system, round_id, 0), sum_of(system, round_id, 1)
        false = sums[0][:-1] + bytes([sums[0][-1] ^ 1])
        for sender, total, given in (
            (first, false, proof),
            (first, sums[1], proof),
            (first, sums[0], elsewhere),
            (second, sums[0], proof),
            (second, sums[1], proof),
        ):
            with pytest.raises(errors.OodMismatch):
                committee.submit_sum(round_id, 0, total, given, sender=accounts[sender])
        for given in (proof[:-1], b""):
            with pytest.raises(errors.BadLength):
                committee.submit_sum(round_id, 0, sums[0], given, sender=accounts[first])
        committee.submit_sum(round_id, 0, sums[0], proof, sender=accounts[first])
        assert [(e.seat, e.sum) for e in told(system, SumSubmitted)] == [(0, sums[0])]
        assert max(system.gas["Committee.submitSum"]) < 2_600_000
        with pytest.raises(errors.AlreadySummed):
            committee.submit_sum(round_id, 0, sums[0], proof, sender=accounts[first])


def logs(stage):
    eth = stage.node.web3.eth
    return eth.get_logs({"fromBlock": eth.block_number, "address": stage.system.committee.address})


def test_groups_of_the_contract_are_those_of_the_package(stage):
    for n in (3, 5, 6, 8, 11, 40):
        seed = keccak(n.to_bytes(2))
        dealt = {i: group for group, part in enumerate(partition(range(n), seed)) for i in part}
        assert stage.system.committee.partition(seed, n) == tuple(dealt[i] for i in range(n))
