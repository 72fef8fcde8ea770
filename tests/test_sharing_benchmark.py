from benchmarks.sharing import summary

KEYS = {
    *("parameters", "hospitals", "aggregators", "share_s", "aggregate_s", "decode_s"),
    "uplink_bytes_per_hospital",
}


def test_summary_of_a_small_case_has_every_figure_and_they_agree():
    found = summary(parameters=1000, hospitals=3, seats=5, threshold=3, repeats=1)
    assert set(found) >= KEYS
    assert found["uplink_bytes_per_hospital"] == {"plain": 20_000, "shamir_seeds": 12_064, "additive": 4_128}
    parts = [found[key] for key in ("share_s", "aggregate_s", "decode_s")]
    assert abs(sum(parts) - found["total_s"]) < 0.003
    assert all(line["total_s"] > 0 for line in found["modes"].values())
