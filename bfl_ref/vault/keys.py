"""The key that encrypts keys, behind an interface that a hardware module or a key service can take over.

    data key (one a patient)  --wrapped by-->  key-encryption key, generation g  --kept by-->  KeyEncryption

Whatever is copied, replicated and backed up holds data keys wrapped by a generation, never the generation itself. So one
destroyed generation makes every copy of every key it wrapped useless, wherever the copies are: an erasure wraps the keys
that stay again by the next generation and destroys the old one. What follows: a backup from before an erasure restores
nobody's key, not only the erased one's; after each erasure a new backup is due.
"""

import os
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .buffers import Fill, secret, system_random, wipe

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
_TAG = b"bfl_ref/vault/wrap/1"


class NoSuchGeneration(KeyError):
    """The generation was destroyed, or never made. generation."""

    def __init__(self, generation: int) -> None:
        super().__init__(generation)
        self.generation = generation

    def __str__(self) -> str:  # KeyError's own would show the number alone
        return f"there is no key-encryption key of generation {self.generation}: destroyed, or kept elsewhere"


class DoesNotUnwrap(ValueError):
    """Wrapped bytes that were changed, or wrapped by another key or in another context."""


class KeyEncryption(Protocol):
    """Keeper of the generations. Of keys it sees only what is to be wrapped; its own key never leaves it."""

    def generations(self) -> tuple[int, ...]:
        """Those that exist, ascending."""
        ...

    def create(self) -> int:
        """A new generation, one above all there were; it is durable when this returns."""
        ...

    def wrap(self, generation: int, key: bytearray, context: bytes) -> bytes:
        """Raises NoSuchGeneration."""
        ...

    def unwrap(self, generation: int, wrapped: bytes, context: bytes, into: bytearray) -> None:
        """Writes the key into a buffer of 32 bytes. Raises NoSuchGeneration, DoesNotUnwrap."""
        ...

    def destroy(self, generation: int) -> None:
        """For good; nothing of it is left when this returns. One that does not exist is no error."""
        ...


class FileKeys:
    """A file for each generation, readable by its owner: stands for a hardware module where there is none.

    The folder must be in no backup. Destroying overwrites the file before it is removed; a disk that writes elsewhere
    (flash, copy-on-write) may keep the old blocks, which a hardware module would not. In memory a generation is only while
    it is used.
    """

    def __init__(self, folder: Path | str, fill: Fill = system_random) -> None:
        self.folder, self._fill = Path(folder), fill
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def generations(self) -> tuple[int, ...]:
        return tuple(sorted(int(path.name.removeprefix("generation-")) for path in self._files()))

    def create(self) -> int:
        generation = max(self.generations(), default=0) + 1
        target = self._path(generation)
        with secret(KEY_BYTES) as key:
            self._fill(key)
            unfinished = target.with_suffix(".new")
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(handle, key)
                os.fsync(handle)
            finally:
                os.close(handle)
        os.replace(unfinished, target)
        self._sync_folder()
        return generation

    def wrap(self, generation: int, key: bytearray, context: bytes) -> bytes:
        nonce = bytearray(NONCE_BYTES)
        self._fill(nonce)
        with secret(KEY_BYTES) as own:
            self._read(generation, own)
            return bytes(nonce) + AESGCM(own).encrypt(nonce, key, _TAG + context)

    def unwrap(self, generation: int, wrapped: bytes, context: bytes, into: bytearray) -> None:
        if len(wrapped) != WRAPPED_BYTES or len(into) != KEY_BYTES:
            raise DoesNotUnwrap(
                f"expected {WRAPPED_BYTES} and {KEY_BYTES} bytes, got {len(wrapped)} and {len(into)}"
            )
        with secret(KEY_BYTES) as own:
            self._read(generation, own)
            try:
                AESGCM(own).decrypt_into(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _TAG + context, into)
            except InvalidTag:
                wipe(into)
                raise DoesNotUnwrap("changed, or wrapped by another key or in another context") from None

    def destroy(self, generation: int) -> None:
        path = self._path(generation)
        try:
            handle = os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            return
        try:
            os.write(handle, bytes(KEY_BYTES))
            os.fsync(handle)
        finally:
            os.close(handle)
        path.unlink()
        self._sync_folder()

    def _read(self, generation: int, into: bytearray) -> None:
        try:
            with open(self._path(generation), "rb", buffering=0) as file:
                size = file.readinto(into)
        except FileNotFoundError:
            raise NoSuchGeneration(generation) from None
        if size != KEY_BYTES or not any(into):  # all zeros: a crash came between overwriting and removing
            raise NoSuchGeneration(generation)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.glob("generation-*") if not path.suffix]

    def _path(self, generation: int) -> Path:
        return self.folder / f"generation-{generation:06d}"

    def _sync_folder(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
