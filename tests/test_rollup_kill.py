"""SIGKILL at random lines of the sequencer, its log and its posting, under load: nothing is lost, nothing happens twice.

A process of its own sends all lists in their order, as owners do who have not heard of a receipt, reads the queue, cuts, has
batches proven and posts them. It ends itself at a line drawn beforehand, or after it, the n-th time that it comes there;
every second time, at a commit of the log. The next one takes over. At last the chain's data alone must hold each confirmed
list once, and lead to the sequencer's state.
"""

import os
import select
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import sequencer_cases
from sequencer_cases import CAPACITY, OWNERS, FileChain, create, opened, prove, signed

from bfl_ref.rollup import entries as e
from bfl_ref.rollup import ledger, log, mempool, posting, sequencer
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.posting import Posting
from bfl_ref.rollup.refusals import RefusedBatch
from bfl_ref.workers import worker_pool

KILLS = 100 if os.environ.get("BFL_FULL") == "1" else 10
WATCHED = {module.__file__ for module in (sequencer, log, mempool, posting, ledger, sequencer_cases)}


@cache
def load() -> tuple[list[bytes], list[list[e.Entry]]]:
    """Lists of all owners, several waiting of each, some of them for a key that the queue replaces; and the queue."""
    rng = np.random.default_rng(2)
    nonces, lists = [0] * OWNERS, []
    for _ in range(90):
        index, other = rng.integers(0, OWNERS, 2).tolist()
        entries = [
            e.transfer(index, other, int(rng.integers(300))),
            e.lock(index, int(rng.integers(50))),
            e.unlock(index, int(rng.integers(50))),
            e.record(index, tuple(rng.integers(0, 2**30, 5).tolist())),
        ]
        chosen = [entries[i] for i in rng.permutation(4)[: rng.integers(4)]]
        lists.append(signed(index, nonces[index], *chosen))
        nonces[index] += 1
    queue = [[e.deposit(int(rng.integers(OWNERS)), 10)] * 2 for _ in range(12)]
    queue[7] = [e.rekey(0, (1, 2, 3, 4, 5))]
    queue[9] = [e.exit_all(1, 0, 0)]
    return lists, queue


Place = tuple[str, int]
"""File and line."""


@dataclass(frozen=True)
class Kill:
    """The n-th time (from 1 on) that a line begins; or then, at the next line of all."""

    place: Place
    n: int
    after: bool


