"""Gas: what every action of a round costs, a model by CID against its bytes on the chain, packed against naive storage.

python -m benchmarks.contracts [--json] [--quick]

Gas is counted by the chain's rules and does not depend on the machine. --quick: one round, and a model of 64 kB on the
chain instead of 1 MB. The model kept on the chain comes in pieces of 16 kB, a transaction each: "code" is the code of
contracts made for it (SSTORE2), the cheapest place the EVM has, "storage" is plain slots.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from bfl_ref.cast import BALANCE, STAKE, Consortium, assemble
from bfl_ref.chain.compile import compile_contracts
from bfl_ref.chain.consortium import govern
from bfl_ref.chain.node import GAS_LIMIT, Node, open_chain
from bfl_ref.chain.records import Phase
from bfl_ref.chain.transactions import transact
from bfl_ref.data import load
from bfl_ref.learning import chosen_config, initial_weights
from bfl_ref.protocol import DURATIONS, play_round, put_task
from bfl_ref.store import FolderStore, cid_of

BENCH = ("bench/ModelOnChain.sol", "bench/NaiveRounds.sol")
PIECE_BYTES = 16_384
MODEL_BYTES, QUICK_MODEL_BYTES = 1_000_000, 64_000
ROUNDS = 3


def mean(gas: Sequence[int]) -> int:
    return round(sum(gas) / len(gas))


def play(node: Node, rounds: int) -> Consortium:
    """Rounds of the default cast on the smallest data set; the model and its training leave no trace in the gas."""
    federation, config = load("wdbc", seed=0), chosen_config("wdbc", "logistic", seed=0)
    rng = random.Random(0).randbytes
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(folder)
        model = initial_weights(config, federation.silos[0].x_train.shape[1])
        cast = assemble(node, store, federation, model, rng)
        task = put_task(store, "wdbc", config)
        for _ in range(rounds):
            outcome = play_round(cast.system, store, cast.members, task, config)
            assert outcome.phase is Phase.FINALISED, outcome
        member = cast.members[0].account
        cast.system.vault.request_unlock(STAKE // 2, sender=member)
        call = cast.system.vault.set_unlock_delay(50)
        govern(cast.system.consortium, call, [voter.account for voter in cast.members[:4]])
        cast.system.token.transfer(cast.members[1].account.address, BALANCE // 100, sender=member)
    return cast


def create(node: Node, name: str) -> Any:
    """A contract of contracts/bench, deployed."""
    artifact = compile_contracts(BENCH)[name]
    factory = node.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    receipt = transact(node, factory.constructor(), node.accounts[0])
    return node.web3.eth.contract(receipt["contractAddress"], abi=artifact.abi)


def on_chain(node: Node, name: str, model: bytes) -> int:
    """Gas of a model's bytes on the chain, all pieces together; what was written is read back."""
    contract = create(node, name)
    gas = 0
    for start in range(0, len(model), PIECE_BYTES):
        piece = model[start : start + PIECE_BYTES]
        gas += transact(node, contract.functions.append(piece), node.accounts[0])["gasUsed"]
        assert contract.functions.read(start // PIECE_BYTES).call({"from": node.accounts[0].address}) == piece
    return gas


def naive(node: Node, hospitals: int, rounds: int) -> list[int]:
    """Gas of commitments that keep the same, one slot for every field and CIDs as text.

    Opening a round draws its validators, which the naive one does not: contracts/test/Gas.t.sol compares the records alone.
    """
    contract = create(node, "NaiveRounds")
    gas: list[int] = []
    cid = cid_of(bytes(300_000))
    for round_id in range(1, rounds + 1):
        opened = contract.functions.open(cid, b"\1" * 32, list(DURATIONS), [STAKE, 3, 7, round_id, 5, 7])
        transact(node, opened, node.accounts[0])
        for i, account in enumerate(node.accounts[:hospitals]):
            digest = bytes([round_id, i]) * 16
            commit = contract.functions.commitUpdate(round_id, cid, digest, 500)
            gas.append(transact(node, commit, account)["gasUsed"])
    return gas


def measure(model_bytes: int, rounds: int) -> dict[str, Any]:
    """Every figure. gas: per transaction, the mean over those of the same function."""
    with open_chain("anvil") as node:
        cast = play(node, rounds)
        gas = cast.system.gas
        deployment = {
            name.split(".")[0]: used[0] for name, used in gas.items() if name.endswith(".constructor")
        }
        actions = {name: mean(used) for name, used in gas.items() if not name.endswith(".constructor")}
        model = random.Random(1).randbytes(model_bytes)
        by_cid = actions["RoundManager.submitCandidate"]
        kept = {name: on_chain(node, f"ModelIn{name.title()}", model) for name in ("code", "storage")}
        plain = naive(node, len(cast.hospitals), rounds)
    used_in_rounds = [
        sum(u) for name, u in gas.items() if name.startswith("RoundManager.") and name in actions
    ]
    return {
        "actions": actions,
        "transactions": {name: len(gas[name]) for name in actions},
        "deployment": deployment,
        "round": {"gas": round(sum(used_in_rounds) / rounds), "rounds": rounds},
        "model": {
            "bytes": model_bytes,
            "by_cid": by_cid,
            **{f"in_{name}": used for name, used in kept.items()},
            **{f"{name}_over_cid": used / by_cid for name, used in kept.items()},
        },
        "records": {
            "commitUpdate": {
                "packed": actions["RoundManager.commitUpdate"],
                "naive": mean(plain),
                "naive_over_packed": mean(plain) / actions["RoundManager.commitUpdate"],
            }
        },
    }


def show(figures: Mapping[str, Any]) -> None:
    for title in ("deployment", "actions"):
        print(f"{title}, gas (mean)")
        for name, gas in sorted(figures[title].items()):
            count = figures["transactions"].get(name, 1)
            print(f"  {name:36} {gas:>12,}   {count} transactions")
    print(f"one round of seven members: {figures['round']['gas']:,} gas")
    model = figures["model"]
    print(f"a model of {model['bytes']:,} bytes, gas")
    print(f"  by CID and digest (submitCandidate)  {model['by_cid']:>14,}")
    for name in ("code", "storage"):
        blocks = model[f"in_{name}"] / GAS_LIMIT
        print(
            f"  its bytes in {name:24} {model[f'in_{name}']:>14,}   {model[f'{name}_over_cid']:,.0f} times as much",
            end="",
        )
        print(f", {blocks:.1f} full blocks of {GAS_LIMIT:,}")
    print("records of a round, gas: packed with all checks, against one slot a field with none")
    for name, line in figures["records"].items():
        print(
            f"  {name:16} {line['packed']:>10,} {line['naive']:>10,}   {line['naive_over_packed']:.2f} times as much"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="one round, a smaller model on the chain")
    arguments = parser.parse_args()
    figures = measure(QUICK_MODEL_BYTES, 1) if arguments.quick else measure(MODEL_BYTES, ROUNDS)
    show(figures)
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
