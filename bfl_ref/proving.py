"""Making segment proofs: one at a time here, or several at once in processes of their own."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

import numpy as np
from tqdm.auto import tqdm

from .stark.prover import prove
from .stark.setup import Domain
from .stark.solidity.statements import training_setup
from .statements.training import Training
from .statements.training_trace import Step, fill


@dataclass(frozen=True, eq=False)
class ProofTask:
    """An audited step: its number among the round's audits, its witness, and where the proof is valid.

    seed: of the proof's randomness, for runs that are repeated bit by bit; None: the operating system's.
    """

    audit_id: int
    step: Step
    domain: Domain
    seed: int | None = None


Prover = Callable[[Sequence[ProofTask]], Iterator[bytes | None]]
"""Proofs in the order of the tasks; None where the step is not what the statement says, so that there is no proof."""


class Measured:
    """A prover that counts: seconds (wall time of each batch of proofs over their number) and bytes of each proof."""

    def __init__(self, prover: "Prover"):
        self.prover = prover
        self.seconds: list[float] = []
        self.sizes: list[int] = []

    def __call__(self, tasks: Sequence[ProofTask]) -> Iterator[bytes | None]:
        begin = time.perf_counter()
        proofs = list(self.prover(tasks))
        self.seconds += [(time.perf_counter() - begin) / max(len(proofs), 1)] * len(proofs)
        self.sizes += [len(proof) for proof in proofs if proof is not None]
        return iter(proofs)


def prove_step(task: ProofTask) -> bytes | None:
    """The proof of one step, or None if the witness is of a false step."""
    made = training_setup(task.step.halves)
    assert isinstance(made.air, Training)
    trace, public = fill(made.air, task.step)
    rng = secrets.token_bytes if task.seed is None else np.random.default_rng(task.seed).bytes
    try:
        return prove(made, trace, public, task.domain, rng=rng)
    except ValueError:
        return None


def prove_here(tasks: Sequence[ProofTask]) -> Iterator[bytes | None]:
    """One after the other, in this process."""
    return map(prove_step, _shown(tasks))


@contextmanager
def prover_pool(workers: int | None = None) -> Iterator[Prover]:
    """A prover with processes of its own, each proving on its share of the cores. workers: as many as cores by default.

    Fresh processes, not forks: compiled parallel loops do not survive a fork.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = workers or cores
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_use_threads, initargs=(max(1, cores // workers),)
    )
    with pool:
        yield partial(_prove_in, pool)


def _prove_in(pool: ProcessPoolExecutor, tasks: Sequence[ProofTask]) -> Iterator[bytes | None]:
    return iter(
        tqdm(
            pool.map(prove_step, tasks),
            total=len(tasks),
            desc="audited proofs",
            disable=not tasks,
            leave=False,
        )
    )


def _shown(tasks: Sequence[ProofTask]) -> Iterator[ProofTask]:
    return iter(tqdm(tasks, desc="audited proofs", disable=not tasks, leave=False))


def _use_threads(count: int) -> None:
    import numba

    numba.set_num_threads(count)
