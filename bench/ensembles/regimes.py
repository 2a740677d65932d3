"""The regime of every bar of a ledger, by edges that were learnt before the first turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.program import FeatureProgram
from market.candles import open_ms
from market.files import FilesSource
from market.timeframes import DAY_MS, timeframe_ms, utc
from models.common.regimes import COLUMNS, Regimes
from orchestration.judge.lines import Lines

Ints = NDArray[np.int64]


def grid(lines: Lines, data: Path, warm_days: float) -> Ints:
    """Return the regime of each bar, int64 [T, S]; -1 where a feature is not known.

    The edges part the bars of the first `warm_days` in thirds.
    """
    program, frame = FeatureProgram(COLUMNS, lines.slot.timeframe), lines.slot.timeframe
    warm = max(program.lookback, program.settle) * timeframe_ms(frame)
    source = FilesSource(data)
    begin, end = utc(int(lines.ts[0]) - warm), utc(int(lines.ts[-1]) + timeframe_ms(frame))
    rows = np.full((len(lines.ts), len(lines.symbols), len(COLUMNS)), np.nan)
    for k, symbol in enumerate(lines.symbols):
        candles: pd.DataFrame = source.fetch(symbol, frame, begin, end)
        found = np.asarray(program.run(candles, settled=True), dtype=np.float64)
        _, here, there = np.intersect1d(lines.ts, open_ms(candles), True, True)
        rows[here, k] = found[there]
    early = lines.ts < lines.ts[0] + int(warm_days * DAY_MS)
    edges = Regimes.fit(rows[early].reshape(-1, len(COLUMNS)))
    return edges.of(rows.reshape(-1, len(COLUMNS))).reshape(rows.shape[:2])
