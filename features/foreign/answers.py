"""What a function of candles answered, as columns of numbers, or why it is no such answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import RefusedFeature

Function = Callable[[pd.DataFrame], Any]
"""Candles in, a Series, a DataFrame or an array of the same length out."""

Table = dict[str, NDArray[np.float64]]


def columns_of(function: Function, name: str, candles: pd.DataFrame) -> Table:
    """Return what `function` answers as float64 columns by name.

    Raises
    ------
    RefusedFeature
        The function failed, or its answer is not a column of numbers beside the candles.
    """
    try:
        answer = function(candles)
    except RefusedFeature:
        raise
    except Exception as error:
        raise RefusedFeature(
            f"{name} failed on {len(candles)} candles: {type(error).__name__}: {error}"
        ) from error
    frame = _as_frame(answer, name, candles)
    if len(frame) != len(candles) or not frame.shape[1]:
        raise RefusedFeature(
            f"{name} returned {frame.shape[1]} columns of {len(frame)} values for {len(candles)} "
            "candles; return one value a candle, NaN before the look-back"
        )
    if isinstance(answer, pd.Series | pd.DataFrame) and not frame.index.equals(candles.index):
        raise RefusedFeature(
            f"{name} returned {len(frame)} values with another index than its candles; "
            "keep the index of the candles"
        )
    told = [f"{key} {column.dtype}" for key, column in frame.items() if column.dtype.kind in "cmM"]
    if told or not frame.columns.is_unique:
        wrong = ", ".join(told) or f"columns of the same name: {', '.join(map(str, frame.columns))}"
        raise RefusedFeature(f"{name} returned {wrong}; return real numbers, a name a column")
    try:
        return {str(key): column.to_numpy(np.float64) for key, column in frame.items()}
    except (TypeError, ValueError) as error:
        raise RefusedFeature(f"{name} returned something that is no number: {error}") from error


def _as_frame(answer: Any, name: str, candles: pd.DataFrame) -> pd.DataFrame:
    if isinstance(answer, pd.DataFrame):
        return answer
    if isinstance(answer, pd.Series):
        return answer.to_frame(name)
    if isinstance(answer, np.ndarray) and answer.ndim == 1:
        return pd.DataFrame({name: answer})
    if isinstance(answer, np.ndarray) and answer.ndim == 2:
        return pd.DataFrame(answer, columns=[f"{name}_{i}" for i in range(answer.shape[1])])
    raise RefusedFeature(
        f"{name} returned {type(answer).__name__} for {len(candles)} candles; "
        "return a Series, a DataFrame or an array"
    )
