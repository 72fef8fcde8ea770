"""A wallet signs one list a key, resends, cancels, follows the state; with several processes too."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from rollup_cases import CHAIN_ID, DOMAIN
from wallet_cases import INDEX, SEED, enrolled, landed, new, note

from bfl_ref.rollup import entries as e
from bfl_ref.rollup.accounts import Account
from bfl_ref.rollup.ledger import Batch, apply
from bfl_ref.rollup.refusals import MalformedList, ReplayedNonce
from bfl_ref.rollup.signatures import domain_elements
from bfl_ref.rollup.wallet import DamagedWallet, KeyNotInForce, KeyUsed, Status, Wallet


@pytest.fixture
def path(tmp_path):
    return tmp_path / "owner.wallet"


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
