"""The codec: exact bytes, and any bytes at all give a proof or a named rejection."""

import os
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark.codec import LayerOpening, Opening, Proof, Shape, check_header, decode, encode
from bfl_ref.stark.field import Ext, P, random_base
from bfl_ref.stark.params import StarkParams
from bfl_ref.stark.rejections import (
    BadLength,
    BadVersion,
    NonCanonicalElement,
    RejectedProof,
    WrongParameters,
)

PARAMS = StarkParams(16, 3, 5, 4, 32, (4, 4))
SHAPES = [Shape(PARAMS, 3, 0, 10, 0), Shape(PARAMS, 2, 5, 15, 4)]
HEADER = 1 + len(PARAMS.to_bytes())


def some_proof(shape: Shape, rng: random.Random) -> Proof:
    """Right in form, random in content."""

    def extension(*size: int) -> Ext:
        return Ext.from_elements(random_base((*size, 5), rng.randbytes))

    def octets(count: int, width: int) -> np.ndarray:
        return np.frombuffer(rng.randbytes(count * width), dtype=np.uint8).reshape(count, width)

    q, roots = shape.params.queries, {group: rng.randbytes(26) for group in shape.salted}
    groups = {
        group: Opening(
            random_base((q, width), rng.randbytes),
            octets(q, 16) if group in roots else None,
            octets(rng.randrange(9), 26),
        )
        for group, width in shape.widths.items()
    }
    layers = tuple(
        LayerOpening(extension(rng.randrange(1, 6), fold), octets(rng.randrange(9), 26))
        for fold in shape.params.folds
    )
    fri_roots = tuple(rng.randbytes(26) for _ in layers)
    final = extension(shape.params.final_coefficients)
    return Proof(rng.randrange(2**64), roots, fri_roots, extension(shape.opened), final, groups, layers)


@pytest.mark.parametrize("shape", SHAPES)
def test_decode_of_encoded_proof_gives_every_field_back(shape):
    proof = some_proof(shape, random.Random(1))
    data = encode(proof, shape)
    again = decode(data, shape)
    assert encode(again, shape) == data
    assert (again.nonce, again.roots, again.fri_roots) == (proof.nonce, proof.roots, proof.fri_roots)
    assert again.opened == proof.opened and again.final == proof.final
    for group, opening in proof.groups.items():
        assert (again.groups[group].rows == opening.rows).all()
        assert (again.groups[group].nodes == opening.nodes).all()
        assert (again.groups[group].salts is None) == (opening.salts is None)
    for mine, theirs in zip(proof.layers, again.layers, strict=True):
        assert mine.leaves == theirs.leaves and (mine.nodes == theirs.nodes).all()


def test_bytes_of_smallest_proof_stand_where_the_page_says():
    """Offsets computed by hand from the section "Bytes" for widths 3 and 10, 5 queries, two layers."""
    shape = SHAPES[0]
    proof = some_proof(shape, random.Random(2))
    nodes = [len(o.nodes) for o in proof.groups.values()]
    layers = [(len(layer.leaves), len(layer.nodes)) for layer in proof.layers]
    data = encode(proof, shape)
    assert data[0] == 1 and data[1:10] == bytes([4, 3, 5, 4, 0, 32, 2, 2, 2])
    counts = [3, *nodes, *layers[0], *layers[1]]
    assert data[10:24] == b"".join(c.to_bytes(2, "big") for c in counts)
    assert data[24:32] == proof.nonce.to_bytes(8, "big")
    assert data[32:58] == proof.roots["main"] and data[58:84] == proof.roots["quotient"]
    assert data[84:110] == proof.fri_roots[0] and data[110:136] == proof.fri_roots[1]
    assert data[136 : 136 + 20 * (2 * 3 + 5)] == proof.opened.to_bytes()
    at = 136 + 20 * 11 + 20 * 3
    assert data[at : at + 4] == int(proof.groups["main"].rows[0, 0]).to_bytes(4, "big")
    at += 5 * 13 * 4
    assert data[at : at + 20] == proof.layers[0].leaves[0, 0].to_bytes()
    at += 20 * 4 * (layers[0][0] + layers[1][0])
    salts = proof.groups["main"].salts
    assert salts is not None and data[at : at + 80] == salts.tobytes()
    assert len(data) == at + 160 + 26 * (sum(nodes) + layers[0][1] + layers[1][1])


