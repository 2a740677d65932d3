"""Whether a longer lag or a higher z holds the budget where who is better changes for days.

    python -m bench.verdicts.lags [--years 12] [--write]

Equals that swap, and a newcomer better by a point of accuracy, as in `python -m bench.verdicts`, by
the part of the window that the lag of the standard error is at least. `--write` puts the table into
docs/verdicts.md.
"""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console

from bench.verdicts.arrivals import arrivals
from bench.verdicts.measure import EDGES, WANDERS
from bench.verdicts.promotion import slot_years, swaps
from bench.verdicts.report import Sheet, put
from orchestration.rules import Gates

SHARES = (24, 12, 8)
Z = (2.2, 2.4, 2.7)
RIVALS = 3


def lags(years: int) -> Sheet:
    """Return promotions a year among equals beside the power to find a point, by lag and z."""
    gates = Gates()
    window, rows = int(gates.window_days), []
    for share in SHARES:
        equals = [
            slot_years(range(years), wander, (window,), share=share)[window].among(RIVALS + 1)
            for wander in WANDERS
        ]
        point = arrivals(1, 60 * years, EDGES["a point of accuracy"], 0.5, window, 2, share=share)
        for z in Z:
            swapped = [swaps(e, z, gates.tenure_turns).sum() / years for e in equals]
            found = point.found(z, gates.ledger_days, RIVALS)
            cells = [f"{n:.1f}" for n in swapped] + [f"{(found <= d).mean():.2f}" for d in (14, 28)]
            rows.append((f"lag T/{share}, z {z:g}", *cells))
    head = ("", *(f"wander {w:g}" for w in WANDERS), "a point: 14 d", "28 d")
    title = (
        f"Promotions a year among equals and newcomers better by a point found, {RIVALS} rivals, "
        "by the least lag and z_promote"
    )
    return Sheet("lags", title, head, rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=12, help="of seven slots, in each cell")
    parser.add_argument("--write", action="store_true", help="into docs/verdicts.md")
    given = parser.parse_args()
    sheet = lags(given.years)
    Console(width=140).print(sheet.rich())
    if given.write:
        date = f"{datetime.now(UTC):%Y-%m-%d}"
        put(sheet, f"<sub>`python -m bench.verdicts.lags --years {given.years}`, {date}</sub>")


if __name__ == "__main__":
    main()
