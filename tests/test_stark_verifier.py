"""Whatever bytes it is handed, the verifier accepts or raises the named rejection."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from stark_cases import DOMAIN, FULL, NAMES, Case, case, rng, toy

from bfl_ref.stark import rejections
from bfl_ref.stark.codec import Opening, Proof, decode, encode
from bfl_ref.stark.field import Ext, F, base, to_bytes
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import (
    BadGrinding,
    BadLength,
    BadMerklePath,
    BadPublicInput,
    BadVersion,
    DeepMismatch,
    FinalDegree,
    NonCanonicalElement,
    OodMismatch,
    RejectedProof,
    WrongParameters,
)
from bfl_ref.stark.setup import Domain
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.fibonacci import Fibonacci


@cache
def honest(name="fibonacci") -> bytes:
    c = case(name)
    return prove(c.setup, c.trace, c.public, DOMAIN, c.data, rng=rng(11))


def check(data: bytes, name="fibonacci", public=None, domain=DOMAIN):
    c = case(name)
    verify(c.setup, data, c.public.tolist() if public is None else public, domain, c.data)


def changed(name="fibonacci", **fields) -> bytes:
    """The honest proof with some fields of `Proof` put in place of its own."""
    shape = case(name).setup.shape
    return encode(replace(decode(honest(name), shape), **fields), shape)


def parsed(name="fibonacci") -> Proof:
    return decode(honest(name), case(name).setup.shape)


def bump(values: Ext) -> Ext:
    """One added to the first element."""
    coeffs = values.coeffs.copy()
    coeffs.reshape(5, -1)[0, 0] += base(1)
    return Ext(coeffs)


def test_verify_version_other_is_bad_version():
    with pytest.raises(BadVersion):
        check(b"\x02" + honest()[1:])


@pytest.mark.parametrize("at", range(1, 10))
def test_verify_parameter_byte_changed_is_wrong_parameters(at):
    data = bytearray(honest())
    data[at] ^= 1
    with pytest.raises(WrongParameters):
        check(bytes(data))


@pytest.mark.parametrize("public", [[], [1, 2], [-1], [F.order], [2**256 - 1]])
def test_verify_public_input_missing_surplus_or_too_large_is_bad_public_input(public):
    with pytest.raises(BadPublicInput):
        check(honest(), public=public)


def test_verify_other_public_input_is_refused_out_of_domain():
    with pytest.raises(OodMismatch):
        check(honest(), public=[int(case("fibonacci").public[0]) ^ 1])


@pytest.mark.parametrize(
    "field, value", [("chain_id", 1), ("contract", "0xc1"), ("round_id", 8), ("prover", "0xef")]
)
def test_verify_replay_in_another_domain_is_refused(field, value):
    with pytest.raises(OodMismatch):
        check(honest(), domain=replace(DOMAIN, **{field: value}))


def test_verify_replay_for_another_air_is_refused():
    other = toy(Fibonacci(32, last=29), 2)
    with pytest.raises(OodMismatch):
        verify(other, honest(), case("fibonacci").public.tolist(), DOMAIN)


@pytest.mark.parametrize("cut", [0, 1, 5, 12, 40, 400, -1])
def test_verify_truncated_is_bad_length(cut):
    with pytest.raises(BadLength):
        check(honest()[:cut])


def test_verify_extended_is_bad_length():
    with pytest.raises(BadLength):
        check(honest() + b"\x00")


@pytest.mark.parametrize("value", [F.order, 2**32 - 1])
def test_verify_element_not_below_p_is_non_canonical(value):
    row = to_bytes(parsed().groups["main"].rows[1])
    assert honest().count(row) == 1
    with pytest.raises(NonCanonicalElement) as caught:
        check(honest().replace(row, row[:-4] + value.to_bytes(4, "big")))
    assert caught.value.value == value


@pytest.mark.parametrize("name", NAMES)
def test_verify_opened_value_changed_is_ood_mismatch(name):
    """Or, where no constraint reads that column of the next row, a transcript that leads elsewhere."""
    opened = parsed(name).opened
    refused = set()
    for at in range(0, len(opened), 17 if len(opened) > 200 else 3):
        coeffs = opened.coeffs.copy()
        coeffs[at % 5, at] += base(1)
        with pytest.raises(RejectedProof) as caught:
            check(changed(name, opened=Ext(coeffs)), name)
        refused.add(type(caught.value))
    assert OodMismatch in refused and refused <= {OodMismatch, BadGrinding, BadMerklePath}
    assert name != "fibonacci" or refused == {OodMismatch}


@pytest.mark.parametrize("count", [1, 3])
def test_verify_final_polynomial_of_another_length_is_final_degree(count):
    final = parsed().final
    other = Ext.concatenate([final, final])[:count]
    if len(final) == count:
        other = other[:0]
    with pytest.raises(FinalDegree):
        check(changed(final=other))


def test_verify_final_polynomial_changed_moves_the_queries():
    with pytest.raises((BadGrinding, BadMerklePath)):
        check(changed(final=bump(parsed().final)))


def test_verify_wrong_nonce_is_bad_grinding():
    refused = set()
    for nonce in range(1, 9):
        with pytest.raises(RejectedProof) as caught:
            check(changed(nonce=parsed().nonce + nonce))
        refused.add(type(caught.value))
    assert BadGrinding in refused


SPOILS = [
    (name, group, part)
    for name in ("fibonacci", "ranges")
    for group in case(name).setup.shape.widths
    for part in ("rows", "salts", "nodes", "fewer nodes", "more nodes")
    if part != "salts" or group != "preprocessed"  # those columns are public and have none
]


@pytest.mark.parametrize("name, group, part", SPOILS)
def test_verify_leaf_salt_or_node_changed_is_bad_merkle_path_of_its_group(name, group, part):
    opening = parsed(name).groups[group]
    groups = parsed(name).groups | {group: _spoiled(opening, part)}
    with pytest.raises(BadMerklePath) as caught:
        check(changed(name, groups=groups), name)
    assert caught.value.group == group


def _spoiled(opening: Opening, part: str) -> Opening:
    if part == "fewer nodes":
        return replace(opening, nodes=opening.nodes[:-1])
    if part == "more nodes":
        return replace(opening, nodes=np.concatenate([opening.nodes, opening.nodes[:1]]))
    values = getattr(opening, part).copy()
    values[-1, 0] ^= 1
    return replace(opening, **{part: values})


@pytest.mark.parametrize("layer", [0, 1])
def test_verify_fri_leaf_changed_is_bad_merkle_path_of_its_layer(layer):
    layers = list(parsed().layers)
    layers[layer] = replace(layers[layer], leaves=bump(layers[layer].leaves))
    with pytest.raises(BadMerklePath) as caught:
        check(changed(layers=tuple(layers)))
    assert caught.value.group == f"fri {layer}"


def test_verify_missing_fri_leaf_is_bad_merkle_path():
    layers = list(parsed().layers)
    layers[1] = replace(layers[1], leaves=layers[1].leaves[:-1])
    with pytest.raises(BadMerklePath):
        check(changed(layers=tuple(layers)))


def test_verify_swapped_roots_are_refused():
    roots = parsed().roots
    with pytest.raises(RejectedProof):
        check(changed(roots={"main": roots["quotient"], "quotient": roots["main"]}))


def test_every_named_rejection_has_its_test():
    """FoldMismatch, FinalMismatch, DeepMismatch need a dishonest prover: test_stark_dishonest.py. BadPublicData needs data:
    test_stark_public_data.py.
    """
    named = {cls.__name__ for cls in RejectedProof.__subclasses__()}
    here = {name for name in globals() if isinstance(getattr(rejections, name, None), type)} - {
        "RejectedProof"
    }
    assert (
        named == here | {"FoldMismatch", "FinalMismatch", "BadPublicData"} and DeepMismatch.__name__ in named
    )


TINY_SEED = 5


@cache
def tiny() -> Case:
    """As small as a proof gets, so that thousands can be checked."""
    air = Fibonacci(8, last=6)
    trace = air.trace(TINY_SEED)
    return Case(toy(air, 3, queries=2), trace, air.public_inputs_of(trace))


def fuzzed(random: np.random.Generator, proof: Proof, data: bytes) -> bytes:
    """One of: noise, a cut, flipped bits, or a well-formed proof with random contents in one to three places."""
    kind = random.integers(8)
    if kind == 0:
        return data[: random.integers(30)] + random.bytes(int(random.integers(3 * len(data))))
    if kind == 1:
        return data[: random.integers(len(data))]
    if kind == 2:
        flipped = bytearray(data)
        for at in random.integers(len(data), size=random.integers(1, 4)):
            flipped[at] ^= 1 << random.integers(8)
        return bytes(flipped)
    for _ in range(random.integers(1, 4)):
        proof = _with_a_random_part(random, proof)
    return encode(proof, tiny().setup.shape)


def _with_a_random_part(random: np.random.Generator, proof: Proof) -> Proof:
    def ext(*shape: int) -> Ext:
        return Ext(base(random.integers(F.order, size=(5, *shape), dtype=np.uint32)))

    def digests(count: int) -> np.ndarray:
        return np.frombuffer(random.bytes(26 * count), np.uint8).reshape(count, 26)

    group = str(random.choice(list(proof.groups)))
    opening, j = proof.groups[group], int(random.integers(len(proof.layers)))
    layer, few = proof.layers[j], int(random.integers(12))
    layers = list(proof.layers)
    match random.integers(9):
        case 0:
            return replace(proof, nonce=int(random.integers(2**63)))
        case 1:
            return replace(
                proof, roots=proof.roots | {str(random.choice(list(proof.roots))): random.bytes(26)}
            )
        case 2:
            return replace(proof, opened=ext(len(proof.opened)))
        case 3:
            return replace(proof, final=ext(few))
        case 4:
            rows = ext(*opening.rows.shape).coeffs[0]
            return replace(proof, groups=proof.groups | {group: replace(opening, rows=rows)})
        case 5:
            return replace(proof, groups=proof.groups | {group: replace(opening, nodes=digests(few))})
        case 6:
            salts = np.frombuffer(random.bytes(opening.salts.size), np.uint8).reshape(opening.salts.shape)
            return replace(proof, groups=proof.groups | {group: replace(opening, salts=salts)})
        case 7:
            layers[j] = replace(layer, leaves=ext(few, layer.leaves.shape[1]))
        case _:
            layers[j] = replace(layer, nodes=digests(few))
    return replace(proof, layers=tuple(layers))


def test_fuzzed_bytes_are_rejected_by_name_and_half_of_them_decode():
    t, random = tiny(), np.random.default_rng(2025)
    data = prove(t.setup, t.trace, t.public, DOMAIN, rng=rng(12))
    proof, public = decode(data, t.setup.shape), t.public.tolist()
    count, decoded = 100_000 if FULL else 2_000, 0
    for _ in range(count):
        attempt = fuzzed(random, proof, data)
        with pytest.raises(RejectedProof) as caught:
            verify(t.setup, attempt, public, Domain() if random.integers(2) else DOMAIN)
            assert attempt == data
            raise RejectedProof  # flips that cancel out leave the honest proof
        decoded += not isinstance(
            caught.value, BadVersion | WrongParameters | BadLength | NonCanonicalElement | BadPublicInput
        )
    assert decoded >= count / 2
