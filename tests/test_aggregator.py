"""Aggregators: what they keep, what they refuse and by which name; as processes, among liars, garbage and silence."""

import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from bfl_ref import aggregator_process
from bfl_ref.aggregator import (
    MAGIC,
    REFUSALS,
    Aggregator,
    AlreadyHeld,
    MalformedMessage,
    MissingShare,
    Owed,
    RefusedMessage,
    UnknownHospital,
    UnknownRound,
    Unopenable,
    WrongShare,
    share_message,
)
from bfl_ref.aggregator_process import (
    BAD_REQUEST,
    CONNECTIONS,
    DONE,
    FRAME_BYTES,
    AggregatorGone,
    AggregatorProcess,
    Unreachable,
    deliver,
)
from bfl_ref.fixed_point.digests import digest_bytes
from bfl_ref.sealing import public_key, seal
from bfl_ref.sharing import (
    decode,
    digest,
    pack,
    random_coefficients,
    salt_length,
    share,
    signed,
    sum_shares,
    uniform,
    unpack,
)
from bfl_ref.stark.field import F, P

FULL = os.environ.get("BFL_FULL") == "1"
N, SEAT = 36, 3
KEY = bytes(range(100, 132))
ROUND, NEXT = bytes([1] * 32), bytes([2] * 32)
ADDRESSES = ["0x" + f"{i:02d}" * 20 for i in range(1, 61)]  # digits only: their own checksummed form
ALICE, BOB, CAROL, STRANGER = "0x" + "11" * 20, "0x" + "12" * 20, "0x" + "13" * 20, "0x" + "99" * 20
PATIENT = 60.0  # seconds for an answer on a machine that is busy; a test that passes does not wait


class Hospital:
    """A hospital's share of one seat, and its messages. Seeded."""

    def __init__(self, address: str, seed: int, n: int = N):
        self.address = address
        self.rng = np.random.default_rng(seed).bytes
        self.share, self.salt = uniform(n, self.rng), uniform(salt_length(n), self.rng)

    @property
    def digest(self) -> bytes:
        return digest_bytes(digest(self.share, self.salt))

    @property
    def elements(self) -> list[int]:
        return [*self.share.tolist(), *self.salt.tolist()]

    def message(self, round_key: bytes = ROUND, seat: int = SEAT, to: bytes = KEY) -> bytes:
        return share_message(round_key, self.address, seat, public_key(to), self.share, self.salt, self.rng)

    def sealed(self, plain: bytes) -> bytes:
        """A message in the hospital's name with any content."""
        address = bytes.fromhex(self.address[2:])
        context = ROUND + address + SEAT.to_bytes(2, "big")
        return MAGIC + ROUND + address + seal(plain, public_key(KEY), context, self.rng)


def hospitals(*addresses: str) -> list[Hospital]:
    return [Hospital(address, seed) for seed, address in enumerate(addresses)]


def owed(*owing: Hospital) -> dict[str, bytes]:
    return {hospital.address: hospital.digest for hospital in owing}


def kept(*owing: Hospital) -> bytes:
    """What an aggregator hands out of these hospitals' shares."""
    return b"".join(pack(h.share) + pack(h.salt) for h in owing)


def begun(*owing: Hospital) -> Aggregator:
    aggregator = Aggregator(KEY)
    aggregator.expect(ROUND, SEAT, owed(*owing), N)
    return aggregator


def secrets_of(*owing: Hospital) -> list[str]:
    """Every form in which a share, a salt or the key could show in a text."""
    numbers = [e for hospital in owing for e in hospital.elements]
    found = [KEY.hex(), str(int.from_bytes(KEY, "big")), str(int.from_bytes(KEY, "little")), repr(KEY)[2:-1]]
    found += [str(e) for e in numbers]
    found += [e.to_bytes(4, order).hex() for e in numbers for order in ("big", "little")]
    return [text.lower() for text in found]


# ---------------------------------------------------------------- what is kept


def test_right_share_is_kept() -> None:
    alice, bob = hospitals(ALICE, BOB)
    aggregator = begun(alice, bob)
    assert aggregator.held == ()
    aggregator.receive(bob.message())
    assert aggregator.held == (BOB,)
    aggregator.receive(alice.message())
    assert aggregator.held == (ALICE, BOB)
    assert aggregator.public_key == public_key(KEY)


