"""Status lists: the published example, every bit, other people's bytes, and the tree that the contract checks."""

import base64
import gzip
from collections import Counter

import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.consent.status_list import (
    ListFull,
    MalformedStatusList,
    StatusList,
    free_index,
    list_credential,
    list_of,
)
from bfl_ref.consent.terms import STATUS_ENTRIES

# encodedList of the example credential in W3C's Bitstring Status List v1.0.
PUBLISHED = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"

indices = st.integers(0, STATUS_ENTRIES - 1)


def test_published_example_is_the_empty_list():
    assert StatusList.decode(PUBLISHED) == StatusList()
    assert StatusList.decode(StatusList().encode()) == StatusList()


@given(st.sets(indices, max_size=40))
@settings(max_examples=20, deadline=None)
def test_list_holds_what_was_revoked_and_comes_back(revoked):
    status = StatusList().with_revoked(*revoked)
    again = StatusList.decode(status.encode())
    assert again == status
    bits = np.unpackbits(np.frombuffer(again.bits, np.uint8))  # numpy counts bits from the left too
    assert set(np.flatnonzero(bits).tolist()) == revoked
    assert all(status.is_revoked(i) for i in revoked)


def test_first_and_last_bit_lie_at_the_ends():
    assert StatusList().with_revoked(0).bits[0] == 0x80
    assert StatusList().with_revoked(STATUS_ENTRIES - 1).bits[-1] == 1
    for outside in (-1, STATUS_ENTRIES):
        with pytest.raises(ValueError, match="expected an index"):
            StatusList().is_revoked(outside)


def packed(data: bytes) -> str:
    return "u" + base64.urlsafe_b64encode(gzip.compress(data, mtime=0)).rstrip(b"=").decode()


def test_list_by_another_writer_is_read():
    status = StatusList().with_revoked(3, 70_000)
    assert StatusList.decode(packed(status.bits)) == status


@pytest.mark.parametrize(
    "text",
    [
        "",
        PUBLISHED[1:],
        "z" + PUBLISHED[1:],
        PUBLISHED[:-4],
        PUBLISHED + "AAAA",
        PUBLISHED.replace("-", "+"),
        "u!!!!",
        "uAAAA",
        packed(bytes(16_383)),
        packed(bytes(16_385)),
        packed(bytes(1 << 26)),  # would be 64 MiB
        None,
    ],
)
def test_other_text_is_refused(text):
    with pytest.raises(MalformedStatusList):
        StatusList.decode(text)


@given(indices, indices)
@settings(max_examples=20, deadline=None)
def test_proof_leads_to_the_root_by_the_definition(revoked, asked):
    status = StatusList().with_revoked(revoked)
    proof = status.proof(asked)
    node = keccak(keccak((asked // 256).to_bytes(32) + proof.word))
    for sibling in proof.path:
        node = keccak(min(node, sibling) + max(node, sibling))
    assert node == status.root and len(proof.path) == 9
    assert (int.from_bytes(proof.word) >> (255 - asked % 256)) & 1 == (
        asked == revoked or status.is_revoked(asked)
    )
    assert status.root != StatusList().root


def test_free_places_are_drawn_evenly_and_never_taken_ones():
    rng = np.random.default_rng(0).bytes
    drawn = [free_index((), rng) for _ in range(4000)]
    assert max(Counter(8 * index // STATUS_ENTRIES for index in drawn).values()) < 600  # 500 each on average
    taken = set(range(STATUS_ENTRIES)) - {17, 99_999}
    assert {free_index(taken, rng) for _ in range(40)} == {17, 99_999}
    half = range(STATUS_ENTRIES // 2)
    upper = [free_index(half, rng) for _ in range(40)]
    assert min(upper) >= len(half) and len(set(upper)) > 35
    with pytest.raises(ListFull):
        free_index(range(STATUS_ENTRIES), rng)


def test_list_credential_carries_the_list():
    status = StatusList().with_revoked(5)
    credential = list_credential(status, "did:example:1", "did:example:1/status-list", "2026-01-01T00:00:00Z")
    assert list_of(credential) == status
    assert credential["credentialSubject"]["id"] == "did:example:1/status-list#list"
    for broken in (None, {}, {**credential, "credentialSubject": {"type": "x"}}):
        with pytest.raises(MalformedStatusList):
            list_of(broken)
