"""Members of verified rounds: they train step by step as the contract prescribes, prove what is drawn, and make the beacon.

A validator draws its beacon secrets from its own key and the round, so that one that restarts reveals what it committed to.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import shake_256
from io import BytesIO
from typing import Any

from eth_abi import encode
from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from . import beacon, fixed_point
from .aggregation import Origin
from .beacon import BadShare, Dealing, Rng
from .chain.contracts import System
from .chain.errors import ReplayedSubmission
from .chain.events import BeaconStarted, SecretsCommitted
from .chain.records import Content, SecretState
from .fixed_point import Hyper, Rows, State, digest_bytes
from .integers import pack_update
from .learning import TrainConfig
from .leaves import leaves_file
from .member import Member, Round
from .proving import ProofTask
from .stark.field import F, random_base
from .stark.setup import Domain
from .statements.poseidon2 import DIGEST
from .statements.training_trace import Step
from .store import Store, cid_of


@dataclass(frozen=True, eq=False)
class VerifiedMember(Member):
    """rows: a hospital's committed rows, None for an operator. seed: (8,) its committed noise seed.

    repeatable: draw the randomness of proofs from `rng` too, so that a seeded run is the same bit by bit.
    consented: raises RowsWithoutConsent; None: nobody is asked.
    """

    rows: Rows | None = None
    seed: F | None = None
    repeatable: bool = False
    consented: Callable[[Round], None] | None = field(default=None, kw_only=True)

    # ---------------------------------------------------------------- beacon

    def _beacon_rng(self, round_: Round) -> Rng:
        """Bytes that only this key gives, the same ones each time it is asked in this round."""
        secret = bytes(self.account.key) + _context(round_, self.account.address)
        return BytesIO(shake_256(b"bfl_ref/beacon" + secret).digest(1 << 14)).read

    def _dealing(self, round_: Round) -> tuple[Dealing, Rng]:
        (started,) = round_.events(BeaconStarted)
        rng = self._beacon_rng(round_)
        return beacon.deal(len(started.validators), started.threshold, rng), rng

    def _listed(self, round_: Round) -> bool:
        """Whether the round's beacon counts on it: a validator that could not pay the penalty is not asked."""
        (started,) = round_.events(BeaconStarted)
        return self.account.address in started.validators

    def deal(self, round_: Round) -> None:
        if not self._listed(round_):
            return
        (started,) = round_.events(BeaconStarted)
        dealing, rng = self._dealing(round_)
        own = self.account.address
        commitments = [_hash(round_, w, own, secret) for w, secret in enumerate(dealing.secrets)]
        hashes = [
            [_hash(round_, w, own, i, share) for i, share in enumerate(shares)]
            for w, shares in enumerate(dealing.shares)
        ]
        sealed = beacon.seal(dealing, started.keys, _context(round_, own), rng)
        round_.system.beacon.commit(round_.round_id, commitments, hashes, sealed, sender=self.account)

    def reveal(self, round_: Round, which: int) -> None:
        if not self._listed(round_):
            return
        dealing, _ = self._dealing(round_)
        round_.system.beacon.reveal(round_.round_id, which, dealing.secrets[which], sender=self.account)

    def rebuild(self, round_: Round, which: int) -> None:
        """Posts this holder's share of every secret that is still kept back."""
        client, own = round_.system.beacon, self.account.address
        if not self._listed(round_):
            return
        holder = client.validators_of(round_.round_id).index(own)
        for dealt in round_.events(SecretsCommitted):
            state = client.dealing_of(round_.round_id, which, dealt.validator).state
            if state is not SecretState.DEALT or dealt.validator == own:
                continue
            try:
                context = _context(round_, dealt.validator)
                share = beacon.unseal(dealt.sealed, encryption_key(self.account), context, holder)[which]
            except BadShare:
                continue  # nobody can post what was never dealt: the dealer's secret is lost, and its stake
            hashes = dealt.share_hashes[which]
            if _hash(round_, which, dealt.validator, holder, share) == hashes[holder]:
                client.post_share(
                    round_.round_id, which, dealt.validator, hashes, holder, share, sender=self.account
                )

    # ---------------------------------------------------------------- training

    def look(self, round_: Round) -> None:
        if self.consented is not None:
            self.consented(round_)

    def train(self, round_: Round, config: TrainConfig) -> list[State]:
        """States 0 .. S by the rule of fixed_point/, with the noise that r1 and the committed seed give."""
        assert self.rows is not None and self.seed is not None
        return fixed_point.train_round(
            round_.model, self.rows, hyper_of(round_), self.seed, noise_beacon(round_), self.rng
        )

    def commit(self, round_: Round, update: list[State]) -> bytes | None:
        """Phase commit: all state digests, and the CID of the file that opens the last one."""
        assert self.rows is not None
        system, rows = round_.system, len(self.rows.y)
        chain_id = system.node.web3.eth.chain_id
        origin = Origin(chain_id, system.rounds.address, round_.round_id, self.account.address, rows)
        for rivals in reversed(range(system.rounds.round_of(round_.round_id).selected)):
            file, digest = pack_update(update[-1], origin)
            states = [digest_bytes(state.digest) for state in update]
            try:
                system.rounds.commit_states(
                    round_.round_id, Content(cid_of(file), digest), states, sender=self.account
                )
                return file
            except ReplayedSubmission:  # somebody was quicker with this very digest: salt anew
                if not rivals:
                    raise
                update[-1] = State(update[-1].weights, random_base(DIGEST, self.rng))
        return None

    def audited(self, round_: Round, update: list[State]) -> list[ProofTask]:
        """One task for each audit of this hospital."""
        audits, own = round_.system.audits, self.account.address
        drawn = [audits.audit_of(round_.round_id, i) for i in range(audits.audits_of(round_.round_id))]
        domain = Domain(round_.system.node.web3.eth.chain_id, audits.address, round_.round_id, own)
        hyper, r1 = hyper_of(round_), noise_beacon(round_)
        return [
            ProofTask(i, self.witness(update, audit.step, hyper, r1), domain, self._proof_seed())
            for i, audit in enumerate(drawn)
            if audit.hospital == own
        ]

    def witness(self, update: Sequence[State], step: int, hyper: Hyper, r1: F) -> Step:
        """What the proof of one step is made from."""
        assert self.rows is not None and self.seed is not None
        segment = self.rows.segments[step % len(self.rows.segments)]
        v, y, salts = self.rows.v[segment], self.rows.y[segment], self.rows.salts[segment]
        return Step(v, y, salts, update[step], update[step + 1], self.seed, r1, step, hyper)

    def show(self, round_: Round, update: list[State], task: ProofTask, proof: bytes | None) -> None:
        """Hand the proof in, with the two states' paths to the committed root."""
        if proof is not None:
            hand_in(self, round_, [digest_bytes(state.digest) for state in update], task, proof)

    def _proof_seed(self) -> int | None:
        return int.from_bytes(self.rng(8), "big") if self.repeatable else None


