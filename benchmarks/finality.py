"""What it costs to put a model in force, by the number of validators: messages, gas, blocks, seconds.

python -m benchmarks.finality [--json] [--quick]

A basic round on anvil with so many validators, all of them drawn: each signs the model (EIP-712) and hands its signature to
whoever brings them, in one transaction. messages: signatures handed over, and the transaction. gas: of that transaction,
when it brings two thirds, and when it brings all. seconds: from the first signature to the model in force, all signed on one
machine. one_by_one_gas: the same votes by a transaction each. open_gas: of opening a round, which draws the committee.
"""

import argparse
import json
import time
from typing import Any

from eth_utils import keccak

from bfl_ref.chain.contracts import Economy, Genesis, System, deploy
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import Content, Phase, Role, RoundParameters
from bfl_ref.governance.validators import ValidatorParameters
from bfl_ref.store import cid_of

SIZES = (3, 5, 9, 15, 31, 63)
HOSPITALS = 3
DURATIONS = (2, 1, 20, 1, 1, 1, 20, 200, 1)  # blocks a phase
EVERYTHING = Role.HOSPITAL | Role.AGGREGATOR | Role.VALIDATOR


def content(name: str) -> Content:
    return Content(cid_of(name.encode()), keccak(name.encode()))


def federation(node: Node, size: int) -> System:
    """`size` validators, the first three of which are the hospitals and aggregate."""
    accounts = node.accounts[:size]
    roles = {str(a.address): EVERYTHING if i < HOSPITALS else Role.VALIDATOR for i, a in enumerate(accounts)}
    economy = Economy(validators=ValidatorParameters(seats=size, penalty=0, fee=0))
    genesis = Genesis(
        roles, dict.fromkeys(roles, 1), content("genesis"), RoundParameters(0, HOSPITALS), economy=economy
    )
    return deploy(node, genesis, accounts[0])


def to_finalise(system: System) -> int:
    """A round in which everything is done but the votes."""
    rounds, node = system.rounds, system.node
    hospitals = node.accounts[:HOSPITALS]
    round_id = rounds.open(content("task"), DURATIONS, sender=hospitals[0])
    while (phase := rounds.phase_of(round_id)) is not Phase.FINALISE:
        for hospital in hospitals:
            if phase is Phase.COMMIT:
                update = content(f"update {round_id} {hospital.address}")
                rounds.commit_update(round_id, update, 5, sender=hospital)
            if phase is Phase.AGGREGATE:
                rounds.submit_candidate(round_id, content(f"model {round_id}"), sender=hospital)
        if phase is Phase.TRAIN:
            node.wait_blocks(rounds.deadline_of(round_id) - node.web3.eth.block_number)
        rounds.advance(round_id, sender=hospitals[0])
    return round_id


def votes(size: int, bring: str) -> tuple[System, int, float]:
    """(system, gas of all votes of a round, seconds until the model is in force). bring: "needed", "all" or "singly"."""
    with open_chain("anvil", accounts=size) as node:
        system = federation(node, size)
        round_id = to_finalise(system)
        model, sender = content(f"model {round_id}"), node.accounts[0]
        by_address = {str(account.address): account for account in node.accounts}
        seated = system.validators.committee_of(round_id)
        count = system.rounds.quorum_of(round_id) if bring == "needed" else size
        begin = time.perf_counter()
        message = system.validators.vote_message(round_id, model)
        signed = [bytes(by_address[v].sign_message(message).signature) for v in seated[:count]]
        for some in [[each] for each in signed] if bring == "singly" else [signed]:
            system.rounds.vote_model(round_id, model, some, sender=sender)
        seconds = time.perf_counter() - begin
        assert system.registry.current().content == model
        return system, sum(system.gas["RoundManager.voteModel"]), seconds


def measure(size: int) -> dict[str, Any]:
    needed = -(-2 * size // 3)
    system, gas, seconds = votes(size, "needed")
    return {
        "needed": needed,
        "messages": needed + 1,
        "gas": gas,
        "all_gas": votes(size, "all")[1],
        "one_by_one_gas": votes(size, "singly")[1],
        "open_gas": max(system.gas["RoundManager.open"]),
        "seconds": round(seconds, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--quick", action="store_true", help="five validators only")
    arguments = parser.parse_args()
    found = {str(size): measure(size) for size in ((5,) if arguments.quick else SIZES)}
    for count, line in found.items():
        print(f"{count:>2} validators  " + "  ".join(f"{name} {value:,}" for name, value in line.items()))
    if arguments.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
