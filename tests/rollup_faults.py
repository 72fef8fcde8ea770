"""Batches of the rollup with one fault each, and the name under which each is refused."""

from collections.abc import Callable
from dataclasses import replace

from rollup_cases import Case

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import ACCOUNTS, AMOUNT_LIMIT
from bfl_ref.rollup.lists import SignedList
from bfl_ref.rollup.refusals import (
    DoubleExit,
    DoubleList,
    DoubleRekey,
    EarlyNonce,
    ExitingAccount,
    MalformedList,
    Overflow,
    Overspend,
    RefusedBatch,
    ReplayedNonce,
    SpentKey,
    UnknownAccount,
    WrongExit,
    WrongSignature,
)
from bfl_ref.rollup.signatures import OneTimeKey
from bfl_ref.stark.field import P

Fault = tuple[type[RefusedBatch], Callable[[Case], Case]]
"""The refusal, and a case (of two lists or more, and a queue) -> the case with that fault and no other."""


def _with_list(case: Case, signed: SignedList) -> Case:
    """In place of the first list."""
    return replace(case, batch=replace(case.batch, lists=(signed, *case.batch.lists[1:])))


def _with_queue(case: Case, *more: e.Entry) -> Case:
    return replace(case, batch=replace(case.batch, queue=(*case.batch.queue, *more)))


def _first(case: Case) -> SignedList:
    return case.batch.lists[0]


def _value_changed(case: Case) -> Case:
    values = [list(v) for v in _first(case).signature.values]
    values[17][2] = (values[17][2] + 1) % P
    changed = replace(_first(case).signature, values=tuple(tuple(v) for v in values))
    return _with_list(case, replace(_first(case), signature=changed))


def _counter_changed(case: Case) -> Case:
    signature = _first(case).signature
    return _with_list(
        case, replace(_first(case), signature=replace(signature, counter=signature.counter + 1))
    )


def _entry_changed(case: Case) -> Case:
    record = e.record(_first(case).index, (1, 2, 3, 4, 5))
    return _with_list(case, replace(_first(case), entries=(record, *_first(case).entries)))


def _next_key_changed(case: Case) -> Case:
    listed = _first(case)
    return _with_list(
        case, replace(listed, entries=(*listed.entries[:-1], e.rotate(listed.index, (9, 9, 9, 9, 9))))
    )


def _reordered(case: Case) -> Case:
    index = _first(case).index
    signed = case.signed(index, e.record(index, (1, 0, 0, 0, 0)), e.record(index, (2, 0, 0, 0, 0)))
    first, second, last = signed.entries
    return _with_list(case, replace(signed, entries=(second, first, last)))


def _of_another(case: Case) -> Case:
    """Signed well, by the key of the second list's account."""
    index, other = _first(case).index, case.batch.lists[1].index
    return _with_list(case, replace(case, seeds={index: case.seeds[other]}).signed(index))


def _overspent(case: Case) -> Case:
    index = _first(case).index
    balance = case.tree[index].balance
    return _with_list(case, case.signed(index, e.transfer(index, index, balance), e.lock(index, 1)))


def _overspent_by_deposit(case: Case) -> Case:
    """What arrives in the batch cannot be spent in it."""
    index = _first(case).index
    spend = case.signed(index, e.withdraw(index, case.tree[index].balance + 1))
    return _with_queue(_with_list(case, spend), e.deposit(index, 1))


def _overspent_stake(case: Case) -> Case:
    index = _first(case).index
    stake = case.tree[index].stake
    return _with_list(case, case.signed(index, e.lock(index, 1), e.unlock(index, stake + 1)))


def _doubled(case: Case) -> Case:
    return replace(case, batch=replace(case.batch, lists=(*case.batch.lists, case.batch.lists[0])))


def _unknown(case: Case) -> Case:
    """The account has a nonce, and a list signed by a key of it; but the state has no key."""
    index = _first(case).index
    return replace(case, tree=case.tree.replaced(index, replace(case.tree[index], key=(0,) * 5)))


def _replayed(case: Case) -> Case:
    """The account has signed since."""
    index = _first(case).index
    account = case.tree[index]
    after = replace(
        account, nonce=account.nonce + 1, key=OneTimeKey(case.seeds[index], index, account.nonce + 1).digest
    )
    return replace(case, tree=case.tree.replaced(index, after))


def _early(case: Case) -> Case:
    index = _first(case).index
    return _with_list(case, replace(_replayed(case).signed(index), index=index))


def _rekeyed(case: Case) -> Case:
    return _with_queue(case, e.rekey(_first(case).index, (1, 2, 3, 4, 5)))


def _rekeyed_twice(case: Case) -> Case:
    unused = next(i for i in range(ACCOUNTS) if i not in case.seeds)
    return _with_queue(case, e.rekey(unused, (1, 2, 3, 4, 5)), e.rekey(unused, (1, 2, 3, 4, 5)))


def _exiting(case: Case) -> Case:
    account = case.tree[_first(case).index]
    return _with_queue(case, e.exit_all(_first(case).index, account.balance, account.stake))


def _exiting_twice(case: Case) -> Case:
    unused = next(i for i in range(ACCOUNTS) if i not in case.seeds)
    return _with_queue(case, e.exit_all(unused, 0, 0), e.exit_all(unused, 0, 0))


def _exit_of_more(case: Case) -> Case:
    unused = next(i for i in range(ACCOUNTS) if i not in case.seeds)
    return _with_queue(case, e.exit_all(unused, 1, 0))


def _overflowing(case: Case) -> Case:
    return _with_queue(case, *[e.deposit(_first(case).index, AMOUNT_LIMIT - 1)] * 2)


def _unended(case: Case) -> Case:
    return _with_list(
        case, replace(_first(case), entries=(*_first(case).entries, e.record(_first(case).index, (0,) * 5)))
    )


def _rotated_twice(case: Case) -> Case:
    return _with_list(case, replace(_first(case), entries=(*_first(case).entries, _first(case).entries[-1])))


def _of_two(case: Case) -> Case:
    """An account's list with another's entry in it."""
    index, other = _first(case).index, case.batch.lists[1].index
    return _with_list(case, case.signed(index, e.transfer(other, index, 0)))


FAULTS: dict[str, Fault] = {
    "a value of the signature": (WrongSignature, _value_changed),
    "the counter": (WrongSignature, _counter_changed),
    "an entry that was not signed": (WrongSignature, _entry_changed),
    "the next key": (WrongSignature, _next_key_changed),
    "the order of entries": (WrongSignature, _reordered),
    "another's key": (WrongSignature, _of_another),
    "more than the balance": (Overspend, _overspent),
    "a deposit of the same batch": (Overspend, _overspent_by_deposit),
    "more than the stake": (Overspend, _overspent_stake),
    "two lists": (DoubleList, _doubled),
    "no key": (UnknownAccount, _unknown),
    "a nonce of the past": (ReplayedNonce, _replayed),
    "a nonce of the future": (EarlyNonce, _early),
    "a key that the queue replaces": (SpentKey, _rekeyed),
    "two keys": (DoubleRekey, _rekeyed_twice),
    "signed while exiting": (ExitingAccount, _exiting),
    "two exits": (DoubleExit, _exiting_twice),
    "an exit of more": (WrongExit, _exit_of_more),
    "more than can be inside": (Overflow, _overflowing),
    "an entry after ROTATE": (MalformedList, _unended),
    "two ROTATEs": (MalformedList, _rotated_twice),
    "another's entry": (MalformedList, _of_two),
}
