"""The rollup's benchmark, its conclusions: what larger batches would cost, and what other parameters of proofs do."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.stark import DOMAIN, first_proof, on_chain
from bfl_ref.proving import BatchTask
from bfl_ref.stark.prover import prove
from bfl_ref.stark.setup import params_for, setup
from bfl_ref.stark.solidity.statements import rollup_setup
from bfl_ref.statements import rollup
from bfl_ref.statements.rollup import Rollup

LARGER = (128, 256)  # accounts
FULL = 20  # transactions an account in a full batch: 21 entries less ROTATE
BLOWUPS = (4, 5, 6, 7)  # log2


def blowups(task: BatchTask) -> list[dict[str, Any]]:
    """The same batch at other blow-ups: seconds to prove on all cores, witness apart; gas; bytes."""
    first_proof()
    air = Rollup(task.accounts)
    trace, public, data = rollup.fill(air, task.tree, task.batch, task.domain4)
    lines = []
    for log_blowup in BLOWUPS:
        folds = rollup_setup(task.accounts).params.folds
        made = setup(air, params_for(air, log_blowup=log_blowup, folds=folds))
        begin = time.perf_counter()
        proof = prove(made, trace, public, DOMAIN, data)
        line = {"blowup": made.params.blowup, "prove_s": time.perf_counter() - begin}
        gas = on_chain(made, proof, public, data)["verify_gas"]
        counts = {"queries": made.params.queries, "proof_bytes": len(proof), "verify_gas": gas}
        lines.append({**line, **counts})
        print("verification", json.dumps(lines[-1]), flush=True)
    return lines


def extrapolate(lines: Sequence[Mapping[str, Any]], direct: float, ratio: float) -> dict[str, Any]:
    """Gas of a batch as fixed + marginal * transactions, and what follows from it.

    marginal: from the two fillings of the largest size.  fixed, by accounts a: what is left at each size, and for more
    accounts k + d log2(a) + c a fitted to that: Merkle paths grow with the logarithm, what ROTATE and CLOSE cost with a.
    break_even: the least batch that costs no more than the same done directly, among sizes that hold it (exact: fixed and
    marginal are measured).   full: gas a transaction, and the gain, where accounts have 20 transactions each.
    at_ratio: the first of the full sizes, up to 256 accounts, that gains `ratio`; None if none does.   limit: the gain of
    ever larger batches, which is what the marginal cost and an account's share leave.
    """
    largest = lines[-1]
    half = largest["half"]
    marginal = (largest["gas"]["total"] - half["gas"]["total"]) / (largest["batch_size"] - half["batch_size"])
    fixed = {line["accounts"]: line["gas"]["total"] - marginal * line["batch_size"] for line in lines}
    breaks = {a: math.ceil(f / (direct - marginal)) for a, f in fixed.items()}
    found: dict[str, Any] = {
        "marginal_gas": marginal,
        "fixed_gas": fixed,
        "break_even": min((b for a, b in breaks.items() if b <= FULL * a), default=None),
        "break_even_by_accounts": breaks,
    }
    if len(fixed) < 3:
        return found
    points = np.array([[1, math.log2(a), a] for a in fixed])
    (start, doubling, account), *_ = np.linalg.lstsq(points, np.array(list(fixed.values())), rcond=None)
    computed = {a: start + doubling * math.log2(a) + account * a for a in LARGER}
    full = {a: f / (FULL * a) + marginal for a, f in (fixed | computed).items()}
    reached = [a for a, gas in full.items() if direct / gas >= ratio]
    return found | {
        "growth": {"doubling": doubling, "account": account},
        "full": {FULL * a: {"gas": gas, "gain": direct / gas} for a, gas in full.items()},
        "extrapolated": [FULL * a for a in LARGER],
        "at_ratio": FULL * reached[0] if reached else None,
        "limit": direct / (marginal + account / FULL),
    }
