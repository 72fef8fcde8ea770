"""What exactly a forged trace of the training statement breaks: quickly, constraint by constraint, tuple by tuple."""

import re
from dataclasses import replace

import numpy as np
from training_cases import honest, training

from bfl_ref.stark.air import Air, constraints, degree_frame, fields
from bfl_ref.stark.field import F
from bfl_ref.stark.trace import check_trace, trace_frame
from bfl_ref.statements import training as statement
from bfl_ref.statements.training import Training
from bfl_ref.statements.training_trace import Step


def named(air: Air, trace: F, public: F) -> set[str]:
    """Names of what check_trace finds broken."""
    try:
        check_trace(air, trace, public)
    except ValueError as error:
        found = str(error).partition(": ")[2].split("; ")
    else:
        return set()
    return {
        re.sub(r"^(transition|everywhere|boundary) ", "", re.split(r" on row|: ", part)[0]) for part in found
    }


def refusals(step, trace, public) -> set[str]:
    return named(training(step.halves), trace, public)


def broken(step: Step, trace: F, public: F) -> set[str]:
    """Names of what a trace breaks; unbalanced lookups are "lookup". Only where it differs from the step's honest trace."""
    air = training(step.halves)
    right, right_public = honest(step)
    n = air.length
    same = all((public[i] == right_public[i]) for i in statement.CONSTANTS.values())
    changed = np.flatnonzero((trace != right).any(axis=0)) if same else np.arange(n)
    rows = np.unique(np.append(changed, (changed - 1) % n))
    frame = trace_frame(air, trace, public)
    cur, nxt = _at(air, frame, rows)
    found = {name for name, value in air.transition(cur, nxt, frame.k) if value[rows < n - 1].any()}
    found |= {name for name, value in air.everywhere(cur, nxt, frame.k) if np.any(value)}
    whole = fields(air, frame, frame.cur, with_short=True)
    found |= {name for name, row, value in air.boundary(whole, public, frame.k) if value[row]}
    balance = tuples(air, cur, len(rows))
    before, _ = _at(air, trace_frame(air, right, right_public), rows)
    for key, amount in tuples(air, before, len(rows)).items():
        balance[key] = balance.get(key, 0) - amount
    return found | {"lookup" for total in balance.values() if total % F.order}


def _at(air: Training, frame, rows: np.ndarray):
    cells = [(np.asarray(c)[rows]).view(F) for c in (*frame.cur, *frame.short)]
    cur = fields(air, replace(frame, short=cells[len(frame.cur) :]), cells[: len(frame.cur)], with_short=True)
    nxt = fields(air, frame, [c[rows] for c in frame.nxt], with_short=False)
    return cur, nxt


def tuples(air: Training, cur, count: int, without: tuple[str, ...] = ()) -> dict[tuple[int, ...], int]:
    """(numerator's index, values ...) -> the sum of that numerator over some rows."""
    balance: dict[tuple[int, ...], int] = {}
    for fraction in air.lookups(cur, lambda c: F(c % F.order)):
        if fraction.name in without:
            continue
        values = [np.broadcast_to(v, count).tolist() for v in fraction.values]
        for j, numerator in enumerate(fraction.numerators):
            for amount, *key in zip(np.broadcast_to(numerator, count).tolist(), *values, strict=True):
                if amount:
                    balance[j, *key] = balance.get((j, *key), 0) + amount
    return balance


def unbalanced(step: Step, trace: F, public: F, without: tuple[str, ...] = ()) -> set[tuple[int, ...]]:
    """Tuples whose sums are not zero, over all rows."""
    air = training(step.halves)
    frame = trace_frame(air, trace, public)
    sums = tuples(air, fields(air, frame, frame.cur, with_short=True), air.length, without)
    return {key for key, total in sums.items() if total % F.order}


def all_names(air: Training) -> list[str]:
    """Names of all constraints but the lookups', then the lookups' fractions."""
    frame = degree_frame(air, 1, [1] * 1000)
    names = [c.name for c in constraints(air, frame) if not c.name.startswith("lookup ")]
    return [*names, *(f.name for f in air.fractions(frame))]
