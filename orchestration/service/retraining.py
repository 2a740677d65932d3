"""Retraining: recipes that were flagged compete in variants, and what comes of it ends the flag."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ml_pipeline.errors import JudgingError, LearningError
from ml_pipeline.fit import Fitted
from ml_pipeline.panel import Panel
from ml_pipeline.recipes import BASELINE, Recipe, named
from ml_pipeline.trials import search_key
from ml_pipeline.workplace import Workplace
from models.common.errors import BadName
from models.common.slot import Slot, version_name
from orchestration.ensembles import ENSEMBLE
from orchestration.judge.lines import recipe_of as line_of
from orchestration.lifecycle.calibrated import miscalibrated
from orchestration.lifecycle.gates import unproven
from orchestration.service.data import split_of
from orchestration.service.judging import contender
from orchestration.service.refs import Dataset, Decided, Fit, Fits, Json, Judged, TurnRef
from orchestration.service.resources import store_of
from orchestration.service.staging import (
    is_sound,
    load_fitted,
    save_fitted,
    without_clock,
    workplace,
)
from orchestration.service.work import once
from orchestration.store.errors import RecordError
from orchestration.store.store import Store

PLAIN = "plain refit"
"""What the facts of a retrained version call the recipe as it was."""

KEPT = ("champion", "challenger")
"""Statuses of a retrained version that has passed the gates: in service, and proven."""


_OTHER_SCOPES = 8  # turns of other symbols may lie between


@dataclass(frozen=True)
class Wish:
    """An open flag, and what it means.

    Attributes
    ----------
    name, reason, raised_at
        As the flag says.
    slot_key, recipe
        What to retrain; every recipe of the slot where `recipe` is None, and nothing that is known
        where `slot_key` is None.
    """

    name: str
    reason: str
    raised_at: datetime
    slot_key: str | None
    recipe: str | None = None


def wishes(store: Store) -> list[Wish]:
    """Return the open flags, the longest waiting first."""
    found = []
    for flag in store.list_flags():
        if flag.cleared_at is None:
            slot_key, recipe = meaning(store, flag.name)
            found.append(Wish(flag.name, flag.reason, flag.raised_at, slot_key, recipe))
    return found


def meaning(store: Store, name: str) -> tuple[str | None, str | None]:
    """Return slot and recipe that a flag's name stands for.

    A version means its recipe; a version of the baseline or of the ensemble, which is composed anew
    each turn of what is fitted, or the name of a slot means all recipes of the slot.
    """
    try:
        return Slot.parse(name).key, None
    except BadName:
        pass
    try:
        model = store.get_model(name)
    except RecordError:
        return None, None
    recipe = line_of(model)
    named = name in (model.version, model.key, model.name)
    return model.slot_key, recipe if named and recipe not in (BASELINE, ENSEMBLE) else None


def wanted(turn: TurnRef, kind: str) -> dict[str | None, tuple[str, ...]]:
    """Return what was flagged in a slot before the turn began: names of flags by recipe.

    What was retrained in the last turns without success rests (setting `retrain_rest_turns`).
    """
    store = store_of(turn.settings)
    begun = store.get_turn(turn.turn_id).started_at
    own = [wish for wish in wishes(store) if wish.slot_key == turn.slot(kind).key]
    due = [wish for wish in own if wish.raised_at < begun]
    resting = _resting(turn, kind) if due else set()
    found: dict[str | None, tuple[str, ...]] = {}
    for wish in due:
        if wish.name not in resting:
            found[wish.recipe] = (*found.get(wish.recipe, ()), wish.name)
    return found


def flags_of(asked: Mapping[str | None, tuple[str, ...]], recipe: str) -> tuple[str, ...]:
    """Return the flags that ask for a recipe: its own, and those of the whole slot."""
    return (*asked.get(recipe, ()), *asked.get(None, ()))


def _resting(turn: TurnRef, kind: str) -> set[str]:
    """Return the flags whose retraining failed in the last turns of this scope."""
    turns = turn.settings.retrain_rest_turns
    suffix = turn.turn_id.partition("_")[2]
    last = store_of(turn.settings).list_turns(_OTHER_SCOPES * (turns + 1))
    past = (one for one in last if one.turn_id != turn.turn_id)
    same = [t for t in past if t.turn_id.partition("_")[2] == suffix and t.done][:turns]
    slots = [slot for one in same for slot in one.summary.get("slots", ()) if slot["kind"] == kind]
    tried = [done for slot in slots for done in slot.get("retrained", ())]
    return {name for done in tried if not done["kept"] for name in done["flags"]}


def retrain_one(turn: TurnRef, kind: str, plain: Fit, data: Dataset) -> Fit:
    """Let a recipe's variants compete with its plain refit; return the fit that is the candidate.

    It is kept by itself, as each fit is. A variant that wins takes the refit's place under the name
    of its version; it has to pass the same gates as any candidate.
    """
    return once(
        turn, "fits", f"{kind}-{plain.recipe}-retrained", Fit,
        lambda: _retrain(turn, kind, plain, data), is_sound,
    )  # fmt: skip


def _retrain(turn: TurnRef, kind: str, plain: Fit, data: Dataset) -> Fit:
    started = time.perf_counter()
    found = load_fitted(plain.folder)
    try:
        fitted, facts = _compete(turn, kind, plain.recipe, data)
    except (LearningError, JudgingError) as error:
        # The plain refit is there all the same, and the verdict goes on with it.
        fitted, facts = None, {"retrained": {"variant": PLAIN, "tried": [], "why": str(error)}}
    found = fitted or replace(found, facts=found.facts | facts)
    version = version_name(turn.at, turn.settings.timeframe, plain.recipe)
    folder = turn.folder / "fits" / kind / "retrained" / version
    save_fitted(folder, found)
    # As of any fit in a replay, the clock says nothing.
    seconds = 0.0 if turn.settings.moment else time.perf_counter() - started
    spent = round(plain.seconds + seconds, 3)
    return Fit(version, plain.recipe, False, str(folder), found.parity, spent)


def _compete(turn: TurnRef, kind: str, name: str, data: Dataset) -> tuple[Fitted | None, Json]:
    """Return the fit of the variant that won, None where the plain refit did, and the facts."""
    # Only now: they import Optuna, which takes half a second.
    from ml_pipeline.tuning import Search
    from ml_pipeline.variants import refit_best, variants_of

    settings, recipe, panel = turn.settings, named(name, kind), Panel.load(data.folder)
    own, whole = split_of(turn, panel, kind, recipe.train_days), split_of(turn, panel, kind)

    def bench(one: Recipe) -> Workplace:
        return workplace(turn, kind, one, panel, data)

    search = Search(
        seconds=settings.retrain_seconds,
        seed=settings.seed,
        path=turn.folder / "tuning" / f"{kind}-{name}-retrained.json",
        key=search_key(recipe, panel, own, settings.seed),
    )
    if settings.moment is not None:
        search = without_clock(search)
    others = variants_of(recipe, own, whole, tuned=settings.retrain_seconds > 0)
    return refit_best(recipe, others, bench, search)


def told(fit: Fit, flags: Iterable[str]) -> Json:
    """Return what the turn's report says of a retrained recipe before it was judged."""
    facts = load_fitted(fit.folder).facts["retrained"]
    return {"recipe": fit.recipe, "version": fit.version, "flags": list(flags), **facts}


