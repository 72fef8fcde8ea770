"""Packing, leaves, segment and state digests, seed, beacon, draws: against ints and loops, and what they bind."""

import fixed_point_cases as slow
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref.fixed_point import (
    NOISE_TABLE,
    Hyper,
    Rows,
    absorb,
    absorb_plain,
    beacon_elements,
    commit_rows,
    digest_bytes,
    digest_elements,
    draws,
    noise,
    pack_half,
    seed_commitment,
    segment_digest,
    state_digest,
)
from bfl_ref.fixed_point.digests import absorb_all, compress_each
from bfl_ref.stark.field import F, P, base, random_base
from bfl_ref.statements.poseidon2 import compress

WIDE = commit_rows(
    np.arange(5 * 40).reshape(5, 40) % 7 / 4 - 1, np.array([0, 1, 1, 0, 1]), slow.Bytes("wide")
)
NARROW = commit_rows(np.arange(9 * 6).reshape(9, 6) % 5 / 4 - 1, np.arange(9) % 2, slow.Bytes("narrow"))


def changed(array: np.ndarray, *at: int) -> np.ndarray:
    other = array.copy()
    other[at] = 1 - int(array[at])
    return other


@pytest.mark.parametrize("rows", [WIDE, NARROW])
def test_segment_digest_equals_ints_and_loops(rows):
    expected = slow.segment_digest(rows.v.tolist(), rows.y.tolist(), rows.salts.tolist())
    assert rows.digest(0).tolist() == expected
    assert segment_digest(rows.leaves().reshape(-1, 8), rows.halves).tolist() == expected


def test_each_segment_is_digested_by_itself():
    rows = commit_rows(np.zeros((700, 3)), np.zeros(700), slow.Bytes("two"))
    leaves = rows.leaves()[:, 0]
    assert (rows.digest(0) == segment_digest(leaves[:350], 1)).all()
    assert (rows.digest(1) == segment_digest(leaves[350:], 1)).all()


@pytest.mark.parametrize("rows", [WIDE, NARROW])
def test_any_change_of_row_label_salt_or_order_changes_the_digest(rows):
    digests = {digest_bytes(rows.digest(0))}
    for slot in [0, 34, *([36, 70] if rows.halves == 2 else [])]:
        digests.add(digest_bytes(Rows(changed(rows.v, 2, slot), rows.y, rows.salts).digest(0)))
    digests.add(digest_bytes(Rows(rows.v, changed(rows.y, 2), rows.salts).digest(0)))
    for half in range(rows.halves):
        salts = rows.salts.copy()
        salts[1, half, 3] += base(1)
        digests.add(digest_bytes(Rows(rows.v, rows.y, salts).digest(0)))
    order = [1, 0, *range(2, len(rows.y))]
    digests.add(digest_bytes(Rows(rows.v[order], rows.y[order], rows.salts[order]).digest(0)))
    digests.add(digest_bytes(Rows(rows.v[:-1], rows.y[:-1], rows.salts[:-1]).digest(0)))
    assert len(digests) == 1 + (4 if rows.halves == 2 else 2) + 1 + rows.halves + 2


@given(st.lists(st.integers(-127, 127), min_size=36, max_size=36), st.integers(0, 1))
def test_packing_can_be_undone(v, label):
    packed = pack_half(np.array(v, np.int8), label)
    octets = b"".join(int(e).to_bytes(3, "little") for e in packed)
    assert [b - 128 for b in octets[:35]] == v[:35] and octets[35] == label


@given(st.integers(0, 2**32), st.integers(0, 6))
@settings(max_examples=8, deadline=None)
def test_compiled_hashing_equals_plain(seed, count):
    rng = slow.Bytes(str(seed))
    start, blocks = random_base(8, rng), random_base((count, 8), rng)
    assert (absorb(start, blocks) == absorb_plain(start, blocks)).all()
    assert absorb_all(start, blocks).shape == (count + 1, 8)
    raw = random_base((2, count, 16), rng)
    expected = np.moveaxis(compress(np.moveaxis(raw, -1, 0)), 0, -1) if count else raw[..., :8]
    assert (compress_each(raw) == expected).all()


def test_compiled_hashing_of_largest_elements_equals_plain():
    top = np.full((3, 16), P - 1, np.uint32).view(F)
    assert (compress_each(top) == compress(top.T).T).all()
    assert (absorb(top[0, :8], top[:, 8:]) == absorb_plain(top[0, :8], top[:, 8:])).all()