def test_shares_come_back_in_the_order_asked_with_their_salts() -> None:
    crowd = hospitals(*ADDRESSES[:7])
    aggregator = begun(*crowd)
    for hospital in crowd:
        aggregator.receive(hospital.message())
    for chosen in (crowd, crowd[2:5], crowd[:1]):
        assert aggregator.shares_of([hospital.address for hospital in chosen]) == kept(*chosen)
    assert len(kept(*crowd)) == 7 * 4 * (N + 4)


def test_sum_shares_of_a_committee_decode_to_the_sum_of_the_updates() -> None:
    rng = np.random.default_rng(0)
    updates = {address: rng.integers(-(2**20), 2**20, N) for address in (ALICE, BOB, CAROL)}
    keys = [rng.bytes(32) for _ in range(5)]
    committee = [Aggregator(key) for key in keys]
    shares = {h: share(u, random_coefficients(N, 3, rng.bytes), 5) for h, u in updates.items()}
    salts = {h: uniform(5 * 4, rng.bytes).reshape(5, 4) for h in updates}
    for seat, aggregator in enumerate(committee):
        digests = {h: digest_bytes(digest(shares[h][seat], salts[h][seat])) for h in updates}
        aggregator.expect(ROUND, seat, digests, N)
        for h in updates:
            parts = shares[h][seat], salts[h][seat]
            aggregator.receive(share_message(ROUND, h, seat, aggregator.public_key, *parts, rng.bytes))
    held = {seat: unpack(a.shares_of(list(updates)), 3 * (N + 4)) for seat, a in enumerate(committee)}
    sums = {seat: sum_shares(list(each.reshape(3, -1)[:, :N])) for seat, each in held.items()}
    sums[4] = sums[4] + F(1)  # a liar
    decoded = decode(sums, 3)
    assert decoded.wrong == (4,)
    assert (signed(decoded.total) == sum(updates.values())).all()


def test_every_share_that_is_asked_for_must_be_held() -> None:
    alice, bob = hospitals(ALICE, BOB)
    aggregator = begun(alice, bob)
    aggregator.receive(alice.message())
    for missing in (BOB, STRANGER):
        with pytest.raises(MissingShare, match=missing) as caught:
            aggregator.shares_of([ALICE, missing])
        assert caught.value.hospital == missing
    for wrong in ([], [ALICE, ALICE]):
        with pytest.raises(ValueError, match="each once"):
            aggregator.shares_of(wrong)


def test_new_round_forgets_the_old_one() -> None:
    alice, bob = hospitals(ALICE, BOB)
    aggregator = begun(alice)
    aggregator.receive(alice.message())
    aggregator.expect(NEXT, SEAT, owed(alice, bob), N)
    assert aggregator.held == ()
    with pytest.raises(MissingShare):
        aggregator.shares_of([ALICE])
    with pytest.raises(UnknownRound):
        aggregator.receive(alice.message(ROUND))
    aggregator.receive(alice.message(NEXT))
    assert aggregator.held == (ALICE,)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ((ROUND[1:], SEAT, {}, N), "round key of 32 bytes, got 31"),
        ((ROUND, -1, {}, N), "seat from 0 to 65535, got -1"),
        ((ROUND, 1 << 16, {}, N), "got 65536"),
        ((ROUND, SEAT, {}, 0), "elements, got 0"),
        ((ROUND, SEAT, {ALICE: bytes(31)}, N), "digest of 32 bytes, got 31"),
        ((ROUND, SEAT, {ALICE: bytes(32), bytes([0x11] * 20): bytes(32)}, N), "each hospital once"),
        ((ROUND, SEAT, {"Alice": bytes(32)}, N), "Alice"),
    ],
)
def test_round_that_makes_no_sense_is_not_begun(arguments: tuple, text: str) -> None:
    (alice,) = hospitals(ALICE)
    aggregator = begun(alice)
    aggregator.receive(alice.message())
    with pytest.raises(ValueError, match=text):
        aggregator.expect(*arguments)
    assert aggregator.held == (ALICE,)


