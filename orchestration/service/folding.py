"""Which folds the ledger of a line lacks, and how each of them is to be fitted.

A line's ledger begins with the bars that its first version had not seen. Before them a walk forward
fills in what the recipe would have said: folds that start at midnight and noon, each fitted on the
slices of a turn whose holdout opens with the fold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from market.timeframes import DAY_MS, utc
from ml_pipeline.competing import shared_split
from ml_pipeline.errors import SplitError
from ml_pipeline.recipe_table import RECIPES
from ml_pipeline.recipes import BASELINE, Recipe
from ml_pipeline.splits import TurnSplit
from ml_pipeline.walk_forward import Fold, clock_folds, fold_split
from models.common.slot import version_name
from orchestration.engine import SERVES_FROM
from orchestration.judge.lines import recipe_of as line_of
from orchestration.service.data import competition_of, horizon_of, start_ms
from orchestration.service.refs import TurnRef
from orchestration.service.resources import store_of
from orchestration.service.staging import recipe_of
from orchestration.store.records import ModelRecord
from orchestration.store.store import Store

FILLED, ROWS = "filled_to_ms", "filled_rows"
"""Facts of a fold's version that is finished: the end of its bars, epoch ms, and their number."""

IS_FOLD = "backfill"
"""Fact of a version that a fold left: no bundle, not in MLflow, never in service."""

Days = tuple[float, float, float]


@dataclass(frozen=True)
class Piece:
    """One fold of one line that is still to be fitted; the baseline's has no recipe."""

    kind: str
    name: str
    recipe: Recipe | None
    fold: Fold
    split: TurnSplit
    version: str

    @property
    def cost(self) -> tuple[float, int, int]:
        """What to sort by, so that the longest fits come first."""
        table = [recipe.name for recipe in RECIPES[self.kind]]
        place = table.index(self.name) if self.name in table else len(table)
        return -self.split.train.days * (self.recipe is not None), place, -self.fold.start_ms


@dataclass(frozen=True)
class Plan:
    """What a kind's lines lack.

    Attributes
    ----------
    pieces
        Folds to fit.
    done
        Rows of each version that is finished already.
    left_out
        A sentence for what cannot be fitted.
    since_ms, until_ms
        Bars that are looked at, by opening time.
    """

    kind: str
    pieces: tuple[Piece, ...]
    done: Mapping[str, int]
    left_out: tuple[str, ...]
    since_ms: int
    until_ms: int


@dataclass(frozen=True)
class Window:
    """Which bars of a kind are to be filled in, and with what folds.

    Attributes
    ----------
    turn, kind
        Whose slot, and the settings that say how much a turn learns from.
    opens_ms
        Where the ledger of a line begins that has none yet: where the holdout of its first version
        opens.
    first_ms
        Opening time of the first row that can be learnt from.
    days, hours
        How far back, and how long a fold is.
    """

    turn: TurnRef
    kind: str
    opens_ms: int
    first_ms: int
    days: float
    hours: float

    @property
    def since_ms(self) -> int:
        """Opening time of the first bar."""
        return self.opens_ms - int(self.days * DAY_MS)


def opening(turn: TurnRef, kind: str) -> int:
    """Return where the holdout of a turn opens whose history is as long as was asked for."""
    longest = competition_of(turn, kind).train_days
    split = shared_split(kind, turn.settings.timeframe, start_ms(turn), turn.at_ms, longest)
    return split.holdout.start_ms


def days_of(turn: TurnRef, kind: str, recipe: Recipe | None) -> Days:
    """Return the days of training, calibration and selection that a turn gives to a recipe."""
    longest = competition_of(turn, kind).train_days
    own = recipe.train_days if recipe else None
    timeframe = turn.settings.timeframe
    split = shared_split(kind, timeframe, start_ms(turn), turn.at_ms, longest, own)
    return split.train.days, split.calibration.days, split.selection.days