def settle(turn: TurnRef, fits: Fits, decided: Decided, judged: Judged) -> tuple[Json, ...]:
    """End the flags whose retraining was kept; say of the others why they stay.

    Kept is what serves, or is proven and serves in shadow: the version before it of the same recipe
    is superseded with it. Proven by its line's ledger; or by its own holdout, for the ledger still
    holds the days that it was flagged for. Anything else leaves the flag open, with the reason, and
    the recipe rests before it is tried again.
    """
    store, found = store_of(turn.settings), []
    rows = {row["version"]: row for row in judged.contenders}
    for one in fits.retrained:
        status = decided.statuses.get(one["version"], "refused")
        alone = status == "unproven" and _proves(turn, rows[one["version"]])
        kept = status in KEPT or alone
        said = f"{one['version']}, retrained as {one['variant']}, is {status}"
        said += ", but its holdout proves it" if alone else ""
        done = said if kept else f"{said}: the flag stays, and it rests"
        found.append({**one, "kept": kept, "status": status, "sentence": done})
    cleared = {name for one in found if one["kept"] for name in one["flags"]}
    for name in sorted(cleared):
        store.clear_flag(name)
    for one in found:
        for name in one["flags"]:
            if name not in cleared:
                store.explain_flag(name, f"{turn.turn_id}: {one['sentence']}")
    return tuple(found)


def _proves(turn: TurnRef, row: Mapping[str, Any]) -> bool:
    """Return whether a version's own holdout shows skill, calibrated."""
    found, gates = contender(row), turn.settings.gates
    return not (unproven(found, gates) or miscalibrated(found, gates))
