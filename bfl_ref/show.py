"""What notebooks need to show the package instead of reprinting it: source display and exercise checks."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from IPython.display import Code

_LANGUAGE = {".sol": "solidity", ".py": "python", ".cjs": "javascript"}


def show(thing: Callable | type) -> Code:
    """The source of one function or class, as the package runs it. Show one at a time, never a module."""
    return Code(inspect.getsource(thing), language="python")


def show_file(path: Path | str, start: str, end: str) -> Code:
    """The lines of a text file from the first containing `start` to the next containing `end`, both included.

    Raises ValueError if either is missing: a notebook must not show the wrong passage silently.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    first = next((i for i, line in enumerate(lines) if start in line), None)
    if first is None:
        raise ValueError(f"{path.name} has no line that contains {start!r}")
    last = next((i for i in range(first, len(lines)) if end in lines[i]), None)
    if last is None:
        raise ValueError(f"{path.name} has no line that contains {end!r} after {start!r}")
    return Code("\n".join(lines[first : last + 1]), language=_LANGUAGE.get(path.suffix, "text"))


def check(attempt: Callable, reference: Callable, cases: Iterable[tuple]) -> str:
    """Compare an exercise with the package: "not attempted yet", "differs on case ...", or "ok: N cases".

    cases: tuples of positional arguments. Never raises, so that Run All passes over an open exercise.
    """
    count = 0
    for case in cases:
        want = reference(*case)  # first: an attempt may change its arguments
        try:
            got = attempt(*case)
        except NotImplementedError:
            return "not attempted yet"
        except Exception as error:  # a student's code may fail in any way; the answer names how
            return f"raises {type(error).__name__} on case {count}: {error}"
        if not _equal(got, want):
            return f"differs on case {count}: expected {want!r}, got {got!r}"
        count += 1
    return f"ok: {count} cases"


def _equal(got: Any, want: Any) -> bool:
    """Equal in value, and in kind where they hold several values: arrays, tensors, and containers of such."""
    if isinstance(want, Mapping):
        return (
            isinstance(got, Mapping)
            and got.keys() == want.keys()
            and all(_equal(got[k], want[k]) for k in want)
        )
    if isinstance(want, tuple | list):
        return type(got) is type(want) and len(got) == len(want) and all(map(_equal, got, want))
    if getattr(got, "shape", ()) != (shape := getattr(want, "shape", ())):
        return False
    return (not shape or isinstance(got, type(want))) and bool(np.all(np.asarray(got == want)))
