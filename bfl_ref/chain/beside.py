"""Contracts that stand beside a system: of its consortium, deployed at any time, found by their address."""

from typing import Any, TypeVar

from eth_account.signers.local import LocalAccount
from web3.exceptions import ContractLogicError

from .compile import compile_contracts, system_sources
from .contracts import System
from .transactions import Client, named, transact

Kind = TypeVar("Kind", bound=Client)


def deploy_beside(system: System, kind: type[Kind], deployer: LocalAccount, *arguments: Any) -> Kind:
    """A contract of the client's name, with these arguments. Its events begin in a later block than the last one now."""
    artifacts = compile_contracts(system_sources())
    artifact, node = artifacts[kind.__name__], system.node
    factory = node.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    try:
        receipt = transact(node, factory.constructor(*arguments), deployer)
    except ContractLogicError as error:
        raise named(error, [each.abi for each in artifacts.values()]) from None
    system.gas[f"{kind.__name__}.constructor"] = [receipt["gasUsed"]]
    return connect_beside(system, kind, str(receipt["contractAddress"]))


def connect_beside(system: System, kind: type[Kind], address: str) -> Kind:
    """The contract at an address. ValueError if other code stands there, or one of another consortium."""
    artifacts = compile_contracts(system_sources())
    artifact, node = artifacts[kind.__name__], system.node
    if (size := len(node.web3.eth.get_code(address))) != artifact.runtime_bytes:  # type: ignore[arg-type]
        raise ValueError(f"expected {artifact.runtime_bytes} bytes of code at {address}, got {size}")
    contract = node.web3.eth.contract(address, abi=artifact.abi, decode_tuples=True)  # type: ignore[call-overload]
    found = kind(node, contract, [each.abi for each in artifacts.values()], system.gas)
    if (got := found._view("consortium")) != system.consortium.address:
        raise ValueError(f"expected one of consortium {system.consortium.address}, got one of {got}")
    return found
