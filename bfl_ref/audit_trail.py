"""Who did what, when, under which consent, in which round, with which proof: from the chain's logs alone.

An auditor needs a node's address and the contracts' addresses, nothing that a hospital keeps.

    entry = (time, block, transaction, who sent it, contract, event, consent, round, proof, all fields of the event)

What is checked: each header's hash is that of its fields, each header names its parent's hash, every log names the hash of
its block and a transaction that is in it. So the last header's hash stands for the whole history: compare it (`head`) with
another node's, or with a member's. What is not: a node can keep logs back. Whoever doubts it asks a second node for the same
blocks: the two lists must be equal.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import rlp
from eth_abi import decode
from eth_utils import event_abi_to_log_topic, keccak, to_checksum_address
from web3 import Web3

from .chain.compile import compile_contracts, system_sources
from .chain.records import snake
from .chain.transactions import BLOCKS_A_QUERY

_PROVEN = {"AuditPassed", "SharesCommitted"}  # events of calls in which the contract verified a proof
_HEADER = (
    *(
        "parentHash",
        "sha3Uncles",
        "miner",
        "stateRoot",
        "transactionsRoot",
        "receiptsRoot",
        "logsBloom",
        "difficulty",
    ),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas"),
    *("withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)


class BrokenChain(ValueError):
    """What the node answers is no chain: a header, a link or a log does not fit. block, why."""

    def __init__(self, block: int, why: str) -> None:
        super().__init__(f"block {block}: {why}")
        self.block, self.why = block, why


@dataclass(frozen=True)
class Entry:
    """One event. time_s: Unix seconds of its block. who: sender of the transaction. what: the event's name.

    consent: id (0x...) that the event names.   round_id: that it names, else of the round that was open then.
    proof: keccak256 of the calldata in which a proof was verified.   details: the event's fields, JSON values.
    """

    time_s: int
    block: int
    log_index: int
    transaction: str
    who: str
    contract: str
    what: str
    consent: str | None
    round_id: int | None
    proof: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Trail:
    """entries in order; head: hash of the last block read (0x...); blocks: how many were."""

    entries: tuple[Entry, ...]
    head: str
    blocks: int


def read_trail(
    web3: Web3, contracts: Mapping[str, str], first_block: int = 0, last_block: int | None = None
) -> Trail:
    """The trail of these contracts (name -> address) in these blocks, both included; default: all. BrokenChain.

    ValueError for a contract that the sources here do not have.
    """
    abis = compile_contracts(system_sources())
    if unknown := sorted(set(contracts) - set(abis)):
        raise ValueError(f"expected contracts of this system, got {unknown}")
    decoders: dict[tuple[str, bytes], tuple[str, Any]] = {}
    for name, address in contracts.items():
        for event in abis[name].abi:
            if event["type"] == "event":
                topic = event_abi_to_log_topic(event)  # type: ignore[arg-type]
                decoders[to_checksum_address(address), topic] = name, event
    last = web3.eth.block_number if last_block is None else last_block
    blocks = {block["number"]: block for block in _linked(web3, first_block, last)}
    entries: list[Entry] = []
    open_round: int | None = None
    for log in _logs(web3, sorted({address for address, _ in decoders}), first_block, last):
        number = log["blockNumber"]
        block = blocks[number]
        transaction = block["transactions"].get(bytes(log["transactionHash"]))
        if bytes(log["blockHash"]) != block["hash"] or transaction is None:
            raise BrokenChain(number, f"log {log['logIndex']} belongs to another block")
        key = log["address"], bytes(log["topics"][0])
        if key not in decoders:
            raise BrokenChain(number, f"log {log['logIndex']} of {key[0]} is no event of its contract")
        name, event = decoders[key]
        details = _details(event, log)
        what, named = event["name"], details.get("round_id")
        open_round = named if what == "RoundOpened" else open_round
        entries.append(
            Entry(
                time_s=block["timestamp"],
                block=number,
                log_index=log["logIndex"],
                transaction=f"0x{bytes(log['transactionHash']).hex()}",
                who=transaction["from"],
                contract=name,
                what=what,
                consent=details.get("consent_id"),
                round_id=open_round if named is None else named,
                proof=f"0x{keccak(transaction['calldata']).hex()}" if what in _PROVEN else None,
                details=details,
            )
        )
        if what in ("RoundFinalised", "RoundAborted") and named == open_round:
            open_round = None
    return Trail(tuple(entries), f"0x{blocks[last]['hash'].hex()}", len(blocks))


def select(
    entries: Iterable[Entry],
    *,
    who: str | None = None,
    what: Sequence[str] = (),
    consent: str | None = None,
    round_id: int | None = None,
    since_s: int | None = None,
    until_s: int | None = None,
    naming: str | None = None,
) -> tuple[Entry, ...]:
    """Entries that fit all filters given. since_s <= time < until_s. naming: any field of the event is this value."""
    return tuple(
        entry
        for entry in entries
        if (who is None or entry.who == who)
        and (not what or entry.what in what)
        and (consent is None or entry.consent == consent)
        and (round_id is None or entry.round_id == round_id)
        and (since_s is None or entry.time_s >= since_s)
        and (until_s is None or entry.time_s < until_s)
        and (naming is None or naming in entry.details.values())
    )


def to_json(entries: Iterable[Entry]) -> str:
    """A JSON array, one object an entry."""
    return json.dumps([asdict(entry) for entry in entries], indent=1)


def to_csv(entries: Iterable[Entry]) -> str:
    """A heading, then a line an entry; the event's fields as JSON in the last column."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [field.name for field in fields(Entry)]
    writer.writerow(names)
    for entry in entries:
        row = {**vars(entry), "details": json.dumps(dict(entry.details), sort_keys=True)}
        writer.writerow(["" if row[name] is None else row[name] for name in names])
    return out.getvalue()


