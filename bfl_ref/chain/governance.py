"""Clients of what decides who trains, who signs, and who is paid. Conventions as in `clients`.

A vote for a model is an EIP-712 signature (`vote_message`), made by the validator's own key and brought by anybody.
"""

from collections.abc import Sequence
from dataclasses import astuple

from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount

from ..governance.reputation import ReputationParameters, Standing
from ..governance.rewards import RewardParameters
from ..governance.selection import SelectionParameters
from ..governance.validators import ValidatorParameters
from ..store import cid_parts
from .records import Content, from_abi
from .transactions import Call, Client

VOTE = {
    "Vote": [
        {"name": "roundId", "type": "uint256"},
        {"name": "cid", "type": "bytes32"},
        {"name": "codec", "type": "uint8"},
        {"name": "digest", "type": "bytes32"},
    ]
}


class Reputation(Client):
    """IReputation: evidence from verified facts, and the scores that follow."""

    def set_reputation(self, parameters: ReputationParameters) -> Call:
        return self._call("setReputation", astuple(parameters))

    def reputation(self) -> ReputationParameters:
        return from_abi(ReputationParameters, self._view("reputation"))

    def standing_of(self, member: str) -> Standing:
        return from_abi(Standing, self._view("standingOf", member))

    def standings_of(self, members: Sequence[str]) -> tuple[Standing, ...]:
        return tuple(from_abi(Standing, each) for each in self._view("standingsOf", list(members)))

    def score_of(self, member: str, round_id: int) -> int:
        """10,000 is 1."""
        return self._view("scoreOf", member, round_id)

    def scores_of(self, members: Sequence[str], round_id: int) -> tuple[int, ...]:
        return tuple(self._view("scoresOf", list(members), round_id))

    def prospects_of(self, round_id: int, members: Sequence[str]) -> tuple[int, ...]:
        """What the lottery reads of each, packed (IReputation)."""
        return tuple(self._view("prospectsOf", round_id, list(members)))

    def evidence_of(self, member: str, round_id: int) -> tuple[int, int]:
        """(r, s) in that round."""
        positive, negative = self._view("evidenceOf", member, round_id)
        return positive, negative

    def consortium(self) -> str:
        return self._view("consortium")


class Selection(Client):
    """ISelection: the lottery among hospitals."""

    def draw(self, seed: bytes, weights: Sequence[int], seats: int) -> tuple[int, ...]:
        """Positions of the drawn, in the order of the draws."""
        return tuple(self._view("draw", seed, list(weights), seats))

    def set_selection(self, parameters: SelectionParameters) -> Call:
        return self._call("setSelection", astuple(parameters))

    def selection(self) -> SelectionParameters:
        return from_abi(SelectionParameters, self._view("selection"))

    def typical(self) -> int:
        """The norm bucket above which a norm gives no more weight."""
        return self._view("typical")

    def consortium(self) -> str:
        return self._view("consortium")

    def reputation(self) -> str:
        return self._view("reputation")

    def vault(self) -> str:
        return self._view("vault")

    def audits(self) -> str:
        return self._view("audits")


class Validators(Client):
    """IValidators: each round's committee, and what its members sign."""

    def report(
        self,
        round_id: int,
        first: Content,
        first_signature: bytes,
        second: Content,
        second_signature: bytes,
        *,
        sender: LocalAccount,
    ) -> None:
        """Evidence that a validator voted for two models."""
        evidence = first.to_abi(), first_signature, second.to_abi(), second_signature
        self._send(sender, "report", round_id, *evidence)

    def set_operator(self, member: str, operator: str) -> Call:
        return self._call("setOperator", member, operator)

    def set_validators(self, parameters: ValidatorParameters) -> Call:
        return self._call("setValidators", astuple(parameters))

    def validators(self) -> ValidatorParameters:
        return from_abi(ValidatorParameters, self._view("validators"))

    def operator_of(self, member: str) -> str:
        return self._view("operatorOf", member)

    def committee_of(self, round_id: int) -> tuple[str, ...]:
        return tuple(self._view("committeeOf", round_id))

    def is_seated(self, round_id: int, account: str) -> bool:
        return self._view("isSeated", round_id, account)

    def vote_message(self, round_id: int, model: Content) -> SignableMessage:
        """What a vote signs: the round and the model, for this contract on this chain (EIP-712)."""
        where = {"chainId": self.node.web3.eth.chain_id, "verifyingContract": self.address}
        digest, codec = cid_parts(model.cid)
        said = {"roundId": round_id, "cid": digest, "codec": codec, "digest": model.digest}
        return encode_typed_data({"name": "bfl_ref", "version": "1", **where}, VOTE, said)

    def vote_digest(self, round_id: int, model: Content) -> bytes:
        return self._view("voteDigest", round_id, model.to_abi())

    def signer_of(self, round_id: int, model: Content, signature: bytes) -> str:
        """The validator of the round that signed. NotInCommittee for others, ECDSAInvalid... for what is no signature."""
        return self._view("signerOf", round_id, model.to_abi(), signature)

    def draw(self, seed: bytes, operators: Sequence[str], seats: int, per_operator: int) -> tuple[int, ...]:
        """Positions in the pool, in the order of the draws."""
        return tuple(self._view("draw", seed, list(operators), seats, per_operator))

    def last_value(self) -> bytes:
        return self._view("lastValue")

    def consortium(self) -> str:
        return self._view("consortium")

    def reputation(self) -> str:
        return self._view("reputation")

    def vault(self) -> str:
        return self._view("vault")


