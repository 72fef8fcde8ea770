"""A federation whose rounds are verified by the real contracts, taken back to its start for each test."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import shake_256
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from eth_abi import encode
from eth_utils import keccak

from bfl_ref import beacon, cast, data, fixed_point, protocol
from bfl_ref.attacks import turned
from bfl_ref.beacon import Rng
from bfl_ref.cast import STAKE, assemble, economy_parameters, training_parameters
from bfl_ref.chain.consortium import govern
from bfl_ref.chain.contracts import Deployment, System
from bfl_ref.chain.events import Event, RoundAborted
from bfl_ref.chain.node import Node, open_chain
from bfl_ref.chain.records import AbortReason, Content, Role
from bfl_ref.data import Federation
from bfl_ref.fixed_point import Hyper, aggregate, beacon_elements, initial_weights, trajectory
from bfl_ref.governance import validators
from bfl_ref.integers import INTEGERS
from bfl_ref.learning import TrainConfig
from bfl_ref.member import Member, Round
from bfl_ref.protocol import Outcome, play_round, put_task
from bfl_ref.proving import ProofTask, Prover, prove_here
from bfl_ref.store import FolderStore
from bfl_ref.verified import VerifiedMember, _context

HYPER = Hyper(2, 768, 16, 50)
"""Of wdbc: two steps a hospital, with noise."""
PENALTY = STAKE // 2
STEPS = 8
"""Of its four hospitals together."""
ONE_AUDIT = 0.1
"""Audit rate at which one of the eight is drawn."""
OPERATORS = 1
DURATIONS = (18, 2, 12, 10, 25, 2, 10, 15, 2)
"""Fewer members and blocks than usual: each transaction and each block that a silent phase waits for takes its time."""


Draws = Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Loaded(VerifiedMember):
    """A validator whose secrets depend on a number: whoever knows everybody's keys, as a test does, can choose the draw."""

    attempt: int = 0

    def _beacon_rng(self, round_: Round) -> Rng:
        secret = bytes(self.account.key) + self.attempt.to_bytes(4) + _context(round_, self.account.address)
        return BytesIO(shake_256(secret).digest(1 << 14)).read


