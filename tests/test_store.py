"""Content store: CIDs equal those of IPFS, and nothing but the bytes that were put comes back."""

import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bfl_ref.store import (
    CorruptObject,
    FolderStore,
    MissingObject,
    StoreFull,
    canonical_json,
    cid_from_parts,
    cid_of,
    cid_parts,
    pack,
    parse_json,
    unpack,
)
from bfl_ref.store.formats import DTYPES
from bfl_ref.store.unixfs import (
    DAG_PB,
    Layout,
    Link,
    block_cid,
    blocks_of,
    decode_node,
    encode_node,
    parse_cid,
)

VECTORS = json.loads((Path(__file__).parent / "vectors/cid/cid.json").read_text())
TINY = Layout(chunk_size=5, max_links=3)
MORE = 20 if os.environ.get("BFL_FULL") == "1" else 1
EMPTY_CID = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"  # as every IPFS tool prints it


def content(size: int, seed: str = VECTORS["seed"]) -> bytes:
    """sha256(seed || counter as 8 bytes little-endian), repeated and cut: the formula of vectors/cid/generate.mjs."""
    digests = (
        hashlib.sha256(seed.encode() + i.to_bytes(8, "little")).digest() for i in range(-(-size // 32))
    )
    return b"".join(digests)[:size]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda v: f"{v['size']}-by-{v['chunk_size']}")
def test_cid_of_a_file_equals_the_importer_of_ipfs(vector):
    layout = Layout(vector["chunk_size"], vector["max_links"])
    assert cid_of(content(vector["size"]), layout) == vector["cid"]


def test_cid_of_nothing_is_the_known_one():
    assert cid_of(b"") == EMPTY_CID


def test_store_of_two_level_file_gives_it_back(tmp_path):
    store, data = FolderStore(tmp_path), content(175 * 262_144)
    assert store.get(store.put(data)) == data
    assert len(list((tmp_path / "blocks").iterdir())) == 175 + 2 + 1


@settings(max_examples=50 * MORE, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300))
def test_store_of_any_bytes_gives_them_back(tmp_path, data):
    store = FolderStore(tmp_path / "any", TINY)
    cid = store.put(data)
    assert cid == cid_of(data, TINY) and store.has(cid) and store.get(cid) == data
    store.delete(cid)
    assert tree(tmp_path / "any") == {"lock": b""}


