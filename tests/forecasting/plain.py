"""The forecast's loop as one would write it: the booster is asked, the program is pushed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import bar_table
from features.program import FeatureProgram
from market.timeframes import timeframe_ms

BOOSTED = {
    "objective": "regression", "num_leaves": 31, "max_depth": 7, "learning_rate": 0.05,
    "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "min_data_in_leaf": 20,
    "verbosity": -1, "num_threads": 1, "deterministic": True, "seed": 0,
}  # fmt: skip


def boosters(
    candles: pd.DataFrame, names: Sequence[str], sums: int, rounds: int
) -> list[lgb.Booster]:
    """Return boosters that learnt something of the bars that come, in units of a deviation."""
    program = FeatureProgram(names)
    rows = program.run(candles)[program.lookback : -1]
    close = np.diff(np.log(candles["close"].to_numpy()))[program.lookback :]
    spread = np.log(candles["high"] / candles["low"]).to_numpy()[program.lookback + 1 :]
    moved = close / close.std()
    targets = [moved] if sums == 1 else [moved * 0.1, moved, spread / close.std(), abs(moved)]
    return [lgb.train(BOOSTED, lgb.Dataset(rows, y), rounds) for y in targets]


def plain_rollout(
    models: Sequence[Any], candles: pd.DataFrame, names: Sequence[str], *, unit: float,
    steps: int, wick: float = 1.0, timeframe: str = "1m",
) -> NDArray[np.float64]:  # fmt: skip
    """Return what `Rollout.one` should, [steps, K]."""
    program = FeatureProgram(names, timeframe)
    row, bar = program.run(candles)[-1], bar_table(candles)[-1]
    answers = np.empty((steps, len(models)))
    for step in range(steps):
        x = row[None].astype(np.float64)
        told = [float(model.predict(x, num_threads=1)[0]) * unit for model in models]
        opened, body, up, under = bar[4], told[0], 0.0, 0.0
        if len(models) == 4:
            told[2:] = [max(wing, 0.0) for wing in told[2:]]
            gap, body, up, under = told
            opened = bar[4] * math.exp(gap)
        close = opened * math.exp(body)
        high = max(opened, close) * math.exp(wick * up)
        low = min(opened, close) * math.exp(-wick * under)
        answers[step] = told
        bar = np.array([bar[0] + timeframe_ms(timeframe), opened, high, low, close, bar[5]])
        row = program.push(bar.tolist())
    return answers
