"""The benchmark of consent at a small size: every figure is there and possible."""

from benchmarks import consent
from bfl_ref.chain.node import open_chain


def test_consent_every_figure_is_measured(tmp_path) -> None:
    with open_chain("anvil") as node:
        system = consent.hospitals(node)
        found = consent.credentials(system, 5)
        used = consent.gas(system, tmp_path)
        found |= consent.access(system, tmp_path, 1) | consent.erasure(system, tmp_path, 3)
        found |= consent.trail(system, consent.BATCH)
    assert all(figure > 0 for figure in {**found, **used}.values())
    assert used["grant_of_many"] < used["grant"] and used["access_denied"] < used["access_allowed"]
    assert used["a_thousand_posted"] * 100 < used["a_thousand_granted"]
    assert found["patients"] == 3 and found["events"] > consent.BATCH
