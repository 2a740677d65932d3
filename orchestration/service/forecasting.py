"""Forecasters of a home: trained from its candles, kept as folders, asked for the bars to come."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from market.candles import open_ms
from market.fetch import update
from market.symbols import parse_symbol
from market.timeframes import DAY_MS, instant_ms, parse_timeframe, timeframe_ms, utc
from models.forecasters.folder import CONFIG
from models.forecasters.forecaster import MULTI_OHLC, Forecaster
from orchestration.service.errors import InsufficientData, NoForecaster
from orchestration.service.resources import candles_of, source_of
from orchestration.settings import Settings
from orchestration.store.encoding import plain

Json = dict[str, Any]
Tell = Callable[[str, float], None]
_KEPT = 3  # versions of a forecaster


@dataclass(frozen=True)
class Order:
    """A forecaster that somebody wants.

    Parameters
    ----------
    symbol, timeframe
        Canonical.
    n_steps_ahead
        Bars that it forecasts.
    days_history
        Days that it is trained on.
    model_type
        ``multi_ohlc`` or ``autoregressive``.
    """

    symbol: str
    timeframe: str
    n_steps_ahead: int = 300
    days_history: float = 30
    model_type: str = MULTI_OHLC

    @classmethod
    def of(cls, symbol: str, timeframe: str, *rest: Any) -> Order:
        """Return the order with symbol and timeframe in any spelling."""
        return cls(parse_symbol(symbol), parse_timeframe(timeframe), *rest)

    @classmethod
    def unasked(cls, symbol: str, timeframe: str, model_type: str = MULTI_OHLC) -> Order:
        """Return the order of a training that nobody described: 30 days, of long bars more."""
        one = cls.of(symbol, timeframe)
        days = max(one.days_history, 2 * needed(one.timeframe)[1])
        return replace(one, days_history=days, model_type=model_type)

    @property
    def name(self) -> str:
        """Name of the forecaster, such as ``BTC_USDT_1m_300steps_multi_ohlc``."""
        symbol = self.symbol.replace("-", "_")
        return f"{symbol}_{self.timeframe}_{self.n_steps_ahead}steps_{self.model_type}"

    @property
    def slot_key(self) -> str:
        """Of which only one training runs at a time."""
        return f"{self.symbol}/{self.model_type}/{self.timeframe}"


def folder(settings: Settings) -> Path:
    """Return where the forecasters of a home lie: each name is a link to its newest version.

    Those of different sources never mix: what a simulated market taught answers for no other.
    """
    return settings.home / "forecasters" / source_of(settings).name


def train(settings: Settings, order: Order, tell: Tell) -> Json:
    """Fetch candles, fit a forecaster, put it in the place of the one before; return its facts.

    Raises
    ------
    InsufficientData
        Fewer bars than it needs.
    market.errors.MarketError
        The source has none.
    """
    # Only now: LightGBM takes a second to import, and who only asks does without.
    from ml_pipeline.forecasters.autoregressive_predictor import AutoregressivePricePredictor
    from ml_pipeline.forecasters.multi_ohlc_predictor import MultiOHLCPredictor

    tell("fetch", 0.05)
    now = datetime.now(UTC)
    candles = history(settings, order.symbol, order.timeframe, order.days_history, now)
    _enough(candles, order)
    kind = MultiOHLCPredictor if order.model_type == MULTI_OHLC else AutoregressivePricePredictor
    predictor = kind(order.n_steps_ahead, timeframe=order.timeframe, seed=settings.seed)
    tell("train", 0.15)
    predictor.train(candles, symbol=order.symbol, now=now)
    tell("save", 0.95)
    versions = folder(settings) / ".versions" / order.name
    made = predictor.save(versions / f"{now:%Y-%m-%dT%H%M%S.%fZ}")
    _point(folder(settings) / order.name, made)
    for old in sorted(versions.iterdir())[:-_KEPT]:
        shutil.rmtree(old)
    return facts(folder(settings) / order.name, source_of(settings).simulated)


def history(
    settings: Settings, symbol: str, timeframe: str, days: float, now: datetime
) -> pd.DataFrame:
    """Return the closed candles of the last days, brought up to date."""
    step = timeframe_ms(timeframe)
    end = instant_ms(now) // step * step
    return window(settings, symbol, timeframe, int(days * DAY_MS) // step, end)


def window(settings: Settings, symbol: str, timeframe: str, bars: int, end_ms: int) -> pd.DataFrame:
    """Return the candles of the last `bars` that closed by `end_ms`, brought up to date."""
    store, begin = candles_of(settings), utc(end_ms - bars * timeframe_ms(timeframe))
    update(source_of(settings), store, symbol, timeframe, begin, utc(end_ms))
    return store.read(symbol, timeframe, begin, utc(end_ms))


def needed(timeframe: str) -> tuple[int, int]:
    """Return how many bars a training needs at least, and how many days hold them."""
    minutes = timeframe_ms(timeframe) // 60_000
    least = 1000 if minutes < 60 else 500
    return least, int(np.ceil(least * minutes / 1440)) + 1


def _enough(candles: pd.DataFrame, order: Order) -> None:
    least, days = needed(order.timeframe)
    if len(candles) >= least:
        return
    raise InsufficientData(
        f"Insufficient data for training (got {len(candles)} rows of {order.timeframe} in "
        f"{order.days_history:g} days, {least} are needed)",
        f"set days_history to {days} or more, better {10 * days}"
        if order.days_history < days
        else "give the source more candles; it has holes, or began too late",
        bars=len(candles),
        needed=least,
        days_history=order.days_history,
        days_needed=days,
    )


def _point(link: Path, target: Path) -> None:
    """Let `link` lead to `target`, in one step: who reads finds the one or the other."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(target, link.parent))
    fresh.replace(link)


