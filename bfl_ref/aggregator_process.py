"""An aggregator in a process of its own, which anybody can talk to over loopback and only its owner can ask for shares.

    anybody, TCP      length 4 big-endian | message, at most 1 MB    ->  one byte: 0 kept, else which refusal
    the owner, pipe   one byte what to do | arguments                ->  one byte how it went | answer

Nothing that arrives is unpickled, or makes the process say anything: what does not fit is refused or hung up on.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Self

import numpy as np
from eth_utils import to_canonical_address, to_checksum_address

from .aggregator import (
    ADDRESS_BYTES,
    REFUSALS,
    Aggregator,
    MalformedMessage,
    MissingShare,
    Owed,
    RefusedMessage,
    element_bytes,
)
from .sealing import public_key
from .sharing import digest, salt_length
from .stark.field import F

HOST = "127.0.0.1"
FRAME_BYTES = 1 << 20
CONNECTIONS = 32  # at once; others wait in the system's queue
READ_SECONDS = 2.0  # for a whole message
START_SECONDS, ANSWER_SECONDS, STOP_SECONDS = 120.0, 10.0, 5.0

DONE, MISSING, BAD_REQUEST = 0, 254, 255  # and 1 + i: REFUSALS[i]
MALFORMED = 1 + REFUSALS.index(MalformedMessage)
EXPECT, LEARN, HELD, SHARES, STOP = range(1, 6)

Address = tuple[str, int]


class Unreachable(Exception):
    """Nobody answers there, or not in time, or not as an aggregator does: whether the share is kept is not known."""


class AggregatorGone(Exception):
    """The process has ended or does not answer. It is not asked again."""


def deliver(address: Address, message: bytes, timeout: float) -> None:
    """Hands a share message in; returns if it is kept.   timeout: seconds for all of it.

    The refusal by its name, or Unreachable; ValueError for a message of more than 1 MB.
    """
    if len(message) > FRAME_BYTES:
        raise ValueError(f"expected at most {FRAME_BYTES} bytes, got {len(message)}")
    deadline = time.monotonic() + timeout
    try:
        with socket.create_connection(address, timeout) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(len(message).to_bytes(4, "big") + message)
            (code,) = _read(connection, 1, deadline)
    except OSError as error:
        raise Unreachable(f"{address[0]}:{address[1]}: {type(error).__name__}") from None
    if code > len(REFUSALS):
        raise Unreachable(f"{address[0]}:{address[1]}: answered {code}")
    if code != DONE:
        raise REFUSALS[code - 1](f"refused by {address[0]}:{address[1]}")


def run(private_key: bytes, control: Connection) -> None:
    """Body of the process: listens, tells its port (2 bytes, big-endian), serves until told to stop or left alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the owner's to answer
    aggregator, lock = Aggregator(private_key), threading.Lock()
    digest(F.Zeros(1), F.Zeros(salt_length(1)))  # compiled or loaded now: no hospital waits for it
    listener = socket.create_server((HOST, 0), backlog=4 * CONNECTIONS)
    for _ in range(CONNECTIONS):
        threading.Thread(target=_serve, args=(listener, aggregator, lock), daemon=True).start()
    try:
        control.send_bytes(listener.getsockname()[1].to_bytes(2, "big"))
        while (request := control.recv_bytes())[:1] != bytes([STOP]):
            with lock:
                answer = _answer_of(partial(_obey, aggregator, request))
            control.send_bytes(answer)
    except (EOFError, OSError):
        pass  # the owner is gone
    os._exit(0)  # nothing is to be kept, and taking large libraries down in order takes a second


def _serve(listener: socket.socket, aggregator: Aggregator, lock: threading.Lock) -> None:
    """One connection after another. Whatever happens in one ends that one; nobody is told why, it could be a secret."""
    while True:
        try:
            connection, _ = listener.accept()
            with connection:
                deadline = time.monotonic() + READ_SECONDS
                size = int.from_bytes(_read(connection, 4, deadline), "big")
                answer = bytes([MALFORMED])
                if size <= FRAME_BYTES:
                    message = _read(connection, size, deadline)
                    with lock:
                        answer = _answer_of(partial(aggregator.receive, message))
                connection.sendall(answer)
        except Exception:
            continue


def _answer_of(do: Callable[[], bytes | None]) -> bytes:
    """DONE and what `do` returns, or how it failed; BAD_REQUEST is everything that has no other number."""
    try:
        return bytes([DONE]) + (do() or b"")
    except RefusedMessage as refusal:
        return bytes([1 + REFUSALS.index(type(refusal))])
    except MissingShare as missing:
        return bytes([MISSING]) + to_canonical_address(missing.hospital)
    except Exception:
        return bytes([BAD_REQUEST])


