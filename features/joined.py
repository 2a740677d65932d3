"""Columns beside the candles: a benchmark's close, and a sentiment as of its publication."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import BENCHMARK, SENTIMENT
from features.errors import MissingInput
from market.candles import as_candles, check_candles, open_ms
from market.gaps import Millis
from market.timeframes import timeframe_ms


def with_benchmark(candles: pd.DataFrame, benchmark: pd.DataFrame) -> pd.DataFrame:
    """Return the candles with a column ``benchmark``.

    Parameters
    ----------
    candles : pandas.DataFrame
        Canonical candles.
    benchmark : pandas.DataFrame
        Canonical candles of the benchmark, of the same bar length. Where it lacks a bar, its last
        close before stands in.

    Returns
    -------
    pandas.DataFrame
        `candles` and the benchmark's close at the close of each bar.

    Raises
    ------
    MissingInput
        The benchmark begins later than the candles, or its bars are of another length.
    market.errors.BadCandles
        The benchmark's candles are out of order, or hold values that cannot be.
    """
    others = as_candles(benchmark)
    check_candles(others)
    own, other = open_ms(as_candles(candles)), open_ms(others)
    _check_lengths(own, other)
    place = np.searchsorted(other, own, side="right") - 1
    before = int((place < 0).sum())
    if before:
        first = others.index[0].isoformat() if len(others) else "never"
        raise MissingInput(
            f"the benchmark begins {first}, after {before} of {len(own)} candles; fetch it from "
            f"{candles.index[0].isoformat()} on, or leave those candles out"
        )
    return candles.assign(**{BENCHMARK: others["close"].to_numpy()[place]})


def with_sentiment(
    candles: pd.DataFrame,
    published: pd.Series,
    timeframe: str,
    max_age: str | pd.Timedelta | None = None,
) -> pd.DataFrame:
    """Return the candles with a column ``sentiment``, NaN where nothing was known.

    Parameters
    ----------
    candles : pandas.DataFrame
        Canonical candles.
    published : pandas.Series
        Values by the moment they became public, with a zone. Not by the day they speak of: a
        score of Monday that is published on Tuesday belongs to Tuesday.
    timeframe : str
        Length of a bar.
    max_age : str or pandas.Timedelta, optional
        How long a value counts, such as ``"24h"``; for ever by default.

    Returns
    -------
    pandas.DataFrame
        `candles` and the latest value that was public when each bar closed.

    Raises
    ------
    MissingInput
        A moment without a zone, or out of order; a value that is no number; or `max_age` is no
        length of time.
    """
    moments = published.index
    if not isinstance(moments, pd.DatetimeIndex) or moments.tz is None:
        raise MissingInput("sentiment must be indexed by moments of publication with a zone")
    if not moments.is_monotonic_increasing:
        raise MissingInput("sentiment is out of order; sort it by its moment of publication")
    known = published.dropna()
    closes = open_ms(as_candles(candles)) + timeframe_ms(timeframe)
    since = pd.DatetimeIndex(known.index).ceil("ms").as_unit("ms").asi8
    place = np.searchsorted(since, closes, side="right") - 1
    found = place >= 0
    result = np.full(len(closes), np.nan)
    result[found] = _numbers(known)[place[found]]
    if max_age is not None and len(since):
        age = closes - since[np.maximum(place, 0)]
        result[age > check_age(max_age).total_seconds() * 1000] = np.nan
    return candles.assign(**{SENTIMENT: result})


def check_age(max_age: str | pd.Timedelta) -> pd.Timedelta:
    """Return how long a sentiment counts, as a length of time.

    Raises
    ------
    MissingInput
        It is none, or not positive.
    """
    try:
        age = pd.Timedelta(max_age)
    except ValueError as error:
        raise MissingInput(
            f"{max_age!r} is no length of time ({error}); write it as 24h or 30min"
        ) from error
    if not age > pd.Timedelta(0):
        raise MissingInput(f"a sentiment cannot count for {max_age!r}; say 24h, or more than 0")
    return age


def _numbers(published: pd.Series) -> NDArray[np.float64]:
    try:
        return published.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise MissingInput(f"sentiment holds what is no number: {error}") from error


def _check_lengths(own: Millis, other: Millis) -> None:
    """Refuse bars of two lengths: a longer one would show its close before it has closed."""
    if len(own) > 1 and len(other) > 1:
        apart, others_apart = np.diff(own).min() / 1000, np.diff(other).min() / 1000
        if apart != others_apart:
            raise MissingInput(
                f"the candles are {apart:g} s apart and the benchmark's {others_apart:g} s; "
                "fetch both with bars of one length"
            )
