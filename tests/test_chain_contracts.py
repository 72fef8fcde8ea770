"""The chain client against the real contracts: complete, refused by name, and rebuilt from the chain alone."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from eth_utils import function_signature_to_4byte_selector, keccak

from bfl_ref.chain import errors, governance, records, rollup
from bfl_ref.chain.compile import CONTRACTS, compile_contracts, system_sources
from bfl_ref.chain.consortium import govern
from bfl_ref.chain.contracts import CLIENTS, Genesis, NoSuchDeployment, System, connect, deploy
from bfl_ref.chain.errors import (
    AlreadyCommitted,
    ContractError,
    InsufficientStake,
    NotDeployer,
    NotMember,
    NotTheVote,
    PhaseNotOver,
    ReplayedSubmission,
    ReplayedTransaction,
    WrongPhase,
    WrongRound,
)
from bfl_ref.chain.events import (
    EVENTS,
    CandidateSubmitted,
    ConsortiumSealed,
    ModelRegistered,
    PausedSet,
    ProposalQueued,
    RoundFinalised,
    UpdateCommitted,
)
from bfl_ref.chain.node import WrongChain, open_chain
from bfl_ref.chain.records import Content, Phase, Role, RoundParameters, from_names, snake
from bfl_ref.chain.transactions import send_raw
from bfl_ref.store import cid_of

HOSPITAL = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR
DURATIONS = (5, 5, 30, 5, 5, 5, 20, 20, 5)
STAKE = 1000
# What no account may call: powers of contracts, and what OpenZeppelin's roles offer besides (the vote grants and revokes).
FOR_CONTRACTS = {
    "push",
    "restore",
    "slash",
    "payFee",
    "freeze",
    "release",
    "begin",
    "record",
    "draw",
    "start",
    "askSecond",
    "close",
    "seat",
    "weigh",
    "askShares",
    "fixSurvivors",
    "noteBucket",
    "noteSelection",
    "select",
    "setTypical",
    "reseed",
    "askScores",
    "askReveals",
    "credit",
    "settle",
}
FOR_CONTRACTS |= {"getRoleAdmin", "renounceRole"}
RECORDS = vars(governance) | vars(rollup) | vars(records)


def content(i: int) -> Content:
    return Content(cid_of(b"object %d" % i), bytes([i]) * 32)


def genesis(node) -> Genesis:
    """Four hospitals, an auditor who reads; account 5 is a stranger, account 9 deploys."""
    hospitals = [account.address for account in node.accounts[:4]]
    members = dict.fromkeys(hospitals, HOSPITAL) | {node.accounts[4].address: Role.AUDITOR}
    return Genesis(members, dict.fromkeys(hospitals, 10 * STAKE), content(1), RoundParameters(STAKE, 3))


def start(node) -> System:
    system = deploy(node, genesis(node), node.accounts[9])
    for hospital in node.accounts[:4]:
        system.token.approve(system.vault.address, STAKE, sender=hospital)
    for hospital in node.accounts[:3]:
        system.vault.lock(STAKE, sender=hospital)  # the fourth has too little
    return system


@pytest.fixture(params=["embedded", "anvil"])
def system(request):
    with open_chain(request.param) as node:
        yield start(node)


def advance(system: System, round_id: int) -> None:
    sender = system.node.accounts[0]
    try:
        system.rounds.advance(round_id, sender=sender)
    except PhaseNotOver as early:
        system.node.wait_blocks(early.deadline - system.node.web3.eth.block_number)
        system.rounds.advance(round_id, sender=sender)


def to_commit(system: System) -> int:
    round_id = system.rounds.open(content(2), DURATIONS, sender=system.node.accounts[0])
    advance(system, round_id)
    advance(system, round_id)
    assert system.rounds.phase_of(round_id) is Phase.COMMIT
    return round_id


def play(system: System) -> int:
    round_id = to_commit(system)
    hospitals = system.node.accounts[:3]
    for i, hospital in enumerate(hospitals):
        system.rounds.commit_update(round_id, content(10 * round_id + i), 100 + i, sender=hospital)
    while system.rounds.phase_of(round_id) < Phase.AGGREGATE:
        advance(system, round_id)
    for hospital in hospitals:
        system.rounds.submit_candidate(round_id, content(200 + round_id), sender=hospital)
    advance(system, round_id)
    message = system.validators.vote_message(round_id, content(200 + round_id))
    assert keccak(b"\x19\x01" + message.header + message.body) == system.validators.vote_digest(
        round_id, content(200 + round_id)
    )
    votes = [bytes(hospital.sign_message(message).signature) for hospital in hospitals]
    system.rounds.vote_model(round_id, content(200 + round_id), votes, sender=hospitals[0])
    while system.rounds.phase_of(round_id) < Phase.FINALISED:
        advance(system, round_id)
    return round_id


def state(system: System):
    """Everything that a refused call could have changed."""
    eth = system.node.web3.eth
    nonces = [eth.get_transaction_count(account.address) for account in system.node.accounts]
    return eth.get_block("latest")["hash"], nonces, system.events(), json.dumps(system.gas)


def test_round_leads_to_its_model_in_force(system):
    round_id = play(system)
    assert system.rounds.phase_of(round_id) is Phase.FINALISED
    model = system.registry.current()
    assert (model.content, model.round_id) == (content(201), 1) and system.registry.versions() == 2
    assert system.registry.model_at(0).content == content(1)
    assert system.candidates(round_id) == (content(201),)
    assert system.rounds.candidate_of(round_id, content(201)) == (1, 3)
    taken = system.rounds.round_of(round_id)
    assert (taken.selected, taken.committed, taken.voted, taken.task) == (3, 3, 3, content(2))
    hospital = system.node.accounts[1].address
    assert hospital in system.rounds.hospitals_of(round_id) and len(system.rounds.hospitals_of(round_id)) == 3
    part = system.rounds.participation_of(round_id, hospital)
    assert part.rows == 101
    assert part.commitment == system.rounds.commitment_of(round_id, hospital, content(11).digest)


def test_events_come_in_order_from_the_chain_alone(system):
    play(system)
    early = system.events()
    play(system)
    seen = system.events()
    fresh = System(system.node, system.deployment).events()  # nothing remembered
    assert fresh == seen and seen[: len(early)] == early
    assert [(e.block, e.log_index) for e in seen] == sorted({(e.block, e.log_index) for e in seen})
    models = [e for e in seen if isinstance(e, ModelRegistered)]
    assert [e.content for e in models] == [content(1), content(201), content(202)]
    commits = [
        (e.hospital, e.rows, e.content) for e in seen if isinstance(e, UpdateCommitted) and e.round_id == 2
    ]
    assert commits == [(a.address, 100 + i, content(20 + i)) for i, a in enumerate(system.node.accounts[:3])]
    assert sum(isinstance(e, RoundFinalised) for e in seen) == 2
    assert {e.aggregator for e in seen if isinstance(e, CandidateSubmitted)} == {
        a.address for a in system.node.accounts[:3]
    }
    assert sum(isinstance(e, ConsortiumSealed) for e in seen) == 1


def test_refused_call_raises_the_contracts_error_and_changes_nothing(system):
    hospitals, auditor, stranger = system.node.accounts[:4], *system.node.accounts[4:6]
    vault, rounds, consortium = system.vault, system.rounds, system.consortium
    round_id = to_commit(system)
    rounds.commit_update(round_id, content(10), 5, sender=hospitals[0])
    before = state(system)

    with pytest.raises(NotMember) as refused:
        vault.lock(1, sender=stranger)
    assert refused.value.account == stranger.address
    with pytest.raises(InsufficientStake) as refused:
        rounds.commit_update(round_id, content(11), 5, sender=hospitals[3])
    assert (refused.value.member, refused.value.has, refused.value.needs) == (hospitals[3].address, 0, STAKE)
    with pytest.raises(InsufficientStake) as refused:
        vault.request_unlock(STAKE + 1, sender=hospitals[1])
    assert (refused.value.has, refused.value.needs) == (STAKE, STAKE + 1)
    with pytest.raises(WrongPhase) as refused:
        rounds.vote_model(round_id, content(10), [], sender=hospitals[0])
    assert (refused.value.expected, refused.value.got) == (Phase.FINALISE, Phase.COMMIT)
    with pytest.raises(WrongRound) as refused:
        rounds.commit_update(round_id + 1, content(11), 5, sender=hospitals[1])
    assert (refused.value.expected, refused.value.got) == (round_id, round_id + 1)
    with pytest.raises(AlreadyCommitted):
        rounds.commit_update(round_id, content(12), 5, sender=hospitals[0])
    with pytest.raises(ReplayedSubmission) as refused:
        rounds.commit_update(round_id, content(10), 5, sender=hospitals[1])
    assert refused.value.first_hospital == hospitals[0].address and refused.value.digest == content(10).digest
    with pytest.raises(PhaseNotOver) as refused:
        rounds.advance(round_id, sender=hospitals[0])
    assert refused.value.deadline == rounds.deadline_of(round_id) and refused.value.phase is Phase.COMMIT
    with pytest.raises(errors.NoVote):
        consortium.propose(vault.set_unlock_delay(3), sender=auditor)
    with pytest.raises(ContractError, match="account"):
        system.token.transfer(stranger.address, 1, sender=hospitals[0])
    with pytest.raises((NotDeployer, errors.AlreadySealed)):
        consortium.seal([], sender=hospitals[0])
    with pytest.raises(errors.UnknownVersion):  # a view refuses by name too
        system.registry.model_at(99)

    assert state(system) == before


def test_replayed_raw_transaction_is_refused_and_changes_nothing(system):
    node, hospital = system.node, system.node.accounts[0]
    nonce = node.web3.eth.get_transaction_count(hospital.address)
    fields = {"gas": 100_000, "nonce": nonce, "maxFeePerGas": 10**11, "maxPriorityFeePerGas": 0}
    call = system.token.contract.functions.approve(system.vault.address, 5)
    raw = bytes(hospital.sign_transaction(call.build_transaction(fields))["raw_transaction"])
    assert send_raw(node, raw)["status"] == 1
    before = state(system)
    with pytest.raises(ReplayedTransaction) as refused:
        send_raw(node, raw)
    assert refused.value.values == {"sender": hospital.address, "nonce": nonce, "expected": nonce + 1}
    assert state(system) == before


def test_vote_of_the_members_makes_the_call_after_its_delay_and_the_deployer_has_no_power(system):
    a, b, c = system.node.accounts[:3]
    consortium, eth = system.consortium, system.node.web3.eth
    deployer, newcomer = system.node.accounts[9], system.node.accounts[6].address
    admission = consortium.admit(newcomer, Role.HOSPITAL)
    with pytest.raises(NotMember):
        consortium.propose(admission, sender=deployer)
    proposal_id = consortium.propose(admission, sender=a)
    consortium.vote(proposal_id, sender=b)
    with pytest.raises(errors.NoMajority) as refused:
        consortium.queue(proposal_id, sender=a)
    assert (refused.value.votes, refused.value.voters) == (2, 4)
    consortium.vote(proposal_id, sender=c)
    assert consortium.votes_for(proposal_id) == 3
    with pytest.raises(errors.NotQueued):
        consortium.execute(proposal_id, sender=a)
    consortium.queue(proposal_id, sender=a)
    queued = next(event for event in system.events() if isinstance(event, ProposalQueued))
    told = consortium.proposal(proposal_id)
    assert told.ready_block == queued.ready_block == queued.block + consortium.delay()
    assert told.deadline == queued.deadline == queued.ready_block + consortium.voting_period()
    with pytest.raises(errors.StillDelayed) as refused:
        consortium.execute(proposal_id, sender=a)
    assert (refused.value.ready_block, refused.value.block_number) == (told.ready_block, eth.block_number + 1)
    system.node.wait_blocks(consortium.delay() - 1)
    consortium.execute(proposal_id, sender=a)  # the first block that allows it
    assert eth.block_number == told.ready_block
    assert consortium.roles_of(newcomer) == Role.HOSPITAL
    assert newcomer in consortium.members() and newcomer in system.holders(Role.HOSPITAL)
    assert newcomer not in system.holders(Role.VALIDATOR) and consortium.proposal(proposal_id).executed


def test_parameters_change_by_the_vote_alone(system):
    voters = system.node.accounts[:3]
    consortium, vault = system.consortium, system.vault
    with pytest.raises(NotTheVote):
        vault._send(voters[0], "setUnlockDelay", 33)  # not by a vote
    govern(consortium, vault.set_unlock_delay(33), voters)
    govern(consortium, system.rounds.set_parameters(RoundParameters(7, 4)), voters)
    govern(consortium, consortium.set_delay(5), voters)
    govern(consortium, consortium.set_voting_period(9), voters)
    assert vault.unlock_delay() == 33 and system.rounds.parameters() == RoundParameters(7, 4)
    assert (consortium.delay(), consortium.voting_period()) == (5, 9)
    with pytest.raises(errors.NoMajority):
        govern(consortium, consortium.set_delay(6), voters[:2])
    assert consortium.proposals() == 5


def test_pause_of_two_thirds_works_at_once_and_holds_the_stakes(system):
    voters = system.node.accounts[:4]
    consortium, vault = system.consortium, system.vault
    vault.request_unlock(10, sender=voters[0])
    with pytest.raises(errors.NoTwoThirds) as refused:
        govern(consortium, consortium.set_paused(True), voters[:2])
    assert (refused.value.votes, refused.value.voters) == (2, 4)
    before = system.node.web3.eth.block_number
    govern(consortium, consortium.set_paused(True), voters[:3])
    assert consortium.is_paused() and system.node.web3.eth.block_number == before + 4  # no block waited for
    system.node.wait_blocks(vault.unlock_delay())
    with pytest.raises(errors.Paused):
        vault.withdraw(sender=voters[0])
    govern(consortium, consortium.set_paused(False), voters[:3])
    vault.withdraw(sender=voters[0])
    assert [event.paused for event in system.events() if isinstance(event, PausedSet)] == [True, False]


def test_records_of_several_accounts_come_in_their_order(system):
    consortium, stranger = system.consortium, system.node.accounts[5].address
    asked = (*reversed(consortium.members()), stranger)
    records = consortium.records_of(asked)
    assert records == tuple(consortium.record_of(account) for account in asked)
    assert [record.position for record in records] == [5, 4, 3, 2, 1, 0] and not records[-1].roles


def test_stake_leaves_after_its_delay_only(system):
    hospital = system.node.accounts[0]
    before = system.token.balance_of(hospital.address)
    system.vault.request_unlock(400, sender=hospital)
    stake = system.vault.stake_of(hospital.address)
    assert (stake.active, stake.unlocking) == (STAKE - 400, 400)
    with pytest.raises(errors.StillLocked) as refused:
        system.vault.withdraw(sender=hospital)
    head = system.node.web3.eth.block_number
    system.node.wait_blocks(refused.value.unlock_block - head - 2)
    with pytest.raises(errors.StillLocked):
        system.vault.withdraw(sender=hospital)
    system.node.wait_blocks(1)
    system.vault.withdraw(sender=hospital)  # the first block that allows it
    assert system.token.balance_of(hospital.address) == before + 400
    assert system.node.web3.eth.block_number == refused.value.unlock_block


def test_gas_is_recorded_by_function(system):
    assert len(system.gas["StakeVault.lock"]) == 3 and len(system.gas["UtilityToken.approve"]) == 4
    assert all(21_000 < used < 2**24 for entries in system.gas.values() for used in entries)
    assert {f"{name}.constructor" for name in CLIENTS} <= system.gas.keys()


def test_connect_by_file_finds_the_system_again(system, tmp_path):
    system.save(tmp_path / "deployment.json")
    again = connect(system.node, tmp_path / "deployment.json")
    assert again.events() == system.events() and again.registry.current().content == content(1)


def test_connect_with_unfitting_file_is_refused_by_name(system, tmp_path):
    path = tmp_path / "deployment.json"
    good = system.deployment
    addresses = good.addresses
    elsewhere = {**addresses, "StakeVault": system.node.accounts[0].address}
    swapped = {**addresses, "StakeVault": addresses["RoundManager"]}
    for wrong, kind, words in [
        (replace(good, chain_id=5), WrongChain, "expected chain id 5"),
        (replace(good, code_digest="00" * 32), NoSuchDeployment, "expected code digest 00"),
        (replace(good, addresses=elsewhere), NoSuchDeployment, "of StakeVault at .*, found 0 bytes"),
        (replace(good, addresses=swapped), NoSuchDeployment, "of StakeVault at .*, found"),
        (replace(good, addresses={}), NoSuchDeployment, "Consortium"),
    ]:
        path.write_text(json.dumps(vars(wrong)))
        with pytest.raises(kind, match=words):
            connect(system.node, path)
    path.write_text('{"chain_id": 1}')
    with pytest.raises(ValueError, match="expected a deployment file"):
        connect(system.node, path)


REBUILD = """
import json, sys
from pathlib import Path
from bfl_ref.chain.contracts import connect
from bfl_ref.chain.node import import_chain, open_chain
folder, kind = Path(sys.argv[1]), sys.argv[2]
def show(node):
    print(json.dumps([repr(event) for event in connect(node, folder / "deployment.json").events()]))
