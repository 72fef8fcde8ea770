"""Client of the rollup's contract. Conventions as in `clients`; accounts, entries and roots as in the package `rollup`."""

from collections.abc import Sequence
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from eth_utils import keccak

from ..rollup.accounts import KEY, Account, Digest
from ..rollup.signatures import Domain4
from ..stark.field import from_bytes
from ..statements.poseidon2 import DIGEST
from .events import AccountOpened, BatchSettled
from .records import from_abi
from .transactions import Client


@dataclass(frozen=True)
class RollupParameters:
    """turn, force, delay: blocks of a sequencer's turn, that an item may wait, before what left is paid.

    run: entries of one push at most.  accounts: that can be opened.  bond, fee: of a sequencer, and what of a lost one is
    for who froze the rollup.
    """

    turn: int = 10
    force: int = 10_000
    delay: int = 10
    run: int = 128
    accounts: int = 1024
    bond: int = 0
    fee: int = 0


@dataclass(frozen=True)
class AccountState:
    """What the main chain keeps of an account: values after the last batch, and what left it and waits for its owner."""

    negative: int
    positive: int
    nonce: int
    stake: int
    balance: int
    owed: int
    claim_block: int
    escaped: bool


@dataclass(frozen=True)
class QueueItem:
    """A run of entries that batches have to take. digest: 240 bits of their keccak, and their number."""

    digest: bytes
    payer: str
    amount: int
    block_number: int


@dataclass(frozen=True)
class SequencerSeat:
    """sequencer: zero: free.  from_turn, until_turn: first turn that it counts in, first in which it does no more."""

    sequencer: str
    from_turn: int
    until_turn: int


class Rollup(Client):
    """IRollup, IRollupQueue and ISequencers: who may enter, batch and leave."""

    def open(self, key: Sequence[int], *, sender: LocalAccount) -> int:
        """Opens the sender's account with its first key (5,); the index."""
        events = self._send(sender, "open", _packed(key))
        return next(event.index for event in events if isinstance(event, AccountOpened))

    def deposit(self, index: int, amount: int, *, sender: LocalAccount) -> None:
        """amount: units of 1/1000 token, of which the rollup has an allowance."""
        self._send(sender, "deposit", index, amount)

    def rekey(self, key: Sequence[int], *, sender: LocalAccount) -> None:
        self._send(sender, "rekey", _packed(key))

    def exit_account(self, *, sender: LocalAccount) -> None:
        self._send(sender, "exitAccount")

    def register(self, *, sender: LocalAccount) -> None:
        """Takes a sequencer's seat, for the bond."""
        self._send(sender, "register")

    def resign(self, sequencer: str, *, sender: LocalAccount) -> None:
        self._send(sender, "resign", sequencer)

    def pay_bond(self, to: str, *, sender: LocalAccount) -> None:
        self._send(sender, "payBond", to)

    def submit(self, data: bytes, new_root: Digest, proof: bytes, *, sender: LocalAccount) -> BatchSettled:
        """A batch. Not rehearsed: its proof is verified once."""
        events = self._send(sender, "submit", data, root_bytes(new_root), proof, rehearsed=False)
        return next(event for event in events if isinstance(event, BatchSettled))

    def claim(self, *, sender: LocalAccount) -> None:
        self._send(sender, "claim")

    def freeze(self, *, sender: LocalAccount) -> None:
        self._send(sender, "freeze")

    def escape(
        self, index: int, account: Account, siblings: Sequence[Digest], *, sender: LocalAccount
    ) -> None:
        """Once frozen: what the account holds under the last root is its owner's."""
        leaf = _packed(account.key), _packed(account.record), *account.closing
        self._send(sender, "escape", index, leaf, [root_bytes(sibling) for sibling in siblings])

    def refund(self, number: int, *, sender: LocalAccount) -> None:
        self._send(sender, "refund", number)

    def root(self) -> Digest:
        """(8,)"""
        return root_of(self._view("root"))

    def batches(self) -> int:
        """Settled so far."""
        return self._view("batches")

    def data_of(self, settled: BatchSettled) -> bytes:
        """What a settled batch published, from its transaction's calldata. ValueError if the node tells something else."""
        sent = self.node.web3.eth.get_transaction(settled.transaction)["input"]  # type: ignore[arg-type]
        _, arguments = self.contract.decode_function_input(sent)
        if (digest := keccak(arguments["data"])) != settled.data_hash:
            raise ValueError(f"expected data of {settled.data_hash.hex()}, got {digest.hex()}")
        return arguments["data"]

    def queued(self) -> int:
        """Number of the last item queued."""
        return self._view("queued")

    def taken(self) -> int:
        """Number of the last item that a batch took."""
        return self._view("taken")

    def inside(self) -> int:
        """Units in accounts and queue."""
        return self._view("inside")

    def opened(self) -> int:
        """Accounts: the next index."""
        return self._view("opened")

    def item_of(self, number: int) -> QueueItem:
        return from_abi(QueueItem, self._view("itemOf", number))

    def index_of(self, owner: str) -> int:
        return self._view("indexOf", owner)

    def account_number_of(self, owner: str) -> int:
        """1 + its index; 0: none."""
        return self._view("accountNumberOf", owner)

    def owner_of(self, index: int) -> str:
        return self._view("ownerOf", index)

    def accounts(self, index: int) -> AccountState:
        return from_abi(AccountState, self._view("accounts", index))

    def account_of(self, owner: str) -> AccountState:
        return from_abi(AccountState, self._view("accountOf", owner))

    def is_frozen(self) -> bool:
        return self._view("isFrozen")

    def is_overdue(self) -> bool:
        return self._view("isOverdue")

    def slots_of(self, owners: Sequence[str]) -> tuple[int, ...]:
        """As AccountState packs them, negative lowest; 0: no account."""
        return tuple(self._view("slotsOf", list(owners)))

    def seats(self) -> tuple[SequencerSeat, ...]:
        """All that were ever taken, in their order."""
        return tuple(from_abi(SequencerSeat, seat) for seat in self._view("seats"))

    def bonds_owed_to(self, account: str) -> int:
        return self._view("bondsOwedTo", account)

    def last_turn(self) -> int:
        """In which the last batch was settled."""
        return self._view("lastTurn")

    def in_turn(self, turn: int) -> str:
        """Whose turn it is; the zero address: nobody's."""
        return self._view("inTurn", turn)

    def turn_of(self, block: int) -> int:
        return self._view("turnOf", block)

    def domain(self) -> Domain4:
        """Where lists are signed for."""
        return tuple(self._view("domain"))

    def parameters(self) -> RollupParameters:
        return from_abi(RollupParameters, self._view("parameters"))

    def verifier(self) -> str:
        return self._view("verifier")

    def pot(self) -> str:
        return self._view("pot")

    def consortium(self) -> str:
        return self._view("consortium")

    def token(self) -> str:
        return self._view("token")


def root_bytes(digest: Digest) -> bytes:
    """bytes32: eight elements of 4 bytes, the first one highest. ValueError for another number of them."""
    return _bytes(digest, DIGEST)


def root_of(data: bytes) -> Digest:
    """Inverse of `root_bytes`."""
    return tuple(int(x) for x in from_bytes(data))


def _packed(elements: Sequence[int]) -> int:
    """uint160 of five elements."""
    return int.from_bytes(_bytes(elements, KEY), "big")


def _bytes(elements: Sequence[int], count: int) -> bytes:
    if len(elements) != count:
        raise ValueError(f"expected {count} elements, got {elements}")
    return b"".join(x.to_bytes(4, "big") for x in elements)
