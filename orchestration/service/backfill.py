"""Back-fill: what the recipes would have said before their ledger began, walked forward.

A ledger that has just begun can prove nothing. Here each line is given the days before it: folds of
twelve hours, each predicted by a fit that knew nothing of them, stored as rows of role `backfill`
and never counted as served. Fits run beside each other in warm child processes on one panel on
disk; what is stored does not depend on how many there are. Each fold is finished by itself, so a
back-fill that was killed goes on where it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd

from market.timeframes import DAY_MS, timeframe_ms, utc
from ml_pipeline.isolated import run_beside
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import BASELINE
from ml_pipeline.walk_forward import HOUR_MS, Forecast, forecast_saved
from models.common.errors import ModelError
from models.common.heads import make_head
from orchestration import engine
from orchestration.service.beginning import refuse_other_market, turn_at
from orchestration.service.data import (
    competition_of,
    horizon_of,
    long_panel,
    panel_is_there,
    read_candles,
    split_of,
    start_ms,
)
from orchestration.service.errors import BadFolds
from orchestration.service.filled import line_rows
from orchestration.service.folding import (
    FILLED,
    ROWS,
    Piece,
    Plan,
    Window,
    facts_of,
    opening,
    plan,
)
from orchestration.service.refs import BackFilled, Dataset, Failure, Fits, Json, TurnRef
from orchestration.service.resources import source_of, store_of
from orchestration.service.work import Work, once, turn_lock
from orchestration.settings import Settings
from orchestration.store.records import BACKFILL

HOURS = 12.0
"""Length of a fold in turns: that of the time between two of them."""

MOST_DAYS = 3650
STAGE = "back_fill"
Tell = Callable[[int, int, str], None]
"""Called with folds done, folds in all, and the one that ended last."""


def _silent(done: int, total: int, last: str) -> None:
    pass


def backfill(
    settings: Settings,
    now: datetime | str | int,
    days: float,
    hours: float = HOURS,
    tell: Tell = _silent,
) -> Json:
    """Fill in what the ledger of every line lacks in the `days` days before it began.

    Asked again it does what is left, which may be nothing.

    Parameters
    ----------
    settings
        Home, market, symbols, kinds, recipes, seed and workers.
    now
        The moment of the turn that is prepared for: a line without a ledger is filled up to where
        the holdout of that turn opens.
    days, hours
        How far back, and how long a fold is: a whole number of bars.
    tell
        Told of each fold that ends.

    Returns
    -------
    dict
        ``at``, ``days``, ``hours``, ``simulated``, ``source_name``, ``fitted`` (folds), ``lines``
        (see `orchestration.service.filled.line_rows`), ``left_out`` (sentences), ``failures``.

    Raises
    ------
    BadFolds
        A fold is no whole number of bars, or there are none.
    TurnRunning
        A turn runs in the same home.
    OtherMarket
        The home's ledger is of another market.
    MarketError, TurnFailed
        No candles, or none with all features.
    """
    _refuse_folds(settings, days, hours)
    with turn_lock(settings):
        turn = turn_at(settings, now)
        refuse_other_market(turn)
        # A folder of its own: a turn of the same moment may be half done.
        turn = replace(turn, turn_id=f"back-fill_{turn.scope}_{settings.timeframe}")
        data = long_panel(turn, settings.symbols, first_row_ms(turn, days, hours))
        plans = [
            plan(
                Window(turn, kind, opening(turn, kind), _first(data), days, hours),
                _competing(turn, kind),
            )
            for kind in settings.kinds
        ]
        failures = walk(turn, plans, data, tell)
        lines = [row for made in plans for row in line_rows(turn, made)]
        shutil.rmtree(turn.folder, ignore_errors=True)
    source = source_of(settings)
    return {
        "at": turn.at.isoformat(),
        "days": days,
        "hours": hours,
        "simulated": source.simulated,
        "source_name": source.name,
        "scope": turn.scope,
        "timeframe": settings.timeframe,
        "fitted": sum(len(made.pieces) for made in plans) - len(failures),
        "lines": lines,
        "left_out": [said for made in plans for said in made.left_out],
        "failures": [
            {"stage": f.stage, "subject": f.subject, "error": f.error, "message": f.message}
            for f in failures
        ],
    }


def fill_kind(turn: TurnRef, kind: str, data: Dataset, fits: Fits) -> BackFilled:
    """Fill in what the lines of one kind lack, inside a turn that has fitted them.

    A line without a ledger is filled up to where the holdout of this turn opens. Folds that fail
    are recorded with the turn.

    Raises
    ------
    MarketError
        The candles of those days cannot be fetched.
    """
    days = turn.settings.backfill_days

    def make() -> Dataset:
        return long_panel(turn, data.symbols, first_row_ms(turn, days))

    opens = split_of(turn, Panel.load(data.folder), kind).holdout.start_ms
    window = Window(turn, kind, opens, first_row_ms(turn, days), days, HOURS)
    names = [version.recipe for version in fits.versions]
    made, failures = plan(window, names), list[Failure]()
    if made.pieces:  # as far as the days go; now as far as the history does
        long = once(turn, "long_panel", "", Dataset, make, panel_is_there)
        made = plan(replace(window, first_ms=_first(long)), names)
        failures = walk(turn, [made], long)
    for failure in failures:
        Work(turn.folder).fail(failure)
    folds, rows = count(turn, made)
    said = f"{folds} folds, {rows:,} rows filled in"
    if failures:
        said += f", {len(failures)} failed"
    said = "; ".join([said, *made.left_out])
    return BackFilled(kind, folds, rows, len(failures), made.left_out, said)


def first_row_ms(turn: TurnRef, days: float, hours: float = HOURS) -> int:
    """Return the first bar of the panel: the oldest fold sees as much history as a turn does.

    It lies on the folds' own clock: asked again within a fold, it is the same.
    """
    length = int(hours * HOUR_MS)
    return (start_ms(turn) - int(days * DAY_MS)) // length * length


def walk(
    turn: TurnRef, plans: Iterable[Plan], data: Dataset, tell: Tell = _silent
) -> list[Failure]:
    """Fit and store all folds that are lacking, the longest first; return those that failed."""
    plans, settings = list(plans), turn.settings
    pieces = sorted((p for made in plans for p in made.pieces), key=lambda piece: piece.cost)
    jobs = [(p.recipe or p.kind, data.folder, p.fold, p.split, settings.seed) for p in pieces]
    answers = run_beside(
        forecast_saved, jobs, workers=settings.workers, timeout_s=settings.fit_timeout_s
    )
    failures = []
    with closing(answers):
        candles = read_candles(turn, data.symbols, _before(turn, pieces))
        for done, (place, answer) in enumerate(answers, start=1):
            piece = pieces[place]
            error = answer if isinstance(answer, BaseException) else _fault(piece, answer)
            if error is not None:
                failures.append(_failure(piece, error))
            elif isinstance(answer, Forecast):
                _store(turn, piece, answer, data)
                _resolve(turn, piece, candles)
                _finish(turn, piece, len(answer.ts))
            tell(done, len(pieces), f"{piece.kind} {piece.version}")
    return failures


def _fault(piece: Piece, found: Forecast) -> ModelError | None:
    """Return what is wrong with a forecast, whatever its skill."""
    try:
        make_head(piece.kind, found.fitted.head).check(found.raw)
    except ModelError as error:
        return error
    return None


def _store(turn: TurnRef, piece: Piece, found: Forecast, data: Dataset) -> None:
    """Register a fold's version and store its rows."""
    store, slot_key = store_of(turn.settings), turn.slot(piece.kind).key
    facts = facts_of(piece, found.fitted.head, found.fitted.facts)
    facts["simulated"] = source_of(turn.settings).simulated
    facts["data_hash"] = data.data_hash
    store.register_model(slot_key, piece.version, status="archived", **facts)
    frame = pd.DataFrame(
        {
            "symbol": np.asarray(data.symbols, dtype=object)[found.symbol],
            "ts_ms": found.ts,
            "raw": found.raw.tolist(),
        }
    )
    store.add_predictions(slot_key, piece.version, BACKFILL, frame, made_ms=turn.at_ms)


