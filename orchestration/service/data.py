"""The data of a turn: its window, the columns it needs, candles and the panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import hashes
from features.besides import Besides
from features.program import FeatureProgram
from market.candles import open_ms
from market.fetch import FetchResult, update
from market.timeframes import DAY_MS, bars_per_day, timeframe_ms, utc
from ml_pipeline.competing import Competition, competing, shared_split
from ml_pipeline.errors import PanelError
from ml_pipeline.panel import Panel, build_panel
from ml_pipeline.recipes import panel_columns
from ml_pipeline.splits import TurnSplit
from ml_pipeline.tasks import TASKS
from orchestration.engine import in_service
from orchestration.lifecycle.errors import SyncRefused
from orchestration.lifecycle.sync import sound_bundle
from orchestration.service.errors import StaleCandles, TurnFailed
from orchestration.service.refs import Dataset, Fetched, TurnRef
from orchestration.service.resources import (
    candles_of,
    registry_of,
    source_of,
    store_of,
    tracking_of,
)

LONG_PANEL = "long-panel"
"""Folder, in that of a turn, of the panel that its back-fill walks through."""

_STALE_DAYS = 1.0
_SHOWN = 5


def columns(turn: TurnRef) -> tuple[str, ...]:
    """Return every feature this turn needs: of its recipes, baselines and versions in service.

    Versions in service whose local copy is gone or damaged are brought back from MLflow here, at
    the very start, so that no bar goes without their prediction.
    """
    settings = turn.settings
    recipes = {kind: competition_of(turn, kind).recipes for kind in settings.kinds}
    needed = list(panel_columns(settings.timeframe, settings.kinds, recipes))
    store, registry, tracking = store_of(settings), registry_of(settings), tracking_of(settings)
    for kind in settings.kinds:
        slot = turn.slot(kind)
        for model in in_service(store, slot):
            try:
                names = sound_bundle(slot, model.version, tracking, registry).schema.names
            except SyncRefused:  # the verdict names it, and the slot goes on without it
                continue
            if not hashes.missing(names):  # as above
                needed += names
    return tuple(dict.fromkeys(needed))


def start_ms(turn: TurnRef) -> int:
    """Return the opening time of the first bar that the turn learns from."""
    return turn.at_ms - int(turn.settings.days * DAY_MS)


def warmup_ms(turn: TurnRef) -> int:
    """Return how many milliseconds before its first bar the turn needs candles."""
    return _program(turn)[1]


def _program(turn: TurnRef) -> tuple[FeatureProgram, int]:
    """Return the features of the turn, and how many milliseconds earlier candles must begin."""
    program = FeatureProgram(columns(turn), turn.settings.timeframe)
    return program, warmup_of(turn, program)


def fetch_candles(turn: TurnRef, symbol: str) -> Fetched:
    """Bring the stored candles of one symbol up to date.

    Raises
    ------
    MarketError
        The source or the candle store failed.
    StaleCandles
        The last candle is older than a day.
    """
    settings = turn.settings
    result = update(
        source_of(settings),
        candles_of(settings),
        symbol,
        settings.timeframe,
        utc(start_ms(turn) - _program(turn)[1]),
        turn.at,
    )
    step = timeframe_ms(settings.timeframe)
    last = int(result.last.timestamp() * 1000)
    behind = (turn.at_ms - last) // step - 1
    if behind > _STALE_DAYS * bars_per_day(settings.timeframe):
        raise StaleCandles(
            f"{symbol}: its last candle opened at {result.last.isoformat()}, {behind:,} bars "
            f"before the turn at {turn.at.isoformat()}; look into {source_of(settings).name}, or "
            "run the turn for an earlier moment"
        )
    return Fetched(
        symbol=symbol,
        rows_new=result.rows_new,
        rows=result.rows,
        first=result.first.isoformat(),
        last=result.last.isoformat(),
        report=result.report.as_dict(),
        sentence=_sentence(result, behind),
    )


def _sentence(result: FetchResult, behind: int) -> str:
    late = f", ends {behind} bars before the turn" if behind else ""
    conflicts = f", {result.conflicts} came again with other values" if result.conflicts else ""
    repaired = "" if result.report.clean else f"; {result.report.summary()}"
    return f"{result.rows_new:,} new of {result.rows:,} bars{late}{conflicts}{repaired}"


def read_candles(
    turn: TurnRef, symbols: tuple[str, ...], before_ms: int = DAY_MS
) -> dict[str, pd.DataFrame]:
    """Return the stored candles of the turn's window, and of `before_ms` milliseconds before."""
    store, begin = candles_of(turn.settings), utc(start_ms(turn) - before_ms)
    return {
        symbol: store.read(symbol, turn.settings.timeframe, begin, turn.at) for symbol in symbols
    }


def make_panel(turn: TurnRef, symbols: tuple[str, ...]) -> Dataset:
    """Build and save the panel of the symbols that could be fetched.

    A bar on which a feature has no value is in no panel: no model is asked about it.

    Raises
    ------
    TurnFailed
        No bar has all features.
    """

    def read(first_ms: int) -> dict[str, pd.DataFrame]:
        return read_candles(turn, symbols, start_ms(turn) - first_ms)

    return _panel(turn, read, start_ms(turn), turn.folder / "panel")


