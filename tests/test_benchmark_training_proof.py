import pytest
from stark_cases import toy

from benchmarks import training_proof
from benchmarks.training_proof import EZKL, against_ezkl, measure, narrow_rows, quality, round_cost
from bfl_ref.statements.training import Training

KEYS = {
    *("rows_per_segment", "features", "columns", "trace_rows", "prove_s", "peak_mb", "proof_bytes"),
    *("verify_s", "verify_gas", "proven_bits", "train_s"),
}


def test_measure_toy_parameters_has_every_figure_and_they_agree():
    line = measure(toy(Training(1), 4), narrow_rows(), 34, contract=False)
    assert set(line) >= KEYS
    assert (line["rows_per_segment"], line["columns"], line["trace_rows"]) == (512, 107, 4096)
    assert line["train_s"] < line["prove_s"] and line["verify_s"] < line["prove_s"]
    assert line["proven_bits"] < 100 and line["verify_gas"] is None


def test_overhead_doubled_proving_time_doubles_at_every_audit_rate(monkeypatch):
    monkeypatch.setattr(training_proof, "REPEATS", 1)
    cost = round_cost(prove_s=2.0)
    assert set(cost["overhead"]) == set(cost["audits"]) == {".05", ".1", ".2", "1"}
    assert cost["audits"]["1"] == cost["round_steps"] and cost["audits"][".05"] >= 0.05 * cost["round_steps"]
    for name, count in cost["audits"].items():
        assert cost["overhead"][name] == pytest.approx(2 * count / cost["round_train_s"], rel=0.01)


def test_quality_one_split_fixed_is_close_to_float():
    scored = quality(1)
    assert abs(scored["accuracy"]["fixed"] - scored["accuracy"]["float"]) < 0.005
    assert abs(scored["f1"]["fixed"] - scored["f1"]["float"]) < 0.01


def test_against_ezkl_one_batch_at_its_own_price_is_one():
    line = {"rows_per_segment": 32, "prove_s": EZKL["prove_s"], "verify_gas": EZKL["gas"]}
    assert against_ezkl(line) == {"prove_time": 1.0, "gas_per_row": 1.0}