def hand_in(
    member: VerifiedMember, round_: Round, states: Sequence[bytes], task: ProofTask, proof: bytes
) -> None:
    """A proof of an audited step on chain. states: all digests that the member committed to."""
    audits, own, step = round_.system.audits, member.account.address, task.step.number
    opened: list[Any] = []
    for i in (step, step + 1):
        _, path = audits.path_of(round_.round_id, own, states, i)
        opened += [states[i], path]
    audits.prove(round_.round_id, task.audit_id, proof, *opened, sender=member.account)


def hyper_of(round_: Round) -> Hyper:
    """The round's hyper-parameters, from the contract."""
    said = round_.system.audits.training_of(round_.round_id)
    return Hyper(said.epochs, said.rate, said.clip, said.noise)


def noise_beacon(round_: Round) -> F:
    """(4,): r1 of the round."""
    return fixed_point.beacon_elements(round_.system.beacon.value_of(round_.round_id, 0))


def encryption_key(account: LocalAccount) -> bytes:
    """A member's X25519 key, derived from the key it signs with: one secret to keep."""
    return keccak(b"bfl_ref/x25519" + bytes(account.key))


def register(system: System, store: Store, member: VerifiedMember) -> None:
    """Before a task: a hospital's segment digests, row count and noise-seed commitment; its leaves go into the store.

    A hospital that is registered hands in fewer rows; the same ones again: nothing is sent.
    RowsMayOnlyLeave; DataFrozen while its stake answers for a round.
    """
    assert member.rows is not None and member.seed is not None
    file = leaves_file(member.rows)
    segments = [digest_bytes(member.rows.digest(i)) for i in range(len(member.rows.segments))]
    leaves, rows = Content(store.put(file), keccak(file)), len(member.rows.y)
    own = member.account.address
    if system.data.segments_of(own) == tuple(segments):
        return
    if system.data.rows_of(own):
        system.data.shrink(segments, rows, leaves, sender=member.account)
        return
    commitment = digest_bytes(fixed_point.seed_commitment(member.seed))
    system.data.register(segments, rows, commitment, leaves, sender=member.account)


def _context(round_: Round, dealer: str) -> bytes:
    """What a dealing belongs to."""
    where = round_.system.node.web3.eth.chain_id, round_.system.beacon.address, round_.round_id, dealer
    return encode(["uint256", "address", "uint256", "address"], where)


def _hash(round_: Round, which: int, dealer: str, *numbers: int) -> bytes:
    """keccak of (chain, beacon, round, which, dealer, secret), or (..., index, share): as Beacon.sol has them."""
    where = round_.system.node.web3.eth.chain_id, round_.system.beacon.address, round_.round_id, which, dealer
    types = ["uint256", "address", "uint256", "uint8", "address", *["uint256"] * len(numbers)]
    return keccak(encode(types, [*where, *numbers]))
