"""Roles: as what a version said a bar, whenever the row is written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orchestration.store.records import REIGN_BEGAN, REIGN_ENDED, ModelRecord


def roles(model: ModelRecord, ts: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return as what a version said each bar, by opening time: what users got then.

    Rows are often written later than they were said: a person, or the watch, moves the champion
    between two records, and rows may wait for a database while a turn decides. The bars before that
    are still those of the champion before. Of several reigns the last one is remembered.
    """
    began, ended = model.facts.get(REIGN_BEGAN), model.facts.get(REIGN_ENDED)
    before = ts < (-np.inf if ended is None else ended)
    if began is not None and ended is not None and began <= ended:
        before &= ts >= began
    if model.status == "champion":
        before |= ts >= (-np.inf if began is None else began)
    plain = model.facts.get("baseline") or model.status == "baseline"
    shadow = "baseline" if plain else "shadow"
    return np.where(before, "champion", shadow)
