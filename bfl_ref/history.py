"""The final model, rebuilt from the chain's events and the store alone, round by round and bit by bit.

    python -m bfl_ref.history runs/<time>

A new process with no other state executes the run's blocks again, reads the events, fetches for every finished round the
committed updates by their CIDs (of a shared round, reads the committee's sums), repeats the average and compares CID and
digest with what the validators voted into force.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .aggregation import FLOATS
from .chain.contracts import System, connect
from .chain.events import (
    AccessAllowed,
    AccessDenied,
    ConsentGranted,
    ConsentsPosted,
    ConsentWithdrawn,
    DataRegistered,
    Event,
    HospitalExcluded,
    ModelRegistered,
    PhaseAdvanced,
    RecordEnrolled,
    RecordErased,
    RoundAborted,
    RoundFinalised,
    RoundOpened,
    RowsLeft,
    StatusListPosted,
    SumDecoded,
    SurvivorsFixed,
    UpdateCommitted,
)
from .chain.node import import_chain
from .chain.records import Content
from .integers import INTEGERS, next_of_sums
from .store import CorruptObject, FolderStore, Store

_CONSENT = (
    *(StatusListPosted, ConsentsPosted, DataRegistered, RecordEnrolled, ConsentGranted, AccessAllowed),
    *(ConsentWithdrawn, AccessDenied, RowsLeft, RecordErased),
)
BLOCKS_FILE, DEPLOYMENT_FILE, STORE_FOLDER = "blocks.json", "deployment.json", "store"


class HistoryMismatch(ValueError):
    """A model in force is not what the committed updates give."""


@dataclass(frozen=True)
class PastRound:
    """A round as the events tell it.

    least: updates that it needs; phases: (phase, block in which it began); updates: of hospitals that no audit excluded;
    excluded: the others; model: None if it was aborted; verified: integers and audits, or floats.  totals, weight: of a
    shared round, what its committee summed up, and over what weight.
    """

    round_id: int
    task: Content
    least: int
    phases: tuple[tuple[str, int], ...]
    updates: tuple[UpdateCommitted, ...]
    excluded: tuple[str, ...]
    model: Content | None
    ending: str
    verified: bool
    shared: bool
    totals: tuple[bytes, ...]
    weight: int


def past_rounds(system: System) -> list[PastRound]:
    """Every ended round in order, from the chain alone."""
    events = system.events()
    models = {e.round_id: e.content for e in events if isinstance(e, ModelRegistered)}
    found = []
    for opened in (e for e in events if isinstance(e, RoundOpened)):
        own = [e for e in events if getattr(e, "round_id", None) == opened.round_id]
        steps = [e for e in own if isinstance(e, PhaseAdvanced)]
        aborted = next((e for e in own if isinstance(e, RoundAborted)), None)
        if not steps or steps[-1].deadline:
            continue  # still open: a deadline is zero once a round has ended
        phases = tuple((e.to.name.lower(), e.block) for e in steps)
        excluded = tuple(e.hospital for e in own if isinstance(e, HospitalExcluded))
        updates = tuple(e for e in own if isinstance(e, UpdateCommitted) and e.hospital not in excluded)
        ending = f"aborted: {aborted.reason.name.lower().replace('_', ' ')}" if aborted else "finalised"
        model = models.get(opened.round_id)
        said = opened.parameters
        totals = tuple(e.total for e in own if isinstance(e, SumDecoded))
        weight = sum(sum(e.weights) for e in own if isinstance(e, SurvivorsFixed))
        told = phases, updates, excluded, model, ending, said.verified, said.shared, totals, weight
        found.append(PastRound(opened.round_id, opened.task, said.min_hospitals, *told))
    return found


def consent_timeline(events: Iterable[Event]) -> tuple[dict[str, list[int]], dict[int, tuple[int, int]]]:
    """For `figures.trail_timeline`: kind of event -> blocks, and the first and last block of each ended round."""
    happened: dict[str, list[int]] = {kind.__name__: [] for kind in _CONSENT}
    began: dict[int, int] = {}
    rounds: dict[int, tuple[int, int]] = {}
    for event in events:
        if isinstance(event, _CONSENT):
            happened[type(event).__name__].append(event.block)
        elif isinstance(event, RoundOpened):
            began[event.round_id] = event.block
        elif isinstance(event, RoundFinalised | RoundAborted):
            rounds[event.round_id] = began[event.round_id], event.block
    return {kind: blocks for kind, blocks in happened.items() if blocks}, rounds


def replay(system: System, store: Store) -> Iterator[tuple[PastRound, Any]]:
    """Yield every ended round and the model in force after it, recomputed.

    Raises HistoryMismatch where a recomputed model differs from the registered one in a single bit, with the reason of every
    update that had to be left out; CorruptObject or MissingObject where the store no longer holds a model or task.
    """
    model = system.registry.model_at(0).content
    chain_id = system.node.web3.eth.chain_id
    for past in past_rounds(system):
        store.get(past.task.cid)
        rule = INTEGERS if past.verified else FLOATS
        weights = rule.load(store, model)
        if past.model is not None:
            rejected: dict[str, str] = {}
            if past.shared:
                following: Any = next_of_sums(weights, past.totals, past.weight)
            else:
                following, rejected = rule.following(store, weights, past.updates, chain_id, past.least)
            got = None if following is None else rule.content(following, past.round_id)
            if following is None or got != past.model:
                raise HistoryMismatch(
                    f"round {past.round_id}: the chain has {past.model}, its updates give {got}; left out: {rejected}"
                )
            model, weights = past.model, rule.load(store, past.model)
        yield past, weights


def save_chain(system: System, folder: Path) -> None:
    """Write the deployment, for `connect`, and the blocks of an embedded chain, for `open_run`."""
    system.save(folder / DEPLOYMENT_FILE)
    if system.node.export is not None:
        blocks = [block.hex() for block in system.node.export()]
        saved = {"accounts": len(system.node.accounts), "blocks": blocks}
        (folder / BLOCKS_FILE).write_text(json.dumps(saved))


def open_run(folder: Path, seed: int) -> tuple[System, FolderStore]:
    """The system and the store of a finished run on the embedded chain; every block is executed again.

    Raises ValueError if the folder holds no such run or a block does not follow, e.g. because the seed is another one.
    """
    for name in (BLOCKS_FILE, DEPLOYMENT_FILE, STORE_FOLDER):
        if not (folder / name).exists():
            raise ValueError(f"{folder} is no run on the embedded chain: it has no {name}")
    try:
        saved = json.loads((folder / BLOCKS_FILE).read_text())
        accounts, blocks = int(saved["accounts"]), [bytes.fromhex(block) for block in saved["blocks"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{BLOCKS_FILE} is not as it was written: {type(error).__name__} {error}") from None
    node = import_chain(blocks, accounts, seed)
    return connect(node, folder / DEPLOYMENT_FILE), FolderStore(folder / STORE_FOLDER)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bfl_ref.history", description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="folder of a finished run, e.g. runs/20260101-120000")
    folder = parser.parse_args(arguments).run
    try:
        summary = json.loads((folder / "summary.json").read_text())
        if not isinstance(seed := summary.get("seed"), int):
            raise ValueError(f"summary.json: expected a seed, got {seed!r}")
        system, store = open_run(folder, seed)
        expected, head = summary["chain"]["head"], system.head()
        if head != expected:
            raise HistoryMismatch(
                f"expected the chain's last block to be {expected}, {BLOCKS_FILE} ends in {head}"
            )
        for past, _ in replay(system, store):
            out = f", {len(past.excluded)} excluded by audits" if past.excluded else ""
            print(
                f"round {past.round_id}: {past.ending}, {len(past.updates)} updates{out}, recomputed bit by bit"
            )
    except (OSError, ValueError, KeyError, CorruptObject) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    content = system.registry.current().content
    print(f"model in force: {content.cid}\ndigest: {content.digest.hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