def listed(settings: Settings) -> list[Json]:
    """Return the facts of every forecaster, the last trained first."""
    links = [path for path in folder(settings).glob("*steps_*") if (path / CONFIG).is_file()]
    simulated = source_of(settings).simulated
    found = [facts(link, simulated) for link in links]
    return sorted(found, key=lambda one: str(one["trained_at"]), reverse=True)


def find(settings: Settings, symbol: str, timeframe: str, model_type: str | None = None) -> Json:
    """Return the facts of the forecaster that was trained last for a symbol and bar length.

    Raises
    ------
    NoForecaster
        None was.
    """
    wanted = parse_symbol(symbol).replace("-", "_"), parse_timeframe(timeframe)
    for one in listed(settings):
        if (one["symbol"], one["timeframe"]) == wanted and model_type in (None, one["type"]):
            return one
    raise NoForecaster(
        f"no forecaster of {wanted[0]} {wanted[1]} was trained",
        "train one: POST /api/models/train, or ask with auto_train=true",
        symbol=wanted[0],
        timeframe=wanted[1],
    )


def facts(link: Path, simulated: bool) -> Json:
    """Return what is known of a forecaster, as the guide's dictionary.

    ``performance`` holds R², RMSE and MAE of one-bar log returns (of a forecaster of candles: of
    the body's), on bars that it was fitted on and on later ones, each beside the random walk's.
    """
    told = {**_facts(link.resolve()), "simulated": simulated, "path": str(link)}
    return {"name": link.name, **told}


@lru_cache(maxsize=256)
def _facts(place: Path) -> Json:
    """Return what a version says of itself; it never changes."""
    told = json.loads((place / CONFIG).read_text())
    metrics = told["metrics"].get("close") or told["metrics"]
    performance = {
        f"{part}_{short}": metrics[part][name]
        for part in ("train", "val")
        for name, short in _FIGURES.items()
    }
    size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    found: Json = plain(
        {
            "type": told["predictor_type"],
            "symbol": told["symbol"].replace("-", "_"),
            "timeframe": told["timeframe"],
            "n_steps_ahead": told["n_steps_ahead"],
            "model_size_kb": round(size / 1024, 1),
            "trained_at": told["trained_at"].replace("+00:00", "Z"),
            "trained_through": told["trained_through"],
            "bars": told["bars"],
            "performance": performance,
        }
    )
    return found


_FIGURES = {
    "r2": "r2",
    "r2_naive": "r2_random_walk",
    "rmse": "rmse",
    "rmse_naive": "rmse_random_walk",
    "mae": "mae",
    "mae_naive": "mae_random_walk",
    "rows": "rows",
}


def forecast(one: Forecaster, candles: pd.DataFrame, about: Json) -> Json:
    """Return the bars to come after the last candle, as the guide's JSON."""
    told = one.live(candles).forecast()
    step = timeframe_ms(one.timeframe)
    opened = int(open_ms(candles)[-1])
    closes, up, half = told.close[0], told.log_return[0], told.half_width[0]
    price = float(told.price[0])
    bars = np.full((len(up), 3), np.nan) if told.candle is None else told.candle[0, :, :3]
    steps = [
        {
            "step": k + 1,
            "minutes_ahead": (k + 1) * step // 60_000,
            "timestamp": _stamp(opened + (k + 2) * step),
            "predicted_open": bars[k, 0],
            "predicted_high": bars[k, 1],
            "predicted_low": bars[k, 2],
            "predicted_close": closes[k],
            "predicted_return": np.expm1(up[k]),
            "confidence": told.confidence[0, k],
            "lower": price * np.exp(up[k] - half[k]),
            "upper": price * np.exp(up[k] + half[k]),
        }
        for k in range(len(up))
    ]
    names = ("name", "type", "trained_at", "n_steps_ahead")
    found: Json = plain(
        {
            "timestamp": _stamp(opened + step),
            "current_price": price,
            "symbol": about["symbol"],
            "timeframe": one.timeframe,
            "simulated": about["simulated"],
            "interval": one.cone.level,
            "predictions": steps,
            "model_info": {name: about[name] for name in names},
        }
    )
    return found


def _stamp(milliseconds: int) -> str:
    return f"{utc(milliseconds):%Y-%m-%dT%H:%M:%SZ}"
