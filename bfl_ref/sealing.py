"""Bytes that one holder of a key can open, in one place: what validators and aggregators are sent.

    seal:  e = a fresh X25519 key,  k = HKDF-SHA256(exchange(e, public key), info),   public(e) | AES-256-GCM_k(plain)

The context of a message is what it belongs to: chain, contract, round, sender, seat. It goes into the key, so a message
that is sent again elsewhere does not open there. Anybody can seal: what is opened has been kept from others, and from
changes, but who sealed it the message does not say.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES, TAG_BYTES = 32, 16
SEALING_BYTES = KEY_BYTES + TAG_BYTES  # a sealed message is so much longer than what is in it
_TAG = b"bfl_ref/sealed/1"
_NONCE = bytes(12)  # each key encrypts once: it comes from a one-time key, a receiver and a context

Rng = Callable[[int], bytes]


class DoesNotOpen(ValueError):
    """Sealed bytes that were damaged, or sealed for another key or context, or never.   why: an exception's name."""

    def __init__(self, size: int, why: str):
        super().__init__(f"{size} sealed bytes do not open: {why}")
        self.why = why


def public_key(private: bytes) -> bytes:
    """The X25519 public key (32 bytes) that its holder publishes.  ValueError unless `private` has 32 bytes."""
    return key_of(private).public_key().public_bytes_raw()


def seal(plain: bytes, public_key: bytes, context: bytes, rng: Rng) -> bytes:
    """public(e) | AES-256-GCM_k(plain), 48 bytes longer than `plain`; info = a tag | context, public(e) authenticated too.

    public_key: of the receiver.   rng(k): k random bytes, from `secrets.token_bytes` outside tests.
    ValueError for a public key that none can be agreed with: another length, or a point of small order.
    """
    own = key_of(rng(KEY_BYTES))
    sender = own.public_key().public_bytes_raw()
    return sender + encrypt(plain, own, public_key, _TAG + context, sender)


def unseal(sealed: bytes, private: bytes, context: bytes) -> bytes:
    """Inverse of `seal`.  DoesNotOpen for anything that was not sealed for this key and context, or has been changed."""
    sender = sealed[:KEY_BYTES]
    return decrypt(sealed[KEY_BYTES:], private, sender, _TAG + context, sender)


def key_of(private: bytes) -> X25519PrivateKey:
    """The key that these 32 bytes are."""
    return X25519PrivateKey.from_private_bytes(private)


def encrypt(
    plain: bytes, own: X25519PrivateKey, peer: bytes, info: bytes, beside: bytes | None = None
) -> bytes:
    """AES-256-GCM_k(plain), k = HKDF-SHA256(exchange(own, peer), info): for one message only, the nonce is fixed.

    beside: is not encrypted, but must be the same on opening.
    """
    return _cipher(own, peer, info).encrypt(_NONCE, plain, beside)


def decrypt(
    ciphertext: bytes, private: bytes, peer: bytes, info: bytes, beside: bytes | None = None
) -> bytes:
    """Inverse of `encrypt`, peer: the sender's public key.  DoesNotOpen; ValueError unless `private` has 32 bytes."""
    own = key_of(private)
    try:
        return _cipher(own, peer, info).decrypt(_NONCE, ciphertext, beside)
    except (InvalidTag, ValueError) as error:
        raise DoesNotOpen(len(ciphertext), type(error).__name__) from None


def _cipher(own: X25519PrivateKey, peer: bytes, info: bytes) -> AESGCM:
    shared = own.exchange(X25519PublicKey.from_public_bytes(peer))
    return AESGCM(HKDF(SHA256(), 32, salt=None, info=info).derive(shared))
