"""Between turns: what is in service predicts what has closed, outcomes come in, harm is seen."""

from __future__ import annotations

from orchestration.service.errors import NothingFetched
from orchestration.service.predicting import predict
from orchestration.service.refs import Json
from orchestration.service.replays.plan import Plan
from orchestration.service.replays.record import canonical, settings_at


def look(plan: Plan, moment: int) -> Json:
    """Do what the predict flow does, at a moment of the past; return what is worth recording.

    Counts of new rows are not: a look that was cut off and done again finds some already there.
    """
    settings = settings_at(plan, moment)
    try:
        found = predict(settings, moment)
    except NothingFetched as error:
        return {"failures": [{"stage": "fetch", "message": str(error)}]}
    broken = {version: why for slot in found["slots"] for version, why in slot["broken"].items()}
    told = {"failures": found["failures"], "broken": broken}
    return dict(canonical(told, plan.folder))
