"""Contracts compile by either route of the one pinned compiler; the cache never hands out what was not built."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from bfl_ref.chain import compile as compiling
from bfl_ref.chain.compile import CONTRACTS, SCRIPT, SOLC_VERSION, compile_contracts, compiler

SOURCE = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
import {A as B} from './A.sol';
import "@openzeppelin/contracts/utils/Panic.sol" as P;
contract Box is B { uint256 public kept; function keep(uint256 x) external { kept = x + one() + P.Panic.ASSERT; } }
"""
PARENT = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;
abstract contract A { function one() internal pure returns (uint256) { return 1; } }
"""


def project(folder: Path) -> Path:
    (folder / "Box.sol").write_text(SOURCE)
    (folder / "A.sol").write_text(PARENT)
    (folder / "node_modules").symlink_to(CONTRACTS / "node_modules")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The project with its one cache entry: what each test starts from."""
    folder = project(tmp_path_factory.mktemp("built"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "CONTRACTS", folder)
        build(folder)
    return folder


@pytest.fixture
def box(built, tmp_path, monkeypatch):
    """A small project in a folder of its own, compiled with a cache of its own."""
    shutil.copytree(built / "cache", project(tmp_path) / "cache")
    monkeypatch.setattr(compiling, "CONTRACTS", tmp_path)
    return tmp_path


def build(box: Path, **settings):
    return compile_contracts(["Box.sol"], settings or None, cache=box / "cache")["Box"]


def no_compiler(request):
    raise AssertionError("compiled again")


def test_compile_of_cached_source_does_not_run_the_compiler_again(box, monkeypatch):
    first = build(box)
    assert {entry["name"] for entry in first.abi} == {"keep", "kept"} and 0 < first.runtime_bytes < 1000
    monkeypatch.setattr(compiling, "_run", no_compiler)
    assert build(box) == first


@pytest.mark.parametrize("changed", ["Box.sol", "A.sol"])
def test_compile_of_changed_source_or_import_runs_again(box, monkeypatch, changed):
    build(box)
    (box / changed).write_text((box / changed).read_text() + "// changed\n")
    monkeypatch.setattr(compiling, "_run", no_compiler)
    with pytest.raises(AssertionError, match="compiled again"):
        build(box)


def test_compile_with_other_settings_gives_other_code(box):
    assert build(box).bytecode != build(box, viaIR=True, optimizer={"enabled": True, "runs": 1}).bytecode


def test_compile_with_damaged_cache_builds_again(box):
    first = build(box)
    (entry,) = (box / "cache").iterdir()
    honest = entry.read_text()
    swapped = honest.replace('"bytecode": "60', '"bytecode": "61')  # still JSON, other code
    assert swapped != honest
    for damaged in (swapped, honest[: len(honest) // 2]):
        entry.write_text(damaged)
        assert build(box) == first and entry.read_text() == honest


def test_compile_error_shows_the_compilers_message(box):
    (box / "Box.sol").write_text(SOURCE.replace("kept = ", "nothing = "))
    with pytest.raises(ValueError, match=r"Undeclared identifier(.|\n)*Box\.sol:5"):
        build(box)


def test_compile_of_missing_source_names_it(box):
    with pytest.raises(ValueError, match=r"no Solidity source Absent\.sol"):
        compile_contracts(["Absent.sol"], cache=box / "cache")


def test_compile_of_contract_above_the_code_limit_names_it(box):
    body = '"' + "x" * 24_576 + '"'
    function = f"function f() external pure returns (string memory) {{ return {body}; }}"
    (box / "Box.sol").write_text(f"pragma solidity 0.8.37; contract Huge {{ {function} }}")
    with pytest.raises(ValueError, match=r"Box\.sol:Huge has 24\d\d\d bytes of code, the limit is 24576"):
        compile_contracts(["Box.sol"], cache=box / "cache")


def test_compiler_when_none_is_installed_names_the_command(box, monkeypatch, tmp_path):
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="make setup"):
        compiler()


def test_compiler_installed_by_py_solc_x_serves_and_gives_the_same_code(box, monkeypatch, tmp_path):
    """The native route finds its compiler by name and version; here that name leads to the same program."""
    by_npm = build(box)
    (tmp_path / "solcx").mkdir()
    (tmp_path / "solcx" / f"solc-v{SOLC_VERSION}").symlink_to(SCRIPT)
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(tmp_path / "solcx"))
    assert compiler() == tmp_path / "solcx" / f"solc-v{SOLC_VERSION}"
    assert compile_contracts(["Box.sol"], cache=tmp_path / "other")["Box"] == by_npm


def test_solc_script_answers_combined_json_above_a_pipes_capacity(box):
    """What slither sends; the answer (several hundred kB with syntax trees) must arrive whole."""
    command = [
        SCRIPT,
        "--combined-json",
        "abi,ast,bin,bin-runtime,srcmap,srcmap-runtime,hashes",
        "--base-path",
        ".",
    ]
    command += ["@openzeppelin/=node_modules/@openzeppelin/", "Box.sol"]
    command += ["node_modules/@openzeppelin/contracts/access/AccessControl.sol"]
    answer = json.loads(subprocess.run(command, cwd=box, capture_output=True, check=True).stdout)
    assert len(json.dumps(answer["sources"])) > 2**16 and answer["version"].startswith(SOLC_VERSION)
    assert answer["contracts"]["Box.sol:Box"]["hashes"].keys() == {"keep(uint256)", "kept()"}
    assert set(answer["sourceList"]) == set(answer["sources"])


def test_solc_script_without_a_task_says_what_it_takes():
    failed = subprocess.run([SCRIPT, "--gas"], capture_output=True, text=True)
    assert failed.returncode == 1 and "--standard-json" in failed.stderr and failed.stdout == ""
