"""The audit trail: complete by an independent count, from a node's answers alone; what is no chain is refused."""

import csv
import io
import json
import os
import time
from types import SimpleNamespace

import pytest
from consent_cases import open_clinic, patient
from eth_utils import keccak

from bfl_ref.audit_trail import BrokenChain, header_hash, read_trail, select, to_csv, to_json
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import Content
from bfl_ref.store import cid_of

EVENTS = 10_000 if os.environ.get("BFL_FULL") == "1" else 2_000
BATCH = 500


def contracts(clinic):
    return clinic.system.deployment.addresses


@pytest.fixture(scope="module", params=["embedded", "anvil"])
def clinic(request):
    """A consent, a yes, a no, a round that is opened between."""
    with open_chain(request.param) as node:
        clinic = open_clinic(node)
        terms = clinic.granted(0)
        clinic.ask(terms)
        task = Content(cid_of(b"task"), bytes([2]) * 32)
        clinic.system.rounds.open(task, (5,) * 9, sender=clinic.hospital)
        clinic.ask(terms, "TREAT")
        yield clinic


def independent_count(node) -> int:
    """Logs of every transaction's own receipt."""
    eth = node.web3.eth
    sent = [each for number in range(eth.block_number + 1) for each in eth.get_block(number)["transactions"]]
    return sum(len(eth.get_transaction_receipt(each)["logs"]) for each in sent)


def test_trail_is_complete_and_says_who_what_when_under_which_consent_in_which_round(clinic):
    web3 = clinic.system.node.web3
    trail = read_trail(web3, contracts(clinic))
    assert len(trail.entries) == independent_count(clinic.system.node)
    assert trail.head == clinic.system.head() and trail.blocks == web3.eth.block_number + 1
    places = [(entry.block, entry.log_index) for entry in trail.entries]
    assert places == sorted(set(places))

    consent = f"0x{clinic.registry.id_of(clinic.terms(0)).hex()}"
    told = select(trail.entries, consent=consent)
    assert [entry.what for entry in told] == ["ConsentGranted", "AccessAllowed", "AccessDenied"]
    assert [entry.who for entry in told] == [
        clinic.hospital.address,
        clinic.researcher.address,
        clinic.researcher.address,
    ]
    assert [entry.round_id for entry in told] == [None, None, 1]  # the round that was open
    assert told[1].details["purpose"] == "HRESCH" and told[2].details["reason"] == 5
    assert told[0].time_s == web3.eth.get_block(told[0].block)["timestamp"]
    assert told[0].contract == "ConsentRegistry"


def test_trail_and_the_clients_tell_the_same(clinic):
    """Two decoders: this one by ABI, the clients' by web3."""
    trail = read_trail(clinic.system.node.web3, contracts(clinic))
    mine = [e for e in trail.entries if e.contract == "ConsentRegistry"]
    theirs = clinic.registry.history(0, clinic.system.node.web3.eth.block_number)
    assert [e.what for e in mine] == [type(e).__name__ for e in theirs]
    for entry, event in zip(mine, theirs, strict=True):
        assert (entry.block, entry.log_index, entry.transaction) == (
            event.block,
            event.log_index,
            event.transaction,
        )
        for name in entry.details.keys() & vars(event).keys():
            value = getattr(event, name)
            assert entry.details[name] == (f"0x{value.hex()}" if isinstance(value, bytes) else value)
    assert [e.what for e in trail.entries] == [type(e).__name__ for e in clinic.system.events()]


def test_filters_leave_what_fits_all(clinic):
    entries = read_trail(clinic.system.node.web3, contracts(clinic)).entries
    assert {e.what for e in select(entries, who=clinic.researcher.address)} == {
        "AccessAllowed",
        "AccessDenied",
    }
    (denied,) = select(entries, what=["AccessDenied"], round_id=1)
    assert select(entries, since_s=denied.time_s + 1) == ()
    assert denied in select(entries, since_s=denied.time_s, until_s=denied.time_s + 1)
    assert denied not in select(entries, until_s=denied.time_s)
    holder = patient(0).address
    assert [e.what for e in select(entries, naming=holder)] == ["RecordEnrolled", "ConsentGranted"]
    assert select(entries, naming=holder, what=["RoundOpened"]) == ()


