"""One task, four systems: centralised, local-only, FedAvg, and a federation on a real chain, basic or verified."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hexbytes import HexBytes
from tqdm.auto import tqdm

from . import fixed_point, learning
from .aggregation import FLOATS, pack_model
from .cast import OPERATORS, Consortium, assemble
from .chain.contracts import Economy, System
from .chain.events import (
    AggregatorFailed,
    AuditDrawn,
    AuditFailed,
    AuditPassed,
    BatchSettled,
    CommitteeDrawn,
    HospitalSelected,
    RewardClaimed,
    StakeSlashed,
)
from .chain.node import Node
from .chain.records import Phase, SharingParameters, TrainingParameters
from .consent_audit.summary import asked
from .data import Federation
from .governance.reputation import SCORE_ONE
from .governance.rewards import TOKEN
from .integers import INTEGERS
from .layer2 import Layer2
from .learning import Scores, TrainConfig
from .patients import Agreement, choose, depart, introduce
from .privacy.ledger import Budget
from .private import Plan, spent
from .protocol import play_round, put_task
from .proving import Measured, Prover, prove_here
from .rollup.entries import Kind, decode
from .shared import Keep, keep_here
from .store import FolderStore, MeteredStore

BYTES_PER_NUMBER = 4
UNIT = TOKEN // 1000  # of the rollup


@dataclass(frozen=True)
class OnChain:
    """A finished federation on a chain.

    curve: scores before the first round and after each.  gas, transactions: of all rounds, set-up not counted.
    proof_seconds, proof_bytes: of all audited proofs, in order; none in a basic federation.
    release_seconds, release_bytes, sum_seconds, sum_bytes: the same of release proofs and of sums, in shared rounds.
    standings: of each member.   privacy: `private.spent` of the hospitals; empty if nothing is private.
    exhausted: why the last round was not reached.   batches: `settled`; empty if rounds settle at once.
    consent: `asked` of the patients; empty if nobody is asked.
    """

    system: System
    curve: list[Scores]
    seconds: float
    bytes_per_round: float
    gas: int
    transactions: int
    proof_seconds: list[float]
    proof_bytes: list[int]
    release_seconds: list[float]
    release_bytes: list[int]
    sum_seconds: list[float]
    sum_bytes: list[int]
    standings: dict[str, dict[str, float]]
    privacy: dict[str, dict[str, float]]
    exhausted: str
    consent: dict[str, int]
    batches: dict[str, float]

    def figures(self) -> dict[str, float]:
        """One row of the table of results."""
        rounds = len(self.curve) - 1
        row = {
            "seconds": self.seconds,
            "bytes_per_round": self.bytes_per_round,
            "gas_per_round": self.gas / rounds,
        }
        return {**asdict(self.curve[-1]), **row}

    def audits(self) -> dict[str, float]:
        """What was audited in all rounds: counts, tokens slashed (smallest unit), seconds, bytes and gas of the proofs."""
        events = self.system.events()
        counts = {
            name: sum(isinstance(event, kind) for event in events)
            for name, kind in (("drawn", AuditDrawn), ("passed", AuditPassed), ("failed", AuditFailed))
        }
        slashed = sum(event.amount for event in events if isinstance(event, StakeSlashed))
        return {
            **counts,
            "slashed": slashed,
            "proof_seconds": _mean(self.proof_seconds),
            "proof_bytes": _mean(self.proof_bytes),
            "gas_per_proof": _mean(self.system.gas.get("Audits.prove", [])),
        }

    def sharing(self) -> dict[str, float]:
        """What was shared in all rounds: releases and sums, seconds, bytes and gas of each, aggregators that proved none."""
        failed = [e for e in self.system.events() if isinstance(e, AggregatorFailed)]
        return {
            "releases": len(self.release_bytes),
            "proof_seconds": _mean(self.release_seconds),
            "proof_bytes": _mean(self.release_bytes),
            "gas": _mean(self.system.gas.get("RoundManager.commitShared", [])),
            "sums": len(self.sum_bytes),
            "sum_seconds": _mean(self.sum_seconds),
            "sum_bytes": _mean(self.sum_bytes),
            "sum_gas": _mean(self.system.gas.get("Committee.submitSum", [])),
            "failed_aggregators": len(failed),
        }


def standings(consortium: Consortium) -> dict[str, dict[str, float]]:
    """Member -> reputation (1: full belief), rounds in which it trained and sat among the validators, tokens that it was
    paid, lost to slashing, and has at stake.
    """
    system = consortium.system
    events, round_id = system.events(), system.rounds.current_round()
    found = {}
    for member in consortium.members:
        own = member.account.address
        paid = sum(e.amount for e in events if isinstance(e, RewardClaimed) and e.member == own)
        if system.rollup.account_number_of(own):
            paid += system.rollup.account_of(own).balance * UNIT
        slashed = sum(e.amount for e in events if isinstance(e, StakeSlashed) and e.member == own)
        found[member.name] = {
            "reputation": system.reputation.score_of(own, round_id) / SCORE_ONE,
            "trained": sum(isinstance(e, HospitalSelected) and e.hospital == own for e in events),
            "validated": sum(isinstance(e, CommitteeDrawn) and own in e.committee for e in events),
            "paid": paid / TOKEN,
            "slashed": slashed / TOKEN,
            "stake": system.vault.stake_of(own).active / TOKEN,
        }
    return found


def claim_all(consortium: Consortium) -> None:
    """Every member fetches what it has earned."""
    rewards = consortium.system.rewards
    for member in consortium.members:
        if rewards.owed_to(member.account.address):
            rewards.claim(sender=member.account)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def off_chain(federation: Federation, config: TrainConfig) -> dict[str, dict[str, float]]:
    """The three baselines: scores on the common test rows, seconds, bytes that move between parties in a round.

    Centralised moves the pooled table once, spread here over the rounds; FedAvg the model to each hospital, its update back.
    """
    rows = sum(len(silo.y_train) for silo in federation.silos)
    table_bytes = rows * (len(federation.feature_names) + 1) * BYTES_PER_NUMBER
    start = learning.initial_weights(config, len(federation.feature_names))
    both_ways = 2 * len(pack_model(start, 0)[0]) * len(federation.silos)

    def centralised() -> Scores:
        return learning.evaluate(learning.centralised(federation, config), federation, config)

    def alone() -> Scores:
        models = learning.local_only(federation, config)
        return learning.mean_scores([learning.evaluate(weights, federation, config) for weights in models])

    def fedavg() -> Scores:
        return learning.evaluate(learning.federated(federation, config, progress=True), federation, config)

    return {
        "centralised": _timed(centralised, table_bytes / config.rounds),
        "local_only": _timed(alone, 0),
        "fedavg": _timed(fedavg, both_ways),
    }


def on_chain(
    node: Node,
    folder: Path,
    federation: Federation,
    config: TrainConfig,
    dataset: str,
    training: TrainingParameters | None = None,
    prover: Prover = prove_here,
    plan: Plan | None = None,
    budgets: Sequence[Budget] = (),
    sharing: SharingParameters | None = None,
    keep: Keep = keep_here,
    economy: Economy | None = None,
    agreement: Agreement | None = None,
    layer2: bool = False,
) -> OnChain:
    """Deploy the default cast and play all rounds; the store is kept in `folder`. training: of verified rounds.

    plan, budgets: of private rounds, see `assemble`; they end early when so many budgets are exhausted that no model comes.
    sharing, keep: of shared rounds, economy, agreement, layer2: see `assemble`. Who withdraws does so after round 1.
    Salts come from the operating system; on the embedded chain from the seed, so that a run can be repeated bit by bit, but
    for private rounds, whose noise nobody may be able to repeat.
    Raises RuntimeError if a round ends without a model, which honest members never see; BudgetExhausted if the first does.
    """
    begin = time.perf_counter()
    store = MeteredStore(FolderStore(folder))
    seeded = node.kind == "embedded" and plan is None
    rng = np.random.default_rng(config.seed).bytes if seeded else secrets.token_bytes
    features = len(federation.feature_names)
    rule = INTEGERS if training else FLOATS
    start = fixed_point.initial_weights(features) if training else learning.initial_weights(config, features)

    def scored(model: Any) -> Scores:
        if training:
            return fixed_point.scores(model, federation.x_test, federation.y_test)
        return learning.evaluate(model, federation, config)

    said = training, plan, budgets, sharing, keep, economy, agreement, layer2
    consortium = assemble(node, store, federation, start, rng, *said)
    leaving = choose(consortium.custodies, agreement) if agreement else {}
    introduce(consortium.system, consortium.custodies, leaving)
    task = put_task(store, dataset, training or config)
    curve, measured, exhausted = [scored(start)], Measured(prover), ""
    with _rollup(consortium, folder, measured, config.seed if seeded else None, layer2) as l2:
        first_block, moved = node.web3.eth.block_number + 1, store.moved
        for number in tqdm(range(config.rounds), desc="rounds on chain"):
            if agreement and number == 1:
                consortium = consortium.having(
                    depart(consortium.system, store, consortium.custodies, leaving)
                )
            outcome = play_round(consortium.system, store, consortium.members, task, config, measured, l2)
            if outcome.exhausted and outcome.phase is not Phase.FINALISED:
                reason = next(iter(outcome.exhausted.values()))
                if len(curve) == 1:
                    raise reason
                exhausted = f"round {outcome.round_id} had too few hospitals: {reason}"
                break
            if outcome.phase is not Phase.FINALISED:
                raise RuntimeError(
                    f"round {outcome.round_id} was {outcome.phase.name.lower()}: {outcome.rejected}"
                )
            curve.append(scored(rule.load(store.inner, outcome.model)))
    gas, calldata, transactions = _costs(node, first_block)
    per_round = (store.moved - moved + calldata) / (len(curve) - 1)
    seconds = time.perf_counter() - begin
    proofs = measured.seconds, measured.sizes, measured.release_seconds, measured.release_sizes
    sums = measured.sum_seconds, measured.sum_sizes
    claim_all(consortium)
    told = standings(consortium), spent(consortium.members)
    batches = settled(consortium.system, measured) if layer2 else {}
    people = sum(len(custody.patients) for custody in consortium.custodies)
    patients = asked(consortium.system, store.inner, people, len(curve) - 1) if agreement else {}
    return OnChain(
        consortium.system,
        curve,
        seconds,
        per_round,
        gas,
        transactions,
        *proofs,
        *sums,
        *told,
        exhausted,
        patients,
        batches,
    )


def settled(system: System, measured: Measured) -> dict[str, float]:
    """What went through the rollup in all rounds: batches, their entries, and among these the updates and the accesses that
    hospitals put on record; seconds, bytes and gas of each batch's proof.
    """
    done = [event for event in system.events() if isinstance(event, BatchSettled)]
    kinds = Counter(entry.kind for event in done for entry in decode(system.rollup.data_of(event)))
    return {
        "batches": len(done),
        "entries": sum(event.entries for event in done),
        "updates": kinds[Kind.RECORD],
        "accesses": kinds[Kind.ACCESS],
        "proof_seconds": _mean(measured.batch_seconds),
        "proof_bytes": _mean(measured.batch_sizes),
        "gas": _mean(system.gas.get("Rollup.submit", [])),
    }


def _rollup(
    consortium: Consortium, folder: Path, prover: Prover, seed: int | None, wanted: bool
) -> AbstractContextManager[Layer2 | None]:
    """The first operator's, beside the store."""
    if not wanted:
        return nullcontext()
    sequencer = consortium.members[-OPERATORS]
    return Layer2(consortium.system, consortium.members, sequencer, folder.with_name("rollup"), prover, seed)


def _timed(job: Callable[[], Scores], bytes_per_round: float) -> dict[str, float]:
    begin = time.perf_counter()
    scores = job()
    return {**asdict(scores), "seconds": time.perf_counter() - begin, "bytes_per_round": bytes_per_round}


def _costs(node: Node, first: int) -> tuple[int, int, int]:
    """(gas, bytes of calldata, transactions) of all blocks from `first` on."""
    gas = calldata = transactions = 0
    for number in range(first, node.web3.eth.block_number + 1):
        block: Any = node.web3.eth.get_block(number, full_transactions=True)
        gas += block["gasUsed"]
        transactions += len(block["transactions"])
        for sent in block["transactions"]:
            calldata += len(
                HexBytes(sent["data"] if "data" in sent else sent["input"])
            )  # eth-tester's name, RPC's
    return gas, calldata, transactions