def header_hash(block: Mapping[str, Any]) -> bytes:
    """keccak256 of a header's RLP: of the fields that it has, in the order in which Ethereum's forks brought them.

    eth-tester hands over a bloom filter without its leading zeros, and 32 zeros for empty extra data.
    """
    parts = {name: _bytes(block[name]) for name in _HEADER if name in block}
    parts["logsBloom"] = parts["logsBloom"].rjust(256, b"\0")
    parts["extraData"] = parts["extraData"] if any(parts["extraData"]) else b""
    return keccak(rlp.encode(list(parts.values())))


def _linked(web3: Web3, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Number, hash, time and transactions of each block, the links checked."""
    before: bytes | None = None
    for number in range(first, last + 1):
        block: Any = web3.eth.get_block(number, full_transactions=True)
        own = bytes(block["hash"])
        if block["number"] != number or header_hash(block) != own:
            raise BrokenChain(number, "the header's hash is not that of its fields")
        if before is not None and bytes(block["parentHash"]) != before:
            raise BrokenChain(number, "the header names another parent")
        before = own
        sent = {
            bytes(one["hash"]): {"from": one["from"], "calldata": calldata_of(one)}
            for one in block["transactions"]
        }
        yield {"number": number, "hash": own, "timestamp": block["timestamp"], "transactions": sent}


def calldata_of(transaction: Mapping[str, Any]) -> bytes:
    """Its input, which eth-tester calls data."""
    return _bytes(transaction["input"] if "input" in transaction else transaction["data"])


def _logs(web3: Web3, addresses: Sequence[Any], first: int, last: int) -> list[Any]:
    logs: list[Any] = []
    for start in range(first, last + 1, BLOCKS_A_QUERY):
        until = min(start + BLOCKS_A_QUERY - 1, last)
        asked = {"fromBlock": start, "toBlock": until, "address": list(addresses)}
        logs += web3.eth.get_logs(asked)  # type: ignore[arg-type]
    return sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"]))


def _details(event: Mapping[str, Any], log: Mapping[str, Any]) -> dict[str, Any]:
    """The event's fields by name; indexed ones from the topics (those that are only hashed there, as the hash)."""
    topics = iter(log["topics"][1:])
    plain = [_type(part) for part in event["inputs"] if not part["indexed"]]
    data = iter(decode(plain, bytes(log["data"])))
    found = {}
    for part in event["inputs"]:
        kind = _type(part)
        if not part["indexed"]:
            value = next(data)
        elif kind in ("string", "bytes") or kind.endswith((")", "]")):
            value = bytes(next(topics))
        else:
            (value,) = decode([kind], bytes(next(topics)))
        found[snake(part["name"])] = _json(value, kind)
    return found


def _type(part: Mapping[str, Any]) -> str:
    """An ABI entry's type, structs spelled out."""
    if not part["type"].startswith("tuple"):
        return part["type"]
    return f"({','.join(map(_type, part['components']))}){part['type'].removeprefix('tuple')}"


def _json(value: Any, kind: str) -> Any:
    """An ABI value as JSON: bytes as 0x..., addresses checksummed."""
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, list | tuple):
        return [_json(each, kind.removesuffix("[]") if kind.endswith("[]") else "") for each in value]
    return to_checksum_address(value) if isinstance(value, str) and kind == "address" else value


def _bytes(value: Any) -> bytes:
    """A header's field as its bytes: integers big-endian without leading zeros."""
    if isinstance(value, int):
        return value.to_bytes((value.bit_length() + 7) // 8)
    return bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(value)
