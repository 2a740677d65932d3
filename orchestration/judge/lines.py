"""Lines: what each recipe of a slot said, bar by bar, through its freshest version in service.

A recipe is fitted anew every turn, so no version lives long enough to be judged by its ledger. A
*line* is the succession of a recipe's versions; at each bar it says what its freshest version in
service said. The baseline is a line like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml_pipeline.panel import Panel
from ml_pipeline.scoring import row_losses
from ml_pipeline.tasks import TASKS
from models.common.slot import Slot
from orchestration.judge.events import Heads, as_events
from orchestration.store.records import BACKFILL, FELL, ModelRecord

Floats = NDArray[np.float64]

BASELINE = "baseline"


@dataclass(frozen=True)
class Line:
    """One line's rows on the grid of all bars of a slot, T times by S symbols.

    Attributes
    ----------
    recipe
        Whose line it is; ``baseline`` for that of the naive models.
    loss
        Loss of each bar, float64 [T, S]; NaN where the line said nothing or nothing counts.
    raw
        What it said, float64 [T, S, K]; NaN where it said nothing.
    version
        Index into `Lines.versions` of the version that said it, int32 [T, S]; -1 where none did.
    live
        Whether it was said when the bar closed (and not filled in afterwards), bool [T, S].
    """

    recipe: str
    loss: Floats
    raw: Floats
    version: NDArray[np.int32]
    live: NDArray[np.bool_]

    @property
    def baseline(self) -> bool:
        """Whether it is the line of the slot's baselines."""
        return self.recipe == BASELINE

    @property
    def known(self) -> NDArray[np.bool_]:
        """Bars that were said and whose outcome counts, bool [T, S]."""
        return np.isfinite(self.loss)


@dataclass(frozen=True)
class Lines:
    """Every line of one slot on one grid.

    Attributes
    ----------
    slot
        Where.
    ts
        Opening times, int64 [T] in milliseconds, increasing.
    symbols
        Sorted, S of them.
    versions
        Every version that said something, in order of their names.
    heads
        Head parameters of each of `versions`; events are read as `outcome` has them.
    outcome
        Labels of each bar, float64 [T, S, L]; NaN where unknown or void. Of kinds with events 1
        where one came, as the baseline of that bar calls one (`orchestration.judge.events`).
    lines
        By recipe.
    """

    slot: Slot
    ts: NDArray[np.int64]
    symbols: tuple[str, ...]
    versions: tuple[str, ...]
    heads: Heads
    outcome: Floats
    lines: Mapping[str, Line]

    @property
    def plain(self) -> Line | None:
        """The baseline's line, None where the ledger has none."""
        return self.lines.get(BASELINE)


def recipe_of(model: ModelRecord) -> str:
    """Return the line that a version belongs to."""
    if model.facts.get("baseline"):
        return BASELINE
    return str(model.facts.get("recipe") or model.version.rpartition("_")[2])


def lines_of(
    slot: Slot, rows: pd.DataFrame, models: Mapping[str, ModelRecord], *, whole: bool = False
) -> Lines:
    """Return the lines of a slot, from ledger rows only.

    Of several versions of a recipe at one bar the one that predicted in its time goes before one
    filled in afterwards, and then the freshest. All are scored by one meaning of an event, that of
    the bar's baseline: losses by different events are no pair. What a line said before it fell
    speaks for it no more: its weeks would bring it back the day after.

    Parameters
    ----------
    rows
        As `Store.ledger` returns them; what is not resolved is left out.
    models
        Records of the slot's versions, by version; rows of others are left out.
    whole
        Whether what was said before a fall is told too: for a record, never for a decision.
    """
    own = settled(rows, models)
    own = own if whole else since_fall(own, models)
    version, versions = codes(own["version"])
    of = np.array([recipe_of(models[name]) for name in versions], dtype=object)
    live = (own["role"] != BACKFILL).to_numpy(bool)
    return grid_of(slot, own, models, of[version], (version, live))


def settled(rows: pd.DataFrame, models: Mapping[str, ModelRecord]) -> pd.DataFrame:
    """Return the resolved ledger rows of versions that are registered."""
    return rows[rows["resolved"].to_numpy(bool) & rows["version"].isin(list(models)).to_numpy(bool)]