@settings(max_examples=30 * MORE, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(min_size=1, max_size=60), pick=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_get_refuses_any_flipped_bit_of_any_block_naming_both_cids(tmp_path, data, pick, bit):
    folder = tmp_path / "flip"
    shutil.rmtree(folder, ignore_errors=True)
    store = FolderStore(folder, TINY)
    cid = store.put(data)
    positions = [(p, i) for p in sorted((folder / "blocks").iterdir()) for i in range(p.stat().st_size)]
    path, i = positions[pick % len(positions)]
    block = bytearray(path.read_bytes())
    block[i] ^= 1 << bit
    path.write_bytes(block)
    with pytest.raises(CorruptObject) as caught:
        store.get(cid)
    assert caught.value.expected == path.name
    assert caught.value.got == block_cid(bytes(block), parse_cid(path.name).codec.name)
    assert store.put(data) == cid and store.get(cid) == data  # putting again mends it


def test_get_of_cut_or_missing_block_is_refused(tmp_path):
    store = FolderStore(tmp_path, TINY)
    data = content(20)
    cid, leaf = store.put(data), block_cid(data[:5], "raw")
    (tmp_path / "blocks" / leaf).write_bytes(data[:4])
    with pytest.raises(CorruptObject):
        store.get(cid)
    (tmp_path / "blocks" / leaf).unlink()
    with pytest.raises(MissingObject, match=leaf):
        store.get(cid)


def test_delete_of_damaged_object_fails_whole(tmp_path):
    store = FolderStore(tmp_path, TINY)
    cid = store.put(content(40))
    (tmp_path / "blocks" / cid).write_bytes(b"")
    before = tree(tmp_path)
    with pytest.raises(CorruptObject):
        store.delete(cid)
    assert tree(tmp_path) == before


def test_put_and_delete_of_two_processes_leave_no_object_torn(tmp_path):
    def churn(tag: bytes) -> None:
        store = FolderStore(tmp_path, TINY)
        for i in range(30):
            data = b"share" * 3 + tag + bytes([i])
            cid = store.put(data)
            assert store.get(cid) == data
            store.delete(cid)

    workers = [multiprocessing.get_context("fork").Process(target=churn, args=(t,)) for t in (b"1", b"2")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0] and tree(tmp_path) == {"lock": b""}


def crafted(store: FolderStore, *links: Link) -> Link:
    """Plant a node that is true to its hash but not what `put` would make."""
    block = encode_node(list(links))
    cid = block_cid(block, DAG_PB)
    (store.folder / "blocks" / cid).write_bytes(block)
    (store.folder / "pins" / cid).touch()
    return Link(cid, sum(k.size for k in links), len(block) + sum(k.tsize for k in links))


def test_get_of_crafted_tree_is_refused_before_it_grows(tmp_path):
    store = FolderStore(tmp_path, TINY)
    leaf, short = Link(store.put(b"12345"), 5, 5), Link(store.put(b"123"), 3, 3)
    assert store.get(crafted(store, leaf, short).cid) == b"12345123"
    empty = Link(store.put(b""), 0, 0)
    chain = leaf
    for _ in range(2000):
        chain = crafted(store, chain)
    bad = [
        crafted(store, short, leaf),
        crafted(store, leaf),
        crafted(store, leaf, empty),
        crafted(store, *[leaf] * 4),
    ]
    bad += [
        chain,
        crafted(store, leaf, leaf._replace(size=4)),
        crafted(store, leaf, short._replace(tsize=9)),
        crafted(store),
    ]
    wide = crafted(store, *[leaf] * 3)
    bad += [crafted(store, wide, leaf), crafted(store, Link(wide.cid, 10**15, 10**15), leaf)]
    for link in bad:
        with pytest.raises(CorruptObject):
            store.get(link.cid)


@settings(max_examples=200 * MORE, deadline=None)
@given(data=st.binary(max_size=200))
def test_node_of_any_bytes_is_decoded_or_refused(data):
    try:
        links = decode_node(data)
    except ValueError:
        return
    assert encode_node(links) == data


def test_node_with_every_flipped_bit_is_decoded_canonically_or_refused():
    *_, (_cid, block) = blocks_of(content(12), TINY)
    for i in range(8 * len(block)):
        changed = bytearray(block)
        changed[i // 8] ^= 1 << i % 8
        try:
            assert encode_node(decode_node(bytes(changed))) == changed
        except ValueError:
            continue


@pytest.mark.parametrize(
    "cid",
    [
        "",
        "bafk",
        EMPTY_CID[:-1],
        EMPTY_CID + "a",
        EMPTY_CID.upper(),
        "../../etc/passwd",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",  # CIDv0
        "bafyreigdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",  # codec dag-cbor
        "zb2rhmy65F3REf8SZp7De11gxtECBGgUKaLdiDj7MCGCHxbDW",  # base58
        b"bytes",
        None,
    ],
)
def test_cid_of_other_form_is_refused_saying_what_was_expected(tmp_path, cid):
    store = FolderStore(tmp_path)
    for method in (store.get, store.has, store.delete):
        with pytest.raises(ValueError, match="expected a CIDv1 in base32 of codec raw or dag-pb"):
            method(cid)


def test_cid_parts_and_back_are_inverse():
    for data in (b"", b"x", content(300_000)):
        digest, codec = cid_parts(cid_of(data))
        assert (
            isinstance(digest, bytes) and len(digest) == 32 and cid_from_parts(digest, codec) == cid_of(data)
        )
    for digest, codec in ((bytes(32), 0x71), (bytes(31), 0x55)):
        with pytest.raises(ValueError, match="expected codec 0x55 or 0x70 and 32 bytes"):
            cid_from_parts(digest, codec)


def test_cid_of_other_hash_is_refused():
    from multiformats import CID

    for hashfun, size in (("sha2-512", 64), ("sha3-256", 32)):
        cid = str(CID("base32", 1, "raw", (hashfun, bytes(size))))
        with pytest.raises(ValueError, match=hashfun):
            parse_cid(cid)


def test_delete_keeps_blocks_that_other_objects_share(tmp_path):
    store = FolderStore(tmp_path, TINY)
    a, b, leaf = store.put(b"aaaaabbbbb"), store.put(b"aaaaaccccc"), store.put(b"aaaaa")
    store.delete(a)
    assert store.get(b) == b"aaaaaccccc" and store.get(leaf) == b"aaaaa" and not store.has(a)
    assert not (tmp_path / "blocks" / block_cid(b"bbbbb", "raw")).exists()
    store.delete(leaf)
    assert store.get(b) == b"aaaaaccccc"
    with pytest.raises(MissingObject):
        store.get(leaf)  # still a block of b, no longer an object
    with pytest.raises(MissingObject):
        store.delete(a)
    assert store.objects() == [b]


def test_put_on_full_disk_names_path_and_bytes_and_leaves_nothing(tmp_path):
    store = FolderStore(tmp_path)
    kept = store.put(b"kept")
    before = tree(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(StoreFull, match=r"no room for 262144 bytes at .*blocks") as caught:
            store.put(content(60_000) * 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.size == 262_144 and tree(tmp_path) == before and store.get(kept) == b"kept"


def test_put_that_fails_late_takes_its_first_blocks_back(tmp_path):
    store = FolderStore(tmp_path, Layout(chunk_size=100, max_links=3))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (120, limits[1]))  # leaves fit, the node of 162 bytes does not
    try:
        with pytest.raises(StoreFull):
            store.put(content(300))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert tree(tmp_path) == {"lock": b""}


@settings(max_examples=100 * MORE, deadline=None)
@given(
    arrays=st.dictionaries(
        st.text(max_size=8).filter(lambda name: name != "__metadata__"),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
        ),
        max_size=4,
    ),
    metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=4),
)
def test_tensors_of_every_dtype_come_back_bit_for_bit(arrays, metadata):
    back, meta = unpack(pack(arrays, metadata))
    assert meta == metadata and back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].tobytes() == array.tobytes()


