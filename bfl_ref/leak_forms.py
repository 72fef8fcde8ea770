"""What a record could look like on a chain: the byte strings that a scan looks for.

    alone      a field of a record: its text (UTF-8, hex, base64 at each alignment, padded to a word), its number (a word,
               scaled by powers of ten; IEEE double, both byte orders), the unsalted hash of each (Keccak, SHA-2, SHA-3, ...)
    in a row   fields of a record one after another, as text with separators, as words, as integers of 1 to 8 bytes
    whole      the hash of the whole record as text, JSON or words

A short number or a single letter alone says nothing about anybody, and occurs everywhere by chance: "72" is searched in rows
and in hashes, a number from 10,000 on as a word. Such a number can equal one of the protocol's: who finds it looks where.
"""

import base64
import hashlib
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from eth_utils import keccak

LEAST = 8  # bytes of a needle: eight random bytes occur in a gigabyte with probability 5e-11
_WORD = 32
_SEPARATORS = (",", ";", "\t", "|", " ", ", ", "")
_RUN = 4  # numbers in a row
_HASHES: dict[str, Callable[[bytes], bytes]] = {
    "Keccak-256": keccak,
    "SHA-256": lambda data: hashlib.sha256(data).digest(),
    "SHA3-256": lambda data: hashlib.sha3_256(data).digest(),
    "BLAKE2b-256": lambda data: hashlib.blake2b(data, digest_size=32).digest(),
    "SHA-1": lambda data: hashlib.sha1(data).digest(),
    "MD5": lambda data: hashlib.md5(data).digest(),
}


def forms(record: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """(form, bytes) of what a record (fields: text, numbers, booleans or None) could look like; some are too short."""
    present = {name: value for name, value in record.items() if value is not None and value != ""}
    for name, value in present.items():
        for form, needle in _field(value):
            yield f"{name} as {form}", needle
    texts = [str(value) for value in present.values()]
    for separator in _SEPARATORS:
        for i in range(len(texts) - 2):
            yield from _texts("fields in a row", separator.join(texts[i : i + 3]))
        yield from _hashed("whole record as text", separator.join(texts).encode())
    for separators in ((",", ":"), (", ", ": ")):
        for sorted_ in (False, True):
            text = json.dumps(dict(record), separators=separators, sort_keys=sorted_, default=str)
            yield from _hashed("whole record as JSON", text.encode())
    numbers = [value for value in present.values() if isinstance(value, int | float)]
    for scale in (1, 10, 100, 1000):
        scaled = [round(scale * value) for value in numbers]
        words = [_word(value) for value in scaled]
        yield from _hashed(f"whole record as words times {scale}", b"".join(words))
        for i in range(len(scaled) - _RUN + 1):
            if len(set(scaled[i : i + _RUN])) == _RUN:
                yield f"words in a row times {scale}", b"".join(words[i : i + _RUN])
        for size in (1, 2, 4, 8):
            length = max(_RUN, LEAST // size)
            for i in range(len(scaled) - length + 1):
                some = scaled[i : i + length]
                if len(set(some)) >= _RUN and all(
                    -(1 << 8 * size - 1) <= each < 1 << 8 * size for each in some
                ):
                    for order in ("big", "little"):
                        packed = b"".join(_packed(each, size, order) for each in some)
                        yield f"integers of {size} bytes in a row times {scale}, {order}-endian", packed


def _packed(value: int, size: int, order: str) -> bytes:
    data = (value % (1 << 8 * size)).to_bytes(size)
    return data if order == "big" else data[::-1]


def _field(value: Any) -> Iterator[tuple[str, bytes]]:
    text = str(value)
    yield from _texts("text", text)
    if len(text) > 1:
        yield from _hashed("text", text.encode())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    for power in (0, 1, 2, 3, 6, 9, 18):
        scaled = Decimal(str(value)).scaleb(power)
        if scaled == scaled.to_integral_value() and abs(scaled) >= 10_000:
            yield f"number times 10^{power}", _word(int(scaled))
        if scaled == scaled.to_integral_value() and abs(scaled) >= 10:
            yield from _hashed(f"number times 10^{power}", _word(int(scaled)))
    if isinstance(value, float) and value != int(value):
        yield "double, big-endian", struct.pack(">d", value)
        yield "double, little-endian", struct.pack("<d", value)


def _texts(kind: str, text: str) -> Iterator[tuple[str, bytes]]:
    """A text in UTF-8, hex and base64, and padded to a word."""
    data = text.encode()
    yield f"{kind} in UTF-8", data
    if 3 <= len(data) < _WORD:
        yield f"{kind} padded to a word", data.ljust(_WORD, b"\0")
    yield f"{kind} in hex", data.hex().encode()
    yield f"{kind} in hex", data.hex().upper().encode()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data)
        core = whole[
            (0, 2, 3)[before] : len(whole) - (0, 3, 2)[(before + len(data)) % 3]
        ]  # letters of these bytes alone
        yield f"{kind} in base64", core
        yield f"{kind} in base64url", core.replace(b"+", b"-").replace(b"/", b"_")


def _hashed(kind: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    for name, function in _HASHES.items():
        digest = function(data)
        yield f"{name} of {kind}", digest
        yield f"{name} of {kind} in hex", digest.hex().encode()


def _word(value: int) -> bytes:
    return (value % (1 << 256)).to_bytes(_WORD)
