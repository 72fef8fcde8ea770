"""Transactions through the rollup against the same done directly: gas, bytes, seconds, and three throughputs kept apart.

python -m benchmarks.rollup [--json] [--quick] [--plot FOLDER]

A transaction is what an owner signs or the queue brings (rollup_parts/mix.py: which, and what they cost directly). ROTATE
and CLOSE are overhead, counted in the cost, as are the pushes that fill the queue. Everything is real: lists signed by
wallets, checked and logged by the sequencer, batches proven at 100 proven bits and settled by `Rollup.submit`.

    tps_accept   the sequencer's `submit`: signature and cover checked, one synced transaction of the log a list
    tps_prove    on one core, while every core proves a batch;   prove_s: one batch on all of them, witness included
    tps_settle   by gas, 30 M in 12 s;   on the chain here: seconds of the transactions that settle a batch, pushes included
    l1_tps       the same two bounds, of the mix done directly

Break-even and the ratio of 33 that the paper projects follow from gas that is measured at two fillings of the largest size
and at all sizes; what is said of 128 and 256 accounts is extrapolated. --quick: the headline alone, 1,024 over 64 accounts.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numba
import numpy as np

from benchmarks.rollup_parts.chain import TRANSACTION, open_site, timed_proof
from benchmarks.rollup_parts.levers import blowups, extrapolate
from benchmarks.rollup_parts.mix import calldata_gas, directly, mixed, permutations, shares
from bfl_ref import figures
from bfl_ref.chain.node import ANVIL, open_chain
from bfl_ref.proving import BatchTask
from bfl_ref.statements.rollup.layout import Layout
from bfl_ref.workers import cores, worker_pool

SIZES = ((16, 4), (64, 8), (256, 16), (1024, 64))  # transactions, accounts
DIRECT = 16  # accounts whose transactions are done directly too
BLOCK_GAS, BLOCK_S = 30_000_000, 12
PAPER = {"l1": 15, "l2": 500, "ratio": 33}
SEED = 2026


def measure(transactions: int, accounts: int, where: str = "embedded") -> tuple[dict[str, Any], BatchTask]:
    """One size, from empty accounts on, and the batch that it is about: the third, after one that endows accounts and one
    of half the transactions, whose gas is under `half`.
    """
    rng = np.random.default_rng(SEED)
    batches = mixed(transactions // 2, accounts, rng, first=True), mixed(transactions, accounts, rng)
    with (
        open_chain(where, accounts=accounts + 1) as node,
        TemporaryDirectory() as folder,
        open_site(node, accounts, Path(folder)) as site,
        worker_pool() as pool,
    ):
        pushed, accepted = [], []
        cuts = [site.cut()]
        for batch in batches:
            pushed.append(site.push(batch))
            lists = site.sign(batch)
            accepted.append(site.accept(lists))
            cuts.append(site.cut())
        tasks = [site.task(cut) for cut in cuts]
        (first, _), (second, one_core_s) = pool.map(timed_proof, tasks[:2])
        third, prove_s = timed_proof(tasks[2])
        site.settle(cuts[0], first)
        gas = []
        for cut, proof, (push_gas, _) in zip(cuts[1:], (second, third), pushed, strict=True):
            used, settle_s = site.settle(cut, proof)
            gas.append(parts(used, site.calldata_gas(cut, proof), site.verification(cut, proof), push_gas))
    data, total = cuts[2].applied.data, gas[1]["total"]
    line = {
        "batch_size": transactions,
        "accounts": accounts,
        "l2_gas_per_tx": total / transactions,
        "bytes_per_tx": len(data) / transactions,
        "data_gas_per_tx": calldata_gas(data) / transactions,
        "proof_bytes": len(third),
        "prove_s": prove_s,
        "tps_accept": sum(map(len, batches[1].lists.values())) / accepted[1],
        "tps_prove": transactions / one_core_s,
        "tps_settle": {
            "gas_bound": BLOCK_GAS / BLOCK_S * transactions / total,
            where: transactions / (settle_s + pushed[1][1]),
        },
        "permutations_per_tx": Layout(accounts).slots / transactions,
        "permutations_used_per_tx": permutations(batches[1]),
        "gas": gas[1],
        "half": {"batch_size": transactions // 2, "gas": gas[0]},
    }
    return line, tasks[2]


def parts(used: int, calldata: int, verification: int, push: int) -> dict[str, int]:
    """Gas of a batch, all of it, and what it goes into. contract: what is neither proof nor calldata nor the transaction."""
    contract = used - TRANSACTION - calldata - verification
    total = used + push
    split = {"verification": verification, "calldata": calldata, "contract": contract}
    return {"total": total, **split, "transaction": TRANSACTION, "pushes": push}


def summary(quick: bool) -> dict[str, Any]:
    """Every figure: the headline's at the top, every size under `lines`."""
    chains = ["embedded"] + (["anvil"] if ANVIL.exists() and not quick else [])
    direct: dict[str, Any] = {}
    l1_tps = {}
    for where in chains:
        with open_chain(where, accounts=SIZES[-1][1]) as node:
            direct = directly(node, mixed(*SIZES[-1], np.random.default_rng(SEED)), DIRECT)
        l1_tps[where] = direct["tps"]
    mean = direct["gas"]["mix"]
    lines, task = [], None
    for size in SIZES[-1:] if quick else SIZES:
        line, task = measure(*size)
        line["gas_ratio"] = line["l2_gas_per_tx"] / mean
        line["gas_ratio_in_runs"] = line["l2_gas_per_tx"] / direct["gas"]["in_runs"]
        lines.append(line)
        show(line)
    assert task is not None
    if "anvil" in chains:
        lines[-1]["tps_settle"] |= measure(*SIZES[-1], "anvil")[0]["tps_settle"]
    headline = lines[-1]
    used = headline["permutations_used_per_tx"]
    levers: dict[str, Any] = {
        "signatures": {"permutations_per_tx": used},
        "bytes": {
            "rollup": {"bytes": headline["bytes_per_tx"], "gas": headline["data_gas_per_tx"]},
            "abi": {"bytes": direct["abi_bytes"], "gas": direct["abi_gas"]},
        },
    }
    if not quick:
        levers["verification"] = blowups(task)
    return {
        **headline,
        "l1_gas_per_tx": direct["gas"],
        "l1_tps": {"gas_bound": BLOCK_GAS / BLOCK_S / mean, **l1_tps},
        "mix": shares(mixed(*SIZES[-1], np.random.default_rng(SEED))),
        "cores": cores(),
        "threads": numba.get_num_threads(),
        "paper": PAPER,
        "larger": extrapolate(lines, mean, PAPER["ratio"]),
        "levers": levers,
        "lines": lines,
    }


