"""The auditor of consents on the command line."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from web3 import Web3

from ..audit_trail import read_trail
from ..consent import Domain
from ..history import open_run
from ..store import FolderStore, Store
from . import CONTRACTS, audit
from . import __doc__ as package


def main(arguments: list[str]) -> int:
    """0: all is well; 1: there are findings; 2: nothing could be checked."""
    parser = argparse.ArgumentParser(
        prog="python -m bfl_ref.consent_audit", description=(package or "").split("\n")[0]
    )
    parser.add_argument("where", help="folder of a run on the embedded chain, or a node's http(s) URL")
    parser.add_argument("--deployment", type=Path, help="with a URL: the deployment file")
    parser.add_argument("--store", type=Path, help="with a URL: folder with the public files")
    options = parser.parse_args(arguments)
    try:
        web3, addresses, store = _opened(options)
        chosen = {name: addresses[name] for name in CONTRACTS}
        domain = Domain(web3.eth.chain_id, addresses["ConsentRegistry"])
        report = audit(read_trail(web3, chosen), domain, store)
    except (OSError, ValueError, KeyError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for one in report.checked:
        print(
            f"round {one.round_id}: {one.hospital}: {one.consented} of {one.leaves} rows under a research consent"
        )
    for left in report.departures:
        print(
            f"withdrawn in block {left.block}: {left.resource}: last in round {left.last_round}, not in {left.next_round}"
        )
    for finding in report.findings:
        print(
            f"FINDING {finding.what}: {finding.hospital}, round {finding.round_id}, {finding.resource}: {finding.why}"
        )
    print(f"{len(report.findings)} findings")
    return 1 if report.findings else 0


def _opened(options: argparse.Namespace) -> tuple[Web3, Mapping[str, str], Store]:
    if "://" not in options.where:
        folder = Path(options.where)
        seed = json.loads((folder / "summary.json").read_text())["seed"]
        system, store = open_run(folder, seed)
        return system.node.web3, system.deployment.addresses, store
    if options.deployment is None or options.store is None:
        raise ValueError(f"expected --deployment and --store with {options.where}")
    said: Any = json.loads(options.deployment.read_text())
    return Web3(Web3.HTTPProvider(options.where)), said["addresses"], FolderStore(options.store)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