def since_fall(rows: pd.DataFrame, models: Mapping[str, ModelRecord]) -> pd.DataFrame:
    """Return the rows of each line from the bar on at which a version of it last fell."""
    fell: dict[str, int] = {}
    for model in models.values():
        if (at_ms := model.facts.get(FELL)) is not None:
            line = recipe_of(model)
            fell[line] = max(fell.get(line, 0), int(at_ms))
    if not fell:
        return rows
    begins = {name: fell.get(recipe_of(model), 0) for name, model in models.items()}
    return rows[rows["ts_ms"].to_numpy(np.int64) >= rows["version"].map(begins).to_numpy(np.int64)]


def grid_of(
    slot: Slot,
    rows: pd.DataFrame,
    models: Mapping[str, ModelRecord],
    line: NDArray[Any],
    order: tuple[NDArray[Any], ...],
) -> Lines:
    """Return ledger rows as lines on one grid.

    Parameters
    ----------
    rows
        Of `settled`.
    line
        The line that each row belongs to, str [n].
    order
        Of several rows of a line at one bar the last one counts, by these keys; the last key is
        the first that is looked at, as in `numpy.lexsort`.
    """
    version, versions = codes(rows["version"])
    symbol, symbols = codes(rows["symbol"])
    of, names = codes(pd.Series(line, dtype=object))
    ts, at = np.unique(rows["ts_ms"].to_numpy(np.int64), return_inverse=True)
    last = np.lexsort(order)
    shape = (len(names), len(ts), len(symbols))
    bar = at * len(symbols) + symbol
    place = (of * len(ts) * len(symbols) + bar)[last]
    raw, outcome = matrix(rows, "raw"), matrix(rows, "outcome")
    naive = last[line[last] == BASELINE]
    said = _scatter(shape[1:], bar[naive], version[naive], -1).ravel()
    outcome, heads = as_events(
        outcome, [models[name].facts.get("head") or {} for name in versions], said, bar
    )
    live = (rows["role"] != BACKFILL).to_numpy(bool)
    grid = {
        "loss": _scatter(shape, place, _losses(slot, heads, raw, outcome)[last], np.nan),
        "raw": _scatter((*shape, raw.shape[1]), place, raw[last], np.nan),
        "version": _scatter(shape, place, version[last].astype(np.int32), -1),
        "live": _scatter(shape, place, live[last], False),
    }
    return Lines(
        slot=slot,
        ts=ts,
        symbols=symbols,
        versions=versions,
        heads=heads,
        outcome=_scatter((*shape[1:], outcome.shape[1]), bar, outcome, np.nan),
        lines={
            name: Line(name, **{key: values[k] for key, values in grid.items()})
            for k, name in enumerate(names)
        },
    )


def matrix(rows: pd.DataFrame, prefix: str) -> Floats:
    """Return the columns ``<prefix>_0 …`` of ledger rows as float64 [n, K]."""
    names = [name for name in rows.columns if str(name).startswith(f"{prefix}_")]
    return rows[names].to_numpy(np.float64)


def codes(column: pd.Series[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return each value's place among the sorted different ones, and these."""
    codes, found = pd.factorize(column)
    values = np.asarray(found, dtype=object).astype(str)
    rank = np.argsort(np.argsort(values))
    return rank[codes].astype(np.int64), tuple(np.sort(values).tolist())


def _losses(slot: Slot, heads: Heads, raw: Floats, outcome: Floats) -> Floats:
    """Return the loss of each row; heads share an event, and no loss asks for more of them."""
    if not len(raw):
        return np.empty(0)
    head = heads[-1]
    return row_losses(TASKS[slot.kind], head, raw, as_panel(slot, outcome))


def as_panel(slot: Slot, outcome: Floats) -> Panel:
    """Return outcomes [n, L] as a panel without features: what a task computes its targets from."""
    n = len(outcome)
    return Panel(
        timeframe=slot.timeframe,
        symbols=("",),
        names=(),
        ts=np.zeros(n, dtype=np.int64),
        symbol=np.zeros(n, dtype=np.int16),
        X=np.empty((n, 0), dtype=np.float32),
        close=np.ones(n),
        labels={label: outcome[:, k] for k, label in enumerate(TASKS[slot.kind].target)},
    )


def _scatter(
    shape: tuple[int, ...], place: NDArray[np.int64], values: NDArray[Any], empty: Any
) -> NDArray[Any]:
    """Return a grid of `shape` with `values` at their places, the last one where several meet."""
    width = values.shape[1:]
    cells = int(np.prod(shape[: len(shape) - len(width)]))
    flat = np.full((cells, *width), empty, dtype=values.dtype)
    flat[place] = values
    return flat.reshape(shape)
