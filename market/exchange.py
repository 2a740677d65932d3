"""Live exchanges as a source, through ccxt: pages, rate limits, retries, closed bars only."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit, urlunsplit

import ccxt
import pandas as pd
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from market.candles import COLUMNS, as_candles
from market.errors import (
    BadAnswer,
    BadSpec,
    RateLimited,
    SourceDown,
    SourceError,
    SourceTimeout,
    UnknownSymbol,
    UnsupportedTimeframe,
)
from market.symbols import parse_symbol
from market.timeframes import Instant, instant_ms, parse_timeframe, timeframe_ms

URL_VARIABLE = "TIDEWHEEL_EXCHANGE_URL"

_TRANSIENT = (RateLimited, SourceTimeout, SourceDown, BadAnswer)
_HOUR_MS = 3_600_000
Row = list[float | None]
T = TypeVar("T")


class ExchangeSource:
    """Candles of an exchange that ccxt knows; public endpoints only, no key is needed or read.

    Every request waits for ccxt's rate limit and is tried again, after a random and growing wait,
    when the exchange is slow, busy, down or talks nonsense. A shared instance may be used from
    several threads: requests go out one at a time.

    Parameters
    ----------
    exchange_id : str
        ccxt's name, such as ``binance`` (spot) or ``binanceusdm`` (USDⓈ-M futures).
    base_url : str, optional
        Scheme and host to use instead of the exchange's own, such as a mirror or a proxy. Default:
        the environment variable ``TIDEWHEEL_EXCHANGE_URL``, else the exchange's.
    attempts : int
        How often a request is tried before its error is raised.
    timeout_s : float
        How long one request may take.
    first_wait_s, longest_wait_s : float
        Upper bounds of the first and of any wait between two tries. An exchange that asks for a
        longer pause is not asked again.
    page_bars : int
        Bars asked for in one request; exchanges may answer with fewer.
    clock : callable, optional
        Returns the present in epoch milliseconds.

    Raises
    ------
    BadSpec
        ccxt knows no such exchange, or it has no candles.
    """

    simulated: ClassVar[bool] = False

    def __init__(
        self,
        exchange_id: str,
        *,
        base_url: str | None = None,
        attempts: int = 6,
        timeout_s: float = 10.0,
        first_wait_s: float = 0.5,
        longest_wait_s: float = 60.0,
        page_bars: int = 1000,
        clock: Callable[[], int] | None = None,
    ) -> None:
        if exchange_id not in ccxt.exchanges:
            raise BadSpec(f"ccxt knows no exchange {exchange_id!r}; try binance, kraken or okx")
        self.name = f"exchange-{exchange_id}"
        self._exchange: Any = getattr(ccxt, exchange_id)(
            {"timeout": int(timeout_s * 1000), "enableLastJsonResponse": True}
        )
        if not self._exchange.has["fetchOHLCV"]:
            raise BadSpec(f"{exchange_id} offers no candles; choose another exchange")
        if exchange_id == "binance":  # its futures have exchanges of their own
            self._exchange.options["fetchMarkets"] = {"types": ["spot"]}
        url = base_url or os.environ.get(URL_VARIABLE)
        if url:
            self._exchange.urls["api"] = _redirected(self._exchange.urls["api"], url)
        self._page_bars = page_bars
        self._clock = clock or (lambda: int(time.time() * 1000))
        self._lock = threading.Lock()
        self._backoff = wait_random_exponential(multiplier=first_wait_s, max=longest_wait_s)
        self._retrying = Retrying(
            retry=retry_if_exception(lambda error: _worth_another_try(error, longest_wait_s)),
            stop=stop_after_attempt(attempts),
            wait=self._wait,
            reraise=True,
        )

    def fetch(self, symbol: str, timeframe: str, start: Instant, end: Instant) -> pd.DataFrame:
        """Return the candles that open at or after `start` and close by `end` and by now.

        "Now" is the earlier of this machine's clock and the exchange's, so that a fast clock here
        does not take an unfinished bar for a finished one.

        Raises
        ------
        UnknownSymbol, UnsupportedTimeframe
            The exchange does not have it.
        RateLimited, SourceTimeout, SourceDown, BadAnswer
            The last of all tries failed so.
        SourceError
            The exchange refused for another reason.
        """
        symbol, timeframe = parse_symbol(symbol), parse_timeframe(timeframe)
        step, low, high = timeframe_ms(timeframe), instant_ms(start), instant_ms(end)
        if timeframe not in (self._exchange.timeframes or {}):
            known = ", ".join(self._exchange.timeframes or {})
            raise UnsupportedTimeframe(f"{self.name} has no {timeframe} candles; it has {known}")
        market = self._market(symbol)
        stop = (min(high, self._now(high)) // step) * step
        rows: list[Row] = []
        for page in self._pages(market, timeframe, -(-low // step) * step, stop):
            rows += [row for row in page if low <= (row[0] or 0) < stop]
        table = pd.DataFrame(rows, columns=["timestamp", *COLUMNS])
        return as_candles(table.astype({"timestamp": "int64"}))

    def _pages(self, market: str, timeframe: str, low: int, stop: int) -> Iterator[list[Row]]:
        """Walk the window page by page; the next page starts after the last bar received."""
        step = timeframe_ms(timeframe)
        while low < stop:
            limit = min(self._page_bars, (stop - low) // step)
            page = self._page(market, timeframe, low, limit)
            # An empty page inside the window is either a pause of the market or a fault: ask twice.
            page = page or self._page(market, timeframe, low, limit)
            yield page
            times = [int(row[0] or 0) for row in page]
            inside = [t for t in times if low <= t < stop]
            if inside:
                low = max(inside) + step
            elif times and min(times) >= stop:
                return  # the first bar after `low` lies beyond the window
            else:
                low += limit * step

    def _page(self, market: str, timeframe: str, since: int, limit: int) -> list[Row]:
        def ask() -> list[Row]:
            rows = self._exchange.fetch_ohlcv(market, timeframe, since, limit)
            # ccxt makes an empty list of anything it cannot read, even of an error page.
            if not rows and not _could_be_empty(self._exchange.last_json_response):
                raise BadAnswer(f"{self.name} sent something that is not candles of {market}")
            return [row[:6] for row in rows]

        return self._ask(ask)

    def _market(self, symbol: str) -> str:
        """Return ccxt's name for the symbol: the spot market, or the perpetual one."""

        def ask() -> dict[str, object]:
            markets: dict[str, object] = self._exchange.load_markets()
            if not markets:
                raise BadAnswer(f"{self.name} sent something that is not a list of markets")
            return markets

        base, quote = symbol.split("-")
        listed = self._ask(ask)
        for name in (f"{base}/{quote}", f"{base}/{quote}:{quote}"):
            if name in listed:
                return name
        raise UnknownSymbol(f"{self.name} does not list {symbol}; check the spelling of the pair")

    def _now(self, end: int) -> int:
        """Return the present; the exchange is asked only when the window reaches up to it."""
        now = self._clock()
        if end < now - _HOUR_MS or not self._exchange.has["fetchTime"]:
            return now
        return min(now, self._ask(lambda: int(self._exchange.fetch_time())))

    def _ask(self, request: Callable[[], T]) -> T:
        """Call ccxt until it answers or is out of tries."""

        def once() -> T:
            with self._lock, _translated(self.name, self._exchange):
                return request()

        return self._retrying(once)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after_s if isinstance(error, RateLimited) else 0.0
        return max(asked, self._backoff(state))


