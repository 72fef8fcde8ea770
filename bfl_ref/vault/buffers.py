"""Secret bytes in buffers that are overwritten after use.

Python copies what it likes: a `bytes` object cannot be overwritten, and lives until its memory is used again. So key bytes
never enter one here: they are read, used and wiped in `bytearray`s of fixed size, and the primitives read them from there
(OpenSSL wipes its own copy). What this cannot promise: that the operating system swaps or hibernates no page, that a
debugger, a core dump or the CPU's caches hold none, that a future version of a library makes no copy. A test reads the
whole memory of a vault's process after an erasure, with the libraries pinned here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Fill = Callable[[bytearray], None]
"""Overwrites a buffer with random bytes."""


def system_random(buffer: bytearray) -> None:
    """The operating system's randomness, read straight into the buffer."""
    with open("/dev/urandom", "rb", buffering=0) as source:
        view = memoryview(buffer)
        while view:
            view = view[source.readinto(view) :]


def wipe(buffer: bytearray) -> None:
    """Zeros, in place."""
    memoryview(buffer)[:] = bytes(len(buffer))


@contextmanager
def secret(size: int) -> Iterator[bytearray]:
    """A buffer of zeros that is wiped at the end, however the block ends."""
    buffer = bytearray(size)
    try:
        yield buffer
    finally:
        wipe(buffer)
