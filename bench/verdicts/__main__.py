"""Error rates of promotion and drift by simulation, the seed's rules beside ours.

    python -m bench.verdicts [--years 20] [--seeds 300] [--json] [--write]

Promotion: years of seven slots with turns every twelve hours, in which all lines are equally good;
lines that are better by a known amount; learners that know nothing. Drift: weeks of a model whose
skill stays, goes, or turns round. What judges is the project's own code (`ml_pipeline.hac`,
`orchestration.lifecycle.gates`, `orchestration.drift`). `--write` puts tables and picture into
docs/verdicts.md and docs/pictures/verdicts.png. The defaults take about ten minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console

from bench.verdicts import report
from bench.verdicts.measure import everything
from bench.verdicts.picture import draw


def main() -> None:
    """Run all simulations and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=20, help="of seven slots, in each cell")
    parser.add_argument("--seeds", type=int, default=300, help="slot-weeks in each cell")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/verdicts.md")
    parser.add_argument("--from-json", help="print and write what an earlier run found")
    given = parser.parse_args()
    if given.from_json:
        with open(given.from_json, encoding="utf-8") as file:
            found = json.load(file)
    else:
        progress = Console(stderr=True)
        found = everything(given.years, given.seeds, lambda word: progress.print(word, style="dim"))
    if given.json:
        json.dump(found, sys.stdout, indent=1)
    else:
        report.show(found, Console())
    if given.write:
        report.write(found)
        draw(found)


if __name__ == "__main__":
    main()
