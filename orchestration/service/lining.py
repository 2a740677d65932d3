"""The ledger of a slot's lines in a turn: begun with the holdout of a first version, and judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from market.timeframes import DAY_MS
from models.common.slot import Slot
from orchestration import engine
from orchestration.judge.lines import BASELINE, lines_of, recipe_of
from orchestration.judge.verdicts import Standing, standings
from orchestration.lifecycle.gates import Incumbent
from orchestration.service.arena import Arena, Entrant, said
from orchestration.service.data import read_candles
from orchestration.service.refs import Dataset, TurnRef
from orchestration.service.resources import source_of, store_of
from orchestration.store.records import BACKFILL, ModelRecord


def begin_lines(turn: TurnRef, data: Dataset, arena: Arena, fresh: Sequence[Entrant]) -> int:
    """Let lines that have no ledger begin it with the holdout of their first version.

    None of its rows was fitted on, so they are as good as any that were predicted in their time;
    they are kept apart from those by the role ``backfill``. Repeated it changes nothing.

    Returns
    -------
    int
        Rows that are new.
    """
    slot, store = arena.slot, store_of(turn.settings)
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    mine = {entrant.version for entrant in fresh}
    serving = {recipe_of(m) for m in engine.in_service(store, slot) if m.version not in mine}
    if all(_line(entrant) in serving for entrant in fresh):
        return 0
    rows = store.ledger(slot.key, since_ms=arena.start_ms)
    others = set(rows["version"].unique()) - mine
    begun = serving | {
        recipe_of(models[version])
        for version in others
        if version in models and not models[version].facts.get(BACKFILL)  # no turn's, but a fold's
    }
    new = 0
    for entrant in fresh:
        if entrant.faults or _line(entrant) in begun or not len(arena.rows):
            continue
        simulated = source_of(turn.settings).simulated
        facts = {"recipe": entrant.recipe, "baseline": entrant.baseline, "simulated": simulated}
        known = {"head": dict(entrant.head), "turn_id": turn.turn_id}
        store.register_model(slot.key, entrant.version, **facts, **known)
        frame = pd.DataFrame(
            {
                "symbol": np.asarray(arena.rows.symbols, dtype=object)[arena.rows.symbol],
                "ts_ms": np.asarray(arena.rows.ts),
                "raw": said(entrant).tolist(),
            }
        )
        new += store.add_predictions(slot.key, entrant.version, BACKFILL, frame, made_ms=turn.at_ms)
    if mine & set(rows["version"].unique()) or new:
        candles = read_candles(turn, data.symbols)
        engine.resolve(store, slot, candles, arena.start_ms, turn.at_ms)
    return new


def _line(entrant: Entrant) -> str:
    return BASELINE if entrant.baseline else entrant.recipe


def line_standings(
    turn: TurnRef, slot: Slot, incumbent: Incumbent | None, entrants: Iterable[Entrant]
) -> dict[str, Standing]:
    """Return how every line of a slot stands by the last days of its ledger.

    Parameters
    ----------
    entrants
        Whose lines go on: those of recipes that are archived, or compete no more, are still told
        of, but no longer compared in the confidence set.
    """
    store, gates = store_of(turn.settings), turn.settings.gates
    since = turn.at_ms - int(gates.window_days * DAY_MS)
    rows = store.ledger(slot.key, since_ms=since, until_ms=turn.at_ms)
    models: dict[str, ModelRecord] = {
        model.version: model for model in store.list_models(slot_key=slot.key)
    }
    lines = lines_of(slot, rows, models)
    champion = incumbent.line if incumbent else None
    seed, level = turn.settings.seed, gates.confidence_set
    going_on = {_line(entrant) for entrant in entrants}
    return standings(lines, champion, seed, level, gates.ledger_days, going_on)
