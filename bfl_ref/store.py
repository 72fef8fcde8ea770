"""Content-addressed store: bytes in, CIDv1 out; every block is hashed again on every read.

An object is cut into chunks of 262,144 bytes. One chunk is a `raw` block; more are joined by UnixFS nodes (`dag-pb`)
of at most 174 links, in as many levels as it takes: the CIDs that IPFS gives with CIDv1, raw leaves and a balanced layout.
The CID of a block is sha-256 of its bytes, so whoever knows a CID needs to trust nobody who stores it.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from multiformats import CID, varint
from safetensors import SafetensorError
from safetensors.numpy import load as safetensors_load
from safetensors.numpy import save as safetensors_save

CHUNK_BYTES = 262_144
MAX_LINKS = 174
RAW, DAG_PB = 0x55, 0x70
_CODEC = {RAW: "raw", DAG_PB: "dag-pb"}


class CorruptObject(ValueError):
    """A stored block is not what its CID says."""

    def __init__(self, expected: str, got: str):
        super().__init__(f"stored object is damaged: expected {expected}, its bytes have {got}")
        self.expected, self.got = expected, got


class MissingObject(KeyError):
    """No block is stored under the CID."""

    def __str__(self) -> str:
        return f"no object {self.args[0]} in the store"


class StoreFull(OSError):
    """The disk has no room; nothing was written under the CID."""


class Store(Protocol):
    """What a place for objects offers. CIDs are base32 strings ("b...")."""

    def put(self, data: bytes) -> str: ...
    def get(self, cid: str) -> bytes: ...
    def has(self, cid: str) -> bool: ...
    def delete(self, cid: str) -> None: ...


def cid_of(data: bytes) -> str:
    """The CID that `put(data)` returns."""
    *_, (root, _) = blocks_of(data)
    return root


def cid_parts(cid: str) -> tuple[bytes, int]:
    """(sha-256 digest of 32 bytes, codec 0x55 or 0x70), the form in which a contract keeps a CID.

    ValueError unless it is a base32 CIDv1 of raw or dag-pb with sha2-256.
    """
    try:
        parsed = CID.decode(cid)
    except Exception as error:  # multiformats raises several kinds for malformed text
        raise ValueError(f"expected a CID, got {cid!r}") from error
    if parsed.version != 1 or parsed.codec.name not in _CODEC.values() or parsed.hashfun.name != "sha2-256":
        raise ValueError(
            f"expected a CIDv1 of raw or dag-pb with sha2-256, got {cid}: {parsed.human_readable}"
        )
    if str(parsed.encode("base32")) != cid:
        raise ValueError(f"expected the base32 form {parsed.encode('base32')}, got {cid}")
    return parsed.raw_digest, parsed.codec.code


def cid_from_parts(digest: bytes, codec: int) -> str:
    """Inverse of `cid_parts`. ValueError for another codec or digest length."""
    if codec not in _CODEC or len(digest) != 32:
        raise ValueError(f"expected codec 0x55 or 0x70 and 32 bytes, got {codec:#x} and {len(digest)} bytes")
    return str(CID("base32", 1, _CODEC[codec], ("sha2-256", digest)).encode())


def blocks_of(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (CID, block) from the leaves upwards, the root last."""
    level = []  # (CID as bytes, bytes below this node, payload bytes)
    for start in range(0, max(len(data), 1), CHUNK_BYTES):
        chunk = data[start : start + CHUNK_BYTES]
        cid = _cid(chunk, RAW)
        yield str(cid), chunk
        level.append((bytes(cid), len(chunk), len(chunk)))
    while len(level) > 1:
        above = []
        for start in range(0, len(level), MAX_LINKS):
            children = level[start : start + MAX_LINKS]
            node = _encode_node(children)
            cid = _cid(node, DAG_PB)
            yield str(cid), node
            below = len(node) + sum(size for _, size, _ in children)
            above.append((bytes(cid), below, sum(payload for *_, payload in children)))
        level = above


