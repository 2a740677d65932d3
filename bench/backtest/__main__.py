"""Bars a second: five models a bar, columns of signals, other libraries, the document's table.

``python -m bench.backtest`` takes three minutes and prints; ``--write`` writes
docs/bench_backtest.md. ``--candles FOLDER`` fits and asks the models on real candles instead of the
simulated market, ``--oracles PYTHON`` names an interpreter that has vectorbt and backtesting.py
(`make oracles`).
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench.backtest.measure import measure
from bench.backtest.report import report
from bench.serve.team import make_team

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "bench_backtest.md"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candles", help="folder of candle files; default: simulated")
    arguments.add_argument("--end", default="2025-05-28T00:00:00Z")
    arguments.add_argument("--bars", type=int, default=2_000, help="asked of five models")
    arguments.add_argument(
        "--oracles",
        default=os.environ.get("ORACLES_PYTHON", str(ROOT / ".venv-oracles" / "bin" / "python")),
    )
    arguments.add_argument("--write", action="store_true", help="write docs/bench_backtest.md")
    given = arguments.parse_args()
    source = f"files:{Path(given.candles).resolve()}" if given.candles else None
    with tempfile.TemporaryDirectory() as made:
        team = make_team(Path(made), source, given.end)
        text = report(measure(team, given.bars, given.oracles), simulated=source is None)
    print(text)
    if given.write:
        DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
