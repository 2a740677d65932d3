"""One turn beside the bare library fits of the same models on the same matrix, in one run.

    python -m bench.cycle [--days 14] [--rounds 3] [--source simulated]
                          [--recipes default] [--json]

*The turn* is ``tidewheel cycle`` as a process of its own: Prefect server, candles, features,
baselines, fits, calibration, export, holdout, MLflow, bundles, ledger. *The bare fits* are the
learners of the same recipes alone, one after the other on one thread, on the panel that such a turn
learns from, already in memory. Both are run in turn, so that the ratio holds when the machine
drifts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

NOW = "2025-05-28T00:00:00Z"


def children_cpu() -> float:
    """Return the CPU seconds of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return wall and CPU seconds of `work`, children included, and its answer."""
    wall, cpu = time.perf_counter(), time.process_time() + children_cpu()
    answer = work()
    return time.perf_counter() - wall, time.process_time() + children_cpu() - cpu, answer


def turn(source: str, days: float, recipes: str) -> dict[str, Any]:
    """Run one turn in a fresh home and return its summary."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "serving.cli", "cycle", "--json", "--home", home]
        command += ["--source", source, "--days", str(days), "--now", NOW]
        command += ["--recipes", recipes]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"the turn failed with status {done.returncode}:\n{done.stderr[-2000:]}")
        summary: dict[str, Any] = json.loads(done.stdout)
        return summary


def panel_of(source: str, days: float) -> Any:
    """Return the panel that a turn of the same window builds."""
    from features.program import FeatureProgram
    from market.source import open_source
    from market.timeframes import DAY_MS, instant_ms, timeframe_ms, utc
    from ml_pipeline.panel import build_panel
    from ml_pipeline.recipes import panel_columns

    names = panel_columns("1m")
    program = FeatureProgram(names)
    end = instant_ms(NOW)
    start = end - int(days * DAY_MS)
    warm = max(program.lookback, program.settle) * timeframe_ms("1m")
    candles = {
        symbol: open_source(source).fetch(symbol, "1m", utc(start - warm), utc(end))
        for symbol in ("BTC-USDT", "ETH-USDT", "XRP-USDT")
    }
    whole = build_panel(candles, "1m", names, program.run)
    return whole.rows(whole.ts >= start)


def lessons_of(panel: Any, words: list[str]) -> list[tuple[str, Callable[[], Any], int]]:
    """Return each recipe's bare fit as a function of nothing, and its number of training rows."""
    from market.timeframes import instant_ms
    from ml_pipeline.competing import chosen
    from ml_pipeline.fit import slice_rows
    from ml_pipeline.learner import lesson_of
    from ml_pipeline.splits import turn_split
    from ml_pipeline.tasks import TASKS

    fits: list[tuple[str, Callable[[], Any], int]] = []
    for recipe in [recipe for kind in TASKS for recipe in chosen(kind, words)]:
        kind, task = recipe.kind, TASKS[recipe.kind]
        horizon = task.horizon_bars("1m")
        split = turn_split(int(panel.ts[0]), instant_ms(NOW), "1m", horizon, recipe.train_days)
        training = panel.rows(split.mask(panel, "train"))
        rows = slice_rows(task, training, task.head_of(training))
        naive = task.baseline(rows, rows)
        lesson = lesson_of(recipe, naive, rows)
        learn = recipe.load_estimator()
        name = f"{kind}/{recipe.name}"
        fits.append((name, lambda f=learn, x=lesson, r=recipe: f(x, r.hyperparams, 0), len(lesson)))
    return fits


def main() -> None:
    """Run both in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--source", default="simulated")
    parser.add_argument("--recipes", default="default", help="as the setting of that name")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    fits = lessons_of(panel_of(given.source, given.days), given.recipes.split(","))
    for _, learn, _ in fits:
        learn()  # imports and first-use compilation belong to neither side
    rounds = []
    for _ in range(given.rounds):
        wall, cpu, summary = timed(lambda: turn(given.source, given.days, given.recipes))
        bare = {kind: timed(learn)[:2] for kind, learn, _ in fits}
        rounds.append((wall, cpu, summary, bare))

    bare_wall = [sum(w for w, _ in bare.values()) for *_, bare in rounds]
    bare_cpu = [sum(c for _, c in bare.values()) for *_, bare in rounds]
    result = {
        "simulated": given.source.startswith("simulated"),
        "rounds": given.rounds,
        "rows": {kind: rows for kind, _, rows in fits},
        "turn_wall_s": statistics.median(r[0] for r in rounds),
        "turn_cpu_s": statistics.median(r[1] for r in rounds),
        "bare_wall_s": statistics.median(bare_wall),
        "bare_cpu_s": statistics.median(bare_cpu),
        "ratio_wall": statistics.median(r[0] / b for r, b in zip(rounds, bare_wall, strict=True)),
        "ratio_cpu": statistics.median(r[1] / b for r, b in zip(rounds, bare_cpu, strict=True)),
        "bare_by_kind_s": {
            kind: statistics.median(r[3][kind][0] for r in rounds) for kind, *_ in fits
        },
        "turn_stages_s": rounds[-1][2].get("seconds", {}),
    }
    if given.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{given.rounds} rounds, medians, {os.cpu_count()} cores, source {given.source}")
    print(f"{'':24}{'wall s':>10}{'CPU s':>10}")
    print(f"{'the whole turn':24}{result['turn_wall_s']:10.1f}{result['turn_cpu_s']:10.1f}")
    alone = f"the {len(fits)} bare fits"
    print(f"{alone:24}{result['bare_wall_s']:10.1f}{result['bare_cpu_s']:10.1f}")
    print(f"{'ratio, round by round':24}{result['ratio_wall']:10.2f}{result['ratio_cpu']:10.2f}")
    for kind, seconds in result["bare_by_kind_s"].items():
        print(f"  {kind:22}{seconds:10.2f}   {result['rows'][kind]:,} rows")


if __name__ == "__main__":
    main()
