"""The fits of one kind in a turn: baseline, every recipe that competes, variants of the flagged."""

from __future__ import annotations

from collections.abc import Callable

from ml_pipeline.errors import LearningError
from orchestration.service.memory import last_memory
from orchestration.service.refs import Dataset, Failure, Fit, Fits, Json, TurnRef
from orchestration.service.retraining import flags_of, retrain_one, told, wanted
from orchestration.service.staging import fit_version, is_sound, names_of
from orchestration.service.work import once


def fit_kind(
    turn: TurnRef,
    kind: str,
    data: Dataset,
    fail: Callable[[TurnRef, str, str, BaseException], Failure],
) -> Fits:
    """Fit the baseline and every recipe of a kind that competes; see `steps.fit`."""
    (base, *names), left_out = names_of(turn, kind, data)
    versions, retrained = [fit_one(turn, kind, base, data)], list[Json]()
    errors: dict[str, LearningError] = {}
    asked = wanted(turn, kind)
    resting = last_memory(turn, kind).resting  # it is said already why these are left out
    left_out += tuple(
        f"{kind}/{recipe} is flagged for retraining and does not compete; name it in `recipes`"
        for recipe in asked
        if recipe is not None and recipe not in names and recipe not in resting
    )
    for name in names:
        try:
            made = fit_one(turn, kind, name, data)
            if flags := flags_of(asked, name):
                made = retrain_one(turn, kind, made, data)
                retrained.append(told(made, flags))
            versions.append(made)
        except LearningError as error:
            errors[name] = error
    if len(versions) == 1 and errors:
        raise next(iter(errors.values()))
    for name, why in errors.items():
        fail(turn, "fits", f"{kind}-{name}", why)
        left_out += (f"{kind}/{name} is left out: {why}",)
    return Fits(kind, tuple(versions), left_out, tuple(retrained))


def fit_one(turn: TurnRef, kind: str, name: str, data: Dataset) -> Fit:
    """Fit one recipe, or the baseline; kept by itself, so that a killed turn loses one fit."""
    return once(
        turn, "fits", f"{kind}-{name}", Fit,
        lambda: fit_version(turn, kind, name, data), is_sound,
    )  # fmt: skip
