from stark_cases import toy

from benchmarks.stark import COST, measure, random_elements
from bfl_ref.statements.membership import Membership

KEYS = {
    *("rows", "columns", "cells", "blowup", "queries", "grinding", "proven_bits", "permutations_per_s"),
    *("prove_s", "prove_us_per_cell", "peak_mb", "proof_bytes", "verify_s"),
    *("verify_gas", "calldata_bytes", "contract_bytes_max"),
}


def test_measure_small_statement_has_every_figure_and_they_agree():
    air = Membership(depth=1)
    trace = air.trace(random_elements(16), random_elements(1, 8), index=1)
    line = measure(air, trace, toy(air, 4).params, permutations=2)
    assert set(line) >= KEYS
    assert (line["rows"], line["columns"], line["cells"], line["blowup"]) == (32, 26, 832, 16)
    assert abs(sum(line["phases_s"].values()) - line["prove_s"]) < 0.1 * line["prove_s"] + 0.001
    assert line["proven_bits"] < 100 and all(line[key] is None for key in COST)
