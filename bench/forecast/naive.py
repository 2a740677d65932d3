"""The same rollout as it is usually written: a frame that grows, features by pandas, one predict.

The features are those of the autoregressive forecaster, of the last rows only, which is kind: many
such loops compute them over the whole frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

PERIODS = (5, 10, 20, 50)
_ROWS = 60
_DAY = pd.Timedelta("1D")


def features(frame: pd.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the features of the last row, [F]."""
    close = frame["close"]
    moved = np.log(close).diff()
    turn = (frame.index - frame.index.normalize()) / _DAY * 2 * np.pi
    told: dict[str, object] = {
        "return_1": close.pct_change(1),
        "return_2": close.pct_change(2),
        "autocorr_1_20": moved.rolling(20).corr(moved.shift(1)),
        "tod_sin": pd.Series(np.sin(turn), frame.index),
        "tod_cos": pd.Series(np.cos(turn), frame.index),
    }
    for n in PERIODS:
        mean = close.rolling(n).mean()
        told |= {
            f"log_return_{n}": np.log(close).diff(n),
            f"close_to_sma_{n}": close / mean - 1,
            f"volatility_{n}": moved.rolling(n).std(),
            f"zscore_{n}": (close - mean) / close.rolling(n).std(),
        }
    return pd.DataFrame(told)[list(names)].iloc[-1].to_numpy(np.float64)


def rollout(
    booster: lgb.Booster, candles: pd.DataFrame, names: Sequence[str], unit: float, steps: int
) -> NDArray[np.float64]:
    """Return log returns step by step [steps]."""
    frame, answers = candles.iloc[-_ROWS:].copy(), np.empty(steps)
    step = frame.index[-1] - frame.index[-2]
    for k in range(steps):
        x = features(frame.iloc[-_ROWS:], names)
        answers[k] = float(booster.predict(x[None], num_threads=1)[0]) * unit
        last = frame["close"].iloc[-1]
        price = last * np.exp(answers[k])
        bar = [last, max(last, price), min(last, price), price, frame["volume"].iloc[-1]]
        new = pd.DataFrame([bar], columns=frame.columns, index=[frame.index[-1] + step])
        frame = pd.concat([frame, new])
    return answers