def test_length_of_a_share_comes_from_the_chain_since_the_digest_does_not_tell_it() -> None:
    (alice,) = hospitals(ALICE)
    salt = np.concatenate([alice.share[-1:], alice.salt]).view(F)
    assert digest_bytes(digest(alice.share[:-1], salt)) == alice.digest
    aggregator = begun(alice)
    sealed = share_message(ROUND, ALICE, SEAT, aggregator.public_key, alice.share[:-1], salt, alice.rng)
    aggregator.receive(sealed)
    assert aggregator.shares_of([ALICE]) == kept(alice)


def test_what_is_owed_survives_its_bytes_and_other_bytes_are_refused() -> None:
    said = Owed(ROUND, SEAT, owed(*hospitals(ALICE, BOB)), N)
    data = said.to_bytes()
    assert Owed.from_bytes(data) == said
    rng = np.random.default_rng(0)
    twice = data + data[-52:]
    for bad in (b"", data[:-1], data + b"\0", data[:37], twice, *(rng.bytes(n) for n in range(38))):
        with pytest.raises(ValueError):
            Owed.from_bytes(bad)


# ---------------------------------------------------------------- refusals


def with_byte(message: bytes, at: int) -> bytes:
    at %= len(message)
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


def too_large(hospital: Hospital) -> bytes:
    return hospital.sealed(pack(hospital.share[:-1]) + P.to_bytes(4, "little") + pack(hospital.salt))


def other(hospital: Hospital, at: int) -> bytes:
    """The right share but for one element, well sealed."""
    elements = np.concatenate([hospital.share, hospital.salt]).view(F)
    elements[at] += F(1)
    return hospital.sealed(pack(elements))


REFUSED: list[tuple[str, type[RefusedMessage], Callable[[Hospital], bytes]]] = [
    ("nothing", MalformedMessage, lambda h: b""),
    ("other magic", MalformedMessage, lambda h: with_byte(h.message(), 0)),
    ("other version", MalformedMessage, lambda h: h.message().replace(b"share/1", b"share/2")),
    ("too short", MalformedMessage, lambda h: h.message()[: 16 + 32 + 20 + 47]),
    ("one byte less", MalformedMessage, lambda h: h.message()[:-1]),
    ("one byte more", MalformedMessage, lambda h: h.message() + b"\0"),
    ("one element more", MalformedMessage, lambda h: h.sealed(bytes(4 * (N + 4 + 1)))),
    ("a share of another length", MalformedMessage, lambda h: Hospital(h.address, 0, N + 8).message()),
    ("an element that is p", MalformedMessage, too_large),
    ("another round", UnknownRound, lambda h: h.message(NEXT)),
    ("another round, relabelled", Unopenable, lambda h: MAGIC + ROUND + h.message(NEXT)[48:]),
    ("a stranger", UnknownHospital, lambda h: Hospital(STRANGER, 0).message()),
    (
        "a stranger's, relabelled",
        Unopenable,
        lambda h: h.message()[:68] + Hospital(STRANGER, 0).message()[68:],
    ),
    ("another hospital's", Unopenable, lambda h: h.message()[:68] + Hospital(BOB, 1).message()[68:]),
    ("another hospital's share, sealed anew", WrongShare, lambda h: h.sealed(pack(uniform(N + 4, h.rng)))),
    ("another seat's", Unopenable, lambda h: h.message(seat=SEAT + 1)),
    ("for another key", Unopenable, lambda h: h.message(to=bytes(range(32)))),
    ("one-time key damaged", Unopenable, lambda h: with_byte(h.message(), 68)),
    ("one-time key of small order", Unopenable, lambda h: h.message()[:68] + bytes(32) + h.message()[100:]),
    ("ciphertext damaged", Unopenable, lambda h: with_byte(h.message(), 100)),
    ("tag damaged", Unopenable, lambda h: with_byte(h.message(), -1)),
    ("another share", WrongShare, lambda h: other(h, 0)),
    ("another last element", WrongShare, lambda h: other(h, N - 1)),
    ("another salt", WrongShare, lambda h: other(h, N + 3)),
    ("zeros", WrongShare, lambda h: h.sealed(bytes(4 * (N + 4)))),
]


