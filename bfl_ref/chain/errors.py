"""The contracts' own errors as Python exceptions: one class for every `error` in contracts/src/interfaces, by its name.

    try: rounds.commit_update(...)
    except DeadlinePassed as late: print(late.deadline, late.block_number)

The classes are made from the Solidity declarations, so none can be missing or misspelt here; `errors.X` for an X that no
contract declares is an ImportError or AttributeError, not an exception that never comes.
"""

import re
from typing import Any

from eth_utils import function_abi_to_4byte_selector
from web3 import Web3

from .compile import CONTRACTS
from .records import AbortReason, Phase, snake

_DECLARATIONS = [
    *sorted((CONTRACTS / "src" / "interfaces").glob("*.sol")),
    CONTRACTS / "node_modules/@openzeppelin/contracts/interfaces/draft-IERC6093.sol",
    CONTRACTS / "node_modules/@openzeppelin/contracts/access/IAccessControl.sol",
]
_ENUMS = {"enum Phase": Phase, "enum AbortReason": AbortReason}


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
                snake(part["name"]): _ENUMS.get(part.get("internalType", ""), lambda v: v)(value)
                for part, value in zip(entry["inputs"], values, strict=True)
            }
            return _CLASSES[entry["name"]](**named)
    return Refused(data=data.hex())


def _shown(value: Any) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)


def _declared() -> dict[str, type[ContractError]]:
    texts = [path.read_text(encoding="utf-8") for path in _DECLARATIONS if path.exists()]
    names = {name for text in texts for name in re.findall(r"^\s*error (\w+)\(", text, re.M)}
    return {
        name: type(
            name, (ContractError,), {"__module__": __name__, "__doc__": f"`error {name}` of the contracts."}
        )
        for name in sorted(names)
    }


_CLASSES = _declared()


def __getattr__(name: str) -> type[ContractError]:
    """`from bfl_ref.chain.errors import NotMember`."""
    try:
        return _CLASSES[name]
    except KeyError:
        raise AttributeError(f"no contract declares an error {name}") from None
