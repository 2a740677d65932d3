"""Between turns: what is in service predicts what has closed, outcomes come in, harm is seen."""

from __future__ import annotations

from market.timeframes import utc
from orchestration.lifecycle.intent import DECISIONS
from orchestration.service.errors import NothingFetched
from orchestration.service.predicting import predict
from orchestration.service.refs import Json
from orchestration.service.replays.plan import Plan
from orchestration.service.replays.record import canonical, settings_at
from orchestration.service.resources import store_of
from orchestration.service.watching import WATCH, watch_now


def look(plan: Plan, moment: int) -> Json:
    """Do what the predict flow does, at a moment of the past; return what is worth recording.

    A look that was cut off is done again, and then finds new rows already there and a harmful
    champion already gone. So the counts are not recorded, and rollbacks are read from the store.
    """
    settings = settings_at(plan, moment)
    try:
        found = predict(settings, moment)
    except NothingFetched as error:
        return {"failures": [{"stage": "fetch", "message": str(error)}], "rolled_back": []}
    seen = watch_now(settings, moment)
    broken = {version: why for slot in found["slots"] for version, why in slot["broken"].items()}
    unable = [row["sentence"] for row in seen["slots"] if row["action"] in ("pinned", "failed")]
    told = {
        "failures": found["failures"],
        "broken": broken,
        "rolled_back": _rolled_back(plan, moment),
        "harmful": unable,
    }
    return dict(canonical(told, plan.folder))


def _rolled_back(plan: Plan, moment: int) -> list[Json]:
    """Return what the watch decided at a moment, slot by slot."""
    at = utc(moment).isoformat()
    return [
        {
            "slot": model.slot_key,
            "champion": model.version,
            "recipe": model.facts.get("recipe"),
            "before": decision["before"],
            "sentence": decision["sentence"],
            "reason": decision["reason"],
            "figures": decision.get("because", {}),
        }
        for model in store_of(plan.settings).list_models()
        for decision in model.facts.get(DECISIONS, ())
        if decision["who"] == WATCH and decision["at"] == at
    ]
