"""300 bars ahead: how long a forecast and its training take, and what it is worth.

``python -m bench.forecast`` takes two minutes and prints; ``--candles FOLDER`` judges on real
candles too (five minutes more), ``--write`` writes docs/bench_forecast.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench.forecast.quality import quality
from bench.forecast.report import report
from bench.forecast.speed import rollouts, trainings

DOCUMENT = Path(__file__).parents[2] / "docs" / "bench_forecast.md"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--candles", type=Path, help="folder of real candle files")
    arguments.add_argument("--repeats", type=int, default=300)
    arguments.add_argument("--write", action="store_true", help="write docs/bench_forecast.md")
    given = arguments.parse_args()
    judged = quality(given.candles) if given.candles else None
    text = report(rollouts(given.repeats), trainings(), judged)
    sys.stdout.write(text)
    if given.write:
        DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
