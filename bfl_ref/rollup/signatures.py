"""One-time signatures of lists: Winternitz over Poseidon2, with a fixed sum of digits instead of a checksum.

A key is for one (account's index, nonce). 56 chains c of 4 elements, at positions 0 .. 3:

    v_c at 0      4 words of 30 bits of keccak(seed | index | nonce | c)                          secret
    v_c at q + 1  first 4 of compress(v_c at q | 0 0 0 0 | index, nonce, 8 c + q, 0 0 0 0 | 8)
    key           first 5 of h:  h = (7, 0, .., 0), then h = compress(h | end_2i | end_(2i+1)), i = 0 .. 27;  end = v at 3

A list of entries e (the last one is ROTATE, to the next key) is signed with the least counter whose digits sum to 112:

    H = (6, 0, .., 0), then H = compress(H | e | 0 | 6) for each entry
    M = compress(H | index, nonce, counter, domain[4] | 9)
    d_(14 j + k) = M_j >> 2k & 3   for j = 0 .. 3, k = 0 .. 13            56 digits of 2 bits
    signature = counter, v_c at d_c for each c

About 6,100 counters are tried. Whoever verifies hashes each chain to its end, 3 * 56 - 112 = 56 steps in all.

Security, in bits of work for a forgery, compress being as good as random:
- 111: another list (index, nonce, domain are in M) with the same 56 digits as the one that was signed. Any other digits of
  the same sum have one that is smaller, and so need a chain value that lies before what is known. A second message is asked
  for, not a collision: the last entry of the list is the next key, 155 bits that nobody but the owner knows before the list
  is out, so no list can be prepared whose digits are known. (The owner can make two lists with equal digits in 2^56; but one
  key confirms one list, and the owner may choose which anyway.) Of the 2^31 integers below 2^31, 8 have given 28 low bits:
  at most 8 of p elements lead to given digits, (8 / p)^4 = 2^-111.6.
- The same inside a proof, which reads an element from 31 bits, and so may read one below 2^27 as itself plus p: up to 2^4
  readings of a digest, but all of them are in the count above. (Counted crudely, 112 - 4 = 108 bits would be left.)
  Verifiers here read canonical values, of which there is one.
- 120: a chain value before a known one. v has 124 bits, its start 120 as 4 words of 30 bits. Each step is tweaked by index,
  nonce, chain and position: an input tried against one value is tried against no other, of whatever key of whatever account,
  so many targets make none easier. The domain is not in the tweak: a seed must serve one rollup only (`Wallet` sees to it).
- 155: another set of ends with the same key digest. 248: another list with the same H.
A key that signs two lists is worthless: from two sets of digits follow all between; `Wallet` never does it.

Hash-based one-time signatures: Merkle 1989; tweaks: Huelsing, Rijneveld, Song 2016 (multi-target); fixed sum of digits:
Perin et al. 2018 ("WOTS with constant sum"), as in SPHINCS+C (ePrint 2022/778).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from eth_utils import keccak

from ..fixed_point.digests import absorb, compress_each
from ..stark.field import F, P, from_bytes
from ..statements.poseidon2 import DIGEST
from .accounts import ACCOUNTS, KEY
from .entries import Entry
from .refusals import MalformedList, WrongSignature

CHAINS, VALUE, STEPS = 56, 4, 3  # positions 0 .. STEPS
SUM = 112
DIGITS_OF_EACH = 14  # of an element of M
ENTRY_TAG, KEY_TAG, STEP_TAG, MESSAGE_TAG = 6, 7, 8, 9
SEED_BYTES = 32
SIGNATURE_BYTES = 4 * (1 + CHAINS * VALUE)
COUNTERS_AT_ONCE = 2048
_DOMAIN = b"bfl_ref/rollup/1"

Domain4 = tuple[int, ...]


def domain_elements(chain_id: int, contract: str) -> Domain4:
    """(4,): 30-bit words of keccak("bfl_ref/rollup/1" | chain id | contract): where a signature is valid.

    contract: address, 0x and hexadecimal digits.   ValueError.
    """
    digest = keccak(_DOMAIN + chain_id.to_bytes(32, "big") + int(contract, 16).to_bytes(20, "big"))
    return _words(digest)


@dataclass(frozen=True)
class Signature:
    """counter: below p.  values: (56, 4), chain c at the position of its digit. ValueError for other shapes or ranges."""

    counter: int
    values: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if len(self.values) != CHAINS or any(len(v) != VALUE for v in self.values):
            raise ValueError(f"expected {CHAINS} values of {VALUE} elements, got {len(self.values)}")
        if not 0 <= self.counter < P or not all(0 <= x < P for v in self.values for x in v):
            raise ValueError("expected a counter and elements from 0 to p - 1")

    def to_bytes(self) -> bytes:
        """900 bytes: counter and values, 4 bytes big-endian each."""
        return np.array([self.counter, *(x for v in self.values for x in v)], ">u4").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Signature":
        """MalformedList for other bytes than `to_bytes` makes."""
        if len(data) != SIGNATURE_BYTES:
            raise MalformedList(f"expected a signature of {SIGNATURE_BYTES} bytes, got {len(data)}")
        try:
            counter, *elements = from_bytes(data).view(np.ndarray).tolist()
        except ValueError as error:
            raise MalformedList(str(error)) from None
        return cls(counter, tuple(tuple(elements[i : i + VALUE]) for i in range(0, len(elements), VALUE)))


@dataclass(frozen=True)
class OneTimeKey:
    """seed: 32 secret bytes of this rollup alone.  index: 0 .. 1023.  nonce: 0 .. p - 1.  ValueError."""

    seed: bytes
    index: int
    nonce: int

    def __post_init__(self) -> None:
        if len(self.seed) != SEED_BYTES or not (0 <= self.index < ACCOUNTS and 0 <= self.nonce < P):
            raise ValueError(
                f"expected {SEED_BYTES} bytes, an index below {ACCOUNTS}, a nonce below p; "
                f"got {len(self.seed)}, {self.index}, {self.nonce}"
            )

    def __repr__(self) -> str:  # the seed is in no message and no log
        return f"OneTimeKey(index={self.index}, nonce={self.nonce})"

    @cached_property
    def positions(self) -> np.ndarray:
        """(4, 56, 4): every chain at positions 0 .. 3. Secret."""
        found = [np.array([_words(keccak(self._seed_of(c))) for c in range(CHAINS)], np.uint32)]
        for position in range(STEPS):
            found.append(step(found[-1], self.index, self.nonce, np.arange(CHAINS), position))
        return np.stack(found)

    @cached_property
    def digest(self) -> tuple[int, ...]:
        """(5,): the public key."""
        return key_digest(self.positions[STEPS])

    def _seed_of(self, chain: int) -> bytes:
        return self.seed + b"".join(n.to_bytes(4, "big") for n in (self.index, self.nonce, chain))


def sign(key: OneTimeKey, entries: Sequence[Entry], domain: Domain4) -> Signature:
    """Of a list that ends with ROTATE. The caller sees to it that the key signs nothing else, ever: see `Wallet`."""
    start, message = 0, list_digest(entries)
    while True:
        counters = np.arange(start, start + COUNTERS_AT_ONCE)
        digits = digits_of(message_digest(message, key.index, key.nonce, counters, domain))
        good = np.flatnonzero(digits.sum(axis=1) == SUM)
        if len(good):
            values = key.positions[digits[good[0]], np.arange(CHAINS)]
            return Signature(int(counters[good[0]]), tuple(tuple(v) for v in values.tolist()))
        start += COUNTERS_AT_ONCE


def check(
    signature: Signature,
    key: tuple[int, ...],
    index: int,
    nonce: int,
    entries: Sequence[Entry],
    domain: Domain4,
) -> None:
    """Returns if the signature is by the key with digest (5,) for that index and nonce. WrongSignature."""
    counters = np.array([signature.counter])
    (digits,) = digits_of(message_digest(list_digest(entries), index, nonce, counters, domain))
    if digits.sum() != SUM:
        raise WrongSignature(f"account {index}: the digits sum to {digits.sum()}, not to {SUM}")
    values = np.array(signature.values, np.uint32)
    for position in range(STEPS):
        (still,) = np.nonzero(digits <= position)
        values[still] = step(values[still], index, nonce, still, position)
    if (found := key_digest(values)) != key:
        raise WrongSignature(f"account {index}, nonce {nonce}: the signature is of key {found}, not of {key}")


def step(values: np.ndarray, index: int, nonce: int, chains: np.ndarray, position: int) -> np.ndarray:
    """(n, 4): chain values one position on, from `position`.   chains: (n,), which chain each is of."""
    states = np.zeros((len(values), 2 * DIGEST), np.uint32)
    states[:, :VALUE] = values
    states[:, DIGEST], states[:, DIGEST + 1], states[:, DIGEST + 2] = index, nonce, 8 * chains + position
    states[:, -1] = STEP_TAG
    return compress_each(states.view(F)).view(np.ndarray)[:, :VALUE]


def key_digest(ends: np.ndarray) -> tuple[int, ...]:
    """(5,) of the chains' ends (56, 4)."""
    blocks = np.ascontiguousarray(ends).reshape(-1, DIGEST).view(F)
    return tuple(absorb(_tagged(KEY_TAG), blocks).view(np.ndarray).tolist()[:KEY])


