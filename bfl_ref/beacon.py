"""The validators' beacon, off the chain: what a validator commits to, hands to the others, and reveals (Beacon.sol).

A secret s below Q = 2^255 - 19 is shared by Shamir's scheme: share i is f(1 + i) for a random polynomial f of degree t - 1
with f(0) = s. Any t shares give s again; t - 1 say nothing about it. So a secret that its owner keeps back is rebuilt by
the others, and keeping it back changes nothing but the owner's stake.

Shares travel on the chain, encrypted to each holder: X25519, HKDF-SHA256, AES-256-GCM. A bundle is the dealer's one-time
public key and a ciphertext for each holder, in their order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Q = 2**255 - 19
VALUES = 2  # of a round: r1 selects and makes the noise, r2 audits
KEY_BYTES, NUMBER_BYTES, TAG_BYTES = 32, 32, 16
SEALED_BYTES = VALUES * NUMBER_BYTES + TAG_BYTES

Rng = Callable[[int], bytes]


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


def public_key(private: bytes) -> bytes:
    """The X25519 public key (32 bytes) that a validator publishes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(dealing: Dealing, keys: Sequence[bytes], context: bytes, rng: Rng) -> bytes:
    """Each holder's two shares, readable by that holder alone.

    keys: the holders' public keys; all zeros for one that published none, whose part is then random bytes.
    context: what the bundle belongs to (chain, contract, round, dealer); it opens nowhere else.
    """
    own = X25519PrivateKey.from_private_bytes(rng(KEY_BYTES))
    parts = [own.public_key().public_bytes_raw()]
    for i, key in enumerate(keys):
        shares = b"".join(values[i].to_bytes(NUMBER_BYTES, "big") for values in dealing.shares)
        parts.append(
            _cipher(own, key, context, i).encrypt(_NONCE, shares, None) if any(key) else rng(SEALED_BYTES)
        )
    return b"".join(parts)


def unseal(sealed: bytes, private: bytes, context: bytes, holder: int) -> tuple[int, ...]:
    """The two shares of the holder with this number. BadShare for anything that `seal` did not make for it."""
    at = KEY_BYTES + SEALED_BYTES * holder
    if len(sealed) < at + SEALED_BYTES:
        raise BadShare(f"expected at least {at + SEALED_BYTES} sealed bytes, got {len(sealed)}")
    try:
        cipher = _cipher(X25519PrivateKey.from_private_bytes(private), sealed[:KEY_BYTES], context, holder)
        plain = cipher.decrypt(_NONCE, sealed[at : at + SEALED_BYTES], None)
    except (InvalidTag, ValueError) as error:
        raise BadShare(f"holder {holder}'s shares do not open: {type(error).__name__}") from None
    return tuple(
        int.from_bytes(plain[i : i + NUMBER_BYTES], "big") for i in range(0, len(plain), NUMBER_BYTES)
    )


_NONCE = bytes(12)  # each key encrypts once: the dealer's part of it is made for one bundle


def _cipher(own: X25519PrivateKey, key: bytes, context: bytes, holder: int) -> AESGCM:
    shared = own.exchange(X25519PublicKey.from_public_bytes(key))
    info = b"bfl_ref/beacon/1" + context + holder.to_bytes(2, "big")
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=info).derive(shared))


def _evaluate(coefficients: Sequence[int], x: int) -> int:
    total = 0
    for c in reversed(coefficients):
        total = (total * x + c) % Q
    return total
