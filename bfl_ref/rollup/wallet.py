"""An owner's wallet: the file that sees to it that no key ever signs two lists.

    waiting       -- follow: the state has this nonce's key ->  open
    open          -- sign: list written, then handed out    ->  signed       `signed`: the same bytes, as often as wanted
    open, signed  -- cancel: REKEY for the main chain       ->  cancelled    this nonce's key signs nothing any more
    any           -- follow: the state has another nonce    ->  open, if its key is this wallet's, else waiting

Whatever is handed out was written before: to a new file, synced, renamed over the old one, the folder synced. A crash at any
point leaves the state before or the state after, and nothing was handed out that the file does not know. Every step holds a
lock on a file beside it and reads the file anew, so several processes may have one wallet open.

The file holds no secret, but a salt: keys come from keccak(tag | seed | salt | domain). So a wallet made anew from the same
seed, at the same index or in another rollup, has other keys, and the queue must enrol them: nobody has to know what a lost
file had signed. What remains forbidden is to bring back an OLDER COPY of the file: it does not know what it signed since.

Enrolment is a cancelling too: the empty account has nonce 0 and no key. A list that the queue's REKEY overtakes is void. If
the list came first, after all, then the state has this wallet's key under a nonce that it is not for: `follow` leaves the
wallet waiting, and another `cancel` puts that right.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial
from pathlib import Path

from eth_utils import keccak

from .accounts import Account
from .entries import Entry, rekey, rotate
from .lists import SignedList, check_form
from .signatures import SEED_BYTES, Domain4, OneTimeKey, sign

_TAG = b"bfl_ref/rollup/wallet/1"


class KeyUsed(Exception):
    """The key has signed another list: resend that one, or cancel it. nonce."""

    def __init__(self, nonce: int) -> None:
        super().__init__(f"the key of nonce {nonce} has signed another list: resend it, or cancel")
        self.nonce = nonce


class KeyNotInForce(Exception):
    """The key may not sign: it was cancelled, or the state was not seen to have it. nonce, status."""

    def __init__(self, nonce: int, status: str) -> None:
        super().__init__(f"the key of nonce {nonce} may not sign: {status}")
        self.nonce, self.status = nonce, status


class DamagedWallet(Exception):
    """The file is not a wallet, or not this one's: nobody knows what was signed. A new wallet, and the queue, help."""


class Status(StrEnum):
    """What the key of the present nonce may do."""

    WAITING = "waiting"
    OPEN = "open"
    SIGNED = "signed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class _Kept:
    """Content of the file. used: no key up to this nonce may sign any more.  signed: bytes of the list, if SIGNED."""

    nonce: int
    status: Status
    used: int
    signed: bytes = b""


