"""Three kinds of node behave alike, refuse what is not theirs, and leave nothing running."""

import json
import os
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from eth_account import Account

from bfl_ref.chain.node import (
    KEYS_VARIABLE,
    ChainUnreachable,
    WrongChain,
    import_chain,
    keystore_keys,
    open_chain,
    seeded_accounts,
)

KEYS = [account.key.hex() for account in seeded_accounts(2, 0)]


@pytest.fixture(scope="module")
def anvil():
    with open_chain("anvil", accounts=2) as node:
        yield node


def url_of(node) -> str:
    return str(node.web3.provider.endpoint_uri)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    """Whether a process that was told to end does so; the loop only bounds how long a failure takes."""
    for _ in range(500):
        if not alive(pid):
            return True
        signal.sigtimedwait([], 0.02)
    return False


def anvil_pids() -> set[int]:
    listed = subprocess.run(["pgrep", "-P", str(os.getpid()), "anvil"], capture_output=True, text=True)
    return set(map(int, listed.stdout.split()))


@pytest.mark.parametrize("kind", ["embedded", "anvil", "url"])
def test_node_funds_its_accounts_waits_for_blocks_and_takes_a_large_block(kind, anvil):
    where = url_of(anvil) if kind == "url" else kind
    with open_chain(where, accounts=2, keys=KEYS if kind == "url" else None) as node:
        eth = node.web3.eth
        assert [account.key.hex() for account in node.accounts] == KEYS
        assert all(eth.get_balance(account.address) > 10**20 for account in node.accounts)
        before = eth.block_number
        node.wait_blocks(7)
        node.wait_blocks(0)
        assert eth.block_number == before + 7 and eth.get_block("latest")["gasLimit"] >= 30_000_000


def test_seeded_accounts_of_other_seeds_differ():
    assert seeded_accounts(3, 1)[:2] == seeded_accounts(2, 1)
    assert len({account.address for seed in range(3) for account in seeded_accounts(3, seed)}) == 9


@pytest.mark.parametrize("kind", ["embedded", "anvil", "url"])
def test_open_of_another_chain_names_both_ids(kind, anvil):
    where = url_of(anvil) if kind == "url" else kind
    got = 31337 if kind != "embedded" else None
    with pytest.raises(WrongChain, match="expected chain id 99") as caught:
        open_chain(where, chain_id=99, keys=KEYS).__enter__()
    assert caught.value.expected == 99 and caught.value.got == (got or caught.value.got) != 99


def test_open_of_dead_url_names_it():
    with pytest.raises(ChainUnreachable, match=r"http://127\.0\.0\.1:9"):
        open_chain("http://127.0.0.1:9", keys=KEYS).__enter__()


def test_open_of_url_takes_keys_from_the_environment_or_says_how(anvil):
    with open_chain(url_of(anvil), environment={KEYS_VARIABLE: ",".join(KEYS)}) as node:
        assert len(node.accounts) == 2
    with pytest.raises(ValueError, match=KEYS_VARIABLE):
        open_chain(url_of(anvil), environment={}).__enter__()


def test_open_with_malformed_key_never_shows_it(anvil):
    secret = "0x" + "ab" * 31
    with pytest.raises(ValueError, match="32 bytes in hex") as caught:
        open_chain(url_of(anvil), keys=[secret]).__enter__()
    assert "ab" * 8 not in "".join(traceback.format_exception(caught.value)).replace("\\xab", "ab")


def test_open_of_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="got 'ganache'"):
        open_chain("ganache").__enter__()


def test_keystore_file_gives_its_key_to_the_right_password_only(tmp_path):
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(KEYS[0], "right", kdf="pbkdf2", iterations=1000)))
    (key,) = keystore_keys(path, "right")
    assert Account.from_key(key).address == seeded_accounts(1, 0)[0].address
    with pytest.raises(ValueError):
        keystore_keys(path, "wrong")


def test_anvil_ends_with_its_block_even_when_it_raises():
    before = anvil_pids()
    with pytest.raises(RuntimeError, match="stop"), open_chain("anvil"):
        (pid,) = anvil_pids() - before
        raise RuntimeError("stop")
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the parent's death reaches the child by a Linux call")
def test_anvil_ends_when_its_parent_is_killed():
    code = """
import subprocess, sys, os
from bfl_ref.chain.node import open_chain
with open_chain("anvil"):
    print(subprocess.run(["pgrep", "-P", str(os.getpid()), "anvil"], capture_output=True, text=True).stdout, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
    assert gone(pid)


def test_anvil_with_state_file_goes_on_where_it_stopped(tmp_path):
    state = tmp_path / "state.json"
    with open_chain("anvil", accounts=1, state=state) as node:
        node.wait_blocks(12)
        block = node.web3.eth.get_block(12)["hash"]
    with open_chain("anvil", accounts=1, state=state) as node:
        assert node.web3.eth.block_number == 12 and node.web3.eth.get_block(12)["hash"] == block


def transfer(node) -> None:
    alice, bob = node.accounts[:2]
    nonce = node.web3.eth.get_transaction_count(alice.address)
    fields = {"to": bob.address, "value": 5, "gas": 21_000, "nonce": nonce, "chainId": node.web3.eth.chain_id}
    fields |= {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 0}
    node.web3.eth.send_raw_transaction(alice.sign_transaction(fields)["raw_transaction"])


def test_export_of_embedded_chain_is_executed_again_by_import():
    with open_chain("embedded") as node:
        for _ in range(3):
            transfer(node)
        node.wait_blocks(2)
        blocks, head = node.export(), node.web3.eth.get_block("latest")
    again = import_chain(blocks)
    assert again.web3.eth.get_block("latest")["hash"] == head["hash"]
    transfer(again)  # and goes on
    assert again.web3.eth.block_number == head["number"] + 1


def test_import_of_changed_or_missing_block_is_refused():
    with open_chain("embedded") as node:
        for _ in range(2):
            transfer(node)
        blocks = node.export()
    changed = bytearray(blocks[0])
    changed[-40] ^= 1
    for wrong in ([bytes(changed), blocks[1]], [blocks[1]], [blocks[1], blocks[0]]):
        with pytest.raises(ValueError, match="block 1"):
            import_chain(wrong)
    with pytest.raises(ValueError, match="block 1"):
        import_chain(blocks, seed=7)  # another genesis
