"""From bytes to blocks and CIDs, and back: the file format of IPFS (UnixFS, CIDv1, raw leaves, balanced tree).

    bytes --cut every 262,144--> raw leaves --174 links a node--> nodes --174 links a node--> ... --> one root

A CID is multibase(base32) of (version 1, codec, multihash(sha2-256 of the block)). A leaf's block is the chunk itself
(codec `raw`); a node's block is protobuf (codec `dag-pb`):

    PBNode { repeated PBLink Links = 2; bytes Data = 1 }
    PBLink { bytes Hash = 1; string Name = 2; uint64 Tsize = 3 }
    Data   { Type = 1, here 2 (file); uint64 filesize = 3; repeated uint64 blocksizes = 4 }

Sources: dag-pb and UnixFS specifications of IPFS; tests/vectors/cid holds known answers of the JavaScript importer.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from multiformats import CID

RAW, DAG_PB = "raw", "dag-pb"
_CODECS = {0x55: RAW, 0x70: DAG_PB}
_MULTIHASH = b"\x12\x20"  # sha2-256, 32 bytes
_FILE = 2  # UnixFS DataType


@dataclass(frozen=True)
class Layout:
    """How a file is cut. chunk_size: bytes a leaf, >= 1. max_links: links a node, >= 2. The default is that of IPFS."""

    chunk_size: int = 262_144
    max_links: int = 174

    def __post_init__(self) -> None:
        if self.chunk_size < 1 or self.max_links < 2:
            raise ValueError(f"expected chunk_size >= 1 and max_links >= 2, got {self}")


IPFS = Layout()


class Link(NamedTuple):
    """One child. size: bytes of content below it. tsize: bytes of all its blocks, as dag-pb's Tsize counts them."""

    cid: str
    size: int
    tsize: int


def block_cid(block: bytes, codec: str) -> str:
    """CIDv1 of one block; codec "raw" or "dag-pb"."""
    return str(
        CID("base32", 1, codec, b"\x12\x20" + hashlib.sha256(block).digest())
    )  # 0x12 sha2-256, 0x20 bytes


def parse_cid(cid: str) -> CID:
    """The parsed CID, or ValueError: accepted is only what this module writes (version, base, codec, hash, spelling)."""
    expected = "expected a CIDv1 in base32 of codec raw or dag-pb with a sha2-256 multihash"
    if not isinstance(cid, str):
        raise ValueError(f"{expected}, got {type(cid).__name__}")
    try:
        parsed = CID.decode(cid)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{expected}, got {cid!r}: {error}") from None
    kind = (parsed.version, parsed.base.name, parsed.codec.name, parsed.hashfun.name)
    if kind not in [(1, "base32", codec, "sha2-256") for codec in (RAW, DAG_PB)]:
        raise ValueError(f"{expected}, got {cid!r}: CIDv%d, %s, %s, %s" % kind)
    if len(parsed.raw_digest) != 32 or str(parsed) != cid:
        raise ValueError(
            f"{expected}, got {cid!r}: digest of {len(parsed.raw_digest)} bytes or not spelled as written"
        )
    return parsed


def cid_parts(cid: str) -> tuple[bytes, int]:
    """(sha-256 digest of 32 bytes, codec 0x55 raw or 0x70 dag-pb): the form in which a contract keeps a CID."""
    parsed = parse_cid(cid)
    return bytes(parsed.raw_digest), parsed.codec.code


def cid_from_parts(digest: bytes, codec: int) -> str:
    """Inverse of `cid_parts`. ValueError for another codec or digest length."""
    if codec not in _CODECS or len(digest) != 32:
        raise ValueError(f"expected codec 0x55 or 0x70 and 32 bytes, got {codec:#x} and {len(digest)} bytes")
    return str(CID("base32", 1, _CODECS[codec], _MULTIHASH + digest))


def blocks_of(data: bytes, layout: Layout = IPFS) -> Iterator[tuple[str, bytes]]:
    """(CID, block) of every block of a file, leaves first, the root last. Equal blocks come as often as they occur."""
    level = []
    for start in range(0, max(len(data), 1), layout.chunk_size):
        chunk = data[start : start + layout.chunk_size]
        level.append(Link(block_cid(chunk, RAW), len(chunk), len(chunk)))
        yield level[-1].cid, chunk
    while len(level) > 1:
        parents = []
        for start in range(0, len(level), layout.max_links):
            links = level[start : start + layout.max_links]
            block = encode_node(links)
            cid = block_cid(block, DAG_PB)
            parents.append(Link(cid, sum(k.size for k in links), len(block) + sum(k.tsize for k in links)))
            yield cid, block
        level = parents


def cid_of(data: bytes, layout: Layout = IPFS) -> str:
    """CID of a file's root, without storing anything."""
    *_, (cid, _block) = blocks_of(data, layout)
    return cid


def child_capacity(size: int, layout: Layout) -> int:
    """Content bytes below each child (the last may hold less) of the root node of a balanced tree over `size` bytes."""
    capacity = layout.chunk_size
    while capacity * layout.max_links < size:
        capacity *= layout.max_links
    return capacity


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """(value, position after it); ValueError when cut off or above 64 bits."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(data):
            raise ValueError("expected a varint, got the end of the block")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
    raise ValueError("expected a varint of at most 64 bits, got a longer one")


def _field(number: int, value: bytes | int) -> bytes:
    """One protobuf field: wire type 2 (length, bytes) or 0 (varint)."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _read_fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        value, at = _read_varint(data, at)
        if tag & 7 == 0:
            yield tag >> 3, value
        elif tag & 7 == 2 and at + value <= len(data):
            yield tag >> 3, data[at : at + value]
            at += value
        else:
            raise ValueError(
                f"expected a varint or {value} bytes, got wire type {tag & 7} at byte {at} of {len(data)}"
            )


def encode_node(links: list[Link]) -> bytes:
    """The dag-pb block of a file node with these children."""
    fields = [_field(1, _FILE), _field(3, sum(k.size for k in links)), *(_field(4, k.size) for k in links)]
    out = [
        _field(2, _field(1, bytes(CID.decode(k.cid))) + _field(2, b"") + _field(3, k.tsize)) for k in links
    ]  # dag-pb wants links before data
    return b"".join(out) + _field(1, b"".join(fields))


def decode_node(block: bytes) -> list[Link]:
    """Inverse of `encode_node`; ValueError for any bytes that it would not write, so a node has one encoding only."""
    fields = list(_read_fields(block))
    raw_links = [
        dict(_read_fields(value)) for number, value in fields if number == 2 and isinstance(value, bytes)
    ]
    data = [value for number, value in fields if number == 1 and isinstance(value, bytes)]
    sizes = [
        value for number, value in _read_fields(b"".join(data)) if number == 4 and isinstance(value, int)
    ]
    links = []
    for raw, size in zip(raw_links, sizes, strict=False):  # unequal lengths fail the comparison below
        cid, tsize = raw.get(1), raw.get(3)
        if not isinstance(cid, bytes) or not isinstance(tsize, int):
            raise ValueError("expected a link with a CID and a Tsize, got one without")
        try:
            links.append(Link(str(CID.decode(cid).set(base="base32")), size, tsize))
        except (ValueError, KeyError) as error:
            raise ValueError(f"expected a CID in a link, got {cid.hex()}: {error}") from None
        parse_cid(links[-1].cid)
    if encode_node(links) != block:
        raise ValueError(
            "expected a dag-pb node of a UnixFS file in its one canonical encoding, got other bytes"
        )
    return links
