"""The feature engine beside other libraries, in one run.

    python -m bench.features [--quick] [--json] [--picture [FILE]]

Everything runs on one thread. Contestants take turns, round by round, and are first asked whether
they compute the same numbers; their data is in the form they like before the clock starts, while
our own times include the check of the candles. `--quick` takes fewer rounds and no million of rows.
Libraries that are not installed are left out; ``pip install -e '.[bench]'`` brings them, best into
an environment of its own: pandas sums with bottleneck where it finds it.
"""

# ruff: noqa: E402 - libraries read the number of threads when they are imported
from __future__ import annotations

import argparse
import json
import os
import warnings
from typing import Any

for variable in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import pandas as pd

from bench.features import batch, fresh, live, report, state, thousand
from bench.features.agreement import check
from bench.features.contestants import missing
from bench.features.market import bare, candles
from bench.features.picture import PICTURE, draw


def measure(quick: bool) -> dict[str, Any]:
    """Return every figure."""
    month, rounds = candles(43_200), 3 if quick else 7
    groups = {label: make() for label, make in batch.GROUPS.items()}
    result: dict[str, Any] = {
        "machine": report.machine(),
        "missing": missing(),
        "agree": [check(group, bare(month).iloc[-12_000:]) for group in groups.values()],
    }
    histories = [month] if quick else [month, candles(1_000_000)]
    for history in histories:
        size = f"{len(history):,} bars"
        result[f"batch, {size}"] = batch.alone(history, rounds)
        for label, group in groups.items():
            result[f"batch, {size}, {label}"] = batch.beside(history, group, rounds)
    result["one bar"] = live.measure(month, quick)
    result["1,000 bars"] = thousand.measure(month.iloc[-12_000:], quick)
    result["state"] = state.measure(month, quick)
    result["start-up"] = fresh.start_up(quick)
    result["memory"] = fresh.memory(histories[-1])
    result["aims"] = report.aims(result)
    return result


def main() -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--picture", nargs="?", const=str(PICTURE), help="write a chart there")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # what other libraries say about themselves
    # pandas uses bottleneck where it is installed; here each stands for itself.
    pd.set_option("compute.use_bottleneck", False)
    result = measure(given.quick)
    if given.picture:
        draw(result["one bar"], given.picture)
    print(json.dumps(result, indent=1) if given.json else report.text(result))


if __name__ == "__main__":
    main()
