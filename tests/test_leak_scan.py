"""The scan finds what is planted, in each form and place, and nothing in a chain that holds salted commitments only."""

import base64
import hashlib
import json
import struct

import numpy as np
import pytest
from consent_cases import Clinic, open_clinic
from eth_utils import keccak

from bfl_ref.chain.node import open_chain
from bfl_ref.chain.transactions import send_raw
from bfl_ref.leak_scan import everything, scan
from bfl_ref.vault import commitment

RECORD = {
    "patient_id": 840801013,
    "name": "Erika Mustermann",
    "age": 61,
    "sex": "F",
    "TSH": 1.3,
    "TT4": 125.5,
    "FTI": 109.25,
    "on_thyroxine": False,
    "weight": 72,
    "T3U": 14,
    "pulse": 88,
    "systolic": 127,
    "diastolic": 83,
}
NUMBERS = [value for value in RECORD.values() if isinstance(value, int | float)]
NAME = RECORD["name"].encode()


def words(values, scale=1) -> bytes:
    return b"".join((round(scale * value) % 2**256).to_bytes(32) for value in values)


PLANTED = {
    "name in UTF-8": NAME,
    "name in hex": NAME.hex().encode(),
    "name in upper hex": NAME.hex().upper().encode(),
    "name in base64": base64.b64encode(NAME),
    "name in base64, behind one byte": base64.b64encode(b"x" + NAME),
    "name in base64, between": base64.b64encode(b"xy" + NAME + b"z"),
    "name in base64url": base64.urlsafe_b64encode(b"?" + NAME + b"?"),
    "number as a word": (840801013).to_bytes(32),
    "number as text": b"840801013",
    "short text as a word": b"109.25".ljust(32, b"\0"),
    "scaled number as a word": (1_300_000).to_bytes(32),
    "tokens' scale": (13 * 10**17).to_bytes(32),
    "double": struct.pack(">d", 109.25),
    "double, the other way": struct.pack("<d", 1.3),
    "numbers in a row as words": words(NUMBERS[2:6], 10),
    "numbers in a row as bytes": bytes([61, 1, 126, 109, 0, 72, 14, 88]),
    "numbers in a row, 16 bits": b"".join(round(10 * v).to_bytes(2) for v in (1.3, 125.5, 109.25, 0)),
    "numbers in a row, 32 bits, little": b"".join(v.to_bytes(4, "little") for v in (72, 14, 88, 127)),
    "part of a table": b"61,F,1.3",
    "part of a table, tabs": b"61\tF\t1.3",
    "Keccak of the name": keccak(NAME),
    "Keccak of a small number as text": keccak(b"61"),
    "Keccak of a small number as a word": keccak((61).to_bytes(32)),
    "SHA-256 of the number as text": hashlib.sha256(b"840801013").digest(),
    "SHA-256 in hex": hashlib.sha256(NAME).hexdigest().encode(),
    "SHA3-256": hashlib.sha3_256(NAME).digest(),
    "MD5": hashlib.md5(NAME).digest(),
    "SHA-1": hashlib.sha1(NAME).digest(),
    "hash of the whole record, JSON": hashlib.sha256(json.dumps(RECORD, sort_keys=True).encode()).digest(),
    "hash of the whole record, compact": keccak(json.dumps(RECORD, separators=(",", ":")).encode()),
    "hash of the whole record, CSV": keccak(",".join(map(str, RECORD.values())).encode()),
    "hash of the whole record, words": keccak(words(NUMBERS)),
}


@pytest.mark.parametrize("form", PLANTED)
def test_planted_leak_is_found_wherever_it_lies(form):
    needle = PLANTED[form]
    noise = np.random.default_rng(len(form)).bytes(300)
    for before in (0, 4, 288) if form == "scaled number as a word" else (0, 1, 17, 300):
        data = noise[:before] + needle + noise[:before]
        leaks = scan([RECORD], [("somewhere", data)])
        assert leaks and {leak.where for leak in leaks} == {"somewhere"}
        assert all(0 <= leak.at < len(data) for leak in leaks)


