"""Twins of merkle.hash_leaves, merkle.hash_nodes, transcript.grind: keccak-256 of eight messages at once.

The state is one flat uint64 array, word w of lane l at 8 w + l; a round is one loop over the eight lanes,
which LLVM turns into vector instructions.
"""

import numba
import numpy as np

from ..merkle import DIGEST_BYTES, SALT_BYTES, Nodes

_LANES = 8
_RATE_WORDS = 17  # 136 bytes of a block
_U = np.uint64


def _round_constants() -> np.ndarray:
    """FIPS 202, algorithm 5: bit 2^j - 1 of constant r is a shift register's output after 7 r + j steps."""
    register, constants = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (register & 1) << ((1 << j) - 1)
            register = register << 1 ^ (0x171 if register >> 7 else 0)
        constants.append(constant)
    return np.array(constants, dtype=np.uint64)


_CONSTANTS = _round_constants()


@numba.njit(inline="always")
def _rotate(word, count):
    return word << _U(count) | word >> _U(64 - count)


@numba.njit(cache=True)
def _permute(s):
    """keccak-f[1600] on eight lanes in place (FIPS 202, section 3.2: theta; rho, pi; chi, iota). s: (200,).

    Written out, because only so do the words stay in vector registers: 57 ns a permutation against 460 with
    inner loops over words.
    """
    for r in range(24):
        constant = _CONSTANTS[r]
        for l in range(_LANES):
            c0 = s[l] ^ s[40 + l] ^ s[80 + l] ^ s[120 + l] ^ s[160 + l]
            c1 = s[8 + l] ^ s[48 + l] ^ s[88 + l] ^ s[128 + l] ^ s[168 + l]
            c2 = s[16 + l] ^ s[56 + l] ^ s[96 + l] ^ s[136 + l] ^ s[176 + l]
            c3 = s[24 + l] ^ s[64 + l] ^ s[104 + l] ^ s[144 + l] ^ s[184 + l]
            c4 = s[32 + l] ^ s[72 + l] ^ s[112 + l] ^ s[152 + l] ^ s[192 + l]
            d0 = c4 ^ _rotate(c1, 1)
            d1 = c0 ^ _rotate(c2, 1)
            d2 = c1 ^ _rotate(c3, 1)
            d3 = c2 ^ _rotate(c4, 1)
            d4 = c3 ^ _rotate(c0, 1)
            b0 = s[l] ^ d0
            b10 = _rotate(s[8 + l] ^ d1, 1)
            b20 = _rotate(s[16 + l] ^ d2, 62)
            b5 = _rotate(s[24 + l] ^ d3, 28)
            b15 = _rotate(s[32 + l] ^ d4, 27)
            b16 = _rotate(s[40 + l] ^ d0, 36)
            b1 = _rotate(s[48 + l] ^ d1, 44)
            b11 = _rotate(s[56 + l] ^ d2, 6)
            b21 = _rotate(s[64 + l] ^ d3, 55)
            b6 = _rotate(s[72 + l] ^ d4, 20)
            b7 = _rotate(s[80 + l] ^ d0, 3)
            b17 = _rotate(s[88 + l] ^ d1, 10)
            b2 = _rotate(s[96 + l] ^ d2, 43)
            b12 = _rotate(s[104 + l] ^ d3, 25)
            b22 = _rotate(s[112 + l] ^ d4, 39)
            b23 = _rotate(s[120 + l] ^ d0, 41)
            b8 = _rotate(s[128 + l] ^ d1, 45)
            b18 = _rotate(s[136 + l] ^ d2, 15)
            b3 = _rotate(s[144 + l] ^ d3, 21)
            b13 = _rotate(s[152 + l] ^ d4, 8)
            b14 = _rotate(s[160 + l] ^ d0, 18)
            b24 = _rotate(s[168 + l] ^ d1, 2)
            b9 = _rotate(s[176 + l] ^ d2, 61)
            b19 = _rotate(s[184 + l] ^ d3, 56)
            b4 = _rotate(s[192 + l] ^ d4, 14)
            s[l] = b0 ^ (~b1 & b2) ^ constant
            s[8 + l] = b1 ^ (~b2 & b3)
            s[16 + l] = b2 ^ (~b3 & b4)
            s[24 + l] = b3 ^ (~b4 & b0)
            s[32 + l] = b4 ^ (~b0 & b1)
            s[40 + l] = b5 ^ (~b6 & b7)
            s[48 + l] = b6 ^ (~b7 & b8)
            s[56 + l] = b7 ^ (~b8 & b9)
            s[64 + l] = b8 ^ (~b9 & b5)
            s[72 + l] = b9 ^ (~b5 & b6)
            s[80 + l] = b10 ^ (~b11 & b12)
            s[88 + l] = b11 ^ (~b12 & b13)
            s[96 + l] = b12 ^ (~b13 & b14)
            s[104 + l] = b13 ^ (~b14 & b10)
            s[112 + l] = b14 ^ (~b10 & b11)
            s[120 + l] = b15 ^ (~b16 & b17)
            s[128 + l] = b16 ^ (~b17 & b18)
            s[136 + l] = b17 ^ (~b18 & b19)
            s[144 + l] = b18 ^ (~b19 & b15)
            s[152 + l] = b19 ^ (~b15 & b16)
            s[160 + l] = b20 ^ (~b21 & b22)
            s[168 + l] = b21 ^ (~b22 & b23)
            s[176 + l] = b22 ^ (~b23 & b24)
            s[184 + l] = b23 ^ (~b24 & b20)
            s[192 + l] = b24 ^ (~b20 & b21)