def _resolve(turn: TurnRef, piece: Piece, candles: Mapping[str, pd.DataFrame]) -> None:
    """Store what came of a fold's bars, where no other line's fold has done so."""
    step, fold = timeframe_ms(turn.settings.timeframe), piece.fold
    known = fold.end_ms + horizon_of(turn, piece.kind) * step
    near = {
        symbol: frame.loc[utc(fold.start_ms - DAY_MS) : utc(known - step)]
        for symbol, frame in candles.items()
    }
    slot = turn.slot(piece.kind)
    engine.resolve(store_of(turn.settings), slot, near, fold.start_ms, known)


def _finish(turn: TurnRef, piece: Piece, rows: int) -> None:
    """Note that a fold is done: only now is it not fitted again."""
    done = {FILLED: piece.fold.end_ms, ROWS: rows}
    store_of(turn.settings).register_model(turn.slot(piece.kind).key, piece.version, **done)


def count(turn: TurnRef, made: Plan) -> tuple[int, int]:
    """Return how many folds of a plan are finished now, and how many rows they have."""
    wanted = {*made.done, *(piece.version for piece in made.pieces)}
    models = store_of(turn.settings).list_models(slot_key=turn.slot(made.kind).key)
    rows = [int(m.facts[ROWS]) for m in models if m.version in wanted and ROWS in m.facts]
    return len(rows), sum(rows)


def _before(turn: TurnRef, pieces: Sequence[Piece]) -> int:
    """Return by how many milliseconds candles must begin before the turn's own."""
    first = min((piece.fold.start_ms for piece in pieces), default=turn.at_ms)
    return max(start_ms(turn) - first, 0) + DAY_MS


def _failure(piece: Piece, error: BaseException) -> Failure:
    subject = f"{piece.kind}-{piece.version}"
    return Failure(STAGE, subject, type(error).__name__, str(error) or repr(error))


def _competing(turn: TurnRef, kind: str) -> list[str]:
    return [BASELINE, *(recipe.name for recipe in competition_of(turn, kind).recipes)]


def _first(data: Dataset) -> int:
    return int(Panel.load(data.folder).ts[0])


def _refuse_folds(settings: Settings, days: float, hours: float) -> None:
    if not 0 < days <= MOST_DAYS:
        raise BadFolds(f"{days:g} days cannot be filled in; give 0.5 to {MOST_DAYS}")
    length, step = hours * HOUR_MS, timeframe_ms(settings.timeframe)
    if length < step or length % step:
        raise BadFolds(
            f"a fold of {hours:g} hours is no whole number of bars of {settings.timeframe}; "
            "12h is usual"
        )
    if days * DAY_MS < length:
        raise BadFolds(f"{days:g} days hold no fold of {hours:g} hours; give more days")
