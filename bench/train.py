"""Seconds to train each recipe, beside the bare library call on the same rows, in one run.

    python -m bench.train [--rounds 2] [--windows 7,30] [--data FOLDER] [--write]

*Whole* is everything between rows and a model that may leave the house: baseline, learner, blend,
calibration of the answers, novelty, ONNX graph and the check that it equals the fit. *Learner* is
the estimator alone. *Bare* is the library as anyone would call it (`bench.bare`): same rows, same
hyper-parameters, one thread. The three are run in turn, so that ratios hold when the machine
drifts; CPU seconds, medians. Features and candles are in memory before.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

END = "2025-05-28T00:00:00Z"
SYMBOLS = ("BTC-USDT", "ETH-USDT", "XRP-USDT")
REPORT = Path(__file__).parents[1] / "docs" / "bench_train.md"
_MONTH = "-30d"
_LIBRARIES = ("xgboost-cpu", "lightgbm", "scikit-learn", "torch", "numpy")
Row = dict[str, Any]


def cpu(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of `work`."""
    began = time.process_time()
    work()
    return time.process_time() - began


def recipes_for(window: float) -> list[Any]:
    """Return every recipe; a month's own version of one in its place on a month."""
    from ml_pipeline.recipes import RECIPES

    chosen = []
    for recipes in RECIPES.values():
        names = {recipe.name for recipe in recipes}
        for recipe in recipes:
            month = recipe.name.endswith(_MONTH)
            stands_in = f"{recipe.name}{_MONTH}" in names
            if (window >= 30 and not stands_in) or (window < 30 and not month):
                chosen.append(recipe)
    return chosen


def panel_of(source: str, days: float) -> Any:
    """Return the rows of a turn on `days` of training."""
    from market.timeframes import DAY_MS, instant_ms
    from ml_pipeline.history import History
    from ml_pipeline.recipes import panel_columns

    end = instant_ms(END)
    with tempfile.TemporaryDirectory() as home:
        history = History.open(source, home=home, end=END)
        start = end - int((days + 7.5) * DAY_MS)
        return history.panel(SYMBOLS, "1m", panel_columns("1m"), start, end)


def contest(recipe: Any, panel: Any, days: float) -> dict[str, Callable[[], Any]]:
    """Return the three as functions of nothing, and the number of training rows."""
    from bench.bare import bare
    from market.timeframes import instant_ms
    from ml_pipeline.fit import fit, slice_rows
    from ml_pipeline.learner import lesson_of
    from ml_pipeline.novelty import forget
    from ml_pipeline.splits import turn_split
    from ml_pipeline.tasks import TASKS

    task = TASKS[recipe.kind]
    horizon = task.horizon_bars("1m")
    split = turn_split(int(panel.ts[0]), instant_ms(END), "1m", horizon, days)
    training = panel.rows(split.mask(panel, "train"))
    rows = slice_rows(task, training, task.head_of(training))
    naive = task.baseline(rows, rows)
    lesson = lesson_of(recipe, naive, rows)
    learn = recipe.load_estimator()

    def whole() -> Any:
        forget()
        return fit(recipe, panel, split, 0)

    return {
        "rows": lambda: len(lesson),
        "whole": whole,
        "learner": lambda: learn(lesson, recipe.hyperparams, 0),
        "bare": bare(recipe, lesson),
    }


def measure(panel: Any, days: float, rounds: int) -> list[Row]:
    """Run every recipe's three `rounds` times in turn; return medians."""
    found = []
    for recipe in recipes_for(days):
        three = contest(recipe, panel, days)
        rows = three.pop("rows")()
        seconds: dict[str, list[float]] = {name: [] for name in three}
        if days < 30:  # imports and first-use compilation belong to nobody
            for work in three.values():
                work()
        for _ in range(rounds):
            for name, work in three.items():
                seconds[name].append(cpu(work))
        medians = {name: statistics.median(s) for name, s in seconds.items()}
        ratio = statistics.median(
            whole / bare for whole, bare in zip(seconds["whole"], seconds["bare"], strict=True)
        )
        found.append(
            {"kind": recipe.kind, "recipe": recipe.name, "rows": rows, **medians, "ratio": ratio}
        )
        print(_line(found[-1]), flush=True)
    return found


def _line(row: Row) -> str:
    return (
        f"| {row['kind']} | {row['recipe']} | {row['rows']:,} | {row['whole']:.2f} | "
        f"{row['learner']:.2f} | {row['bare']:.2f} | {row['ratio']:.2f} |"
    )


def table(days: float, rows: list[Row]) -> str:
    """Return one window's figures as Markdown."""
    total = {name: sum(row[name] for row in rows) for name in ("whole", "learner", "bare")}
    ratio = total["whole"] / total["bare"]
    return "\n".join(
        [
            f"## 3 symbols × {days:g} days of 1m",
            "",
            "| kind | recipe | rows | whole, CPU s | learner, CPU s | bare, CPU s | whole / bare |",
            "|---|---|---:|---:|---:|---:|---:|",
            *(_line(row) for row in rows),
            f"| all | | | {total['whole']:.2f} | {total['learner']:.2f} | {total['bare']:.2f} | "
            f"{ratio:.2f} |",
        ]
    )


def head(given: argparse.Namespace) -> str:
    """Return what the figures were measured on."""
    market = f"candles of {Path(given.data).name}" if given.data else "the simulated market"
    explained = (__doc__ or "").split("\n\n")[2].strip()
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    return (
        "# Training beside the bare libraries\n\n"
        f"`python -m bench.train --rounds {given.rounds}` on {market}: {platform.machine()}, "
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, Python "
        f"{platform.python_version()}, {libraries}.\n\n{explained}"
    )


def main() -> None:
    """Measure, print the tables, and write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--windows", default="7,30", help="days of training, separated by commas")
    parser.add_argument("--data", help="folder of candle files instead of the simulated market")
    parser.add_argument("--write", action="store_true", help=f"into {REPORT.name}")
    given = parser.parse_args()
    source = f"files:{given.data}" if given.data else "simulated"
    parts = [head(given)]
    for days in map(float, given.windows.split(",")):
        parts.append(table(days, measure(panel_of(source, days), days, given.rounds)))
        print(parts[-1].splitlines()[-1])
    if given.write:
        REPORT.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
