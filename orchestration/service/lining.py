"""The ledger of a slot's lines in a turn: begun with the holdout of a first version, and judged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd

from market.timeframes import DAY_MS
from models.common.slot import Slot
from orchestration import engine
from orchestration.judge.lines import BASELINE, lines_of, recipe_of
from orchestration.judge.verdicts import Standing, standings
from orchestration.lifecycle.gates import Incumbent
from orchestration.lifecycle.state import champion_in_store
from orchestration.service.arena import Arena, Entrant, said
from orchestration.service.data import read_candles
from orchestration.service.refs import Dataset, Json, TurnRef
from orchestration.service.resources import source_of, store_of
from orchestration.settings import Settings
from orchestration.store.errors import UnknownModel
from orchestration.store.records import BACKFILL


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
    going_on = {_line(entrant) for entrant in entrants}
    champion = incumbent.line if incumbent else None
    return standings_at(turn.settings, slot, turn.at_ms, champion, going_on)


def standings_at(
    settings: Settings,
    slot: Slot,
    at_ms: int,
    champion: str | None,
    speaking: Collection[str] = (),
    days: float | None = None,
) -> dict[str, Standing]:
    """Return how the lines of a slot stood at a moment; `champion` and `speaking` are lines.

    By the last `days` of the ledger, by default those that count.
    """
    store, gates = store_of(settings), settings.gates
    since = at_ms - int((gates.window_days if days is None else days) * DAY_MS)
    rows = store.ledger(slot.key, since_ms=since, until_ms=at_ms)
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    lines = lines_of(slot, rows, models)
    seed, level = settings.seed, gates.confidence_set
    return standings(lines, champion, seed, level, gates.ledger_days, speaking)


def by_ledger(settings: Settings, slot: Slot, version: str, at_ms: int) -> Json | None:
    """Return what the ledger says of a version's line, None where it has no verdict on it yet.

    Returns
    -------
    dict
        ``line``, ``skill``, ``lower``, ``upper``, ``z``, ``n``, ``days``, ``z_champion`` against
        the line in service; ``sure_lower`` and ``sure_z_champion`` as gates ask them, and
        ``worse``: that z is at most the gate `z_refresh`.
    """
    store = store_of(settings)
    try:
        line = recipe_of(store.get_model(f"{slot.key}/{version}"))
    except UnknownModel:
        return None
    serving = champion_in_store(store, slot)
    found = standings_at(settings, slot, at_ms, recipe_of(serving) if serving else None).get(line)
    if found is None or found.lower is None:
        return None
    verdict = ("skill", "lower", "upper", "z", "n", "days", "z_champion")
    names = (*verdict, "sure_lower", "sure_z_champion")
    z = found.sure_z_champion
    worse = z is not None and z <= settings.gates.z_refresh
    return {"line": line, **{name: getattr(found, name) for name in names}, "worse": worse}