def test_tensors_of_one_value_have_one_encoding_whatever_the_memory_layout():
    x = np.arange(12, dtype=np.float64).reshape(3, 4)
    meta = {str(i): "v" for i in range(20)}
    packed = pack({"b": x, "a": x.T}, meta)
    again = pack({"a": x.T.copy(), "b": x.astype(">f8")}, dict(reversed(meta.items())))
    assert packed == again and (unpack(packed)[0]["a"] == x.T).all()


def test_tensors_from_torch_are_accepted():
    import torch

    weight = torch.nn.Linear(3, 2).weight
    assert (unpack(pack({"w": weight}))[0]["w"] == weight.detach().numpy()).all()


def test_tensors_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match="expected a JSON value"):
        pack({}, {"epsilon": float("nan")})
    for bad in (np.array(["text"]), np.array([None]), np.zeros(2, complex)):
        with pytest.raises(ValueError, match="expected 'x' of a dtype in"):
            pack({"x": bad})


@settings(max_examples=200 * MORE, deadline=None)
@given(data=st.binary(max_size=100), cut=st.integers(0, 200), flip=st.integers(0, 10**6))
def test_tensors_of_any_bytes_are_read_or_refused(data, cut, flip):
    good = pack({"w": np.arange(6.0)}, {"k": "v"})
    changed = bytearray(good)
    changed[flip % len(good)] ^= 1 + flip % 255
    for raw in (data, good[:cut], bytes(changed)):
        try:
            arrays, metadata = unpack(raw)
        except ValueError as error:
            assert "expected" in str(error)
        else:
            assert pack(arrays, metadata) == raw


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=100 * MORE, deadline=None)
@given(value=JSON)
def test_json_value_comes_back_from_its_one_encoding(value):
    assert parse_json(canonical_json(value)) == value


@pytest.mark.parametrize("value", [float("nan"), (1, 2), {1: 2}, {"a": {1, 2}}, b"x", "\ud800", object()])
def test_json_of_what_would_not_come_back_is_refused(value):
    with pytest.raises(ValueError, match="expected a JSON value"):
        canonical_json(value)


@pytest.mark.parametrize(
    "data",
    [b"", b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1,"a":2}', b"NaN", b"\xff", b'"\\u0041"', b"[" * 100_000],
)
def test_json_of_other_bytes_is_refused(data):
    with pytest.raises(ValueError, match="expected canonical JSON"):
        parse_json(data)


def test_json_of_deep_nesting_is_refused_whatever_the_recursion_limit():
    """py-evm raises the limit for the whole process; the parser would then end it instead of raising."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    try:
        for data in (b"[" * 10**6, b'{"a":' * 10**6, b'["]"' + b",[" * 10**6):
            with pytest.raises(ValueError, match="nest deeper than 64"):
                parse_json(data)
    finally:
        sys.setrecursionlimit(limit)
    assert parse_json(b"[" * 64 + b"]" * 64) is not None and parse_json(b'"' + b"[" * 100 + b'"') == "[" * 100
