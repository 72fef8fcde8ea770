"""The contracts' own errors as Python exceptions: one class for every `error` in contracts/src/interfaces, by its name.

    try: rounds.commit_update(...)
    except DeadlinePassed as late: print(late.deadline, late.block_number)

The classes are made from the Solidity declarations, so none can be missing or misspelt here; `errors.X` for an X that no
contract declares is an ImportError or AttributeError, not an exception that never comes.
"""

import re
from enum import Enum
from pathlib import Path
from typing import Any

from eth_utils import function_abi_to_4byte_selector
from web3 import Web3

from .compile import CONTRACTS
from .records import AbortReason, Phase, Stage, snake

_DECLARATIONS = [
    *sorted((CONTRACTS / "src" / "interfaces").glob("*.sol")),
    CONTRACTS / "node_modules/@openzeppelin/contracts/interfaces/draft-IERC6093.sol",
    CONTRACTS / "node_modules/@openzeppelin/contracts/access/IAccessControl.sol",
]
_KINDS: dict[str, Any] = {
    "enum Phase": Phase,
    "enum AbortReason": AbortReason,
    "enum Stage": Stage,
    "address": Web3.to_checksum_address,
}


class ContractError(Exception):
    """A call that a contract refused; nothing on the chain changed. The declared values are attributes, in snake case."""

    def __init__(self, **values: Any) -> None:
        self.values = values
        super().__init__(", ".join(f"{name} = {_shown(value)}" for name, value in values.items()))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no {name}") from None


class Refused(ContractError):
    """A revert that none of the system's errors explains. data: what it returned, hex."""


class ReplayedTransaction(ContractError):
    """A signed transaction whose nonce its sender has used. sender, nonce, expected: the next nonce."""


def explain(data: bytes, abis: list[list[dict[str, Any]]]) -> ContractError:
    """The exception that revert data stand for. abis: where to look for the error's selector and types."""
    for entry in (entry for abi in abis for entry in abi if entry["type"] == "error"):
        if data[:4] == function_abi_to_4byte_selector({**entry, "type": "function"}):  # type: ignore[arg-type]
            values = Web3().codec.decode([part["type"] for part in entry["inputs"]], data[4:])
            named = {
                snake(part["name"]): _KINDS.get(part["internalType"], lambda v: v)(value)
                for part, value in zip(entry["inputs"], values, strict=True)
            }
            return _class(entry["name"])(**named)
    return Refused(data=data.hex())


def _shown(value: Any) -> str:
    if isinstance(value, Enum):
        return value.name
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _class(name: str) -> type[ContractError]:
    """The exception class of an error name; libraries' errors, which no interface declares, get theirs when they occur."""
    if name not in _CLASSES:
        members = {"__module__": __name__, "__doc__": f"`error {name}` of the contracts."}
        _CLASSES[name] = type(name, (ContractError,), members)
    return _CLASSES[name]


_CLASSES: dict[str, type[ContractError]] = {}
for _path in filter(Path.exists, _DECLARATIONS):
    for _name in re.findall(r"^\s*error (\w+)\(", _path.read_text(encoding="utf-8"), re.M):
        _class(_name)


def __getattr__(name: str) -> type[ContractError]:
    """`from bfl_ref.chain.errors import NotMember`."""
    try:
        return _CLASSES[name]
    except KeyError:
        raise AttributeError(f"no contract declares an error {name}") from None