class Wallet:
    """`Wallet.create` once, then `Wallet(path, seed, index, domain)`, also after a restart.

    seed: 32 secret bytes, kept elsewhere.  index: of the account.  domain: `domain_elements` of the rollup.
    """

    def __init__(self, path: Path | str, seed: bytes, index: int, domain: Domain4) -> None:
        """FileNotFoundError if there is none: a lost file is not a fresh wallet.  DamagedWallet, ValueError."""
        self.path, self.index, self._domain = Path(path), index, tuple(domain)
        if len(seed) != SEED_BYTES:
            raise ValueError(f"expected a seed of {SEED_BYTES} bytes, got {len(seed)}")
        words = b"".join(word.to_bytes(4, "big") for word in self._domain)
        with self._locked():
            self._salt, _ = self._read()
        self._key = lru_cache(4)(partial(OneTimeKey, keccak(_TAG + seed + self._salt + words), index))

    @classmethod
    def create(
        cls,
        path: Path | str,
        seed: bytes,
        index: int,
        domain: Domain4,
        rng: Callable[[int], bytes] = secrets.token_bytes,
    ) -> "Wallet":
        """A new wallet, waiting for its enrolment: `cancel` makes the REKEY. FileExistsError if there is one.

        rng(k): k random bytes, for the salt.
        """
        made = cls.__new__(cls)
        made.path, made.index, made._domain, made._salt = Path(path), index, tuple(domain), rng(SEED_BYTES)
        with made._locked():
            if made.path.exists():
                raise FileExistsError(f"{path}: there is a wallet")
            made._write(_Kept(0, Status.WAITING, -1))
        return cls(path, seed, index, domain)

    @property
    def nonce(self) -> int:
        """Of the key that signs next, or has signed."""
        return self._kept.nonce

    @property
    def status(self) -> Status:
        return self._kept.status

    @property
    def signed(self) -> bytes | None:
        """The list that the present key has signed, to be resent: the same bytes each time. None if there is none."""
        return self._kept.signed or None

    def sign(self, entries: Sequence[Entry]) -> bytes:
        """Bytes of the signed list, ROTATE to the next key appended; the same entries again give the same bytes.

        KeyUsed, KeyNotInForce; MalformedList for entries that are not this account's.
        """
        with self._locked():
            kept = self._here()
            listed = (*entries, rotate(self.index, self._key(kept.nonce + 1).digest))
            check_form(self.index, listed)
            if kept.status == Status.SIGNED:
                if SignedList.from_bytes(kept.signed).entries != listed:
                    raise KeyUsed(kept.nonce)
                return kept.signed
            if kept.status != Status.OPEN:
                raise KeyNotInForce(kept.nonce, kept.status)
            signature = sign(self._key(kept.nonce), listed, self._domain)
            made = SignedList(self.index, listed, signature, kept.nonce).to_bytes()
            self._write(_Kept(kept.nonce, Status.SIGNED, kept.nonce, made))
            return made

    def cancel(self) -> Entry:
        """REKEY to the next nonce's key, for the main chain's queue; from now on the present key signs nothing.

        The nonce is the one followed last: let that be of an account that was checked against the main chain. Asked again at
        the same nonce: the same entry. It is to be queued once.
        """
        with self._locked():
            kept = self._here()
            if kept.status != Status.WAITING:
                self._write(_Kept(kept.nonce, Status.CANCELLED, kept.nonce))
            return rekey(self.index, self._key(kept.nonce + 1).digest)

    def follow(self, account: Account) -> Status:
        """What the present key may do, now that the account stands so. An account of the past changes nothing.

        account: as the caller has checked it against the main chain's root (`check_path`), or has a sequencer's word for.
        A false one makes no key sign twice, and a true one, later, brings the wallet back.
        """
        with self._locked():
            kept = self._here()
            if account.nonce <= kept.used:
                return kept.status
            ours = account.key == self._key(account.nonce).digest
            seen = _Kept(account.nonce, Status.OPEN if ours else Status.WAITING, kept.used)
            if seen != kept:
                self._write(seen)
            return seen.status

    @property
    def _kept(self) -> _Kept:
        with self._locked():
            return self._here()

    def _here(self) -> _Kept:
        salt, kept = self._read()
        if salt != self._salt:
            raise DamagedWallet(f"{self.path}: another wallet was put in its place")
        return kept

    def _read(self) -> tuple[bytes, _Kept]:
        text = self.path.read_text()
        self._sync_folder()  # a process that crashed may have renamed, and not synced: that is not to be built upon
        try:
            content = json.loads(text)
            here = content["index"], tuple(content["domain"])
            salt, signed = bytes.fromhex(content["salt"]), bytes.fromhex(content["signed"])
            kept = _Kept(int(content["nonce"]), Status(content["status"]), int(content["used"]), signed)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedWallet(f"{self.path}: {error}") from None
        if here != (self.index, self._domain):
            raise DamagedWallet(f"{self.path}: expected {(self.index, self._domain)}, got {here}")
        return salt, kept

    def _write(self, kept: _Kept) -> None:
        content = {
            "index": self.index,
            "domain": self._domain,
            "salt": self._salt.hex(),
            "nonce": kept.nonce,
            "status": kept.status,
            "used": kept.used,
            "signed": kept.signed.hex(),
        }
        unfinished = self.path.with_name(self.path.name + ".new")
        with open(unfinished, "w") as file:
            file.write(json.dumps(content))
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.path)
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the file."""
        with open(f"{self.path}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