def test_exports_hold_every_entry(clinic):
    entries = read_trail(clinic.system.node.web3, contracts(clinic)).entries
    again = json.loads(to_json(entries))
    rows = list(csv.DictReader(io.StringIO(to_csv(entries))))
    assert len(again) == len(rows) == len(entries)
    for entry, one, row in zip(entries, again, rows, strict=True):
        assert one == json.loads(json.dumps(vars(entry) | {"details": dict(entry.details)}))
        assert (row["what"], row["transaction"], int(row["block"])) == (
            entry.what,
            entry.transaction,
            entry.block,
        )
        assert json.loads(row["details"]) == one["details"] and row["consent"] == (entry.consent or "")


class Liar:
    """A node's answers, with one of them changed."""

    def __init__(self, web3, block=lambda block: block, logs=lambda logs: logs):
        eth = web3.eth
        self.eth = SimpleNamespace(
            block_number=eth.block_number,
            get_block=lambda number, full_transactions: block(dict(eth.get_block(number, full_transactions))),
            get_logs=lambda asked: logs([dict(log) for log in eth.get_logs(asked)]),
        )


def changed(number, **fields):
    def change(block):
        return {**block, **fields} if block["number"] == number else block

    return change


@pytest.mark.parametrize("field", ["timestamp", "stateRoot", "receiptsRoot", "parentHash", "hash"])
def test_changed_header_is_refused(clinic, field):
    web3 = clinic.system.node.web3
    number = web3.eth.block_number - 1
    good = web3.eth.get_block(number)[field]
    other = good + 1 if isinstance(good, int) else bytes([bytes(good)[0] ^ 1]) + bytes(good)[1:]
    with pytest.raises(BrokenChain) as refused:
        read_trail(Liar(web3, changed(number, **{field: other})), contracts(clinic))
    assert refused.value.block == number


def test_header_of_another_history_does_not_link(clinic):
    """Each header's own hash is right; one names another parent."""
    web3 = clinic.system.node.web3
    number = web3.eth.block_number - 1
    forged = {**web3.eth.get_block(number, True), "parentHash": b"\1" * 32}
    forged["hash"] = header_hash(forged)
    with pytest.raises(BrokenChain, match="another parent"):
        read_trail(
            Liar(web3, lambda block: forged if block["number"] == number else block), contracts(clinic)
        )


def test_log_that_belongs_nowhere_is_refused(clinic):
    web3 = clinic.system.node.web3
    for fields in ({"blockHash": b"\1" * 32}, {"transactionHash": b"\1" * 32}, {"topics": [b"\1" * 32]}):
        with pytest.raises(BrokenChain):
            read_trail(
                Liar(web3, logs=lambda logs, f=fields: [*logs[:-1], {**logs[-1], **f}]), contracts(clinic)
            )


def test_part_of_the_chain_and_unknown_contracts(clinic):
    web3 = clinic.system.node.web3
    head = web3.eth.block_number
    last = read_trail(web3, contracts(clinic), head, head)
    assert last.blocks == 1 and [e.what for e in last.entries] == ["AccessDenied"]
    with pytest.raises(ValueError, match="expected contracts of this system"):
        read_trail(web3, {"Nothing": clinic.registry.address})


def test_many_events_are_read_in_seconds():
    """10,000 events in 30 s at full count."""
    with open_chain("anvil") as node:
        clinic = open_clinic(node)
        for batch in range(EVENTS // (2 * BATCH)):
            resources = [keccak(b"%d %d" % (batch, i)) for i in range(BATCH)]
            clinic.registry.enrol(resources, [patient(0).address] * BATCH, sender=clinic.hospital)
            clinic.registry.erase(resources, sender=clinic.hospital)
        started = time.perf_counter()
        trail = read_trail(node.web3, contracts(clinic))
        seconds = time.perf_counter() - started
        assert len(trail.entries) == independent_count(node) >= EVENTS
        assert seconds < 30 * EVENTS / 10_000, f"{seconds:.1f} s for {len(trail.entries)} events"
