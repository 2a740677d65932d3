"""Processes of their own: start-up with a warm and an empty compiler cache, and memory."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.features.batch import Row

ROOT = Path(__file__).parents[2]
_PUSH = """
import json, time
began, cpu = time.perf_counter(), time.process_time()
from features.program import FeatureProgram
from features.catalogue import FEATURES
from bench.features.sets import SEEDS
imported = time.perf_counter()
program = FeatureProgram({names})
made = time.perf_counter()
program.push([1.7e12, 1.0, 1.0, 1.0, 1.0, 1.0, *[1.0] * len(program.inputs)])
pushed = time.perf_counter()
spent = time.process_time() - cpu
print(json.dumps([imported - began, made - imported, pushed - made, pushed - began, spent]))
"""
_RUN = """
import json, time
from bench.features.market import candles
from features.program import FeatureProgram
from features.catalogue import FEATURES
program, given = FeatureProgram(FEATURES), candles(600)
began = time.perf_counter()
program.run(given)
print(json.dumps([time.perf_counter() - began]))
"""
_MEMORY = """
import json, sys
import pandas as pd
from bench.features.fresh import peak
from features.program import FeatureProgram
from features.catalogue import FEATURES
given, program = pd.read_parquet(sys.argv[1]), FeatureProgram(FEATURES)
program.run(given.iloc[:600])
before = peak()
{work}
print(json.dumps([before, peak(), size]))
"""
_HISTORY = "values = program.run(given); size = values.nbytes / 2**20"
_LIVE = """
from bench.features.market import pushable
program.replay(given.iloc[:6000])
for bar in pushable(given.iloc[6000:16000], program.inputs):
    row = program.push(bar)
size = len(program.to_bytes()) / 2**20
"""


def peak() -> float:
    """Return the most memory this process has held, MiB."""
    # Not ru_maxrss: on Linux a child begins with its parent's.
    status = Path("/proc/self/status")
    if not status.exists():
        return math.nan
    held = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(held.split()[1]) / 1024


def start_up(quick: bool) -> list[Row]:
    """Return seconds of fresh processes until the first pushed row."""
    rows = []
    for label, names in (("seed names", "SEEDS"), ("all", "FEATURES")):
        code = _PUSH.format(names=names)
        _child(code)  # fills the cache
        taken = [_child(code) for _ in range(3 if quick else 7)]
        rows.append(_start(f"{label}, compiled before", taken))
    with tempfile.TemporaryDirectory() as empty:
        cache = {"NUMBA_CACHE_DIR": empty}
        rows.append(_start("all, nothing compiled yet", [_child(code, cache)]))
        wall, (first_run,) = _child(_RUN, cache)
        rows.append({"what": "first run after that", "process_s": wall, "first_run_s": first_run})
    return rows


def memory(candles: pd.DataFrame) -> list[Row]:
    """Return peak memory of a process in MiB, beside the size of what it holds."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for what, given, work in (
            (f"{len(candles):,} bars × all, float32", candles, _HISTORY),
            ("live: 10,000 bars pushed, all", candles.iloc[-16_000:], _LIVE),
        ):
            path = Path(folder) / "candles.parquet"
            given.to_parquet(path)
            _, (before, peak, size) = _child(_MEMORY.format(work=work), argument=str(path))
            rows.append({"what": what, "before_mb": before, "peak_mb": peak, "holds_mb": size})
    return rows


def _start(what: str, taken: list[tuple[float, list[float]]]) -> Row:
    parts = zip(*(inner for _, inner in taken), strict=True)
    imports, making, push, whole, cpu = (statistics.median(part) for part in parts)
    return {
        "what": what,
        "process_s": statistics.median(wall for wall, _ in taken),
        "import_s": imports,
        "make_s": making,
        "first_push_s": push,
        "until_row_s": whole,
        "until_row_cpu_s": cpu,
        "processes": len(taken),
    }


def _child(
    code: str, more: Mapping[str, str] | None = None, argument: str = ""
) -> tuple[float, Any]:
    """Return wall seconds of a process and what it printed."""
    command, environment = [sys.executable, "-c", code, argument], {**os.environ, **(more or {})}
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    spent = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"a process failed with status {done.returncode}:\n{done.stderr[-2000:]}")
    return spent, json.loads(done.stdout)
