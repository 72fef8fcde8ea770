"""Looks for records in all that a chain holds: calldata, logs, and every value that ever stood in a storage slot.

    record --forms--> needles (bytes of at least 8)  --searched in-->  calldata | log topics and data | storage words

The forms are those of `leak_forms`; `more` takes what only the caller can compute, such as a row's leaf without salt. The
scan finds leaks of these forms; that a chain holds none of any other no search can show.

Storage: of an embedded chain all words at the ends of all blocks, from its trie nodes, none of which is ever dropped; of
anvil those that each transaction left behind, from its trace. What is overwritten within one transaction was in its
calldata, or computed from it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import rlp

from .audit_trail import calldata_of
from .chain.node import Node
from .leak_forms import LEAST, forms

_CHUNK = 1 << 20
_WORD = 32
_SMALL = bytes(
    29
)  # a number of three bytes in a word: between words, zeros and the next word's beginning often look like it
_WORD_STARTS = (0, 4)  # in logs and storage, and in calldata behind the selector

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Leak:
    """what: which record and field, in which form.   where: what of the chain.   at: byte in it."""

    what: str
    where: str
    at: int


def scan(
    records: Records, places: Iterable[tuple[str, bytes]], more: Mapping[str, bytes] | None = None
) -> list[Leak]:
    """Every needle of the records that is found in the places; several forms may fit one leak.

    more: name -> bytes (8 at least) to look for besides. Some 5,000 needles a record of 30 fields: check samples of many.
    """
    needles: dict[bytes, str] = {}
    for i, record in enumerate(records):
        for form, needle in forms(record):
            if len(needle) >= LEAST and len(set(needle)) > 2:
                needles.setdefault(needle, f"record {i}: {form}")
    for name, needle in (more or {}).items():
        if len(needle) < LEAST:
            raise ValueError(f"{name}: expected at least {LEAST} bytes, got {len(needle)}")
        needles.setdefault(needle, name)
    finder = _Finder(needles)
    return [leak for where, data in places for leak in finder.search(where, data)]


def everything(node: Node) -> Iterator[tuple[str, bytes]]:
    """(where, bytes) of all calldata, logs and storage words of an embedded chain or anvil. ValueError for another node."""
    eth = node.web3.eth
    if node.kind not in ("embedded", "anvil"):
        raise ValueError(
            f"expected an embedded chain or anvil, whose storage can be read whole, got {node.kind}"
        )
    for number in range(eth.block_number + 1):
        block: Any = eth.get_block(number, full_transactions=True)
        for sent in block["transactions"]:
            name = f"0x{bytes(sent['hash']).hex()}"
            yield f"calldata of {name}", calldata_of(sent)
            for log in eth.get_transaction_receipt(sent["hash"])["logs"]:
                topics = b"".join(bytes(topic) for topic in log["topics"])
                yield f"log {log['logIndex']} of {name}", topics + bytes(log["data"])
            if node.kind == "anvil":
                yield f"storage after {name}", _written(node, name)
    if node.kind == "embedded":
        words = {word for node_ in _trie_nodes(node) for word in _leaf_words(node_)}
        yield "storage", b"".join(sorted(words))


def _written(node: Node, transaction: str) -> bytes:
    options = {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}}
    answer: Any = node.web3.provider.make_request("debug_traceTransaction", [transaction, options])  # type: ignore[arg-type]
    if "result" not in answer:
        raise ValueError(f"expected a trace of {transaction}, got {answer.get('error')}")
    accounts = answer["result"]["post"].values()
    words = [word for account in accounts for word in account.get("storage", {}).values()]
    return b"".join(bytes.fromhex(word[2:]).rjust(_WORD, b"\0") for word in words)


def _trie_nodes(node: Node) -> Iterator[Any]:
    """Everything in the embedded chain's database that has the form of a trie's node."""
    chain = node.web3.provider.ethereum_tester.backend.chain  # type: ignore[attr-defined]
    database = chain.chaindb.db
    while not hasattr(database, "kv_store"):
        database = database.wrapped_db
    for raw in list(database.kv_store.values()):
        try:
            decoded = rlp.decode(raw)
        except rlp.exceptions.RLPException:
            continue
        if isinstance(decoded, list) and len(decoded) in (2, 17):
            yield decoded


def _leaf_words(node: Any) -> Iterator[bytes]:
    """Words in the leaves of a trie's node, nodes inside it included: values of at most 32 bytes, left-padded."""
    if len(node) == 17:
        for child in node[:16]:
            if isinstance(child, list) and len(child) in (2, 17):
                yield from _leaf_words(child)
    elif (
        isinstance(node[0], bytes)
        and isinstance(node[1], bytes)
        and node[0][:1]
        and node[0][0] >> 4 in (2, 3)
    ):
        try:
            value = rlp.decode(node[1])
        except rlp.exceptions.RLPException:
            return
        if isinstance(value, bytes) and len(value) <= _WORD:
            yield value.rjust(_WORD, b"\0")


class _Finder:
    """All needles in one pass: a table of two-byte beginnings, then a dictionary of eight bytes of each needle.

    The eight are those with the most different bytes, so that words which begin with zeros do not all fall together.
    """

    def __init__(self, needles: Mapping[bytes, str]) -> None:
        self._by_key: dict[int, list[tuple[int, bytes, str]]] = {}
        self._begins = np.zeros(1 << 16, bool)
        for needle, name in needles.items():
            start = max(range(len(needle) - LEAST + 1), key=lambda i: len(set(needle[i : i + LEAST])))
            key = needle[start : start + LEAST]
            self._by_key.setdefault(int.from_bytes(key), []).append((start, needle, name))
            self._begins[int.from_bytes(key[:2])] = True
        self._keys = np.array(sorted(self._by_key), np.uint64)

    def search(self, where: str, data: bytes) -> Iterator[Leak]:
        if len(data) < LEAST or not len(self._keys):
            return
        for chunk in range(0, len(data) - LEAST + 1, _CHUNK):
            octets = np.frombuffer(data, np.uint8)[chunk : chunk + _CHUNK + LEAST - 1]
            count = len(octets) - LEAST + 1
            first, second = octets[:count].astype(np.uint16), octets[1 : count + 1]
            (starts,) = np.nonzero(self._begins[(first << 8) | second])
            windows = np.zeros(len(starts), np.uint64)
            for i in range(LEAST):
                windows = (windows << np.uint64(8)) | octets[starts + i]
            places = np.searchsorted(self._keys, windows)
            hits = self._keys[np.minimum(places, len(self._keys) - 1)] == windows
            for start, key in zip(starts[hits].tolist(), windows[hits].tolist(), strict=True):
                for offset, needle, name in self._by_key[key]:
                    begin = chunk + start - offset
                    if (
                        len(needle) == _WORD
                        and needle.startswith(_SMALL)
                        and begin % _WORD not in _WORD_STARTS
                    ):
                        continue
                    if begin >= 0 and data[begin : begin + len(needle)] == needle:
                        yield Leak(name, where, begin)
