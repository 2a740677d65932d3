"""Drift and retraining as people ask for them: the guide's two functions, by the real verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from market.symbols import scope_of
from market.timeframes import instant_ms
from models.common.slot import KINDS, Slot
from orchestration.lifecycle.gates import DRIFTED
from orchestration.service.drift_rows import flag, see
from orchestration.service.errors import UnknownFlag
from orchestration.service.refs import Json
from orchestration.service.resources import store_of
from orchestration.service.retraining import Wish, meaning, wishes
from orchestration.settings import Settings, load_settings

Moment = datetime | str | int


@dataclass(frozen=True)
class Retraining:
    """What a retraining would be: settings of the turn, None where there is nothing to do."""

    settings: Settings | None
    sentence: str


def check_model_drift(settings: Settings | None = None, now: Moment | None = None) -> list[Json]:
    """Judge every champion of a home by its ledger, and flag those in DRIFT or HARM.

    The seed's function, by the verdict of `orchestration.drift` instead of one difference of 24
    hours. Nothing is rolled back here: `orchestration.service.watching.watch_now` does that.

    Parameters
    ----------
    settings
        Which home and thresholds; those of file and environment unless told.
    now
        Bars that closed by then count; the clock's unless told.

    Returns
    -------
    list of dict
        A drift row for each slot with a champion, with ``slot`` and ``flagged`` (bool).
    """
    settings = settings or load_settings()
    at_ms = instant_ms(now or datetime.now(UTC))
    rows = []
    champions = store_of(settings).list_models(status="champion")
    for slot in sorted({Slot.parse(model.slot_key) for model in champions}):
        seen = see(settings, slot, at_ms)
        flagged = seen.verdict.status in DRIFTED
        if flagged:
            flag(settings, seen)
        rows.append({"slot": slot.key, **seen.row(at_ms), "flagged": flagged})
    return rows


def retrain_drifting_models(settings: Settings | None = None, now: Moment | None = None) -> Json:
    """Retrain what is flagged, in a turn of its own, and keep it only through the gates.

    The seed's function; what ``new f1 > old f1`` decides there, paired verdicts decide here.

    Returns
    -------
    dict
        ``changed`` (bool), ``sentence``, ``retrained`` (a row for each recipe: version, variant,
        what was tried, whether it was kept and why) and ``report``, that of the turn.

    Raises
    ------
    TurnRunning, TurnFailed
        As `orchestration.service.turn.run_turn` does.
    """
    # Only now: it brings all that fits models.
    from orchestration.service.turn import run_turn

    found = retraining_of(settings or load_settings())
    if found.settings is None:
        return {"changed": False, "sentence": found.sentence, "retrained": [], "report": None}
    report = run_turn(found.settings, now or datetime.now(UTC))
    rows = [row for slot in report["slots"] for row in slot.get("retrained", ())]
    said = "; ".join(row["sentence"] for row in rows) or report["sentence"]
    return {
        "changed": report["changed"],
        "sentence": said,
        "retrained": rows,
        "report": report,
    }


def retraining_of(settings: Settings) -> Retraining:
    """Return the settings of a turn that retrains what is flagged among the settings' slots.

    Its kinds are those flagged, its recipes those that compete anyhow and those flagged; whoever
    asks does not want to wait, so that nothing rests. Flags of other symbols or bar lengths are
    named, with what would retrain them.
    """
    found = wishes(store_of(settings))
    if not found:
        return Retraining(None, "nothing is flagged for retraining")
    scope = scope_of(settings.symbols)
    own = [wish for wish in found if _is_of(wish, scope, settings.timeframe)]
    others = "".join(f"; {_elsewhere(wish)}" for wish in found if wish not in own)
    if not own:
        said = f"nothing is flagged in {scope} {settings.timeframe}{others}"
        return Retraining(None, said)
    kinds = {Slot.parse(str(wish.slot_key)).kind for wish in own}
    words = {f"{Slot.parse(str(w.slot_key)).kind}/{w.recipe}" for w in own if w.recipe}
    changed = {
        "kinds": tuple(kind for kind in KINDS if kind in kinds),
        "recipes": (*settings.recipes, *sorted(words)),
        "retrain_rest_turns": 0,
    }
    said = f"retraining what is flagged: {', '.join(wish.name for wish in own)}{others}"
    return Retraining(settings.model_copy(update=changed), said)


def raise_flag(settings: Settings, name: str, reason: str = "") -> Json:
    """Ask that a version's recipe, or all recipes of a slot, be retrained by the next turn.

    Parameters
    ----------
    name
        A version, a slot such as ``majors/direction/1m``, or whatever means a champion.

    Raises
    ------
    UnknownFlag
        Nothing known answers to it.
    """
    store = store_of(settings)
    slot_key, recipe = meaning(store, name)
    if slot_key is None:
        raise UnknownFlag(
            f"{name!r} is no version, slot or kind of this home; `tidewheel models list` shows all"
        )
    store.flag_for_retraining(name, reason or "a person asks for it")
    return {"name": name, "slot": slot_key, "recipe": recipe or "all"}


def lower_flag(settings: Settings, name: str) -> None:
    """Take a wish for retraining back.

    Raises
    ------
    UnknownFlag
        No flag of that name is open.
    """
    store = store_of(settings)
    if not store.clear_flag(name):
        known = ", ".join(store.get_flagged_for_retraining()) or "none at all"
        raise UnknownFlag(f"no flag {name!r} is open; open are: {known}")


def flags(settings: Settings) -> list[Json]:
    """Return the open flags, the longest waiting first.

    Each with ``name``, ``slot``, ``recipe``, ``reason``, ``raised_at`` and ``simulated``; what the
    name stands for is None where nothing known answers to it.
    """
    store = store_of(settings)
    market = {m.slot_key: m.facts.get("simulated") for m in store.list_models()}
    return [
        {
            "name": wish.name,
            "slot": wish.slot_key,
            "recipe": wish.recipe or ("all" if wish.slot_key else None),
            "reason": wish.reason,
            "raised_at": wish.raised_at.isoformat(),
            "simulated": market.get(str(wish.slot_key)),
        }
        for wish in wishes(store)
    ]


def _is_of(wish: Wish, scope: str, timeframe: str) -> bool:
    if wish.slot_key is None:
        return False
    slot = Slot.parse(wish.slot_key)
    return (slot.scope, slot.timeframe) == (scope, timeframe)


def _elsewhere(wish: Wish) -> str:
    if wish.slot_key is None:
        return f"{wish.name} is flagged and nothing known answers to it"
    slot = Slot.parse(wish.slot_key)
    return f"{wish.name} waits for a turn of {slot.scope} on {slot.timeframe}"
