"""One closed bar → features → five predictions, beside the libraries, MLflow and FreqAI.

``python -m bench.serve`` takes three minutes and prints; ``--write`` writes docs/bench_serve.md.
``--candles FOLDER`` measures on real candles instead of the simulated market, ``--freqtrade
PYTHON`` names an interpreter that has ``freqtrade[freqai]``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from bench.serve.measure import measure
from bench.serve.report import report
from bench.serve.team import make_team

DOCUMENT = Path(__file__).parents[2] / "docs" / "bench_serve.md"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candles", help="folder of candle files; default: simulated")
    arguments.add_argument("--end", default="2025-05-28T00:00:00Z")
    arguments.add_argument("--bars", type=int, default=400)
    arguments.add_argument(
        "--freqtrade", default=os.environ.get("FREQTRADE_PYTHON", sys.executable)
    )
    arguments.add_argument("--write", action="store_true", help="write docs/bench_serve.md")
    given = arguments.parse_args()
    source = f"files:{Path(given.candles).resolve()}" if given.candles else None
    with tempfile.TemporaryDirectory() as made:
        team = make_team(Path(made), source, given.end)
        text = report(measure(team, given.bars, given.freqtrade), simulated=source is None)
    print(text)
    if given.write:
        DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
