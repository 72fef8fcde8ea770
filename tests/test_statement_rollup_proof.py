"""Proofs of the rollup's batches, and for what they are refused."""

from dataclasses import replace
from functools import cache

import pytest
from rollup_trace_cases import busy, forge
from rollup_trace_parts import ALICE, gain, rollup
from stark_cases import DOMAIN, FULL

from bfl_ref.rollup import entries as e
from bfl_ref.stark.field import P
from bfl_ref.stark.prover import prove
from bfl_ref.stark.rejections import BadPublicData, BadPublicInput, OodMismatch, RejectedProof
from bfl_ref.stark.setup import Setup, params_for, setup
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.rollup.layout import DOMAIN as SIGNED_FOR
from bfl_ref.statements.rollup.layout import NEW_ROOT, OLD_ROOT, PUBLIC_INPUTS


@cache
def proven() -> tuple[Setup, bytes, list[int], bytes]:
    """At few bits."""
    small = setup(rollup(), params_for(rollup(), target_bits=30, log_blowup=3))
    trace, public, data = forge(busy)
    return small, prove(small, trace, public, DOMAIN, data), public.tolist(), data


def refusal(public: list[int] | None = None, domain=DOMAIN, data: bytes | None = None) -> type[RejectedProof]:
    small, proof, right, said = proven()
    with pytest.raises(RejectedProof) as refused:
        verify(small, proof, right if public is None else public, domain, said if data is None else data)
    return type(refused.value)


def test_a_batch_is_proven():
    small, proof, public, data = proven()
    verify(small, proof, public, DOMAIN, data)


def test_roots_and_domain_are_those_of_the_proof():
    _, _, public, _ = proven()
    assert len(public) == PUBLIC_INPUTS
    for i in range(PUBLIC_INPUTS) if FULL else (OLD_ROOT, NEW_ROOT, NEW_ROOT + 7, SIGNED_FOR, SIGNED_FOR + 3):
        claimed = list(public)
        claimed[i] = (claimed[i] + 1) % P
        assert refusal(claimed) is OodMismatch
        claimed[i] = P
        assert refusal(claimed) is BadPublicInput


@pytest.mark.parametrize(
    "other", [{"round_id": 8}, {"contract": "0xc1"}, {"chain_id": 1}, {"prover": "0xef"}]
)
def test_a_proof_is_of_one_batch_of_one_rollup(other):
    """round_id: the batch's number."""
    assert refusal(domain=replace(DOMAIN, **other)) is OodMismatch


def test_data_altered_dropped_added_or_reordered_are_refused():
    data = proven()[3]
    rows = [data[i : i + e.ENTRY_BYTES] for i in range(0, len(data), e.ENTRY_BYTES)]
    altered = [
        data[:-1] + bytes([data[-1] ^ 1]),
        bytes([data[0] ^ 1]) + data[1:],
        data[: -e.ENTRY_BYTES],
        data[e.ENTRY_BYTES :],
        data + bytes(e.ENTRY_BYTES),
        bytes(e.ENTRY_BYTES) + data,
        b"".join([rows[1], rows[0], *rows[2:]]),
        b"".join([*rows[:-2], rows[-1], rows[-2]]),
        b"",
    ]
    for other in altered:
        assert refusal(data=other) is OodMismatch
    assert refusal(data=data[:-4]) is BadPublicData
    assert refusal(data=data[:-4] + P.to_bytes(4, "big")) is BadPublicData
    assert refusal(data=bytes(e.ENTRY_BYTES * rollup().length)) is BadPublicData


def test_there_is_no_proof_of_a_false_batch():
    trace, public, data = forge(busy, after=gain(ALICE, balance=1))
    with pytest.raises(ValueError, match="trace breaks rollup-4: transition balance on rows"):
        prove(proven()[0], trace, public, DOMAIN, data)
