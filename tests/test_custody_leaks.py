"""Nothing of a record stands on the chain of a whole run with consent, access, training, audits, withdrawal and erasure."""

import os

import numpy as np
import pytest
from custody_cases import LEAVE, SHARE, begin, having, opened, small
from eth_utils import keccak

from bfl_ref.__main__ import main
from bfl_ref.chain.node import Node
from bfl_ref.data import Federation, load
from bfl_ref.fixed_point import leaf_inputs, quantise
from bfl_ref.fixed_point.digests import compress_each
from bfl_ref.history import open_run
from bfl_ref.leak_scan import everything, scan
from bfl_ref.patients import Agreement, choose, depart, introduce
from bfl_ref.stark.field import F, to_bytes

SAMPLE = 3  # rows of each hospital


def records(federation: Federation) -> list[dict[str, float]]:
    """Rows as their hospital has them: features by name, label, patient. Without round numbers: a feature
    that was clipped to 4.0 reads like 4 tokens.
    """
    found = []
    for silo in federation.silos:
        for i in range(SAMPLE):
            row = dict(zip(federation.feature_names, map(float, silo.x_train[i]), strict=True))
            row = {name: value for name, value in row.items() if value != int(value)}
            found.append({**row, "label": bool(silo.y_train[i]), "patient": str(silo.patients_train[i])})
    return found


def computed(federation: Federation) -> dict[str, bytes]:
    """What only who knows the protocol looks for: quantised rows, packed rows, leaves without salt, and their hashes."""
    found = {}
    for silo in federation.silos:
        v, y = quantise(silo.x_train[:SAMPLE]), silo.y_train[:SAMPLE]
        unsalted = np.zeros((SAMPLE, v.shape[1] // 36, 4), np.uint32).view(F)
        packed = leaf_inputs(v, y, unsalted)
        leaves = compress_each(packed)
        for i in range(SAMPLE):
            who = f"{silo.name}, row {i}"
            found[f"{who}: quantised"] = v[i].tobytes()
            found[f"{who}: as octets"] = (v[i].astype(int) + 128).astype(np.uint8).tobytes()
            found[f"{who}: packed"] = to_bytes(packed[i, 0, :8].view(F))
            found[f"{who}: leaf without salt"] = to_bytes(leaves[i, 0].view(F))
            found[f"{who}: hash of the quantised row"] = keccak(v[i].tobytes())
            found[f"{who}: floats"] = silo.x_train[i].astype("<f4").tobytes()[:32]
    return found


def leaks(node: Node, federation: Federation, more: dict[str, bytes] | None = None):
    return scan(records(federation), everything(node), {**computed(federation), **(more or {})})


def test_run_with_consent_training_and_audits_leaks_nothing(tmp_path_factory, tmp_path):
    """Proofs are stubs here; see below for real ones."""
    with opened(tmp_path_factory.mktemp("leaks"), audit_rate=1.0) as played:
        stage = begin(played, tmp_path)
        leaving = choose(stage.custodies, Agreement(SHARE, LEAVE, 0, tmp_path))
        introduce(stage.system, stage.custodies, leaving)
        stage.play()
        salts = {f"salt {i}": to_bytes(c.member.rows.salts[0]) for i, c in enumerate(stage.custodies)}
        later = having(stage, depart(stage.system, stage.store, stage.custodies, leaving))
        later.play()
        node = stage.system.node
        assert leaks(node, small(), salts) == []
        on_chain = {"a root": later.custodies[0].status.root}
        assert scan([], everything(node), on_chain)  # what is there is found


@pytest.mark.skipif(os.environ.get("BFL_FULL") != "1", reason="two rounds with real proofs")
def test_main_job_with_consent_leaks_nothing(tmp_path, capsys):
    assert main(["--dataset", "wdbc", "--rounds", "2", "--consent", "0.8", "--out", str(tmp_path)]) == 0
    assert "3 records erased" in capsys.readouterr().out
    system, _ = open_run(next(tmp_path.iterdir()), 0)
    assert leaks(system.node, load("wdbc", seed=0)) == []
