"""Summary, table and report of made-up results: every text escaped, every figure in its form."""

import json
from pathlib import Path

import pytest

from bfl_ref import report

RESULTS = {
    "centralised": {
        "accuracy": 0.98765,
        "majority": 0.75,
        "f1": 0.5,
        "auroc": 1.0,
        "bytes_per_round": 1234567.6,
        "seconds": 1.26,
    },
    "basic_bfl": {
        "accuracy": 0.9,
        "f1": 0.0,
        "auroc": 0.25,
        "bytes_per_round": 0,
        "seconds": 10,
        "gas_per_round": 2e6,
    },
}
NASTY = "<script>alert(1)</script> & \"quotes\" 'too' https://x"


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("accuracy", 0.98765, "0.988"),
        ("f1", 1.0, "1.000"),
        ("seconds", 1.26, "1.3"),
        ("bytes_per_round", 1234567.6, "1,234,568"),
        ("gas_per_round", None, "-"),
    ],
)
def test_cell_figure_gets_its_form(key: str, value: float | None, text: str) -> None:
    assert report.cell(key, value) == text


def test_text_table_columns_line_up_and_absent_figures_are_dashes() -> None:
    head, rule, *rows = report.text_table(RESULTS).splitlines()
    assert len({len(head), len(rule), *map(len, rows)}) == 1 and set(rule) == {"-"}
    assert head.split() == [
        "system",
        "accuracy",
        "(majority)",
        "F1",
        "AUROC",
        "bytes",
        "a",
        "round",
        "gas",
        "a",
        "round",
        "seconds",
    ]
    assert rows[0].split() == ["centralised", "0.988", "0.750", "0.500", "1.000", "1,234,568", "-", "1.3"]
    assert rows[1].split() == ["basic", "bfl", "0.900", "-", "0.000", "0.250", "0", "2,000,000", "10.0"]


def test_summary_file_is_json_in_the_order_given(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    report.write_summary({"b": 1, "a": RESULTS}, path)
    text = path.read_text()
    assert json.loads(text) == {"b": 1, "a": RESULTS} and text.endswith("}\n")
    assert list(json.loads(text)) == ["b", "a"]


def test_report_nasty_text_is_escaped_wherever_it_stands(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(b"\x89PNG")
    summary = {"dataset": NASTY, NASTY: NASTY, "results": {NASTY: RESULTS["centralised"]}}
    report.write_html(
        summary, [NASTY], [(picture, NASTY)], {NASTY: [[NASTY], [NASTY]]}, tmp_path / "report.html"
    )
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page and page.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; ") == 12
    assert "src='data:image/png;base64,iVBORw=='" in page
    assert f"alt='{report.html.escape(NASTY, quote=True)}'" in page and "'too'" not in page


def test_html_table_first_row_is_the_header() -> None:
    assert report.html_table([["a"], ["1"], ["<"]]) == (
        "<table><tr><th>a</th></tr><tr><td>1</td></tr><tr><td>&lt;</td></tr></table>"
    )
