"""Clients of what verified rounds need besides: registered data, the beacon, the audits. Conventions as in `clients`."""

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount

from .records import (
    Audit,
    Content,
    Dealing,
    PrivacyAccount,
    Stage,
    StateCommitment,
    TrainingParameters,
    from_abi,
)
from .transactions import Call, Client


class DataRegistry(Client):
    """IDataRegistry: digests of what each hospital trains on."""

    def register(
        self,
        segments: Sequence[bytes],
        rows: int,
        seed_commitment: bytes,
        leaves: Content,
        *,
        sender: LocalAccount,
    ) -> None:
        self._send(sender, "register", list(segments), rows, seed_commitment, leaves.to_abi())

    def shrink(self, segments: Sequence[bytes], rows: int, leaves: Content, *, sender: LocalAccount) -> None:
        self._send(sender, "shrink", list(segments), rows, leaves.to_abi())

    def rows_of(self, hospital: str) -> int:
        return self._view("rowsOf", hospital)

    def segments_of(self, hospital: str) -> tuple[bytes, ...]:
        return tuple(self._view("segmentsOf", hospital))

    def segment_of(self, hospital: str, index: int) -> bytes:
        return self._view("segmentOf", hospital, index)

    def seed_commitment_of(self, hospital: str) -> bytes:
        return self._view("seedCommitmentOf", hospital)

    def segment_rows(self, rows: int, segments: int, index: int) -> int:
        return self._view("segmentRows", rows, segments, index)

    def version(self) -> int:
        return self._view("version")

    def version_of(self, hospital: str) -> int:
        return self._view("versionOf", hospital)

    def versions_of(self, hospitals: Sequence[str]) -> tuple[int, ...]:
        return tuple(self._view("versionsOf", list(hospitals)))

    def consortium(self) -> str:
        return self._view("consortium")

    def vault(self) -> str:
        return self._view("vault")


class Beacon(Client):
    """IBeacon: two random values for each round. which: 0 selects and makes the noise, 1 audits."""

    def publish_key(self, key: bytes, *, sender: LocalAccount) -> None:
        self._send(sender, "publishKey", key)

    def commit(
        self,
        round_id: int,
        commitments: Sequence[bytes],
        share_hashes: Sequence[Sequence[bytes]],
        sealed: bytes,
        *,
        sender: LocalAccount,
    ) -> None:
        """Both secrets at once: two commitments, two lists of share hashes. sealed: the encrypted shares."""
        hashes = [list(each) for each in share_hashes]
        self._send(sender, "commit", round_id, list(commitments), hashes, sealed)

    def reveal(self, round_id: int, which: int, secret: int, *, sender: LocalAccount) -> None:
        self._send(sender, "reveal", round_id, which, secret)

    def post_share(
        self,
        round_id: int,
        which: int,
        dealer: str,
        share_hashes: Sequence[bytes],
        index: int,
        share: int,
        *,
        sender: LocalAccount,
    ) -> None:
        """index: whose share it is, in the order of `validators_of`."""
        self._send(sender, "postShare", round_id, which, dealer, list(share_hashes), index, share)

    def key_of(self, validator: str) -> bytes:
        """Zeros if it published none."""
        return self._view("keyOf", validator)

    def validators_of(self, round_id: int) -> tuple[str, ...]:
        """In the order of their shares."""
        return tuple(self._view("validatorsOf", round_id))

    def threshold_of(self, round_id: int) -> int:
        return self._view("thresholdOf", round_id)

    def stage_of(self, round_id: int, which: int) -> Stage:
        """In the last block; a transaction comes into the next one."""
        return Stage(self._view("stageOf", round_id, which))

    def stages_of(self, round_id: int, which: int) -> tuple[int, int]:
        """(last block of stage Commit, last block of stage Reveal)."""
        commit_until, reveal_until = self._view("stagesOf", round_id, which)
        return commit_until, reveal_until

    def is_done(self, round_id: int, which: int) -> bool:
        return self._view("isDone", round_id, which)

    def has_enough(self, round_id: int, which: int) -> bool:
        return self._view("hasEnough", round_id, which)

    def value_of(self, round_id: int, which: int) -> bytes:
        """Raises NoValue before it is fixed."""
        return self._view("valueOf", round_id, which)

    def dealing_of(self, round_id: int, which: int, dealer: str) -> Dealing:
        return from_abi(Dealing, self._view("dealingOf", round_id, which, dealer))

    def commitment_of(self, round_id: int, which: int, validator: str, secret: int) -> bytes:
        """For a node of one's own: the secret is in the question."""
        return self._view("commitmentOf", round_id, which, validator, secret)

    def share_hash_of(self, round_id: int, which: int, dealer: str, index: int, share: int) -> bytes:
        """For a node of one's own: the share is in the question."""
        return self._view("shareHashOf", round_id, which, dealer, index, share)

    def consortium(self) -> str:
        return self._view("consortium")

    def vault(self) -> str:
        return self._view("vault")