if kind == "embedded":
    show(import_chain([bytes.fromhex(line) for line in (folder / "blocks").read_text().split()]))
else:
    with open_chain("anvil", state=folder / "state.json") as node:
        show(node)
"""


@pytest.mark.parametrize("kind", ["embedded", "anvil"])
def test_history_is_rebuilt_in_a_new_process(kind, tmp_path):
    with open_chain(kind, state=tmp_path / "state.json" if kind == "anvil" else None) as node:
        system = start(node)
        play(system)
        told = [repr(event) for event in system.events()]
        system.save(tmp_path / "deployment.json")
        if kind == "embedded":
            (tmp_path / "blocks").write_text("\n".join(block.hex() for block in node.export()))
    command = [sys.executable, "-c", REBUILD, str(tmp_path), kind]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout) == told


def test_system_on_a_node_by_url_estimates_gas_and_refuses_alike():
    with open_chain("anvil") as local:
        keys = [account.key.hex() for account in local.accounts]
        with open_chain(str(local.web3.provider.endpoint_uri), keys=keys) as node:  # type: ignore[attr-defined]
            system = start(node)
            assert system.rounds.phase_of(play(system)) is Phase.FINALISED
            govern(system.consortium, system.vault.set_unlock_delay(9), node.accounts[:3])
            assert system.vault.unlock_delay() == 9
            before = state(system)
            with pytest.raises(NotMember):
                system.vault.lock(1, sender=node.accounts[5])
            assert state(system) == before


def abis():
    return compile_contracts(system_sources())


def example(part):
    """Some value of an ABI type, structs by the names of their fields."""
    if part["type"].startswith("tuple"):
        return {inner["name"]: example(inner) for inner in part["components"]}
    if part["type"].endswith("]"):
        return []
    if part["name"].lower().endswith("codec"):
        return 0x55
    return {"address": "0x", "bool": True, "bytes": b"", "bytes32": bytes(32)}.get(part["type"], 1)


def test_clients_have_a_method_for_every_function_of_their_contract():
    artifacts = abis()
    for name, client in CLIENTS.items():
        functions = {e["name"] for e in artifacts[f"I{name}"].abi if e["type"] == "function"} - FOR_CONTRACTS
        functions -= {"register"} if name == "ModelRegistry" else set()
        missing = {snake(function) for function in functions} - set(dir(client))
        assert not missing, f"{name} has no method for {missing}"


def test_events_and_structs_have_a_dataclass_with_their_fields():
    entries = [entry for artifact in abis().values() for entry in artifact.abi]
    ours = {e["name"]: e for name in CLIENTS for e in abis()[f"I{name}"].abi if e["type"] == "event"}
    for name, entry in ours.items():
        if name in (
            "RoleAdminChanged",
            "EIP712DomainChanged",
        ):  # never emitted: no contract of ours calls for it
            continue
        assert from_names(EVENTS[name], {part["name"]: example(part) for part in entry["inputs"]})
    structs = {
        part["internalType"].removeprefix("struct "): part
        for entry in entries
        for part in entry.get("outputs", [])
        if part["internalType"].startswith("struct ") and "[" not in part["type"]
    }
    assert {
        "Member",
        "Proposal",
        "Stake",
        "Model",
        "Round",
        "Participation",
        "RoundParameters",
        "TrainingParameters",
        "Dealing",
        "StateCommitment",
        "Audit",
        "SharingParameters",
    } <= structs.keys()
    for name, part in structs.items():
        assert from_names(RECORDS[name], example(part))


def test_errors_of_the_interfaces_have_a_class_each():
    declared = {e["name"] for name in CLIENTS for e in abis()[f"I{name}"].abi if e["type"] == "error"}
    assert len(declared) > 30 and all(issubclass(getattr(errors, name), ContractError) for name in declared)
    with pytest.raises(ImportError):
        from bfl_ref.chain.errors import NotMembr  # noqa: F401
    with pytest.raises(AttributeError, match="NotMember has no acount"):
        NotMember(account="0x").acount  # noqa: B018


def test_error_of_a_library_is_named_when_it_occurs():
    data = function_signature_to_4byte_selector("SafeCastOverflowedUintToInt(uint256)") + (7).to_bytes(
        32, "big"
    )
    abi = [{"type": "error", "name": "SafeCastOverflowedUintToInt"}]
    abi[0]["inputs"] = [{"name": "theValue", "type": "uint256", "internalType": "uint256"}]
    raised = errors.explain(data, [abi])
    assert type(raised).__name__ == "SafeCastOverflowedUintToInt" and raised.the_value == 7


def test_error_of_unknown_data_is_refused_with_the_data():
    assert errors.explain(b"\x01\x02\x03\x04", [a.abi for a in abis().values()]).data == "01020304"


def test_enum_values_are_those_of_the_contracts():
    interfaces = [*(CONTRACTS / "src/interfaces").glob("*.sol")]
    source = "".join("".join(path.read_text().split()) for path in interfaces)
    for kind in (Phase, records.AbortReason, records.Stage, records.SecretState):
        names = ",".join(value.name.title().replace("_", "") for value in kind)
        assert f"enum{kind.__name__}{{{names}}}" in source
