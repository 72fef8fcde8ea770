"""The system's contracts, one class each, one method for each function; what a function does says its interface.

Who acts is an argument: `sender`, an account whose key signs here. Amounts are in the token's smallest unit, times in
blocks. A function that only the members' vote may call returns the `Call` to propose. Refusals raise the contract's own
error (`errors`). What only other contracts may call (slash, freeze, draw, ...) has no method.
"""

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount

from .events import RoundOpened
from .records import (
    Content,
    Model,
    Participation,
    Phase,
    Release,
    Round,
    RoundParameters,
    Stake,
    from_abi,
)
from .transactions import Call, Client


class UtilityToken(Client):
    """IUtilityToken: a fixed supply, moved by participants only."""

    def transfer(self, to: str, amount: int, *, sender: LocalAccount) -> None:
        self._send(sender, "transfer", to, amount)

    def approve(self, spender: str, amount: int, *, sender: LocalAccount) -> None:
        self._send(sender, "approve", spender, amount)

    def transfer_from(self, owner: str, to: str, amount: int, *, sender: LocalAccount) -> None:
        self._send(sender, "transferFrom", owner, to, amount)

    def permit(
        self,
        owner: str,
        spender: str,
        amount: int,
        deadline_s: int,
        v: int,
        r: bytes,
        s: bytes,
        *,
        sender: LocalAccount,
    ) -> None:
        """An allowance by the owner's EIP-712 signature (v, r, s), handed in by anybody."""
        self._send(sender, "permit", owner, spender, amount, deadline_s, v, r, s)

    def nonces(self, owner: str) -> int:
        return self._view("nonces", owner)

    def domain_separator(self) -> bytes:
        return self._view("DOMAIN_SEPARATOR")

    def balance_of(self, account: str) -> int:
        return self._view("balanceOf", account)

    def allowance(self, owner: str, spender: str) -> int:
        return self._view("allowance", owner, spender)

    def total_supply(self) -> int:
        return self._view("totalSupply")


class StakeVault(Client):
    """IStakeVault: stakes and the treasury."""

    def lock(self, amount: int, *, sender: LocalAccount) -> None:
        self._send(sender, "lock", amount)

    def request_unlock(self, amount: int, *, sender: LocalAccount) -> None:
        self._send(sender, "requestUnlock", amount)

    def withdraw(self, *, sender: LocalAccount) -> None:
        self._send(sender, "withdraw")

    def spend_treasury(self, to: str, amount: int) -> Call:
        return self._call("spendTreasury", to, amount)

    def set_unlock_delay(self, blocks: int) -> Call:
        return self._call("setUnlockDelay", blocks)

    def consortium(self) -> str:
        return self._view("consortium")

    def token(self) -> str:
        return self._view("token")

    def unlock_delay(self) -> int:
        return self._view("unlockDelay")

    def treasury(self) -> int:
        return self._view("treasury")

    def stake_of(self, member: str) -> Stake:
        return from_abi(Stake, self._view("stakeOf", member))

    def active_of(self, members: Sequence[str]) -> tuple[int, ...]:
        return tuple(self._view("activeOf", list(members)))


class ModelRegistry(Client):
    """IModelRegistry: the global model and all its predecessors."""

    def consortium(self) -> str:
        return self._view("consortium")

    def current(self) -> Model:
        return from_abi(Model, self._view("current"))

    def model_at(self, version: int) -> Model:
        return from_abi(Model, self._view("modelAt", version))

    def versions(self) -> int:
        return self._view("versions")


class RoundManager(Client):
    """IRoundManager: federated rounds."""

    def open(self, task: Content, durations: Sequence[int], *, sender: LocalAccount) -> int:
        """The round's number. durations: blocks of each of the nine phases, Select first."""
        events = self._send(sender, "open", task.to_abi(), list(durations))
        return next(event.round_id for event in events if isinstance(event, RoundOpened))

    def advance(self, round_id: int, *, sender: LocalAccount) -> None:
        self._send(sender, "advance", round_id)

    def commit_update(self, round_id: int, update: Content, rows: int, *, sender: LocalAccount) -> None:
        self._send(sender, "commitUpdate", round_id, update.to_abi(), rows)

    def commit_states(
        self, round_id: int, update: Content, states: Sequence[bytes], *, sender: LocalAccount
    ) -> None:
        """states: digests from the model in force to the update's own."""
        self._send(sender, "commitStates", round_id, update.to_abi(), list(states))

    def commit_shared(
        self,
        round_id: int,
        update: Content,
        states: Sequence[bytes],
        release: Release,
        *,
        sender: LocalAccount,
    ) -> None:
        """States as in `commit_states`, with the shares of the update."""
        said = update.to_abi(), list(states), release.to_abi()
        self._send(sender, "commitShared", round_id, *said, rehearsed=False)

    def submit_candidate(self, round_id: int, model: Content, *, sender: LocalAccount) -> None:
        self._send(sender, "submitCandidate", round_id, model.to_abi())

    def vote_model(
        self, round_id: int, model: Content, signatures: Sequence[bytes], *, sender: LocalAccount
    ) -> None:
        """signatures: validators' votes for this model (`Validators.vote_message`), of any number of them."""
        self._send(sender, "voteModel", round_id, model.to_abi(), list(signatures))

    def set_parameters(self, parameters: RoundParameters) -> Call:
        return self._call("setParameters", parameters.to_abi())

    def parameters(self) -> RoundParameters:
        return from_abi(RoundParameters, self._view("parameters"))

    def current_round(self) -> int:
        """Number of the last round opened; zero before the first."""
        return self._view("currentRound")

    def phase_of(self, round_id: int) -> Phase:
        return Phase(self._view("phaseOf", round_id))

    def deadline_of(self, round_id: int) -> int:
        """Last block of the phase that the round is in; zero once it ended."""
        return self._view("deadlineOf", round_id)

    def durations_of(self, round_id: int) -> tuple[int, ...]:
        return tuple(self._view("durationsOf", round_id))

    def round_of(self, round_id: int) -> Round:
        return from_abi(Round, self._view("roundOf", round_id))

    def hospitals_of(self, round_id: int) -> tuple[str, ...]:
        return tuple(self._view("hospitalsOf", round_id))

    def participation_of(self, round_id: int, member: str) -> Participation:
        return from_abi(Participation, self._view("participationOf", round_id, member))

    def candidate_of(self, round_id: int, model: Content) -> tuple[int, int]:
        """(its number, 0 if it is no candidate, its votes)."""
        number, votes = self._view("candidateOf", round_id, model.to_abi())
        return number, votes

    def quorum_of(self, round_id: int) -> int:
        return self._view("quorumOf", round_id)

    def commitment_of(self, round_id: int, hospital: str, digest: bytes) -> bytes:
        return self._view("commitmentOf", round_id, hospital, digest)

    def consortium(self) -> str:
        return self._view("consortium")

    def vault(self) -> str:
        return self._view("vault")

    def registry(self) -> str:
        return self._view("registry")

    def beacon(self) -> str:
        return self._view("beacon")

    def audits(self) -> str:
        return self._view("audits")

    def committee(self) -> str:
        return self._view("committee")

    def selection(self) -> str:
        return self._view("selection")

    def validators(self) -> str:
        return self._view("validators")

    def contributions(self) -> str:
        return self._view("contributions")

    def settlement(self) -> str:
        return self._view("settlement")