def list_digest(entries: Sequence[Entry]) -> F:
    """H, (8,)."""
    rows = [(*entry.elements, 0, ENTRY_TAG) for entry in entries]
    return absorb(_tagged(ENTRY_TAG), np.array(rows, np.uint32).reshape(-1, DIGEST).view(F))


def message_digest(digest: F, index: int, nonce: int, counters: np.ndarray, domain: Domain4) -> F:
    """M for each counter, (n, 8).   digest: H."""
    states = np.empty((len(counters), 2 * DIGEST), np.uint32)
    states[:, :DIGEST] = digest.view(np.ndarray)
    states[:, DIGEST:] = (index, nonce, 0, *domain, MESSAGE_TAG)
    states[:, DIGEST + 2] = counters
    return compress_each(states.view(F))


def digits_of(messages: F) -> np.ndarray:
    """(n, 56): 14 low digits of 2 bits of each of the first four elements, lowest first.   messages: (n, 8)."""
    words = messages.view(np.ndarray)[:, : CHAINS // DIGITS_OF_EACH, None]
    return (words >> 2 * np.arange(DIGITS_OF_EACH) & 3).reshape(len(messages), CHAINS)


def _tagged(tag: int) -> F:
    return np.array([tag, *[0] * (DIGEST - 1)], np.uint32).view(F)


def _words(digest: bytes) -> tuple[int, ...]:
    return tuple((np.frombuffer(digest, ">u4", count=VALUE) & 0x3FFFFFFF).tolist())
