"""A wallet of account 77, and states that take its lists."""

from rollup_cases import DOMAIN

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import StateTree
from bfl_ref.rollup.ledger import Batch, apply
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.wallet import Status, Wallet

SEED, INDEX = bytes(range(32)), 77


def new(path, salt: int = 1) -> Wallet:
    return Wallet.create(path, SEED, INDEX, DOMAIN, lambda count: bytes([salt]) * count)


def enrolled(path) -> tuple[Wallet, StateTree]:
    wallet = new(path)
    tree = apply(StateTree(), Batch((wallet.cancel(),)), DOMAIN).tree
    assert wallet.follow(tree[INDEX]) is Status.OPEN and wallet.nonce == 1
    return wallet, tree


def note(number: int) -> e.Entry:
    return e.record(INDEX, (number, 0, 0, 0, 0))


def landed(tree: StateTree, data: bytes) -> StateTree:
    return apply(tree, Batch((), (SignedList.from_bytes(data),)), DOMAIN).tree
