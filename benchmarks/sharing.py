"""Secret-shared aggregation: seconds to share, add up and decode updates, and bytes on a hospital's uplink.

python -m benchmarks.sharing [--json] [--quick]

The headline: 10 hospitals, 1,000,000 parameters, 5 aggregators, threshold 3, in one thread. `share_s`: all hospitals, with
fresh randomness and packing; `aggregate_s`: all aggregators, from packed shares to sum-shares; `decode_s`: once, after one
aggregator lied in one parameter, which is found and named. The decoded sum must equal the sum of the updates, exactly.
Uplink: what one hospital sends to all aggregators, without the envelopes of encryption and the salts of digests.
release: the proof of a 36-weight update (35 and a bias) for the same committee, at 100 proven bits, zero knowledge on;
`prove_s` includes filling the trace, `verify_gas` is IStarkVerifier in a transaction of its own. wide: of 72 weights.
sum, wide_sum: the same of a seat's sum over five hospitals.
round: the second round of the four thyroid hospitals on the embedded chain, a tenth of the steps audited, proofs in a pool,
five aggregator processes. Seconds waited for proofs (`releases_s`, `audits_s`, `sums_s`), seconds inside the transactions
that carry them (`release_verify_s`, `audit_verify_s`, `sum_verify_s`), and the rest: training, shares, other transactions.
--quick: the same, once instead of the best of three, and no round.
"""

import argparse
import json
import secrets
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.stark import DOMAIN, first_proof, on_chain
from bfl_ref.cast import OPERATORS, assemble, sharing_parameters, training_parameters
from bfl_ref.chain.node import open_chain
from bfl_ref.chain.records import Phase
from bfl_ref.data import load
from bfl_ref.fixed_point import State, initial_weights, verified
from bfl_ref.learning import TrainConfig
from bfl_ref.protocol import play_round, put_task
from bfl_ref.proving import Measured, prover_pool
from bfl_ref.shared import keepers_in_processes
from bfl_ref.sharing import (
    MODES,
    additive_messages,
    additive_total,
    decode,
    open_message,
    plain_messages,
    random_coefficients,
    seeded_messages,
    seeded_seats,
    signed,
    sum_shares,
)
from bfl_ref.stark.field import F, P, random_base
from bfl_ref.stark.prover import prove
from bfl_ref.stark.setup import Setup
from bfl_ref.stark.solidity.statements import release_setup, sum_setup
from bfl_ref.stark.verifier import verify
from bfl_ref.statements import release_trace, sum_share
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.release import Release
from bfl_ref.statements.release_trace import Sharing
from bfl_ref.statements.sum_share import PLACES, Addends, SumShare
from bfl_ref.store import FolderStore

PARAMETERS, HOSPITALS, AGGREGATORS, THRESHOLD = 1_000_000, 10, 5, 3
REPEATS = 3
SEED = 1
LIAR = 1
AUDIT_RATE = 0.1


def messages(mode: str, update: np.ndarray, seats: int, threshold: int) -> list[bytes]:
    """What a hospital sends to each aggregator, with fresh randomness of the operating system."""
    if mode == "plain":
        coefficients = random_coefficients(len(update), threshold, secrets.token_bytes)
        return plain_messages(update, coefficients, seats)
    seeds = [secrets.token_bytes(32) for _ in range(seeded_seats(mode, seats, threshold))]
    return (
        seeded_messages(update, seeds, seats) if mode == "shamir_seeds" else additive_messages(update, seeds)
    )


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = run()
    return time.perf_counter() - begin, result


