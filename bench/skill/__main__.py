"""What each kind is worth beyond its baseline, walking forward through real candles.

    python -m bench.skill --data FOLDER [--timeframe 1m] [--days 14] [--fold-hours 12]
                          [--recipes direction/xgboost …] [--until 2025-05-20] [--cache FOLDER]
                          [--write]

The folder holds Parquet files as ``BTC-USDT_1m.parquet``; BTC, ETH and XRP are pooled. At the start
of each fold every recipe is fitted on what was known then (train | purge | calibration | purge |
selection, no holdout), and predicts the fold. Losses of model and baseline are pooled over folds,
and judged as a promotion judges them. Finished folds are kept in `--cache`: a run that was stopped
goes on where it was; use another folder after a change of the code that fits.
`--write` puts the table into docs/models.md and the picture into docs/pictures.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.progress import Progress

from bench.skill import report, rivals
from bench.skill.folds import panel_of
from bench.skill.walk import walk
from market.timeframes import instant_ms, timeframe_ms
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import RECIPES, Recipe
from ml_pipeline.tasks import TASKS
from ml_pipeline.walk_forward import Fold, folds

DEFAULTS = {"1m": (14.0, 24.0), "5m": (56.0, 168.0)}  # days judged, hours a fold
LONG_DAYS = {"1m": 0.0, "5m": 60.0}
"""On 5m every recipe trains on at least so many days: a week is 2,016 bars only."""


def chosen(words: list[str], timeframe: str) -> list[Recipe]:
    """Return the recipes called ``kind``, ``kind/name`` or ``name``; all if none is named.

    Where all train on as many days, those that differ by their days alone are left out.
    """
    least = LONG_DAYS[timeframe]
    every = [r for k in TASKS for r in RECIPES[k] if r.train_days > least or r.train_days == 7]
    if not words:
        return every
    found = [r for r in every if {r.kind, r.name, f"{r.kind}/{r.name}"} & {*words}]
    if not found:
        raise SystemExit(f"no recipe is called {', '.join(words)}")
    return found


def longest(kind: str) -> float:
    """Return the longest training slice of a kind's recipes: that of the baseline in a turn.

    Not for risk: what counts as an event is a quantile of the training slice, so a model and its
    baseline have the same.
    """
    return max(recipe.train_days for recipe in RECIPES[kind])


def walk_all(
    recipes: list[Recipe], panel: Panel, through: list[Fold], cache: Path
) -> list[report.Done]:
    """Return each recipe with its forecasts and those of its baselines, on the same rows."""
    done = []
    with Progress() as progress:
        work = progress.add_task("", total=3 * len(recipes) * len(through))

        def tell(what: str) -> None:
            progress.update(work, advance=1, description=what)

        for recipe in recipes:
            days = max(recipe.train_days, LONG_DAYS[panel.timeframe])
            rival = days if recipe.kind == "risk" else max(days, longest(recipe.kind))
            base = walk(recipe.kind, panel, through, cache, tell, rival)
            beside = walk(recipe.kind, panel, through, cache, tell, days)
            model = walk(recipe, panel, through, cache, tell, days)
            done.append(report.Done(recipe, model, base, beside))
    return done


def main() -> None:
    """Walk, judge, print, and write if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--timeframe", choices=list(DEFAULTS), default="1m")
    parser.add_argument("--days", type=float)
    parser.add_argument("--fold-hours", type=float)
    parser.add_argument("--recipes", nargs="+", default=[])
    parser.add_argument("--until", help="end of the last fold; by default that of the candles")
    parser.add_argument("--cache", type=Path, default=Path("var/skill"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()

    days, hours = DEFAULTS[given.timeframe]
    days, hours = given.days or days, given.fold_hours or hours
    panel = panel_of(given.data, given.timeframe, given.cache)
    until = instant_ms(given.until) if given.until else _last_day(panel)
    through = list(folds(until, days, hours))
    done = walk_all(chosen(given.recipes, given.timeframe), panel, through, given.cache)
    long = max(longest("volatility"), LONG_DAYS[given.timeframe])
    others = rivals.volatility(panel, through, long)
    rows = report.rows(panel.timeframe, done, others)
    print(json.dumps(rows, indent=1) if given.json else report.text(rows))
    if given.write:
        report.write(panel, through, rows, done, others)


def _last_day(panel: Panel) -> int:
    """Return the last midnight that all symbols' rows reach, epoch ms."""
    step, day = timeframe_ms(panel.timeframe), 86_400_000
    last = min(int(panel.ts[panel.symbol == i][-1]) for i in range(len(panel.symbols)))
    return (last + step) // day * day


if __name__ == "__main__":
    main()
