"""The transcript against its definition on docs/proof-format.md, written out by hand."""

import numpy as np
import pytest
from eth_utils import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.stark.field import P
from bfl_ref.stark.rejections import BadGrinding
from bfl_ref.stark.transcript import TAG_FINAL, TAG_MAIN, Transcript, grind, leading_zero_bits


def test_draws_after_absorbing_equal_the_written_definition():
    transcript = Transcript(b"binding")
    transcript.absorb(TAG_MAIN, b"root")
    state = keccak(keccak(b"binding") + b"\x01" + b"root")
    for counter in range(2):
        number = int.from_bytes(keccak(state + b"\xff" + counter.to_bytes(4, "big")), "big")
        digits = [(number >> 51 * k) % 2**51 % P for k in range(5)]
        assert transcript.draw_element().coeffs.tolist() == digits
    transcript.absorb(TAG_FINAL, b"")
    state = keccak(state + b"\x06")
    block = keccak(state + b"\xff" + bytes(4))
    words = [int.from_bytes(block[4 * k : 4 * k + 4], "big") % 1024 for k in range(8)]
    assert set(words[:3]) <= set(transcript.draw_positions(8, 10).tolist())


@given(st.binary(max_size=40), st.integers(4, 12), st.integers(1, 16))
@settings(deadline=None)
def test_positions_are_distinct_ascending_and_in_range(seed, log_length, count):
    positions = Transcript(seed).draw_positions(count, log_length)
    assert len(positions) == count and positions.dtype == np.int64
    assert (np.diff(positions) > 0).all() and positions[0] >= 0 and positions[-1] < 1 << log_length


def test_positions_of_every_place_come_out_complete():
    assert Transcript(b"").draw_positions(8, 3).tolist() == list(range(8))
    with pytest.raises(ValueError, match="at most 8 distinct positions, got 9"):
        Transcript(b"").draw_positions(9, 3)


@given(st.binary(max_size=20), st.binary(max_size=20), st.integers(1, 6))
@settings(deadline=None)
def test_draws_after_different_messages_differ(a, b, tag):
    one, other = Transcript(b"same"), Transcript(b"same")
    one.absorb(tag, a)
    other.absorb(tag, b)
    assert (one.draw_element() == other.draw_element()) == (a == b)
    third = Transcript(b"same")
    third.absorb(tag % 6 + 1, a)
    assert third.state != one.state


@given(st.binary(max_size=20), st.integers(0, 8))
@settings(deadline=None, max_examples=30)
def test_grinding_finds_the_least_nonce_and_a_bad_one_is_refused(seed, bits):
    transcript = Transcript(seed)
    nonce = grind(transcript.state, bits)
    for bad in range(nonce):
        with pytest.raises(BadGrinding, match=f"nonce {bad} does not give {bits}"):
            Transcript(seed).absorb_nonce(bad, bits)
    state = keccak(transcript.state + b"\xfe" + nonce.to_bytes(8, "big"))
    transcript.absorb_nonce(nonce, bits)
    assert transcript.state == state and leading_zero_bits(state) >= bits


def test_leading_zero_bits_counts_from_the_most_significant():
    assert [leading_zero_bits(bytes(d)) for d in ([128, 0], [1, 0], [0, 64], [0, 0])] == [0, 7, 9, 16]


def test_drawn_coefficients_are_uniform_enough_to_tell_a_stuck_draw():
    transcript = Transcript(b"seed")
    drawn = np.concatenate([transcript.draw_element().coeffs.view(np.ndarray) for _ in range(400)])
    assert len(set(drawn.tolist())) == 2000
    tenths = np.bincount((drawn.astype(np.float64) * 10 / P).astype(int), minlength=10)
    assert ((tenths - 200) ** 2 / 200).sum() < 40  # chi-square, 9 degrees: exceeded once in 100,000
