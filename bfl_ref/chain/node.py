"""Three kinds of node behind one context manager: an EVM inside the process, a spawned anvil, any JSON-RPC URL.

    with open_chain("embedded", accounts=7, seed=0) as node: ...

Keys stay on this side: every transaction is signed locally (contracts.py). Embedded and anvil nodes fund `accounts` keys
derived from `seed`: known to everyone, for one machine only. A URL takes its keys from the reader.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import requests
import rlp
from eth.exceptions import TransactionNotFound
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_tester import EthereumTester, PyEVMBackend
from eth_tester.backends.pyevm.serializers import serialize_transaction_receipt
from eth_tester.exceptions import TransactionFailed
from eth_utils import keccak
from web3 import EthereumTesterProvider, HTTPProvider, Web3
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint, RPCResponse

from .compile import CONTRACTS
from .evm import QuickVM

GAS_LIMIT = 60_000_000  # of a block, embedded and anvil
FUNDS_WEI = 10**24
GENESIS_TIME_S = 1_750_000_000  # fixed, so that an exported chain can be imported onto the same genesis block
KEYS_VARIABLE = "BFL_KEYS"
ANVIL = CONTRACTS / "node_modules" / "@foundry-rs" / "anvil" / "bin.mjs"


class ChainUnreachable(ConnectionError):
    """No node answers at the address."""


class WrongChain(ValueError):
    """The node belongs to another chain than the caller expects."""

    def __init__(self, expected: int, got: int, where: str):
        super().__init__(f"expected chain id {expected}, but {where} answers with chain id {got}")
        self.expected, self.got = expected, got


@dataclass(frozen=True)
class Node:
    """A running chain. accounts: funded keys; wait_blocks(k): return when k more blocks exist; kind: as opened."""

    kind: str
    web3: Web3
    accounts: tuple[LocalAccount, ...]
    wait_blocks: Callable[[int], None]
    export: Callable[[], list[bytes]] | None = None  # embedded only: every block as RLP


def seeded_accounts(count: int, seed: int) -> tuple[LocalAccount, ...]:
    """Accounts with private key keccak("bfl_ref account <seed> <i>"). Public by construction: never fund them elsewhere."""
    return tuple(Account.from_key(keccak(text=f"bfl_ref account {seed} {i}")) for i in range(count))


@contextlib.contextmanager
def open_chain(
    where: str = "embedded",
    *,
    accounts: int = 10,
    seed: int = 0,
    chain_id: int | None = None,
    keys: Sequence[str] | None = None,
    state: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Iterator[Node]:
    """A node that lives as long as the `with` block.

    where: "embedded", "anvil" or an http(s) URL.  chain_id: refuse any other chain (WrongChain).
    keys: for a URL, private keys in hex; default: the variable BFL_KEYS, comma-separated.
    state: anvil only; a file from which the chain is loaded if it exists and to which it is saved at the end.
    Raises ValueError for an unknown kind or a URL without keys, ChainUnreachable if nobody answers.
    """
    if where == "embedded":
        opened = _embedded(seeded_accounts(accounts, seed))
    elif where == "anvil":
        opened = _anvil(seeded_accounts(accounts, seed), state)
    elif where.startswith(("http://", "https://")):
        opened = _remote(where, keys or [k for k in environment.get(KEYS_VARIABLE, "").split(",") if k])
    else:
        raise ValueError(f'expected "embedded", "anvil" or an http(s) URL, got {where!r}')
    with opened as node:
        if chain_id is not None and node.web3.eth.chain_id != chain_id:
            raise WrongChain(chain_id, node.web3.eth.chain_id, where)
        yield node


def import_chain(blocks: Sequence[bytes], accounts: int = 10, seed: int = 0) -> Node:
    """An embedded chain rebuilt from the blocks that `Node.export` gave. Each is executed again.

    Raises ValueError naming the first block that does not follow: other bytes, another genesis, or a header whose state root
    its transactions do not lead to.
    """
    keys = seeded_accounts(accounts, seed)
    backend = _backend(keys)
    chain = backend.chain
    for number, raw in enumerate(blocks, start=1):
        block_class = chain.get_vm(chain.get_canonical_head()).get_block_class()
        try:
            chain.import_block(rlp.decode(raw, sedes=block_class))
        except (
            Exception
        ) as error:  # rlp, py-evm and eth-keys raise kinds of their own for bytes that are no block
            raise ValueError(f"block {number} does not follow on those before: {error}") from error
    return _tester_node(backend, keys)


def keystore_keys(path: Path, password: str) -> list[str]:
    """The key of an encrypted keystore file (Web3 Secret Storage v3), in hex. ValueError on a wrong password."""
    return ["0x" + Account.decrypt(json.loads(path.read_text()), password).hex().removeprefix("0x")]


@contextlib.contextmanager
def _embedded(keys: tuple[LocalAccount, ...]) -> Iterator[Node]:
    yield _tester_node(_backend(keys), keys)


def _backend(keys: tuple[LocalAccount, ...]) -> PyEVMBackend:
    genesis = PyEVMBackend.generate_genesis_params(
        overrides={"gas_limit": GAS_LIMIT, "timestamp": GENESIS_TIME_S}
    )
    funded = {"balance": FUNDS_WEI, "nonce": 0, "code": b"", "storage": {}}
    state = {bytes.fromhex(key.address[2:]): funded for key in keys}
    return _Backend(genesis_parameters=genesis, genesis_state=state, vm_configuration=((0, QuickVM),))


class _Backend(PyEVMBackend):
    """py-evm indexes transactions, while eth-tester goes through all blocks for one: receipts made rounds ever slower."""

    def get_transaction_receipt(self, transaction_hash: bytes) -> Any:
        try:
            number, index = self.chain.get_canonical_transaction_index(transaction_hash)
        except TransactionNotFound:  # not mined yet
            return super().get_transaction_receipt(transaction_hash)
        block = self.chain.get_canonical_block_by_number(number)
        receipts = block.get_receipts(self.chain.chaindb)
        return serialize_transaction_receipt(
            block, receipts, block.transactions[index], index, False, self.chain.get_vm()
        )


class _TesterProvider(EthereumTesterProvider):
    """eth-tester with the answer of a JSON-RPC node to a revert: an error that carries the revert data."""

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        try:
            return super().make_request(method, params)
        except TransactionFailed as error:
            reason = str(error).removeprefix("execution reverted: ")
            failure: dict[str, Any] = {"code": 3, "message": str(error)}
            if reason.startswith(
                ("b'", 'b"')
            ):  # eth-tester hands revert data over as the text of a bytes literal
                failure |= {"message": "execution reverted", "data": "0x" + literal_eval(reason).hex()}
            return {"id": 1, "jsonrpc": "2.0", "error": failure}  # type: ignore[typeddict-item]


def _tester_node(backend: PyEVMBackend, keys: tuple[LocalAccount, ...]) -> Node:
    tester = EthereumTester(backend)

    def export() -> list[bytes]:
        chain = backend.chain
        head = chain.get_canonical_head().block_number
        return [rlp.encode(chain.get_canonical_block_by_number(i)) for i in range(1, head + 1)]

    def wait_blocks(count: int) -> None:
        if count > 0:
            tester.mine_blocks(count)

    web3 = Web3(_TesterProvider(tester))
    web3.eth.default_account = keys[
        0
    ].address  # who asks in a view call: eth-tester wants an account with funds
    return Node("embedded", web3, keys, wait_blocks, export)


@contextlib.contextmanager
def _anvil(keys: tuple[LocalAccount, ...], state: Path | None) -> Iterator[Node]:
    if not ANVIL.exists():
        raise FileNotFoundError("anvil is not installed: run `make setup`")
    command = [_anvil_binary(), "--port", "0", "--gas-limit", str(GAS_LIMIT), "--accounts", "1"]
    command += ["--timestamp", str(GENESIS_TIME_S)]
    command += ["--state", str(state)] if state is not None else []
    with contextlib.ExitStack() as stack:
        # The log: a pipe that nobody reads would stop anvil when full. The session of its own: to interrupt a notebook's
        # cell must not end the chain.
        log = stack.enter_context(tempfile.TemporaryFile("a+"))
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent, start_new_session=True
        )
        stack.callback(_end, process)
        web3 = Web3(HTTPProvider("http://" + _listening_address(process, log)))

        def wait_blocks(count: int) -> None:
            if count > 0:
                web3.provider.make_request("anvil_mine", [hex(count)])  # type: ignore[arg-type]

        for key in keys:
            web3.provider.make_request("anvil_setBalance", [key.address, hex(FUNDS_WEI)])  # type: ignore[arg-type]
        yield Node("anvil", web3, keys, wait_blocks)


def _end(process: subprocess.Popen) -> None:
    """Ask for the end (anvil then saves its state), and force it after ten seconds."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _anvil_binary() -> str:
    """The native program inside npm's platform package: run directly, without the Node wrapper, it dies with us."""
    for path in sorted(ANVIL.parents[1].glob("anvil-*/bin/anvil*")):
        if os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(
        f"npm has no anvil for {sys.platform}: expected {ANVIL.parents[1]}/anvil-*/bin/anvil"
    )