def show(line: Mapping[str, Any]) -> None:
    per_s = f"{line['tps_accept']:,.0f} accepted, {line['tps_prove']:.1f} proven a core"
    print(
        f"{line['batch_size']:5} over {line['accounts']:2} accounts: {line['l2_gas_per_tx']:9,.0f} gas each,"
        f" {line['gas_ratio']:.3f} of direct ({line['gas_ratio_in_runs']:.3f} of direct in runs),"
        f" {line['bytes_per_tx']:.1f} bytes; prove {line['prove_s']:.1f} s; a second: {per_s},"
        f" {line['tps_settle']['gas_bound']:.0f} settled by gas"
    )
    print("      gas: " + ", ".join(f"{name} {used:,}" for name, used in line["gas"].items()), flush=True)


def plots(found: Mapping[str, Any], folder: Path) -> None:
    """rollup_gas.png and rollup_throughputs.png."""
    full = found["larger"].get("full", {})
    gas = {line["batch_size"]: line["l2_gas_per_tx"] for line in found["lines"]}
    computed = {size: full[size]["gas"] for size in found["larger"].get("extrapolated", [])}
    mean = found["l1_gas_per_tx"]["mix"]
    figures.save(figures.gas_by_batch(gas, mean, computed), folder / "rollup_gas.png")
    ours = {
        "accepted by the sequencer": found["tps_accept"],
        "proven, a core": found["tps_prove"],
        "settled, by gas": found["tps_settle"]["gas_bound"],
        "directly, by gas": found["l1_tps"]["gas_bound"],
    }
    paper = {"paper: rollup": PAPER["l2"], "paper: directly": PAPER["l1"]}
    figures.save(figures.throughput_bars(ours, paper), folder / "rollup_throughputs.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="1,024 transactions over 64 accounts only")
    parser.add_argument("--plot", type=Path, help="draw both figures into this folder")
    arguments = parser.parse_args()
    begin = time.perf_counter()
    found = summary(arguments.quick)
    found["seconds"] = time.perf_counter() - begin
    for name in ("l1_gas_per_tx", "tps_settle", "l1_tps", "permutations_used_per_tx", "larger", "levers"):
        print(name, json.dumps(found[name]))
    print(f"{found['seconds']:.0f} s")
    if arguments.plot:
        plots(found, arguments.plot)
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
