"""What a live program is made of: forks, bytes, cold starts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

from bench.features.batch import Row
from bench.features.contestants import arrays, missing
from bench.features.sets import INDICATORS, SEEDS
from bench.features.streams import Streams
from features.catalogue import FEATURES
from features.model_set import MODEL_SET
from features.program import FeatureProgram


def measure(candles: pd.DataFrame, quick: bool) -> list[Row]:
    """Return medians in microseconds and the size of the state."""
    rounds = 200 if quick else 1_000
    sets = {
        "all": tuple(FEATURES), "model set": MODEL_SET, "seed names": SEEDS,
        "indicators": INDICATORS,
    }  # fmt: skip
    rows = []
    for label, names in sets.items():
        program = FeatureProgram(names)
        history = candles.iloc[-program.settle - 1 :]
        program.replay(history)
        kept = program.to_bytes()
        row: Row = {
            "set": label,
            "columns": len(names),
            "fork_us": _median(program.fork, rounds),
            "to_bytes_us": _median(program.to_bytes, rounds),
            "from_bytes_us": _median(lambda kept=kept: FeatureProgram.from_bytes(kept), 20),
            "bytes": len(kept),
            "replay_us": _median(lambda p=program, h=history: p.replay(h), 10),
            "replay_bars": len(history),
        }
        if names is INDICATORS and "talib" not in missing():
            row["talib_copies_us"] = _median(Streams(arrays(candles)).copies, rounds)
        rows.append(row)
    return rows


def _median(work: Callable[[], Any], rounds: int) -> float:
    work()
    spent = []
    for _ in range(rounds):
        before = time.perf_counter_ns()
        work()
        spent.append(time.perf_counter_ns() - before)
    return statistics.median(spent) / 1e3
