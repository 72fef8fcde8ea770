from benchmarks.contracts import measure

ROUND = {"open", "advance", "commitUpdate", "submitCandidate", "voteModel"}


def test_measure_has_every_figure_and_by_cid_and_packed_are_cheaper():
    figures = measure(model_bytes=20_000, rounds=1)
    assert (
        {f"RoundManager.{name}" for name in ROUND}
        <= figures["actions"].keys()
        == figures["transactions"].keys()
    )
    assert len(figures["deployment"]) == 18 and min(figures["deployment"].values()) > 100_000
    total = sum(
        figures["actions"][f"RoundManager.{n}"] * figures["transactions"][f"RoundManager.{n}"] for n in ROUND
    )
    assert abs(figures["round"]["gas"] - total) < 20  # means are rounded
    model = figures["model"]
    assert 1 < model["code_over_cid"] < model["storage_over_cid"]
    assert model["in_code"] > 200 * model["bytes"]  # the price of code, byte by byte
    assert model["in_storage"] > 22_100 * model["bytes"] // 32  # the price of slots
    assert all(line["naive_over_packed"] > 1 for line in figures["records"].values())
