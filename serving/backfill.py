"""`tidewheel backfill`: a progress bar while folds are fitted, and a table of lines at the end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from market.errors import BadTimeframe
from market.timeframes import parse_timeframe, timeframe_ms
from orchestration.service.errors import BadFolds
from orchestration.settings import Settings
from serving import console

Json = dict[str, Any]
USUAL_DAYS = 14.0
_HOUR_MS = 3_600_000
_COLUMNS: Mapping[str, Any] = {
    "line": "left",
    "folds": "right",
    "rows": "right",
    "skill": "right",
    "95 % interval": "right",
    "z": "right",
    "days": "right",
}


def hours_of(every: str) -> float:
    """Return the hours of a fold written like ``12h`` or ``1d``.

    Raises
    ------
    BadFolds
        It is not written so.
    """
    try:
        return timeframe_ms(parse_timeframe(every)) / _HOUR_MS
    except BadTimeframe as error:
        raise BadFolds(f"--every {every!r} is no length of a fold; write it like 12h") from error


def run(settings: Settings, now: datetime | str | None, days: float | None, every: str) -> Json:
    """Fill in with a progress bar on stderr; return what `backfill` does."""
    # Only now: it brings all that fits models.
    from orchestration.service.backfill import backfill

    asked = settings.backfill_days or USUAL_DAYS if days is None else days
    hours, moment = hours_of(every), datetime.now(UTC) if now is None else now
    columns = (
        TextColumn("{task.description:<44}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console.progress_console()) as bar:
        task = bar.add_task("candles and features", total=None)

        def tell(done: int, total: int, last: str) -> None:
            bar.update(task, total=total, completed=done, description=last)

        return backfill(settings, moment, asked, hours, tell)


def show(found: Mapping[str, Any]) -> None:
    """Print each line's folds, rows and skill; what was left out, and what failed."""
    market = "SIMULATED market" if found["simulated"] else found["source_name"]
    made = console.table(
        f"{found['scope']} {found['timeframe']} before {found['at']} · {market}",
        "predicted after the fact by fits that knew nothing of the bar; skill over the baseline's "
        "line on the same bars",
    )
    for name, justify in _COLUMNS.items():
        made.add_column(name, justify=justify, no_wrap=True)
    for row in found["lines"]:
        made.add_row(*_cells(row))
    console.show(made)
    for said in found["left_out"]:
        console.show(f"[yellow]left out[/yellow] {escape(said)}")
    for failure in found["failures"]:
        console.show(f"[red]{escape(failure['subject'])}:[/red] {escape(failure['message'])}")
    console.show(f"{found['fitted']} folds fitted, {len(found['failures'])} failed")


def _cells(row: Mapping[str, Any]) -> list[str]:
    judged = row["skill"] is not None
    return [
        f"{row['kind']}/{row['recipe']}",
        f"{row['folds']:,}",
        f"{row['rows']:,}",
        f"{100 * row['skill']:+.2f} %" if judged else "",
        f"{100 * row['lower']:+.2f} … {100 * row['upper']:+.2f} %" if judged else "",
        f"{row['z']:+.2f}" if judged else "",
        f"{row['days']:.1f}",
    ]
