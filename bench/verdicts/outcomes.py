"""Real outcomes of volatility, and what simple models said of them walk-forward."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY = 288  # bars of five minutes
HORIZONS = (12, 48)
_FIRST, _EVERY = 61 * DAY, DAY // 2
_FLOOR = 1e-9


def outcomes(folder: Path) -> tuple[Floats, dict[str, Floats]]:
    """Return ln RV² of the next one and four hours, and the forecasts of simple models.

    Every model is a regression on past ln RV², fitted again every twelve hours on all symbols and
    smeared, as the baseline is.

    Parameters
    ----------
    folder : Path
        Of candles of five minutes, ``<symbol>_5m.parquet``.

    Returns
    -------
    float64[2, T, S], dict of float64[2, T, S]
        On the bars that all models answered.
    """
    ts, close = closes(folder)
    total = np.cumsum(np.square(np.diff(close, axis=0, prepend=close[:1])), axis=0)
    past = {n: _span(total, n) for n in (3, 12, 48, DAY)}
    y = np.stack([np.roll(_span(total, n), -n, axis=0) for n in HORIZONS])
    y[:, -max(HORIZONS) :] = np.nan
    turn = 2 * np.pi * (ts.hour + ts.minute / 60).to_numpy() / 24
    waves = [np.repeat(f(k * turn)[:, None], close.shape[1], 1) for k in (1, 2, 3) for f in _WAVES]
    har = list(past.values())
    said = {
        "HAR, 60 d": _walk(har, y, 60),
        "HAR, 14 d": _walk(har, y, 14),
        "HAR and time of day, 60 d": _walk([*har, *waves], y, 60),
        "HAR and time of day, 14 d": _walk([*har, *waves], y, 14),
        "last hour only": _walk(har[:2], y, 60),
        "last day only": _walk(har[2:], y, 60),
    }
    known = np.all([np.isfinite(f).all(axis=(0, 2)) for f in (y, *said.values())], axis=0)
    return y[:, known], {name: f[:, known] for name, f in said.items()}


def closes(folder: Path) -> tuple[pd.DatetimeIndex, Floats]:
    """Return opening times and ln of the closing prices, float64[T, S], of bars that all have."""
    paths = sorted(folder.glob("*_5m.parquet"))
    frames = [pd.read_parquet(path).set_index("timestamp") for path in paths]
    ts = frames[0].index
    for frame in frames[1:]:
        ts = ts.intersection(frame.index)
    prices = [frame.loc[ts, "close"].to_numpy(np.float64) for frame in frames]
    return pd.DatetimeIndex(ts), np.log(np.stack(prices, axis=1))


_WAVES = (np.sin, np.cos)


def _span(total: Floats, bars: int) -> Floats:
    """Return ln of the sum over the last so many bars."""
    found = np.full(total.shape, np.nan)
    found[bars:] = np.log(np.maximum(total[bars:] - total[:-bars], _FLOOR))
    return found


def _walk(columns: list[Floats], y: Floats, days: int) -> Floats:
    """Return least-squares forecasts of each horizon, fitted again and again on the last days."""
    x = np.stack([np.ones(columns[0].shape), *columns], axis=-1)
    whole = np.isfinite(x).all(axis=-1)
    x = np.where(whole[..., None], x, 0.0)
    said = np.full(y.shape, np.nan)
    for own, horizon, target in zip(said, HORIZONS, y, strict=True):
        known = whole & np.isfinite(target)
        aim = np.where(known, target, 0.0)
        gram = np.cumsum(np.einsum("tsi,tsj,ts->tij", x, x, known.astype(float)), axis=0)
        cross = np.cumsum(np.einsum("tsi,ts,ts->ti", x, aim, known.astype(float)), axis=0)
        for begin in range(_FIRST, len(x), _EVERY):
            end = begin - horizon - 1
            first = max(end - days * DAY, 0)
            weights = np.linalg.lstsq(gram[end] - gram[first], cross[end] - cross[first])[0]
            left = (aim[first:end] - x[first:end] @ weights)[known[first:end]]
            now = slice(begin, begin + _EVERY)
            own[now] = x[now] @ weights + np.log(np.exp(left).mean())
    return said
