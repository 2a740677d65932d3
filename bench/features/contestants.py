"""Who is measured, and on which columns: each gets candles in the form it likes best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd

from bench.features.plain import Plain
from bench.features.sets import INDICATORS, MOVING, ROLLING
from features.program import FeatureProgram

Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Contestant:
    """A library, and what it is asked for.

    Parameters
    ----------
    name : str
    columns : tuple of str
        Our names of the columns it computes.
    prepare : callable
        From candles to the form it reads; not measured.
    compute : callable
        From that form to columns by name.
    """

    name: str
    columns: tuple[str, ...]
    prepare: Callable[[pd.DataFrame], Any]
    compute: Callable[[Any], Columns]


def ours(names: tuple[str, ...], *, again: bool = False) -> Contestant:
    """Return the feature program, history in one call; the candles are checked within the time.

    With `again` it writes into the array of the call before: a new one of many megabytes costs time
    of the operating system, more so on a busy machine.
    """
    program = FeatureProgram(names)
    kept: dict[int, np.ndarray] = {}

    def compute(candles: pd.DataFrame) -> Columns:
        values = program.run(candles, dtype=np.float64, out=kept.get(len(candles)))
        if again:
            kept[len(candles)] = values
        return {name: values[:, j] for j, name in enumerate(names)}

    label = "Tidewheel, array used again" if again else "Tidewheel"
    return Contestant(label, names, lambda candles: candles, compute)


def plain(names: tuple[str, ...]) -> Contestant:
    """Return pandas by hand."""
    return Contestant(
        "pandas by hand", names, lambda candles: candles, lambda given: Plain(given).columns(names)
    )


def for_indicators() -> list[Contestant]:
    """Return who computes `INDICATORS`."""
    found = [ours(INDICATORS), ours(INDICATORS, again=True)]
    if _there("talib"):
        found.append(Contestant("TA-Lib", INDICATORS, arrays, talib_indicators))
    if _there("pandas_ta_classic"):
        for talib in (True, False) if _there("talib") else (False,):
            name = f"pandas-ta-classic, {'TA-Lib inside' if talib else 'its own code'}"
            compute = partial(classic_indicators, talib=talib)
            found.append(Contestant(name, INDICATORS, lambda candles: candles, compute))
    return [*found, plain(INDICATORS)]


def for_moving() -> list[Contestant]:
    """Return who computes `MOVING`."""
    found = [ours(MOVING), ours(MOVING, again=True)]
    if _there("bottleneck"):
        found.append(Contestant("bottleneck", MOVING, arrays, bottleneck_moving))
    if _there("talib"):
        found.append(Contestant("TA-Lib", MOVING, arrays, talib_moving))
    return [*found, *_polars(MOVING), plain(MOVING)]


def for_rolling() -> list[Contestant]:
    """Return who computes `ROLLING`."""
    return [ours(ROLLING), ours(ROLLING, again=True), *_polars(ROLLING), plain(ROLLING)]


def _there(library: str) -> bool:
    return find_spec(library) is not None


def missing() -> list[str]:
    """Return the libraries that are not installed."""
    libraries = ("talib", "pandas_ta_classic", "polars", "bottleneck")
    return [library for library in libraries if not _there(library)]


def arrays(candles: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return open, high, low, close, volume, each contiguous."""
    names = ("open", "high", "low", "close", "volume")
    return tuple(np.ascontiguousarray(candles[name].to_numpy(np.float64)) for name in names)


def talib_indicators(bars: tuple[np.ndarray, ...]) -> Columns:
    import talib as t

    _, h, l, c, _ = bars  # noqa: E741
    macd, signal, histogram = t.MACD(c, 12, 26, 9)
    upper, middle, lower = t.BBANDS(c, 20, 2, 2)
    down, up = t.AROON(h, l, 25)
    k, d = t.STOCHF(h, l, c, 14, 3, 0)
    values = (
        t.SMA(c, 20), t.EMA(c, 20), macd, signal, histogram, t.ADX(h, l, c, 14),
        t.PLUS_DI(h, l, c, 14), t.MINUS_DI(h, l, c, 14), up, down, t.AROONOSC(h, l, 25),
        t.TRIX(c, 15), t.RSI(c, 14), k, d, t.WILLR(h, l, c, 14), t.ROC(c, 10), t.MOM(c, 10),
        t.ULTOSC(h, l, c, 7, 14, 28), t.CCI(h, l, c, 20),
        t.ATR(h, l, c, 14), t.NATR(h, l, c, 14), upper, middle, lower, t.MIN(l, 20), t.MAX(h, 20),
    )  # fmt: skip
    return dict(zip(INDICATORS, values, strict=True))


