"""Backtest engine: plays candles to a strategy, event by event, and keeps its account.

A bar is shown when it has closed and decided on then; the earliest fill is the open of the next.
Look-ahead is impossible by construction: windows and push features hold nothing later, and features
computed once are shown through one moment only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from features.compute_once import FeatureCache
from market.errors import BadCandles
from market.timeframes import Instant, instant_ms, utc
from strategies.base_strategy import BaseStrategy
from strategies.broker import SimulatedBroker
from strategies.costs import Costs
from strategies.desk import Desk
from strategies.errors import BadTerms
from strategies.exits import Exit
from strategies.eyes import Pushed, Remembered
from strategies.feed import Candles, Feed, feed
from strategies.live_features import LiveFeatures
from strategies.play import Eyes, Play
from strategies.result import BacktestResult
from strategies.run import Run, fills_table, stamps, trades_table
from strategies.sizing import Sizing
from strategies.window import WINDOW_BARS, Window

How: TypeAlias = Literal["push", "once"]


class BacktestEngine:
    """Plays candles to a strategy and tells what it would have earned, net of costs.

    Parameters
    ----------
    strategy : BaseStrategy
        Asked at each close of each symbol; what it remembers of one run it brings to the next. If
        it has caches (`enable_feature_cache`), they answer,
        for the bar's moment only.
    initial_cash : float
        Quote currency.
    costs : Costs, optional
        Fees, slippage, latency and what the account may do.
    timeframe : str, optional
        Length of the bars, if it is to be checked.
    seed : int
        For the resampling behind intervals and random entries of the result.
    features : {'push', 'once'}
        How features are computed: bar by bar with the code that runs live, or once for the whole
        history, which takes less time and gives the same numbers.
    sizing, exits : optional
        Instead of the strategy's own.
    window : int
        Bars that ``df`` holds at most.

    Examples
    --------
    >>> engine = BacktestEngine(strategy, initial_cash=10_000)  # doctest: +SKIP
    >>> result = engine.run(candles, "BTC-USDT")  # doctest: +SKIP
    >>> result["performance"]["total_return"]  # doctest: +SKIP
    """

    def __init__(
        self,
        strategy: BaseStrategy,
        initial_cash: float = 10_000.0,
        *,
        costs: Costs | None = None,
        timeframe: str | None = None,
        seed: int = 0,
        features: How = "push",
        sizing: Sizing | None = None,
        exits: Sequence[Exit] | None = None,
        window: int = WINDOW_BARS,
    ) -> None:
        if isinstance(strategy, type):
            raise BadTerms(f"{strategy.__name__} is a class; pass one of it: {strategy.__name__}()")
        if not hasattr(strategy, "detect"):
            raise BadTerms(f"{strategy!r} is no strategy; pass a BaseStrategy")
        if features not in ("push", "once"):
            raise BadTerms(f"features are computed by 'push' or 'once', not {features!r}")
        if window < 1:
            raise BadTerms(f"a window of {window} bars shows nothing; 1 is the bar itself")
        self.strategy, self.initial_cash = strategy, initial_cash
        self.costs = costs or Costs()
        self.seed = seed
        self._timeframe, self._features, self._shown = timeframe, features, window
        self._sizing, self._exits = sizing, exits

    def run(
        self, candles: Candles, symbol: str | None = None, start: Instant | None = None
    ) -> BacktestResult:
        """Play candles and return figures, trades, report and picture.

        Parameters and errors are those of `account`. One idea counts as one trial; of several
        tried, `BacktestResult.of` is told how many.
        """
        return BacktestResult.of(self.account(candles, symbol, start), seed=self.seed)

    def account(
        self, candles: Candles, symbol: str | None = None, start: Instant | None = None
    ) -> Run:
        """Play candles and return the account alone.

        Parameters
        ----------
        candles : DataFrame or mapping of str to DataFrame
            Of one symbol, or of several by symbol, which then share the cash: `strategies.feed`.
        symbol : str, optional
            Whose they are, where it is one table that does not say.
        start : Instant, optional
            Bars that close before are only shown, so that features have settled when the account
            begins; by default it begins with the first bar.

        Raises
        ------
        market.errors.BadCandles
            Unsorted, double or missing rows, values that cannot be, another length than said.
        StrategyFailed
            The strategy raised; the message names the bar and the symbol.
        BadSignal
            It answered with something else than a signal.
        """
        told = feed(candles, symbol, self._timeframe)
        begins = _begins(told, start)
        broker = SimulatedBroker(self.initial_cash, self.costs, told.step_ms)
        desk = Desk(self.strategy, self._sizing, self._exits, self.costs)
        with _caches_of(self.strategy) as caches:
            eyes = self._eyes(told, caches)
            window = partial(Window, self._shown, told.extra_columns, told.told)
            play = Play(desk, broker, eyes, told.timeframe, window, told.extra_columns)
            equity, exposure = _played(told, play, broker, begins)
        return self._told(told, desk, broker, equity, exposure)

    def _eyes(self, told: Feed, caches: tuple[FeatureCache, ...]) -> Eyes:
        if caches:
            return Remembered(caches)
        if self._features == "once":
            return Remembered([FeatureCache(*each, told.timeframe) for each in told.tables()])
        declared = getattr(self.strategy, "features", None)
        return Pushed(LiveFeatures(told.timeframe, declared, told=told.told))

    def _told(
        self,
        told: Feed,
        desk: Desk,
        broker: SimulatedBroker,
        equity: np.ndarray,
        exposure: np.ndarray,
    ) -> Run:
        ends = told.closes_ms()[-len(equity) :]
        times = stamps(ends)
        return Run(
            initial_cash=float(self.initial_cash),
            timeframe=told.timeframe,
            symbols=told.symbols,
            costs=self.costs,
            simulated=bool(told.told.get("simulated", False)),
            source=str(told.told.get("source", "")),
            equity=pd.Series(equity, times, name="equity"),
            exposure=pd.DataFrame(exposure, times, sorted(told.symbols))[list(told.symbols)],
            close=told.closes().iloc[-len(equity) :].set_axis(times),
            fills=fills_table(broker.fills),
            trades=trades_table([*broker.trades, *broker.still_open(int(ends[-1]))]),
            refused=broker.refused,
            bars=desk.asked,
            unanswered=desk.unanswered,
            unsettled=desk.unsettled,
            strategy=desk.name,
        )


def _played(
    told: Feed, play: Play, broker: SimulatedBroker, begins: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return equity [T] and exposure [T, S] at each close, symbols in alphabetical order."""
    column = {symbol: j for j, symbol in enumerate(sorted(told.symbols))}
    equity = np.empty(len(told.closes_ms()) - begins)
    exposure = np.zeros((len(equity), len(column)))
    for i, (close_ms, bars, extra) in enumerate(told.moments(), start=-begins):
        if i < 0:
            play.watch(bars, extra)
            continue
        play.on_bars(close_ms, bars, extra)
        equity[i] = worth = broker.equity
        if worth > 0:
            for symbol in broker.positions:
                exposure[i, column[symbol]] = broker.exposure(symbol) / worth
    return equity, exposure


def _begins(told: Feed, start: Instant | None) -> int:
    """Return the number of the first close at which the strategy is asked."""
    closes = told.closes_ms()
    first = 0 if start is None else int(np.searchsorted(closes, instant_ms(start)))
    if first == len(closes):
        raise BadCandles(
            f"the candles end at {utc(int(closes[-1]))} and the account was to begin at {start}; "
            "give it candles that go on"
        )
    return first


@contextmanager
def _caches_of(strategy: BaseStrategy) -> Iterator[tuple[FeatureCache, ...]]:
    """Take a strategy's caches while it plays: it could ask them for any moment."""
    caches = getattr(strategy, "_caches", ())
    if caches:
        strategy.disable_feature_cache()
    try:
        yield caches
    finally:
        if caches:
            strategy._caches = caches
