"""History: candles and panels for whoever trains or validates outside of a turn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from features.besides import Besides
from features.program import FeatureProgram
from market.fetch import update
from market.source import CandleSource, open_source
from market.store import CandleStore
from market.symbols import parse_symbols
from market.timeframes import Instant, instant_ms, parse_timeframe, timeframe_ms, utc
from ml_pipeline.panel import Panel, build_panel


@dataclass(frozen=True)
class History:
    """Candles of one source, fetched when asked for and kept in the candle store.

    Attributes
    ----------
    source, store
        Where candles come from and where they are kept.
    end
        The moment that counts as now; None is the clock.
    besides
        Benchmark and sentiment, for features that read them.
    """

    source: CandleSource
    store: CandleStore = field(repr=False)
    end: Instant | None = None
    besides: Besides = field(default_factory=Besides)

    @classmethod
    def open(
        cls,
        source: str | CandleSource | None = None,
        *,
        home: str | Path | None = None,
        end: Instant | None = None,
        besides: Besides | None = None,
    ) -> History:
        """Return the history of a source.

        Parameters
        ----------
        source
            A source, or the text that describes one; by default `TIDEWHEEL_SOURCE`, which is
            ``simulated``.
        home
            Folder of all that is kept; by default `TIDEWHEEL_HOME`, which is ``var``.
        end
            The moment that counts as now.
        besides
            Benchmark and sentiment; by default BTC-USDT, and none.
        """
        if source is None or isinstance(source, str):
            source = open_source(source or os.environ.get("TIDEWHEEL_SOURCE", "simulated"))
        folder = Path(home or os.environ.get("TIDEWHEEL_HOME", "var"))
        return cls(source, CandleStore(folder / "candles", source.name), end, besides or Besides())

    def now_ms(self, timeframe: str) -> int:
        """Return the close of the last bar that is closed, epoch ms."""
        step = timeframe_ms(timeframe)
        now = pd.Timestamp.now(tz="UTC") if self.end is None else self.end
        return instant_ms(now) // step * step

    def candles(self, symbol: str, timeframe: str, start_ms: int, end_ms: int) -> pd.DataFrame:
        """Return the candles that open in ``[start_ms, end_ms)``, fetched if they are not stored.

        Raises
        ------
        SourceError, StoreError
            As `market.fetch.update` does.
        """
        update(self.source, self.store, symbol, timeframe, utc(start_ms), utc(end_ms))
        return self.store.read(symbol, timeframe, utc(start_ms), utc(end_ms))

    def panel(
        self,
        symbols: str | Sequence[str],
        timeframe: str,
        columns: Sequence[str],
        start_ms: int,
        end_ms: int,
    ) -> Panel:
        """Return features and labels of the bars that open in ``[start_ms, end_ms)``.

        Earlier bars are read on top, as many as the features need to have settled; where there are
        none, the rows until then are left out, as live rows have theirs behind them.
        """
        timeframe = parse_timeframe(timeframe)
        program = FeatureProgram(tuple(columns), timeframe)
        warm_ms = max(program.lookback, program.settle) * timeframe_ms(timeframe)

        def fetch(symbol: str, first_ms: int, last_ms: int) -> pd.DataFrame:
            return self.candles(symbol, timeframe, first_ms, last_ms)

        candles = {
            symbol: self.besides.join(
                fetch(symbol, start_ms - warm_ms, end_ms), symbol, timeframe, program.inputs, fetch
            )
            for symbol in parse_symbols(symbols)
        }
        panel = build_panel(candles, timeframe, columns, partial(program.run, settled=True))
        return panel.rows(panel.ts >= start_ms)
