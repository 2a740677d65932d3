"""The compiled loop: a row's forecast, the candle it means, that candle's row, and so on."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.engine import live
from features.engine.compiled import compiled
from features.engine.kernels.sources import digest
from features.engine.live import execute_bar
from features.rollout import forest as trees
from features.rollout.forest import down, ranks_of

RETURN, CANDLE = 1, 4
"""Sums of a forest by what it forecasts: the return alone, or gap, body, upper and lower wick."""

_Floats = NDArray[np.float64]
_Small = NDArray[np.int32]
_Integers = NDArray[np.int64]


def _sources() -> int:
    """Return a number that changes with the source of anything that is called here."""
    text = f"{digest()}{inspect.getsource(trees)}{inspect.getsource(live)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def _build(sources: int) -> Callable[..., Any]:
    @compiled
    def roll(
        unit: float, wick: float, step_ms: float, bar: _Floats, row: NDArray[np.float32],
        inputs: _Integers, table: _Integers, alphas: _Floats, histories: _Integers,
        outputs: _Integers, mem: _Floats, cursor: _Integers,
        nodes: _Small, values: _Floats, roots: _Small, groups: _Integers, ends: _Integers,
        thresholds: _Floats, spans: _Integers,
        out: _Floats,
    ) -> int:  # fmt: skip
        keys = np.empty(len(row), dtype=np.int32)
        for step in range(len(out)):
            ranks_of(row, thresholds, spans, keys)
            first = 0
            for k in range(len(ends)):
                out[step, k] = unit * down(nodes, values, roots, groups, first, ends[k], keys)
                first = ends[k]
            opened = bar[4]
            if len(ends) == CANDLE:
                opened = bar[4] * math.exp(out[step, 0])
                close = opened * math.exp(out[step, 1])
                out[step, 2] = max(out[step, 2], 0.0)
                out[step, 3] = max(out[step, 3], 0.0)
                high = max(opened, close) * math.exp(wick * out[step, 2])
                low = min(opened, close) * math.exp(-wick * out[step, 3])
            else:
                close = opened * math.exp(out[step, 0])
                high, low = max(opened, close), min(opened, close)
            bar[0] += step_ms
            bar[1], bar[2], bar[3], bar[4] = opened, high, low, close
            if step + 1 < len(out):
                execute_bar(bar, inputs, table, alphas, histories, outputs, mem, cursor, row)
        return sources

    return roll


roll = _build(_sources())
"""Forecast step by step, each forecast fed back as a bar.

Parameters
----------
unit, wick : float
    What the sums are multiplied with, and by how much fed-back wicks are longer than forecast.
step_ms : float
    Length of a bar.
bar : float64 [6]
    The latest bar; overwritten. Its volume stays that of every bar fed back.
row : float32 [F]
    Its features; overwritten.
inputs, table, alphas, histories, outputs : arrays
    The feature program, see `features.engine.compiler.Plan.live`.
mem, cursor : arrays
    What it remembers, the latest bar included; changed in place.
nodes, values, roots, groups, ends, thresholds, spans : arrays
    The forest, see `features.rollout.forest.Forest`.
out : float64 [steps, K]
    Written: log returns (K = 1), or gap, body, upper and lower wick (K = 4), logs of ratios.
"""