def _die_with_parent() -> None:
    """In the child, before it starts: ask Linux to end it when this process dies, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


def _listening_address(process: subprocess.Popen, log: IO[str], patience_s: float = 30) -> str:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        log.seek(0)
        said = log.read()
        if found := re.search(r"^Listening on (\S+)$", said, re.M):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise ChainUnreachable(f"anvil did not come to listen:\n{said[-1000:]}")


@contextlib.contextmanager
def _remote(url: str, keys: Sequence[str]) -> Iterator[Node]:
    if not keys:
        raise ValueError(
            f"{url} needs keys: set {KEYS_VARIABLE} to private keys in hex, comma-separated, or pass keys"
        )
    try:
        accounts = tuple(Account.from_key(key.strip()) for key in keys)
    except Exception:  # eth-keys raises several kinds, and some carry the key in their message
        raise ValueError("expected private keys of 32 bytes in hex; one of those given is not") from None
    web3 = Web3(HTTPProvider(url, request_kwargs={"timeout": 30}))
    try:
        web3.eth.chain_id  # noqa: B018 - the first question shows whether anyone answers
    except (requests.exceptions.RequestException, OSError, ValueError, Web3Exception) as error:
        raise ChainUnreachable(f"no node answers at {url}: is it running, is the address right?") from error
    mines_at_will = web3.client_version.startswith("anvil")  # stands still while nobody sends anything

    def wait_blocks(count: int) -> None:
        before = web3.eth.block_number
        if mines_at_will and count > 0:
            web3.provider.make_request("anvil_mine", [hex(count)])  # type: ignore[arg-type]
        target = before + count
        while web3.eth.block_number < target:
            time.sleep(0.2)

    yield Node(url, web3, accounts, wait_blocks)
