"""The votes' benchmark at one size: every way of bringing them puts the model in force, and together costs least."""

from benchmarks.finality import measure


def test_finality_five_validators_together_cost_less_than_one_by_one() -> None:
    found = measure(5)
    assert (found["needed"], found["messages"]) == (4, 5)
    assert found["gas"] < found["all_gas"] < found["one_by_one_gas"]
    assert found["open_gas"] > 0 and found["seconds"] > 0
