"""Data flows down: a module imports only from modules above it in this list."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
LAYERS = [
    "workers",
    "data",
    "learning",
    "store",
    "stark.field",
    "stark.rejections",
    "stark.poly",
    "stark.merkle",
    "stark.transcript",
    "stark.security",
    "stark.params",
    "stark.codec",
    "stark.fri",
    "stark.lookup",
    "stark.public_data",
    "stark.air",
    "stark.trace",
    "stark.program",
    "stark.composition",
    "stark.fast",
    "stark.kernels",
    "stark.setup",
    "stark.prover",
    "stark.verifier",
    "statements.poseidon2",
    "fixed_point",
    "sharing",
    "rollup",
    "sealing",
    "aggregator",
    "aggregator_process",
    "privacy",
    "statements",
    "stark.solidity",
    "beacon",
    "audit_arithmetic",
    "governance",
    "chain.compile",
    "chain.evm",
    "chain.node",
    "chain.records",
    "chain.errors",
    "chain.events",
    "chain.transactions",
    "chain.clients",
    "chain.consortium",
    "chain.verified",
    "chain.committee",
    "chain.governance",
    "chain.rollup",
    "consent",
    "chain.contracts",
    "chain.stark",
    "vault",
    "leaves",
    "audit_trail",
    "leak_forms",
    "leak_scan",
    "aggregation",
    "integers",
    "governance.contributions",
    "governance.behaviours",
    "governance.simulation",
    "governance.findings",
    "governance.unequal",
    "proving",
    "member",
    "layer2",
    "votes",
    "protocol",
    "verified",
    "scoring",
    "shared",
    "attacks",
    "private",
    "custody",
    "patients",
    "cast",
    "history",
    "consent_audit",
    "comparison",
    "figures",
    "report",
    "show",
    "options",
    "__main__",
]


def layer(module: str) -> int:
    """Position of the longest prefix of `module` in LAYERS."""
    fits = [i for i, name in enumerate(LAYERS) if module == name or module.startswith(name + ".")]
    if not fits:
        raise AssertionError(f"bfl_ref.{module} has no place in LAYERS: where does it belong?")
    return max(fits, key=lambda i: len(LAYERS[i]))


def imports(path: Path) -> set[str]:
    """Dotted names inside bfl_ref that a file imports (relative imports are resolved)."""
    package = ["bfl_ref", *path.relative_to(ROOT / "bfl_ref").parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1] if node.level else [])
            base = ".".join(filter(None, [base, node.module]))
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {name.removeprefix("bfl_ref.") for name in found if name.startswith("bfl_ref.")}


def test_imports_point_upwards_in_the_list():
    for path in sorted((ROOT / "bfl_ref").rglob("*.py")):
        parts = path.relative_to(ROOT / "bfl_ref").with_suffix("").parts
        if parts[-1] == "__init__":
            continue
        here = ".".join(parts)
        for name in imports(path):
            assert layer(name) <= layer(here), f"bfl_ref.{here} imports bfl_ref.{name}, which stands below it"


def test_only_figures_imports_matplotlib():
    users = [p.name for p in (ROOT / "bfl_ref").rglob("*.py") if "matplotlib" in p.read_text()]
    assert users == ["figures.py"]


def test_nothing_unpickles_or_evaluates():
    for path in (ROOT / "bfl_ref").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                assert name not in {"eval", "exec"}, f"{path.name}:{node.lineno} calls {name}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
                assert not {"pickle", "joblib", "dill"} & set(names), f"{path.name}:{node.lineno}"
