"""Other people's work, and proofs of something else than what was asked for."""

from dataclasses import dataclass, replace
from typing import Any

from ..chain.events import AuditPassed, StatesCommitted, UpdateCommitted
from ..chain.records import Content
from ..fixed_point import digest_bytes
from ..member import Round
from ..proving import ProofTask
from ..store import cid_of
from ..verified import hand_in, hyper_of, noise_beacon
from .cheat import Cheat
from .states import FreeRiderRandom


class Copycat(FreeRiderRandom):
    """Hands in what the first hospital that committed put on the chain: its digests, then its proof of the same step.

    Stopped at commit (ReplayedSubmission), since the last digest was used. With a last digest of its own over the others' it
    may commit, but knows no numbers behind it; the copied proof was made for another hospital: OodMismatch.
    """

    def commit(self, round_: Round, update: Any) -> bytes | None:
        said = round_.events(StatesCommitted)
        if not said:
            return super().commit(round_, update)
        content = next(e.content for e in round_.events(UpdateCommitted) if e.hospital == said[0].hospital)
        with self._noting(again=False):
            self._commit(round_, content, said[0].states)
        last = digest_bytes(update[-1].digest)
        with self._noting():
            self._commit(round_, Content(cid_of(last), last), [*said[0].states[:-1], last])
        return None

    def show(self, round_: Round, update: Any, task: ProofTask, proof: bytes | None) -> None:
        said = {e.hospital: e.states for e in round_.events(StatesCommitted)}
        own, audits = self.account.address, round_.system.audits
        for passed in round_.events(AuditPassed):
            if passed.step == task.step.number:
                sent = round_.system.node.web3.eth.get_transaction(passed.transaction)["input"]  # type: ignore[arg-type]
                _, arguments = audits.contract.decode_function_input(sent)
                with self._noting():
                    hand_in(self, round_, said[own], task, arguments["proof"])

    def _commit(self, round_: Round, content: Content, states: Any) -> None:
        round_.system.rounds.commit_states(round_.round_id, content, states, sender=self.account)


class ReplayedRound(Cheat):
    """Trains truly, and hands in a proof of this very step that was made for the round before: OodMismatch."""

    def audited(self, round_: Round, update: Any) -> list[ProofTask]:
        tasks = super().audited(round_, update)
        return [replace(t, domain=replace(t.domain, round_id=t.domain.round_id - 1)) for t in tasks]


class ReplayedHospital(Cheat):
    """Trains truly, and hands in a proof of this very step that was made for another hospital: OodMismatch."""

    def audited(self, round_: Round, update: Any) -> list[ProofTask]:
        own = self.account.address
        other = next(a for a in round_.system.rounds.hospitals_of(round_.round_id) if a != own)
        return [replace(t, domain=replace(t.domain, prover=other)) for t in super().audited(round_, update)]


class ReplayedStep(Cheat):
    """Trains truly, and hands in its proof of another step for the one that was drawn.

    With the states that it is about: BadStatePath; with the drawn step's states: OodMismatch.
    """

    def show(self, round_: Round, update: Any, task: ProofTask, proof: bytes | None) -> None:
        if proof is None:
            return
        asked = round_.system.audits.audit_of(round_.round_id, task.audit_id).step
        states = [digest_bytes(state.digest) for state in update]
        with self._noting(again=False):
            hand_in(self, round_, states, task, proof)
        with self._noting():
            hand_in(self, round_, states, replace(task, step=replace(task.step, number=asked)), proof)

    def audited(self, round_: Round, update: Any) -> list[ProofTask]:
        hyper, r1 = hyper_of(round_), noise_beacon(round_)
        steps = len(update) - 1
        return [
            replace(t, step=self.witness(update, (t.step.number + 1) % steps, hyper, r1))
            for t in super().audited(round_, update)
        ]


@dataclass(frozen=True, eq=False)
class ForgedProof(Cheat):
    """Trains truly, and hands in its proof with one byte changed: what is a proof worth, if not every byte counts?

    at: which byte. The verifier names the check that fails: BadVersion, WrongParameters, OodMismatch, BadMerklePath, ...
    """

    at: int = 0

    def show(self, round_: Round, update: Any, task: ProofTask, proof: bytes | None) -> None:
        if proof is not None:
            at = self.at % len(proof)
            super().show(round_, update, task, proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :])


class LateProver(Cheat):
    """Trains truly, and hands its proof in after the deadline: DeadlinePassed. Who comes after it is late as well."""

    def show(self, round_: Round, update: Any, task: ProofTask, proof: bytes | None) -> None:
        node, until = round_.system.node, round_.system.rounds.deadline_of(round_.round_id)
        node.wait_blocks(until - node.web3.eth.block_number)
        super().show(round_, update, task, proof)
