"""Making proofs of steps, of releases and of sums: one at a time here, or several at once in processes of their own."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from tqdm.auto import tqdm

from .fixed_point import HALF_SLOTS
from .rollup.accounts import StateTree
from .rollup.ledger import Batch
from .rollup.signatures import Domain4
from .stark.field import F
from .stark.prover import prove
from .stark.setup import Domain, Setup
from .stark.solidity.statements import release_setup, rollup_setup, sum_setup, training_setup
from .statements import release_trace, rollup, sum_share, training_trace
from .statements.release import Release
from .statements.release_trace import Sharing
from .statements.rollup import Rollup
from .statements.sum_share import Addends, SumShare
from .statements.training import Training
from .statements.training_trace import Step
from .workers import cores, worker_pool


@dataclass(frozen=True, eq=False)
class ProofTask:
    """An audited step: its number among the round's audits, its witness, and where the proof is valid.

    seed: of the proof's randomness, for runs that are repeated bit by bit; None: the operating system's.
    """

    audit_id: int
    step: Step
    domain: Domain
    seed: int | None = None


@dataclass(frozen=True, eq=False)
class ReleaseTask:
    """What a hospital shares, to be proven. domain, seed: as of a ProofTask."""

    sharing: Sharing
    domain: Domain
    seed: int | None = None


@dataclass(frozen=True, eq=False)
class SumTask:
    """An aggregator's sum over a group, to be proven. addends: the shares that it is of. domain, seed: as of a ProofTask."""

    group: int
    addends: Addends
    domain: Domain
    seed: int | None = None


@dataclass(frozen=True, eq=False)
class BatchTask:
    """A batch of the rollup, to be proven. accounts: of the statement.  tree: the state before.

    domain4: where its lists are signed for.  domain, seed: as of a ProofTask.
    """

    accounts: int
    tree: StateTree
    batch: Batch
    domain4: Domain4
    domain: Domain
    seed: int | None = None


Task = ProofTask | ReleaseTask | SumTask | BatchTask
Prover = Callable[[Sequence[Task]], Iterator[bytes | None]]
"""Proofs in the order of the tasks; None where the step is not what the statement says, so that there is no proof."""


class Measured:
    """A prover that counts: seconds that its caller waited for each proof, and bytes of each proof.

    What the caller does with a proof, putting it on a chain, goes on while a pool makes the next ones: that is no waiting.
    seconds, sizes: of steps.   release_seconds, release_sizes: of releases.   sum_seconds, sum_sizes: of sums.
    batch_seconds, batch_sizes: of batches.
    """

    def __init__(self, prover: "Prover"):
        self.prover = prover
        self.seconds: list[float] = []
        self.sizes: list[int] = []
        self.release_seconds: list[float] = []
        self.release_sizes: list[int] = []
        self.sum_seconds: list[float] = []
        self.sum_sizes: list[int] = []
        self.batch_seconds: list[float] = []
        self.batch_sizes: list[int] = []

    def __call__(self, tasks: Sequence[Task]) -> Iterator[bytes | None]:
        proofs = self.prover(tasks)
        for task in tasks:
            begin = time.perf_counter()
            proof = next(proofs)
            seconds, sizes = self._of(task)
            seconds.append(time.perf_counter() - begin)
            if proof is not None:
                sizes.append(len(proof))
            yield proof

    def _of(self, task: Task) -> tuple[list[float], list[int]]:
        if isinstance(task, ReleaseTask):
            return self.release_seconds, self.release_sizes
        if isinstance(task, BatchTask):
            return self.batch_seconds, self.batch_sizes
        return (self.sum_seconds, self.sum_sizes) if isinstance(task, SumTask) else (self.seconds, self.sizes)


def prove_step(task: Task) -> bytes | None:
    """The proof of one step, release, sum or batch, or None if the witness is of a false one."""
    rng = secrets.token_bytes if task.seed is None else np.random.default_rng(task.seed).bytes
    try:
        made, trace, public, data = _laid_out(task)
        return prove(made, trace, public, task.domain, data, rng=rng)
    except ValueError:
        return None


def _laid_out(task: Task) -> tuple[Setup, F, F, bytes]:
    """(set-up, trace, public inputs, public data). ValueError for an update that moves too far to be released."""
    if isinstance(task, BatchTask):
        made = rollup_setup(task.accounts)
        assert isinstance(made.air, Rollup)
        return made, *rollup.fill(made.air, task.tree, task.batch, task.domain4)
    if isinstance(task, ReleaseTask):
        sharing = task.sharing
        halves, seats = len(sharing.model) // HALF_SLOTS, len(sharing.salts)
        made = release_setup(halves, seats, len(sharing.coefficients) + 1)
        assert isinstance(made.air, Release)
        return made, *release_trace.fill(made.air, sharing), b""
    if isinstance(task, SumTask):
        made = sum_setup(task.addends.shares.shape[1] // HALF_SLOTS)
        assert isinstance(made.air, SumShare)
        return made, *sum_share.fill(made.air, task.addends), b""
    made = training_setup(task.step.halves)
    assert isinstance(made.air, Training)
    return made, *training_trace.fill(made.air, task.step), b""


def prove_here(tasks: Sequence[Task]) -> Iterator[bytes | None]:
    """One after the other, in this process."""
    return map(prove_step, _shown(tasks))


@contextmanager
def prover_pool(workers: int | None = None) -> Iterator[Prover]:
    """A prover with processes of its own (`worker_pool`), which get ready at once, while others set up."""
    with worker_pool(workers) as pool:
        for _ in range(workers or cores()):
            pool.submit(_get_ready)
        yield partial(_prove_in, pool)


def _prove_in(pool: ProcessPoolExecutor, tasks: Sequence[Task]) -> Iterator[bytes | None]:
    return iter(
        tqdm(
            pool.map(prove_step, tasks),
            total=len(tasks),
            desc="proofs",
            disable=not tasks,
            leave=False,
        )
    )


def _shown(tasks: Sequence[Task]) -> Iterator[Task]:
    return iter(tqdm(tasks, desc="proofs", disable=not tasks, leave=False))


def _get_ready() -> None:
    """Imports, set-ups of the narrow statements, and with them the compiled code."""
    for made in (training_setup(1), release_setup(1), sum_setup(1)):
        assert made.security.bits >= 100
