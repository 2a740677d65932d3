"""The run's figures as a page."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

from bench.forecast.quality import PLANS, SYMBOLS
from bench.forecast.speed import STEPS, TREES
from ml_pipeline.forecasters.judging import RANGE_BARS, Horizon

BUDGET_MS = {"autoregressive": 2.5, "multi_ohlc": 10.0}
_GUIDE_MS = {"autoregressive": "50–100", "multi_ohlc": "200–400"}
_GUIDE_MIN = {
    ("autoregressive", 7): 1, ("multi_ohlc", 7): 4,
    ("autoregressive", 30): 3, ("multi_ohlc", 30): 12,
}  # fmt: skip

Row = list[str]


def report(
    rolled: dict[str, Any],
    trained: dict[tuple[str, int], dict[str, float]],
    judged: dict[tuple[str, str], list[Horizon]] | None,
) -> str:
    """Return the page in Markdown."""
    parts = [
        "# Forecasts: 300 bars ahead",
        f"Written by `python -m bench.forecast --write` on {os.cpu_count()} cores of "
        f"{platform.machine()}, load {os.getloadavg()[0]:.1f} at the end, Python "
        f"{platform.python_version()}, LightGBM {version('lightgbm')}, numba {version('numba')}. "
        "Times are of simulated candles, one thread unless told.",
        "## One forecast",
        _table(
            [f"{STEPS} steps from a live program", "p50 ms", "p99", "CPU p50", "budget", "guide"],
            [_rolled(name, told) for name, told in rolled.items()],
        ),
        _details(rolled),
        _table(
            ["the same answers by", "ms"],
            [
                ["pandas frame, features recomputed, `Booster.predict` (one model)",
                 f"{rolled['autoregressive']['naive']:,.0f}"],
                *[[f"`FeatureProgram.push` and `Booster.predict` ({name})", f"{t['plain']:,.0f}"]
                  for name, t in rolled.items()],
            ],
        ),
        "Largest difference between the compiled loop and the plain loop over `Booster.predict` "
        "and `FeatureProgram.push`, of log returns over all steps: "
        + ", ".join(f"{t['difference']:.0e} ({name})" for name, t in rolled.items()) + ".",
        "## A thousand starts",
        _table(
            [f"1,000 × {STEPS} steps, all cores", "seconds"],
            [[name, f"{t['thousand_s']:.2f}"] for name, t in rolled.items()],
        ),
        "## Training",
        _table(
            ["whole, features to horizons", "stopping early, s", f"all {TREES} rounds, s", "guide"],
            [
                [f"{name}, {days} days of 1m", f"{t['stopping']:.1f}", f"{t['whole']:.1f}",
                 f"{_GUIDE_MIN[name, days]} min"]
                for (name, days), t in trained.items()
            ],
        ),
    ]  # fmt: skip
    return "\n\n".join([*parts, *_worth(judged)]) + "\n"


def _rolled(name: str, told: dict[str, Any]) -> Row:
    roll, budget = told["roll"], BUDGET_MS[name]
    kept = "kept" if roll["p50"] <= budget else "BROKEN"
    figures = [f"{roll[x]:.2f}" for x in ("p50", "p99", "cpu")]
    return [name, *figures, f"{budget:g} ms: {kept}", f"{_GUIDE_MS[name]} ms"]


def _details(rolled: dict[str, Any]) -> str:
    each = (
        f"{name}: {sum(t['trees'].values()):,} trees of {t['leaves']:.0f} leaves on average, "
        f"{t['columns']} features; with prices, intervals and confidence p50 "
        f"{t['forecast']['p50']:.2f} ms"
        for name, t in rolled.items()
    )
    return "Fork of the features' state included. " + ". ".join(each) + "."


def _worth(judged: dict[tuple[str, str], list[Horizon]] | None) -> list[str]:
    if judged is None:
        return ["## Worth", "Not measured: give `--candles` a folder of real ones."]
    plans = "; ".join(
        f"{p.timeframe}: {p.folds} folds, trained on {p.train} days, judged on the next {p.test}, "
        f"a start every {p.every} bars"
        for p in PLANS
    )
    rows = [_verdict(name, frame, h) for (name, frame), told in judged.items() for h in told]
    return [
        "## Worth",
        f"Real candles of {', '.join(SYMBOLS)}, walk-forward ({plans}); the first 240 bars of each "
        "fold warm up. Skill against no change (R²_OS) and 95 % interval, symbols averaged at each "
        "time; coverage of the 90 % interval; skill of the range ln(high / low) of the k-th bar "
        f"against the mean range of the last {RANGE_BARS} bars, by relative squared error; share "
        "of impossible candles among all forecast.",
        _table(
            ["", "k", "R²_OS(k), %", "95 % interval", "z", "coverage", "range skill, %",
             "95 % interval", "impossible", "n", "worth independent"],
            rows,
        ),
        "A forecast of the price that far ahead is worth next to nothing, and says so: shrinkage "
        "brings it to the random walk. What is worth something is the width of what may come.",
    ]  # fmt: skip


def _verdict(name: str, frame: str, h: Horizon) -> Row:
    r, spread = h.returns, h.range
    ranges = ["", "", ""]
    if spread is not None:
        ranges = [_percent(spread.skill), _between(spread), f"{h.impossible:g}"]
    return [
        f"{name}, {frame}", str(h.bars), f"{100 * r.skill:+.3f}", _between(r, 3), f"{r.z:+.2f}",
        f"{h.coverage:.3f}", *ranges, f"{r.n:,}", f"{r.effective_n:,.0f}",
    ]  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:+.1f}"


def _between(verdict: Any, digits: int = 1) -> str:
    return f"{100 * verdict.lower:+.{digits}f} … {100 * verdict.upper:+.{digits}f}"


def _table(head: Row, rows: list[Row]) -> str:
    rule = "|" + "|".join("---" if i == 0 else "--:" for i in range(len(head))) + "|"
    return "\n".join([_line(head), rule, *map(_line, rows)])


def _line(cells: Row) -> str:
    return "| " + " | ".join(cells) + " |"
