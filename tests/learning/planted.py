"""Panels made by a formula: what a learner can find in them is planted, or nothing is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.panel import Panel
from ml_pipeline.recipes import panel_columns
from ml_pipeline.splits import TurnSplit, turn_split
from ml_pipeline.tasks import TASKS

TIMEFRAME = "5m"
STEP_MS = 300_000
START_MS = 1_747_008_000_000  # 2025-05-12T00:00Z
SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
# The column that is planted; every recipe sees it.
PLANTED = "close_to_vwap"


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def planted_panel(signal: float, seed: int = 0, days: float = 14) -> Panel:
    """Return a panel of three symbols whose labels depend on `PLANTED` with strength `signal`.

    Everything else a label depends on is what its baseline knows: the level of volatility for
    risk and volatility, the standardised momentum for momentum. With signal 0 the features are
    noise, and the baselines cannot be beaten.
    """
    rng = np.random.default_rng(seed)
    names = panel_columns(TIMEFRAME)
    bars = int(days * 288)
    n = bars * len(SYMBOLS)
    ts = START_MS + STEP_MS * np.repeat(np.arange(bars, dtype=np.int64), len(SYMBOLS))
    x = rng.standard_normal((n, len(names)))
    hidden = np.tanh(x[:, names.index(PLANTED)]) * signal

    level = -9.0 + np.repeat(_autoregressive(rng, bars, 0.98), len(SYMBOLS))
    noise = {"log_rv_3": 0.8, "log_rv_12": 0.4, "log_rv_48": 0.2, "log_rv_288": 0.1}
    for name, size in noise.items():
        x[:, names.index(name)] = level + size * rng.standard_normal(n)
    z = 1.5 * rng.standard_normal(n)
    x[:, names.index("momentum_z_12")] = z
    x[:, names.index("quarter_hour")] = (ts % 86_400_000) // 900_000

    sigma = np.exp(level / 2)
    uniform = rng.random(n)
    labels = {
        "direction": (uniform < sigmoid(hidden)).astype(np.float64),
        "risk_excursion": sigma * np.exp(0.5 * rng.standard_normal(n) + 0.5 * hidden),
        "price": sigma * (rng.standard_normal(n) + 0.8 * hidden),
        "momentum": (uniform < sigmoid(-1 + 0.3 * z - 0.5 * np.abs(z) + hidden)).astype(np.float64),
        "rv_1h": np.exp(level + 0.5 * rng.standard_normal(n) + 0.5 * hidden),
        "rv_4h": 4 * np.exp(level + 0.4 * rng.standard_normal(n) + 0.5 * hidden),
    }
    return Panel(
        timeframe=TIMEFRAME,
        symbols=SYMBOLS,
        names=names,
        ts=ts,
        symbol=np.tile(np.arange(len(SYMBOLS), dtype=np.int16), bars),
        X=x.astype(np.float32),
        close=np.full(n, 100.0),
        labels=labels,
    )


def split_of(panel: Panel, kind: str) -> TurnSplit:
    """Return the slices of a turn over the whole panel."""
    horizon = TASKS[kind].horizon_bars(panel.timeframe)
    return turn_split(int(panel.ts[0]), int(panel.ts[-1]) + STEP_MS, panel.timeframe, horizon, 7)


def _autoregressive(rng: np.random.Generator, n: int, memory: float) -> NDArray[np.float64]:
    walk = np.zeros(n)
    shocks = rng.standard_normal(n) * np.sqrt(1 - memory**2)
    for i in range(1, n):
        walk[i] = memory * walk[i - 1] + shocks[i]
    return walk
