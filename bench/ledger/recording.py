"""What the recorder costs the one who predicts, bar after bar, while it writes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.ledger.measure import empty
from models.common.bundle_writing import write_bundle
from models.common.predictor import load_model
from models.common.schema import FeatureSchema
from orchestration.recorder import Recorder
from orchestration.store import Store

SLOT, VERSION = "majors/direction/1m", "v1"
COLUMNS = tuple(f"f{k}" for k in range(60))
CALLS = 20_000
STEP = 60_000
BAR = 1_748_390_400_000


def record_live(url: str) -> dict[str, Any]:
    """Return microseconds of a prediction with and without the recorder."""
    empty(url)
    store = Store(url)
    store.register_model(SLOT, VERSION, status="champion", serves_from_ms=0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        _bundle(home / "models" / "majors" / "direction" / VERSION)
        model = load_model(f"majors/direction/{VERSION}", home=home).bind(COLUMNS)
        row = np.random.default_rng(0).random(len(COLUMNS)).astype(np.float32)
        now = [0.0]
        plain = _times(lambda k: model.predict(row))
        with Recorder(store, every_s=0.5, clock=lambda: now[0]) as recorder:
            live = recorder.of(model)

            def predict(k: int) -> None:
                ts = BAR + k * STEP
                now[0] = (ts + STEP) / 1000
                live.predict(row, symbol="BTC-USDT", ts=ts)

            recorded = _times(predict)
    found = {
        "plain_us": float(np.median(plain)),
        "live_us": float(np.median(recorded)),
        "plain_p999_us": float(np.quantile(plain, 0.999)),
        "live_p999_us": float(np.quantile(recorded, 0.999)),
        "calls": CALLS,
        "written": recorder.written,
        "dropped": recorder.dropped,
    }
    store.close()
    return found


def _times(call: Callable[[int], Any]) -> Any:
    """Return the microseconds of each call."""
    for k in range(500):
        call(k)
    taken = np.empty(CALLS)
    for k in range(CALLS):
        began = time.perf_counter_ns()
        call(500 + k)
        taken[k] = (time.perf_counter_ns() - began) / 1000
    return taken


def _bundle(folder: Path) -> None:
    """Write a small network as a bundle."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(len(COLUMNS), 32)), rng.normal(size=(32, 1))
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "a"], ["x"]),
            helper.make_node("Tanh", ["x"], ["y"]),
            helper.make_node("MatMul", ["y", "b"], ["z"]),
            helper.make_node("Sigmoid", ["z"], ["output"]),
        ],
        "small",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", len(COLUMNS)])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 1])],
        [
            numpy_helper.from_array(first.astype(np.float32), "a"),
            numpy_helper.from_array(second.astype(np.float32), "b"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    write_bundle(
        folder,
        onnx=made.SerializeToString(),
        metadata={
            "name": VERSION, "type": "network", "description": "for timing",
            "created_ts": "2025-05-28T00:00:00Z", "version": 1, "status": "candidate",
            "kind": "direction", "scope": "majors", "timeframe": "1m", "version_name": VERSION,
            "recipe": "small", "baseline": False, "simulated": True,
            "trained_through": "2025-05-27T00:00:00Z", "training": {"symbols": ["BTC-USDT"]},
            "hyperparams": {}, "head": {},
        },
        schema=FeatureSchema(COLUMNS, dict.fromkeys(COLUMNS, "0"), dict.fromkeys(COLUMNS, "–")),
        metrics={},
        readme="# small\n",
        probe=rng.random((3, len(COLUMNS))).astype(np.float32),
    )  # fmt: skip