def plan(window: Window, names: Sequence[str]) -> Plan:
    """Return the folds that the lines called `names` (recipes, and ``baseline``) lack."""
    store, slot = store_of(window.turn.settings), window.turn.slot(window.kind)
    records = {record.version: record for record in store.list_models(slot_key=slot.key)}
    pieces: list[Piece] = []
    done: dict[str, int] = {}
    left_out: list[str] = []
    for name in names:
        begins = _begins(store, window, name, records)
        found = _line(window, name, begins, records)
        pieces += found[0]
        done |= found[1]
        left_out += found[2]
    return Plan(window.kind, tuple(pieces), done, tuple(left_out), window.since_ms, window.opens_ms)


def _line(
    window: Window, name: str, begins_ms: int, records: Mapping[str, ModelRecord]
) -> tuple[list[Piece], dict[str, int], list[str]]:
    """Return the folds that one line lacks, rows of those it has, and what is said of others."""
    kind, recipe = window.kind, recipe_of(window.kind, name)
    days, timeframe = days_of(window.turn, kind, recipe), window.turn.settings.timeframe
    pieces, done, short, said = [], {}, [], []
    for fold in clock_folds(window.since_ms, begins_ms, window.hours):
        version = version_name(utc(fold.start_ms).to_pydatetime(), timeframe, name)
        facts = records[version].facts if version in records else {IS_FOLD: True}
        if not facts.get(IS_FOLD):
            said.append(f"{kind}: {version} is a version of a turn, and stays so")
        elif int(facts.get(FILLED, 0)) >= fold.end_ms:
            done[version] = int(facts[ROWS])
        elif (split := _split(window, recipe, fold, days)) is None:
            short.append(fold)
        else:
            pieces.append(Piece(kind, name, recipe, fold, split, version))
    if short:
        end = utc(short[-1].end_ms)
        said.append(
            f"{kind}/{name}: {len(short)} folds before {end:%Y-%m-%d %H:%M} UTC have too little "
            "history"
        )
    return pieces, done, said


def _split(window: Window, recipe: Recipe | None, fold: Fold, days: Days) -> TurnSplit | None:
    """Return the slices of a fold, None where its history is too short.

    A recipe longer than its kind's shortest takes part with its whole window or not at all, as in a
    turn: on less it would be another recipe under its name.
    """
    timeframe, horizon = window.turn.settings.timeframe, horizon_of(window.turn, window.kind)
    try:
        split = fold_split(fold, window.first_ms, timeframe, horizon, days)
    except SplitError:
        return None
    shortest = min(other.train_days for other in RECIPES[window.kind])
    whole = recipe is None or recipe.train_days == shortest or split.shrunk == 1
    return split if whole else None


def _begins(store: Store, window: Window, name: str, records: Mapping[str, ModelRecord]) -> int:
    """Return the first bar in a line's own ledger, or `opens_ms` where that is earlier or none.

    Where a version came into service before the window, nothing can be lacking in it.
    """
    own = [
        record
        for _, record in sorted(records.items())
        if not record.facts.get(IS_FOLD) and line_of(record) == name
    ]
    serving = [int(r.facts[SERVES_FROM]) for r in own if r.facts.get(SERVES_FROM) is not None]
    if serving and min(serving) <= window.since_ms:
        return window.since_ms
    for record in own:  # the first that said anything began the line
        rows = store.ledger(record.slot_key, record.version, until_ms=window.opens_ms)
        if len(rows):
            return int(rows["ts_ms"].min())
    return window.opens_ms


def facts_of(piece: Piece, head: Mapping[str, Any], fit: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the store keeps of a fold's version, before its rows are there."""
    return {
        IS_FOLD: True,
        "recipe": piece.name,
        "baseline": piece.name == BASELINE,
        "head": dict(head),
        SERVES_FROM: piece.fold.start_ms,
        "trained_through": utc(piece.split.trained_through_ms).isoformat(),
        "shrunk": piece.split.shrunk,
        "fit": dict(fit),
    }
