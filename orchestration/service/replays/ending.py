"""The end of a replay: its result and picture as files, and one run in the MLflow of its house."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.common.files import replace_file
from orchestration.service.refs import Json
from orchestration.service.replays.picture import picture
from orchestration.service.replays.plan import Plan
from orchestration.service.replays.record import DECISIONS, text_of
from orchestration.service.replays.result import result
from orchestration.service.resources import mlflow_of

RESULT, PICTURE = "result.json", "skill.png"


def end(plan: Plan, *, mlflow: bool = True) -> Json:
    """Return how a replay ended; write ``result.json`` and ``skill.png`` into its folder.

    Parameters
    ----------
    plan
        Of a replay that is over, or over so far.
    mlflow
        Whether the MLflow of the house gets a run with parameters, figures, picture and decisions.
        Ended again, the same run is completed.

    Raises
    ------
    TrackingDown
        MLflow cannot be reached; the files are written.
    """
    found = result(plan)
    found |= {"folder": str(plan.folder), "picture": str(plan.folder / PICTURE), "mlflow_run": None}
    replace_file(plan.folder / PICTURE, picture(found))
    replace_file(plan.folder / RESULT, text_of(found))
    if mlflow:
        found["mlflow_run"] = _track(plan, found)
        replace_file(plan.folder / RESULT, text_of(found))
    return found


def _track(plan: Plan, found: Mapping[str, Any]) -> str:
    tracking = mlflow_of(plan.live)
    told = {k: v for k, v in plan.parameters().items() if not isinstance(v, Mapping)}
    tags = {"replay": plan.name, "simulated": str(found["simulated"]).lower()}
    run = tracking.turn_run(f"replay {plan.name}", told, tags)
    tracking.log_metrics(run, _metrics(found))
    tracking.log_figure(run, Path(found["picture"]))
    for name in (DECISIONS, RESULT):
        path = plan.folder / name
        if path.is_file():
            tracking.log_text(run, path.read_text(), name)
    tracking.finish_run(run)
    return run


def _metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of the run: skill of what served by kind, what it cost."""
    told = {f"cost.{name}": value for name, value in found["cost"].items()}
    for slot in found["slots"]:
        names = ("skill", "lower", "upper", "z", "n")
        told |= {f"{slot['kind']}.served.{name}": slot["served"][name] for name in names}
        for line in slot["lines"]:
            told[f"{slot['kind']}.line.{line['recipe']}.skill"] = line["skill"]
    return told
