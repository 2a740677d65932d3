"""On real candles nothing is notably worse than its baseline, and fits stay quick."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ml_pipeline.export import TOLERANCE, score
from ml_pipeline.fit import fit, fit_baseline
from ml_pipeline.history import History
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES, panel_columns
from ml_pipeline.scoring import metrics
from ml_pipeline.splits import turn_split
from ml_pipeline.tasks import TASKS

DAY_MS = 86_400_000
END_MS = 1_748_390_400_000  # 2025-05-28T00:00Z
CANDLES = Path(
    os.environ.get("TIDEWHEEL_REAL_CANDLES", Path(__file__).parents[3] / "shared" / "data")
)
# CPU seconds of a fit on 30,000 rows, about three times what a quiet core needs.
LIMIT_S = {"direction": 5.0, "risk": 5.0, "price": 8.0, "momentum": 6.0, "volatility": 4.0}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CANDLES / "BTC-USDT_1m.parquet").exists(),
        reason=f"no real candles in {CANDLES}; set TIDEWHEEL_REAL_CANDLES",
    ),
]


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    history = History.open(f"files:{CANDLES}", home=tmp_path_factory.mktemp("home"), end=END_MS)
    symbols = ["BTC-USDT", "ETH-USDT", "XRP-USDT"]
    return history.panel(symbols, "1m", panel_columns("1m"), END_MS - 14 * DAY_MS, END_MS)


@pytest.mark.parametrize("kind", TASKS)
def test_no_kind_is_notably_worse_than_its_baseline(kind: str, panel: Panel) -> None:
    task = TASKS[kind]
    split = turn_split(END_MS - 14 * DAY_MS, END_MS, "1m", task.horizon_bars("1m"), 7)
    began = time.process_time()
    model = fit(RECIPES[kind][0], panel, split, seed=0)
    assert time.process_time() - began < LIMIT_S[kind]
    assert model.parity <= TOLERANCE[kind]
    baseline = fit_baseline(kind, panel, split)
    holdout = panel.rows(split.mask(panel, "holdout"))
    loss, naive = (
        metrics(task, one.head, score(one.onnx, holdout), holdout)["loss"]
        for one in (model, baseline)
    )
    assert 1 - loss / naive > -0.005


def test_the_price_interval_covers_nine_in_ten(panel: Panel) -> None:
    split = turn_split(END_MS - 14 * DAY_MS, END_MS, "1m", 60, 7)
    model = fit(RECIPES["price"][0], panel, split, seed=0)
    holdout = panel.rows(split.mask(panel, "holdout"))
    figures = metrics(TASKS["price"], model.head, score(model.onnx, holdout), holdout)
    assert 0.85 < figures["coverage"] < 0.95
    assert figures["r2"] > -0.005
