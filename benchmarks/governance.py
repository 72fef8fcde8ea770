"""Governance and incentives: who earns and who loses, captured committees, the lottery against uniform draws, gas.

python -m benchmarks.governance [--json] [--quick]

Simulation: 100 hospitals, 300 rounds, the rules of the contracts; tokens per identity and round. Capture: how often a third
of the pool holds two thirds of a committee, by closed form and drawn. Unequal: thyroid (clinical) in 30 silos, silo i with
worst * i / 29 of its labels flipped, 10 hospitals a round. Gas: on anvil, by members that are hospitals and validators with
stake and data, all with evidence; the same on any machine.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, replace
from typing import Any

import numpy as np

from bfl_ref.chain.compile import compile_contracts, system_sources
from bfl_ref.chain.contracts import NO_CONTRACT
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import TrainingParameters
from bfl_ref.chain.transactions import transact
from bfl_ref.data import load
from bfl_ref.fixed_point import verified
from bfl_ref.governance import findings, validators
from bfl_ref.governance.behaviours import Behaviour, Shifts
from bfl_ref.governance.reputation import LARGE, ReputationParameters
from bfl_ref.governance.rewards import RewardParameters
from bfl_ref.governance.selection import SelectionParameters
from bfl_ref.governance.simulation import MIXTURE, World, population, simulate
from bfl_ref.governance.unequal import compare, measure_shifts, rounds_to_reach, unequal_silos
from bfl_ref.governance.validators import ValidatorParameters

ROUNDS = 300
POOL, COALITION, SIZES = 99, 33, (3, 5, 7, 9, 11, 15)
WORST = (0.0, 0.5, 0.75)
UNEQUAL_ROUNDS = 40
MEMBERS = (10, 50, 100, 250, 500)


def simulation(seeds: Sequence[int]) -> dict[str, Any]:
    """Means over the seeds; the same by the parameters of small federations, and with made-up rows that agree with the
    model.
    """
    worlds = {
        "large": World(),
        "small": replace(World(), reputation=ReputationParameters()),
        "agreeing": replace(World(), shifts=Shifts(tossed=-100)),
    }
    found: dict[str, Any] = {}
    for name, world in worlds.items():
        rngs = [np.random.default_rng(seed) for seed in seeds]
        histories = [simulate(world, population(world, MIXTURE, rng), ROUNDS, rng) for rng in rngs]
        runs = [findings.outcomes(history) for history in histories]
        for kind in MIXTURE:
            lines = [asdict(each[kind]) for each in runs]
            found.setdefault(name, {})[kind.value] = {
                f: float(np.mean([l[f] for l in lines])) for f in lines[0]
            }
        found[name]["longest_wait"] = max(findings.longest_wait(world, history) for history in histories)
        found[name]["captured"] = sum(len(history.captured) for history in histories)
    return found


def thresholds(seeds: Sequence[int], tolerance: float) -> dict[str, Any]:
    """Smallest stake and audit rate at which each cheat's return is negative, and what a new name costs.

    tolerance: of the stake, in tokens; of the rate, 200 times finer.
    """
    world = World()
    found: dict[str, Any] = {}
    for kind in MIXTURE:
        if kind is not Behaviour.HONEST:
            stake = findings.smallest_stake(world, kind, ROUNDS, seeds, tolerance)
            found[kind.value] = {
                "stake": stake,
                "audit_rate": findings.smallest_audit_rate(world, kind, ROUNDS, seeds, tolerance / 200),
            }
    rates = (0.05, 0.1, 0.2)
    found["lazy_closed_form"] = {f"{rate:g}": findings.lazy_stake(world, 512, rate) for rate in rates}
    found["suspension"] = findings.suspension(world)
    return found | {"new_name": asdict(findings.new_name(world, seeds))}


def capture(draws: int) -> dict[str, dict[str, float]]:
    """By committee size: closed form, frequency over `draws` committees, and whether the best scorers are captured."""
    found = {}
    for seats in SIZES:
        needed, held = validators.two_thirds(seats), 0
        for i in range(draws):
            seed = validators.seed_of(1, "0x" + 40 * "1", i, bytes(32))
            held += sum(j < COALITION for j in validators.draw(seed, range(POOL), seats, 1)) >= needed
        # the patient: flawless, so that their scores are the best ones
        scores = [9000] * COALITION + [8000] * (POOL - COALITION)
        top = validators.top_scorers(scores, [hex(i) for i in range(POOL)], seats)
        found[str(seats)] = {
            "closed_form": validators.capture_probability(POOL, COALITION, seats, needed),
            "drawn": held / draws,
            "top_scorers": float(sum(i < COALITION for i in top) >= needed),
        }
    return found


def unequal(seeds: Sequence[int]) -> dict[str, Any]:
    """By worst noise and seed: F1 of the last five rounds and of all, and the round that reaches uniform draws' last."""
    _, hyper = verified("thyroid", "clinical")
    found: dict[str, Any] = {}
    for seed in seeds:
        federation = load("thyroid", features="clinical", seed=seed)
        if seed == seeds[0]:
            clean = unequal_silos(federation, 30, 0.0, np.random.default_rng(seed))
            found["shifts"] = measure_shifts(clean, hyper, range(10, 25), np.random.default_rng(seed))
        for worst in WORST:
            silos = unequal_silos(federation, 30, worst, np.random.default_rng(seed))
            runs = compare(silos, hyper, UNEQUAL_ROUNDS, seed, LARGE, SelectionParameters())
            last = {name: float(np.mean(one.f1[-5:])) for name, one in runs.items()}
            found[f"{worst:g} {seed}"] = {
                name: {
                    "last": last[name],
                    "mean": float(np.mean(one.f1)),
                    "reached": rounds_to_reach(one.f1, last["uniform"]),
                    "noise": float(np.mean(one.noise[-5:])),
                    "f1": one.f1,
                }
                for name, one in runs.items()
            }
    return found


