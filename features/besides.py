"""What candles bring besides price and volume: which benchmark, and where sentiment comes from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd

from features.bars import BENCHMARK, SENTIMENT
from features.errors import MissingInput
from features.joined import check_age, with_benchmark, with_sentiment
from market.candles import open_ms
from market.errors import BadSymbol, MarketError
from market.symbols import parse_symbol
from market.timeframes import timeframe_ms

Published = pd.Series | pd.DataFrame | str | os.PathLike[str] | Callable[[str], pd.Series]
"""Sentiment by the moment it was published: a Series for all symbols, a DataFrame with a column
for each, the path of a Parquet file that holds one of these, or a function of the symbol."""

Fetch = Callable[[str, int, int], pd.DataFrame]
"""Candles of a symbol whose open time lies in ``[start_ms, end_ms)``."""

DEFAULT_BENCHMARK = "BTC-USDT"
_EARLIER = 100  # bars: where the benchmark lacks the first one, a close before stands in


@dataclass(frozen=True)
class Besides:
    """Where the further inputs of features come from.

    Parameters
    ----------
    benchmark : str
        Symbol whose close is the benchmark.
    sentiment : Published, optional
        By default there is none, and features that need it are refused.
    max_age : str or pandas.Timedelta, optional
        How long a value of the sentiment counts, such as ``"24h"``; for ever by default.

    Raises
    ------
    MissingInput
        `max_age` is no length of time.
    """

    benchmark: str = DEFAULT_BENCHMARK
    sentiment: Published | None = field(default=None, repr=False)
    max_age: str | pd.Timedelta | None = None

    def __post_init__(self) -> None:
        if self.max_age is not None:
            check_age(self.max_age)

    def join(
        self,
        candles: pd.DataFrame,
        symbol: str,
        timeframe: str,
        inputs: Iterable[str],
        fetch: Fetch,
    ) -> pd.DataFrame:
        """Return the candles with the columns `inputs`, which are a program's.

        Raises
        ------
        MissingInput
            No sentiment was given, or none for this symbol, or the benchmark has no candles.
        """
        inputs = tuple(inputs)
        joined = candles
        if BENCHMARK in inputs:
            joined = self._with_benchmark(joined, symbol, timeframe, fetch)
        if SENTIMENT in inputs:
            joined = with_sentiment(joined, self.published(symbol), timeframe, self.max_age)
        return joined

    def published(self, symbol: str) -> pd.Series:
        """Return the sentiment of a symbol, by its moment of publication.

        Raises
        ------
        MissingInput
            There is none.
        """
        given = self.sentiment
        if given is None:
            raise MissingInput(
                "these features need a sentiment; pass sentiment=…, a Series indexed by the moment "
                "each value was published (or a DataFrame, a Parquet file, a function of the "
                "symbol)"
            )
        if isinstance(given, pd.Series):
            return given
        if callable(given):
            return _as_series(given(symbol), symbol)
        table = given if isinstance(given, pd.DataFrame) else _read(given)
        if table.shape[1] == 1 and table.columns[0] == SENTIMENT:
            return table[SENTIMENT]
        for column in table.columns:
            if _canonical(column) == symbol:
                return table[column]
        raise MissingInput(
            f"the sentiment has columns {', '.join(map(str, table.columns))}, and none for "
            f"{symbol}; name one {symbol}, or the only one {SENTIMENT}"
        )

    def _with_benchmark(
        self, candles: pd.DataFrame, symbol: str, timeframe: str, fetch: Fetch
    ) -> pd.DataFrame:
        benchmark = parse_symbol(self.benchmark)
        if benchmark == symbol or not len(candles):
            return with_benchmark(candles, candles)
        times, step = open_ms(candles), timeframe_ms(timeframe)
        try:
            others = fetch(benchmark, int(times[0]) - _EARLIER * step, int(times[-1]) + step)
        except MarketError as error:
            raise MissingInput(
                f"these features compare {symbol} with {benchmark}, whose candles could not be "
                f"had: {error}; choose another benchmark=…, or leave them out"
            ) from error
        return with_benchmark(candles, others)


def _as_series(answer: object, symbol: str) -> pd.Series:
    if isinstance(answer, pd.Series):
        return answer
    raise MissingInput(
        f"the function of sentiment gave {type(answer).__name__} for {symbol}; return a Series "
        "indexed by the moment each value was published"
    )


def _canonical(column: object) -> str:
    try:
        return parse_symbol(str(column))
    except BadSymbol:
        return ""


def _read(path: str | os.PathLike[str]) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise MissingInput(f"sentiment cannot be read from {os.fspath(path)}: {error}") from error
