"""Candles made by hand, and strategies that follow a script, for the tests of engine and desk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from market.candles import candle_frame
from strategies.base_strategy import BaseStrategy, Side, Signal
from strategies.costs import Costs
from strategies.run import Run

START_MS = 1_700_006_400_000  # 2023-11-15T00:00Z
MINUTE_MS = 60_000
BTC, ETH, XRP = "BTC-USDT", "ETH-USDT", "XRP-USDT"
FREE = Costs.none()


def candles(rows: Sequence[Sequence[float]], first: int = 0) -> pd.DataFrame:
    """Return 1m candles of rows (open, high, low, close), or of (open, close)."""
    full = [(r[0], max(r), min(r), r[-1], 1.0) if len(r) == 2 else (*r, 1.0) for r in rows]
    times = START_MS + MINUTE_MS * (first + np.arange(len(full)))
    return candle_frame(times, np.array(full, dtype=np.float64))


def level(n: int, price: float = 100.0) -> pd.DataFrame:
    """Return candles in which nothing moves."""
    return candles([(price, price)] * n)


class Scripted(BaseStrategy):
    """Wishes by the number of the bar of each symbol, from 0; remembers what it was shown."""

    name = "scripted"

    def __init__(
        self,
        wishes: Mapping[int, Side] | Mapping[str, Mapping[int, Side]],
        look: Callable[..., None] | None = None,
        confidence: float = 0.75,
    ) -> None:
        self.wishes, self.look, self.confidence = wishes, look, confidence
        self.seen: dict[str, int] = {}

    def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
        i = self.seen[symbol] = self.seen.get(symbol, -1) + 1
        if self.look is not None:
            self.look(symbol=symbol, price=price, volume=volume, ts_ms=ts_ms, df=df, fm=fm, i=i)
        wishes = self.wishes.get(symbol, {}) if isinstance(self._any(), Mapping) else self.wishes
        side = wishes.get(i)
        return Signal(symbol, side, self.name, self.confidence) if side else None

    def _any(self) -> object:
        return next(iter(self.wishes.values()), None)


class Noise(BaseStrategy):
    """Wishes drawn by the bar's time and the symbol, so that no order of questions matters."""

    name = "noise"

    def __init__(self, often: float = 0.1, seed: int = 0) -> None:
        self.often, self.seed = often, seed

    def detect(self, symbol, price, volume, ts_ms, df, fm) -> Signal | None:
        drawn = np.random.default_rng((self.seed, ts_ms // 1000, len(symbol), ord(symbol[0])))
        u = drawn.random()
        if u >= self.often:
            return None
        return Signal(symbol, "LONG" if u < self.often / 2 else "SHORT", self.name, 0.5)


def conserved(run: Run) -> pd.Series:
    """Return cash and positions at each close, made of the fills and the closes alone."""
    signed = run.fills["quantity"].where(run.fills["side"] == "BUY", -run.fills["quantity"])
    paid = -(signed * run.fills["price"]) - run.fills["fee"]
    step = run.equity.index[1] - run.equity.index[0]
    at = np.searchsorted(
        run.equity.index.asi8, (run.fills["time"] + step).to_numpy("M8[ms]").astype("int64")
    )
    worth = np.full(len(run.equity), run.initial_cash)
    for i, money in zip(at, paid, strict=True):
        worth[i:] += money
    for symbol in run.symbols:
        held = np.zeros(len(run.equity))
        mine = (run.fills["symbol"] == symbol).to_numpy()
        for i, quantity in zip(at[mine], signed[mine], strict=True):
            held[i:] += quantity
        worth += np.where(held == 0, 0.0, held * run.close[symbol].fillna(0.0).to_numpy())
    return pd.Series(worth, run.equity.index)