class Contributions(Client):
    """IContributions: validators' scores of what each group's update does to the model."""

    def commit_scores(self, round_id: int, commitment: bytes, *, sender: LocalAccount) -> None:
        self._send(sender, "commitScores", round_id, commitment)

    def reveal_scores(
        self, round_id: int, scores: Sequence[int], salt: bytes, *, sender: LocalAccount
    ) -> None:
        self._send(sender, "revealScores", round_id, list(scores), salt)

    def medians_of(self, round_id: int) -> tuple[int, ...] | None:
        """Of each group, in 1/10,000; None: too few scores."""
        scored, medians = self._view("mediansOf", round_id)
        return tuple(medians) if scored else None

    def scores_commitment_of(self, round_id: int, validator: str) -> bytes:
        """Zeros: nothing was committed to."""
        return self._view("scoresCommitmentOf", round_id, validator)

    def has_revealed(self, round_id: int, validator: str) -> bool:
        return self._view("hasRevealed", round_id, validator)

    def is_settled(self, round_id: int) -> bool:
        return self._view("isSettled", round_id)

    def scores_commitment(self, round_id: int, validator: str, scores: Sequence[int], salt: bytes) -> bytes:
        return self._view("scoresCommitment", round_id, validator, list(scores), salt)

    def consortium(self) -> str:
        return self._view("consortium")

    def committee(self) -> str:
        return self._view("committee")

    def validators(self) -> str:
        return self._view("validators")


class Rewards(Client):
    """IRewards: the pot, and what members have earned."""

    def fund(self, amount: int, *, sender: LocalAccount) -> None:
        self._send(sender, "fund", amount)

    def claim(self, *, sender: LocalAccount) -> None:
        self._send(sender, "claim")

    def set_rewards(self, parameters: RewardParameters) -> Call:
        return self._call("setRewards", astuple(parameters))

    def rewards(self) -> RewardParameters:
        return from_abi(RewardParameters, self._view("rewards"))

    def owed_to(self, member: str) -> int:
        return self._view("owedTo", member)

    def owed(self) -> int:
        return self._view("owed")

    def pot(self) -> int:
        return self._view("pot")

    def consortium(self) -> str:
        return self._view("consortium")

    def token(self) -> str:
        return self._view("token")


class Settlement(Client):
    """ISettlement: what a round leaves behind. Called by the round manager alone, but for `collect`."""

    def collect(self, members: Sequence[str], *, sender: LocalAccount) -> None:
        """Writes what the rollup has settled of their evidence since."""
        self._send(sender, "collect", list(members))

    def reclaim(self, number: int, entries: bytes, *, sender: LocalAccount) -> None:
        """Once the rollup is frozen: evidence or rewards of a push that no batch took. entries: of its EntriesQueued."""
        self._send(sender, "reclaim", number, entries)

    def last_settled(self) -> int:
        return self._view("lastSettled")

    def rollup(self) -> str:
        """The zero address: none."""
        return self._view("rollup")

    def consortium(self) -> str:
        return self._view("consortium")

    def reputation(self) -> str:
        return self._view("reputation")

    def rewards(self) -> str:
        return self._view("rewards")

    def contributions(self) -> str:
        return self._view("contributions")

    def selection(self) -> str:
        return self._view("selection")

    def validators(self) -> str:
        return self._view("validators")