def test_leak_across_the_borders_of_chunks_is_found():
    data = bytearray((1 << 21) + 100)
    for place in ((1 << 20) - 8, (1 << 21) - 3):
        data[place : place + len(NAME)] = NAME
        found = {leak.at for leak in scan([RECORD], [("x", bytes(data))])}
        assert place in found


def test_noise_zeros_and_salted_commitments_are_no_leak():
    rng = np.random.default_rng(0)
    salted = commitment(json.dumps(RECORD).encode(), rng.bytes(32)) + keccak(rng.bytes(32) + NAME)
    places = [("noise", rng.bytes(1 << 22)), ("zeros", bytes(1 << 16)), ("salted", salted), ("empty", b"")]
    places.append(("small numbers", words(range(200))))
    places.append(
        (
            "addresses",
            b"".join(bytes(12) + struct.pack(">I", 1_300_000 << 8) + rng.bytes(16) for _ in range(9)),
        )
    )
    places.append(("between words", bytes(48) + (1_300_000).to_bytes(3) + rng.bytes(13)))
    assert scan([RECORD], places) == []
    assert scan([], [("noise", rng.bytes(1000))]) == []


def test_what_only_the_caller_can_compute_is_looked_for_too():
    leaf = keccak(b"a leaf without salt")
    (leak,) = scan([], [("x", b"12" + leaf)], {"unsalted leaf": leaf})
    assert (leak.what, leak.at) == ("unsalted leaf", 2)
    with pytest.raises(ValueError, match="at least 8"):
        scan([], [], {"short": b"1234567"})


def send(clinic: Clinic, data: bytes, **to: str) -> str | None:
    """A transaction with this calldata, or a contract with this constructor; the contract's address."""
    node, sender = clinic.system.node, clinic.hospital
    eth = node.web3.eth
    fields = {"data": data, "value": 0, "gas": 200_000, "chainId": eth.chain_id, **to}
    fields |= {
        "nonce": eth.get_transaction_count(sender.address),
        "maxFeePerGas": 10**11,
        "maxPriorityFeePerGas": 0,
    }
    receipt = send_raw(node, bytes(sender.sign_transaction(fields)["raw_transaction"]))
    assert receipt["status"]
    return receipt["contractAddress"]


@pytest.mark.parametrize("kind", ["embedded", "anvil"])
def test_whole_chain_is_searched_calldata_logs_and_storage(kind):
    with open_chain(kind) as node:
        clinic = open_clinic(node)
        terms = clinic.granted(0)
        clinic.ask(terms)
        assert scan([RECORD], everything(node)) == []
        # The number is computed on chain, half of it doubled and one added: it is in storage and a log, and in no calldata.
        compute = b"\x63" + (840801012 // 2).to_bytes(4) + bytes.fromhex("600202600101")
        store, log = bytes.fromhex("600055"), bytes.fromhex("60005260206000a0")
        overwrites = bytes.fromhex("6001600055")  # what the contract does when it is called
        leave = b"\x64" + overwrites + bytes.fromhex("6000526005601bf3")
        contract = send(clinic, compute + store + compute + log + leave)
        assert places(node) == {"storage", "log"}
        slot = int.from_bytes(bytes(node.web3.eth.get_storage_at(contract, 0)))
        assert slot == RECORD["patient_id"]
        send(clinic, b"", to=contract)
        assert int.from_bytes(bytes(node.web3.eth.get_storage_at(contract, 0))) == 1
        assert places(node) == {"storage", "log"}  # what once stood there is found
        send(clinic, NAME, to=clinic.researcher.address)
        assert places(node) == {"storage", "log", "calldata"}


def places(node) -> set[str]:
    return {leak.where.split()[0] for leak in scan([RECORD], everything(node))}


def test_remote_node_whose_storage_cannot_be_read_is_refused():
    with open_chain("anvil") as local:
        keys = [account.key.hex() for account in local.accounts[:1]]
        with (
            open_chain(str(local.web3.provider.endpoint_uri), keys=keys) as node,
            pytest.raises(ValueError, match="got http"),
        ):
            list(everything(node))
