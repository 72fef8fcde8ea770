"""Proof <-> bytes, strictly, as the section "Bytes" of docs/proof-format.md has it.

Any bytes at all give a `Proof` or a named rejection; the total length is checked before anything is
allocated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .field import EXTENSION_DEGREE, Ext, F, P
from .merkle import DIGEST_BYTES, SALT_BYTES, Nodes
from .params import StarkParams
from .rejections import BadLength, BadVersion, NonCanonicalElement, WrongParameters

VERSION = 1
ELEMENT_BYTES = 4
EXT_BYTES = ELEMENT_BYTES * EXTENSION_DEGREE
NONCE_BYTES = 8
UNSALTED = "preprocessed"


@dataclass(frozen=True)
class Shape:
    """What a verifier knows of a proof beforehand: parameters and the number of base columns of each group.

    aux: 5 for each lookup column. quotient: 5 for each chunk and 5 for the mask.
    """

    params: StarkParams
    main: int
    aux: int
    quotient: int
    preprocessed: int

    @property
    def widths(self) -> dict[str, int]:
        """Group -> base columns, in the order of the proof; groups that the AIR does not have are left out."""
        every = {"main": self.main, "aux": self.aux, "quotient": self.quotient}
        every[UNSALTED] = self.preprocessed
        return {group: width for group, width in every.items() if width}

    @property
    def salted(self) -> list[str]:
        """Groups whose leaves carry salts and whose roots the proof holds: all but the preprocessed."""
        return [group for group in self.widths if group != UNSALTED]

    @property
    def opened(self) -> int:
        """Values opened out of the domain: all but quotient at z and g z, the quotient's chunks at z."""
        return 2 * (self.preprocessed + self.main + self.aux) + self.quotient - EXTENSION_DEGREE


@dataclass(frozen=True)
class Opening:
    """Opened leaves of one column group.

    rows: (queries, width); salts: (queries, 16) uint8, None for the preprocessed group; nodes: (k, 26) uint8,
    the multiproof.
    """

    rows: F
    salts: np.ndarray | None
    nodes: Nodes


@dataclass(frozen=True)
class LayerOpening:
    """Opened leaves of one FRI layer. leaves: Ext (leaves, fold); nodes: (k, 26) uint8."""

    leaves: Ext
    nodes: Nodes


@dataclass(frozen=True)
class Proof:
    """A decoded proof: right in length and canonical, and nothing more is known of it.

    roots: group -> 26 bytes (not the preprocessed one). opened: Ext (shape.opened,). final: Ext (any
    number,).
    """

    nonce: int
    roots: dict[str, bytes]
    fri_roots: tuple[bytes, ...]
    opened: Ext
    final: Ext
    groups: dict[str, Opening]
    layers: tuple[LayerOpening, ...]


def encode(proof: Proof, shape: Shape) -> bytes:
    """The bytes of a proof. Counts come from the proof itself, so that a wrong one can be encoded too."""
    counts = [len(proof.final), *(len(opening.nodes) for opening in proof.groups.values())]
    for layer in proof.layers:
        counts += [len(layer.leaves), len(layer.nodes)]
    openings, layers = proof.groups.values(), proof.layers
    sections = [
        bytes([VERSION]),
        shape.params.to_bytes(),
        *(count.to_bytes(2, "big") for count in counts),
        proof.nonce.to_bytes(NONCE_BYTES, "big"),
        *proof.roots.values(),
        *proof.fri_roots,
        proof.opened.to_bytes(),
        proof.final.to_bytes(),
        *(o.rows.view(np.ndarray).astype(">u4").tobytes() for o in openings),
        *(layer.leaves.to_bytes() for layer in layers),
        *(o.salts.tobytes() for o in openings if o.salts is not None),
        *(o.nodes.tobytes() for o in openings),
        *(layer.nodes.tobytes() for layer in layers),
    ]
    return b"".join(sections)


