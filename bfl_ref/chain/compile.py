"""Solidity to bytecode: one pinned compiler, two ways to get it, one cache.

The compiler is npm's soljson behind `solc.cjs` (installed by `make setup`); where py-solc-x has the native solc of the same
version, that one serves. Both are driven through py-solc-x with the same standard-JSON input and give the same bytecode.
"""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import solcx
from solcx.exceptions import SolcError, SolcNotInstalled

SOLC_VERSION = "0.8.37"
MAX_CODE_BYTES = 24_576  # EIP-170
ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
CACHE = ROOT / "build" / "solc"
SCRIPT = Path(__file__).with_name("solc.cjs")
SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "evmVersion": "prague",
    "remappings": ["@openzeppelin/=node_modules/@openzeppelin/"],
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
}


@dataclass(frozen=True)
class Artifact:
    """A compiled contract. bytecode: creation code, runtime_bytes: size of the code that the chain keeps."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str
    runtime_bytes: int


def compile_contracts(
    sources: Iterable[str], settings: Mapping[str, Any] | None = None, cache: Path = CACHE
) -> dict[str, Artifact]:
    """Compile sources (paths relative to `contracts/`) and what they import; name -> Artifact of every contract with code.

    settings: top-level entries that replace those of SETTINGS, e.g. {"viaIR": True}. Cached under the digest of compiler
    version, settings and the text of every source; a damaged cache entry is built again.
    Raises ValueError for a missing source, a compiler's error (with its message) or code above 24,576 bytes (EIP-170);
    FileNotFoundError with the command to run if neither compiler is installed.
    """
    texts = _collect(sources)
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in texts.items()},
        "settings": {**SETTINGS, **(settings or {})},
    }
    key = sha256(json.dumps([SOLC_VERSION, request], sort_keys=True).encode()).hexdigest()
    artifacts = _cached(cache / f"{key}.json")
    if artifacts is None:
        artifacts = _artifacts(_run(request))
        _store(cache / f"{key}.json", artifacts)
    return artifacts


def system_sources() -> list[str]:
    """Every contract of the system: the files directly in contracts/src, sorted."""
    return sorted(str(path.relative_to(CONTRACTS)) for path in (CONTRACTS / "src").glob("*.sol"))


def compiler() -> Path:
    """The solc to drive: py-solc-x's native one of the pinned version if installed, else solc.cjs on npm's soljson.

    Raises FileNotFoundError that names the command to run.
    """
    try:
        return Path(solcx.install.get_executable(SOLC_VERSION))
    except SolcNotInstalled:
        pass
    if shutil.which("node") is None or not (CONTRACTS / "node_modules" / "solc" / "soljson.js").exists():
        raise FileNotFoundError(
            f"solc {SOLC_VERSION} is not installed: run `make setup` (npm's build, through node), or with internet "
            f"`python -c \"import solcx; solcx.install_solc('{SOLC_VERSION}')\"` (native build)"
        )
    return SCRIPT


def _collect(sources: Iterable[str]) -> dict[str, str]:
    """Sources and, transitively, their imports, by the name under which the compiler asks for them."""
    texts: dict[str, str] = {}
    waiting = list(sources)
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        path = CONTRACTS / (f"node_modules/{name}" if name.startswith("@") else name)
        if not path.is_file():
            hint = ": run `make setup`" if "node_modules" in path.parts else ""
            raise ValueError(f"no Solidity source {name} in {CONTRACTS}{hint}")
        texts[name] = path.read_text(encoding="utf-8")
        for found in re.findall(r"^\s*import\b[^;]*?[\"']([^\"']+)[\"'][^;]*;", texts[name], re.M):
            waiting.append(_resolve(name, found))
    # the compiler applies the remapping to "@openzeppelin/...": hand those files over under their remapped name
    return {(f"node_modules/{n}" if n.startswith("@") else n): texts[n] for n in sorted(texts)}


def _resolve(importer: str, found: str) -> str:
    return (
        os.path.normpath(os.path.join(os.path.dirname(importer), found)) if found.startswith(".") else found
    )


def _run(request: dict[str, Any]) -> dict[str, Any]:
    try:
        output = solcx.compile_standard(request, solc_binary=compiler(), base_path=CONTRACTS)
    except SolcError as error:
        raise ValueError(f"solc {SOLC_VERSION} refused the input: {error.message}") from error
    return output["contracts"]


def _artifacts(contracts: Mapping[str, Any]) -> dict[str, Artifact]:
    artifacts: dict[str, Artifact] = {}
    for file, found in contracts.items():
        for name, contract in found.items():
            size = len(contract["evm"]["deployedBytecode"]["object"]) // 2
            if size > MAX_CODE_BYTES:
                raise ValueError(
                    f"{file}:{name} has {size} bytes of code, the limit is {MAX_CODE_BYTES} (EIP-170)"
                )
            if size or name.startswith("I"):
                artifacts[name] = Artifact(name, contract["abi"], contract["evm"]["bytecode"]["object"], size)
    return artifacts


def _cached(path: Path) -> dict[str, Artifact] | None:
    try:
        digest, _, text = path.read_text().partition("\n")
        if digest != sha256(text.encode()).hexdigest():
            return None
        return {name: Artifact(**fields) for name, fields in json.loads(text).items()}
    except (OSError, UnicodeDecodeError):
        return None  # absent or damaged: build it again


def _store(path: Path, artifacts: Mapping[str, Artifact]) -> None:
    """One line with the digest of the rest, then the artifacts; in place whole or not at all."""
    text = json.dumps({name: vars(artifact) for name, artifact in artifacts.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(f"{sha256(text.encode()).hexdigest()}\n{text}")
    os.replace(file.name, path)
