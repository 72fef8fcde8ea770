"""Proving local training: seconds, bytes and gas of one segment's step, against what the step itself costs.

python -m benchmarks.training_proof [--json] [--quick] [--plot FILE] [--peers]

A segment: the first 512 training rows of the largest thyroid hospital (clinical, 34 features), one noisy step. Every line
at 100 proven bits or more, zero knowledge on, in a process of its own so that its peak memory is its own; best of three,
compiled code cached. `prove_s` includes filling the trace, `train_s` noise and digests; `verify_gas`: IStarkVerifier in a
transaction of its own. --json: the keys of the parameters that contracts use (blow-up 128), and every line under `lines`.
`overhead`, by audit rate: seconds to prove a round's audits, one after the other, over seconds to train it in all
hospitals. --quick: these parameters only, one seed. --plot: seconds against gas. --peers: one batch of 32 with ezkl, too.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.ezkl_step import prove_batch
from benchmarks.stark import DOMAIN, REPEATS, SEED, first_proof, on_chain, peak_mb
from bfl_ref import figures
from bfl_ref.data import Federation, load
from bfl_ref.fixed_point import (
    SEGMENT_ROWS,
    Hyper,
    Rows,
    commit_rows,
    federated,
    initial_weights,
    scores,
    train_round,
    verified,
)
from bfl_ref.fixed_point.twin import float_federated, float_scores
from bfl_ref.learning import mean_scores
from bfl_ref.stark.field import F, random_base
from bfl_ref.stark.prover import prove
from bfl_ref.stark.setup import Setup, params_for, setup
from bfl_ref.stark.solidity.statements import training_setup
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.training import Training
from bfl_ref.statements.training_trace import Step, fill

DATA = ("thyroid", "clinical")
NOISE = 100
AUDIT_RATES = {".05": 0.05, ".1": 0.1, ".2": 0.2, "1": 1.0}
LOG_BLOWUPS = range(3, 8)
WIDE_FEATURES = 64
PEER_BATCH = 32
EZKL = {"setup_s": 27, "key_mb": 743, "prove_s": 32, "gas": 748_402}
"""One step of a 30-feature logistic regression, batch 32, inputs bound by hashing, measured on 2 such cores."""


def federation(seed: int = 0) -> Federation:
    return load(DATA[0], features=DATA[1], seed=seed)


def hyper() -> Hyper:
    """What thyroid is trained with, and noise: a step without it is proven at the same price."""
    return verified(*DATA, noise=NOISE)[1]


def narrow_rows(count: int = SEGMENT_ROWS) -> Rows:
    """The first rows of the largest hospital."""
    silo = max(federation().silos, key=lambda silo: len(silo.y_train))
    return commit_rows(silo.x_train[:count], silo.y_train[:count], np.random.default_rng(SEED).bytes)


def wide_rows(count: int = SEGMENT_ROWS) -> Rows:
    """Made-up rows of the most features that are provable."""
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(count, WIDE_FEATURES)) / 2
    return commit_rows(x, (x[:, 0] > 0).astype(np.int64), rng.bytes)


def first_step(rows: Rows) -> Step:
    """The first step of a round on rows of one segment."""
    rng = np.random.default_rng(SEED).bytes
    seed, r1 = random_base(DIGEST, rng), random_base(4, rng)
    before, after = train_round(np.zeros(rows.v.shape[1], np.int64), rows, _once(hyper()), seed, r1, rng)
    return Step(rows.v, rows.y, rows.salts, before, after, seed, r1, 0, hyper())


def _once(said: Hyper) -> Hyper:
    return Hyper(1, said.rate, said.clip, said.noise)


def best_of(run: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    """(least seconds, last result)"""
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), result


def measure(made: Setup, rows: Rows, features: int, contract: bool = True) -> dict[str, Any]:
    """One line: a step of `rows` (one segment) trained, proven, verified here and by a contract."""
    assert isinstance(made.air, Training)
    air, step = made.air, first_step(rows)

    def proven() -> tuple[bytes, F]:
        trace, public = fill(air, step)
        return prove(made, trace, public, DOMAIN), public

    train_s, _ = best_of(lambda: first_step(rows), 10 * REPEATS)
    prove_s, (proof, public) = best_of(proven)
    verify_s, _ = best_of(lambda: verify(made, proof, public.tolist(), DOMAIN))
    peak = peak_mb()
    return {
        "rows_per_segment": len(rows.y),
        "features": features,
        "columns": air.widths[1],
        "trace_rows": air.length,
        "blowup": made.params.blowup,
        "queries": made.params.queries,
        "proven_bits": round(made.security.bits, 1),
        "prove_s": round(prove_s, 3),
        "peak_mb": round(peak),
        "proof_bytes": len(proof),
        "verify_s": round(verify_s, 3),
        "verify_gas": on_chain(made, proof, public)["verify_gas"] if contract else None,
        "train_s": round(train_s, 5),
    }


def narrow(log_blowup: int) -> dict[str, Any]:
    """The segment of 34 features. Everything but the blow-up, and the queries that go with it, as contracts have it."""
    first_proof()
    made = training_setup(1)
    if made.params.log_blowup != log_blowup:
        made = setup(made.air, params_for(made.air, log_blowup=log_blowup, folds=made.params.folds))
    return measure(made, narrow_rows(), len(federation().feature_names))


def wide() -> dict[str, Any]:
    first_proof()
    return measure(training_setup(2), wide_rows(), WIDE_FEATURES)


def alone(run: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """In a fresh process: its memory is not that of what was measured before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(run, *arguments).result()


