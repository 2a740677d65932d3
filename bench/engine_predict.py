"""What one call of the prediction engine costs, beside the 100 ms that its document allows.

::

    python -m bench.engine_predict [--calls 2000] [--write]

One price model (the ridge recipe, fitted here) reads frames of 90 hourly days. Each figure is the
median and the 99th percentile over calls. ``--write`` puts the table into docs/prediction.md.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from features.program import FeatureProgram
from market.source import open_source
from ml_pipeline import bundling
from ml_pipeline.fit import fit
from ml_pipeline.history import History
from ml_pipeline.lineage import lineage
from ml_pipeline.recipes import RECIPES
from ml_pipeline.splits import turn_split
from ml_pipeline.tasks import TASKS
from models.common.predictor import load_model
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.engine import PredictionConfig, PredictionEngine
from orchestration.engine.streams import Streams
from orchestration.store import Store

PAGE = Path(__file__).parents[1] / "docs" / "prediction.md"
SEED_MS = 100.0
DAY_MS = 86_400_000
VERSION = "bench_1h"


def main() -> None:
    """Measure, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), asked.calls)
    print(table)
    if asked.write:
        text = PAGE.read_text()
        head, _, rest = text.partition("<!-- engine -->")
        PAGE.write_text(
            f"{head}<!-- engine -->\n{table}\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
        )


def measure(home: Path, calls: int) -> str:
    """Return the table as Markdown."""
    columns = serve(home)
    source = open_source("simulated:seed=5")
    candles = source.fetch("BTC-USDT", "1h", "2024-06-01T00:00Z", "2025-05-30T00:00Z")
    candles.attrs = {"symbol": "BTC-USDT", "timeframe": "1h", "simulated": True}
    window = 90 * 24
    frames = [candles.iloc[k : k + window] for k in range(len(candles) - window)][: calls + 1]
    plain = PredictionConfig(home=home)
    rows = [
        (
            "the same bar again, from memory",
            of(PredictionEngine(plain), itertools.repeat(frames[-1], calls)),
        )
    ]
    uncached = PredictionEngine(PredictionConfig(home=home, cache=False))
    rows += [("the same bar again, cache off", of(uncached, itertools.repeat(frames[-1], calls)))]
    rows += [("the next bar: one push, one graph", of(PredictionEngine(plain), frames))]
    database = PredictionConfig(home=home, database_url=f"sqlite:///{home}/bench.db")
    store = Store(str(database.database_url))
    store.register_model("BTC-USDT/price/1h", VERSION, status="champion", serves_from_ms=0)
    store.close()
    # The clock goes with the candles, so that rows are live ones.
    now = [0.0]
    with PredictionEngine(database, clock=lambda: now[0]) as recording:
        rows += [
            ("the next bar, with ledger and cache in SQLite", of(recording, ticking(frames, now)))
        ]
    cold = PredictionEngine(plain)
    rows += [("a cold start: 2,160 bars replayed", of(cold, frames[:200], lambda: forget(cold)))]
    rows += [("features by hand (program.run) and load_model", by_hand(home, frames[:200]))]
    lines = [
        f"One price model (ridge, {columns} columns), frames of 2,160 hourly candles of the "
        f"simulated market; {calls:,} calls, one thread, load "
        f"{os.getloadavg()[0]:.0f} on {os.cpu_count()} cores ({platform.machine()}). The seed "
        f"allows {SEED_MS:.0f} ms.",
        "",
        "| call | p50, µs | p99, µs | seed / p50 |",
        "|---|---|---|---|",
    ]
    for name, took in rows:
        p50, p99 = np.percentile(took, [50, 99]) * 1e6
        lines.append(f"| {name} | {p50:,.0f} | {p99:,.0f} | {SEED_MS * 1000 / p50:,.0f} × |")
    lines += [
        "",
        f"A fresh process without a database, to its first answer: {fresh(home):.2f} s.",
    ]
    return "\n".join(lines)


def serve(home: Path) -> int:
    """Fit the ridge recipe of prices on 90 hourly days and make it champion; return its columns."""
    recipe = next(recipe for recipe in RECIPES["price"] if recipe.name == "ridge")
    history = History.open("simulated:seed=5", home=home)
    end = history.now_ms("1h") // DAY_MS * DAY_MS
    start = end - 90 * DAY_MS
    names = recipe.columns("1h")
    panel = history.panel("BTC-USDT", "1h", names, start, end)
    split = turn_split(start, end, "1h", TASKS["price"].horizon_bars("1h"), 30, (15, 20, 15))
    slot = Slot("BTC-USDT", "price", "1h")
    origin = bundling.Origin(
        slot=slot, symbols=("BTC-USDT",), source=history.source.name, simulated=True, split=split,
        created_ms=end, lineage=lineage(panel, split, "price", names),
    )  # fmt: skip
    model = fit(recipe, panel, split, seed=0)
    registry = PredictionModelRegistry(home / "models")
    about = bundling.metadata(model, origin, VERSION)
    bundling.write(registry.folder(slot, VERSION), model, about, panel, {})
    registry.promote(slot, VERSION)
    return len(names)


def of(
    engine: PredictionEngine,
    frames: Iterable[pd.DataFrame],
    before: Callable[[], None] | None = None,
) -> list[float]:
    """Return the seconds of each call but the first, which opens the model."""
    took = []
    for frame in frames:
        if before is not None:
            before()
        began = time.perf_counter()
        engine.predict(frame)
        took.append(time.perf_counter() - began)
    return took[1:]


def ticking(frames: list[pd.DataFrame], now: list[float]) -> Iterable[pd.DataFrame]:
    """Yield frames, each when its last candle has just closed."""
    for frame in frames:
        now[0] = frame.index[-1].timestamp() + 3601
        yield frame


def forget(engine: PredictionEngine) -> None:
    """Make an engine forget the bars that it has seen."""
    engine._streams = Streams()


def by_hand(home: Path, frames: list[pd.DataFrame]) -> list[float]:
    """Return the seconds of computing a frame's features and asking the model, as a script does."""
    model = load_model("price", home=home)
    program = FeatureProgram(model.features, "1h")
    took = []
    for frame in frames:
        began = time.perf_counter()
        row = program.run(frame)[-1]
        model.predict(row[None], close=float(frame["close"].iloc[-1]))
        took.append(time.perf_counter() - began)
    return took[1:]


def fresh(home: Path) -> float:
    """Return the seconds of a process that predicts once, the best of three."""
    script = (
        "import sys; from market.source import open_source\n"
        "from orchestration.engine import PredictionConfig, PredictionEngine\n"
        "df = open_source('simulated:seed=5').fetch('BTC-USDT', '1h', '2025-03-01T00:00Z', "
        "'2025-05-30T00:00Z')\n"
        "print(PredictionEngine(PredictionConfig(home=sys.argv[1])).predict(df, 'BTC-USDT').price)"
    )
    best = np.inf
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", script, str(home)], check=True, capture_output=True)
        best = min(best, time.perf_counter() - began)
    return float(best)


if __name__ == "__main__":
    main()
