"""Proving and verifying: permutations a second, microseconds a trace cell, and seconds against gas.

python -m benchmarks.stark [--json] [--quick] [--plot FILE]

--quick: the headline sizes only. --json: the keys of the wide Poseidon2 line at 2^14 rows, with the on-chain figures of
the cheapest membership proof (`of_membership` names them), and every line under `lines`. --plot: the frontier of seconds
against gas. Each time is the best of three, compiled code cached; compilation is timed apart, in a process of its own with
an empty cache. Every line at 100 proven bits or more (Johnson bound), zero knowledge on.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bfl_ref import figures
from bfl_ref.chain.compile import compile_contracts
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.stark import EVALUATOR_SETTINGS, deploy_verifier, verifier_artifact
from bfl_ref.stark.air import Air
from bfl_ref.stark.field import F, base
from bfl_ref.stark.params import StarkParams
from bfl_ref.stark.prover import prove
from bfl_ref.stark.setup import Domain, Setup, params_for, setup
from bfl_ref.stark.solidity.evaluator import evaluators
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.fibonacci import Fibonacci
from bfl_ref.statements.membership import Membership
from bfl_ref.statements.poseidon2 import Poseidon2Chain

HEADLINE_LOG_ROWS = 14
LOG_ROWS = range(10, 17)
COST = ("verify_gas", "calldata_bytes", "contract_bytes_max")
# The frontier of seconds against gas: (depth, log2 blow-up). Blow-up 8 needs 2,048 rows: in a shorter trace the blinding
# brings the quotient of degree 8 to nine chunks.
FRONTIER = ((127, 3), (127, 4), (127, 5), (31, 4), (31, 5), (31, 6), (31, 7))
REPEATS = 3
SEED = 2026
DOMAIN = Domain(
    31337, "0x00000000000000000000000000000000000000c0", 1, "0x00000000000000000000000000000000000000ee"
)


def random_elements(*shape: int) -> F:
    return base(np.random.default_rng(SEED).integers(0, F.order, shape, dtype=np.uint32))


def measure(
    air: Air, trace: F, params: StarkParams, permutations: int, contract: bool = False
) -> dict[str, Any]:
    """One line: prove and verify REPEATS times, best times; peak memory is that of this process so far."""
    made, public = setup(air, params), air.public_inputs_of(trace)  # type: ignore[attr-defined]
    prove_s, verify_s, phases = [], [], {}
    for _ in range(REPEATS):
        marks: list[tuple[str, float]] = []
        begin = time.perf_counter()
        proof = prove(
            made,
            trace,
            public,
            DOMAIN,
            progress=lambda p, m=marks: m.append((p, time.perf_counter())),  # type: ignore[misc]
        )
        end = time.perf_counter()
        verify(made, proof, public.tolist(), DOMAIN)
        verify_s.append(time.perf_counter() - end)
        prove_s.append(end - begin)
        if end - begin == min(prove_s):
            ends = [at for _, at in marks[1:]] + [end]
            phases = {name: round(b - a, 4) for (name, a), b in zip(marks, ends, strict=True)}
    columns, rows = trace.shape
    return {
        "statement": air.name,
        "rows": rows,
        "columns": columns,
        "cells": trace.size,
        "permutations_per_s": round(permutations / min(prove_s)),
        "blowup": params.blowup,
        "queries": params.queries,
        "grinding": params.grinding_bits,
        "proven_bits": round(made.security.bits, 1),
        "prove_s": round(min(prove_s), 4),
        "prove_us_per_cell": round(min(prove_s) / trace.size * 1e6, 3),
        "phases_s": phases,
        "peak_mb": round(peak_mb()),
        "proof_bytes": len(proof),
        "verify_s": round(min(verify_s), 4),
        **(on_chain(made, proof, public) if contract else dict.fromkeys(COST)),
    }


def on_chain(made: Setup, proof: bytes, public: F, data: bytes = b"") -> dict[str, int]:
    """One verification as a transaction on the embedded chain, by an evaluator generated for just this set-up."""
    with tempfile.TemporaryDirectory() as folder, open_chain() as node:
        parts = evaluators("Evaluator", made)
        paths = [Path(folder) / f"{name}.sol" for name in parts]
        for path, source in zip(paths, parts.values(), strict=True):
            path.write_text(source)
        compiled = compile_contracts([str(path) for path in paths], EVALUATOR_SETTINGS, cache=Path(folder))
        artifacts, sender = [compiled[name] for name in parts], node.accounts[0]
        verifier = deploy_verifier(node, made, artifacts, sender)
        cost = verifier.cost(proof, DOMAIN, public.tolist(), sender, data)
    largest = max(artifact.runtime_bytes for artifact in [*artifacts, verifier_artifact(made)])
    return dict(zip(COST, (cost.gas, cost.calldata_bytes, largest), strict=True))


def peak_mb() -> float:
    """Largest resident size of this process so far. Linux counts it in kB, macOS in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def chain(log_rows: int, log_blowup: int = 3) -> dict[str, Any]:
    """The wide Poseidon2 statement: one permutation a row."""
    air = Poseidon2Chain(1 << log_rows)
    return measure(air, air.trace(random_elements(16)), params_for(air, log_blowup=log_blowup), air.length)


