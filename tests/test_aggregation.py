"""Every committed update that is not what its commitment says is refused with a reason; honest ones give the average."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bfl_ref.aggregation import (
    FLOATS,
    SALT_BYTES,
    Origin,
    RejectedUpdate,
    load_model,
    load_update,
    next_model,
    pack_model,
    pack_update,
)
from bfl_ref.chain.events import UpdateCommitted
from bfl_ref.chain.records import Content
from bfl_ref.learning import Weights, average
from bfl_ref.store import FolderStore, cid_of, pack, unpack

CHAIN_ID, CONTRACT, ROUND_ID, ROWS = 7, "0x" + "c0" * 20, 4, 30
HOSPITAL, OTHER = "0x" + "11" * 20, "0x" + "22" * 20
ORIGIN = Origin(CHAIN_ID, CONTRACT, ROUND_ID, HOSPITAL, ROWS)
SALT = bytes(range(SALT_BYTES))


def weights(seed: int) -> Weights:
    generator = torch.Generator().manual_seed(seed)
    return {"0.weight": torch.randn(1, 5, generator=generator), "0.bias": torch.randn(1, generator=generator)}


MODEL, UPDATE = weights(0), weights(1)
FILE, DIGEST = pack_update(UPDATE, ORIGIN, SALT)


def arrays_of(update: Weights) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in update.items()}


def as_update(update: Weights, **elsewhere: object) -> tuple[bytes, bytes]:
    """An update for another place: chain_id=, contract=, round_id=, hospital= or rows=."""
    return pack_update(update, Origin(**{**vars(ORIGIN), **elsewhere}), SALT)  # type: ignore[arg-type]


def with_value(value: float) -> Weights:
    update = weights(1)
    update["0.weight"][0, 2] = value
    return update


def packed(arrays: dict[str, np.ndarray], **header: object) -> tuple[bytes, bytes]:
    """Arrays that are no update of this model, under a true header."""
    return pack(arrays, ORIGIN.header(SALT) | header), DIGEST


def short_salt() -> tuple[bytes, bytes]:
    return pack_update(UPDATE, ORIGIN, b"")


BAD: dict[str, tuple[Callable[[], tuple[bytes, bytes]], str]] = {
    "another hospital's file": (lambda: as_update(UPDATE, hospital=OTHER), "made for another place"),
    "update of an old round": (lambda: as_update(UPDATE, round_id=ROUND_ID - 1), "made for another place"),
    "update for another contract": (lambda: as_update(UPDATE, contract=OTHER), "made for another place"),
    "update for another chain": (lambda: as_update(UPDATE, chain_id=1), "made for another place"),
    "other row count": (lambda: as_update(UPDATE, rows=ROWS + 1), "made for another place"),
    "another kind of file": (lambda: pack_model(UPDATE, ROUND_ID), "made for another place"),
    "one header field more": (lambda: packed(arrays_of(UPDATE), more=1), "made for another place"),
    "no salt": (short_salt, "made for another place"),
    "salt not in hex": (lambda: packed(arrays_of(UPDATE), salt="zz"), "non-hexadecimal"),
    "other numbers than committed": (
        lambda: (as_update(weights(2))[0], DIGEST),
        "not those of the committed digest",
    ),
    "digest of another salt": (
        lambda: (FILE, pack_update(UPDATE, ORIGIN, SALT[::-1])[1]),
        "not those of the committed digest",
    ),
    "other shape": (
        lambda: as_update({**UPDATE, "0.bias": torch.zeros(2)}),
        "tensors differ from the model's",
    ),
    "transposed": (
        lambda: as_update({**UPDATE, "0.weight": UPDATE["0.weight"].T}),
        "tensors differ from the model's",
    ),
    "one tensor more": (
        lambda: as_update({**UPDATE, "1.bias": torch.zeros(1)}),
        "tensors differ from the model's",
    ),
    "one tensor less": (lambda: as_update({"0.bias": UPDATE["0.bias"]}), "tensors differ from the model's"),
    "no tensor": (lambda: packed({}), "tensors differ from the model's"),
    "float64": (
        lambda: packed({k: a.astype(np.float64) for k, a in arrays_of(UPDATE).items()}),
        "tensors differ from the model's",
    ),
    "complex": (
        lambda: packed({k: a.astype(np.complex64) for k, a in arrays_of(UPDATE).items()}),
        "tensors differ from the model's",
    ),
    "NaN": (lambda: as_update(with_value(np.nan)), "not finite"),
    "infinity": (lambda: as_update(with_value(-np.inf)), "not finite"),
    "garbage": (lambda: (b"\x00garbage" * 50, DIGEST), "expected bytes written by pack"),
    "nothing": (lambda: (b"", DIGEST), "expected bytes written by pack"),
    "a pickle": (lambda: (pickle.dumps(arrays_of(UPDATE)), DIGEST), "expected bytes written by pack"),
    "the file cut": (lambda: (FILE[:-1], DIGEST), "expected bytes written by pack"),
    "the file and a byte": (lambda: (FILE + b"\0", DIGEST), "expected bytes written by pack"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return FolderStore(tmp_path_factory.mktemp("store"))


def committed(hospital: str, content: Content, rows: int = ROWS) -> UpdateCommitted:
    return UpdateCommitted(1, 0, "0x", CONTRACT, ROUND_ID, hospital, content, rows, b"\1" * 32)


def test_update_honest_comes_back_bit_by_bit(store: FolderStore) -> None:
    got = load_update(store, ORIGIN, Content(store.put(FILE), DIGEST), MODEL)
    assert got.keys() == UPDATE.keys() and all(torch.equal(got[name], UPDATE[name]) for name in UPDATE)


@pytest.mark.parametrize("name", BAD)
def test_update_bad_is_rejected_with_its_reason(store: FolderStore, name: str) -> None:
    make, reason = BAD[name]
    file, digest = make()
    with pytest.raises(RejectedUpdate, match=reason):
        load_update(store, ORIGIN, Content(store.put(file), digest), MODEL)


def test_update_absent_is_rejected(store: FolderStore) -> None:
    cid = cid_of(b"never put")
    with pytest.raises(RejectedUpdate, match=f"{cid} is not in"):
        load_update(store, ORIGIN, Content(cid, DIGEST), MODEL)


def test_update_damaged_is_rejected_with_both_cids(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    cid = store.put(FILE)
    (tmp_path / "blocks" / cid).write_bytes(FILE[:-1] + b"\xff")
    with pytest.raises(RejectedUpdate, match=f"expected {cid}, got {cid_of(FILE[:-1] + bytes([255]))}"):
        load_update(store, ORIGIN, Content(cid, DIGEST), MODEL)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(FILE) - 1), bit=st.integers(0, 7))
def test_update_any_flipped_bit_is_rejected(store: FolderStore, at: int, bit: int) -> None:
    changed = bytearray(FILE)
    changed[at] ^= 1 << bit
    with pytest.raises(RejectedUpdate):
        load_update(store, ORIGIN, Content(store.put(bytes(changed)), DIGEST), MODEL)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.binary(max_size=400))
def test_update_any_bytes_are_rejected_and_nothing_else_raised(store: FolderStore, file: bytes) -> None:
    with pytest.raises(RejectedUpdate):
        load_update(store, ORIGIN, Content(store.put(file), DIGEST), MODEL)


def test_next_model_averages_the_honest_updates_and_names_the_others(store: FolderStore) -> None:
    others = [f"0x{i:040x}" for i in range(len(BAD))]
    honest = {"0x" + "aa" * 20: (weights(5), 10), "0x" + "bb" * 20: (weights(6), 30)}
    said = []
    for (make, _), hospital in zip(BAD.values(), others, strict=True):
        file, digest = make()
        said.append(committed(hospital, Content(store.put(file), digest)))
    for hospital, (update, rows) in honest.items():
        file, digest = pack_update(update, Origin(CHAIN_ID, CONTRACT, ROUND_ID, hospital, rows), SALT)
        said.append(committed(hospital, Content(store.put(file), digest), rows))
    got, rejected = next_model(store, MODEL, said, CHAIN_ID, least=2)
    expected = average([update for update, _ in honest.values()], [10, 30])
    assert got is not None and all(torch.equal(got[name], expected[name]) for name in expected)
    by_hand = 0.25 * weights(5)["0.bias"] + 0.75 * weights(6)["0.bias"]
    assert torch.allclose(got["0.bias"], by_hand)
    assert list(rejected) == others and all(rejected.values())
    assert next_model(store, MODEL, said, CHAIN_ID, least=3) == (None, rejected)


def test_next_model_without_a_good_update_is_none(store: FolderStore) -> None:
    content = Content(store.put(b"garbage"), DIGEST)
    got, rejected = next_model(store, MODEL, [committed(HOSPITAL, content)], CHAIN_ID, least=1)
    assert got is None and rejected.keys() == {HOSPITAL}
    assert next_model(store, MODEL, [], CHAIN_ID, least=1) == (None, {})


def test_model_equal_weights_give_equal_files_whatever_the_order_of_names() -> None:
    turned = dict(reversed(MODEL.items()))
    assert pack_model(MODEL, 3) == pack_model(turned, 3)
    assert FLOATS.content(MODEL, 3) != FLOATS.content(MODEL, 4)  # the round is in the file
    assert pack_model(MODEL, 3)[1] == pack_model(MODEL, 4)[1]  # the digest fixes the numbers alone


def test_model_other_than_its_digest_is_refused(store: FolderStore) -> None:
    file, digest = pack_model(MODEL, 3)
    cid = store.put(file)
    assert all(torch.equal(a, MODEL[name]) for name, a in load_model(store, Content(cid, digest)).items())
    with pytest.raises(ValueError, match=f"{cid} does not hold the model with digest {DIGEST.hex()}"):
        load_model(store, Content(cid, DIGEST))
    with pytest.raises(ValueError, match="does not hold the model"):
        load_model(store, Content(store.put(FILE), digest))  # an update is no model


def test_update_salt_hides_what_two_equal_updates_share() -> None:
    other = pack_update(UPDATE, ORIGIN, SALT[::-1])[1]
    assert other != DIGEST and pack_model(UPDATE, 0)[1] not in (DIGEST, other)
    assert unpack(FILE)[1]["salt"] == SALT.hex()
