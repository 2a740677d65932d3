"""Novelty: how often ordinary later rows are flagged, and how often strange ones are.

``python -m bench.novelty`` measures on the simulated market, ``--candles FOLDER`` on real candles:
four overlapping turns of fourteen days, three pooled symbols, 1m. The strange rows are the last
day of the first symbol, of which something else has been made.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from features.program import FeatureProgram
from ml_pipeline.history import History
from ml_pipeline.novelty import Novelty, fit_novelty
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES
from ml_pipeline.splits import turn_split

DAY_MS = 86_400_000
SYMBOLS = ["BTC-USDT", "ETH-USDT", "XRP-USDT"]
OHLC = ["open", "high", "low", "close"]
STRANGE = 600


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candles", help="folder of candle files; default: simulated")
    arguments.add_argument("--end", default="2025-05-28T00:00:00Z")
    given = arguments.parse_args()
    source = f"files:{Path(given.candles).resolve()}" if given.candles else "simulated"
    columns = {kind: recipes[0].columns("1m") for kind, recipes in RECIPES.items()}
    every = tuple(dict.fromkeys(name for names in columns.values() for name in names))
    with tempfile.TemporaryDirectory() as made:
        history = History.open(source, home=made, end=pd.Timestamp(given.end))
        end = history.now_ms("1m")
        panel = history.panel(SYMBOLS, "1m", every, end - 20 * DAY_MS, end)
        warm = FeatureProgram(every).settle * 60_000
        candles = history.candles(SYMBOLS[0], "1m", end - warm - DAY_MS, end)
    strange = {name: _rows(candles, every, change) for name, change in CHANGES.items()}
    print(f"{'simulated' if not given.candles else 'real'} candles, % of rows flagged")
    head = ["model", "columns", "holdouts of four turns", "mean", *CHANGES]
    print("| " + " | ".join(head) + " |\n|---|" + "--:|" * (len(head) - 1))
    for kind, names in columns.items():
        rates, known = _turns(panel, names, end)
        places = [every.index(name) for name in names]
        found = [f"{_share(known, rows[:, places]):.0f}" for rows in strange.values()]
        each = ", ".join(f"{rate:.2f}" for rate in rates)
        print(f"| {kind} | {len(names)} | {each} | {np.mean(rates):.2f} | {' | '.join(found)} |")


def _turns(panel: Panel, names: tuple[str, ...], end: int) -> tuple[list[float], Novelty]:
    X, rates = panel.columns(names), []
    for days_ago in (6, 4, 2, 0):
        last = end - days_ago * DAY_MS
        split = turn_split(last - 14 * DAY_MS, last, "1m", 60, 7)
        train, holdout = split.mask(panel, "train"), split.mask(panel, "holdout")
        later = split.mask(panel, "calibration") | split.mask(panel, "selection")
        known = fit_novelty(X[train], X[later])
        rates.append(_share(known, X[holdout]))
    return rates, known


def _share(known: Novelty, X: np.ndarray) -> float:
    return 100 * float((known(X) > 1).mean())


def _rows(
    candles: pd.DataFrame, names: tuple[str, ...], change: Callable[[pd.DataFrame], None]
) -> np.ndarray:
    history = candles.copy()
    tail = history.iloc[-STRANGE:].copy()
    change(tail)
    history.iloc[-STRANGE:] = tail
    return FeatureProgram(names).run(history)[-STRANGE:]


def _frozen(bars: pd.DataFrame) -> None:
    bars[OHLC] = bars["close"].iloc[0]
    bars["volume"] = 0.0


def _wilder(times: float) -> Callable[[pd.DataFrame], None]:
    def change(bars: pd.DataFrame) -> None:
        start = float(bars["open"].iloc[0])
        closes = np.log(bars["close"].to_numpy() / start)
        before = np.concatenate([[0.0], closes[:-1]])
        for name in OHLC:
            inside = np.log(bars[name].to_numpy() / start) - before
            bars[name] = start * np.exp(times * (before + inside))

    return change


def _louder(bars: pd.DataFrame) -> None:
    bars["volume"] *= 100.0


def _unit(bars: pd.DataFrame) -> None:
    bars[OHLC] *= 100.0


CHANGES: dict[str, Callable[[pd.DataFrame], None]] = {
    "as it was": lambda bars: None,
    "frozen": _frozen,
    "moves × 10": _wilder(10.0),
    "moves × 3": _wilder(3.0),
    "volume × 100": _louder,
    "price × 100": _unit,
}


if __name__ == "__main__":
    main()