def check_header(data: bytes, shape: Shape) -> int:
    """Check version and parameters; the number of bytes they take.

    BadVersion, WrongParameters, or BadLength if the bytes end before.
    """
    expected = shape.params.to_bytes()
    if not data:
        raise BadLength(1 + len(expected), 0)
    if data[0] != VERSION:
        raise BadVersion(data[0])
    got = data[1 : 1 + len(expected)]
    if len(got) < len(expected):
        raise BadLength(1 + len(expected), len(data))
    if got != expected:
        raise WrongParameters(expected, got)
    return 1 + len(expected)


def decode(data: bytes, shape: Shape) -> Proof:
    """The proof behind the bytes.

    BadVersion, WrongParameters, BadLength, NonCanonicalElement, in this order.
    """
    at = check_header(data, shape)
    queries, folds = shape.params.queries, shape.params.folds
    number = 1 + len(shape.widths) + 2 * len(folds)
    if len(data) < at + 2 * number:
        raise BadLength(at + 2 * number, len(data))
    counts = np.frombuffer(data, dtype=">u2", count=number, offset=at).tolist()
    at += 2 * number
    finals = counts[0]
    nodes = dict(zip(shape.widths, counts[1:], strict=False))
    layer_counts = counts[1 + len(shape.widths) :]
    leaves, layer_nodes = layer_counts[::2], layer_counts[1::2]

    elements = EXTENSION_DEGREE * (shape.opened + finals) + queries * sum(shape.widths.values())
    elements += EXTENSION_DEGREE * sum(count * fold for count, fold in zip(leaves, folds, strict=True))
    roots = len(shape.salted) + len(folds)
    expected = at + NONCE_BYTES + ELEMENT_BYTES * elements + SALT_BYTES * queries * len(shape.salted)
    expected += DIGEST_BYTES * (roots + sum(nodes.values()) + sum(layer_nodes))
    if len(data) != expected:
        raise BadLength(expected, len(data))

    read = _Reader(data, at)
    nonce = int.from_bytes(read.take(NONCE_BYTES), "big")
    group_roots = {group: read.take(DIGEST_BYTES) for group in shape.salted}
    fri_roots = tuple(read.take(DIGEST_BYTES) for _ in folds)
    read.elements(elements)
    opened, final = read.extension(shape.opened), read.extension(finals)
    rows = {group: read.base(queries, width) for group, width in shape.widths.items()}
    layers = [read.extension(count, fold) for count, fold in zip(leaves, folds, strict=True)]
    salts = {group: read.rows(queries, SALT_BYTES) for group in shape.salted}
    groups = {
        group: Opening(rows[group], salts.get(group), read.rows(nodes[group], DIGEST_BYTES))
        for group in shape.widths
    }
    layer_openings = tuple(
        LayerOpening(values, read.rows(count, DIGEST_BYTES))
        for values, count in zip(layers, layer_nodes, strict=True)
    )
    return Proof(nonce, group_roots, fri_roots, opened, final, groups, layer_openings)


class _Reader:
    """Takes section after section from bytes whose length has been checked."""

    def __init__(self, data: bytes, at: int):
        self.data, self.at = data, at
        self.pending = np.zeros(0, dtype=np.uint32)

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def rows(self, count: int, width: int) -> np.ndarray:
        return np.frombuffer(self.take(count * width), dtype=np.uint8).reshape(count, width)

    def elements(self, count: int) -> None:
        """Read all element sections at once, for `base` and `extension` to hand out. NonCanonicalElement."""
        words = np.frombuffer(self.take(ELEMENT_BYTES * count), dtype=">u4").astype(np.uint32)
        above = words >= P
        if above.any():
            index = int(above.argmax())
            raise NonCanonicalElement(index, int(words[index]))
        self.pending = words

    def base(self, *shape: int) -> F:
        count = int(np.prod(shape))
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken.reshape(shape).view(F)

    def extension(self, *shape: int) -> Ext:
        return Ext.from_elements(self.base(*shape, EXTENSION_DEGREE))
