"""Processes of this program's own, to prove in: each has its share of the cores, and ends when the program does."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_pool(workers: int | None = None) -> ProcessPoolExecutor:
    """workers: as many as cores by default.

    Fresh processes, not forks: compiled parallel loops do not survive a fork. Killed with its pool at work, a program would
    leave them behind: each watches it.
    """
    count = workers or cores()
    threads = max(1, cores() // count)
    return ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin, initargs=(threads,))


def _begin(threads: int) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import numba

    numba.set_num_threads(min(threads, numba.get_num_threads()))


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
