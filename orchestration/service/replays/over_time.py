"""Skill over time: of what served, and of each line, by day and from the beginning on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.timeframes import DAY_MS, utc
from ml_pipeline.errors import JudgingError
from ml_pipeline.hac import hac_mean
from ml_pipeline.skill import judging_lag
from ml_pipeline.tasks import TASKS
from models.common.slot import Slot
from orchestration.judge.lines import BASELINE, Line, Lines, grid_of, recipe_of
from orchestration.judge.served import SERVED
from orchestration.service.refs import Json
from orchestration.store.records import ModelRecord

Floats = NDArray[np.float64]

POINTS = 120
"""Points of the cumulative curve, so that its picture is fine and its figures are few."""


def served_lines(slot: Slot, rows: pd.DataFrame, models: Mapping[str, ModelRecord]) -> Lines:
    """Return what served and what the baseline said, as two lines on one grid."""
    role = rows["role"].astype(str).to_numpy()
    plain = {name for name, model in models.items() if recipe_of(model) == BASELINE}
    naive = rows["version"].isin(list(plain)).to_numpy(bool)
    own = rows[role == "champion"]
    both = pd.concat([own, rows[naive]])
    line = np.repeat(np.array([SERVED, BASELINE], dtype=object), [len(own), int(naive.sum())])
    return grid_of(slot, both, models, line, (both["made_ms"].to_numpy(np.int64),))


def over_time(lines: Lines, line: Line | None) -> Json:
    """Return the skill of a line by day and from the beginning on; nothing without a baseline."""
    if line is None or lines.plain is None:
        return {"daily": [], "cumulative": []}
    ts, loss, gain = series(lines.ts, line, lines.plain)
    horizon = TASKS[lines.slot.kind].horizon_bars(lines.slot.timeframe)
    return {
        "daily": daily(ts, loss, gain),
        "cumulative": cumulative(ts, loss, gain, horizon),
    }


def series(
    ts: NDArray[np.int64], line: Line, base: Line
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return times, the baseline's loss and how much less the line's is: symbols' means, [T]."""
    both = line.known & base.known
    at = both.any(axis=1)
    count = both[at].sum(axis=1)
    loss, gain = (
        np.asarray(np.where(both[at], values[at], 0.0).sum(axis=1) / count)
        for values in (base.loss, base.loss - line.loss)
    )
    return ts[at], loss, gain


def daily(ts: NDArray[np.int64], loss: Floats, gain: Floats) -> list[Json]:
    """Return the skill of each UTC day, with how many times it rests on."""
    day = ts // DAY_MS
    found = []
    for one in np.unique(day):
        inside = day == one
        base = float(loss[inside].mean())
        skill = float(gain[inside].mean()) / base if base > 0 else None
        found.append(
            {
                "day": f"{utc(int(one) * DAY_MS):%Y-%m-%d}",
                "skill": skill,
                "times": int(inside.sum()),
            }
        )
    return found


def cumulative(ts: NDArray[np.int64], loss: Floats, gain: Floats, horizon: int) -> list[Json]:
    """Return the skill from the beginning up to each of some moments, with its 95 % interval.

    The interval is Student's, of the ratio of means by the delta method with the standard error of
    `ml_pipeline.hac.hac_mean`; None while there are too few times for one.
    """
    found = []
    for end in np.unique(np.linspace(0, len(ts), POINTS + 1).astype(np.int64))[1:]:
        base, saved = float(loss[:end].mean()), float(gain[:end].mean())
        if base <= 0:
            continue
        skill = saved / base
        try:
            ratio = (gain[:end] - skill * loss[:end]) / base
            low, high = hac_mean(ratio, judging_lag(horizon, int(end)), horizon).bounds()
            bounds: Json = {"lower": skill + low, "upper": skill + high}
        except JudgingError:
            bounds = {"lower": None, "upper": None}
        at = utc(int(ts[end - 1])).isoformat()
        found.append({"at": at, "skill": skill, **bounds, "times": int(end)})
    return found