@pytest.mark.parametrize("refusal, make", [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused_by_name_changes_nothing_and_tells_no_secret(
    refusal: type[RefusedMessage], make: Callable[[Hospital], bytes]
) -> None:
    alice, bob, carol = hospitals(ALICE, BOB, CAROL)
    aggregator = begun(alice, bob, carol)
    aggregator.receive(carol.message())
    with pytest.raises(RefusedMessage) as caught:
        aggregator.receive(make(alice))
    assert type(caught.value) is refusal
    told = (repr(aggregator) + texts(caught.value)).lower()
    assert not [secret for secret in secrets_of(alice, bob, carol) if secret in told]
    assert aggregator.held == (CAROL,)
    assert aggregator.shares_of([CAROL]) == kept(carol)
    aggregator.receive(alice.message())  # the right one still comes through
    assert aggregator.shares_of([ALICE]) == kept(alice)


def texts(error: BaseException | None) -> str:
    """All that an exception and those behind it say, tracebacks included."""
    found = ""
    while error is not None:
        found += repr(error) + str(error) + repr(vars(error)) + "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__
    return found


def test_every_refusal_has_its_case_and_a_number() -> None:
    assert {r[1] for r in REFUSED} | {AlreadyHeld} == set(REFUSALS) == set(RefusedMessage.__subclasses__())
    assert issubclass(RefusedMessage, ValueError)


def test_share_that_is_held_is_not_taken_again_nor_replaced() -> None:
    (alice,) = hospitals(ALICE)
    aggregator = begun(alice)
    message = alice.message()
    aggregator.receive(message)
    for again in (message, alice.message(), other(alice, 0), message[:-1]):
        with pytest.raises(AlreadyHeld, match=ALICE):
            aggregator.receive(again)
    assert aggregator.shares_of([ALICE]) == kept(alice)


def test_nothing_is_known_before_the_first_round() -> None:
    (alice,) = hospitals(ALICE)
    aggregator = Aggregator(KEY)
    with pytest.raises(UnknownRound):
        aggregator.receive(alice.message())
    with pytest.raises(UnknownHospital):
        aggregator.learn(ALICE, alice.elements)
    assert aggregator.held == ()


def test_published_share_is_learnt_if_it_is_the_right_one() -> None:
    alice, bob = hospitals(ALICE, BOB)
    aggregator = begun(alice, bob)
    wrong = [alice.elements[0] ^ 1, *alice.elements[1:]]
    cases: list[tuple[type[RefusedMessage], str, list]] = [
        (WrongShare, ALICE, wrong),
        (WrongShare, ALICE, bob.elements),
        (UnknownHospital, STRANGER, alice.elements),
        (MalformedMessage, ALICE, alice.elements[:-1]),
        (MalformedMessage, ALICE, [P, *alice.elements[1:]]),
        (MalformedMessage, ALICE, [-1, *alice.elements[1:]]),
        (MalformedMessage, ALICE, [2**70, *alice.elements[1:]]),
        (MalformedMessage, ALICE, [0.5, *alice.elements[1:]]),
        (MalformedMessage, ALICE, []),
    ]
    for refusal, hospital, elements in cases:
        with pytest.raises(RefusedMessage) as caught:
            aggregator.learn(hospital, elements)
        assert type(caught.value) is refusal and aggregator.held == ()
        assert not [secret for secret in secrets_of(alice, bob) if secret in texts(caught.value).lower()]
    for _ in range(2):
        aggregator.learn(ALICE, np.array(alice.elements))
        assert aggregator.shares_of([ALICE]) == kept(alice)


def test_message_with_parts_that_do_not_fit_is_not_made() -> None:
    (alice,) = hospitals(ALICE)
    key = public_key(KEY)
    for round_key, part, salt in (
        (ROUND[1:], alice.share, alice.salt),
        (ROUND, alice.share, alice.salt[:-1]),
        (ROUND, alice.share.reshape(2, -1), alice.salt),
    ):
        with pytest.raises(ValueError, match="expected a round key"):
            share_message(round_key, ALICE, SEAT, key, part, salt, alice.rng)
    with pytest.raises(ValueError):
        share_message(ROUND, ALICE, SEAT, bytes(32), alice.share, alice.salt, alice.rng)


def test_key_of_another_length_is_no_key() -> None:
    for make in (Aggregator, AggregatorProcess):
        with pytest.raises(ValueError):
            make(KEY[1:])


def mutations(owing: list[Hospital], valid: list[bytes], seed: int, count: int) -> Iterator[bytes]:
    """Messages that were damaged in one of ten ways, never one of `valid`, one of each of `owing`."""
    rng = np.random.default_rng(seed)
    while count:
        message, rival = (bytearray(valid[i]) for i in rng.integers(len(valid), size=2))
        at, size = int(rng.integers(len(message))), int(rng.integers(1, 40))
        match rng.integers(10):
            case 0:
                message[at] ^= 1 << int(rng.integers(8))
            case 1:
                del message[at:]
            case 2:
                del message[at : at + size]
            case 3:
                message[at:at] = rng.bytes(size)
            case 4:
                message[at : at + size] = rng.bytes(size)
            case 5:
                message[at:] = rival[at:]
            case 6:
                message[at : at + size] = rival[at : at + size]
            case 7:
                message = bytearray(rng.bytes(size * 8))
            case 8:
                message[int(rng.choice([16, 48, 68])) :] = rng.bytes(size * 8)
            case 9:  # well sealed, by somebody who has all but one byte right
                hospital = owing[int(rng.integers(len(owing)))]
                plain = bytearray(pack(hospital.share) + pack(hospital.salt))
                plain[at % len(plain)] ^= 1 << int(rng.integers(8))
                message = bytearray(hospital.sealed(bytes(plain)))
        if bytes(message) not in valid:
            count -= 1
            yield bytes(message)


# ---------------------------------------------------------------- processes


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """What processes that are started here write goes into a file, past whatever pytest does with this one's output."""
    with path.open("ab") as file:
        saved = [os.dup(stream) for stream in (1, 2)]
        try:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
            yield
        finally:
            for stream, old in zip((1, 2), saved, strict=True):
                os.dup2(old, stream)
                os.close(old)


class Started(NamedTuple):
    """process: for all tests, each begins a round of its own.   doomed: one more.   path: all that they have written."""

    process: AggregatorProcess
    doomed: AggregatorProcess
    path: Path


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Two processes, which take seconds to start, side by side."""
    path = tmp_path_factory.mktemp("aggregator") / "output"
    with ExitStack() as stack:
        with output_to(path):
            process, doomed = (stack.enter_context(AggregatorProcess(KEY)) for _ in range(2))
        yield Started(process, doomed, path)
    if process._port:  # it was used, so it was told to stop
        assert process._process.exitcode == 0


def test_two_hospitals_deliver_over_loopback(started: Started) -> None:
    process = started.process
    alice, bob = hospitals(ALICE, BOB)
    assert process.public_key == public_key(KEY)
    process.expect(ROUND, SEAT, owed(alice, bob), N)
    assert process.held == ()
    deliver(process.address, alice.message(), PATIENT)
    with pytest.raises(WrongShare):
        deliver(process.address, other(bob, 0), PATIENT)
    with pytest.raises(MissingShare, match=BOB) as caught:
        process.shares_of([ALICE, BOB])
    assert caught.value.hospital == BOB and process.held == (ALICE,)
    deliver(process.address, bob.message(), PATIENT)
    assert process.held == (ALICE, BOB)
    assert process.shares_of([BOB, ALICE]) == kept(bob, alice)


def test_every_refusal_reaches_the_hospital_by_name(started: Started) -> None:
    process = started.process
    alice, bob, carol = hospitals(ALICE, BOB, CAROL)
    process.expect(ROUND, SEAT, owed(alice, bob, carol), N)
    deliver(process.address, carol.message(), PATIENT)
    for refusal, make in [*(r[1:] for r in REFUSED), (AlreadyHeld, lambda h: carol.message())]:
        with pytest.raises(RefusedMessage) as caught:
            deliver(process.address, make(alice), PATIENT)
        assert type(caught.value) is refusal
    assert process.held == (CAROL,)


def test_owner_teaches_published_shares_and_is_told_of_mistakes(started: Started) -> None:
    process = started.process
    alice, bob = hospitals(ALICE, BOB)
    process.expect(ROUND, SEAT, owed(alice, bob), N)
    for refusal, hospital, elements in (
        (WrongShare, ALICE, bob.elements),
        (UnknownHospital, STRANGER, bob.elements),
        (MalformedMessage, ALICE, alice.elements[:-1]),
        (MalformedMessage, ALICE, [P, *alice.elements[1:]]),
    ):
        with pytest.raises(refusal):
            process.learn(hospital, elements)
    process.learn(ALICE, alice.elements)
    assert process.shares_of([ALICE]) == kept(alice)
    for mistake in ([], [ALICE, ALICE]):
        with pytest.raises(ValueError, match="arguments"):
            process.shares_of(mistake)
    with pytest.raises(ValueError, match="round key"):
        process.expect(ROUND[1:], SEAT, owed(alice), N)
    assert process.held == (ALICE,)


def test_requests_that_are_none_are_answered_so(started: Started) -> None:
    process = started.process
    (alice,) = hospitals(ALICE)
    process.expect(ROUND, SEAT, owed(alice), N)
    process.learn(ALICE, alice.elements)
    rng = np.random.default_rng(0)
    said = Owed(NEXT, SEAT, {}, N).to_bytes()
    bad = [b"", b"\0", b"\1", b"\1" + said[:-1], b"\2" + bytes(3), b"\3\0", b"\4" + bytes(21), b"\6", b"\xff"]
    for request in [*bad, *(b"\x80" + rng.bytes(60) for _ in range(20))]:
        process._control.send_bytes(request)
        assert process._control.poll(PATIENT) and process._control.recv_bytes() == bytes([BAD_REQUEST])
    assert process.held == (ALICE,)


def test_fuzzed_messages_are_refused_and_change_nothing(started: Started) -> None:
    """1,000 under BFL_FULL=1. What the process answers is what the rules alone answer."""
    process, _, path = started
    alice, bob, carol = hospitals(ALICE, BOB, CAROL)
    process.expect(ROUND, SEAT, owed(alice, bob, carol), N)
    twin = begun(alice, bob, carol)
    deliver(process.address, carol.message(), PATIENT)
    twin.receive(carol.message())
    valid = [alice.message(), bob.message(), carol.message()]
    seen = set()
    for message in mutations([alice, bob, carol], valid, 0, 1_000 if FULL else 200):
        with pytest.raises(RefusedMessage) as expected:
            twin.receive(message)
        with pytest.raises(RefusedMessage) as caught:
            deliver(process.address, message, PATIENT)
        assert type(caught.value) is type(expected.value)
        seen.add(type(caught.value))
        told = (texts(caught.value) + texts(expected.value)).lower()
        assert not [secret for secret in secrets_of(alice, bob, carol) if secret in told]
    assert seen == set(REFUSALS)
    assert process.held == twin.held == (CAROL,)
    assert process.shares_of([CAROL]) == kept(carol)
    deliver(process.address, valid[0], PATIENT)
    deliver(process.address, valid[1], PATIENT)
    assert process.held == (ALICE, BOB, CAROL)
    assert_silent(path, alice, bob, carol)


def assert_silent(path: Path, *owing: Hospital) -> None:
    written = path.read_text(errors="replace").lower()
    assert "traceback" not in written
    assert not [secret for secret in secrets_of(*owing) if secret in written]


def raw(process: AggregatorProcess, data: bytes) -> bytes:
    """What a connection answers to bytes without any frame, until it ends."""
    with socket.create_connection(process.address, PATIENT) as connection:
        answer = b""
        with suppress(OSError):  # it may hang up on what it has not read
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(16):
                answer += part
        return answer


def test_garbage_and_frames_too_long_or_cut_short_are_refused(started: Started) -> None:
    process, _, path = started
    (alice,) = hospitals(ALICE)
    process.expect(ROUND, SEAT, owed(alice), N)
    rng = np.random.default_rng(0)
    message = alice.message()
    frame = len(message).to_bytes(4, "big") + message
    half = [b"", b"\0", frame[:3], frame[:4], frame[:-1], (FRAME_BYTES).to_bytes(4, "big") + bytes(1000)]
    for data in half:
        assert raw(process, data) == b""
    malformed = bytes([1 + REFUSALS.index(MalformedMessage)])
    assert raw(process, bytes(4)) == malformed
    for size in (FRAME_BYTES + 1, 2**32 - 1):
        assert raw(process, size.to_bytes(4, "big")) == malformed
        assert raw(process, size.to_bytes(4, "big") + bytes(1 << 17)) in (malformed, b"")
    with pytest.raises(MalformedMessage):
        deliver(process.address, bytes(FRAME_BYTES), PATIENT)
    with pytest.raises(ValueError, match="expected at most 1048576 bytes, got 1048577"):
        deliver(process.address, bytes(FRAME_BYTES + 1), PATIENT)
    for _ in range(50):
        assert raw(process, rng.bytes(int(rng.integers(1, 300)))) in (malformed, b"")
    assert process.held == ()
    assert raw(process, frame + b"more") in (bytes([DONE]), b"")  # one message a connection
    assert process.held == (ALICE,)
    assert_silent(path, alice)


def test_connections_that_stay_silent_are_hung_up_on_and_others_served(started: Started) -> None:
    process = started.process
    alice, bob = hospitals(ALICE, BOB)
    process.expect(ROUND, SEAT, owed(alice, bob), N)
    silent = [socket.create_connection(process.address, PATIENT) for _ in range(CONNECTIONS - 1)]
    for i, connection in enumerate(silent):
        connection.sendall([b"", b"\0\0", b"\0\0\1\0half"][i % 3])
    deliver(process.address, alice.message(), PATIENT)  # in the place that is left
    silent += [socket.create_connection(process.address, PATIENT) for _ in range(9)]
    deliver(process.address, bob.message(), PATIENT)  # when the others have had their time
    assert process.held == (ALICE, BOB)
    for connection in silent:
        assert connection.recv(1) == b""
        connection.close()


def test_forty_hospitals_at_once(started: Started) -> None:
    process = started.process
    crowd = hospitals(*ADDRESSES[:40])
    process.expect(ROUND, SEAT, owed(*crowd), N)
    messages = [hospital.message() for hospital in crowd]
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda message: deliver(process.address, message, PATIENT), messages))
    assert sorted(process.held) == sorted(h.address for h in crowd)
    assert process.shares_of(ADDRESSES[:40]) == kept(*crowd)


def test_process_that_was_killed_is_gone_from_every_call(started: Started) -> None:
    (alice,) = hospitals(ALICE)
    process = started.doomed
    address = process.address
    process.expect(ROUND, SEAT, owed(alice), N)
    deliver(address, alice.message(), PATIENT)
    os.kill(process._process.pid or 0, signal.SIGKILL)
    assert_gone(process)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:\d+: ConnectionRefusedError"):
        deliver(address, alice.message(), PATIENT)
    process.kill()  # again, and no harm done


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_process_that_dies_or_hangs_before_it_listens_is_gone(sign: signal.Signals, monkeypatch) -> None:
    monkeypatch.setattr(aggregator_process, "START_SECONDS", PATIENT if sign is signal.SIGKILL else 0.1)
    with AggregatorProcess(KEY) as process:
        os.kill(process._process.pid or 0, sign)
        assert_gone(process)


def assert_gone(process: AggregatorProcess) -> None:
    (alice,) = hospitals(ALICE)
    for ask in (
        lambda: process.held,
        lambda: process.address,
        lambda: process.shares_of([ALICE]),
        lambda: process.expect(ROUND, SEAT, owed(alice), N),
        lambda: process.learn(ALICE, alice.elements),
    ):
        with pytest.raises(AggregatorGone):
            ask()


def test_deliver_gives_up_on_peers_that_are_no_aggregators() -> None:
    (alice,) = hospitals(ALICE)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        address = listener.getsockname()
        with pytest.raises(Unreachable, match="TimeoutError"):  # nobody takes the call
            deliver(address, alice.message(), 0.05)
        listener.accept()[0].close()
        for said, text in (
            (b"", "Connection"),
            (bytes([BAD_REQUEST]), "answered 255"),
            (b"\7", "answered 7"),
        ):

            def answer(said: bytes = said) -> None:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(said)

            served = pool.submit(answer)
            with pytest.raises(Unreachable, match=text):
                deliver(address, alice.message(), PATIENT)
            served.result()
