"""Fiat-Shamir: the verifier's coins are hashes of everything that was said before them."""

import numpy as np
from eth_utils import keccak

from .field import EXTENSION_DEGREE, Ext, P
from .rejections import BadGrinding

TAG_MAIN, TAG_AUX, TAG_QUOTIENT, TAG_OPENED, TAG_FRI_ROOT, TAG_FINAL = range(1, 7)
COEFFICIENT_BITS = 51  # bits of a squeeze reduced mod p for one coefficient: bias below 2^-20
POSITION_BITS = 32


class Transcript:
    """state' = keccak(state || tag || data); draws squeeze keccak(state || 0xff || counter)."""

    def __init__(self, binding: bytes):
        """Phase 0. binding: what the proof is about: protocol, AIR, parameters, domain, public inputs."""
        self.state = keccak(binding)
        self._squeezed = 0

    def absorb(self, tag: int, data: bytes) -> None:
        """Bind `data`, a message of kind `tag` (one byte), into every later draw."""
        self.state = keccak(self.state + bytes([tag]) + data)
        self._squeezed = 0

    def squeeze(self) -> int:
        """The next 256-bit number; the counter starts again after each absorb."""
        block = keccak(self.state + b"\xff" + self._squeezed.to_bytes(4, "big"))
        self._squeezed += 1
        return int.from_bytes(block, "big")

    def draw_element(self) -> Ext:
        """One element of E: coefficient k is bits [51 k, 51 k + 51) of one squeeze, modulo p."""
        number = self.squeeze()
        mask = (1 << COEFFICIENT_BITS) - 1
        return Ext.from_ints(*((number >> COEFFICIENT_BITS * k & mask) % P for k in range(EXTENSION_DEGREE)))

    def draw_positions(self, count: int, log_length: int) -> np.ndarray:
        """`count` distinct positions below 2^log_length, ascending, int64. Eight 32-bit numbers a squeeze."""
        if count > 1 << log_length:
            raise ValueError(f"expected at most {1 << log_length} distinct positions, got {count}")
        found: dict[int, None] = {}
        while len(found) < count:
            number = self.squeeze()
            for shift in range(256 - POSITION_BITS, -1, -POSITION_BITS):
                if len(found) < count:
                    found[number >> shift & ((1 << log_length) - 1)] = None
        return np.array(sorted(found), dtype=np.int64)

    def absorb_nonce(self, nonce: int, bits: int) -> None:
        """state' = keccak(state || 0xfe || nonce). BadGrinding unless it begins with `bits` zero bits."""
        state = keccak(self.state + b"\xfe" + nonce.to_bytes(8, "big"))
        if leading_zero_bits(state) < bits:
            raise BadGrinding(bits, nonce)
        self.state, self._squeezed = state, 0


def leading_zero_bits(digest: bytes) -> int:
    """Number of zero bits before the first one."""
    return 8 * len(digest) - int.from_bytes(digest, "big").bit_length()


def grind(state: bytes, bits: int, start: int = 0) -> int:
    """The least nonce >= start such that keccak(state || 0xfe || nonce) begins with `bits` zero bits."""
    nonce = start
    while leading_zero_bits(keccak(state + b"\xfe" + nonce.to_bytes(8, "big"))) < bits:
        nonce += 1
    return nonce
