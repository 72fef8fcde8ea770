"""What is stored, as bytes with one encoding each: arrays (safetensors) and JSON values. Never pickle.

One value, one encoding, one CID: two hospitals that store the same model name it the same.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
DTYPES = ["bool", *INTEGERS, "float16", "float32", "float64", "complex64"]

MAX_DEPTH = 64  # nesting of a JSON value that is read


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON, keys sorted, no blanks. ValueError for what JSON does not give back equal (NaN, tuples, integer keys)."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        same = json.loads(text) == value
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"expected a JSON value, got {type(value).__name__}: {error}") from None
    if not same:
        raise ValueError(
            "expected a JSON value that comes back equal, got tuples or keys that are not strings"
        )
    return data


def _depth(text: str) -> int:
    """How deep arrays and objects nest in a JSON text."""
    depth = deepest = 0
    for mark in re.findall(r"[\[{\]}]", re.sub(r'"(?:[^"\\]|\\.)*"', "", text)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def parse_json(data: bytes) -> Any:
    """Inverse of `canonical_json`; ValueError for bytes that it would not write (order, blanks, doubled keys, NaN)."""
    try:
        text = data.decode()
        # Measured before it is parsed: where a library raised Python's recursion limit, as py-evm does, the parser would
        # overrun the C stack, and one crafted object would end the process.
        if _depth(text) > MAX_DEPTH:
            raise ValueError(f"arrays and objects nest deeper than {MAX_DEPTH}")
        value = json.loads(text)
        canonical = canonical_json(value)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected canonical JSON, got {len(data)} other bytes: {error}") from None
    if canonical != data:
        raise ValueError(f"expected canonical JSON, got {len(data)} other bytes of the same value")
    return value


def pack(arrays: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> bytes:
    """safetensors bytes of named arrays (numpy arrays or torch tensors of a dtype in DTYPES) and a JSON object about them.

    safetensors writes several metadata entries in random order and a transposed array as it lies in memory; so the
    metadata goes in as one entry of canonical JSON, and arrays are laid out in C order first.
    """
    laid_out = {}
    for name, value in arrays.items():
        array = np.asarray(value.detach() if hasattr(value, "detach") else value)
        if array.dtype.name not in DTYPES:
            raise ValueError(f"expected {name!r} of a dtype in {DTYPES}, got {array.dtype}")
        laid_out[name] = array.astype(array.dtype.newbyteorder("<"), order="C")
    return safetensors.save(laid_out, metadata={"bfl_ref": canonical_json(dict(metadata or {})).decode()})


def unpack(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, metadata) of `pack`; ValueError for bytes that it would not write."""
    try:
        arrays = safetensors.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])  # load() checked it
        metadata = parse_json(header["__metadata__"]["bfl_ref"].encode())
        canonical = pack(arrays, metadata)
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"expected bytes written by pack, got {len(data)} others: {error}") from None
    if canonical != data:
        raise ValueError(f"expected bytes written by pack, got {len(data)} others that mean the same")
    return arrays, metadata