class Audits(Client):
    """IAudits: random audits of training."""

    def prove(
        self,
        round_id: int,
        audit_id: int,
        proof: bytes,
        before: bytes,
        path_before: Sequence[bytes],
        after: bytes,
        path_after: Sequence[bytes],
        *,
        sender: LocalAccount,
    ) -> None:
        """before, after: the two states of the audited step, each with its path (`path_of`)."""
        states = (before, list(path_before), after, list(path_after))
        self._send(sender, "prove", round_id, audit_id, proof, *states, rehearsed=False)

    def set_training(self, parameters: TrainingParameters) -> Call:
        return self._call("setTraining", parameters.to_abi())

    def training(self) -> TrainingParameters:
        """Of coming rounds."""
        return from_abi(TrainingParameters, self._view("training"))

    def training_of(self, round_id: int) -> TrainingParameters:
        return from_abi(TrainingParameters, self._view("trainingOf", round_id))

    def start_of(self, round_id: int) -> bytes:
        """State 0 of every hospital: the digest of the model that the round trains on."""
        return self._view("startOf", round_id)

    def may_train(self, round_id: int, hospital: str) -> bool:
        return self._view("mayTrain", round_id, hospital)

    def data_version_of(self, round_id: int) -> int:
        """Version of the data registry at the opening: who registered later may not train."""
        return self._view("dataVersionOf", round_id)

    def states_of(self, round_id: int, hospital: str) -> StateCommitment:
        return from_abi(StateCommitment, self._view("statesOf", round_id, hospital))

    def committed_to(self, round_id: int) -> tuple[str, ...]:
        """The hospitals that committed, in order."""
        return tuple(self._view("committedTo", round_id))

    def path_of(
        self, round_id: int, hospital: str, states: Sequence[bytes], index: int
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """(root over the states, siblings from state `index` up to it)."""
        root, path = self._view("pathOf", round_id, hospital, list(states), index)
        return root, tuple(path)

    def audit_of(self, round_id: int, audit_id: int) -> Audit:
        return from_abi(Audit, self._view("auditOf", round_id, audit_id))

    def audits_of(self, round_id: int) -> int:
        """How many were drawn; they are numbered from 0."""
        return self._view("auditsOf", round_id)

    def outstanding(self, round_id: int) -> int:
        """Audits without a proof."""
        return self._view("outstanding", round_id)

    def failing(self, round_id: int) -> int:
        """Hospitals with an audit without a proof."""
        return self._view("failing", round_id)

    def is_excluded(self, round_id: int, hospital: str) -> bool:
        return self._view("isExcluded", round_id, hospital)

    def public_inputs(self, round_id: int, audit_id: int, before: bytes, after: bytes) -> tuple[int, ...]:
        """What an audit's proof is checked against, for these two states."""
        return tuple(self._view("publicInputs", round_id, audit_id, before, after))

    def sample(self, seed: bytes, n: int, k: int) -> tuple[int, ...]:
        """The draw by itself: k distinct numbers below n."""
        return tuple(self._view("sample", seed, n, k))

    def verifier_of(self, halves: int) -> str:
        """The zero address if there is none."""
        return self._view("verifierOf", halves)

    def consortium(self) -> str:
        return self._view("consortium")

    def vault(self) -> str:
        return self._view("vault")

    def registry(self) -> str:
        return self._view("registry")

    def data(self) -> str:
        return self._view("data")

    def beacon(self) -> str:
        return self._view("beacon")


class PrivacyLedger(Client):
    """IPrivacyLedger: what each hospital's patients may lose and have lost. Epsilon in millionths, delta in 1e-18."""

    def fix_budget(self, budget: int, delta: int, *, sender: LocalAccount) -> None:
        self._send(sender, "fixBudget", budget, delta)

    def post(self, round_id: int, spent: int, *, sender: LocalAccount) -> None:
        self._send(sender, "post", round_id, spent)

    def account_of(self, hospital: str) -> PrivacyAccount:
        return from_abi(PrivacyAccount, self._view("accountOf", hospital))

    def consortium(self) -> str:
        return self._view("consortium")
