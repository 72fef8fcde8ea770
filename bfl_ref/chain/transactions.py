"""From a method call to a mined transaction: signed here, refused by name, its gas counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_account.typed_transactions import TypedTransaction
from eth_utils import event_abi_to_log_topic, to_bytes
from web3.contract import Contract
from web3.exceptions import ContractLogicError, Web3Exception
from web3.types import HexBytes, TxParams, TxReceipt, Wei

from .errors import ContractError, Refused, ReplayedTransaction, explain
from .events import Event, from_log
from .node import Node

TRANSACTION_GAS = 2**24  # the most that one transaction may have (EIP-7825)
LOCAL_FEE = Wei(10**11)  # wei a gas, above the base fee of a chain whose blocks are nearly empty
BLOCKS_A_QUERY = 5_000  # public nodes refuse log queries over longer ranges
GAS_MARGIN = 1.25  # room for what other transactions change between estimate and block


@dataclass(frozen=True)
class Call:
    """What the consortium is to call, once a majority wants it."""

    target: str
    data: bytes


class Client:
    """One deployed contract. Subclasses have a method for each of its functions, and nothing else of it is used.

    gas: "Contract.function" -> gas used by each transaction, shared by all clients of a system.
    """

    def __init__(
        self, node: Node, contract: Contract, abis: list[list[dict[str, Any]]], gas: dict[str, list[int]]
    ):
        self.node, self.contract, self.abis, self.gas = node, contract, abis, gas
        self.address = contract.address
        declared = [entry for entry in contract.abi if entry["type"] == "event"]
        self._decoders = {event_abi_to_log_topic(e): contract.events[e["name"]]() for e in declared}

    def _view(self, name: str, *args: Any) -> Any:
        try:
            return self.contract.functions[name](*args).call({"from": self.node.accounts[0].address})
        except ContractLogicError as error:
            raise named(error, self.abis) from None

    def _send(self, sender: LocalAccount, name: str, *args: Any, rehearsed: bool = True) -> list[Event]:
        """Sign, send, wait; the events of this contract. A refusal is the ContractError that the contract declares.

        rehearsed, gas estimate: where a call that cannot succeed shows, so that nothing is sent and no nonce is used up.
        """
        try:
            receipt = transact(self.node, self.contract.functions[name](*args), sender, rehearsed)
        except ContractLogicError as error:
            raise named(error, self.abis) from None
        self.gas.setdefault(f"{type(self).__name__}.{name}", []).append(receipt["gasUsed"])
        return self.events(receipt["logs"])

    def _call(self, name: str, *args: Any) -> Call:
        return Call(self.address, to_bytes(hexstr=self.contract.encode_abi(name, list(args))))

    def events(self, logs: Sequence[Any]) -> list[Event]:
        """The logs of this contract, decoded, in their order."""
        mine = (log for log in logs if log["address"] == self.address)
        return [from_log(self._decoders[bytes(log["topics"][0])].process_log(log)) for log in mine]


def named(error: Web3Exception, abis: list[list[dict[str, Any]]]) -> ContractError:
    """What web3 raised for a revert, as the error that the contract declares."""
    data = getattr(error, "data", None)
    return explain(to_bytes(hexstr=data), abis) if isinstance(data, str) else Refused(data=str(error))


def transact(node: Node, call: Any, sender: LocalAccount, rehearsed: bool = True) -> TxReceipt:
    """A contract call or constructor as a transaction of `sender`, mined. Raises what web3 raises for a revert.

    What cannot succeed shows before it is sent: no transaction then, no nonce used, no block. A chain of one's own runs the
    call once and allows all the gas that a transaction may have; elsewhere gas costs money, and it is estimated. Either is
    asked of the pending block: deadlines count blocks, and it is the next block that the transaction comes into.
    rehearsed: False for what a chain of one's own takes longest for, a proof, and is not run twice there: a refusal comes
    too, by its name, but from a mined transaction.
    """
    eth = node.web3.eth
    fields: TxParams = {
        "from": sender.address,
        "nonce": eth.get_transaction_count(sender.address, "pending"),
        "chainId": eth.chain_id,
        "maxPriorityFeePerGas": Wei(0),
    }
    if node.kind in ("embedded", "anvil"):
        fields |= {"gas": TRANSACTION_GAS, "maxFeePerGas": LOCAL_FEE}
        transaction = call.build_transaction(fields)
        if rehearsed:
            eth.call(transaction, "pending")
    else:
        fields["maxFeePerGas"] = Wei(2 * eth.get_block("latest")["baseFeePerGas"])
        estimate = call.estimate_gas({"from": sender.address}, block_identifier="pending")
        transaction = call.build_transaction(fields | {"gas": int(estimate * GAS_MARGIN)})
    receipt = send_raw(node, bytes(sender.sign_transaction(transaction)["raw_transaction"]))
    if not receipt["status"]:  # another one came first; the same call on the state now names the reason
        del transaction["nonce"]
        eth.call(transaction)
        raise Refused(transaction=receipt["transactionHash"].to_0x_hex(), data="")
    return receipt


def send_raw(node: Node, raw: bytes) -> TxReceipt:
    """A signed transaction, mined. Raises ReplayedTransaction if its sender's nonce has moved on: it was sent before."""
    eth = node.web3.eth
    try:
        sent = eth.send_raw_transaction(raw)
    except Exception:  # each kind of node has its own words for a nonce that is used up
        sender = Account.recover_transaction(raw)
        nonce = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["nonce"]
        if nonce < (expected := eth.get_transaction_count(sender)):
            raise ReplayedTransaction(sender=sender, nonce=nonce, expected=expected) from None
        raise
    return eth.wait_for_transaction_receipt(sent, poll_latency=0.01 if node.kind == "anvil" else 0.1)