def measure(
    mode: str, parameters: int, hospitals: int, seats: int, threshold: int, repeats: int
) -> dict[str, Any]:
    """One line: the best total of `repeats` runs of one mode. AssertionError unless the sum is exact and the liar named."""
    rng, limit = np.random.default_rng(SEED), P // 2 // hospitals
    updates = [rng.integers(-limit, limit, parameters, endpoint=True) for _ in range(hospitals)]
    seeded = seeded_seats(mode, seats, threshold)

    def aggregate(sent: list[list[bytes]]) -> dict[int, F]:
        return {
            a: sum_shares([open_message(each[a], a, parameters, seeded) for each in sent])
            for a in range(seats)
        }

    def once() -> dict[str, Any]:
        share_s, sent = timed(lambda: [messages(mode, u, seats, threshold) for u in updates])
        aggregate_s, sums = timed(lambda: aggregate(sent))
        if mode == "additive":
            decode_s, total = timed(lambda: additive_total(sums, seats))
        else:
            sums[LIAR][parameters // 2] += F(1)
            decode_s, decoded = timed(lambda: decode(sums, threshold))
            total = decoded.total
            assert decoded.wrong == (LIAR,)
        assert (signed(total) == sum(updates)).all()
        times = {"share_s": share_s, "aggregate_s": aggregate_s, "decode_s": decode_s}
        return {**times, "total_s": sum(times.values()), "uplink_bytes": sum(map(len, sent[0]))}

    return min((once() for _ in range(repeats)), key=lambda line: line["total_s"])


def release(halves: int, repeats: int) -> dict[str, Any]:
    """One release of a made-up update: proven, verified in Python and by the contract, an evaluator compiled for it."""
    made, rng = release_setup(halves, AGGREGATORS, THRESHOLD), np.random.default_rng(SEED)
    air = made.air
    assert isinstance(air, Release)
    model = rng.integers(-(2**18), 2**18, air.slots)
    moved = State(model + rng.integers(-(2**16), 2**16, air.slots), random_base(DIGEST, rng.bytes))
    coefficients = random_coefficients(air.slots, THRESHOLD, rng.bytes)
    salts = random_base((AGGREGATORS, air.salts), rng.bytes)
    sharing = Sharing(moved, model, 264, coefficients, salts)
    return {"weights": air.slots, **proving(made, lambda: release_trace.fill(air, sharing), repeats)}


def sum_proof(halves: int, repeats: int) -> dict[str, Any]:
    """One seat's sum over a full group: proven, verified in Python and by the contract."""
    made, rng = sum_setup(halves), np.random.default_rng(SEED).bytes
    air = made.air
    assert isinstance(air, SumShare)
    addends = Addends(random_base((PLACES, air.slots), rng), random_base((PLACES, air.salts), rng))
    return {"weights": air.slots, **proving(made, lambda: sum_share.fill(air, addends), repeats)}


def proving(made: Setup, filled: Callable[[], tuple[F, F]], repeats: int) -> dict[str, Any]:
    """One proof of a trace that is filled each time."""
    air = made.air
    first_proof()  # compiled code

    def once() -> tuple[bytes, F]:
        trace, public = filled()
        return prove(made, trace, public, DOMAIN), public

    prove_s, (proof, public) = min((timed(once) for _ in range(repeats)), key=lambda run: run[0])
    verify_s = min(timed(lambda: verify(made, proof, public.tolist(), DOMAIN))[0] for _ in range(repeats))
    cost = on_chain(made, proof, public)
    return {
        "columns": sum(air.widths[:2]) + 5 * air.widths[2],
        "trace_rows": air.length,
        "prove_s": round(prove_s, 3),
        "proof_bytes": len(proof),
        "verify_s": round(verify_s, 3),
        "verify_gas": cost["verify_gas"],
        "proven_bits": round(made.security.bits, 1),
    }


def shared_round() -> dict[str, float]:
    """Seconds of a round after set-up, and what they went into."""
    federation, (_, hyper) = load("thyroid", seed=0), verified("thyroid")
    features = len(federation.feature_names)
    training, sharing = training_parameters(features, hyper, AUDIT_RATE), sharing_parameters()
    opened = open_chain("embedded", accounts=len(federation.silos) + OPERATORS)
    with (
        opened as node,
        prover_pool() as pool,
        keepers_in_processes() as keep,
        TemporaryDirectory() as folder,
    ):
        store = FolderStore(Path(folder))
        start, rng = initial_weights(features), np.random.default_rng(SEED).bytes
        made = assemble(node, store, federation, start, rng, training, sharing=sharing, keep=keep)
        task = put_task(store, federation.name, training)
        for _ in range(2):  # the first waits for processes that start
            system, measured = made.system, Measured(pool)
            verify = {
                "release_verify_s": seconds_in(system.rounds, "commit_shared"),
                "audit_verify_s": seconds_in(system.audits, "prove"),
                "sum_verify_s": seconds_in(system.committee, "submit_sum"),
            }
            begin = time.perf_counter()
            outcome = play_round(system, store, made.members, task, TrainConfig(), measured)
            total = time.perf_counter() - begin
            assert outcome.phase is Phase.FINALISED and not outcome.refused
    waited = {
        "releases_s": measured.release_seconds,
        "audits_s": measured.seconds,
        "sums_s": measured.sum_seconds,
    }
    parts = {name: sum(seconds) for name, seconds in (waited | verify).items()}
    parts = {"total_s": total, **parts, "rest_s": total - sum(parts.values())}
    counts = {name.removesuffix("_s"): len(seconds) for name, seconds in waited.items()}
    return {**{name: round(value, 1) for name, value in parts.items()}, **counts}


def seconds_in(client: Any, name: str) -> list[float]:
    """From now on, the seconds of each call of a client's method."""
    call, seconds = getattr(type(client), name).__get__(client), []

    @wraps(call)
    def measured(*arguments: Any, **named: Any) -> Any:
        begin = time.perf_counter()
        try:
            return call(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - begin)

    setattr(client, name, measured)
    return seconds


def summary(parameters: int, hospitals: int, seats: int, threshold: int, repeats: int) -> dict[str, Any]:
    """Every mode under `modes`; the times of plain Shamir sharing as the headline."""
    lines = {mode: measure(mode, parameters, hospitals, seats, threshold, repeats) for mode in MODES}
    times = {key: round(value, 3) for key, value in lines["plain"].items() if key.endswith("_s")}
    return {
        "parameters": parameters,
        "hospitals": hospitals,
        "aggregators": seats,
        "threshold": threshold,
        **times,
        "uplink_bytes_per_hospital": {mode: line["uplink_bytes"] for mode, line in lines.items()},
        "uplink_over_plain_update": {
            mode: round(line["uplink_bytes"] / (4 * parameters), 4) for mode, line in lines.items()
        },
        "modes": {
            mode: {key: round(value, 3) for key, value in line.items()} for mode, line in lines.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="one run of each mode, not the best of three")
    arguments = parser.parse_args()
    repeats = 1 if arguments.quick else REPEATS
    found = summary(PARAMETERS, HOSPITALS, AGGREGATORS, THRESHOLD, repeats)
    print(
        f"{HOSPITALS} hospitals, {PARAMETERS:,} parameters, {AGGREGATORS} aggregators, threshold {THRESHOLD}"
    )
    print(
        f"{'mode':12} {'share s':>8} {'sum s':>8} {'decode s':>8} {'total s':>8} {'uplink B':>11} {'/ update':>8}"
    )
    for mode, line in found["modes"].items():
        print(
            f"{mode:12} {line['share_s']:8.3f} {line['aggregate_s']:8.3f} {line['decode_s']:8.3f} {line['total_s']:8.3f}"
            f" {line['uplink_bytes']:11,} {found['uplink_over_plain_update'][mode]:8.4f}"
        )
    proofs = {
        "release": (release, 1),
        "wide": (release, 2),
        "sum": (sum_proof, 1),
        "wide_sum": (sum_proof, 2),
    }
    for name, (run, halves) in proofs.items():
        found[name] = line = run(halves, REPEATS)
        print(
            f"{name}: {line['weights']} weights, {line['columns']} columns x {line['trace_rows']} rows, "
            f"prove {line['prove_s']} s, {line['proof_bytes']:,} bytes, verify {line['verify_s']} s, "
            f"{line['verify_gas']:,} gas, {line['proven_bits']} proven bits"
        )
    if not arguments.quick:
        found["round"] = line = shared_round()
        print("a whole round: " + ", ".join(f"{name} {value}" for name, value in line.items()))
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
