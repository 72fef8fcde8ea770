"""No key signs two lists: not after drops, resends, cancelling, crashes at any write, or with several processes."""

import builtins
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from rollup_cases import CHAIN_ID, DOMAIN

from bfl_ref.rollup import entries as e
from bfl_ref.rollup import wallet as module
from bfl_ref.rollup.accounts import Account, StateTree
from bfl_ref.rollup.ledger import Batch, apply
from bfl_ref.rollup.lists import SignedList, check_signed
from bfl_ref.rollup.refusals import MalformedList, RefusedBatch, ReplayedNonce
from bfl_ref.rollup.signatures import domain_elements
from bfl_ref.rollup.wallet import DamagedWallet, KeyNotInForce, KeyUsed, Status, Wallet

SEED, INDEX = bytes(range(32)), 77


@pytest.fixture
def path(tmp_path):
    return tmp_path / "owner.wallet"


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


def test_wallet_signs_resends_and_goes_on_after_each_list(path):
    wallet, tree = enrolled(path)
    for number in range(3):
        data = wallet.sign([note(number)])
        assert wallet.status is Status.SIGNED and wallet.signed == data
        assert wallet.sign([note(number)]) == data  # the same again
        with pytest.raises(KeyUsed) as refused:
            wallet.sign([note(number), note(number)])
        assert refused.value.nonce == wallet.nonce == number + 1
        assert wallet.follow(tree[INDEX]) is Status.SIGNED  # not landed yet
        wallet = Wallet(path, SEED, INDEX, DOMAIN)  # a restart
        assert wallet.signed == data
        before, tree = tree, landed(tree, data)
        assert wallet.follow(tree[INDEX]) is Status.OPEN and wallet.signed is None
        assert wallet.follow(before[INDEX]) is Status.OPEN  # what is past changes nothing
        with pytest.raises(ReplayedNonce):
            landed(tree, data)
    assert tree[INDEX].record == (2, 0, 0, 0, 0) and tree[INDEX].nonce == 4


def test_cancelled_list_is_void_and_its_key_signs_nothing_any_more(path):
    wallet, tree = enrolled(path)
    data = wallet.sign([note(1)])
    queued = wallet.cancel()
    assert wallet.cancel() == queued and wallet.status is Status.CANCELLED and wallet.signed is None
    for entries in ([note(1)], [note(2)]):
        with pytest.raises(KeyNotInForce, match="cancelled"):
            wallet.sign(entries)
    tree = apply(tree, Batch((queued,)), DOMAIN).tree
    with pytest.raises(ReplayedNonce):
        landed(tree, data)
    assert wallet.follow(tree[INDEX]) is Status.OPEN
    assert landed(tree, wallet.sign([note(2)]))[INDEX].record == (2, 0, 0, 0, 0)


def test_list_that_lands_before_its_cancelling_needs_another_one(path):
    wallet, tree = enrolled(path)
    data = wallet.sign([note(1)])
    queued = wallet.cancel()
    tree = apply(landed(tree, data), Batch((queued,)), DOMAIN).tree
    assert wallet.follow(tree[INDEX]) is Status.WAITING and wallet.nonce == 3
    with pytest.raises(KeyNotInForce, match="waiting"):
        wallet.sign([note(2)])
    tree = apply(tree, Batch((wallet.cancel(),)), DOMAIN).tree
    assert wallet.follow(tree[INDEX]) is Status.OPEN
    assert landed(tree, wallet.sign([note(2)]))[INDEX].record == (2, 0, 0, 0, 0)


def test_wallet_signs_only_its_own_entries_and_only_enrolled(path):
    wallet = new(path)
    with pytest.raises(KeyNotInForce):
        wallet.sign([note(1)])
    wallet.follow(replace(Account(), nonce=1, key=wallet.cancel().payload))
    for wrong in ([e.record(INDEX + 1, (1,) * 5)], [e.rotate(INDEX, (1,) * 5)], [e.deposit(INDEX, 5)]):
        with pytest.raises(MalformedList):
            wallet.sign(wrong)
    assert wallet.status is Status.OPEN and wallet.sign([])  # ROTATE alone


def test_false_account_makes_no_key_sign_twice_and_the_true_one_brings_the_wallet_back(path):
    wallet, tree = enrolled(path)
    data = wallet.sign([note(1)])
    assert wallet.follow(replace(tree[INDEX], nonce=10**6)) is Status.WAITING
    assert wallet.follow(tree[INDEX]) is Status.WAITING  # its key has signed
    with pytest.raises(KeyNotInForce):
        wallet.sign([note(2)])
    tree = landed(tree, data)
    assert wallet.follow(tree[INDEX]) is Status.OPEN and wallet.nonce == 2