@numba.njit(inline="always")
def _swap(word):
    """The bytes of a 32-bit number in opposite order, as uint64."""
    w = _U(word)
    return (w & _U(0xFF)) << _U(24) | (w & _U(0xFF00)) << _U(8) | (w >> _U(8)) & _U(0xFF00) | w >> _U(24)


@numba.njit(inline="always")
def _store(state, lane, out):
    """The first bytes of the lane's state, as many as `out` has."""
    for k in range(out.shape[0]):
        out[k] = np.uint8(state[k // 8 * _LANES + lane] >> _U(8 * (k % 8)) & _U(0xFF))


def hash_leaves(columns: np.ndarray, salts: np.ndarray | None = None) -> Nodes:
    """Twin of merkle.hash_leaves: (elements, leaves) uint32 and (leaves, 16) uint8 or None -> (leaves, 26)."""
    leaves = columns.shape[1]
    if salts is None:
        tails = np.zeros((0, leaves), dtype=np.uint32)
    else:
        tails = np.ascontiguousarray(np.ascontiguousarray(salts).view(">u4").T).astype(np.uint32)
        assert tails.shape == (SALT_BYTES // 4, leaves)
    digests = np.empty((leaves, DIGEST_BYTES), dtype=np.uint8)
    _leaves(np.ascontiguousarray(columns.view(np.ndarray)), tails, digests)
    return digests


@numba.njit(cache=True, parallel=True)
def _leaves(columns, tails, digests):
    elements, leaves = columns.shape
    words = elements + tails.shape[0]  # of 32 bits, after the tag byte
    pairs = (words + 1) // 2
    blocks = (1 + 4 * words) // (8 * _RATE_WORDS) + 1
    for group in numba.prange((leaves + _LANES - 1) // _LANES):
        first = group * _LANES
        present = min(_LANES, leaves - first)
        state = np.zeros(200, dtype=np.uint64)
        carry, pair = np.zeros(_LANES, dtype=np.uint64), np.zeros(_LANES, dtype=np.uint64)
        # The tag byte 0x00 shifts the stream of 64-bit words by one byte: `carry` is the byte left over.
        for k in range(blocks * _RATE_WORDS):
            pair[:] = _U(0)
            for h in range(2):
                i = 2 * k + h
                if k < pairs and i < words:
                    row = columns[i] if i < elements else tails[i - elements]
                    for l in range(present):
                        pair[l] |= _swap(row[first + l]) << _U(32 * h)
            if k == words // 2:  # the padding's first bit stands right after the last byte
                for l in range(_LANES):
                    pair[l] |= _U(1) << _U(32 * (words % 2))
            if k == blocks * _RATE_WORDS - 1:
                for l in range(_LANES):
                    state[k % _RATE_WORDS * _LANES + l] ^= _U(1 << 63)
            for l in range(_LANES):
                state[k % _RATE_WORDS * _LANES + l] ^= pair[l] << _U(8) | carry[l]
                carry[l] = pair[l] >> _U(56)
            if k % _RATE_WORDS == _RATE_WORDS - 1:
                _permute(state)
        for l in range(present):
            _store(state, l, digests[first + l])


def hash_nodes(children: Nodes) -> Nodes:
    """Twin of merkle.hash_nodes: (2 k, 26) -> (k, 26)."""
    pairs = np.ascontiguousarray(children).reshape(-1, 2 * DIGEST_BYTES)
    parents = np.empty((len(pairs), DIGEST_BYTES), dtype=np.uint8)
    _nodes(pairs, parents)
    return parents


@numba.njit(cache=True, parallel=True)
def _nodes(pairs, parents):
    count, width = pairs.shape
    for group in numba.prange((count + _LANES - 1) // _LANES):
        first = group * _LANES
        present = min(_LANES, count - first)
        state = np.zeros(200, dtype=np.uint64)
        for l in range(present):
            state[l] = _U(1)
            for k in range(1, width + 1):
                state[k // 8 * _LANES + l] |= _U(pairs[first + l, k - 1]) << _U(8 * (k % 8))
            state[(width + 1) // 8 * _LANES + l] |= _U(1) << _U(8 * ((width + 1) % 8))
            state[16 * _LANES + l] = _U(1 << 63)
        _permute(state)
        for l in range(present):
            _store(state, l, parents[first + l])


def grind(state: bytes, bits: int, start: int = 0) -> int:
    """Twin of transcript.grind: the least nonce >= start whose hash begins with `bits` <= 64 zero bits."""
    if bits == 0:
        return start
    words = np.frombuffer(state, dtype="<u8").astype(np.uint64)
    stretch = 1 << min(bits, 16)
    found = np.empty(8, dtype=np.int64)  # eight stretches at a time, the least find of each
    while True:
        _grind(words, np.uint64(start), np.uint64(bits), stretch, found)
        hits = found[found >= 0]
        if len(hits):
            return start + int(hits.min())
        start += len(found) * stretch


@numba.njit(cache=True, parallel=True)
def _grind(words, start, bits, stretch, found):
    """found[s]: least offset in stretch s with enough zero bits, or -1. The 41 bytes: state, 0xfe, nonce."""
    for s in numba.prange(found.shape[0]):
        state = np.empty(200, dtype=np.uint64)
        found[s] = -1
        offset = s * stretch
        end = offset + stretch
        while offset < end and found[s] < 0:
            state[:] = _U(0)
            for l in range(_LANES):
                for w in range(4):
                    state[w * _LANES + l] = words[w]
                nonce = start + _U(offset + l)
                turned = _swap(nonce & _U(0xFFFFFFFF)) << _U(32) | _swap(nonce >> _U(32))
                state[4 * _LANES + l] = _U(0xFE) | turned << _U(8)
                state[5 * _LANES + l] = turned >> _U(56) | _U(0x100)
                state[16 * _LANES + l] = _U(1 << 63)
            _permute(state)
            for l in range(_LANES - 1, -1, -1):
                head = state[l]
                turned = _swap(head & _U(0xFFFFFFFF)) << _U(32) | _swap(head >> _U(32))
                if turned >> (_U(64) - bits) == _U(0):
                    found[s] = offset + l
            offset += _LANES
