"""What a back-fill came to: each line's folds, rows, and skill over the baseline's line."""

from __future__ import annotations

from market.timeframes import DAY_MS, timeframe_ms
from ml_pipeline.errors import JudgingError
from ml_pipeline.skill import judge
from ml_pipeline.tasks import TASKS
from orchestration.judge.lines import BASELINE, Line, Lines, lines_of, recipe_of
from orchestration.service.folding import IS_FOLD, Plan
from orchestration.service.refs import Json, TurnRef
from orchestration.service.resources import store_of

_NOTHING: Json = {"skill": None, "lower": None, "upper": None, "z": None}


def line_rows(turn: TurnRef, made: Plan) -> list[Json]:
    """Return one row for each line with back-filled bars in the window of a plan.

    Returns
    -------
    list of dict
        ``kind``, ``recipe``, ``folds``, ``rows`` (of them, with an outcome that counts), ``days``
        (that they cover), ``skill``, ``lower``, ``upper``, ``z`` over the baseline's line on the
        same bars; None for the baseline itself and where there are too few.
    """
    store, slot = store_of(turn.settings), turn.slot(made.kind)
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    folds = {version: model for version, model in models.items() if model.facts.get(IS_FOLD)}
    rows = store.ledger(slot.key, since_ms=made.since_ms, until_ms=made.until_ms)
    own = rows[rows["version"].isin(folds.keys())]
    lines = lines_of(slot, own, folds)
    counts: dict[str, int] = {}
    for version in set(own["version"]):
        name = recipe_of(folds[version])
        counts[name] = counts.get(name, 0) + 1
    names = sorted(lines.lines, key=lambda name: (name != BASELINE, name))
    return [_row(made.kind, lines, lines.lines[name], counts[name], turn) for name in names]


def _row(kind: str, lines: Lines, line: Line, folds: int, turn: TurnRef) -> Json:
    known = line.known
    times = known.any(axis=1).sum()
    row: Json = {
        "kind": kind,
        "recipe": line.recipe,
        "folds": folds,
        "rows": int(known.sum()),
        "days": round(float(times) * _bar_days(turn), 3),
        **_NOTHING,
    }
    plain = lines.plain
    if line.baseline or plain is None:
        return row
    ts = lines.ts.repeat(len(lines.symbols))
    symbol = list(range(len(lines.symbols))) * len(lines.ts)
    horizon = TASKS[kind].horizon_bars(turn.settings.timeframe)
    seed = turn.settings.seed
    try:
        verdict = judge(ts, symbol, line.loss.ravel(), plain.loss.ravel(), horizon, seed)
    except JudgingError:
        return row
    found = verdict.as_dict()
    return row | {name: found[name] for name in _NOTHING}


def _bar_days(turn: TurnRef) -> float:
    return timeframe_ms(turn.settings.timeframe) / DAY_MS