def _worth_another_try(error: BaseException, longest_wait_s: float) -> bool:
    asked = error.retry_after_s if isinstance(error, RateLimited) else 0.0
    return isinstance(error, _TRANSIENT) and asked <= longest_wait_s


@contextmanager
def _translated(name: str, exchange: Any) -> Iterator[None]:
    """Turn ccxt's errors into ours; the order matters, the later classes hold the earlier ones."""
    try:
        yield
    except ccxt.BadSymbol as error:
        raise UnknownSymbol(f"{name} does not know this symbol: {_short(error)}") from error
    except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
        pause = _retry_after(exchange)
        raise RateLimited(
            f"{name} was asked too often: {_short(error)}; ask less often", pause
        ) from error
    except ccxt.RequestTimeout as error:
        raise SourceTimeout(
            f"{name} did not answer in time: {_short(error)}; try again later"
        ) from error
    except ccxt.BadResponse as error:
        raise BadAnswer(f"{name} sent something that is not an answer: {_short(error)}") from error
    except ccxt.NetworkError as error:
        raise SourceDown(
            f"{name} cannot be reached or is out of order: {_short(error)}; "
            f"check the network, or set {URL_VARIABLE} to a mirror"
        ) from error
    except ccxt.BaseError as error:
        raise SourceError(f"{name} refused: {_short(error)}") from error
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        # ccxt takes answers apart without looking: what is not candles breaks somewhere inside it.
        raise BadAnswer(f"{name} sent something that is not candles: {_short(error)}") from error


def _short(error: Exception) -> str:
    """Return what ccxt said without the web page it may have quoted."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 160 else f"{text[:160]}…"


def _could_be_empty(answer: Any) -> bool:
    """Whether this JSON may mean "no candles": there is an empty list or a null where rows belong.

    A list of rows is none either when ccxt left them out because they are older than asked for.
    """
    if isinstance(answer, dict):
        return any(value is None or _could_be_empty(value) for value in answer.values())
    if isinstance(answer, list) and answer:
        row = answer[0]
        return isinstance(row, list) and len(row) >= 6 and str(row[0]).isdigit()
    return isinstance(answer, list) and not answer


def _retry_after(exchange: Any) -> float:
    """Return the seconds the last answer asked to wait, 0 if it did not say (or gave a date)."""
    text = (exchange.last_response_headers or {}).get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


def _redirected(urls: Any, base_url: str) -> Any:
    """Return ccxt's tree of URLs with another scheme and host; the paths stay."""
    if isinstance(urls, dict):
        return {name: _redirected(value, base_url) for name, value in urls.items()}
    parts, base = urlsplit(urls), urlsplit(base_url)
    return urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + parts.path, "", ""))
