from benchmarks.governance import MEMBERS, SIZES, capture, gas
from bfl_ref.audit_arithmetic import binomial_interval
from bfl_ref.chain.node import open_chain


def test_capture_agrees_with_the_closed_form_and_top_scorers_are_captured():
    found = capture(300)
    assert list(found) == [str(seats) for seats in SIZES]
    for line in found.values():
        low, high = binomial_interval(line["closed_form"], 300, 0.999)
        assert low <= line["drawn"] <= high and line["top_scorers"] == 1


def test_gas_grows_with_the_members_only_where_all_are_read():
    with open_chain("anvil") as node:
        few, more = gas(node, 10), gas(node, 40)
    assert few["select"] < more["select"] < MEMBERS[-1] / 40 * more["select"] < 2**24
    assert few["seat"] < more["seat"]
    assert all(abs(few[name] - more[name]) < 100 for name in ("record", "credit", "claim"))
