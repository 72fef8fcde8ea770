"""What a hospital sends to each of m aggregators, in three ways, and what each is worth.

    mode          to seats 0, 1, ...              bytes, n elements           readers withstood  silent   lying
    plain         m shares                        4 n m                       t - 1              m - t    (m - t) / 2
    shamir_seeds  t - 1 seeds, m - t + 1 shares   32 (t - 1) + 4 n (m-t+1)    t - 1 *            m - t    (m - t) / 2
    additive      m - 1 seeds, one vector         32 (m - 1) + 4 n            m - 1 *            none     none

    * as long as AES-256 in counter mode cannot be told from random bytes; plain sharing needs no such premise

Shamir's scheme leaves t - 1 shares free: any values, with v at 0, lie on one polynomial of degree < t. So these may come
from seeds, and the others follow. Additive shares are all needed: if one is missing there is no sum, and if one is wrong the
sum is wrong, nobody notices, and nobody is named.

`lying`: whom decoding alone stands. Where sums are proven a liar counts as silent.

Salts of the digests and the envelope of the encryption come on top, alike in every mode.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..stark.field import F, P
from .decoding import TooFewShares
from .shamir import points, residues, share, sum_shares
from .uniform import expand

ELEMENT_BYTES = 4
MODES = ("plain", "shamir_seeds", "additive")


def pack(vector: F) -> bytes:
    """4 bytes an element, little-endian. (n,) field -> 4 n bytes."""
    return vector.view(np.ndarray).astype("<u4").tobytes()


def unpack(data: bytes, n: int) -> F:
    """Inverse of `pack`: (n,) field.  ValueError unless there are 4 n bytes and each element is below p."""
    if len(data) != ELEMENT_BYTES * n:
        raise ValueError(f"expected {ELEMENT_BYTES * n} bytes for {n} elements, got {len(data)}")
    words = np.frombuffer(data, "<u4")
    beyond = words >= P
    if beyond.any():  # which, not what: it may be part of a secret
        raise ValueError(f"expected elements below p = {P}; element {int(beyond.argmax())} is not")
    return words.astype(np.uint32).view(F)


def seeded_seats(mode: str, seats: int, threshold: int) -> int:
    """To how many seats, from 0 on, a seed goes instead of a vector: 0, t - 1 or m - 1.  ValueError for no mode."""
    if mode not in MODES:
        raise ValueError(f"expected a mode of {MODES}, got {mode!r}")
    return {"plain": 0, "shamir_seeds": threshold - 1, "additive": seats - 1}[mode]


def plain_messages(vector: np.ndarray, coefficients: F, seats: int) -> list[bytes]:
    """m messages: the shares of `shamir.share`, packed."""
    return [pack(s) for s in share(vector, coefficients, seats)]


def seeded_coefficients(vector: np.ndarray, seeds: Sequence[bytes]) -> F:
    """(t - 1, n) field: the coefficients whose shares at seats a < t - 1 are expand(seeds[a]).

    sum_k c_k x_a^k = expand(seed_a) - v for a = 0..t-2, solved for c. With them `shamir.share` gives every seat's share.
    vector: (n,) as in `share`.   seeds: t - 1 random ones of 32 bytes.   ValueError for none, or equal ones.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"expected at least one seed, no two alike, got {len(seeds)}")
    v = residues(vector)
    x = points(range(len(seeds)))
    inverse = np.linalg.inv(x[:, None] ** np.arange(1, len(seeds) + 1))
    above = [expand(seed, len(v)) - v for seed in seeds]
    return np.stack([sum_shares([c * s for c, s in zip(row, above, strict=True)]) for row in inverse]).view(F)


def seeded_messages(vector: np.ndarray, seeds: Sequence[bytes], seats: int) -> list[bytes]:
    """m messages: t - 1 seeds, then the shares of the other seats, interpolated through (0, v) and the expanded seeds."""
    shares = share(vector, seeded_coefficients(vector, seeds), seats)
    return [*seeds, *(pack(s) for s in shares[len(seeds) :])]


def additive_messages(vector: np.ndarray, seeds: Sequence[bytes]) -> list[bytes]:
    """m messages, m = len(seeds) + 1: the seeds, then v - sum_a expand(seed_a).  ValueError for no seed, or equal ones."""
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"expected at least one seed, no two alike, got {len(seeds)}")
    v = residues(vector)
    return [*seeds, pack(v - sum_shares([expand(seed, len(v)) for seed in seeds]))]


def open_message(message: bytes, seat: int, n: int, seeded: int) -> F:
    """(n,) field: the share of a seat, expanded from its seed if seat < seeded (`seeded_seats`), else unpacked.

    ValueError on any bytes that are not such a message.
    """
    return expand(message, n) if seat < seeded else unpack(message, n)


def additive_total(sum_shares_by_seat: Mapping[int, F], seats: int) -> F:
    """(n,) field: the sum of all m additive sum-shares.  TooFewShares unless every seat 0..m-1 answered."""
    present = [sum_shares_by_seat[a] for a in range(seats) if a in sum_shares_by_seat]
    if len(present) < seats:
        raise TooFewShares(len(present), seats)
    return sum_shares(present)