class FolderStore:
    """A store in a local folder, one file a block; a pin (an empty file) for every object that was put."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self._blocks, self._pins = self.folder / "blocks", self.folder / "pins"
        for path in (self._blocks, self._pins):
            path.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Store an object; return its CID. Raises StoreFull, naming path and size, if the disk has no room."""
        cid = ""
        for cid, block in blocks_of(data):
            if not (self._blocks / cid).exists():
                self._write(self._blocks / cid, block)
        self._write(self._pins / cid, b"")
        return cid

    def get(self, cid: str) -> bytes:
        """The object, each block checked against its CID. Raises MissingObject, CorruptObject, ValueError (no CID)."""
        return b"".join(self._leaves(cid))

    def has(self, cid: str) -> bool:
        """Whether an object was put under this CID and not deleted."""
        cid_parts(cid)
        return (self._pins / cid).exists()

    def delete(self, cid: str) -> None:
        """Remove an object and those of its blocks that no other object holds. Raises MissingObject."""
        if not self.has(cid):
            raise MissingObject(cid)
        others = (pin.name for pin in self._pins.iterdir() if pin.name != cid)
        kept = {block for other in others for block in self._reachable(other)}
        (self._pins / cid).unlink()  # first, so that a crash leaves unreferenced blocks, never a torn object
        for block in set(self._reachable(cid)) - kept:
            (self._blocks / block).unlink(missing_ok=True)

    def _block(self, cid: str) -> bytes:
        _, codec = cid_parts(cid)
        try:
            block = (self._blocks / cid).read_bytes()
        except FileNotFoundError:
            raise MissingObject(cid) from None
        if (got := str(_cid(block, codec))) != cid:
            raise CorruptObject(cid, got)
        return block

    def _leaves(self, cid: str) -> Iterator[bytes]:
        block = self._block(cid)
        if cid_parts(cid)[1] == RAW:
            yield block
            return
        for child in _decode_node(block):
            yield from self._leaves(child)

    def _reachable(self, cid: str) -> Iterator[str]:
        yield cid
        if cid_parts(cid)[1] == DAG_PB:
            for child in _decode_node(self._block(cid)):
                yield from self._reachable(child)

    def _write(self, path: Path, data: bytes) -> None:
        """Write whole or not at all: a temporary file in the same folder, then a rename."""
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                temporary = file.name
                file.write(data)
            os.replace(temporary, path)
        except OSError as error:
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFull(error.errno, f"no room for {len(data):,} bytes", str(path)) from error
            raise


def pack(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str | int]) -> bytes:
    """Named arrays and what they are, as safetensors: equal inputs give equal bytes.

    The metadata go into one entry as canonical JSON, because safetensors keeps its own in no fixed order.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return safetensors_save(contiguous, {"bfl_ref": canonical_json(dict(metadata)).decode()})


def unpack(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str | int]]:
    """Inverse of `pack`. ValueError for anything else; nothing is unpickled or evaluated."""
    try:
        arrays = safetensors_load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        metadata = json.loads(header["__metadata__"]["bfl_ref"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected safetensors with a bfl_ref entry in its metadata: {error}") from error
    if not isinstance(metadata, dict):
        raise ValueError(f"expected a JSON object as metadata, got {type(metadata).__name__}")
    return arrays, metadata


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes. ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _cid(block: bytes, codec: int) -> CID:
    return CID("base32", 1, _CODEC[codec], ("sha2-256", hashlib.sha256(block).digest()))


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return bytes([number << 3 | 2]) + varint.encode(len(payload)) + payload


def _encode_node(children: list[tuple[bytes, int, int]]) -> bytes:
    """dag-pb: PBLinks (Hash 1, Name 2 empty, Tsize 3) as field 2, then UnixFS data (type, filesize, blocksizes) as 1."""
    links = b"".join(
        _field(2, _field(1, cid) + _field(2, b"") + b"\x18" + varint.encode(size))
        for cid, size, _ in children
    )
    sizes = b"".join(b"\x20" + varint.encode(payload) for *_, payload in children)
    total = varint.encode(sum(payload for *_, payload in children))
    return links + _field(1, b"\x08\x02" + b"\x18" + total + sizes)


def _decode_node(block: bytes) -> list[str]:
    """CIDs that a dag-pb node links to. ValueError unless it is a node as `_encode_node` makes them."""
    children, rest = [], memoryview(block)
    try:
        while rest and rest[0] == 0x12:
            length, _, rest = varint.decode_raw(rest[1:])
            link, rest = rest[:length], rest[length:]
            size, _, link = varint.decode_raw(link[1:])
            cid = CID.decode(bytes(link[:size]))
            children.append(str(CID("base32", 1, cid.codec, (cid.hashfun, cid.raw_digest))))
            cid_parts(children[-1])
    except Exception as error:  # malformed varints and CIDs raise several kinds
        raise ValueError("expected a UnixFS file node, the block is none") from error
    if not children or not rest or rest[0] != 0x0A:
        raise ValueError("expected a UnixFS file node, the block is none")
    return children
