"""Cold load: seconds and MB from a fresh interpreter to the first prediction of `load_model`.

``python -m bench.cold_load`` measures a small bundle of 90 columns that it writes itself;
``--home var --name direction`` measures a model of yours. Each figure is the median of fresh
processes; the budget is 0.5 s and 140 MB with pandas loaded. Seconds are wall: on a machine that
is busy otherwise, the CPU seconds beside them (interpreter start included) say more.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BUDGET_S, BUDGET_MB = 0.5, 140

# VmHWM and not ru_maxrss: the latter survives exec, so that a child would report its parent.
CHILD = """
import time
begin = time.perf_counter()
import json, sys
pandas = sys.argv[3] == "pandas" and __import__("pandas")
from models.common.predictor import load_model
model = load_model(sys.argv[2], home=sys.argv[1])
row = [[0.5] * len(model.features)]
rows = pandas.DataFrame(row, columns=model.features, dtype="float32") if pandas else row[0]
model.predict(rows, close=100.0)
cold, cpu = time.perf_counter() - begin, time.process_time()
laps = []
for _ in range(2000):
    lap = time.perf_counter()
    model.predict(rows, close=100.0)
    laps.append(time.perf_counter() - lap)
laps.sort()
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({
    "cold_s": cold, "cpu_s": cpu, "peak_mb": int(peak.split()[1]) / 1024,
    "p50_us": laps[1000] * 1e6, "p99_us": laps[1980] * 1e6,
}))
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--home", help="folder that holds models/ (default: one made for this)")
    arguments.add_argument("--name", default="direction")
    arguments.add_argument("--runs", type=int, default=7)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home = given.home or write_home(Path(made))
        figures = {
            "with pandas": measure(home, given.name, "pandas", given.runs),
            "arrays only": measure(home, given.name, "arrays", given.runs),
        }
    for what, figure in figures.items():
        print(
            f"{what}: cold {figure['cold_s']:.2f} s (CPU {figure['cpu_s']:.2f} s), "
            f"peak {figure['peak_mb']:.0f} MB; "
            f"one row p50 {figure['p50_us']:.0f} µs, p99 {figure['p99_us']:.0f} µs"
        )
    worst = figures["with pandas"]
    kept = worst["cold_s"] <= BUDGET_S and worst["peak_mb"] <= BUDGET_MB
    print(f"budget {BUDGET_S} s, {BUDGET_MB} MB: {'kept' if kept else 'BROKEN'}")
    sys.exit(0 if kept else 1)


def measure(home: str, name: str, form: str, runs: int) -> dict[str, float]:
    """Return the median figures of `runs` fresh processes."""
    command = [sys.executable, "-c", CHILD, home, name, form]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    taken: list[dict[str, Any]] = [
        json.loads(subprocess.check_output(command, cwd=ROOT, env=environment)) for _ in range(runs)
    ]
    return {key: statistics.median(figures[key] for figures in taken) for key in taken[0]}


def write_home(home: Path) -> str:
    """Write a direction champion of 90 columns to `home`: a linear layer and a sigmoid."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    from models.common.bundle_writing import write_bundle
    from models.common.registry import PredictionModelRegistry
    from models.common.schema import FeatureSchema
    from models.common.slot import Slot

    width = 90
    names = tuple(f"feature_{i}" for i in range(width))
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["output"]),
    ]
    ports = [
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", width]),
        helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", 1]),
    ]
    weights = numpy_helper.from_array(np.full((width, 1), 1e-3, dtype=np.float32), "weights")
    graph = helper.make_graph(nodes, "linear", ports[:1], ports[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    slot = Slot("majors", "direction", "1m")
    metadata = {
        "name": "linear",
        "type": "linear",
        "description": "for measuring",
        "recipe": "linear",
        "kind": slot.kind,
        "scope": slot.scope,
        "timeframe": slot.timeframe,
        "head": {},
        "version_name": "linear",
        "baseline": False,
        "simulated": True,
        "created_ts": "2025-05-28T00:00:00Z",
        "trained_through": "2025-05-27T00:00:00Z",
    }
    write_bundle(
        home / "models" / slot.scope / slot.kind / "linear",
        onnx=model.SerializeToString(),
        metadata=metadata,
        schema=FeatureSchema(names, dict.fromkeys(names, "0"), dict.fromkeys(names, "–")),
        metrics={},
        readme="# linear\n",
        probe=np.full((2, width), 0.5),
    )
    PredictionModelRegistry(home / "models").promote(slot, "linear")
    return str(home)


if __name__ == "__main__":
    main()
