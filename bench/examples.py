"""What the example strategies would have earned on real candles, net of costs.

``python -m bench.examples FOLDER`` fits one recipe of each kind that they ask on the sixty days
before 2024-04-01 (5m, three pooled symbols), as a turn does, and plays the two months after it.
``--write`` puts the tables into docs/strategies.md.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from market.timeframes import DAY_MS, instant_ms
from ml_pipeline.bundling import schema_of
from ml_pipeline.fit import fit
from ml_pipeline.history import History
from ml_pipeline.recipes import RECIPES
from ml_pipeline.splits import turn_split
from ml_pipeline.tasks import TASKS
from models.common.base_model import BaseModel
from models.common.bundle_writing import write_bundle
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from strategies.backtest_engine import BacktestEngine
from strategies.base_strategy import BaseStrategy
from strategies.ml_basic import MLBasicStrategy
from strategies.ml_enhanced import MLEnhancedStrategy
from strategies.ml_predictive import MLPredictiveStrategy
from strategies.result import BacktestResult
from strategies.run import bars_per_year
from strategies.volatility_target import VolatilityTargetStrategy

SYMBOLS = ["BTC-USDT", "ETH-USDT", "XRP-USDT"]
TIMEFRAME, DAYS, VERSION = "5m", 60, "fitted"
FITTED, END = "2024-04-01T00:00:00Z", "2024-06-01T00:00:00Z"
KINDS = ("direction", "risk", "price", "volatility")
DOCUMENT = Path(__file__).parents[1] / "docs" / "strategies.md"
Candles = dict[str, pd.DataFrame]
Models = dict[str, BaseModel]


def main() -> None:
    """Measure, print, and write where asked."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("candles", help="folder of candle files, 5m, three symbols")
    arguments.add_argument("--write", action="store_true", help="into docs/strategies.md")
    given = arguments.parse_args()
    source = f"files:{Path(given.candles).resolve()}"
    with tempfile.TemporaryDirectory() as made:
        history = History.open(source, home=made, end=pd.Timestamp(END))
        models = fitted(history, Path(made))
        first = instant_ms(FITTED) - 10 * DAY_MS  # for features to settle
        candles = {s: history.candles(s, TIMEFRAME, first, instant_ms(END)) for s in SYMBOLS}
        table = "\n\n".join([rules(models, candles), targets(models, candles)])
    print(table)
    if given.write:
        text = DOCUMENT.read_text()
        marks = r"(<!-- examples -->\n).*?(\n<!-- /examples -->)"
        DOCUMENT.write_text(re.sub(marks, rf"\g<1>{table}\g<2>", text, flags=re.DOTALL))


def fitted(history: History, home: Path) -> Models:
    """Return the first recipe of each kind, fitted on the days before `FITTED`."""
    end_ms = instant_ms(FITTED)
    start_ms = end_ms - DAYS * DAY_MS
    recipes = {kind: RECIPES[kind][0] for kind in KINDS}
    columns = tuple(dict.fromkeys(n for r in recipes.values() for n in r.columns(TIMEFRAME)))
    panel = history.panel(SYMBOLS, TIMEFRAME, columns, start_ms, end_ms)
    registry, found = PredictionModelRegistry(home / "models"), {}
    for kind, recipe in recipes.items():
        horizon = TASKS[kind].horizon_bars(TIMEFRAME)
        split = turn_split(start_ms, end_ms, TIMEFRAME, horizon, DAYS)
        made = fit(recipe, panel, split, seed=0)
        slot = Slot("majors", kind, TIMEFRAME)
        about = {
            "name": VERSION, "type": recipe.type, "description": "for measuring",
            "created_ts": FITTED, "kind": kind, "scope": slot.scope, "timeframe": TIMEFRAME,
            "version_name": VERSION, "recipe": recipe.name, "baseline": False, "simulated": False,
            "trained_through": FITTED, "head": made.head,
        }  # fmt: skip
        write_bundle(
            registry.folder(slot, VERSION), onnx=made.onnx, metadata=about,
            schema=schema_of(made.columns), metrics={}, readme=f"# {kind}, for measuring\n",
            probe=panel.columns(made.columns)[:8],
        )  # fmt: skip
        found[kind] = load_model(f"{slot.scope}/{kind}/{VERSION}", home=home)
    return found


def rules(models: Models, candles: Candles) -> str:
    """Return the table of what trades by a forecast."""
    price = models["price"]
    ideas: dict[str, BaseStrategy] = {
        "`ml_enhanced`": MLEnhancedStrategy(models["direction"], models["risk"]),
        "`ml_predictive`": MLPredictiveStrategy(price),
        "`ml_predictive`, thresholds 0.0005 and 0.5": MLPredictiveStrategy(price, 0.0005, 0.5),
        "`ml_basic`": MLBasicStrategy(price, TIMEFRAME),
    }
    rows = ["| strategy | round trips | gross edge [95 %] | costs | after costs | buy and hold |"]
    rows += ["|---|---:|---:|---:|---:|---:|"]
    for name, strategy in ideas.items():
        told = BacktestEngine(strategy).run(candles, start=FITTED)
        rows.append(f"| {name} | {_edge(told)} |")
    return "\n".join(rows)


def _edge(told: BacktestResult) -> str:
    trading, held = told["trading"], told["baselines"]["buy_and_hold"]["total_return"]
    low, high = trading["gross_edge_interval_bps"]
    trips = trading["total_trades"]
    edge = f"{trading['gross_edge_bps']:+.1f} bp [{low:+.1f}, {high:+.1f}]" if trips else "–"
    cost = f"{trading['cost_bps']:.1f} bp" if trips else "–"
    earned = told["performance"]["total_return"]
    return f"{trips:,} | {edge} | {cost} | {earned:+.2%} | {held:+.2%}"


def targets(models: Models, candles: Candles) -> str:
    """Return the table of the volatility target, symbol by symbol."""
    columns = ["volatility", "of holding", "fills", "costs", "after costs", "buy and hold"]
    rows = [f"| `volatility_target`, 20 % a year | {' | '.join(columns)} |"]
    rows += ["|---|---:|---:|---:|---:|---:|---:|"]
    for name, symbols in {**{s: [s] for s in candles}, "all three": list(candles)}.items():
        strategy = VolatilityTargetStrategy(models["volatility"])
        run = BacktestEngine(strategy).account({s: candles[s] for s in symbols}, start=FITTED)
        worth = (run.close / run.close.iloc[0]).mean(axis=1)
        cost = (run.fills["fee"] + run.fills["slippage"]).sum() / run.initial_cash
        rows.append(
            f"| {name} | {_annual(run.returns):.1%} | {_annual(worth.pct_change().iloc[1:]):.1%} "
            f"| {len(run.fills):,} | {cost:.2%} | "
            f"{run.equity.iloc[-1] / run.initial_cash - 1:+.2%} | {worth.iloc[-1] - 1:+.2%} |"
        )
    return "\n".join(rows)


def _annual(returns: pd.Series) -> float:
    return float(returns.std(ddof=1) * np.sqrt(bars_per_year(TIMEFRAME)))


if __name__ == "__main__":
    main()