def _obey(aggregator: Aggregator, request: bytes) -> bytes:
    """EXPECT `Owed`, LEARN hospital | elements, HELD, SHARES hospitals: done, and the result.  An error for all else."""
    what, rest = request[0], request[1:]
    if what == SHARES:
        return aggregator.shares_of(_addresses(rest))
    if what == HELD and not rest:
        return b"".join(map(to_canonical_address, aggregator.held))
    if what == EXPECT:
        aggregator.expect(**vars(Owed.from_bytes(rest)))
    elif what == LEARN:
        hospital, elements = rest[:ADDRESS_BYTES], np.frombuffer(rest[ADDRESS_BYTES:], "<u4")
        aggregator.learn(to_checksum_address(hospital), elements)
    else:
        raise ValueError(f"expected a request, got {len(request)} bytes")
    return b""


def _read(connection: socket.socket, size: int, deadline: float) -> bytes:
    """Exactly so many bytes.  OSError if they do not come in time, or the peer hangs up."""
    parts, missing = [], size
    while missing:
        connection.settimeout(_left(deadline))
        part = connection.recv(min(missing, 1 << 16))
        if not part:
            raise ConnectionError
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _left(deadline: float) -> float:
    if (seconds := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return seconds


def _addresses(data: bytes) -> list[str]:
    return [to_checksum_address(data[i : i + ADDRESS_BYTES]) for i in range(0, len(data), ADDRESS_BYTES)]


class AggregatorProcess:
    """`with AggregatorProcess(private_key) as aggregator:` an `Aggregator` in a process, asked in the same words.

    Entering does not wait for the process, so that several start side by side; the first question does. Each raises
    AggregatorGone at once if the process has ended, after 10 s if it is stuck. Not for several threads at once.
    """

    def __init__(self, private_key: bytes):
        self.public_key = public_key(private_key)
        context = get_context("spawn")
        self._control, self._its_end = context.Pipe()
        self._process = context.Process(target=run, args=(private_key, self._its_end), daemon=True)
        self._port = 0

    def __enter__(self) -> Self:
        self._process.start()
        self._its_end.close()  # the process has its own; so its end is the end of the pipe
        return self

    def __exit__(self, *_: object) -> None:
        if self._port and not self._control.closed:
            try:
                self._control.send_bytes(bytes([STOP]))
                self._process.join(STOP_SECONDS)
            except OSError:
                pass  # it has ended already
        self.kill()

    def kill(self) -> None:
        """Ends the process at once, in whatever it is doing."""
        self._process.kill()
        self._process.join()
        self._control.close()

    @property
    def address(self) -> Address:
        """Where hospitals deliver to."""
        if self._control.closed:
            raise AggregatorGone("the process has been ended")
        if not self._port:
            self._port = int.from_bytes(self._answer(START_SECONDS), "big")
        if not self._process.is_alive():
            raise self._gone()
        return HOST, self._port

    def expect(self, round_key: bytes, seat: int, digests: Mapping[str, bytes], length: int) -> None:
        """As `Aggregator.expect`."""
        self._ask(EXPECT, Owed(round_key, seat, digests, length).to_bytes())

    def learn(self, hospital: str, elements: Sequence[int] | np.ndarray) -> None:
        """As `Aggregator.learn`."""
        self._ask(LEARN, to_canonical_address(hospital), element_bytes(elements))

    @property
    def held(self) -> tuple[str, ...]:
        """As `Aggregator.held`."""
        return tuple(_addresses(self._ask(HELD)))

    def shares_of(self, hospitals: Sequence[str]) -> bytes:
        """As `Aggregator.shares_of`."""
        return self._ask(SHARES, *map(to_canonical_address, hospitals))

    def _ask(self, what: int, *arguments: bytes) -> bytes:
        _ = self.address  # the first question waits until the process listens
        try:
            self._control.send_bytes(b"".join([bytes([what]), *arguments]))
        except OSError:
            raise self._gone() from None
        said = self._answer(ANSWER_SECONDS)
        status, answer = said[0], said[1:]
        if status == DONE:
            return answer
        if status == MISSING:
            raise MissingShare(to_checksum_address(answer))
        if status == BAD_REQUEST:
            raise ValueError("the aggregator's process cannot do this with these arguments")
        raise REFUSALS[status - 1]("refused by the aggregator's process")

    def _answer(self, seconds: float) -> bytes:
        try:
            if self._control in wait([self._control, self._process.sentinel], seconds):
                return self._control.recv_bytes()
        except (EOFError, OSError):
            pass
        raise self._gone()  # an answer that comes too late must not be taken for the next one

    def _gone(self) -> AggregatorGone:
        self.kill()
        return AggregatorGone("the process has ended, or did not answer")
