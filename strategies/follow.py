"""Follow a source: wait for each close, fetch what has closed, let a trader act on it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator

import pandas as pd

from market.candles import empty_candles, open_ms, repair
from market.errors import BadAnswer, NoCandles, RateLimited, SourceDown, SourceTimeout
from market.source import CandleSource
from market.timeframes import Instant, instant_ms, timeframe_ms, utc
from strategies.broker import Outcome
from strategies.trader import Trader

PATIENCE_S, POLL_S = 20.0, 1.0
_AGAIN = (RateLimited, SourceTimeout, SourceDown, BadAnswer)  # worth another try
_log = logging.getLogger(__name__)


def clock_ms() -> int:
    """Return the time, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def follow(
    trader: Trader,
    source: CandleSource,
    *,
    until: Instant | None = None,
    history_bars: int | None = None,
    patience_s: float = PATIENCE_S,
    now_ms: Callable[[], int] = clock_ms,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Outcome]:
    """Trade on what closes from now on; yield what becomes of each order.

    Candles that closed before now are shown as history, and not traded on. What came while a
    source was away is taken bar by bar when it is back. A symbol whose bar has not come within
    `patience_s` of its close is left out at that close, and the bar is a gap.

    Parameters
    ----------
    trader : Trader
        That has seen nothing yet.
    source : CandleSource
        Asked about the trader's symbols.
    until : Instant, optional
        Ends when the bar that closes then has been acted on; by default never.
    history_bars : int, optional
        Shown beforehand; by default what the strategy's declared features take to settle.
    patience_s : float
        How long a close is waited for.
    now_ms, sleep : callable
        The clock.

    Raises
    ------
    market.errors.MarketError
        The source will not do: it does not know a symbol, or has no history.
    strategies.errors.StrategyError
        The strategy failed.

    Examples
    --------
    >>> for outcome in follow(trader, open_source("exchange:binance")):  # doctest: +SKIP
    ...     print(outcome)
    """
    step = timeframe_ms(trader.timeframe)
    bars = history_bars or trader.features.history_bars()
    close = seen = now_ms() // step * step
    trader.begin({s: _closed(trader, source, s, seen - bars * step, seen) for s in trader.symbols})
    end = math.inf if until is None else instant_ms(until)
    while close + step <= end:
        if (wait := close + step - now_ms()) > 0:
            sleep(wait / 1000)
            continue
        close = int(min(now_ms() // step * step, end))
        for opened, symbol, values in _came(trader, source, seen, close, patience_s, now_ms, sleep):
            yield from trader.on_bar(symbol, (opened, *values))
        yield from trader.act()
        # What a source that was away held back is asked for again.
        seen = max(seen, trader.acted_ms)


def _came(
    trader: Trader,
    source: CandleSource,
    seen: int,
    close: int,
    patience_s: float,
    now_ms: Callable[[], int],
    sleep: Callable[[float], None],
) -> list[tuple[int, str, list[float]]]:
    """Return the bars that opened from `seen` on and closed by `close`, in order of time."""
    last = close - timeframe_ms(trader.timeframe)
    found: dict[str, pd.DataFrame] = {}
    missing = list(trader.symbols)
    while missing:
        for symbol in missing:
            found[symbol] = _tried(trader, source, symbol, seen, close)
        missing = [s for s in missing if not _reaches(found[s], last)]
        if missing and now_ms() - close > patience_s * 1000:
            _log.warning("no bar of %s that closed at %s came", ", ".join(missing), utc(close))
            break
        if missing:
            sleep(POLL_S)
    return sorted(
        (opened, symbol, values)
        for symbol, frame in found.items()
        for opened, values in zip(open_ms(frame).tolist(), frame.to_numpy().tolist(), strict=True)
    )


def _reaches(candles: pd.DataFrame, last_ms: int) -> bool:
    return len(candles) > 0 and int(open_ms(candles)[-1]) >= last_ms


def _tried(trader: Trader, source: CandleSource, symbol: str, start: int, end: int) -> pd.DataFrame:
    """Return what closed in a window; nothing where the source is worth another try."""
    try:
        return _closed(trader, source, symbol, start, end)
    except _AGAIN as error:
        _log.info("%s; asked again", error)
    except NoCandles:
        pass
    return empty_candles()


def _closed(
    trader: Trader, source: CandleSource, symbol: str, start: int, end: int
) -> pd.DataFrame:
    candles = source.fetch(symbol, trader.timeframe, start, end)
    return repair(candles, trader.timeframe, end)[0]
