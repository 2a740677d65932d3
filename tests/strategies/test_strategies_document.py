"""What docs/strategies.md shows runs, and its figures are what is measured."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from market.candles import repair
from market.timeframes import instant_ms
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from strategies.backtest_engine import BacktestEngine
from strategies.costs import Costs
from strategies.follow import follow
from tests.models import tiny
from tests.strategies.test_asked_model import schema

TEXT = (Path(__file__).parents[2] / "docs" / "strategies.md").read_text()
REAL = Path(os.environ.get("TIDEWHEEL_REAL_CANDLES") or Path(__file__).parents[3] / "shared/data")
NOW = "2025-05-21T00:01:00Z"
MINUTE_MS = 60_000


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.ms = instant_ms(NOW)

    def now(self) -> int:
        return self.ms

    def sleep(self, seconds: float) -> None:
        self.ms += int(seconds * 1000) + 1


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run every snippet, one after the other; live, for two hours of a virtual clock."""
    home, clock = tmp_path_factory.mktemp("home"), Clock()
    snippets = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(snippets) == 4
    how = {"now_ms": clock.now, "sleep": clock.sleep, "until": clock.ms + 120 * MINUTE_MS}
    space: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIDEWHEEL_HOME", str(home))
        patch.chdir(home)
        for name, value in how.items():
            patch.setitem(follow.__kwdefaults__, name, value)
        for number, snippet in enumerate(snippets):
            exec(compile(snippet, f"snippet {number}", "exec"), space)
    return space


def test_the_snippets_run(words) -> None:
    run = words["result"].run
    told = str(words["result"])
    lines = re.search(r"```\n(fade · .*?)\n…\n```", TEXT, re.DOTALL)
    assert lines is not None
    assert "SIMULATED market" in told
    figures = re.findall(r"[−+]?\d+\.\d+(?: bp| %)", lines[1])
    assert len(figures) == 4
    assert all(figure in told for figure in figures)
    assert run.simulated
    assert run.source == words["source"].name
    assert run.unsettled == 2 * 574
    assert len(run.trades) > 50
    assert words["trader"].desk.asked == 2 * 24
    assert words["trader"].desk.unsettled == 0


def test_the_strategy_with_a_model_runs(words, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TIDEWHEEL_HOME", str(tmp_path))
    registry = PredictionModelRegistry(tmp_path / "models")
    tiny.bundle(registry.root, "direction", timeframe="5m", bias=1.0, schema=schema(tiny.NAMES))
    registry.promote(Slot("majors", "direction", "5m"), "v1")
    agreed = words["Agreed"]()
    assert agreed.features == {"5m": list(tiny.NAMES)}
    run = BacktestEngine(agreed).account(words["candles"])
    assert set(run.trades["side"]) == {"LONG"}, "this model says UP whatever it is shown"
    assert 0 < len(run.trades) < len(words["result"].trades)


@pytest.mark.slow
def test_the_figures_on_real_candles(words) -> None:
    if not (REAL / "BTC-USDT_5m.parquet").exists():
        pytest.skip(f"no real candles in {REAL}; set TIDEWHEEL_REAL_CANDLES")
    candles = {}
    for symbol in ("BTC-USDT", "ETH-USDT", "XRP-USDT"):
        table = pd.read_parquet(REAL / f"{symbol}_5m.parquet")
        candles[symbol], _ = repair(table, "5m", "2025-01-01T00:00Z")
    run = BacktestEngine(words["Fade"]()).account(candles)
    trades = run.trades
    cost = (trades["fees"] + trades["slippage"]) / (trades["quantity"] * trades["entry_price"])
    gross = 1e4 * (trades["return"] + cost)
    free = BacktestEngine(words["Fade"](), costs=Costs.none()).account(candles)
    figures = {
        "bars": run.bars,
        "trades": len(trades),
        "gross": round(gross.mean(), 1),
        "error": round(gross.std() / np.sqrt(len(gross)), 1),
        "net": round(run.equity.iloc[-1]),
        "free": round(free.equity.iloc[-1]),
    }
    told = {
        "bars": r"\(([\d,]+) bars",
        "trades": r"\| trades \| ([\d,]+)",
        "gross": r"gross edge a trade \| (−[\d.]+) bp",
        "error": r"standard error ([\d.]+)",
        "net": r"10,000 become \| ([\d,]+)",
        "free": r"without any costs \| ([\d,]+)",
    }
    for name, pattern in told.items():
        found = re.search(pattern, TEXT)
        assert found is not None, name
        assert float(found[1].replace(",", "").replace("−", "-")) == figures[name], name
