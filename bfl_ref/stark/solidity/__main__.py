"""Regenerate the evaluators, or check that they are current."""

import argparse
import sys
from pathlib import Path

from .evaluator import evaluators
from .statements import on_chain

GENERATED = Path(__file__).parents[3] / "contracts" / "src" / "stark" / "generated"


def main() -> int:
    parser = argparse.ArgumentParser(description="Solidity evaluators of the AIRs that contracts verify")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="regenerate every evaluator")
    choice.add_argument("--check", action="store_true", help="fail if one is not current")
    write = parser.parse_args().write
    stale = []
    sources = {n: text for name, made in on_chain().items() for n, text in evaluators(name, made).items()}
    for name, text in sources.items():
        path = GENERATED / f"{name}.sol"
        if write:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            stale.append(path.name)
    if stale:
        print(
            f"not current: {', '.join(stale)}; run python -m bfl_ref.stark.solidity --write", file=sys.stderr
        )
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
