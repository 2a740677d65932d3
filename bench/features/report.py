"""The figures as tables, and what they were to be."""

from __future__ import annotations

import os
import platform
from importlib.metadata import distributions
from typing import Any

from bench.features.batch import Row

_UNITS = {
    "wall_s": "wall ms", "cpu_s": "CPU ms", "values_per_cpu_s": "M values/CPU s",
    "times_ours": "× ours", "seconds": "wall s", "cpu_seconds": "CPU s", "p50_us": "p50 µs",
    "p99_us": "p99 µs", "cpu_us": "CPU µs", "fork_us": "fork µs", "to_bytes_us": "to bytes µs",
    "from_bytes_us": "from bytes µs", "replay_us": "replay ms", "replay_bars": "replayed",
    "talib_copies_us": "TA-Lib copies µs", "process_s": "process s", "import_s": "import s",
    "make_s": "make s", "first_push_s": "first push s", "first_run_s": "first run s",
    "until_row_s": "until row s", "until_row_cpu_s": "CPU s", "before_mb": "before MB",
    "peak_mb": "peak MB", "holds_mb": "holds MB", "measured_bars": "bars run",
}  # fmt: skip
_SCALE = {"wall_s": 1e3, "cpu_s": 1e3, "values_per_cpu_s": 1e-6, "replay_us": 1e-3}


_LIBRARIES = ("numba", "numpy", "pandas", "TA-Lib", "pandas-ta-classic", "polars", "bottleneck")


def machine() -> str:
    """Return machine and libraries in words, and how busy it was when the run began."""
    found = {d.metadata["Name"].lower(): d.version for d in distributions()}
    libraries = [f"{name} {found[name.lower()]}" for name in _LIBRARIES if name.lower() in found]
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the "
        f"start; one thread, medians\nPython {platform.python_version()}, {', '.join(libraries)}"
    )


def aims(result: dict[str, Any]) -> list[Row]:
    """Return what was aimed at beside what was reached."""
    pushes = {r["set"]: r["p50_us"] for r in result["one bar"] if r["what"].endswith("push")}
    alone = [r for key in result if key.endswith(" bars") and "batch" in key for r in result[key]]
    every = max(r["values_per_cpu_s"] for r in alone if r["what"].startswith("all"))
    naive = min(r["times_ours"] for r in result["1,000 bars"] if r["what"].startswith("pandas"))
    warm = [r["until_row_cpu_s"] for r in result["start-up"] if r["what"].endswith("before")]
    return [
        _aim("a bar, all, p50", pushes["all"], 40, "µs", below=True),
        _aim("a bar, seed names, p50", pushes["seed names"], 10, "µs", below=True),
        _aim("batch, all", every / 1e6, 100, "M values a CPU second", below=False),
        _aim("pushing 1,000 bars, against pandas", naive, 1000, "× faster", below=False),
        _aim(
            "start-up, compiled before, until the first row, CPU", max(warm), 0.6, "s", below=True
        ),
    ]


def _aim(what: str, reached: float, aim: float, unit: str, *, below: bool) -> Row:
    met = reached <= aim if below else reached >= aim
    return {
        "what": what,
        "reached": reached,
        "aim": f"{'≤' if below else '≥'} {aim:g} {unit}",
        "met": "yes" if met else "NO",
    }


def text(result: dict[str, Any]) -> str:
    """Return all tables."""
    lines = [result["machine"], *result["agree"]]
    if result["missing"]:
        lines.append(f"not installed, left out: {', '.join(result['missing'])} (the extra 'bench')")
    for title, rows in result.items():
        if isinstance(rows, list) and rows and isinstance(rows[0], dict):
            lines += ["", title, *table(rows)]
    return "\n".join(lines)


def table(rows: list[Row]) -> list[str]:
    """Return rows as aligned lines; fields that some rows lack stay empty."""
    fields = list(dict.fromkeys(field for row in rows for field in row))
    cells = [[_UNITS.get(field, field) for field in fields]]
    cells += [[_cell(field, row.get(field)) for field in fields] for row in rows]
    widths = [max(len(line[j]) for line in cells) for j in range(len(fields))]
    words = [all(isinstance(row.get(field, ""), str) for row in rows) for field in fields]
    return [
        "  " + "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, words, strict=True)
        ).rstrip()
        for line in cells
    ]  # fmt: skip


def _cell(field: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    number = value * _SCALE.get(field, 1)
    if isinstance(number, int):
        return f"{number:,}"
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
