"""StarkVerifier on a chain: how it is compiled, deployed and called, and what a verification costs."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils import to_checksum_address

from ..stark.setup import Domain, Setup
from ..stark.solidity import evaluators, parameter_word
from .compile import CONTRACTS, Artifact, compile_contracts
from .node import Node
from .transactions import Client, transact

# The constant optimiser would turn 32-byte masks into copies from code. The verifier's loops have more variables than the
# stack reaches, which the new code generator (via IR) handles; the evaluators' straight-line code is smaller by the old one.
_OPTIMIZER = {
    "enabled": True,
    "runs": 1_000_000,
    "details": {
        "peephole": True,
        "inliner": True,
        "jumpdestRemover": True,
        "orderLiterals": True,
        "deduplicate": True,
        "cse": True,
        "constantOptimizer": False,
        "yul": True,
    },
}
VERIFIER_SETTINGS = {"viaIR": True, "optimizer": _OPTIMIZER}
EVALUATOR_SETTINGS = {"optimizer": _OPTIMIZER | {"runs": 200}}
GENERATED = "src/stark/generated"


@dataclass(frozen=True)
class Cost:
    """One verification as a transaction: gas used (all included), bytes and gas floor of its calldata (EIP-7623)."""

    gas: int
    calldata_bytes: int
    floor_gas: int


class StarkVerifier(Client):
    """IStarkVerifier or, for a statement with public data, IDataVerifier: the verifier of one statement."""

    def verify(self, proof: bytes, domain: Domain, public: Sequence[int], data: bytes = b"") -> None:
        """Returns if the contract accepts; else raises the contract's error, named as the RejectedProof subclass."""
        self._view(self._function, *self._arguments(proof, domain, public, data))

    def cost(
        self, proof: bytes, domain: Domain, public: Sequence[int], sender: LocalAccount, data: bytes = b""
    ) -> Cost:
        """Verifies in a transaction of its own. Raises web3's ContractLogicError if the contract refuses."""
        arguments = self._arguments(proof, domain, public, data)
        receipt = transact(self.node, self.contract.functions[self._function](*arguments), sender)
        calldata = bytes.fromhex(self.contract.encode_abi(self._function, list(arguments))[2:])
        floor = 21_000 + sum(40 if byte else 10 for byte in calldata)
        return Cost(receipt["gasUsed"], len(calldata), floor)

    @property
    def _function(self) -> str:
        """Signature of the function with the most arguments that the contract has."""
        names = [f.signature for f in self.contract.all_functions() if f.fn_name == "verify"]
        return max(names, key=len)

    def _arguments(self, proof: bytes, domain: Domain, public: Sequence[int], data: bytes) -> tuple[Any, ...]:
        """ValueError for data that a contract without data is handed."""
        chain_id, contract, round_id, prover = domain.words()
        words = (chain_id, _address(contract), round_id, _address(prover))
        takes_data = self._function.endswith(",bytes)")
        if data and not takes_data:
            raise ValueError(
                f"a verifier of a statement without public data was handed {len(data)} bytes of them"
            )
        return (proof, words, list(public), *([data] if takes_data else []))


def verifier_artifact(made: Setup | None = None) -> Artifact:
    """StarkVerifier, or of a statement with public data DataVerifier."""
    name = "DataVerifier" if made and made.air.data_width else "StarkVerifier"
    return compile_contracts([f"src/stark/{name}.sol"], VERIFIER_SETTINGS)[name]


def split_artifact() -> Artifact:
    return compile_contracts(["src/stark/SplitEvaluator.sol"], EVALUATOR_SETTINGS)["SplitEvaluator"]


def generated_evaluators() -> dict[str, tuple[Artifact, ...]]:
    """Evaluator name -> its contract or its parts in order, of every statement that contracts verify."""
    sources = sorted((CONTRACTS / GENERATED).glob("*.sol"))
    artifacts = compile_contracts([f"{GENERATED}/{path.name}" for path in sources], EVALUATOR_SETTINGS)
    return {
        name: tuple(artifacts[path.stem] for path in parts)
        for name, parts in groupby(sources, key=lambda path: path.stem.rstrip("0123456789"))
    }


def evaluator_of(made: Setup) -> tuple[Artifact, ...]:
    """The evaluator of a release or a rollup: the generated one, or for other sizes one that is made and compiled now."""
    generated = {"release-1-3-of-5": "ReleaseEvaluator", "release-2-3-of-5": "WideReleaseEvaluator"}
    generated |= {"rollup-8": "SmallRollupEvaluator", "rollup-64": "RollupEvaluator"}
    if made.air.name in generated:
        return generated_evaluators()[generated[made.air.name]]
    sources = evaluators("SizedEvaluator", made)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.sol" for name in sources]
        for path, source in zip(paths, sources.values(), strict=True):
            path.write_text(source)
        compiled = compile_contracts([str(path) for path in paths], EVALUATOR_SETTINGS, cache=Path(folder))
    return tuple(compiled[name] for name in sources)


def deploy_verifier(
    node: Node, made: Setup, evaluator: Sequence[Artifact], deployer: LocalAccount
) -> StarkVerifier:
    """The verifier of `made`'s statement and parameters; `evaluator`: what is generated from it, whole or in parts."""

    def create(artifact: Artifact, *arguments: Any) -> str:
        factory = node.web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
        return str(transact(node, factory.constructor(*arguments), deployer)["contractAddress"])

    verifier = verifier_artifact(made)
    parts = [create(part) for part in evaluator]
    whole = parts[0] if len(parts) == 1 else create(split_artifact(), parts)
    contract = node.web3.eth.contract(abi=verifier.abi)(create(verifier, whole, parameter_word(made)))  # type: ignore[arg-type]
    return StarkVerifier(node, contract, [verifier.abi], {})


def _address(number: int) -> str:
    return to_checksum_address(number.to_bytes(20, "big"))
