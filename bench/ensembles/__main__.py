"""Equal, weighted, voted, stacked, and the best member alone, on the ledger of real candles.

    python -m bench.ensembles --data FOLDER [--timeframe 5m] [--days 56] [--fold-hours 24]
                              [--recipes all] [--kinds direction …] [--home FOLDER] [--json]
                              [--write]
    python -m bench.ensembles --data FOLDER --replay HOME [--write]

The folder holds Parquet files as ``BTC-USDT_5m.parquet``; BTC, ETH and XRP are pooled. First every
recipe of each kind gets its ledger, as a back-fill makes it: at the start of each fold it is fitted
on what was known then, and predicts the fold. That is kept in `--home`; asked again, what is there
is not fitted again. Then a turn each half day chooses members, weights and method from the rows
known by then, as a turn does, and is scored on the half day after it. `--replay` takes the ledger
that a replay on the same candles has left instead.
`--write` puts the table into docs/ensembles.md.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.progress import Progress

from bench.ensembles import report
from bench.ensembles.regimes import grid
from bench.ensembles.walk import walk
from market.symbols import scope_of
from market.timeframes import DAY_MS, instant_ms, utc
from models.common.slot import KINDS, Slot
from orchestration.judge.lines import Lines, lines_of
from orchestration.rules import Gates
from orchestration.service.backfill import backfill
from orchestration.service.resources import store_of
from orchestration.settings import Settings, load_settings
from orchestration.store.store import Store

SYMBOLS = "BTC-USDT,ETH-USDT,XRP-USDT"
UNTIL = {"1m": "2025-06-03T00:00:00Z", "5m": "2024-09-06T00:00:00Z"}
HISTORY = {"1m": 14.0, "5m": 67.0}
"""Days that a fold learns from: on 5m two months, so that a recipe of a month is one."""

HOURS = 12.0


def ledger(settings: Settings, until: str, days: float, fold_hours: float) -> None:
    """Fit and predict every fold that the home lacks."""
    with Progress() as progress:
        work = progress.add_task("folds")

        def tell(done: int, total: int, last: str) -> None:
            progress.update(work, completed=done, total=total, description=last)

        made = backfill(settings, until, days, fold_hours, tell)
    for failure in made["failures"]:
        print(f"{failure['subject']}: {failure['message']}")


def lines(settings: Settings, kind: str, until: str, days: float) -> Lines:
    """Return the lines of a kind on all bars of the ledger."""
    slot, store = Slot(scope_of(settings.symbols), kind, settings.timeframe), store_of(settings)
    since = instant_ms(until) - int((days + 10) * DAY_MS)
    rows = store.ledger(slot.key, since_ms=since, until_ms=instant_ms(until))
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    return lines_of(slot, rows, models, whole=True)


def main() -> None:
    """Fill in, walk, judge, print, and write if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--timeframe", choices=list(UNTIL), default="5m")
    parser.add_argument("--days", type=float, default=56)
    parser.add_argument("--warm-days", type=float, default=14)
    parser.add_argument("--fold-hours", type=float, default=24)
    parser.add_argument("--recipes", default="all")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--home", type=Path, default=Path("var/ensembles"))
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()

    if given.replay:
        _replayed(given)
        return
    settings = load_settings(
        home=given.home,
        source=f"files:{given.data}",
        symbols=SYMBOLS,
        timeframe=given.timeframe,
        days=HISTORY[given.timeframe],
        kinds=",".join(given.kinds),
        recipes=given.recipes,
        workers=given.workers,
    )
    until = UNTIL[given.timeframe]
    ledger(settings, until, given.days, given.fold_hours)
    every = [lines(settings, kind, until, given.days) for kind in settings.kinds]
    caption = (
        f"{given.timeframe}, {SYMBOLS.replace(',', ', ')} pooled, {given.days:g} days of ledger to "
        f"{utc(instant_ms(until)):%Y-%m-%d} in folds of {given.fold_hours:g} h, the first "
        f"{given.warm_days:g} only learnt from; a turn every {HOURS:g} h."
    )
    _told(given, every, f"all {given.timeframe}", caption)


def _replayed(given: argparse.Namespace) -> None:
    """Walk along the ledger of a replay's home."""
    store = Store(f"sqlite:///{given.replay / 'tidewheel.db'}")
    models = store.list_models()
    every = []
    for kind in given.kinds:
        for key in sorted({model.slot_key for model in models if f"/{kind}/" in model.slot_key}):
            own = {model.version: model for model in models if model.slot_key == key}
            every.append(lines_of(Slot.parse(key), store.ledger(key), own, whole=True))
    first, last = (utc(int(every[0].ts[k])) for k in (0, -1))
    caption = (
        f"The ledger of a replay, {every[0].slot.timeframe}, {', '.join(every[0].symbols)} pooled, "
        f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, the first {given.warm_days:g} days only learnt "
        f"from; a turn every {HOURS:g} h."
    )
    _told(given, every, f"replay {every[0].slot.timeframe}", caption)


def _told(given: argparse.Namespace, every: list[Lines], mark: str, caption: str) -> None:
    """Walk along each slot, print, and write between the marks called `mark` if asked."""
    found = []
    for one in every:
        regimes = grid(one, given.data, given.warm_days)
        walked = walk(one, regimes, Gates(), given.warm_days, HOURS)
        found.append(report.row(one, regimes, walked, Gates()))
        print(report.text(found[-1]), flush=True)
    if given.json:
        print(json.dumps(found, indent=1))
    if given.write:
        report.write(mark, caption, found)


if __name__ == "__main__":
    main()
