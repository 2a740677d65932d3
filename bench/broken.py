"""A market that breaks: is it seen, who steps down, and does skill come back? The whole process.

    python -m bench.broken [--signal 4] [--before 6] [--backfill 6] [--after 24]
                           [--predict-every 3h] [--recipes ridge] [--home FOLDER] [--json] [--write]

A simulated market whose planted signal turns round on 2025-06-03 (``flips``), replayed turn by
turn by the project's own replay: price in an hour, three symbols, minutes. Before the break a
champion is promoted from a ledger that back-fill began; from then on it is wrong more often than
right. Told are the hours from the break to the first alarm, to the baseline's return, to the
learner's return, and what served in between. With `--home` a run that was stopped goes on where it
was.

Price, because its baseline is the random walk, which no turn of the signal helps; the baseline of
direction knows of returns that turn back, learns the new market within days, and leaves a learner
nothing to win. `--write` draws docs/pictures/broken.png.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

Json = dict[str, Any]

FLIP = "2025-06-03T00:00Z"
PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "broken.png"
HOUR_MS = 3_600_000
KIND = "price"


def run(given: argparse.Namespace, home: Path) -> Json:
    """Replay the market and return what happened."""
    from market.timeframes import DAY_MS, instant_ms
    from orchestration.service.replaying import replay
    from orchestration.service.replays.plan import plan
    from orchestration.service.replays.result import result
    from orchestration.settings import load_settings

    flip = instant_ms(FLIP)
    settings = load_settings(
        home=home,
        source=f"simulated:signal={given.signal:g},flips={FLIP[:10]}",
        timeframe=given.timeframe,
        kinds=KIND,
        recipes=given.recipes,
        days=given.days,
        workers=given.workers,
        backfill_days=given.backfill,
    )
    planned = plan(
        settings,
        flip - int(given.before * DAY_MS),
        flip + int(given.after * DAY_MS),
        "12h",
        given.predict_every,
        name="broken",
    )
    replay(planned, lambda p: print(f"{p.done}/{p.total} {p.sentence}", file=sys.stderr))
    told = result(planned)
    slot = told["slots"][0]
    return {
        "simulated": True,
        "source": told["source_name"],
        "flip": FLIP,
        "asked": {k: v for k, v in vars(given).items() if k not in ("json", "write", "home")},
        "hours": hours(slot, flip),
        "reigns": slot["reigns"],
        "events": slot["events"],
        "drift": slot["drift"],
        "flags": told["flags"],
        "retrained": slot["retrained"],
        "served": slot["served"],
        "daily": slot["daily"],
        "lines": {line["recipe"]: line["daily"] for line in slot["lines"] if not line["baseline"]},
        "cost": told["cost"],
    }


def hours(slot: Json, flip: int) -> Json:
    """Return the hours from the break to each step; None for what did not happen."""
    from market.timeframes import instant_ms

    alarms = [instant_ms(row["at"]) for row in slot["drift"] if row["status"] in ("DRIFT", "HARM")]
    alarms += [e["at_ms"] for e in slot["events"] if e["action"] == "HARM"]
    ended = [e["at_ms"] for e in slot["events"] if e["action"] in ("rollback", "HARM")]
    back = [e["at_ms"] for e in slot["events"] if e["action"] == "promote"]
    down = _first(ended, flip)
    return {
        "champion_before_break": any(
            not r["baseline"] and instant_ms(r["from"]) < flip for r in slot["reigns"]
        ),
        "alarm": _since(_first(alarms, flip), flip),
        "rollback": _since(down, flip),
        "recovery": _since(_first(back, down) if down else None, flip),
    }


def _first(moments: list[int], after: int) -> int | None:
    return min((at for at in moments if at >= after), default=None)


def _since(at: int | None, flip: int) -> float | None:
    return None if at is None else (at - flip) / HOUR_MS


def draw(found: Json, path: Path = PICTURE) -> None:
    """Draw the timeline."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="#8a8f98", lw=0.8)
    for recipe, daily in found["lines"].items():
        axes.plot(*_days(daily), lw=1, color="#60a5fa", label=f"{recipe}, served or in shadow")
    served = _days(found["daily"])
    axes.plot(*served, lw=1.8, color="#111827", label="what served (the baseline: 0)")
    flip = np.datetime64(found["flip"].rstrip("Z"))
    axes.axvline(flip, color="#b91c1c", lw=1.2)
    axes.text(flip, 0.98, " the signal turns round", size=8, color="#b91c1c", va="top",
              transform=axes.get_xaxis_transform())  # fmt: skip
    marks = [
        (event["at_ms"], f"{event['action']} {event['recipe'] or ''}", "#111827")
        for event in found["events"]
    ]
    marks += [
        (_ms(row["at"]), row["status"], "#d97706")
        for row in found["drift"]
        if row["status"] in ("DRIFT", "HARM")
    ]
    marks += [
        (_ms(row["at"]), f"retrained, {row['variant']}: kept", "#2563eb")
        for row in found["retrained"]
        if row["kept"]
    ]
    for k, (ms, word, colour) in enumerate(sorted(marks)):
        when = np.datetime64(int(ms), "ms")
        axes.axvline(when, color=colour, lw=0.7, ls=":")
        axes.text(when, 0.02 + 0.06 * (k % 4), f" {word}", size=7, color=colour,
                  transform=axes.get_xaxis_transform())  # fmt: skip
    axes.set_ylabel("skill over the random walk, by day", size=8)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_title(f"SIMULATED market {found['source']}: price in an hour, three symbols", size=9)
    axes.legend(fontsize=7, loc="upper left")
    axes.tick_params(labelsize=7)
    FigureCanvasAgg(figure).print_png(path)  # type: ignore[no-untyped-call]


def _days(daily: list[Json]) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Return the middle of each day, and its skill; NaN where a day is missing."""
    skill = {np.datetime64(row["day"]): row["skill"] for row in daily}
    days = np.arange(min(skill), max(skill) + 1)
    values = [np.nan if skill.get(day) is None else skill[day] for day in days]
    return days.astype("datetime64[h]") + 12, np.array(values, dtype=np.float64)


def _ms(at: str) -> int:
    from market.timeframes import instant_ms

    return instant_ms(at)


def show(found: Json) -> None:
    """Print the timeline."""
    print(f"SIMULATED market {found['source']}; the signal turns round at {found['flip']}")
    for reign in found["reigns"]:
        print(f"  {reign['from']} … {reign['until']}  {reign['recipe']}: {reign['sentence'][:110]}")
    for name, value in found["hours"].items():
        said = value if isinstance(value, bool) else "–" if value is None else f"{value:.0f} h"
        print(f"  {name.replace('_', ' '):24}{said}")


def main() -> None:
    """Run the break and tell it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signal", type=float, default=4.0)
    parser.add_argument("--before", type=float, default=6, help="days of turns before the break")
    parser.add_argument("--after", type=float, default=24, help="days of turns after it")
    parser.add_argument("--days", type=float, default=9, help="of history of a turn")
    parser.add_argument("--backfill", type=float, default=6, help="days before the first turn")
    parser.add_argument("--timeframe", default="1m")
    parser.add_argument("--recipes", default="ridge")
    parser.add_argument("--predict-every", default="3h")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    with nullcontext(given.home) if given.home else tempfile.TemporaryDirectory() as home:
        found = run(given, Path(home))
    if given.json:
        print(json.dumps(found, indent=1))
    else:
        show(found)
    if given.write:
        draw(found)


if __name__ == "__main__":
    main()