def test_wallet_of_a_lost_file_has_other_keys(path):
    wallet, tree = enrolled(path)
    wallet.sign([note(1)])
    path.unlink()
    with pytest.raises(FileNotFoundError):
        wallet.sign([note(2)])
    with pytest.raises(FileNotFoundError):
        Wallet(path, SEED, INDEX, DOMAIN)
    again = Wallet.create(path, SEED, INDEX, DOMAIN)
    assert again.follow(tree[INDEX]) is Status.WAITING
    tree = apply(tree, Batch((again.cancel(),)), DOMAIN).tree
    assert again.follow(tree[INDEX]) is Status.OPEN
    landed(tree, again.sign([note(2)]))
    with pytest.raises(DamagedWallet, match="another wallet"):
        wallet.sign([note(2)])


def test_keys_depend_on_seed_salt_account_and_rollup(tmp_path):
    other = domain_elements(CHAIN_ID, "0xc1")
    made = [
        Wallet.create(tmp_path / str(i), seed, index, domain, lambda count, salt=salt: bytes([salt]) * count)
        for i, (seed, index, domain, salt) in enumerate(
            [
                (SEED, INDEX, DOMAIN, 1),
                (bytes(32), INDEX, DOMAIN, 1),
                (SEED, INDEX + 1, DOMAIN, 1),
                (SEED, INDEX, other, 1),
                (SEED, INDEX, DOMAIN, 2),
            ]
        )
    ]
    assert len({wallet.cancel().payload for wallet in made}) == len(made)
    assert not any(SEED.hex() in (tmp_path / str(i)).read_text() for i in range(len(made)))


def test_wrong_files_are_refused(path):
    new(path)
    with pytest.raises(FileExistsError):
        new(path)
    for wrong in ((SEED, INDEX + 1, DOMAIN), (SEED, INDEX, domain_elements(1, "0xc0"))):
        with pytest.raises(DamagedWallet, match="expected"):
            Wallet(path, *wrong)
    with pytest.raises(ValueError, match="32 bytes"):
        Wallet(path, SEED[1:], INDEX, DOMAIN)
    good = path.read_text()
    for text in (
        "",
        good[:-9],
        "[]",
        "{}",
        good.replace("waiting", "sleeping"),
        good.replace('"salt": "', '"salt": "x'),
    ):
        path.write_text(text)
        with pytest.raises(DamagedWallet):
            Wallet(path, SEED, INDEX, DOMAIN)


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


def test_a_thousand_dropped_resent_and_cancelled_lists_use_each_key_once(path, monkeypatch):
    """A state that takes lists and the queue's REKEYs, or loses them; a wallet that crashes, and is told of old states."""
    rng = np.random.default_rng(1)
    disk = Disk(monkeypatch)
    wallet, tree = enrolled(path)
    handed, states = defaultdict(set), [tree[INDEX]]
    sent: list[bytes] = []
    queue: list[e.Entry] = []
    landings = rekeyings = crashes = number = 0
    while len(handed) < 1000:
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
    assert min(landings, rekeyings, crashes) > 50, (landings, rekeyings, crashes)
    for nonce, (data,) in list(handed.items())[::50]:  # and a key for each nonce
        signed = SignedList.from_bytes(data)
        check_signed(Account(key=wallet._key(nonce).digest, nonce=nonce), signed, DOMAIN)


SIGNER = """
import sys
from bfl_ref.rollup import entries as e
from bfl_ref.rollup.wallet import KeyUsed, Wallet
wallet = Wallet(sys.argv[1], bytes(range(32)), {index}, {domain})
sys.stdin.readline()
for number in range(5):
    try:
        print(wallet.sign([e.record({index}, (int(sys.argv[2]), number, 0, 0, 0))]).hex())
    except KeyUsed:
        print("used")
"""


def test_processes_with_one_file_sign_one_list(path):
    enrolled(path)
    code = SIGNER.format(index=INDEX, domain=DOMAIN)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(i)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for i in range(3)
    ]
    with ThreadPoolExecutor(len(started)) as pool:
        said = list(pool.map(lambda process: process.communicate("go\n", timeout=300)[0].split(), started))
    assert all(
        process.returncode == 0 and len(words) == 5 for process, words in zip(started, said, strict=True)
    )
    lists = {word for words in said for word in words} - {"used"}
    assert len(lists) == 1 and sum(words.count("used") for words in said) == 14
