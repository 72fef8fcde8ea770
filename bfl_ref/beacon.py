"""The validators' beacon, off the chain: what a validator commits to, hands to the others, and reveals (Beacon.sol).

A secret s below Q = 2^255 - 19 is shared by Shamir's scheme: share i is f(1 + i) for a random polynomial f of degree t - 1
with f(0) = s. Any t shares give s again; t - 1 say nothing about it. So a secret that its owner keeps back is rebuilt by
the others, and keeping it back changes nothing but the owner's stake.

Shares travel on the chain, encrypted to each holder: X25519, HKDF-SHA256, AES-256-GCM. A bundle is the dealer's one-time
public key and a ciphertext for each holder, in their order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .sealing import KEY_BYTES, TAG_BYTES, DoesNotOpen, Rng, decrypt, encrypt, key_of
from .sealing import public_key as public_key

Q = 2**255 - 19
VALUES = 2  # of a round: r1 selects and makes the noise, r2 audits
NUMBER_BYTES = 32
SEALED_BYTES = VALUES * NUMBER_BYTES + TAG_BYTES


class BadShare(ValueError):
    """A sealed share that cannot be opened: damaged, for another holder or round, or never a share."""


@dataclass(frozen=True)
class Dealing:
    """A validator's two secrets and their shares. shares[w][i]: holder i's share of secret w."""

    secrets: tuple[int, ...]
    shares: tuple[tuple[int, ...], ...]


def draw(rng: Rng) -> int:
    """A number below Q; its bias is below 2^-64."""
    return int.from_bytes(rng(NUMBER_BYTES + 8), "big") % Q


def deal(holders: int, threshold: int, rng: Rng) -> Dealing:
    """Two fresh secrets, each shared among `holders`, any `threshold` of whom can rebuild it. rng(k): k random bytes.

    ValueError unless 1 <= threshold <= holders.
    """
    if not 1 <= threshold <= holders:
        raise ValueError(f"threshold must be 1 to {holders}, got {threshold}")
    polynomials = [[draw(rng) for _ in range(threshold)] for _ in range(VALUES)]
    shares = tuple(tuple(_evaluate(f, 1 + i) for i in range(holders)) for f in polynomials)
    return Dealing(tuple(f[0] for f in polynomials), shares)


def rebuild(shares: Mapping[int, int]) -> int:
    """f(0) from holder -> share: sum_i f(x_i) prod_(j != i) x_j / (x_j - x_i) modulo Q, x_i = 1 + i.

    Exactly `threshold` honest shares are needed; fewer, or a wrong one, give another number.
    """
    total = 0
    for i, share in shares.items():
        above = below = 1
        for j in shares.keys() - {i}:
            above, below = above * (1 + j) % Q, below * (j - i) % Q
        total += share * above * pow(below, -1, Q)
    return total % Q


def seal(dealing: Dealing, keys: Sequence[bytes], context: bytes, rng: Rng) -> bytes:
    """Each holder's two shares, readable by that holder alone.

    keys: the holders' public keys. One that published none (zeros), or none that a secret can be agreed with, gets random
    bytes as its part.
    context: what the bundle belongs to (chain, contract, round, dealer); it opens nowhere else.
    """
    own = key_of(rng(KEY_BYTES))
    parts = [own.public_key().public_bytes_raw()]
    for i, key in enumerate(keys):
        shares = b"".join(values[i].to_bytes(NUMBER_BYTES, "big") for values in dealing.shares)
        try:
            parts.append(encrypt(shares, own, key, _info(context, i)))
        except ValueError:  # a point of small order
            parts.append(rng(SEALED_BYTES))
    return b"".join(parts)


def unseal(sealed: bytes, private: bytes, context: bytes, holder: int) -> tuple[int, ...]:
    """The two shares of the holder with this number. BadShare for anything that `seal` did not make for it."""
    at = KEY_BYTES + SEALED_BYTES * holder
    if len(sealed) < at + SEALED_BYTES:
        raise BadShare(f"expected at least {at + SEALED_BYTES} sealed bytes, got {len(sealed)}")
    try:
        part = sealed[at : at + SEALED_BYTES]
        plain = decrypt(part, private, sealed[:KEY_BYTES], _info(context, holder))
    except DoesNotOpen as error:
        raise BadShare(f"holder {holder}'s shares do not open: {error.why}") from None
    return tuple(
        int.from_bytes(plain[i : i + NUMBER_BYTES], "big") for i in range(0, len(plain), NUMBER_BYTES)
    )


def _info(context: bytes, holder: int) -> bytes:
    return b"bfl_ref/beacon/1" + context + holder.to_bytes(2, "big")


def _evaluate(coefficients: Sequence[int], x: int) -> int:
    total = 0
    for c in reversed(coefficients):
        total = (total * x + c) % Q
    return total