@pytest.mark.parametrize("shape", SHAPES)
def test_header_with_other_version_or_parameters_is_refused(shape):
    data = encode(some_proof(shape, random.Random(3)), shape)
    assert check_header(data, shape) == HEADER
    with pytest.raises(BadVersion, match="got 2"):
        decode(b"\x02" + data[1:], shape)
    for i in range(1, HEADER):
        with pytest.raises(WrongParameters):
            decode(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :], shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_bytes_cut_short_or_too_long_are_refused(shape):
    data = encode(some_proof(shape, random.Random(4)), shape)
    for cut in [*range(60), len(data) // 2, len(data) - 1]:
        with pytest.raises(BadLength):
            decode(data[:cut], shape)
    with pytest.raises(BadLength, match=f"expected {len(data)} bytes, got {len(data) + 1}"):
        decode(data + b"\0", shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_any_element_not_below_p_is_refused_with_its_number(shape):
    proof = some_proof(shape, random.Random(5))
    data = encode(proof, shape)
    first = data.index(proof.opened.to_bytes())
    leaves = sum(len(layer.leaves) * fold for layer, fold in zip(proof.layers, PARAMS.folds, strict=True))
    count = 5 * (shape.opened + len(proof.final) + leaves) + PARAMS.queries * sum(shape.widths.values())
    for number in [0, 1, count // 2, count - 1]:
        at = first + 4 * number
        for value in [P, 2**32 - 1]:
            with pytest.raises(NonCanonicalElement, match=f"element {number} is {value}"):
                decode(data[:at] + value.to_bytes(4, "big") + data[at + 4 :], shape)
        decode(data[:at] + (P - 1).to_bytes(4, "big") + data[at + 4 :], shape)
    after = first + 4 * count  # salts and digests are no elements
    decode(data[:after] + b"\xff" * (len(data) - after), shape)


def test_wrong_number_of_final_coefficients_decodes_for_the_verifier_to_refuse():
    shape = SHAPES[0]
    proof = some_proof(shape, random.Random(6))
    longer = replace(proof, final=Ext.concatenate([proof.final, proof.final]))
    assert len(decode(encode(longer, shape), shape).final) == 6
    layers = tuple(replace(layer, leaves=layer.leaves[:0]) for layer in proof.layers)
    empty = replace(proof, final=proof.final[:0], layers=layers)
    assert len(decode(encode(empty, shape), shape).final) == 0


@given(st.binary(max_size=300), st.sampled_from(SHAPES))
@settings(deadline=None)
def test_any_bytes_are_refused_by_name(data, shape):
    for start in [b"", b"\x01", b"\x01" + PARAMS.to_bytes()]:
        with pytest.raises(RejectedProof):
            decode(start + data, shape)


def test_mutated_bytes_decode_or_are_refused_by_name():
    rng = random.Random(7)
    outcomes: dict[str, int] = {}
    for _ in range(20_000 if os.environ.get("BFL_FULL") else 1_000):
        shape = rng.choice(SHAPES)
        data = bytearray(encode(some_proof(shape, rng), shape))
        for _ in range(rng.randrange(1, 4)):
            match rng.randrange(4):
                case 0:
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                case 1:
                    data[rng.randrange(min(len(data), 40))] = rng.randrange(256)
                case 2:
                    del data[rng.randrange(1, len(data)) :]
                case _:
                    at = rng.randrange(len(data))
                    data[at:at] = rng.randbytes(rng.randrange(5))
        try:
            again = decode(bytes(data), shape)
            outcome = "decoded"
            assert encode(again, shape) == bytes(data)  # one proof, one encoding
        except RejectedProof as rejection:
            outcome = type(rejection).__name__
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    names = {"decoded", "BadVersion", "WrongParameters", "BadLength", "NonCanonicalElement"}
    assert set(outcomes) == names, outcomes


def test_counts_that_promise_gigabytes_are_refused_before_anything_is_allocated():
    import tracemalloc

    shape = SHAPES[1]
    data = b"\x01" + PARAMS.to_bytes() + b"\xff" * 200
    tracemalloc.start()
    with pytest.raises(BadLength):
        decode(data, shape)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000
