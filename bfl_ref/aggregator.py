"""An aggregator: it takes one share of each hospital's update, checks it against the chain, and keeps it to be added up.

    message = "bfl_ref/share/1\\0" | round key 32 | hospital 20 | sealed (share | salt), each element 4 bytes little-endian

It is sealed for (round key, hospital, seat): sent again in another round, to another seat or as another hospital's, it
does not open. Anybody can send a message, also in a hospital's name; what makes it the hospital's is the digest, which the
chain has and the release proof speaks of. So nothing else is believed, and a refused message changes nothing.

No refusal, and no other text that leaves this module, says anything about shares, salts or keys.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from eth_utils import to_canonical_address, to_checksum_address

from .fixed_point.digests import digest_bytes
from .sealing import SEALING_BYTES, DoesNotOpen, Rng, public_key, seal, unseal
from .sharing import digest, pack, salt_length, unpack
from .sharing.frugal import ELEMENT_BYTES
from .stark.field import F, P

MAGIC = b"bfl_ref/share/1\0"
ROUND_KEY_BYTES, ADDRESS_BYTES, DIGEST_BYTES, SEAT_BYTES = 32, 20, 32, 2
_HEADER = struct.Struct(f">{len(MAGIC)}s{ROUND_KEY_BYTES}s{ADDRESS_BYTES}s")
_OWED = struct.Struct(f">{ROUND_KEY_BYTES}sHI")
_PAIR = struct.Struct(f">{ADDRESS_BYTES}s{DIGEST_BYTES}s")


class RefusedMessage(ValueError):
    """A share that is not kept. What was held before still is, and nothing else."""


class MalformedMessage(RefusedMessage):
    """Not the layout of a share message: magic, length, or an element that is not below p."""


class UnknownRound(RefusedMessage):
    """Of another round than the one that was begun last, or none was."""


class UnknownHospital(RefusedMessage):
    """Of a hospital that owes this seat no share in this round."""


class Unopenable(RefusedMessage):
    """Sealed for another key, round, hospital or seat, damaged, or never sealed."""


class WrongShare(RefusedMessage):
    """Not the share whose digest is on the chain."""


class AlreadyHeld(RefusedMessage):
    """The right share of this hospital is held already."""


REFUSALS = (MalformedMessage, UnknownRound, UnknownHospital, Unopenable, WrongShare, AlreadyHeld)
"""All of them, in an order that is kept: processes tell them by number (aggregator_process.py)."""


class MissingShare(ValueError):
    """A sum is asked for that needs a share which is not held.   hospital: whose."""

    def __init__(self, hospital: str):
        super().__init__(f"no share of {hospital} is held")
        self.hospital = hospital


@dataclass(frozen=True)
class Owed:
    """What is on the chain about a seat in a round.   round_key: 32 bytes, of one chain, contract and round only.

    seat: 0 .. 2^16 - 1.   digests: hospital's address -> digest of the share that it owes this seat, 32 bytes.
    length: elements of a share without its salt, >= 1. The digest does not tell it: the same elements, cut one further on
    into share and salt, have the same digest.   ValueError for anything else.
    """

    round_key: bytes
    seat: int
    digests: Mapping[str, bytes]
    length: int

    def __post_init__(self) -> None:
        if len(self.round_key) != ROUND_KEY_BYTES:
            raise ValueError(f"expected a round key of {ROUND_KEY_BYTES} bytes, got {len(self.round_key)}")
        if not 0 <= self.seat < 1 << 8 * SEAT_BYTES:
            raise ValueError(f"expected a seat from 0 to {(1 << 8 * SEAT_BYTES) - 1}, got {self.seat}")
        if not 1 <= self.length < 1 << 32:
            raise ValueError(f"expected shares of 1 to 2^32 - 1 elements, got {self.length}")
        if len({to_canonical_address(hospital) for hospital in self.digests}) < len(self.digests):
            raise ValueError("expected each hospital once")
        for hospital, owed in self.digests.items():
            if len(owed) != DIGEST_BYTES:
                raise ValueError(
                    f"{hospital}: expected a digest of {DIGEST_BYTES} bytes, got {len(owed)} bytes"
                )

    def to_bytes(self) -> bytes:
        """round key 32 | seat 2 | length 4 | (hospital 20 | digest 32) of each, integers big-endian."""
        pairs = [to_canonical_address(hospital) + owed for hospital, owed in self.digests.items()]
        return b"".join([_OWED.pack(self.round_key, self.seat, self.length), *pairs])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Owed":
        """Inverse of `to_bytes`.  ValueError for bytes that are none."""
        if len(data) < _OWED.size or (len(data) - _OWED.size) % _PAIR.size:
            raise ValueError(f"expected {_OWED.size} and a multiple of {_PAIR.size} bytes, got {len(data)}")
        pairs = [(to_checksum_address(h), owed) for h, owed in _PAIR.iter_unpack(data[_OWED.size :])]
        if len(dict(pairs)) < len(pairs):
            raise ValueError("expected each hospital once")
        round_key, seat, length = _OWED.unpack(data[: _OWED.size])
        return cls(round_key, seat, dict(pairs), length)

    @property
    def elements(self) -> int:
        """Of a share and its salt."""
        return self.length + salt_length(self.length)


class Aggregator:
    """One seat of the committee: rules only, no sockets and no clock.   private_key: X25519, 32 bytes, or ValueError."""

    def __init__(self, private_key: bytes):
        self._private = bytes(private_key)
        self.public_key = public_key(self._private)
        self._owed: Owed | None = None
        self._digests: dict[bytes, bytes] = {}
        self._shares: dict[bytes, bytes] = {}  # share | salt

    def expect(self, round_key: bytes, seat: int, digests: Mapping[str, bytes], length: int) -> None:
        """A round begins; the shares of the one before are forgotten. Arguments as `Owed` has them, from the chain."""
        self._owed = Owed(round_key, seat, digests, length)
        self._digests = {to_canonical_address(hospital): owed for hospital, owed in digests.items()}
        self._shares = {}

    def receive(self, message: bytes) -> None:
        """Keeps the share of a message from anybody, or refuses it by name and keeps what it had."""
        if len(message) < _HEADER.size + SEALING_BYTES or not message.startswith(MAGIC):
            raise MalformedMessage(f"{len(message)} bytes are no share message")
        _, round_key, hospital = _HEADER.unpack_from(message)
        sealed = message[_HEADER.size :]
        owed = self._owed
        if owed is None or round_key != owed.round_key:
            raise UnknownRound("the message is of another round")
        self._known(hospital)
        if hospital in self._shares:
            raise AlreadyHeld(f"the share of {to_checksum_address(hospital)} is held already")
        expected = SEALING_BYTES + ELEMENT_BYTES * owed.elements
        if len(sealed) != expected:
            raise MalformedMessage(f"expected {expected} sealed bytes, got {len(sealed)}")
        try:
            plain = unseal(sealed, self._private, _context(round_key, hospital, owed.seat))
        except DoesNotOpen:
            raise Unopenable(f"the message of {to_checksum_address(hospital)} does not open") from None
        self._keep(hospital, plain, owed)

    def learn(self, hospital: str, elements: Sequence[int] | np.ndarray) -> None:
        """Keeps a share that its hospital published after a complaint: share | salt.

        UnknownHospital, MalformedMessage, WrongShare; to learn again what is held changes nothing.
        """
        address = to_canonical_address(hospital)
        owed = self._known(address)
        self._keep(address, element_bytes(elements), owed)

    @property
    def held(self) -> tuple[str, ...]:
        """Checksummed addresses of the hospitals whose shares are held, ascending."""
        return tuple(to_checksum_address(hospital) for hospital in sorted(self._shares))

    def shares_of(self, hospitals: Sequence[str]) -> bytes:
        """share | salt of each of these hospitals, in their order: 4 bytes an element, little-endian.

        For the seat's owner alone, who adds them up and proves the sum. MissingShare for one that is not held; ValueError
        for none, or one twice.
        """
        wanted = [to_canonical_address(hospital) for hospital in hospitals]
        if not wanted or len(set(wanted)) < len(wanted):
            raise ValueError(f"expected hospitals, each once, got {len(wanted)}, {len(set(wanted))} distinct")
        for hospital in wanted:
            if hospital not in self._shares:
                raise MissingShare(to_checksum_address(hospital))
        return b"".join(self._shares[hospital] for hospital in wanted)

    def _known(self, hospital: bytes) -> Owed:
        if self._owed is None or hospital not in self._digests:
            raise UnknownHospital("the hospital owes this seat no share")
        return self._owed

    def _keep(self, hospital: bytes, plain: bytes, owed: Owed) -> None:
        try:
            elements = unpack(plain, owed.elements)
        except ValueError as error:
            raise MalformedMessage(str(error)) from None
        share, salt = elements[: owed.length], elements[owed.length :]
        if digest_bytes(digest(share, salt)) != self._digests[hospital]:
            raise WrongShare(f"what {to_checksum_address(hospital)} sent has another digest")
        self._shares[hospital] = plain


def share_message(
    round_key: bytes, hospital: str, seat: int, public_key: bytes, share: F, salt: F, rng: Rng
) -> bytes:
    """What a hospital sends to a seat: share (n,) and salt (`salt_length(n)`,), sealed for the seat's public key.

    rng(k): k random bytes.   ValueError for arguments of other shapes, or a key that is none.
    """
    if len(round_key) != ROUND_KEY_BYTES or salt.shape != (salt_length(len(share)),) or share.ndim != 1:
        raise ValueError(
            f"expected a round key of {ROUND_KEY_BYTES} bytes, a share (n,) and its salt, "
            f"got {len(round_key)} bytes, {share.shape}, {salt.shape}"
        )
    address = to_canonical_address(hospital)
    sealed = seal(pack(share) + pack(salt), public_key, _context(round_key, address, seat), rng)
    return MAGIC + round_key + address + sealed


def element_bytes(elements: Sequence[int] | np.ndarray) -> bytes:
    """4 bytes an element, little-endian.  MalformedMessage unless they are integers from 0 to p - 1."""
    values = np.asarray(elements)
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.integer):
        raise MalformedMessage(f"expected integers (n,), got {values.dtype} {values.shape}")
    if ((values < 0) | (values >= P)).any():
        raise MalformedMessage(f"expected elements from 0 to p - 1 = {P - 1}")
    return values.astype("<u4").tobytes()


def _context(round_key: bytes, hospital: bytes, seat: int) -> bytes:
    return round_key + hospital + seat.to_bytes(SEAT_BYTES, "big")
