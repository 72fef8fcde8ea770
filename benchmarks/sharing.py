"""Secret-shared aggregation: seconds to share, add up and decode updates, and bytes on a hospital's uplink.

python -m benchmarks.sharing [--json] [--quick]

The headline: 10 hospitals, 1,000,000 parameters, 5 aggregators, threshold 3, in one thread. `share_s`: all hospitals, with
fresh randomness and packing; `aggregate_s`: all aggregators, from packed shares to sum-shares; `decode_s`: once, after one
aggregator lied in one parameter, which is found and named. The decoded sum must equal the sum of the updates, exactly.
Uplink: what one hospital sends to all aggregators, without the envelopes of encryption and the salts of digests.
release: the proof of a 36-weight update (35 and a bias) for the same committee, at 100 proven bits, zero knowledge on;
`prove_s` includes filling the trace, `verify_gas` is IStarkVerifier in a transaction of its own. wide: of 72 weights.
--quick: the same, once instead of the best of three.
"""

import argparse
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.stark import DOMAIN, first_proof, on_chain
from bfl_ref.fixed_point import State
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
from bfl_ref.stark.solidity.statements import release_setup
from bfl_ref.stark.verifier import verify
from bfl_ref.statements.poseidon2 import DIGEST
from bfl_ref.statements.release import Release
from bfl_ref.statements.release_trace import Sharing, fill

PARAMETERS, HOSPITALS, AGGREGATORS, THRESHOLD = 1_000_000, 10, 5, 3
REPEATS = 3
SEED = 1
LIAR = 1


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
    first_proof()  # compiled code

    def once() -> tuple[bytes, F]:
        trace, public = fill(air, sharing)
        return prove(made, trace, public, DOMAIN), public

    prove_s, (proof, public) = min((timed(once) for _ in range(repeats)), key=lambda run: run[0])
    verify_s = min(timed(lambda: verify(made, proof, public.tolist(), DOMAIN))[0] for _ in range(repeats))
    cost = on_chain(made, proof, public)
    return {
        "weights": air.slots,
        "columns": sum(air.widths[:2]) + 5 * air.widths[2],
        "trace_rows": air.length,
        "prove_s": round(prove_s, 3),
        "proof_bytes": len(proof),
        "verify_s": round(verify_s, 3),
        "verify_gas": cost["verify_gas"],
        "proven_bits": round(made.security.bits, 1),
    }


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
    for name, halves in (("release", 1), ("wide", 2)):
        found[name] = line = release(halves, REPEATS)
        print(
            f"{name}: {line['weights']} weights, {line['columns']} columns x {line['trace_rows']} rows, "
            f"prove {line['prove_s']} s, {line['proof_bytes']:,} bytes, verify {line['verify_s']} s, "
            f"{line['verify_gas']:,} gas, {line['proven_bits']} proven bits"
        )
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
