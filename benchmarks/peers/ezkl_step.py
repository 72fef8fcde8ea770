"""The same training step proven by ezkl (halo2, KZG), where it is installed: pip install .[peers]"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bfl_ref.fixed_point import FEATURE_BITS, Rows

LEARNING_RATE = 0.1


class GradientStep(torch.nn.Module):
    """w - learning rate * mean over the batch of (sigmoid(w . x) - y) x.   x (n, d), y (n, 1), w (d, 1)."""

    def __init__(self, batch: int):
        super().__init__()
        self.batch = batch

    def forward(self, x: Any, y: Any, w: Any) -> Any:
        return w - LEARNING_RATE * ((torch.sigmoid(x @ w) - y).T @ x).T / self.batch


def prove_batch(rows: Rows) -> dict[str, Any]:
    """Seconds of set-up and proof, and the proving key's size, of one step on all of `rows`; inputs and output are hashed.

    No noise, no clipping, no seed, one batch instead of a segment: a smaller statement. The structured reference string is
    made here, which only a measurement may do. Raises ModuleNotFoundError where ezkl or onnx is missing.
    """
    import ezkl
    import onnx  # noqa: F401  the exporter needs it

    x = torch.tensor(rows.v / (1 << FEATURE_BITS), dtype=torch.float32)
    inputs = x, torch.tensor(rows.y, dtype=torch.float32)[:, None], torch.zeros(x.shape[1], 1)
    visible = ezkl.PyRunArgs()
    visible.input_visibility = visible.output_visibility = "hashed"
    visible.param_visibility = "fixed"
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            torch.onnx.export(GradientStep(len(x)), inputs, "step.onnx", dynamo=False, opset_version=18)
            Path("input.json").write_text(json.dumps({"input_data": [a.flatten().tolist() for a in inputs]}))
            ezkl.gen_settings("step.onnx", "settings.json", py_run_args=visible)
            ezkl.calibrate_settings("input.json", "step.onnx", "settings.json", "resources")
            ezkl.compile_circuit("step.onnx", "step.circuit", "settings.json")
            ezkl.gen_srs("srs", json.loads(Path("settings.json").read_text())["run_args"]["logrows"])
            setup_s = _seconds(lambda: ezkl.setup("step.circuit", "vk", "pk", "srs"))
            ezkl.gen_witness("input.json", "step.circuit", "witness.json")
            prove_s = _seconds(lambda: ezkl.prove("witness.json", "step.circuit", "pk", "proof.json", "srs"))
            if not ezkl.verify("proof.json", "settings.json", "vk", "srs"):
                raise RuntimeError("ezkl refuses its own proof")
            key_mb = Path("pk").stat().st_size / 1e6
        finally:
            os.chdir(before)
    return {"setup_s": round(setup_s, 1), "key_mb": round(key_mb), "prove_s": round(prove_s, 1)}


def _seconds(run: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin
