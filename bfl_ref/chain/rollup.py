"""Client of the rollup's contract, and its deployment beside a system. Conventions as in `clients`.

Amounts are in its own units, 1/1000 token. What entries are, and who makes data and proofs of a batch: `bfl_ref.rollup`.
"""

from collections.abc import Sequence
from dataclasses import astuple

from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from .beside import connect_beside, deploy_beside
from .contracts import System
from .events import AccountOpened, BatchSettled
from .records import from_abi
from .rollup_records import (
    AccountState,
    Digest,
    Leaf,
    QueueItem,
    RollupParameters,
    SequencerSeat,
    number_of,
    packed,
    unpacked,
)
from .transactions import Client

PUSHER_ROLE = keccak(text="PUSHER_ROLE")
UNIT = 10**15  # of the token's smallest unit


class Rollup(Client):
    """IRollup: accounts and their queue, sequencers, batches, the ways out."""

    def open(self, key: Digest, *, sender: LocalAccount) -> int:
        """The index of the sender's new account. key: (5,), digest of its first one-time key."""
        events = self._send(sender, "open", number_of(key))
        return next(event.index for event in events if isinstance(event, AccountOpened))

    def deposit(self, index: int, amount: int, *, sender: LocalAccount) -> None:
        self._send(sender, "deposit", index, amount)

    def rekey(self, key: Digest, *, sender: LocalAccount) -> None:
        self._send(sender, "rekey", number_of(key))

    def exit_account(self, *, sender: LocalAccount) -> None:
        self._send(sender, "exitAccount")

    def submit(self, data: bytes, new_root: Digest, proof: bytes, *, sender: LocalAccount) -> BatchSettled:
        """Settles a batch. proof: for Domain(chain id, this contract, `batches()` + 1, "0x0")."""
        said = data, packed(new_root, 8), proof
        events = self._send(sender, "submit", *said, rehearsed=False)
        return next(event for event in events if isinstance(event, BatchSettled))

    def register(self, *, sender: LocalAccount) -> None:
        self._send(sender, "register")

    def resign(self, sequencer: str, *, sender: LocalAccount) -> None:
        self._send(sender, "resign", sequencer)

    def pay_bond(self, to: str, *, sender: LocalAccount) -> None:
        self._send(sender, "payBond", to)

    def freeze(self, *, sender: LocalAccount) -> None:
        self._send(sender, "freeze")

    def claim(self, *, sender: LocalAccount) -> None:
        self._send(sender, "claim")

    def escape(self, index: int, leaf: Leaf, siblings: Sequence[Digest], *, sender: LocalAccount) -> None:
        """siblings: (10, 8), the leaf's level first (`StateTree.siblings`)."""
        closing = leaf.balance, leaf.stake, leaf.nonce, leaf.positive, leaf.negative
        held = number_of(leaf.key), number_of(leaf.record), *closing
        self._send(sender, "escape", index, held, [packed(each, 8) for each in siblings])

    def refund(self, number: int, *, sender: LocalAccount) -> None:
        self._send(sender, "refund", number)

    def root(self) -> Digest:
        """(8,)"""
        return unpacked(self._view("root"))

    def domain(self) -> Digest:
        """(4,): where lists are signed for."""
        return tuple(self._view("domain"))

    def batches(self) -> int:
        """Number of the last batch settled; the first is 1."""
        return self._view("batches")

    def opened(self) -> int:
        return self._view("opened")

    def inside(self) -> int:
        return self._view("inside")

    def taken(self) -> int:
        """Number of the last item that a batch took."""
        return self._view("taken")

    def queued(self) -> int:
        """Number of the last item queued."""
        return self._view("queued")

    def item_of(self, number: int) -> QueueItem:
        return from_abi(QueueItem, self._view("itemOf", number))

    def index_of(self, owner: str) -> int:
        return self._view("indexOf", owner)

    def indices_of(self, owners: Sequence[str]) -> tuple[int, ...]:
        """1,024 for who has no account."""
        return tuple(self._view("indicesOf", list(owners)))

    def owner_of(self, index: int) -> str:
        return self._view("ownerOf", index)

    def accounts(self, index: int) -> AccountState:
        return from_abi(AccountState, self._view("accounts", index))

    def account_of(self, owner: str) -> AccountState:
        return from_abi(AccountState, self._view("accountOf", owner))

    def slots_of(self, owners: Sequence[str]) -> tuple[int, ...]:
        """Of each, AccountState packed, `negative` lowest; 0 without an account."""
        return tuple(self._view("slotsOf", list(owners)))

    def is_frozen(self) -> bool:
        return self._view("isFrozen")

    def is_overdue(self) -> bool:
        """Whether an item waits for longer than it may, as of the last block."""
        return self._view("isOverdue")

    def turn_of(self, block_number: int) -> int:
        return self._view("turnOf", block_number)

    def in_turn(self, turn: int) -> str:
        """The zero address: nobody."""
        return self._view("inTurn", turn)

    def last_turn(self) -> int:
        return self._view("lastTurn")

    def seats(self) -> tuple[SequencerSeat, ...]:
        return tuple(from_abi(SequencerSeat, each) for each in self._view("seats"))

    def bonds_owed_to(self, account: str) -> int:
        """Smallest unit."""
        return self._view("bondsOwedTo", account)

    def pot(self) -> str:
        return self._view("pot")

    def parameters(self) -> RollupParameters:
        return from_abi(RollupParameters, self._view("parameters"))

    def verifier(self) -> str:
        return self._view("verifier")

    def token(self) -> str:
        return self._view("token")

    def consortium(self) -> str:
        return self._view("consortium")

    def data_of(self, settled: BatchSettled) -> bytes:
        """The data of a batch, from its transaction's calldata. ValueError if they are not those that the contract saw."""
        transaction = self.node.web3.eth.get_transaction(settled.transaction)  # type: ignore[arg-type]
        _, arguments = self.contract.decode_function_input(transaction["input"])
        if (got := keccak(arguments["data"])) != settled.data_hash:
            raise ValueError(f"expected data with keccak {settled.data_hash.hex()}, got {got.hex()}")
        return arguments["data"]


def deploy_rollup(
    system: System, verifier: str, deployer: LocalAccount, parameters: RollupParameters | None = None
) -> Rollup:
    """A rollup of the system's consortium and token. verifier: address of the contract that checks its batches.

    It may hold tokens, so that members can pay in and register, once they voted for its SYSTEM_ROLE; contracts that hand in
    evidence and rewards need PUSHER_ROLE by vote as well. Lost bonds go to the system's rewards. Its events begin in a later
    block than the chain's last one now. OutOfRange for parameters that it cannot have.
    """
    places = system.consortium.address, system.token.address, verifier, system.rewards.address
    return deploy_beside(system, Rollup, deployer, *places, astuple(parameters or RollupParameters()))


def connect_rollup(system: System, address: str) -> Rollup:
    """The rollup at an address. ValueError if other code stands there, or one of another consortium."""
    return connect_beside(system, Rollup, address)