def round_cost(prove_s: float) -> dict[str, Any]:
    """A round of all hospitals: its steps, seconds to train them, audits by rate, and their proofs over training."""
    silos, rng = federation().silos, np.random.default_rng(SEED).bytes
    hospitals = [commit_rows(silo.x_train, silo.y_train, rng) for silo in silos]
    start, said = initial_weights(silos[0].x_train.shape[1]), hyper()
    seed, r1 = random_base(DIGEST, rng), random_base(4, rng)
    train_s, states = best_of(lambda: [train_round(start, rows, said, seed, r1, rng) for rows in hospitals])
    steps = sum(len(each) - 1 for each in states)
    audits = {name: math.ceil(steps * rate) for name, rate in AUDIT_RATES.items()}
    overhead = {name: round(count * prove_s / train_s, 1) for name, count in audits.items()}
    return {"round_train_s": round(train_s, 4), "round_steps": steps, "audits": audits, "overhead": overhead}


def quality(seeds: int) -> dict[str, dict[str, float]]:
    """Mean accuracy and F1 over splits, without noise: the integer rule and its float twin."""
    rounds, said = verified(*DATA)
    found: dict[str, list[Any]] = {"fixed": [], "float": []}
    for seed in range(seeds):
        data = federation(seed)
        test = data.x_test, data.y_test
        found["fixed"].append(scores(federated(data, rounds, said), *test))
        found["float"].append(float_scores(float_federated(data, rounds, said), *test))
    means = {rule: asdict(mean_scores(each)) for rule, each in found.items()}
    return {key: {rule: round(mean[key], 4) for rule, mean in means.items()} for key in ("accuracy", "f1")}


def against_ezkl(line: dict[str, Any]) -> dict[str, float]:
    """How many times less a segment costs than its rows do in batches of 32, by the figures of `EZKL`."""
    batches = line["rows_per_segment"] / PEER_BATCH
    return {
        "prove_time": round(batches * EZKL["prove_s"] / line["prove_s"], 1),
        "gas_per_row": round(batches * EZKL["gas"] / line["verify_gas"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument(
        "--quick", action="store_true", help="the parameters that contracts use only, one seed"
    )
    parser.add_argument("--plot", type=Path, help="draw seconds against gas into this PNG")
    parser.add_argument("--peers", action="store_true", help="prove a batch of the same rows with ezkl, too")
    arguments = parser.parse_args()
    chosen = training_setup(1).params.log_blowup
    runs: list[tuple[Any, ...]] = [(narrow, chosen)]
    if not arguments.quick:
        runs = [(narrow, n) for n in LOG_BLOWUPS] + [(wide,)]
    print(
        f"{'features':>8} {'rows':>5} {'trace':>9} {'blowup':>6} {'queries':>7} {'bits':>5} {'train s':>8} {'prove s':>8}"
        f" {'MB':>5} {'proof B':>8} {'verify s':>8} {'gas':>10}"
    )
    lines = []
    for run, *given in runs:
        line = alone(run, *given)
        lines.append(line)
        print(
            f"{line['features']:8} {line['rows_per_segment']:5} {line['trace_rows']:5}x{line['columns']:3}"
            f" {line['blowup']:6} {line['queries']:7} {line['proven_bits']:5} {line['train_s']:8.5f} {line['prove_s']:8.3f}"
            f" {line['peak_mb']:5} {line['proof_bytes']:8} {line['verify_s']:8.3f} {line['verify_gas']:10,}",
            flush=True,
        )
    sweep = [line for line in lines if line["features"] != WIDE_FEATURES]
    headline = next(line for line in sweep if line["blowup"] == 1 << chosen)
    cost, ratio = round_cost(headline["prove_s"]), against_ezkl(headline)
    print(f"a round of all hospitals: {cost['round_steps']} steps, trained in {cost['round_train_s']:.3f} s")
    for name, times in cost["overhead"].items():
        print(f"  audit rate {name:>3}: {cost['audits'][name]:3} proofs, {times:8,.1f} times the training")
    scored = quality(1 if arguments.quick else 3)
    for key, by_rule in scored.items():
        print(f"{key:8} fixed {by_rule['fixed']:.4f}  float {by_rule['float']:.4f}")
    print(
        f"ezkl, quoted, on as many rows: {ratio['prove_time']} times the time, {ratio['gas_per_row']} times the gas"
    )
    summary = {**headline, **cost, **scored, "against_ezkl": ratio, "lines": lines}
    if arguments.peers:
        try:
            summary["ezkl"] = prove_batch(narrow_rows(PEER_BATCH))
            print(f"ezkl here, one batch of {PEER_BATCH}: {summary['ezkl']}")
        except ModuleNotFoundError as missing:
            print(f"no peer: {missing}; pip install .[peers]")
    if arguments.plot:
        points = [{**line, "rows": line["trace_rows"]} for line in sweep]
        figures.save(figures.seconds_against_gas(points), arguments.plot)
    if arguments.json:
        print(json.dumps(summary))


if __name__ == "__main__":
    main()
