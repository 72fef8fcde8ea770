"""From committed updates to the new model: what every aggregator and validator computes alike, and anyone can repeat.

    new model = sum_i (n_i / N) update_i     over the committed updates that are what their commitment says

Models and updates travel as safetensors. A digest fixes the numbers (not the file around them):

    digest = keccak-256(tag || salt || weights in canonical order, float32 little-endian)

An update's salt is random, so that equal digests mean a replay (numbers that are salted anew have another digest);
a model's salt is empty, so that its digest can be recomputed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from eth_utils import keccak

from .chain.events import UpdateCommitted
from .chain.records import Content
from .learning import Weights, average, flatten
from .store import CorruptObject, MissingObject, Store, cid_of, pack, unpack

UPDATE_TAG, MODEL_TAG = b"bfl_ref/update/1", b"bfl_ref/model/1"
SALT_BYTES = 32


@dataclass(frozen=True)
class Rule:
    """How the models of one kind of round are packed, loaded and made; the same functions for floats and for integers.

    pack(model, round_id) -> (file, digest);  load(store, content) -> model;
    following(store, model, commitments, chain_id, least) -> (next model or None, hospital -> why it was left out).
    """

    pack: Callable[[Any, int], tuple[bytes, bytes]]
    load: Callable[[Store, Content], Any]
    following: Callable[[Store, Any, Sequence[UpdateCommitted], int, int], tuple[Any, dict[str, str]]]

    def content(self, model: Any, round_id: int) -> Content:
        """What the chain is told of a model, without storing it."""
        file, digest = self.pack(model, round_id)
        return Content(cid_of(file), digest)

    def put(self, store: Store, model: Any, round_id: int) -> Content:
        """Put a model into the store; what the chain is told of it."""
        file, digest = self.pack(model, round_id)
        return Content(store.put(file), digest)


class RejectedUpdate(ValueError):
    """A committed update that no honest member averages; the message says why."""


@dataclass(frozen=True)
class Origin:
    """Where an update belongs: it is refused anywhere else. hospital, contract: checksummed addresses."""

    chain_id: int
    contract: str
    round_id: int
    hospital: str
    rows: int

    def header(self, salt: bytes) -> dict[str, str | int]:
        return {"kind": "update", **vars(self), "salt": salt.hex()}


def pack_model(weights: Weights, round_id: int) -> tuple[bytes, bytes]:
    """(file, digest) of the model that a round made; round 0 is the genesis model. Equal weights give equal bytes."""
    file = pack(_arrays(weights), {"kind": "model", "round_id": round_id})
    return file, _digest(MODEL_TAG, b"", weights)


def load_model(store: Store, content: Content) -> Weights:
    """The model that the chain names. Raises MissingObject, CorruptObject; ValueError if it is not what the digest says."""
    arrays, header = unpack(store.get(content.cid))
    weights = _weights(arrays)
    if header.get("kind") != "model" or _digest(MODEL_TAG, b"", weights) != content.digest:
        raise ValueError(f"{content.cid} does not hold the model with digest {content.digest.hex()}")
    return weights


def pack_update(weights: Weights, origin: Origin, salt: bytes) -> tuple[bytes, bytes]:
    """(file, digest) of a hospital's update. salt: 32 random bytes."""
    return pack(_arrays(weights), origin.header(salt)), _digest(UPDATE_TAG, salt, weights)


def load_update(store: Store, origin: Origin, content: Content, like: Weights) -> Weights:
    """A committed update, or RejectedUpdate: absent, damaged, for elsewhere, of other shapes, not finite, not as committed.

    The rule reads only what all members see, so all honest members reject the same updates.
    """
    arrays, salt = open_update(store, origin, content)
    if {n: (a.shape, a.dtype) for n, a in arrays.items()} != {
        n: (a.shape, a.dtype) for n, a in _arrays(like).items()
    }:
        raise RejectedUpdate(
            f"its tensors differ from the model's: { ({n: a.shape for n, a in arrays.items()}) }"
        )
    weights = _weights(arrays)
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):
        raise RejectedUpdate("it holds numbers that are not finite")
    if _digest(UPDATE_TAG, salt, weights) != content.digest:
        raise RejectedUpdate("its numbers are not those of the committed digest")
    return weights


def open_update(store: Store, origin: Origin, content: Content) -> tuple[dict[str, np.ndarray], bytes]:
    """(arrays, salt) of a committed file, or RejectedUpdate: absent, damaged, or made for another place."""
    try:
        arrays, header = unpack(store.get(content.cid))
        salt = bytes.fromhex(str(header.get("salt", "")))
    except (MissingObject, CorruptObject, ValueError) as error:
        raise RejectedUpdate(str(error)) from error
    if header != origin.header(salt) or len(salt) != SALT_BYTES:
        raise RejectedUpdate(f"it was made for another place: its header says {header}")
    return arrays, salt


def kept_updates(
    commitments: Sequence[UpdateCommitted], chain_id: int, load: Callable[[Origin, Content], Any]
) -> tuple[list[Any], list[int], dict[str, str]]:
    """(updates, their rows, hospital -> reason of each that was left out), in the order of the commitments."""
    kept: list[Any] = []
    rows: list[int] = []
    rejected: dict[str, str] = {}
    for said in commitments:
        origin = Origin(chain_id, said.emitter, said.round_id, said.hospital, said.rows)
        try:
            kept.append(load(origin, said.content))
            rows.append(said.rows)
        except RejectedUpdate as reason:
            rejected[said.hospital] = str(reason)
    return kept, rows, rejected


def next_model(
    store: Store, model: Weights, commitments: Sequence[UpdateCommitted], chain_id: int, least: int
) -> tuple[Weights | None, dict[str, str]]:
    """The model after a round, and hospital -> reason of every update that was left out.

    None if fewer than `least` (the round's minimum of hospitals) are left: a sum over fewer would show too much of each.
    commitments: the round's events in chain order; the sum runs in this order, so everybody gets the same bits.
    """

    def load(origin: Origin, content: Content) -> Weights:
        return load_update(store, origin, content, model)

    kept, rows, rejected = kept_updates(commitments, chain_id, load)
    return (average(kept, rows) if len(kept) >= least else None), rejected


def _arrays(weights: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in weights.items()}


def _weights(arrays: Mapping[str, np.ndarray]) -> Weights:
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _digest(tag: bytes, salt: bytes, weights: Weights) -> bytes:
    return keccak(tag + salt + flatten(weights).numpy().astype("<f4").tobytes())


FLOATS = Rule(pack_model, load_model, next_model)
"""Basic rounds: float32 tensors, averaged in float64."""
