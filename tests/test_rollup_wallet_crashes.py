"""No key signs two lists, wherever the power fails: at every write of one, and in a thousand lists with everything else."""

import builtins
import os
from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from rollup_cases import DOMAIN
from wallet_cases import INDEX, SEED, enrolled, landed, note

from bfl_ref.rollup import entries as e
from bfl_ref.rollup import wallet as module
from bfl_ref.rollup.accounts import Account
from bfl_ref.rollup.ledger import Batch, apply
from bfl_ref.rollup.lists import SignedList, check_signed
from bfl_ref.rollup.refusals import RefusedBatch
from bfl_ref.rollup.wallet import KeyNotInForce, KeyUsed, Status, Wallet

LISTS = 1_000 if os.environ.get("BFL_FULL") == "1" else 200


@pytest.fixture
def path(tmp_path):
    return tmp_path / "owner.wallet"


class PowerCut(BaseException):
    """The process is gone: nothing of it catches this."""


def fsync(handle: int) -> None:
    """Nothing: what is not synced is lost by the test, which needs no real disk to wait for."""


class Disk:
    """What `wallet` sees of the operating system; the power fails at the chosen one of its writes, syncs and renames.

    lost: what was not synced by then is lost: a file is cut in the middle, a rename undone, be it one that another process
    left behind.
    """

    def __init__(self, monkeypatch):
        self.mend()
        calls = {call.__name__: self._failing(call) for call in (os.replace, fsync, os.open, os.close)}
        monkeypatch.setattr(module, "os", SimpleNamespace(O_RDONLY=os.O_RDONLY, **calls))
        monkeypatch.setattr(module, "open", self._open, raising=False)
        self._unsynced: Callable[[], None] | None = None

    def cut_after(self, steps: int, lost: bool) -> None:
        self.left, self.lost = steps, lost

    def mend(self) -> None:
        self.cut_after(-1, False)

    def _failing(self, call):
        def called(*arguments):
            self._step()
            old = None
            if call is os.replace:
                old = arguments[1].read_bytes() if arguments[1].exists() else None
            result = call(*arguments)
            if call is os.replace:
                self._unsynced = lambda: _put_back(arguments[1], old)
            elif call is fsync:
                self._unsynced = None
            self._step()
            return result

        return called

    def _open(self, path, mode):
        self._step()
        file = builtins.open(path, mode)  # noqa: SIM115 - closed by who asked
        if str(path).endswith(".new"):
            self._unsynced = lambda: _cut(path)
        self._step()
        return file

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            if self._unsynced and self.lost:
                self._unsynced()
                self._unsynced = None
            raise PowerCut


def _cut(path) -> None:
    if path.exists():
        os.truncate(path, path.stat().st_size // 2)


def _put_back(path, old: bytes | None) -> None:
    if old is None:
        path.unlink()
    else:
        path.write_bytes(old)


def test_power_cut_at_every_write_leaves_a_wallet_that_signs_no_second_list(path, monkeypatch):
    _, enrolled_tree = enrolled(path)
    fresh, disk = path.read_bytes(), Disk(monkeypatch)
    for cut in range(1, 100):
        for lost in (False, True):
            path.write_bytes(fresh)
            wallet, tree = Wallet(path, SEED, INDEX, DOMAIN), enrolled_tree
            disk.cut_after(cut, lost)
            handed = None
            try:
                handed = wallet.sign([note(1)])
                tree = landed(tree, handed)
                wallet.follow(tree[INDEX])
                wallet.cancel()
            except PowerCut:
                disk.mend()
            else:
                assert cut > 30  # each write, sync and rename, before and after
                return
            wallet = Wallet(path, SEED, INDEX, DOMAIN)
            if handed:  # the list was handed out: it must be known
                assert wallet.signed == handed or wallet.nonce == 2
            elif wallet.status is Status.SIGNED:  # written, and not handed out: it is handed out now
                assert SignedList.from_bytes(wallet.signed).entries[0] == note(1)
            else:
                assert wallet.status is Status.OPEN
                landed(tree, wallet.sign([note(2)]))
    raise AssertionError("the steps never came to an end")


STEPS = {
    "sign": 0.25,
    "resend": 0.1,
    "cancel": 0.03,
    "land": 0.26,
    "rekey": 0.1,
    "follow": 0.2,
    "old": 0.03,
    "restart": 0.03,
}


def test_dropped_resent_and_cancelled_lists_use_each_key_once(path, monkeypatch):
    """A state that takes lists and the queue's REKEYs, or loses them; a wallet that crashes, and is told of old states."""
    rng = np.random.default_rng(1)
    disk = Disk(monkeypatch)
    wallet, tree = enrolled(path)
    handed, states = defaultdict(set), [tree[INDEX]]
    sent: list[bytes] = []
    queue: list[e.Entry] = []
    landings = rekeyings = crashes = number = 0
    while len(handed) < LISTS:
        number += 1
        step = str(rng.choice(list(STEPS), p=list(STEPS.values())))
        if step in ("sign", "cancel", "follow") and rng.integers(4) == 0:
            disk.cut_after(int(rng.integers(1, 20)), lost=bool(rng.integers(2)))
        try:
            if step == "sign":
                try:
                    data = wallet.sign([note(number)])
                    handed[SignedList.from_bytes(data).nonce].add(data)
                    sent += [data] * int(rng.integers(2))  # dropped, or on its way
                except (KeyUsed, KeyNotInForce):
                    pass
            elif step == "resend" and wallet.signed:
                handed[SignedList.from_bytes(wallet.signed).nonce].add(wallet.signed)
                sent.append(wallet.signed)
            elif step == "cancel":
                queue.append(wallet.cancel())
            elif step == "follow":
                wallet.follow(states[-1])
            elif step == "old":
                wallet.follow(states[int(rng.integers(len(states)))])
        except PowerCut:
            crashes += 1
            step = "restart"
        disk.mend()
        if step == "restart":
            wallet = Wallet(path, SEED, INDEX, DOMAIN)
        elif step == "land" and sent:
            try:
                tree = landed(tree, sent.pop(int(rng.integers(len(sent)))))
                landings += 1
            except RefusedBatch:
                pass
        elif step == "rekey" and queue:
            tree = apply(tree, Batch((queue.pop(0),)), DOMAIN).tree
            rekeyings += 1
        states.append(tree[INDEX])
    assert all(len(lists) == 1 for lists in handed.values())  # one list a nonce, the same bytes each time
    assert min(landings, rekeyings, crashes) > LISTS // 20, (landings, rekeyings, crashes)
    for nonce, (data,) in list(handed.items())[::50]:  # and a key for each nonce
        signed = SignedList.from_bytes(data)
        check_signed(Account(key=wallet._key(nonce).digest, nonce=nonce), signed, DOMAIN)