def long_panel(turn: TurnRef, symbols: tuple[str, ...], first_ms: int) -> Dataset:
    """Build and save a panel as `make_panel` does, from an earlier bar on.

    Candles that the store lacks are fetched first, as far back as the source has them.

    Raises
    ------
    MarketError
        The source or the candle store failed.
    TurnFailed
        No bar has all features.
    """

    def read(begin_ms: int) -> dict[str, pd.DataFrame]:
        return {symbol: _stored(turn, symbol, begin_ms, turn.at_ms) for symbol in symbols}

    return _panel(turn, read, first_ms, turn.folder / LONG_PANEL)


def _panel(
    turn: TurnRef, read: Callable[[int], dict[str, pd.DataFrame]], first: int, folder: Path
) -> Dataset:
    """Save the panel of bars opened at `first` or later, of candles read from their warm-up on."""
    program, warm_ms = _program(turn)
    names = program.names
    candles = joined(turn, program, read(first - warm_ms))
    holes = np.zeros(len(names), dtype=np.int64)

    def features(frame: pd.DataFrame) -> NDArray[np.float32]:
        # Where history is short, rows before the features have settled are left out: live rows,
        # which always have their warm-up behind them, would be other numbers.
        rows = np.asarray(program.run(frame, settled=True), dtype=np.float32)
        holes[:] += (~np.isfinite(rows[program.settle :])).sum(axis=0)
        return rows

    whole = build_panel(candles, turn.settings.timeframe, names, features)
    panel = whole.rows(whole.ts >= first)
    lacking = _lacking(dict(zip(names, holes.tolist(), strict=True)))
    if not len(panel):
        raise TurnFailed(
            f"no bar of {', '.join(candles)} since {utc(first).isoformat()} has all {len(names)} "
            f"features{lacking}; give the turn more days, or mend these features"
        )
    panel.save(folder)
    inside = sum(int((open_ms(frame) >= first).sum()) for frame in candles.values())
    dropped = inside - len(panel)
    begin, end = (utc(int(t)).isoformat() for t in (panel.ts[0], panel.ts[-1]))
    return Dataset(
        folder=str(folder),
        symbols=panel.symbols,
        rows=len(panel),
        dropped=dropped,
        data_hash=panel.data_hash(),
        first=begin,
        last=end,
        sentence=f"{len(panel):,} rows of {len(panel.symbols)} symbols × {len(names)} features, "
        f"{begin} to {end}; {dropped:,} rows without full features left out{lacking}",
    )


def joined(
    turn: TurnRef, program: FeatureProgram, candles: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return candles with what the features read besides them, brought up to date."""
    besides, fetch = Besides(turn.settings.benchmark), partial(_stored, turn)
    return {
        symbol: besides.join(frame, symbol, turn.settings.timeframe, program.inputs, fetch)
        for symbol, frame in candles.items()
    }


def warmup_of(turn: TurnRef, program: FeatureProgram) -> int:
    """Return how many milliseconds of candles features need before their first bar."""
    return max(program.lookback, program.settle) * timeframe_ms(turn.settings.timeframe)


def panel_is_there(data: Dataset) -> bool:
    """Return whether the panel of a stored result is still on disk, and the same."""
    try:
        return Panel.load(data.folder).data_hash() == data.data_hash
    except PanelError:
        return False


def _lacking(holes: Mapping[str, int]) -> str:
    """Return what to say of columns without a value on settled bars, most holes first."""
    most = sorted(filter(holes.get, holes), key=lambda name: -holes[name])[:_SHOWN]
    told = ", ".join(f"{name} on {holes[name]:,}" for name in most)
    return f", for want of a settled value: {told}" if told else ""


def _stored(turn: TurnRef, symbol: str, first_ms: int, end_ms: int) -> pd.DataFrame:
    """Return candles of a symbol besides the turn's own, brought up to date first."""
    settings, store = turn.settings, candles_of(turn.settings)
    begin, end = utc(first_ms), utc(end_ms)
    update(source_of(settings), store, symbol, settings.timeframe, begin, end)
    return store.read(symbol, settings.timeframe, begin, end)


def competition_of(turn: TurnRef, kind: str, panel: Panel | None = None) -> Competition:
    """Return the recipes of a kind that compete in the turn, and which are left out.

    Without a panel, as far as the days that were asked for allow; with one, as far as its bars do.

    Raises
    ------
    RecipeError
        None of the recipes that the settings name has history enough.
    """
    settings, days = turn.settings, turn.settings.days
    if panel is not None:
        days = min(days, (turn.at_ms - int(np.min(panel.ts))) / DAY_MS)
    return competing(kind, settings.recipes, settings.timeframe, days)


def split_of(turn: TurnRef, panel: Panel, kind: str, train_days: float | None = None) -> TurnSplit:
    """Return the slices of the turn for one kind; by default for its longest recipe.

    See `ml_pipeline.competing.shared_split`: every recipe of a kind is judged on the same bars.
    """
    longest = competition_of(turn, kind, panel).train_days
    first = int(np.min(panel.ts))
    timeframe = turn.settings.timeframe
    return shared_split(kind, timeframe, first, turn.at_ms, longest, train_days)


def horizon_of(turn: TurnRef, kind: str) -> int:
    """Return the bars after which every outcome of a kind is known."""
    return TASKS[kind].horizon_bars(turn.settings.timeframe)


def first_open_ms(turn: TurnRef, kind: str) -> int:
    """Return the first bar, by opening time, whose outcome is not known at the turn."""
    return turn.at_ms - horizon_of(turn, kind) * timeframe_ms(turn.settings.timeframe)