def gas(node: Node, count: int) -> dict[str, int]:
    """Gas of what a round with 10 hospitals and 5 validators costs among `count` members."""
    sources = [*system_sources(), "bench/Assembly.sol", "test/Relay.sol", "test/StubVerifier.sol"]
    artifacts, sender = compile_contracts(sources), node.accounts[0]

    def create(name: str, *arguments: Any) -> Any:
        factory = node.web3.eth.contract(abi=artifacts[name].abi, bytecode=artifacts[name].bytecode)
        address = transact(node, factory.constructor(*arguments), sender)["contractAddress"]
        return node.web3.eth.contract(address, abi=artifacts[name].abi)

    def send(contract: Any, name: str, *arguments: Any) -> int:
        return transact(node, contract.functions[name](*arguments), sender)["gasUsed"]

    hall, content = create("Assembly"), (bytes(31) + b"\1", bytes(31) + b"\1", 0x55)
    for start in range(0, count, 25):
        send(hall, "admit", min(25, count - start), 7)
    members = hall.functions.members().call()
    token = create("UtilityToken", hall.address, [sender.address], [10**24])
    vault = create("StakeVault", hall.address, token.address, 100)
    registry = create("ModelRegistry", hall.address, content)
    data = create("DataRegistry", hall.address, vault.address)
    beacon = create("Beacon", hall.address, vault.address)
    stub = create("StubVerifier").address
    parts = hall.address, vault.address
    audits = create(
        "Audits",
        *parts,
        registry.address,
        data.address,
        beacon.address,
        [stub, stub],
        TrainingParameters().to_abi(),
    )
    reputation = create("Reputation", hall.address, astuple(LARGE))
    selection = create(
        "Selection", *parts, reputation.address, audits.address, astuple(SelectionParameters())
    )
    judges = create("Validators", *parts, reputation.address, astuple(ValidatorParameters(penalty=50, fee=5)))
    rewards = create("Rewards", hall.address, token.address, astuple(RewardParameters(4000, 100)))
    relay = create("Relay")

    def together(errands: list[tuple[str, str]]) -> None:
        for start in range(0, len(errands), 25):
            send(relay, "forward", errands[start : start + 25])

    errands = []
    for member in members:
        own = [
            (token.address, token.encode_abi("approve", [vault.address, 200])),
            (vault.address, vault.encode_abi("lock", [100])),
            (data.address, data.encode_abi("register", [[bytes(32)], 7, bytes(32), content])),
        ]
        send(token, "transfer", member, 200)
        errands.append((member, relay.encode_abi("forward", [own])))
    together(errands)
    for first in range(1, 2 + count // 16):  # everybody has stood in a lottery
        send(audits, "begin", first)
        send(selection, "select", first, 2**32 - 1, 100, first.to_bytes(32, "big"))
    together(
        [
            (reputation.address, reputation.encode_abi("record", [40 + i % 90, m, 5000, 300]))
            for i, m in enumerate(members)
        ]
    )
    send(token, "transfer", rewards.address, 10_000)
    round_id = 200
    send(audits, "begin", round_id)
    used = {
        "select": send(selection, "select", round_id, 2**32 - 1, 100, bytes(31) + b"\7"),
        "seat": send(judges, "seat", round_id),
        "record": send(reputation, "record", round_id, members[0], 512, 0),
    }
    paid = members[: SelectionParameters().seats]
    used["credit"] = send(rewards, "credit", round_id, paid, [10_000] * len(paid), paid[:5], NO_CONTRACT)
    claim = relay.encode_abi("forward", [[(rewards.address, rewards.encode_abi("claim"))]])
    used["claim"] = send(relay, "forward", [(paid[0], claim)])
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="one seed, fewer draws, gas up to 100 members")
    arguments = parser.parse_args()
    begin, quick = time.perf_counter(), arguments.quick
    results: dict[str, Any] = {"simulation": simulation(range(1 if quick else 5))}
    for name, lines in results["simulation"].items():
        waits = f"longest wait {lines['longest_wait']}, captured {lines['captured']}"
        nets = "  ".join(f"{k.value} {lines[k.value]['net']:+.3f}" for k in MIXTURE)
        print(f"parameters {name:9} tokens a round: {nets} {waits}")
    results["thresholds"] = thresholds(range(1), 8.0) if quick else thresholds(range(3), 1.0)
    print("thresholds", json.dumps(results["thresholds"]), flush=True)
    results["capture"] = capture(1000 if quick else 10_000)
    for seats, line in results["capture"].items():
        print(f"committee of {seats:>2}: ", "  ".join(f"{name} {value:.5f}" for name, value in line.items()))
    results["unequal"] = unequal(range(1 if quick else 3))
    for case, line in results["unequal"].items():
        if case == "shifts":
            print("group scores", {kind: (round(mean), round(std)) for kind, (mean, std) in line.items()})
        else:
            texts = (
                f"{k} last {v['last']:.3f} mean {v['mean']:.3f} reached {v['reached']}"
                for k, v in line.items()
            )
            print(f"worst, seed {case:6}", "  ".join(texts), flush=True)
    with open_chain("anvil") as node:
        results["gas"] = {str(count): gas(node, count) for count in ((10, 100) if quick else MEMBERS)}
    for count, used in results["gas"].items():
        print(f"{count:>3} members  " + "  ".join(f"{name} {value:,}" for name, value in used.items()))
    results["seconds"] = time.perf_counter() - begin
    print(f"{results['seconds']:.0f} s")
    if arguments.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
