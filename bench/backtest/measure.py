"""All figures of the run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bench.backtest.clock import best
from bench.backtest.flips import by_columns, by_events, quantities, sides, walk
from bench.backtest.models import five_models, seed_table
from bench.backtest.others import other
from bench.serve.team import Team
from strategies.result import BacktestResult

EVENT_BARS, COLUMN_BARS = 20_000, 1_000_000
OTHERS = ("backtesting.py", "vectorbt")


def measure(team: Team, bars: int, python: str) -> dict[str, Any]:
    """Return the figures by part."""
    five = {how: five_models(team, bars, how) for how in ("push", "once")}  # type: ignore[arg-type]
    return {
        "five": five,
        "seed": seed_table(team),
        "events": _race(EVENT_BARS, events=True, python=python),
        "columns": _race(COLUMN_BARS, events=False, python=python),
        "summary": _summary(),
    }


def _race(bars: int, *, events: bool, python: str) -> dict[str, Any]:
    """Return rates and last equities of everybody on the same orders."""
    candles = walk(bars)
    side = sides(candles)
    quantity = quantities(side)
    found: dict[str, Any] = {"bars": bars, "orders": int(np.count_nonzero(quantity))}
    if events:
        found["ours, events"] = _ours(by_events, candles, side)
    by_columns(candles.iloc[:500], side[:500])  # compiles
    found["ours, columns"] = _ours(by_columns, candles, side)
    for who in OTHERS if events else OTHERS[1:]:
        found[who] = other(who, candles, quantity, python)
    return found


def _ours(call: Any, candles: pd.DataFrame, side: Any) -> dict[str, Any]:
    seconds, run = best(lambda: call(candles, side))
    equity = float(run.equity.iloc[-1])
    return {"seconds": seconds, "rate": len(candles) / seconds, "equity": equity}


def _summary() -> dict[str, float]:
    """Return the seconds of what comes after the account: figures, page and picture."""
    candles = walk(EVENT_BARS)
    run = by_events(candles, sides(candles))
    BacktestResult.of(run)
    figures, result = best(lambda: BacktestResult.of(run), 2)
    return {
        "figures": figures,
        "page": best(result.to_html, 2)[0],
        "picture": best(result.picture, 2)[0],
    }
