"""The main job: train one model by four systems and show them side by side.

    python -m bfl_ref --dataset thyroid --rounds 5 --chain embedded

Centralised, local-only, FedAvg, and a blockchain federation on a real chain: verified (audited proofs of training) or basic.
Leaves runs/<time>/ with summary.json, figures, report.html, store, deployment and (embedded chain) all blocks; nothing is
left if anything fails.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from web3.exceptions import Web3Exception

from . import data, figures, report
from .cast import OPERATORS
from .chain.errors import ContractError
from .chain.node import open_chain
from .comparison import OnChain, off_chain, on_chain
from .history import BLOCKS_FILE, STORE_FOLDER, consent_timeline, past_rounds, save_chain
from .member import RowsWithoutConsent
from .options import Prepared, agreement, budgets, parse, prepare
from .privacy.ledger import BudgetExhausted, DamagedLedger
from .proving import prove_here, prover_pool
from .shared import keep_here, keepers_in_processes

NOTES = (
    "Majority: the accuracy of always naming the commoner class.",
    "Local-only: mean over the hospitals' own models. Bytes a round: centralised counts the pooled table once, spread over "
    "the rounds; FedAvg the model down and the update up for each hospital; BFL everything that passed through the "
    "store (every member recomputes the average) and the data of its transactions.",
)
NOTES_OF = {
    "basic": ("Basic BFL: no proof of training, no secret sharing; members see each other's updates.",),
    "verified": (
        "Verified BFL trains logistic regression in integers, one full step for each segment of up to 512 rows; the "
        "baselines above train the same model in floats by mini-batches. A drawn step that its hospital does not prove "
        "costs the hospital its stake and its place in the round. Nothing here proves that the records are true.",
        "Updates are never opened: hospitals prove that what they send to aggregators are shares of what they trained, and "
        "aggregators publish sums. Fewer than the threshold of them learn nothing but the sums.",
    ),
}
CONSENT = (
    "Hospitals register rows under a research consent only; who withdraws after round 1 is not in round 2, and is erased. "
    "What the model has learnt from a row stays in it. The baselines train on everybody's rows. Patients are played: each "
    "row has one of its own."
)
NO_CONSENT = "No patient is asked: that is --consent."
NO_PRIVACY = "No differential privacy: that is --epsilon."
PRIVACY = (
    "Each hospital's epsilon holds for one of its patients replaced by another, over all rounds, against everybody but the "
    "hospital itself. Scales and settings are public; that settings were chosen on training rows is not charged. The "
    "baselines train on the same scales, without privacy."
)
REFUSALS = (
    *(ValueError, OSError, ModuleNotFoundError, ContractError, Web3Exception),
    *(BudgetExhausted, DamagedLedger, RowsWithoutConsent),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the job; 0, or 2 after one line that says what was wrong and what would be right. Ctrl-C: 130."""
    options = parse(sys.argv[1:] if arguments is None else arguments, (__doc__ or "").split("\n")[0])
    torch.set_num_threads(1)  # small models train faster so, and give the same bits on any number of cores
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    try:
        prepared = prepare(options)
        with new_folder(options.out / stamp) as partial:
            summary = run(options, prepared, partial)
    except REFUSALS as error:
        print(f"error: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: nothing was kept", file=sys.stderr)
        return 130
    print(report.text_table(summary["results"]))
    if "audits" in summary:
        print("\n" + report.audits_line(summary["audits"]))
    if "sharing" in summary:
        print(report.sharing_line(summary["sharing"]))
    if "rollup" in summary:
        print(report.rollup_line(summary["rollup"]))
    if "consent" in summary:
        print(report.consent_line(summary["consent"]))
    if "standings" in summary:
        print("\n" + report.text_rows(report.standings_rows(summary["standings"])))
    if "privacy" in summary:
        print("\n" + "\n".join(report.privacy_lines(summary["privacy"])))
    print(f"\n{options.out / stamp}/report.html has figures and rounds")
    if (options.out / stamp / BLOCKS_FILE).exists():
        print("rebuild the model from blocks and store alone:")
        print(f"  python -m bfl_ref.history {options.out / stamp}")
    return 0


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` to write into; it gets that name at the end, or is gone if anything is raised.

    Parents made for it go again too. Raises FileExistsError if either exists: another run began in this very second.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    absent = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            raise FileExistsError(f"{folder} exists: begin again")
        partial.mkdir()
        try:
            yield partial
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    except BaseException:
        for parent in absent:
            with suppress(OSError):  # never made, or another run is at home in it by now
                parent.rmdir()
        raise


def run(options: argparse.Namespace, prepared: Prepared, folder: Path) -> dict[str, Any]:
    """All four systems; writes the run into `folder` and returns its summary."""
    begin = time.perf_counter()
    federation, config = prepared.federation, prepared.config
    training, sharing, private = prepared.training, prepared.sharing, prepared.private
    rows = sum(len(silo.y_train) for silo in federation.silos)
    print(f"{federation.name}: {rows} training rows in {len(federation.silos)} silos; {config.rounds} rounds")
    keys = len(federation.silos) + OPERATORS
    opened = open_chain(options.chain, accounts=keys, seed=options.seed, chain_id=options.chain_id)
    proving = prover_pool() if training else nullcontext(prove_here)
    keeping = keepers_in_processes() if sharing else nullcontext(keep_here)
    vaults = TemporaryDirectory(prefix="bfl_ref-vaults-")  # nothing of a record stays behind
    with opened as node, proving as prover, keeping as keep, vaults as kept:
        # the chain first: what is wrong with it shows at once, not after all baselines were trained
        store = folder / STORE_FOLDER
        ledgers = budgets(options, prepared, folder)
        patients = agreement(options, Path(kept))
        said = training, prover, private, ledgers, sharing, keep, prepared.economy, patients, prepared.layer2
        chain = on_chain(node, store, federation, config, options.dataset, *said)
        results = {**off_chain(federation, config), f"{options.protocol}_bfl": chain.figures()}
        summary = {
            "dataset": federation.name,
            "features": options.features,
            "model": config.model,
            "protocol": options.protocol,
            "rounds": config.rounds,
            "seed": config.seed,
            "chain_kind": node.kind,
            "seconds": round(time.perf_counter() - begin, 2),
            "results": results,
            "chain": {
                "gas_per_round": chain.figures()["gas_per_round"],
                "transactions": chain.transactions,
                "head": chain.system.head(),
            },
        }
        if training:
            summary["audits"] = {"rate": options.audit_rate, **chain.audits()}
        if sharing:
            summary["standings"] = chain.standings
            seats = {"aggregators": sharing.aggregators, "threshold": sharing.threshold}
            summary["sharing"] = {**seats, **chain.sharing()}
        if prepared.layer2:
            summary["rollup"] = chain.batches
        if patients:
            summary["consent"] = chain.consent
        if private:
            summary["privacy"] = {
                "mechanism": private.mechanism,
                "epsilon": private.epsilon,
                "delta": private.delta,
                "randomness": "operating system",
                "hospitals": chain.privacy,
                "exhausted": chain.exhausted,
            }
        report.write_summary(summary, folder / "summary.json")
        draw(federation, summary, chain, folder)
        save_chain(chain.system, folder)
    return summary


def draw(federation: data.Federation, summary: dict[str, Any], chain: OnChain, folder: Path) -> None:
    """Figures and report of a run."""
    (folder / "figures").mkdir()
    results, silos = summary["results"], federation.silos
    rows, positives = [len(s.y_train) for s in silos], [int(s.y_train.sum()) for s in silos]
    per_action = {name: round(sum(used) / len(used)) for name, used in sorted(chain.system.gas.items())}
    levels = {name: results[name]["f1"] for name in ("centralised", "local_only")}
    drawn = {
        "silos": (
            figures.silo_profile([s.name for s in silos], rows, positives, "Training rows of each silo"),
            "The hospitals differ in size and in how many of their patients are positive.",
        ),
        "rounds": (
            figures.rounds_curve({f"{summary['protocol']} BFL": [s.f1 for s in chain.curve]}, levels, "F1"),
            "F1 of the model in force after each round on the chain.",
        ),
        "systems": (
            figures.systems_bars(results, ["accuracy", "f1", "auroc"], results["fedavg"]["majority"]),
            "The systems on the common test rows.",
        ),
        "gas": (
            figures.gas_bars(per_action, "Gas per transaction, mean of this run"),
            "What each action costs on the chain.",
        ),
    }
    if "consent" in summary:
        happened, rounds = consent_timeline(chain.system.events())
        drawn["consent"] = (
            figures.trail_timeline(happened, rounds, "What patients said, and what followed"),
            "Consents, accesses, withdrawals, erasures and registrations on the chain.",
        )
    pictures = [
        (figures.save(fig, folder / "figures" / f"{name}.png"), caption)
        for name, (fig, caption) in drawn.items()
    ]
    table = [["round", "blocks", "updates", "excluded", "ending", "model in force"]]
    for past in past_rounds(chain.system):
        blocks = f"{past.phases[0][1]} to {past.phases[-1][1]}"
        cid = past.model.cid if past.model else "unchanged"
        counts = [str(len(past.updates)), str(len(past.excluded))]
        table.append([str(past.round_id), blocks, *counts, past.ending, cid])
    notes = [*federation.notes, *NOTES, *NOTES_OF[summary["protocol"]]]
    if "audits" in summary:
        notes.append(report.audits_line(summary["audits"]))
    if "sharing" in summary:
        notes.append(report.sharing_line(summary["sharing"]))
    if "rollup" in summary:
        notes.append(report.rollup_line(summary["rollup"]))
    notes += [report.consent_line(summary["consent"]), CONSENT] if "consent" in summary else [NO_CONSENT]
    notes += [PRIVACY, *report.privacy_lines(summary["privacy"])] if "privacy" in summary else [NO_PRIVACY]
    tables = {"Rounds, as the chain records them": table}
    if "standings" in summary:
        tables["Standings and pay"] = report.standings_rows(summary["standings"])
    report.write_html(summary, notes, pictures, tables, folder / "report.html")


if __name__ == "__main__":
    sys.exit(main())
