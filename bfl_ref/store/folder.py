"""A content store in a local folder: one file a block, every block hashed again whenever it is read.

    <folder>/blocks/<CID>    the blocks of all objects; blocks that objects share are kept once
    <folder>/pins/<CID>      empty; marks the root of an object that was put and not deleted

Blocks are written before the pin and removed after it, so a crash can leave a block too many, never one too few.
"""

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from bfl_ref.store.unixfs import (
    IPFS,
    RAW,
    Layout,
    block_cid,
    blocks_of,
    child_capacity,
    cid_of,
    decode_node,
    parse_cid,
)

_RAW_NAMES = "bafkrei"  # how every CIDv1 of codec raw and sha2-256 begins in base32
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Store(Protocol):
    """What the rest of the package asks of a store; the local folder is one, an IPFS node could be another."""

    def put(self, data: bytes) -> str: ...
    def get(self, cid: str) -> bytes: ...
    def has(self, cid: str) -> bool: ...
    def delete(self, cid: str) -> None: ...


class MissingObject(KeyError):
    """The object, or one of its blocks, is not in this store. cid: the one that is missing."""

    def __init__(self, cid: str, where: Path) -> None:
        super().__init__(cid)
        self.cid, self.where = cid, where

    def __str__(self) -> str:  # KeyError's own would show the text quoted
        return f"{self.cid} is not in {self.where}"


class CorruptObject(Exception):
    """A stored block is not what its name says. expected: its CID. got: the CID of the bytes found, or what is wrong."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"block changed: expected {expected}, got {got}")
        self.expected, self.got = expected, got


class StoreFull(OSError):
    """The disk (or a quota) refused a block; nothing of the object stays behind. path: where. size: bytes to write."""

    def __init__(self, path: Path, size: int, cause: OSError) -> None:
        super().__init__(cause.errno, f"no room for {size} bytes at {path}: {cause.strerror}")
        self.path, self.size = path, size


class FolderStore:
    """put(bytes) -> CID; get(CID) -> the same bytes or an exception, never other bytes."""

    def __init__(self, folder: Path | str, layout: Layout = IPFS) -> None:
        self.folder, self.layout = Path(folder), layout
        self._blocks, self._pins = self.folder / "blocks", self.folder / "pins"
        self._blocks.mkdir(parents=True, exist_ok=True)
        self._pins.mkdir(exist_ok=True)

    def put(self, data: bytes) -> str:
        """Store an object and return its CID; putting it again changes nothing. Raises StoreFull, and then keeps nothing."""
        written: list[Path] = []
        with self._lock():
            try:
                for cid, block in blocks_of(data, self.layout):
                    path = self._blocks / cid
                    if not path.exists() or path.read_bytes() != block:  # a damaged block is mended
                        self._write(path, block)
                        written.append(path)
                self._write(self._pins / cid, b"")
            except BaseException:
                for path in written:
                    path.unlink()
                raise
        return cid

    def get(self, cid: str) -> bytes:
        """The object's bytes. Raises MissingObject, CorruptObject (both CIDs named), ValueError for a malformed CID."""
        if not self.has(cid):
            raise MissingObject(cid, self.folder)
        data = b"".join(self._leaves(cid))
        if (got := cid_of(data, self.layout)) != cid:  # true blocks, yet not the tree that these bytes have
            raise CorruptObject(cid, got)
        return data

    def has(self, cid: str) -> bool:
        """Whether the object was put and not deleted; its blocks are checked by `get`."""
        parse_cid(cid)
        return (self._pins / cid).exists()

    def delete(self, cid: str) -> None:
        """Remove an object, and its blocks except those that other objects need. Raises MissingObject."""
        with self._lock():
            if not self.has(cid):
                raise MissingObject(cid, self.folder)
            # Read the tree before anything is removed: a damaged node makes the delete fail as a whole.
            mine = self._reachable(cid)
            others = [path.name for path in self._pins.iterdir() if path.name != cid]
            needed = set().union(*map(self._reachable, others))
            (self._pins / cid).unlink()
            for name in mine - needed:
                (self._blocks / name).unlink(missing_ok=True)

    def objects(self) -> list[str]:
        """CIDs of all objects, sorted."""
        return sorted(path.name for path in self._pins.iterdir())

    def _read(self, cid: str) -> bytes:
        try:
            block = (self._blocks / cid).read_bytes()
        except FileNotFoundError:
            raise MissingObject(cid, self.folder) from None
        got = block_cid(block, parse_cid(cid).codec.name)
        if got != cid:
            raise CorruptObject(cid, got)
        return block

    def _leaves(self, cid: str, size: int | None = None, capacity: int | None = None) -> Iterator[bytes]:
        """Leaves from left to right. size, capacity: content bytes that the parent announced here, and the most that fit
        at this height of the tree; None at the root.

        Only the balanced tree that `blocks_of` makes is followed. Otherwise a few crafted nodes, each true to its hash,
        could link one another into an object of any depth and length.
        """
        block = self._read(cid)
        if parse_cid(cid).codec.name == RAW:
            if size not in (None, len(block)) or capacity not in (None, self.layout.chunk_size):
                raise CorruptObject(cid, f"a leaf of {len(block)} bytes where {size} below a node belong")
            yield block
            return
        try:
            links = decode_node(block)
        except ValueError as error:
            raise CorruptObject(cid, str(error)) from None
        total = sum(link.size for link in links)
        below = capacity // self.layout.max_links if capacity else child_capacity(total, self.layout)
        if size not in (None, total) or below < self.layout.chunk_size:
            raise CorruptObject(cid, f"a node over {total} bytes where {size} belong")
        if [k.size for k in links] != [min(below, total - start) for start in range(0, total, below)]:
            raise CorruptObject(
                cid, f"a node of {len(links)} children that are no balanced tree of {total} bytes"
            )
        for link in links:
            yield from self._leaves(link.cid, link.size, below)

    def _reachable(self, cid: str) -> set[str]:
        """CIDs of an object's blocks; leaves are not read, nor their names parsed: a delete asks this of every object."""
        if cid.startswith(_RAW_NAMES):
            return {cid}
        return {cid}.union(*(self._reachable(link.cid) for link in decode_node(self._read(cid))))

    def _write(self, path: Path, data: bytes) -> None:
        """Whole or not at all: written beside its place, then moved there."""
        handle, name = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(name, path)
        except BaseException as error:
            os.unlink(name)
            if isinstance(error, OSError) and error.errno in _FULL:
                raise StoreFull(path, len(data), error) from error
            raise

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time, over processes too: else a delete could remove a block that a put just found present."""
        with open(self.folder / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
