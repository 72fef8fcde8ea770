"""Verified rounds' models and updates: int32 weights under Poseidon2 digests, averaged in exact integers.

The digest of an update is its last state's: leaf S of the states that its hospital committed to. The salt opens it, so that
every member sees that the numbers which it averages are those that the audited steps led to. A model's salt is zero.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .aggregation import Origin, RejectedUpdate, Rule, kept_updates, open_update
from .chain.events import UpdateCommitted
from .chain.records import Content
from .fixed_point import State, aggregate, digest_bytes, digest_elements, public_state
from .fixed_point.rule import WEIGHT_LIMIT
from .sharing import combine, signed
from .stark.field import from_bytes
from .store import Store, pack, unpack

NAME = "weights"


def pack_model(weights: np.ndarray, round_id: int) -> tuple[bytes, bytes]:
    """(file, digest) of the model (slots,) that a round made; round 0 is the genesis model."""
    header: dict[str, Any] = {"kind": "model", "round_id": round_id}
    return pack({NAME: weights.astype(np.int32)}, header), digest_bytes(public_state(weights).digest)


def load_model(store: Store, content: Content) -> np.ndarray:
    """The model (slots,) int64 that the chain names. Raises MissingObject, CorruptObject; ValueError for other numbers."""
    arrays, header = unpack(store.get(content.cid))
    problem = None if header.get("kind") == "model" else f"a {header.get('kind')}"
    problem = problem or _problem(arrays, None)
    if not problem and digest_bytes(public_state(arrays[NAME]).digest) != content.digest:
        problem = "other numbers"
    if problem:
        raise ValueError(
            f"{content.cid} does not hold the model with digest {content.digest.hex()}: {problem}"
        )
    return arrays[NAME].astype(np.int64)


def pack_update(state: State, origin: Origin) -> tuple[bytes, bytes]:
    """(file, digest) of a hospital's last state."""
    header = origin.header(digest_bytes(state.salt))
    return pack({NAME: state.weights.astype(np.int32)}, header), digest_bytes(state.digest)


def load_update(store: Store, origin: Origin, content: Content, slots: int) -> np.ndarray:
    """A committed update (slots,) int64, or RejectedUpdate: absent, damaged, for elsewhere, of another shape, out of range,
    not the state that was committed to.
    """
    arrays, salt = open_update(store, origin, content)
    if problem := _problem(arrays, slots):
        raise RejectedUpdate(f"it holds {problem}")
    try:
        state = State(arrays[NAME].astype(np.int64), digest_elements(salt))
    except ValueError as error:
        raise RejectedUpdate(f"its salt: {error}") from None
    if digest_bytes(state.digest) != content.digest:
        raise RejectedUpdate("its numbers are not those of the committed digest")
    return state.weights


def next_model(
    store: Store, model: np.ndarray, commitments: Sequence[UpdateCommitted], chain_id: int, least: int
) -> tuple[np.ndarray | None, dict[str, str]]:
    """The model after a round (`fixed_point.aggregate`), and hospital -> reason of every update that was left out.

    None if fewer than `least` are left. commitments: those of the round that were not excluded by an audit.
    """

    def load(origin: Origin, content: Content) -> np.ndarray:
        return load_update(store, origin, content, len(model))

    kept, rows, rejected = kept_updates(commitments, chain_id, load)
    return (aggregate(model, kept, rows) if len(kept) >= least else None), rejected


def next_of_sums(model: np.ndarray, totals: Sequence[bytes], weight: int) -> np.ndarray:
    """The model after a shared round: old + the groups' decoded totals over the survivors' weight, rounded as `aggregate`,
    clamped to -2^19 .. 2^19 - 1.

    Averages of honest states lie within. A release bounds how far a state moved, not where it ended: without the clamp a
    hospital that is not audited could lead to a model that nobody can load, and so stop the federation.
    totals: as the contract has them, 4 bytes for each slot, big-endian, modulo p.
    """
    whole = sum((signed(from_bytes(total)) for total in totals), np.zeros_like(model))
    return np.clip(combine(model, whole, weight), -WEIGHT_LIMIT, WEIGHT_LIMIT - 1)


def _problem(arrays: dict[str, np.ndarray], slots: int | None) -> str | None:
    """What is wrong with a file's arrays, in words; None if they are weights."""
    shapes = {name: (array.shape, str(array.dtype)) for name, array in arrays.items()}
    weights = arrays.get(NAME)
    if weights is None or len(arrays) != 1 or weights.dtype != np.int32 or weights.ndim != 1:
        return f"{shapes}, not int32 weights alone"
    if (slots is not None and len(weights) != slots) or len(weights) not in (36, 72):
        return f"{len(weights)} weights, expected {slots or '36 or 72'}"
    if weights.min() < -WEIGHT_LIMIT or weights.max() >= WEIGHT_LIMIT:
        return f"weights outside -2^19 .. 2^19 - 1: {weights.min()} to {weights.max()}"
    return None


INTEGERS = Rule(pack_model, load_model, next_model)
"""Verified rounds."""
