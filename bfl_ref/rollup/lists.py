"""Lists of entries that an account signs: form, signature, cover, and the bytes in which an owner sends them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct

from ..stark.field import P
from .accounts import ACCOUNTS, Account
from .entries import Entry, Kind, decode, encode
from .refusals import EarlyNonce, MalformedList, Overspend, ReplayedNonce, UnknownAccount
from .signatures import SIGNATURE_BYTES, Domain4, Signature, check

_HEAD = Struct(">II")


@dataclass(frozen=True)
class SignedList:
    """What an account wants, in one batch: its entries, ROTATE last, under one signature.

    nonce: which of the account's keys signs; it tells why a list is refused, and is not published.
    Bytes: index | nonce, 4 bytes big-endian each | signature, 900 | entries, 24 each.
    """

    index: int
    entries: tuple[Entry, ...]
    signature: Signature
    nonce: int

    def to_bytes(self) -> bytes:
        """What an owner sends."""
        return _HEAD.pack(self.index, self.nonce) + self.signature.to_bytes() + encode(self.entries)

    @classmethod
    def from_bytes(cls, data: bytes) -> "SignedList":
        """Inverse of `to_bytes`. MalformedList or MalformedEntry for all other bytes, and for what breaks `check_form`."""
        if len(data) < _HEAD.size + SIGNATURE_BYTES:
            raise MalformedList(f"expected at least {_HEAD.size + SIGNATURE_BYTES} bytes, got {len(data)}")
        index, nonce = _HEAD.unpack_from(data)
        if index >= ACCOUNTS or nonce >= P:
            raise MalformedList(
                f"expected an index below {ACCOUNTS} and a nonce below p, got {index}, {nonce}"
            )
        signature, rest = data[_HEAD.size :][:SIGNATURE_BYTES], data[_HEAD.size + SIGNATURE_BYTES :]
        entries = tuple(decode(rest))
        check_form(index, entries)
        return cls(index, entries, Signature.from_bytes(signature), nonce)


def check_signed(account: Account, signed: SignedList, domain: Domain4) -> None:
    """Returns if the list is signed by the key that the account has: UnknownAccount, ReplayedNonce, EarlyNonce,
    WrongSignature.
    """
    if not any(account.key):
        raise UnknownAccount(f"account {signed.index} has no key")
    if signed.nonce < account.nonce:
        raise ReplayedNonce(
            f"account {signed.index} is at nonce {account.nonce}, the list is for {signed.nonce}"
        )
    if signed.nonce > account.nonce:
        raise EarlyNonce(
            f"account {signed.index} is at nonce {account.nonce}, the list is for {signed.nonce}"
        )
    check(signed.signature, account.key, signed.index, account.nonce, signed.entries, domain)


def check_form(index: int, entries: Sequence[Entry]) -> None:
    """Returns if the entries are the account's own, and the last of them alone is ROTATE. MalformedList."""
    if not entries or [e.kind == Kind.ROTATE for e in entries] != [False] * (len(entries) - 1) + [True]:
        raise MalformedList(f"account {index}: expected the last entry, and no other, to be ROTATE")
    if any(not e.kind.by_owner or e.sender != index for e in entries):
        raise MalformedList(f"account {index}: expected its own entries only")


def spent(entries: Iterable[Entry]) -> tuple[int, int]:
    """(from the balance, from the stake) that a list of entries takes."""
    out = Counter[Kind]()
    for entry in entries:
        if entry.kind in (Kind.TRANSFER, Kind.LOCK, Kind.WITHDRAW, Kind.UNLOCK):
            out[entry.kind] += entry.amount
    return out[Kind.TRANSFER] + out[Kind.LOCK] + out[Kind.WITHDRAW], out[Kind.UNLOCK]


def check_cover(account: Account, entries: Sequence[Entry]) -> None:
    """Returns if the account had, before the batch, what its list spends. Overspend."""
    balance, stake = spent(entries)
    if balance > account.balance or stake > account.stake:
        raise Overspend(
            f"account {entries[0].sender} spends {balance} of {account.balance} and unlocks {stake} of {account.stake}"
        )
