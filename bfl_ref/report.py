"""What a run leaves behind: summary.json, a table on the terminal, and one self-contained report.html."""

import base64
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLUMNS = {
    "accuracy": "accuracy",
    "majority": "(majority)",
    "f1": "F1",
    "auroc": "AUROC",
    "bytes_per_round": "bytes a round",
    "gas_per_round": "gas a round",
    "seconds": "seconds",
}
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}
td,th{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #ccc}
td:first-child,th:first-child{text-align:left}
img{max-width:100%}
figcaption,.note{color:#555;font-size:.9rem}
figure{margin:2rem 0}
"""


def cell(key: str, value: float | None) -> str:
    """One figure as text: scores with three decimals, counts with separators, an absent one as a dash."""
    if value is None:
        return "-"
    if key in ("accuracy", "majority", "f1", "auroc"):
        return f"{value:.3f}"
    return f"{value:.1f}" if key == "seconds" else f"{value:,.0f}"


def table_rows(results: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Header and one row for each system, as text."""
    rows = [["system", *COLUMNS.values()]]
    for system, figures in results.items():
        rows.append([system.replace("_", " "), *(cell(key, figures.get(key)) for key in COLUMNS)])
    return rows


def text_table(results: Mapping[str, Mapping[str, float]]) -> str:
    """The results as an aligned plain-text table."""
    return text_rows(table_rows(results))


def standings_rows(standings: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Header and one row for each member: reputation with two decimals, rounds, tokens."""
    rows = [["member", "reputation", "trained", "validated", "paid", "slashed", "stake"]]
    for member, own in standings.items():
        tokens = [f"{own[key]:.2f}" for key in ("paid", "slashed", "stake")]
        rows.append(
            [member, f"{own['reputation']:.2f}", f"{own['trained']:.0f}", f"{own['validated']:.0f}", *tokens]
        )
    return rows


def text_rows(rows: Sequence[Sequence[str]]) -> str:
    """Rows, the header first, as an aligned plain-text table."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            text.ljust(w) if i == 0 else text.rjust(w)
            for i, (text, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def audits_line(audits: Mapping[str, float]) -> str:
    """A verified run's audits in one sentence."""
    return (
        f"audits at rate {audits['rate']:g}: {audits['drawn']:.0f} steps drawn, {audits['passed']:.0f} proven, "
        f"{audits['failed']:.0f} failed, {audits['slashed'] / 10**18:g} tokens slashed; a proof: "
        f"{audits['proof_seconds']:.1f} s, {audits['proof_bytes']:,.0f} bytes, {audits['gas_per_proof']:,.0f} gas"
    )


def sharing_line(sharing: Mapping[str, float]) -> str:
    """A shared run's releases and sums in one sentence."""
    return (
        f"shares for {sharing['threshold']:.0f} of {sharing['aggregators']:.0f} aggregators: {sharing['releases']:.0f} "
        f"releases and {sharing['sums']:.0f} sums proven, {sharing['failed_aggregators']:.0f} aggregators without; "
        f"a release: {sharing['proof_seconds']:.1f} s, {sharing['proof_bytes']:,.0f} bytes, {sharing['gas']:,.0f} gas to "
        f"commit; a sum: {sharing['sum_seconds']:.1f} s, {sharing['sum_bytes']:,.0f} bytes, {sharing['sum_gas']:,.0f} gas"
    )


def rollup_line(rollup: Mapping[str, float]) -> str:
    """What went through the rollup, in one sentence."""
    return (
        f"rollup: {rollup['batches']:.0f} batches of {rollup['entries']:.0f} entries settled, among them "
        f"{rollup['updates']:.0f} updates and {rollup['accesses']:.0f} accesses put on record; a batch: "
        f"{rollup['proof_seconds']:.1f} s to prove, {rollup['proof_bytes']:,.0f} bytes, {rollup['gas']:,.0f} gas"
    )


def consent_line(consent: Mapping[str, int]) -> str:
    """What became of the patients' consents, in one sentence."""
    return (
        f"consent: {consent['agreed']:,} of {consent['patients']:,} patients agreed to research, {consent['withdrawn']} "
        f"withdrew, {consent['erased']} records erased; an auditor checked {consent['checked']:,} leaves of "
        f"{consent['rounds']} rounds: {consent['findings']} findings"
    )


def privacy_lines(privacy: Mapping[str, Any]) -> list[str]:
    """A private run's cost to each hospital's patients, a sentence each, and what stopped it, if anything did."""
    lines = [
        f"{name}: epsilon {paid['spent']:.3f} of {paid['budget']:g} spent in {paid['rounds']:.0f} rounds"
        for name, paid in privacy["hospitals"].items()
    ]
    head = (
        f"differential privacy, mechanism {privacy['mechanism']}, delta {privacy['delta']:g}, one patient replaced; "
        f"noise from the {privacy['randomness']}"
    )
    return [head, *lines, *([privacy["exhausted"]] if privacy["exhausted"] else [])]


def write_summary(summary: Mapping[str, Any], path: Path) -> None:
    """Write summary.json: keys in the order given, two spaces, a newline at the end."""
    path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")


def write_html(
    summary: Mapping[str, Any],
    notes: Sequence[str],
    figures: Sequence[tuple[Path, str]],
    tables: Mapping[str, Sequence[Sequence[str]]],
    path: Path,
) -> None:
    """Write the report: no script, no outside resource, pictures inside as base64.

    figures: (PNG file, caption) pairs. tables: heading -> header and rows. All text is escaped.
    """
    settings = {key: value for key, value in summary.items() if not isinstance(value, dict)}
    title = f"Federated learning on {summary['dataset']}: four systems, one chain"
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>",
        "<p>" + html.escape(", ".join(f"{key} {value}" for key, value in settings.items())) + "</p>",
        html_table(table_rows(summary["results"])),
        *(f"<p class='note'>{html.escape(note)}</p>" for note in notes),
        *(_figure(file, caption) for file, caption in figures),
        *(f"<h2>{html.escape(heading)}</h2>{html_table(rows)}" for heading, rows in tables.items()),
        "</body></html>\n",
    ]
    path.write_text("\n".join(parts), encoding="utf-8")


def html_table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the header; every cell escaped."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>" for row in rows[1:]
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _figure(file: Path, caption: str) -> str:
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    text = html.escape(caption, quote=True)
    image = f"<img alt='{text}' src='data:image/png;base64,{data}'>"
    return f"<figure>{image}<figcaption>{text}</figcaption></figure>"
