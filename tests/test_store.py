"""CIDs as IPFS gives them, blocks checked on every read, nothing half-written."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bfl_ref import store as store_module
from bfl_ref.store import (
    CorruptObject,
    FolderStore,
    MissingObject,
    StoreFull,
    cid_from_parts,
    cid_of,
    cid_parts,
    pack,
    unpack,
)

VECTORS = json.loads((Path(__file__).parent / "vectors/cid/cid.json").read_text())["vectors"]
two_megabytes = 2_000_000  # eight chunks


def content(length: int) -> bytes:
    index = np.arange(length, dtype=np.uint64)
    return ((index * 2654435761 & 0xFFFFFFFF) >> 24).astype(np.uint8).tobytes()


@pytest.fixture
def store(tmp_path):
    return FolderStore(tmp_path / "store")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['bytes']}B")
def test_cid_of_content_equals_ipfs_unixfs_importer(vector):
    assert cid_of(content(vector["bytes"])) == vector["cid"]


def test_get_of_two_level_object_returns_the_bytes(store):
    data = content(VECTORS[-1]["bytes"])
    assert store.get(store.put(data)) == data


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=2000))
def test_get_after_put_returns_the_bytes(store, data):
    cid = store.put(data)
    assert cid == cid_of(data) and store.has(cid) and store.get(cid) == data


@pytest.mark.parametrize("length", [1, 1000, 262_145, two_megabytes])
def test_get_of_any_changed_block_names_both_cids(store, length):
    cid = store.put(content(length))
    blocks = sorted((store.folder / "blocks").iterdir())
    for block in blocks:
        honest = block.read_bytes()
        position = len(honest) // 2
        block.write_bytes(honest[:position] + bytes([honest[position] ^ 1]) + honest[position + 1 :])
        with pytest.raises(CorruptObject) as refused:
            store.get(cid)
        assert refused.value.expected == block.name and refused.value.got != block.name
        assert block.name in str(refused.value) and refused.value.got in str(refused.value)
        block.write_bytes(honest)
    assert store.get(cid) == content(length)


def test_get_of_unknown_object_is_refused(store):
    with pytest.raises(MissingObject, match=cid_of(b"x")):
        store.get(cid_of(b"x"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "../../etc/passwd",
        "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
        cid_of(b"x").upper(),
        cid_of(b"x")[:-1],
    ],
)
def test_text_that_is_no_cid_of_ours_is_refused(store, text):
    for call in (store.get, store.has, store.delete, cid_parts):
        with pytest.raises(ValueError, match="expected"):
            call(text)


def test_cid_parts_and_back_are_inverse():
    for data in (b"", b"x", content(300_000)):
        digest, codec = cid_parts(cid_of(data))
        assert len(digest) == 32 and cid_from_parts(digest, codec) == cid_of(data)
    with pytest.raises(ValueError, match="0x71"):
        cid_from_parts(bytes(32), 0x71)


def test_delete_keeps_blocks_that_another_object_holds(store):
    shared = content(262_144)
    first, second = store.put(shared + b"a"), store.put(shared + b"b")
    store.delete(first)
    assert not store.has(first) and store.get(second) == shared + b"b"
    with pytest.raises(MissingObject):
        store.get(first)
    with pytest.raises(MissingObject):
        store.delete(first)
    store.delete(second)
    assert not list((store.folder / "blocks").iterdir()) and not list((store.folder / "pins").iterdir())


def test_put_on_a_full_disk_names_path_and_bytes_and_leaves_nothing(store, monkeypatch):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreFull, match="1,000 bytes") as refused:
        store.put(content(1000))
    assert str(store.folder) in str(refused.value)
    monkeypatch.undo()
    assert not store.has(cid_of(content(1000)))
    assert [p.name for p in store.folder.rglob("*")] == ["blocks", "pins"] or not [
        p for p in store.folder.rglob("*") if p.is_file()
    ]


@given(
    array=hnp.arrays(
        dtype=st.sampled_from(
            [np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.uint32, np.bool_]
        ),
        shape=hnp.array_shapes(min_dims=0, max_dims=3, max_side=4),
    )
)
def test_unpack_after_pack_returns_arrays_and_metadata(array):
    arrays, metadata = unpack(pack({"a": array, "b": array.T}, {"round_id": 3, "kind": "update"}))
    assert metadata == {"round_id": 3, "kind": "update"}
    for name, want in (("a", array), ("b", array.T)):
        got = arrays[name]
        assert got.dtype == want.dtype and got.shape == want.shape
        assert np.ascontiguousarray(got).tobytes() == np.ascontiguousarray(want).tobytes()


def test_pack_of_equal_inputs_gives_equal_bytes_in_any_order():
    a, b = np.arange(3), np.ones(2, np.float32)
    assert pack({"a": a, "b": b}, {"x": 1, "y": 2}) == pack({"b": b, "a": a}, {"y": 2, "x": 1})


@given(data=st.binary(max_size=200))
def test_unpack_of_any_bytes_is_an_answer_or_a_value_error(data):
    with pytest.raises(ValueError, match="expected"):
        unpack(data)


@given(position=st.integers(0, 300), value=st.integers(0, 255))
def test_unpack_of_changed_bytes_never_raises_anything_else(position, value):
    data = bytearray(pack({"w": np.arange(20, dtype=np.float32)}, {"kind": "model"}))
    data[position % len(data)] = value
    try:
        arrays, _ = unpack(bytes(data))
    except ValueError:
        return
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_node_block_with_foreign_content_is_refused(store):
    """A dag-pb block whose hash is right but which is no file node: refused, not followed."""
    for block in (b"", b"\x12\x01\x00", b"\x0a\x02\x08\x01", b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"):
        cid = str(store_module._cid(block, store_module.DAG_PB))
        (store.folder / "blocks" / cid).write_bytes(block)
        with pytest.raises(ValueError, match="UnixFS"):
            store.get(cid)