@pytest.mark.parametrize("slots", [36, 72])
def test_state_digest_equals_ints_and_loops_and_binds_weights_and_salt(slots):
    rng = slow.Bytes("state")
    w = np.frombuffer(rng(2 * slots), "<i2").astype(np.int64) * 16 + 5
    w[:2] = -(2**19), 2**19 - 1
    salt = random_base(8, rng)
    digest = state_digest(w, salt)
    assert digest.tolist() == slow.state_digest(w.tolist(), salt.tolist())
    others = [(changed(w, j), salt) for j in (0, 17, slots - 1)] + [(w, salt + base([0] * 7 + [1]))]
    assert all((state_digest(*other) != digest).any() for other in others)


def test_digest_bytes_are_canonical():
    digest = seed_commitment(random_base(8, slow.Bytes("seed")))
    assert digest_bytes(digest)[:4] == int(digest[0]).to_bytes(4, "big")
    assert (digest_elements(digest_bytes(digest)) == digest).all()
    with pytest.raises(ValueError, match="expected elements below p"):
        digest_elements(P.to_bytes(4, "big") + digest_bytes(digest)[4:])
    with pytest.raises(ValueError, match="expected a digest of 32 bytes, got 31"):
        digest_elements(digest_bytes(digest)[1:])


def test_beacon_elements_are_the_first_four_words_without_two_bits():
    beacon = bytes.fromhex("ffffffff 00000001 c0000000 7fffffff") + b"\xff" * 16
    assert beacon_elements(beacon).tolist() == [2**30 - 1, 1, 0, 2**30 - 1]


def test_noise_equals_ints_and_loops():
    rng = slow.Bytes("noise")
    seed, r1 = random_base(8, rng), beacon_elements(rng(32))
    for step, scale in [(0, 1), (3, 4000), (200, 0)]:
        expected = slow.noise(seed.tolist(), r1.tolist(), step, 72, scale)
        assert noise(seed, r1, step, 72, Hyper(1, 256, 8, scale)).tolist() == expected


def test_noise_depends_on_seed_beacon_step_and_slot():
    rng = slow.Bytes("fresh")
    seed, r1 = random_base(8, rng), beacon_elements(rng(32))
    runs = [(seed, r1, 0), (seed, r1, 1), (random_base(8, rng), r1, 0), (seed, beacon_elements(rng(32)), 0)]
    drawn = [tuple(map(tuple, draws(*run, 36))) for run in runs]
    assert len(set(drawn)) == 4 and all(len(set(slots)) == 36 for slots in drawn)


def test_draws_are_uniform_and_noise_has_its_exact_moments():
    rng = slow.Bytes("moments")
    seed, r1 = random_base(8, rng), beacon_elements(rng(32))
    d = np.concatenate([draws(seed, r1, step, 72) for step in range(400)])
    expected = len(d) / 64
    for k in range(4):
        counts = np.bincount(d[:, k] >> 6, minlength=64)
        assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * (2 * 63) ** 0.5
    assert np.abs(np.corrcoef(d.T) - np.eye(4)).max() < 5 / len(d) ** 0.5
    hyper = Hyper(1, 256, 8, 100)
    nu = NOISE_TABLE[d] @ np.array(hyper.scales)
    assert abs(nu.mean()) < 5 * hyper.noise_std / len(nu) ** 0.5
    assert abs(nu.std() / hyper.noise_std - 1) < 5 / (2 * len(nu)) ** 0.5
    assert abs(hyper.noise_std / (600 * sum(s * s for s in hyper.scales) ** 0.5) - 1) < 1e-3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Rows(NARROW.v, NARROW.y[:-1], NARROW.salts),
        lambda: Rows(NARROW.v, NARROW.y + 1, NARROW.salts),
        lambda: Rows(NARROW.v[:, :35], NARROW.y, NARROW.salts),
        lambda: segment_digest(np.zeros((513, 8), np.uint32).view(F), 1),
        lambda: segment_digest(np.zeros((3, 8), np.uint32).view(F), 2),
        lambda: state_digest(np.zeros(35), base([0] * 8)),
        lambda: absorb(base([0] * 7), base([[0] * 8])),
        lambda: seed_commitment(base([0] * 7)),
        lambda: draws(base([0] * 8), base([0] * 3), 0, 36),
        lambda: draws(base([0] * 8), base([0] * 4), P, 36),
    ],
)
def test_mistakes_are_named(wrong):
    with pytest.raises(ValueError, match="expected"):
        wrong()
