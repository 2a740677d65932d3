"""The run's figures as a page."""

from __future__ import annotations

import os
import platform
from typing import Any

AIM_EVENTS, AIM_COLUMNS = 3_000, 1_000_000
SEED = {300: (45, 3), 1_000: (180, 8)}


def report(found: dict[str, Any], *, simulated: bool) -> str:
    """Return the page in Markdown."""
    five, columns = found["five"], found["columns"]
    parts = [
        "# Backtest: bars a second",
        f"Written by `python -m bench.backtest --write` on {os.cpu_count()} cores of "
        f"{platform.machine()}, Python {platform.python_version()}; one thread, CPU seconds. "
        f"{'Simulated' if simulated else 'Real'} candles of 1m for the models, a random walk for "
        "the races. What compiles is warmed up first.",
        "## Events, with five models at every bar",
        _table(
            ["features", "bars a CPU second", "bars", "trades"],
            [
                [_HOW[how], f"{one['rate']:,.0f}", f"{one['bars']:,.0f}", f"{one['trades']:,.0f}"]
                for how, one in five.items()
            ],
        ),
        f"Aim: {AIM_EVENTS:,}: **{_kept(five['push']['rate'], AIM_EVENTS)}**. At each bar features "
        "are pushed, five models answer (calibration and novelty included), and the desk decides: "
        "the code that runs live.",
        "## The same orders, by everybody",
        f"{found['events']['orders']:,} orders on {found['events']['bars']:,} bars of one symbol: "
        "one unit, long while a mean of 20 closes is above one of 100, else short; decided at a "
        "close, filled at the next open, fee 5 bp a side, no slippage.",
        _race(found["events"]),
        f"## Columns: {columns['bars']:,} bars",
        f"{columns['orders']:,} such orders.",
        _race(columns),
        f"Aim: {AIM_COLUMNS:,}: **{_kept(columns['ours, columns']['rate'], AIM_COLUMNS)}**. "
        "vectorbt gives its portfolio with its last value; ours the account with every fill, "
        "trade and refusal. backtesting.py is left out here.",
        "## The document's table",
        "CPU seconds of a backtest with one price model, features had in four ways in one run, "
        "beside the seconds that the document states for its own models and machine.",
        _seed(found["seed"]),
        "*Anew* computes all features of all bars again at every bar, with the engine; *the "
        "document's loop* is that of its example, `engineer_features(data.iloc[:i+1])`, with our "
        "engineer, features alone. *Cached* is `enable_feature_cache`, its computing included. "
        "*Pushed* needs no cache: each bar adds to what is known. Warm-up bars before the ones "
        "that count are in all of them.",
        "## After the account",
        _table(
            ["", "seconds"],
            [
                ["figures: intervals, 200 runs with random entries", _s(found, "figures")],
                ["HTML report", _s(found, "page")],
                ["picture", _s(found, "picture")],
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


_HOW = {"push": "pushed bar by bar, as live", "once": "computed once for the history"}


def _kept(rate: float, aim: float) -> str:
    return "reached" if rate >= aim else "MISSED"


def _s(found: dict[str, Any], name: str) -> str:
    return f"{found['summary'][name]:.2f}"


def _race(found: dict[str, Any]) -> str:
    first = next(one for one in found.values() if isinstance(one, dict))
    rows = []
    for who, one in found.items():
        if isinstance(one, dict):
            off = abs(one["equity"] / first["equity"] - 1)
            name = f"{who} {one['version']}" if "version" in one else who
            rows.append([name, f"{one['rate']:,.0f}", f"{one['seconds']:.3f}", f"{off:.0e}"])
        elif isinstance(one, str):
            rows.append([f"{who}: {one}", "", "", ""])
    return _table(["", "bars a CPU second", "CPU seconds", "last equity off by"], rows)


def _seed(rows: list[dict[str, Any]]) -> str:
    return _table(
        [
            "bars", "document, without", "document, with", "the document's loop", "anew", "cached",
            "pushed", "anew / cached",
        ],
        [
            [
                f"{row['bars']:,}",
                *(f"{seconds} s" for seconds in SEED[row["bars"]]),
                *(f"{row[name]:.2f} s" for name in ("engineer", "anew", "cached", "pushed")),
                f"{row['anew'] / row['cached']:.0f}×",
            ]
            for row in rows
        ],
    )  # fmt: skip


def _table(head: list[str], rows: list[list[str]]) -> str:
    rule = "|" + "|".join("---" if i == 0 else "--:" for i in range(len(head))) + "|"
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]])
