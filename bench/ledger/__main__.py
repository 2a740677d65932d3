"""Rows a second into and out of the ledger, beside plain pandas and a naive executemany.

    python -m bench.ledger [--rows 600000] [--rounds 3] [--postgres URL] [--json]

Every contestant does what the ledger must: a day's batch of one version at a time, each bar once
(a repeated batch changes nothing), a commit on disk after each batch (SQLite with
``synchronous=FULL``); then 28 days of three symbols and five versions are read as one frame with
their outcomes beside. *pandas* is ``DataFrame.to_sql`` and ``read_sql`` on a plain table with the
same key (it cannot skip what is there, so it is given only new rows); *naive* is one ``INSERT … ON
CONFLICT DO NOTHING`` a row with the numbers as JSON text, as a first version would be written.
Without ``--postgres`` a server is started where one is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from bench.ledger.contestants import CONTESTANTS, days_of
from bench.ledger.measure import measure, ratios
from bench.ledger.recording import record_live
from bench.ledger.server import postgres


@contextmanager
def databases(url: str | None) -> Iterator[dict[str, str]]:
    """Give the URL of an empty database of each kind."""
    with tempfile.TemporaryDirectory() as folder, postgres(url) as server:
        found = {"sqlite": f"sqlite:///{Path(folder) / 'ledger.db'}"}
        if server:
            found["postgres"] = server
        yield found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", help="of an empty database; its tables are replaced")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    days = days_of(asked.rows)
    figures: dict[str, Any] = {"rows": sum(map(len, days)), "rounds": asked.rounds}
    with databases(asked.postgres) as found:
        for name, url in found.items():
            figures[name] = measure(CONTESTANTS, url, days, asked.rounds)
        figures["live"] = record_live(found["sqlite"])
    if asked.json:
        print(json.dumps(figures, indent=1))
        return
    show(figures)


def show(figures: dict[str, Any]) -> None:
    print(f"{figures['rows']:,} rows, best of {figures['rounds']} rounds")
    for name in ("sqlite", "postgres"):
        if name not in figures:
            print(f"\n{name}: no server here")
            continue
        print(f"\n{name:<10}{'write rows/s':>14}{'again rows/s':>14}{'read rows/s':>14}"
              f"{'read s':>9}{'MB':>8}   ledger is faster: write, read")  # fmt: skip
        for who, row in figures[name].items():
            faster = ratios(figures[name], who)
            print(
                f"{who:<10}{row['write']:>14,.0f}{row['again'] or 0:>14,.0f}{row['read']:>14,.0f}"
                f"{row['read_s']:>9.2f}{row['megabytes']:>8.0f}   {faster}"
            )
    live = figures["live"]
    print(
        f"\nrecorder: a prediction takes {live['plain_us']:.1f} µs, recorded {live['live_us']:.1f} "
        f"µs (99.9 %: {live['plain_p999_us']:.0f} and {live['live_p999_us']:.0f} µs); "
        f"{live['written']:,} rows written, {live['dropped']} dropped"
    )


if __name__ == "__main__":
    main()
