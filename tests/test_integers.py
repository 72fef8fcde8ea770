"""Models and updates of verified rounds: what is packed, what is refused and by which words, the average."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bfl_ref.aggregation import Origin, RejectedUpdate
from bfl_ref.chain.events import UpdateCommitted
from bfl_ref.chain.records import Content
from bfl_ref.fixed_point import State, aggregate, digest_bytes, public_state
from bfl_ref.integers import INTEGERS, load_model, load_update, next_model, pack_model, pack_update
from bfl_ref.stark.field import random_base
from bfl_ref.store import FolderStore, cid_of, pack, unpack

SLOTS = 36
CHAIN, ROUNDS = 131277322940537, "0x00000000000000000000000000000000000000a1"
ORIGIN = Origin(CHAIN, ROUNDS, 3, "0x00000000000000000000000000000000000000b2", 100)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def weights(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(1 << 19), 1 << 19, SLOTS)


def state(seed: int = 0) -> State:
    return State(weights(seed), random_base(8, np.random.default_rng(seed).bytes))


def put(store: FolderStore, arrays: dict[str, np.ndarray], header: dict[str, Any], digest: bytes) -> Content:
    return Content(store.put(pack(arrays, header)), digest)


def honest(store: FolderStore, said: State, origin: Origin = ORIGIN) -> Content:
    file, digest = pack_update(said, origin)
    return Content(store.put(file), digest)


def test_model_comes_back_as_it_was(store: FolderStore) -> None:
    content = INTEGERS.put(store, weights(), 5)
    back = load_model(store, content)
    assert back.dtype == np.int64 and np.array_equal(back, weights())
    assert content == INTEGERS.content(weights(), 5)
    assert content.digest == digest_bytes(public_state(weights()).digest)  # d_0 of the next round
    assert pack_model(weights(), 6)[1] == content.digest != pack_model(weights(1), 5)[1]


def test_update_comes_back_as_it_was(store: FolderStore) -> None:
    said = state()
    content = honest(store, said)
    assert content.digest == digest_bytes(said.digest)
    assert np.array_equal(load_update(store, ORIGIN, content, SLOTS), said.weights)


MODEL_FAULTS = {
    "other numbers": lambda w: ({"weights": (w + 1).astype(np.int32)}, {"kind": "model", "round_id": 0}),
    "a update": lambda w: ({"weights": w.astype(np.int32)}, {"kind": "update", "round_id": 0}),
    "not int32 weights alone": lambda w: ({"weights": w}, {"kind": "model", "round_id": 0}),
    "35 weights, expected 36 or 72": lambda w: ({"weights": w[:-1].astype(np.int32)}, {"kind": "model"}),
    "weights outside": lambda w: ({"weights": np.full(36, 1 << 19, np.int32)}, {"kind": "model"}),
}


@pytest.mark.parametrize("words", MODEL_FAULTS)
def test_model_that_is_not_what_the_chain_says_is_refused(store: FolderStore, words: str) -> None:
    digest = digest_bytes(public_state(weights()).digest)
    content = put(store, *MODEL_FAULTS[words](np.clip(weights(), -1000, 1000)), digest)
    with pytest.raises(ValueError, match=f"does not hold the model with digest {digest.hex()}: .*{words}"):
        load_model(store, content)


ELSEWHERE = {
    "chain_id": 1,
    "contract": "0x00000000000000000000000000000000000000ff",
    "round_id": 2,
    "hospital": "0x00000000000000000000000000000000000000ff",
    "rows": 101,
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_update_made_for_another_place_is_refused(store: FolderStore, name: str) -> None:
    content = honest(store, state(), replace(ORIGIN, **{name: ELSEWHERE[name]}))
    with pytest.raises(RejectedUpdate, match=f"made for another place: its header says .*{ELSEWHERE[name]}"):
        load_update(store, ORIGIN, content, SLOTS)


def test_update_that_is_absent_or_damaged_is_refused(store: FolderStore) -> None:
    file, digest = pack_update(state(), ORIGIN)
    with pytest.raises(RejectedUpdate, match=f"{cid_of(file)} is not in"):
        load_update(store, ORIGIN, Content(cid_of(file), digest), SLOTS)
    with pytest.raises(RejectedUpdate):
        load_update(store, ORIGIN, Content(store.put(b"no file of ours"), digest), SLOTS)
    content = Content(store.put(file), digest)
    path = store.folder / "blocks" / content.cid
    path.write_bytes(file + b" ")
    with pytest.raises(RejectedUpdate, match="block changed"):
        load_update(store, ORIGIN, content, SLOTS)


def refused(arrays: dict[str, np.ndarray], salt: bytes | None = None) -> tuple[dict, dict]:
    return arrays, ORIGIN.header(digest_bytes(state().salt) if salt is None else salt)


UPDATE_FAULTS = {
    "it holds {'weights': .*'float32'.*not int32 weights alone": refused(
        {"weights": np.zeros(36, np.float32)}
    ),
    "it holds {'weights': .*'int64'.*not int32 weights alone": refused({"weights": np.zeros(36, np.int64)}),
    r"it holds {'weights': \(\(6, 6\).*not int32 weights alone": refused(
        {"weights": np.zeros((6, 6), np.int32)}
    ),
    "it holds {'bias': .*not int32 weights alone": refused({"bias": np.zeros(36, np.int32)}),
    "it holds {.*'more'.*not int32 weights alone": refused(
        {"weights": np.zeros(36, np.int32), "more": np.zeros(1, np.int32)}
    ),
    "it holds 72 weights, expected 36": refused({"weights": np.zeros(72, np.int32)}),
    "it holds 0 weights, expected 36": refused({"weights": np.zeros(0, np.int32)}),
    r"it holds weights outside -2\^19 .. 2\^19 - 1: -524289 to 0": refused(
        {"weights": np.array([-(1 << 19) - 1] + [0] * 35, np.int32)}
    ),
    r"it holds weights outside -2\^19 .. 2\^19 - 1: 0 to 524288": refused(
        {"weights": np.array([1 << 19] + [0] * 35, np.int32)}
    ),
    "its salt: ": refused({"weights": np.zeros(36, np.int32)}, b"\xff" * 32),
    "it was made for another place": refused({"weights": np.zeros(36, np.int32)}, b"\x01" * 31),
    "its numbers are not those of the committed digest": refused({"weights": np.zeros(36, np.int32)}),
}


@pytest.mark.parametrize("words", UPDATE_FAULTS)
def test_update_that_is_not_weights_as_committed_is_refused_by_name(store: FolderStore, words: str) -> None:
    content = put(store, *UPDATE_FAULTS[words], digest_bytes(state().digest))
    with pytest.raises(RejectedUpdate, match=f"^{words}"):
        load_update(store, ORIGIN, content, SLOTS)


def test_update_with_another_salt_is_refused(store: FolderStore) -> None:
    """The numbers are right, and yet nobody could tell that they are: the salt is what opens the digest."""
    said = state()
    other = State(said.weights, state(1).salt)
    file, _ = pack_update(other, ORIGIN)
    with pytest.raises(RejectedUpdate, match="not those of the committed digest"):
        load_update(store, ORIGIN, Content(store.put(file), digest_bytes(said.digest)), SLOTS)


def committed(store: FolderStore, number: int, rows: int, good: bool = True) -> UpdateCommitted:
    hospital = f"0x{number:040x}"
    origin = replace(ORIGIN, hospital=hospital, rows=rows)
    content = honest(store, state(number), origin)
    if not good:
        content = Content(content.cid, bytes(32))
    return UpdateCommitted(1, 0, "0x", ROUNDS, 3, hospital, content, rows, bytes(32))


def test_next_model_is_the_average_of_the_updates_that_are_as_committed(store: FolderStore) -> None:
    said = [
        committed(store, 1, 10),
        committed(store, 2, 20),
        committed(store, 3, 30, good=False),
        committed(store, 4, 40),
    ]
    model, rejected = next_model(store, weights(9), said, CHAIN, 3)
    expected = aggregate(weights(9), [weights(i) for i in (1, 2, 4)], [10, 20, 40])
    assert model is not None and np.array_equal(model, expected)
    assert list(rejected) == [said[2].hospital] and "committed digest" in rejected[said[2].hospital]
    assert next_model(store, weights(9), said[::-1], CHAIN, 3)[0].tolist() == expected.tolist()
    assert next_model(store, weights(9), said, CHAIN, 4)[0] is None


def test_packed_files_hold_int32_and_say_what_they_are() -> None:
    arrays, header = unpack(pack_model(weights(), 5)[0])
    assert header == {"kind": "model", "round_id": 5} and arrays["weights"].dtype == np.int32
    _, header = unpack(pack_update(state(), ORIGIN)[0])
    assert header == {"kind": "update", **vars(ORIGIN), "salt": digest_bytes(state().salt).hex()}
