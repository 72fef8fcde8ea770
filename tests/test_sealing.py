"""Sealed messages open for one key in one place and nowhere else; the primitives spelled out; beacon bundles as before."""

from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from bfl_ref import beacon
from bfl_ref.sealing import KEY_BYTES, SEALING_BYTES, DoesNotOpen, public_key, seal, unseal

CONTEXT = b"chain, contract, round, sender, seat"
PRIVATE, OTHER = bytes(range(32)), bytes(range(1, 33))
PLAIN = b"a share"


def rng(seed: int):
    return np.random.default_rng(seed).bytes


def sealed() -> bytes:
    return seal(PLAIN, public_key(PRIVATE), CONTEXT, rng(0))


@given(
    st.binary(max_size=300),
    st.binary(max_size=80),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_what_is_sealed_opens(plain: bytes, context: bytes, private: bytes, seed: int) -> None:
    message = seal(plain, public_key(private), context, rng(seed))
    assert len(message) == len(plain) + SEALING_BYTES
    assert unseal(message, private, context) == plain


def test_sealed_bytes_are_the_primitives_spelled_out() -> None:
    own = X25519PrivateKey.from_private_bytes(rng(0)(32))
    sender = own.public_key().public_bytes_raw()
    receiver = X25519PrivateKey.from_private_bytes(PRIVATE).public_key().public_bytes_raw()
    exchanged = own.exchange(X25519PublicKey.from_public_bytes(receiver))
    key = HKDF(SHA256(), 32, salt=None, info=b"bfl_ref/sealed/1" + CONTEXT).derive(exchanged)
    assert sealed() == sender + AESGCM(key).encrypt(bytes(12), PLAIN, sender)


def test_public_key_is_that_of_rfc_7748() -> None:
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    assert public_key(alice).hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"


def test_every_change_of_every_byte_is_refused() -> None:
    message = sealed()
    for at in range(len(message)):
        for bit in range(8):  # the top bit of the one-time key too, which X25519 itself leaves out
            damaged = message[:at] + bytes([message[at] ^ 1 << bit]) + message[at + 1 :]
            with pytest.raises(DoesNotOpen):
                unseal(damaged, PRIVATE, CONTEXT)


@pytest.mark.parametrize("size", [0, 1, KEY_BYTES - 1, KEY_BYTES, SEALING_BYTES - 1, SEALING_BYTES, -1])
def test_what_was_cut_short_is_refused(size: int) -> None:
    with pytest.raises(DoesNotOpen):
        unseal(sealed()[:size], PRIVATE, CONTEXT)


def test_what_was_made_longer_is_refused() -> None:
    with pytest.raises(DoesNotOpen):
        unseal(sealed() + b"\0", PRIVATE, CONTEXT)


@pytest.mark.parametrize("context", [CONTEXT + b"\0", CONTEXT[:-1], b"", CONTEXT.swapcase()])
def test_other_context_is_refused(context: bytes) -> None:
    with pytest.raises(DoesNotOpen, match="InvalidTag"):
        unseal(sealed(), PRIVATE, context)


def test_other_key_is_refused() -> None:
    with pytest.raises(DoesNotOpen, match="InvalidTag"):
        unseal(sealed(), OTHER, CONTEXT)


def test_one_time_keys_of_small_order_are_refused_and_not_sealed_for() -> None:
    for point in (0, 1, 2**255 - 19, 2**255 - 20):
        key = point.to_bytes(32, "little")
        with pytest.raises(DoesNotOpen, match="ValueError"):
            unseal(key + sealed()[KEY_BYTES:], PRIVATE, CONTEXT)
        with pytest.raises(ValueError):
            seal(PLAIN, key, CONTEXT, rng(0))


def test_private_key_of_another_length_is_the_callers_mistake() -> None:
    for call in (public_key, lambda private: unseal(sealed(), private, CONTEXT)):
        with pytest.raises(ValueError) as caught:
            call(PRIVATE[:-1])
        assert not isinstance(caught.value, DoesNotOpen)


def test_two_sealings_of_one_message_differ() -> None:
    source = rng(0)
    key = public_key(PRIVATE)
    assert seal(PLAIN, key, CONTEXT, source) != seal(PLAIN, key, CONTEXT, source)


def test_refusal_tells_no_secret() -> None:
    message = sealed()
    with pytest.raises(DoesNotOpen) as caught:
        unseal(message[:-1] + bytes([message[-1] ^ 1]), PRIVATE, CONTEXT)
    assert str(caught.value) == f"{len(message) - KEY_BYTES} sealed bytes do not open: InvalidTag"
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_beacon_bundles_are_what_they_were_before_sealing_had_a_module() -> None:
    source = rng(7)
    privates = [source(32) for _ in range(4)]
    keys = [public_key(private) for private in privates]
    keys[2] = bytes(32)
    bundle = beacon.seal(beacon.deal(4, 3, source), keys, b"chain, contract, round, dealer", source)
    assert sha256(bundle).hexdigest() == "31116f818b1e6a2235b5fbd447ba8cbf6ebab61711a03378979dcd060ebe4fab"


def test_beacon_bundle_does_not_open_as_a_sealed_message() -> None:
    source = rng(0)
    bundle = beacon.seal(beacon.deal(1, 1, source), [public_key(PRIVATE)], CONTEXT, source)
    assert len(beacon.unseal(bundle, PRIVATE, CONTEXT, 0)) == 2
    for context in (CONTEXT, CONTEXT + bytes(2)):
        with pytest.raises(DoesNotOpen):
            unseal(bundle, PRIVATE, context)