def membership(depth: int, log_blowup: int) -> dict[str, Any]:
    """The narrow one: depth + 1 permutations of 16 rows each, one FRI layer as the contracts have it."""
    air = Membership(depth)
    trace = air.trace(random_elements(16), random_elements(depth, 8), index=123_456_789 % 2**depth)
    params = params_for(air, log_blowup=log_blowup, folds=(8,))
    return measure(air, trace, params, depth + 1, contract=True)


def compile_seconds() -> float:
    """Start-up and first proof of a process whose kernel cache is empty, less the same with it full."""
    command = [sys.executable, "-c", "from benchmarks.stark import first_proof; first_proof()"]
    with tempfile.TemporaryDirectory() as cache:
        seconds = []
        for _ in range(2):
            begin = time.perf_counter()
            subprocess.run(
                command, env=os.environ | {"NUMBA_CACHE_DIR": cache}, check=True, capture_output=True
            )
            seconds.append(time.perf_counter() - begin)
    return seconds[0] - seconds[1]


def first_proof() -> None:
    """A small proof that needs every kernel."""
    air = Fibonacci(64, last=62)
    trace = air.trace(5)
    prove(
        setup(air, params_for(air, log_blowup=4, target_bits=40)), trace, air.public_inputs_of(trace), DOMAIN
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="the headline sizes only")
    parser.add_argument("--plot", type=Path, help="draw the frontier of seconds against gas into this PNG")
    arguments = parser.parse_args()
    first_proof()
    runs = [lambda: chain(HEADLINE_LOG_ROWS), lambda: membership(31, 7)]
    if not arguments.quick:
        runs = [lambda n=n: chain(n) for n in LOG_ROWS]  # type: ignore[misc]
        runs += [lambda c=c: membership(*c) for c in FRONTIER]  # type: ignore[misc]
    header = (
        f"{'statement':18} {'rows':>6} {'blowup':>6} {'queries':>7} {'bits':>5} {'prove s':>8} {'us/cell':>7}"
    )
    print(f"{header} {'perm/s':>7} {'MB':>5} {'proof B':>8} {'verify s':>8} {'gas':>10}")
    lines = []
    for run in runs:
        line = run()
        lines.append(line)
        print(
            f"{line['statement']:18} {line['rows']:6} {line['blowup']:6} {line['queries']:7} {line['proven_bits']:5}"
            f" {line['prove_s']:8.3f} {line['prove_us_per_cell']:7.3f} {line['permutations_per_s']:7} {line['peak_mb']:5}"
            f" {line['proof_bytes']:8} {line['verify_s']:8.3f} {line['verify_gas'] or '-':>10}",
            flush=True,
        )
    compiled_s = compile_seconds()
    print(f"compiling the kernels, once on a machine: {compiled_s:.1f} s")
    if arguments.plot:
        points = [line for line in lines if line["verify_gas"]]
        figures.save(figures.seconds_against_gas(points), arguments.plot)
    if arguments.json:
        headline = next(line for line in lines if line["rows"] == 1 << HEADLINE_LOG_ROWS)
        cheapest = min((line for line in lines if line["verify_gas"]), key=lambda line: line["verify_gas"])
        costs = {key: cheapest[key] for key in COST}
        summary = {**headline, **costs, "of_membership": [*COST], "compile_s": round(compiled_s, 1)}
        print(json.dumps({**summary, "lines": lines}))


if __name__ == "__main__":
    main()