def classic_indicators(candles: pd.DataFrame, talib: bool) -> Columns:
    """Return what pandas-ta-classic computes, by its own code or by TA-Lib's."""
    import pandas_ta_classic as ta

    h, l, c = (candles[name] for name in ("high", "low", "close"))  # noqa: E741
    own: dict[str, Any] = {"talib": talib}
    macd, bands = ta.macd(c, 12, 26, 9, **own), ta.bbands(c, 20, 2, ddof=0, **own)
    adx, aroon = ta.adx(h, l, c, 14, **own), ta.aroon(h, l, 25, **own)
    stoch = ta.stoch(h, l, c, 14, 3, 1, **own)
    values = (
        ta.sma(c, 20, **own), ta.ema(c, 20, **own),
        macd.iloc[:, 0], macd.iloc[:, 2], macd.iloc[:, 1],
        adx.iloc[:, 0], adx.iloc[:, 1], adx.iloc[:, 2],
        aroon.iloc[:, 1], aroon.iloc[:, 0], aroon.iloc[:, 2],
        ta.trix(c, 15, **own).iloc[:, 0], ta.rsi(c, 14, **own), stoch.iloc[:, 0], stoch.iloc[:, 1],
        ta.willr(h, l, c, 14, **own), ta.roc(c, 10, **own), ta.mom(c, 10, **own),
        ta.uo(h, l, c, 7, 14, 28, **own),
        ta.cci(h, l, c, 20, **own), ta.atr(h, l, c, 14, **own), ta.natr(h, l, c, 14, **own),
        bands.iloc[:, 2], bands.iloc[:, 1], bands.iloc[:, 0],
        l.rolling(20).min(), h.rolling(20).max(),
    )  # fmt: skip
    return dict(zip(INDICATORS, values, strict=True))


def _log_return(close: np.ndarray) -> np.ndarray:
    return np.log(close[1:] / close[:-1])


def _moving(bars: tuple[np.ndarray, ...], by: Mapping[str, Callable[..., np.ndarray]]) -> Columns:
    """Return `MOVING` by a library's four functions; returns begin one bar late."""
    _, h, l, c, _ = bars  # noqa: E741
    given = {"sma": c, "volatility": _log_return(c), "min": l, "max": h}
    named = (name.rpartition("_") for name in MOVING)
    return {f"{what}_{n}": by[what](given[what], int(n)) for what, _, n in named}


def bottleneck_moving(bars: tuple[np.ndarray, ...]) -> Columns:
    import bottleneck as bn

    by = {"sma": bn.move_mean, "min": bn.move_min, "max": bn.move_max}
    return _moving(bars, {**by, "volatility": partial(bn.move_std, ddof=1)})


def talib_moving(bars: tuple[np.ndarray, ...]) -> Columns:
    import talib as t

    def deviation(x: np.ndarray, n: int) -> np.ndarray:
        return t.STDDEV(x, n) * (n / (n - 1)) ** 0.5

    return _moving(bars, {"sma": t.SMA, "min": t.MIN, "max": t.MAX, "volatility": deviation})


def _polars(names: tuple[str, ...]) -> list[Contestant]:
    if not _there("polars"):
        return []
    import polars as pl

    expressions = [polars_expression(name) for name in names]

    def compute(frame: pl.DataFrame) -> Columns:
        return frame.select(expressions).to_dict(as_series=True)

    def prepare(candles: pd.DataFrame) -> pl.DataFrame:
        given = zip(("open", "high", "low", "close", "volume"), arrays(candles), strict=True)
        return pl.DataFrame(dict(given))

    return [Contestant("polars", names, prepare, compute)]


def polars_expression(name: str) -> Any:
    import polars as pl

    what, _, number = name.rpartition("_")
    n, close = int(number), pl.col("close")
    moves = (close / close.shift(1)).log()
    made = {
        "sma": lambda: close.rolling_mean(n),
        "min": lambda: pl.col("low").rolling_min(n),
        "max": lambda: pl.col("high").rolling_max(n),
        "volatility": lambda: moves.rolling_std(n),
        "skew": lambda: moves.rolling_skew(n, bias=False),
    }[what]()
    return made.alias(name)
