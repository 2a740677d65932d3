"""The bench of the backtest: everybody trades the same orders, and the page can be written."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from bench.backtest.flips import by_columns, by_events, quantities, sides, walk
from bench.backtest.others import other
from bench.backtest.report import report


def test_events_and_columns_trade_the_same_orders() -> None:
    candles = walk(3_000)
    side = sides(candles)
    ours, columns = by_events(candles, side), by_columns(candles, side)
    assert len(ours.fills) > 10
    assert columns.equity.iloc[-1] == pytest.approx(ours.equity.iloc[-1], rel=1e-12)
    assert quantities(side).sum() == side[-1]
    assert set(np.abs(quantities(side)[quantities(side) != 0])) <= {1.0, 2.0}


def test_a_library_that_is_not_there_is_a_sentence() -> None:
    candles = walk(200)
    nobody = other("vectorbt", candles, quantities(sides(candles)), "/no/such/python")
    assert nobody == "there is no /no/such/python; `make oracles` makes it"
    here = other("vectorbt", candles, quantities(sides(candles)), sys.executable)
    assert isinstance(here, dict) or "vectorbt" in here


def test_the_page_says_which_aim_was_missed() -> None:
    race = {"bars": 10, "orders": 2, "ours, columns": _one(2e6), "vectorbt": "not there"}
    five = {"rate": 2_999.0, "bars": 10.0, "trades": 1.0}
    seed = {"anew": 9.0, "cached": 3.0, "pushed": 2.0, "engineer": 1.0}
    found: dict[str, Any] = {
        "five": {"push": five, "once": five},
        "seed": [{"bars": bars, **seed} for bars in (300, 1_000)],
        "events": race,
        "columns": race,
        "summary": {"figures": 1.0, "page": 0.1, "picture": 0.5},
    }
    page = report(found, simulated=True)
    assert "Aim: 3,000: **MISSED**" in page
    assert "Aim: 1,000,000: **reached**" in page
    assert "| 300 | 45 s | 3 s |" in page
    assert "Simulated candles" in page


def _one(rate: float) -> dict[str, Any]:
    return {"seconds": 1.0, "rate": rate, "equity": 1.0}
