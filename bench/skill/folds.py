"""The panel of a folder of candles, and the slices of the folds that walk through it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from features.catalogue import FEATURES
from features.description import describe
from features.model_set import MODEL_SET
from features.program import FeatureProgram
from market.files import FilesSource
from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.errors import PanelError
from ml_pipeline.panel import Panel, build_panel
from ml_pipeline.recipes import panel_columns
from ml_pipeline.splits import TurnSplit
from ml_pipeline.walk_forward import Fold, fold_split

SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
CALIBRATION_DAYS, SELECTION_DAYS = 2.0, 3.0

EWMA = "ewma_vol_94"  # for a yardstick of volatility


def columns(timeframe: str) -> tuple[str, ...]:
    """Return every column that a recipe may read: the model set and all that baselines need."""
    windows = [name for name in FEATURES if name.startswith("log_rv_")]
    names = dict.fromkeys([*panel_columns(timeframe), *MODEL_SET, *windows, EWMA])
    return tuple(
        name for name in names if not {"benchmark", "sentiment"} & {*describe(name).inputs}
    )


_EVER = ("2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z")


def panel_of(data: Path, timeframe: str, cache: Path) -> Panel:
    """Return features and labels of all symbols, computed once and kept in `cache`."""
    folder, names = cache / f"panel-{timeframe}", columns(timeframe)
    try:
        panel = Panel.load(folder)
        if set(names) <= set(panel.names):
            return panel
    except PanelError:
        pass
    source, program = FilesSource(data), FeatureProgram(names, timeframe)
    candles = {symbol: source.fetch(symbol, timeframe, *_EVER) for symbol in SYMBOLS}
    build_panel(candles, timeframe, names, partial(program.run, settled=True)).save(folder)
    return Panel.load(folder)


def split_of(fold: Fold, panel: Panel, horizon: int, train_days: float) -> TurnSplit:
    """Return the slices of a fold.

    Where the history is shorter than `train_days`, the training slice takes what there is and the
    others keep their length.
    """
    first = int(panel.ts[0])
    gaps = (4 * horizon + 4) * timeframe_ms(panel.timeframe) / DAY_MS
    room = (fold.start_ms - first) / DAY_MS - CALIBRATION_DAYS - SELECTION_DAYS - gaps
    days = (min(train_days, max(room, 1.0)), CALIBRATION_DAYS, SELECTION_DAYS)
    return fold_split(fold, first, panel.timeframe, horizon, days)
