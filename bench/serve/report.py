"""The run's figures as a page."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Any

BUDGET_US = 150


def report(found: dict[str, Any], *, simulated: bool) -> str:
    """Return the page in Markdown."""
    bar, cold = found["closed bar"], found["cold"]
    whole = bar["push and five predictions"]
    kept = "kept" if whole["p50"] <= BUDGET_US else "BROKEN"
    parts = [
        "# Serving: one closed bar to five predictions",
        f"Written by `python -m bench.serve --write` on {os.cpu_count()} cores of "
        f"{platform.machine()}, Python {platform.python_version()}, onnxruntime "
        f"{version('onnxruntime')}; one thread. {'Simulated' if simulated else 'Real'} candles, "
        f"{found['bars']} bars of 1m, {found['columns']} features for five models. Contestants "
        "take turns by blocks of ten bars, and whoever goes first rotates, so that all see the "
        "same machine. Times are µs.",
        "## The whole way",
        _table(
            ["", "p50", "p99"],
            [[name, *_pair(figures)] for name, figures in bar.items()],
        ),
        f"Budget for all five: {BUDGET_US} µs p50: **{kept}**. It is "
        "`[one.predict(row, close) for one in bound]` with `row = program.push(bar)` and "
        "`bound = [load_model(kind).bind(program) for kind in …]`: every value checked, "
        "calibration and novelty included.",
        _table(
            ["bound, by kind", "p50", "p99"], [[k, *_pair(v)] for k, v in found["each"].items()]
        ),
        "## Five predictions from a row that is there, by others",
        _table(
            ["", "p50", "p99", "× bound"],
            [
                [name, *_pair(v), f"{v['p50'] / found['raced']['bound models']['p50']:.1f}"]
                for name, v in sorted(found["raced"].items(), key=lambda pair: pair[1]["p50"])
            ],
        ),
        "*The libraries* are the same recipes fitted on the same rows by XGBoost, scikit-learn "
        "(forest; Nyström and linear SVM), torch (a network of that shape) and LightGBM, asked "
        "through their usual classes; they give a bare margin or probability of the learner, "
        "without baseline, calibration or novelty (of volatility one horizon instead of two). "
        "*MLflow pyfunc* loads the bundles.",
        "## FreqAI",
        _freqai(found["freqai"], found["novelty"]),
        "## Cold load and batches",
        _table(
            ["`load_model` in a fresh process", "seconds", "CPU s", "peak MB"],
            [
                [form, f"{v['cold_s']:.2f}", f"{v['cpu_s']:.2f}", f"{v['peak_mb']:.0f}"]
                for form, v in cold.items()
            ],
        ),
        "Budget: 0.5 s and 140 MB.",
        _table(
            ["10,000 rows at once", "rows a second"],
            [[kind, f"{rate:,.0f}"] for kind, rate in found["batch"].items()],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _freqai(found: dict[str, Any] | str, novelty: dict[str, float]) -> str:
    ours = (
        f"Ours: fitting on 36,000 rows takes {novelty['fit_mb']:.0f} MB, a bundle grows by "
        f"{novelty['kb']:.0f} kB, a row costs {novelty['row_us']:.1f} µs as a graph by itself "
        f"({novelty['batch_us']:.2f} µs in a batch)."
    )
    if isinstance(found, str):
        return f"Not measured: {found}; `pip install '.[bench-serve]'` into one. {ours}"
    pairs = ", ".join(f"{mb:,.0f} MB at {rows:,} rows" for rows, mb in found["di"])
    return (
        f"FreqAI {found['version']}, its data kitchen, pipeline with dissimilarity index and "
        f"XGBoost of the direction recipe on {found['rows']:,.0f} training rows, one candle with "
        f"its features given, **one** model: p50 {found['p50']:,.0f} µs, "
        f"p99 {found['p99']:,.0f} µs."
        f"\n\nIts index takes {pairs} while it is fitted; at 36,000 that would be "
        f"{found['di_36000_mb'] / 1000:,.0f} GB by the square. {ours}"
    )


def _pair(figures: dict[str, float]) -> list[str]:
    return [f"{figures['p50']:,.0f}", f"{figures['p99']:,.0f}"]


def _table(head: list[str], rows: list[list[str]]) -> str:
    rule = "|" + "|".join("---" if i == 0 else "--:" for i in range(len(head))) + "|"
    return "\n".join([_line(head), rule, *map(_line, rows)])


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