class Stage(NamedTuple):
    """A federation before a round. Hospitals come first among the members, in the order in which they commit."""

    system: System
    store: FolderStore
    members: tuple[VerifiedMember, ...]
    task: Content

    @property
    def hospitals(self) -> tuple[VerifiedMember, ...]:
        return tuple(m for m in self.members if m.rows is not None)

    def play(self, *parts: Member, draws: Draws = (), prover: Prover = prove_here) -> Outcome:
        """One round; a member of `parts` takes the part of the member with the same key.

        draws: the (hospital, step) pairs that are audited, of all hospitals' steps; the audit rate must be for as many.
        """
        if draws:
            parts = (*parts, self.loaded(draws))
        others = {member.account.address: member for member in parts}
        members = [others.get(m.account.address, m) for m in self.members]
        with patch.object(protocol, "VERIFIED_DURATIONS", DURATIONS):
            return play_round(self.system, self.store, members, self.task, TrainConfig(), prover)

    def loaded(self, draws: Draws) -> Loaded:
        """The last operator, with secrets that make the contract draw these pairs."""
        training, total = self.system.audits.training(), self.epochs * len(self.hospitals)
        assert len(draws) == -(-total * training.audit_rate // 10_000)
        wanted = {self.epochs * hospital + step for hospital, step in draws}
        for attempt in range(1000):
            last = turned(Loaded, self.members[-1], attempt=attempt)
            if set(self.system.audits.sample(self.beacon_value(1, last), total, len(draws))) == wanted:
                return last
        raise AssertionError(f"nothing draws {draws}")

    def beacon_value(
        self, which: int, last: VerifiedMember | None = None, leave_out: VerifiedMember | None = None
    ) -> bytes:
        """The next round's value if everybody reveals, by its definition. last: takes the last member's part."""
        round_ = Round(self.system, self.store, self.system.rounds.current_round() + 1, None)
        where = self.system.node.web3.eth.chain_id, self.system.beacon.address, round_.round_id, which
        committee = self.next_committee()
        count = len(committee)
        parts = {m.account.address: m for m in (*self.members[:-1], last or self.members[-1])}
        secrets = [
            beacon.deal(count, count // 2 + 1, parts[v]._beacon_rng(round_)).secrets[which]
            for v in committee
            if leave_out is None or v != leave_out.account.address
        ]
        types = ["uint256", "address", "uint256", "uint8", "uint256[]"]
        return keccak(encode(types, [*where, secrets]))

    def next_committee(self) -> list[str]:
        """The next round's validators, by definition."""
        system, round_id = self.system, self.system.rounds.current_round() + 1
        said, holders = system.validators.validators(), system.holders(Role.VALIDATOR)
        scores, stakes = system.reputation.scores_of(holders, round_id), system.vault.active_of(holders)
        pool = [holders[i] for i in validators.pool(said, scores, stakes)]
        where = system.node.web3.eth.chain_id, system.validators.address
        seed = validators.seed_of(*where, round_id, system.validators.last_value())
        return [pool[i] for i in validators.draw(seed, pool, said.seats, said.per_operator)]

    @property
    def epochs(self) -> int:
        return self.system.audits.training().epochs

    @property
    def model(self) -> Content:
        return self.system.registry.current().content

    def without(self, before: Content, round_id: int, *out: VerifiedMember) -> Content:
        """What the round makes of `before` by the definition, if these hospitals take no part in it."""
        said = self.system.audits.training_of(round_id)
        hyper = Hyper(said.epochs, said.rate, said.clip, said.noise)
        r1 = beacon_elements(self.system.beacon.value_of(round_id, 0))
        model = INTEGERS.load(self.store, before)
        updates, rows = [], []
        gone = {member.account.address for member in out}
        for hospital in self.hospitals:
            if hospital.account.address in gone:
                continue
            assert hospital.rows is not None and hospital.seed is not None
            seed, v, y = hospital.seed, hospital.rows.v, hospital.rows.y

            def nu(s: int, seed: Any = seed) -> np.ndarray:
                return fixed_point.noise(seed, r1, s, len(model), hyper)

            *_, last = trajectory(model, v, y, hyper, nu)
            updates.append(last)
            rows.append(len(y))
        return INTEGERS.content(aggregate(model, updates, rows), round_id)

    def told(self, kind: type[Event], round_id: int | None = None) -> list[Any]:
        events = [e for e in self.system.events() if isinstance(e, kind)]
        return [e for e in events if round_id is None or e.round_id == round_id]

    def stakes(self) -> dict[str, int]:
        return {m.account.address: self.system.vault.stake_of(m.account.address).active for m in self.members}

    def balance(self, member: Member) -> int:
        return self.system.token.balance_of(member.account.address)

    def abort_reason(self, round_id: int) -> AbortReason:
        (found,) = self.told(RoundAborted, round_id)
        return found.reason

    def govern(self, **changes: Any) -> None:
        """The members vote for other training parameters."""
        wanted = self.system.audits.set_training(replace(self.system.audits.training(), **changes))
        govern(self.system.consortium, wanted, [member.account for member in self.members[:4]])


def no_proof(tasks: Sequence[ProofTask]) -> Iterator[None]:
    """A prover that knows that there is none: where a test need not see it try."""
    return iter([None] * len(tasks))


class Played(NamedTuple):
    """What a module plays once."""

    node: Node
    deployment: Deployment
    stage: Stage
    snapshot: int

    def again(self, folder: Path) -> Stage:
        """The chain as it was, a client without memory, a copy of the store."""
        self.node.web3.provider.make_request("evm_revert", [self.snapshot])
        copy = shutil.copytree(self.stage.store.folder, folder / "store")
        return self.stage._replace(system=System(self.node, self.deployment), store=FolderStore(copy))


@contextmanager
def opened(
    folder: Path, federation: Federation | None = None, hyper: Hyper = HYPER, audit_rate: float = ONE_AUDIT
) -> Iterator[Played]:
    """wdbc's four hospitals (or a federation's) and an operator, nothing played yet; the real verifier."""
    federation = federation or data.load("wdbc", seed=0)
    features = len(federation.feature_names)
    training = training_parameters(features, hyper, audit_rate, PENALTY)
    with open_chain("embedded", accounts=len(federation.silos) + OPERATORS, seed=0) as node:
        store = FolderStore(folder)
        rng = np.random.default_rng(0).bytes
        with patch.object(cast, "OPERATORS", OPERATORS):
            made = assemble(
                node,
                store,
                federation,
                initial_weights(features),
                rng,
                training,
                economy=economy_parameters(validators=7),
            )
        task = put_task(store, federation.name, training)
        stage = Stage(made.system, store, made.members, task)
        taken = node.web3.provider.make_request("evm_snapshot", [])["result"]
        yield Played(node, made.system.deployment, stage, taken)
