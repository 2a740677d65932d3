"""Live features: closed bars in, settled features out; the same code in a backtest and live."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.bars import Bar, bar_numbers, bar_table
from features.besides import DEFAULT_BENCHMARK
from features.errors import BadBar, FeatureError
from features.feature_manager import DEFAULT_BARS, expanded
from features.program import FeatureProgram
from features.stream import BAR, BESIDES, FeatureStream
from market.candles import COLUMNS
from market.errors import BadTimeframe
from market.resample import whole_bars
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe, timeframe_ms

Declared = Mapping[str, Iterable[str]]
"""Names of features by timeframe: what a strategy says beforehand that it will ask for."""


class LiveFeatures:
    """What a strategy asks for features, fed bar by bar; answers like a feature manager.

    Bars are pushed when they have closed, so that nothing later can be asked for. Each symbol and
    timeframe has one `FeatureProgram`; longer bars are made of closed ones, complete ones only.

    Parameters
    ----------
    timeframe : str
        Length of the bars that are pushed.
    features : mapping of str to names, optional
        Columns by timeframe that will be asked for. Others are learnt when they are first asked
        for, and caught up from the bars seen before, with the same numbers.
    benchmark : str
        Symbol that features such as ``btc_beta_60`` compare with. Push its bars too, and all bars
        of one moment before asking; or give bars the key ``benchmark``.
    told : mapping, optional
        What ``attrs`` of frames say besides, such as ``source`` and ``simulated``.

    Notes
    -----
    Fed with the same history from its beginning, it answers with the bits of `FeatureCache` and
    `FeatureManager`. Every bar is remembered: a year of 1m bars takes 34 MB a symbol. For one
    thread.

    Examples
    --------
    >>> live = LiveFeatures("1m", {"5m": ["rsi_14"]})
    >>> live.extend("BTC-USDT", candles)  # history  # doctest: +SKIP
    >>> live.push("BTC-USDT", (1_748_390_400_000, 100.0, 101.0, 99.0, 100.5, 3.0))  # doctest: +SKIP
    >>> live.get_features("BTC-USDT", "5m", ["rsi_14"]).iloc[-1]  # doctest: +SKIP
    """

    def __init__(
        self,
        timeframe: str = "1m",
        features: Declared | None = None,
        *,
        benchmark: str = DEFAULT_BENCHMARK,
        told: Mapping[Hashable, Any] | None = None,
    ) -> None:
        self.timeframe = parse_timeframe(timeframe)
        self._step = timeframe_ms(self.timeframe)
        self._declared = {parse_timeframe(t): tuple(n) for t, n in (features or {}).items()}
        self._benchmark = parse_symbol(benchmark)
        self._told = dict(told or {})
        self._base: dict[str, FeatureStream] = {}
        self._longer: dict[tuple[str, str], _Longer] = {}
        self._found: dict[tuple[str, str], FeatureStream | _Longer] = {}
        for longer in self._declared:
            self._check(longer)

    # ------------------------------------------------------------------ bars come in

    def push(self, symbol: str, bar: Bar) -> None:
        """Take one bar that has closed.

        Parameters
        ----------
        symbol : str
            Whose it is, in any spelling.
        bar : mapping, Series or sequence
            See `features.bars.Bar`; a mapping may hold ``benchmark`` and ``sentiment`` besides.

        Raises
        ------
        BadBar
            It cannot be true, stands off the grid of its length, or does not follow the one before.
        """
        stream = self._of(symbol)
        row = np.array([[*bar_numbers(bar), *_besides(bar)]])
        self._check_order(stream, row)
        stream.bars.add(row)

    def extend(self, symbol: str, candles: pd.DataFrame) -> None:
        """Take many closed bars: the history before the first `push`, or what was missed.

        Parameters
        ----------
        symbol : str
            Whose they are.
        candles : pandas.DataFrame
            Canonical candles, repaired, oldest first; with columns ``benchmark`` and ``sentiment``
            if they are known.

        Raises
        ------
        BadBar
            They do not follow those before.
        market.errors.BadCandles
            They are not canonical.
        """
        if not len(candles):
            return
        rows = np.full((len(candles), BAR + len(BESIDES)), np.nan)
        rows[:, :BAR] = bar_table(candles[list(COLUMNS)])
        for column, name in enumerate(BESIDES, start=BAR):
            if name in candles:
                rows[:, column] = candles[name].to_numpy(np.float64)
        stream = self._of(symbol)
        self._check_order(stream, rows)
        stream.bars.add(rows)

    def seen(self, symbol: str) -> int:
        """Return how many bars of a symbol have closed."""
        return len(self._of(symbol).bars)

    def history_bars(self) -> int:
        """Return how many of the bars pushed it takes until all declared features have settled."""
        bars = 1
        for timeframe, names in self._declared.items():
            settle = FeatureProgram(expanded(names), timeframe).settle
            bars = max(bars, (settle + 2) * timeframe_ms(timeframe) // self._step)
        return bars

    # ------------------------------------------------------------------ features come out

    def get_features(
        self,
        symbol: str,
        timeframe: str,
        feature_list: Iterable[str] | None = None,
        lookback_bars: int | None = None,
        end: Instant | None = None,
    ) -> pd.DataFrame:
        """Return features of the latest closed bars, as `FeatureManager.get_features` does.

        Parameters
        ----------
        symbol, timeframe : str
            In any spelling; bars longer than those pushed are made of them.
        feature_list : iterable of str, optional
            Names as a feature manager takes them; by default the model set.
        lookback_bars : int, optional
            Rows wanted, 500 by default.
        end : Instant, optional
            Only bars that close by then.

        Returns
        -------
        pandas.DataFrame
            Settled rows only, float64; fewer than asked for where history is short.

        Raises
        ------
        NotEnoughHistory
            No row has settled.
        UnknownFeature
            A name that nobody defined.
        MissingInput
            No benchmark or sentiment for the features that read one.
        market.errors.BadTimeframe
            Bars that cannot be made of those pushed.
        """
        rows = DEFAULT_BARS if lookback_bars is None else int(lookback_bars)
        if rows < 1:
            raise FeatureError(f"lookback_bars is {rows}; ask for 1 row or more")
        moment = None if end is None else instant_ms(end)
        return self._stream(symbol, timeframe).frame(_key(feature_list), rows, moment)

    def row(
        self, symbol: str, timeframe: str, names: tuple[str, ...] | list[str]
    ) -> NDArray[np.float32]:
        """Return the latest closed bar's features, float32 [F]: the quick way, microseconds.

        Errors are those of `get_features`; a tuple is looked up quicker than a list.
        """
        return self._stream(symbol, timeframe).row(_key(names))

    # ------------------------------------------------------------------ who has them

    def _stream(self, symbol: str, timeframe: str) -> FeatureStream:
        found = self._found.get((symbol, timeframe))
        if found is None:
            found = self._found[symbol, timeframe] = self._find(symbol, timeframe)
        return found.synced() if isinstance(found, _Longer) else found

    def _find(self, symbol: str, timeframe: str) -> FeatureStream | _Longer:
        base, timeframe = self._of(symbol), parse_timeframe(timeframe)
        if timeframe == self.timeframe:
            return base
        self._check(timeframe)
        key = base.symbol, timeframe
        if key not in self._longer:
            self._longer[key] = _Longer(base, self._new(base.symbol, timeframe))
        return self._longer[key]

    def _of(self, symbol: str) -> FeatureStream:
        stream = self._base.get(symbol)
        if stream is None:
            name = parse_symbol(symbol)
            stream = self._base.get(name) or self._new(name, self.timeframe)
            self._base[symbol] = self._base[name] = stream
        return stream

    def _new(self, symbol: str, timeframe: str) -> FeatureStream:
        stream = FeatureStream(symbol, timeframe, self._told, self._closes)
        if timeframe in self._declared:
            stream.declare(self._declared[timeframe])
        return stream

    def _closes(self, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the benchmark's last close at each moment, NaN before its first."""
        stream = self._base.get(self._benchmark)
        if stream is None or not len(stream.bars):
            return np.full(len(moments), np.nan)
        bars = stream.bars.all
        place = np.searchsorted(bars[:, 0], moments - self._step, side="right") - 1
        return np.where(place >= 0, bars[np.maximum(place, 0), 4], np.nan)

    def _check(self, timeframe: str) -> None:
        if timeframe_ms(timeframe) % self._step:
            raise BadTimeframe(
                f"{timeframe} bars cannot be made of {self.timeframe} bars; use a multiple of them"
            )

    def _check_order(self, stream: FeatureStream, rows: NDArray[np.float64]) -> None:
        opened = rows[0, 0]
        if (rows[:, 0] % self._step).any():
            raise BadBar(f"a bar opens off the grid of {self.timeframe} bars; floor its open time")
        if len(stream.bars) and opened <= stream.bars.last[0]:
            raise BadBar(
                f"a bar of {stream.symbol} that opens at {opened:.0f} ms does not follow the one "
                f"at {stream.bars.last[0]:.0f} ms; push bars in order, each once"
            )


class _Longer:
    """A stream of longer bars, made of the closed bars of another."""

    def __init__(self, base: FeatureStream, stream: FeatureStream) -> None:
        self._base, self._stream = base, stream
        self._taken = 0  # bars of the base that are used up

    def synced(self) -> FeatureStream:
        """Return the stream with every longer bar that has closed."""
        bars, target = self._base.bars, self._stream.step
        if len(bars) > self._taken:
            new = bars.all[self._taken :]
            closes = new[-1, 0] + self._base.step
            # What belongs to a bar that is still forming waits.
            stop = int(np.searchsorted(new[:, 0], closes // target * target))
            if stop:
                self._stream.bars.add(whole_bars(new[:stop], self._base.step, target))
                self._taken += stop
        return self._stream


def _besides(bar: Bar) -> tuple[float, ...]:
    if isinstance(bar, Mapping | pd.Series):
        return tuple(float(bar[name]) if name in bar else np.nan for name in BESIDES)
    return (np.nan,) * len(BESIDES)


def _key(names: Iterable[str] | None) -> Any:
    """Return names as a key; text goes on as it is, and is refused."""
    return names if names is None or isinstance(names, str | tuple) else tuple(names)
