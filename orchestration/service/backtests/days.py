"""Days: which bars a strategy is judged on, and the candles for them with what comes before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pandas as pd

from features.besides import Besides
from features.program import FeatureProgram
from market.candles import open_ms
from market.fetch import update
from market.timeframes import DAY_MS, instant_ms, timeframe_ms, utc
from models.common.base_model import BaseModel
from orchestration.service.backtests.walked import Walked, span
from orchestration.service.errors import BadBacktest
from orchestration.service.replays.plan import moment_ms
from orchestration.service.resources import candles_of, source_of
from orchestration.settings import Settings

WARM_BARS = 3_000
"""Bars before the first one that counts: features settle on them, and windows fill."""


@dataclass(frozen=True)
class Days:
    """Bars that open in [first, end) count; `notes` say what had to be left out."""

    first_ms: int
    end_ms: int
    notes: tuple[str, ...] = ()


def asked_days(
    settings: Settings, first: str | None, end: str | None, now: datetime, replay: Walked | None
) -> Days:
    """Return the days that were asked for; by default those of a replay, or the last `days`.

    Raises
    ------
    BadBacktest
        There is none, or a replay served none of them.
    """
    step = timeframe_ms(settings.timeframe)
    latest = replay.end_ms if replay else moment_ms(now)
    last = moment_ms(end) if end else latest
    usual = replay.first_ms if replay else last - int(settings.days * DAY_MS)
    begin = moment_ms(first) if first else usual
    notes: tuple[str, ...] = ()
    if replay is not None:
        if begin < replay.first_ms or last > replay.end_ms:
            notes = (f"Days that the replay {replay.name} did not serve are left out.",)
        begin, last = max(begin, replay.first_ms), min(last, replay.end_ms)
    begin, last = -(-begin // step) * step, last // step * step
    if last - begin < 2 * step:
        raise BadBacktest(
            f"from {utc(begin)} to {utc(last)} there are no two bars"
            + (f"; the replay went from {span(replay)}" if replay else "")
        )
    return Days(begin, last, notes)


def unseen(days: Days, models: Mapping[str, BaseModel]) -> Days:
    """Return the days of which no model has learnt.

    Raises
    ------
    BadBacktest
        None is left.
    """
    through = {
        name: instant_ms(str(model.info["trained_through"]))
        for name, model in models.items()
        if model.info.get("trained_through")
    }
    if not through:
        return days
    latest = max(through, key=lambda name: through[name])
    seen = through[latest]
    if seen >= days.end_ms:
        raise BadBacktest(
            f"{latest} has learnt from bars until {utc(seen):%Y-%m-%d %H:%M} UTC, and the backtest "
            f"ends at {utc(days.end_ms):%Y-%m-%d %H:%M}: it would be asked about its own lessons. "
            "Name later days, or run a replay and ask what it served: --replay NAME"
        )
    notes: tuple[str, ...] = (
        "Champions were chosen by how they did on some of these days; what a replay really served "
        "(--replay) is the stricter test.",
    )
    if seen > days.first_ms:
        out = (seen - days.first_ms) / DAY_MS
        notes = (
            f"{out:.1f} days are left out: {latest} has learnt from them, until "
            f"{utc(seen):%Y-%m-%d %H:%M} UTC.",
            *notes,
        )
    return Days(max(days.first_ms, seen), days.end_ms, (*days.notes, *notes))


def candles_for(
    settings: Settings,
    symbols: Iterable[str],
    days: Days,
    models: Iterable[BaseModel],
) -> dict[str, pd.DataFrame]:
    """Return candles of some symbols for some days and for what features need before them.

    What the candle store lacks is fetched first.

    Raises
    ------
    MarketError
        The source has none of them.
    BadBacktest
        A symbol has no two bars in these days.
    """
    step, programs = timeframe_ms(settings.timeframe), _programs(settings, models)
    warm = max([WARM_BARS * step, *(p.settle * timeframe_ms(p.timeframe) for p in programs)])
    inputs = {name for program in programs for name in program.inputs}
    source, besides, fetch = (
        source_of(settings),
        Besides(settings.benchmark),
        partial(_stored, settings),
    )
    found = {}
    for symbol in symbols:
        frame = fetch(symbol, days.first_ms - warm, days.end_ms)
        if (open_ms(frame) >= days.first_ms).sum() < 2:
            raise BadBacktest(
                f"{source.name} has no two bars of {symbol} from {utc(days.first_ms)} to "
                f"{utc(days.end_ms)}"
            )
        frame = besides.join(frame, symbol, settings.timeframe, inputs, fetch)
        frame.attrs |= {"symbol": symbol, "source": source.name, "simulated": source.simulated}
        found[symbol] = frame
    return found


def _programs(settings: Settings, models: Iterable[BaseModel]) -> list[FeatureProgram]:
    return [
        FeatureProgram(model.features, str(model.info.get("timeframe") or settings.timeframe))
        for model in models
    ]


def _stored(settings: Settings, symbol: str, first_ms: int, end_ms: int) -> pd.DataFrame:
    store, begin, end = candles_of(settings), utc(first_ms), utc(end_ms)
    update(source_of(settings), store, symbol, settings.timeframe, begin, end)
    return store.read(symbol, settings.timeframe, begin, end)
