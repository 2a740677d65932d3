"""A backtest of 1,000 bars: once, bar by bar, looked up, and as one should not do it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from bench.features.batch import Row
from bench.features.clock import timed
from bench.features.market import bare, pushable
from bench.features.plain import Plain
from bench.features.sets import SEEDS
from features.catalogue import FEATURES
from features.compute_once import FeatureCache
from features.program import FeatureProgram
from market.candles import open_ms

BARS = 1_000
_NAIVE = 300  # bars: the window that is computed again at each bar


def measure(candles: pd.DataFrame, quick: bool) -> list[Row]:
    """Return seconds for 1,000 bars; what takes minutes is measured at some bars and scaled."""
    some = 10 if quick else 40
    rounds = 3 if quick else 7
    rows = []
    for label, names in (("seed names", SEEDS), ("all", tuple(FEATURES))):
        works = _ours(candles, names)
        rows += [_row(label, w, len(names), _median(f, rounds), BARS) for w, f in works.items()]
    given = bare(candles).iloc[-BARS:]
    for what, first in (
        (f"pandas, last {_NAIVE} bars at each bar", lambda i: max(0, i - _NAIVE + 1)),
        ("pandas, all bars so far at each bar", lambda i: 0),
    ):
        places = np.linspace(_NAIVE, BARS - 1, some).astype(int)
        spent = [timed(lambda i=i: _naive(given.iloc[first(i) : i + 1])) for i in places]  # noqa: B023
        wall, cpu = (statistics.mean(part) * BARS for part in zip(*spent, strict=True))
        rows.append(_row("seed names", what, len(SEEDS), (wall, cpu), some))
    base = {row["set"]: row["cpu_seconds"] for row in rows if row["what"].startswith("push")}
    return [{**row, "times_ours": row["cpu_seconds"] / base[row["set"]]} for row in rows]


def _ours(candles: pd.DataFrame, names: tuple[str, ...]) -> dict[str, Callable[[], Any]]:
    program = FeatureProgram(names)
    history, part = candles.iloc[:-BARS], candles.iloc[-BARS:]
    program.replay(history.iloc[-program.settle - 1 :])
    bars = pushable(part, program.inputs)
    moments = (open_ms(part) + 60_000).tolist()
    columns = list(names)

    def pushed() -> None:
        live = program.fork()
        for bar in bars:
            live.push(bar)

    def looked_up() -> None:
        cache = FeatureCache(candles, "ETH-USDT", names=columns)
        for moment in moments:
            cache.at(moment).get_features("ETH-USDT", "1m", columns, 1)

    return {
        "push, bar by bar": pushed,
        "once, the whole": lambda: program.fork().extend(part),
        f"feature cache: {len(candles):,} bars once, 1,000 frames": looked_up,
    }


def _naive(window: pd.DataFrame) -> list[float]:
    return [column.iloc[-1] for column in Plain(window).columns(SEEDS).values()]


def _median(work: Callable[[], Any], rounds: int) -> tuple[float, float]:
    work()
    wall, cpu = zip(*(timed(work) for _ in range(rounds)), strict=True)
    return statistics.median(wall), statistics.median(cpu)


def _row(label: str, what: str, columns: int, seconds: tuple[float, float], measured: int) -> Row:
    return {
        "set": label,
        "what": what,
        "columns": columns,
        "seconds": seconds[0],
        "cpu_seconds": seconds[1],
        "measured_bars": measured,
    }
