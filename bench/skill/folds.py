"""The panel of a folder of candles, and the folds that walk through its last days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
from ml_pipeline.splits import TurnSplit, turn_split

SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
CALIBRATION_DAYS, SELECTION_DAYS = 2.0, 3.0
_HOLDOUT_DAYS = 2.0  # no row of it is read


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


@dataclass(frozen=True)
class Fold:
    """Bars opened in ``[start_ms, end_ms)``, predicted by models that knew all until `start_ms`."""

    start_ms: int
    end_ms: int

    def split(self, first_ms: int, timeframe: str, horizon: int, train_days: float) -> TurnSplit:
        """Return the slices of a turn whose holdout opens at `start_ms`.

        Every label that a fit reads was known then. Where the history is shorter than
        `train_days`, the training slice takes what there is and the others keep their length.
        """
        step = timeframe_ms(timeframe)
        gaps = (4 * horizon + 4) * step / DAY_MS
        room = (self.start_ms - first_ms) / DAY_MS - CALIBRATION_DAYS - SELECTION_DAYS - gaps
        return turn_split(
            first_ms,
            self.start_ms + int(_HOLDOUT_DAYS * DAY_MS) + horizon * step,
            timeframe,
            horizon,
            min(train_days, max(room, 1.0)),
            (CALIBRATION_DAYS, SELECTION_DAYS, _HOLDOUT_DAYS),
        )


def folds(end_ms: int, days: float, hours: float) -> Iterator[Fold]:
    """Yield the folds of `hours` hours that fill the `days` days before `end_ms`, oldest first."""
    length = int(hours * 3_600_000)
    count = int(days * DAY_MS) // length
    for i in range(count):
        start = end_ms - (count - i) * length
        yield Fold(start, start + length)
