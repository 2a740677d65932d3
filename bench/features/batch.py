"""A history at once: values a second of CPU, alone and beside others.

On one thread that is a second of the clock, unless other processes take their share of the core.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.features.clock import Times, in_turn
from bench.features.contestants import Contestant, for_indicators, for_moving, for_rolling
from bench.features.market import bare
from bench.features.sets import SEEDS
from features.catalogue import FEATURES
from features.model_set import MODEL_SET
from features.program import FeatureProgram

Row = dict[str, Any]
GROUPS = {
    "indicators": for_indicators,
    "mean, deviation, minimum, maximum": for_moving,
    "the same and skewness": for_rolling,
}


def alone(candles: pd.DataFrame, rounds: int) -> list[Row]:
    """Return how fast whole sets are computed, into new arrays and into one that is there."""
    works, widths = {}, {}
    sets = {"all": tuple(FEATURES), "model set": MODEL_SET, "seed names": SEEDS}
    for name, names in sets.items():
        program = FeatureProgram(names)
        kept = np.zeros((len(candles), len(names)), dtype=np.float32)  # pages are there
        works[f"{name}, new float32 array"] = lambda p=program: p.run(candles)
        works[f"{name}, array used again"] = lambda p=program, out=kept: p.run(candles, out=out)
        widths |= dict.fromkeys(list(works)[-2:], len(names))
    times = in_turn(works, rounds)
    rows = [_row(name, widths[name], len(candles), times[name]) for name in works]
    return [{field: row[field] for field in row if field != "times_ours"} for row in rows]


def beside(candles: pd.DataFrame, contestants: Sequence[Contestant], rounds: int) -> list[Row]:
    """Return how fast each computes the same columns; ours first."""
    given = bare(candles)
    prepared = {c.name: c.prepare(given) for c in contestants}
    times = in_turn({c.name: lambda c=c: c.compute(prepared[c.name]) for c in contestants}, rounds)
    return [_row(c.name, len(c.columns), len(given), times[c.name]) for c in contestants]


def _row(name: str, columns: int, rows: int, times: Times) -> Row:
    return {
        "what": name,
        "columns": columns,
        "rows": rows,
        "wall_s": times.wall,
        "cpu_s": times.cpu,
        "values_per_cpu_s": columns * rows / times.cpu,
        "times_ours": times.ratio,
        "rounds": times.rounds,
    }