def run(folder: Path, kill: Kill | None, say: int) -> None:
    """Everything from the start. `say`: a pipe for "n place" of each receipt, "n refused"; at last, how often lines ran."""
    lists, queue = load()
    chain, counts, doomed = FileChain(folder / "chain.json"), Counter[Place](), False

    def count(frame, event, argument):
        nonlocal doomed
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line":
            place = frame.f_code.co_filename, frame.f_lineno
            counts[place] += 1
            here = kill is not None and place == kill.place and counts[place] == kill.n
            if doomed or (here and not kill.after):
                os.kill(os.getpid(), signal.SIGKILL)
            doomed = here
        return count

    sys.settrace(count)
    with ThreadPoolExecutor(2) as pool, opened(folder / "log") as made:
        proofs = Posting(made, prove, chain.post, chain.landed, pool, 2)
        for number, data in enumerate(lists):
            try:
                said = str(made.submit(data, float(number)).place)
            except RefusedBatch:
                said = "refused"
            os.write(say, f"{number} {said}\n".encode())
            if number % 7 == 6:
                made.queue(number // 7 + 1, queue[number // 7], float(number))
            while made.cut(float(number)):
                pass
            if number % 4 == 3:
                proofs.advance()
        while made.cut(1000.0):
            pass
        proofs.finish()
    sys.settrace(None)
    with open(say, "w") as pipe:
        pipe.writelines(f"{file}:{line} ran {times}\n" for (file, line), times in counts.items())


@dataclass
class Told:
    """What came out of all processes together. receipts: number of a list -> its place.  ran: lines of the last one."""

    receipts: dict[int, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    ran: dict[Place, int] = field(default_factory=dict)

    def hear(self, text: bytes) -> None:
        for line in text.decode().splitlines():
            what, value, *times = line.split()
            if times:
                file, place = what.split(":")
                self.ran[file, int(place)] = int(times[0])
            elif value == "refused":
                assert int(what) not in self.receipts, "confirmed, and refused when sent again"
                self.refused.add(int(what))
            else:
                assert self.receipts.setdefault(int(what), int(value)) == int(value), "another receipt"


def in_a_process(folder: Path, told: Told, kill: Kill | None) -> bool:
    """Whether it came to its end."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        try:
            run(folder, kill, write)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(write)
    with open(read, "rb") as pipe:
        told.hear(pipe.read())
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL)
    return code == 0


def check(folder: Path, told: Told) -> None:
    lists, queue = load()
    chain = FileChain(folder / "chain.json")
    parts, runs = [], []
    for batch in chain.batches():
        taken, signed_lists, closes = ledger.parse(bytes.fromhex(batch["data"]))
        assert (
            len(taken) + sum(map(len, signed_lists)) <= CAPACITY.entries and len(closes) <= CAPACITY.accounts
        )
        parts += [tuple(part) for part in signed_lists]
        runs += [mempool._queued(entry) for entry in taken]
    assert max(Counter(parts).values()) == 1
    confirmed = {SignedList.from_bytes(lists[number]).entries for number in told.receipts}
    assert set(parts) == confirmed and runs == [entry for item in queue for entry in item]
    assert told.receipts.keys() | told.refused == set(range(len(lists)))
    assert len(set(told.receipts.values())) == len(told.receipts) > 40 < len(lists) - len(told.refused)
    tree = chain.state()
    with opened(folder / "log") as made:
        assert made.settled == len(chain.batches()) > 10 and not made.cuts and not made.waiting
        assert {i: made.account(i) for i in tree.accounts} == tree.accounts


def kills(ran: dict[Place, int]) -> Iterator[Kill]:
    """Lines in random order, so that one that runs once is as likely as one that runs a thousand times."""
    rng = np.random.default_rng(3)
    text = Path(log.__file__).read_text().splitlines()
    (commit,) = [place for place in ran if place[0] == log.__file__ and "commit()" in text[place[1] - 1]]
    while True:
        for chosen in rng.permutation(len(ran)).tolist():
            for place in (sorted(ran)[chosen], commit):
                yield Kill(place, int(rng.integers(1, ran[place] + 1)), bool(rng.integers(2)))


def fresh(folder: Path) -> Path:
    folder.mkdir()
    create(folder / "log")
    return folder


def test_killed_at_random_lines_nothing_is_lost_or_doubled(tmp_path):
    folder, told = fresh(tmp_path / "whole"), Told()
    assert in_a_process(folder, told, None) and told.refused
    check(folder, told)
    killed, lives, coming = 0, 0, kills(told.ran)
    while killed < KILLS:
        folder, told, lives = fresh(tmp_path / str(lives)), Told(), lives + 1
        while killed < KILLS and not in_a_process(folder, told, next(coming)):
            killed += 1
        assert in_a_process(folder, told, None)
        check(folder, told)


def hold(fifo: str) -> None:
    """What a worker is at when its program is killed: it would take for ever."""
    with open(fifo, "w") as told:
        told.write(str(os.getpid()))
    signal.pause()


def test_workers_of_a_killed_program_end_too(tmp_path):
    read, write = os.pipe()
    fifo = str(tmp_path / "fifo")
    os.mkfifo(fifo)
    if (child := os.fork()) == 0:
        worker_pool(1).submit(hold, fifo)
        with open(fifo) as said:
            os.write(write, said.read().encode())
        os.kill(os.getpid(), signal.SIGKILL)
    worker = os.pidfd_open(int(os.read(read, 16)))
    os.waitpid(child, 0)
    ended = select.poll()
    ended.register(worker, select.POLLIN)
    assert ended.poll(120_000), "the worker lives"
    for descriptor in (read, write, worker):
        os.close(descriptor)
