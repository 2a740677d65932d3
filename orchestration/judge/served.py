"""The served series: what a slot's users really got, bar by bar, beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.common.slot import Slot
from orchestration.drift import Track
from orchestration.judge.lines import BASELINE, Lines, grid_of, recipe_of, settled, since_fall
from orchestration.store.records import ModelRecord
from orchestration.store.store import Store

Floats = NDArray[np.float64]

SERVED = "served"
_SAID = ("champion", BASELINE)
_HITS = ("direction", "momentum")


def track(store: Store, slot: Slot, since_ms: int | None = None) -> Track:
    """Return what the champions of a slot did, bar by bar, each while it was champion.

    It begins where the recipe in service came into it: no champion answers for what another recipe
    did before, nor a refit for the version that fell. All are scored by one meaning of an event,
    that of the bar's baseline. A bar that the baseline did not answer is left out: there is
    nothing to compare with.

    Parameters
    ----------
    since_ms
        First bar to look at, by opening time; the whole ledger if None.
    """
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    rows = settled(store.ledger(slot.key, since_ms=since_ms, roles=_SAID), models)
    return track_of(slot, rows, models)


def track_of(slot: Slot, rows: pd.DataFrame, models: Mapping[str, ModelRecord]) -> Track:
    """Return the track that `track` does, of ledger rows that were read already."""
    role = rows["role"].astype(str).to_numpy()
    plain = {name for name, model in models.items() if recipe_of(model) == BASELINE}
    naive = (role == BASELINE) | rows["version"].isin(list(plain)).to_numpy(bool)
    own = since_fall(_reign(rows[role == "champion"], models), models)
    both = pd.concat([own, rows[naive]])
    line = np.repeat(np.array([SERVED, BASELINE], dtype=object), [len(own), int(naive.sum())])
    grid = grid_of(slot, both, models, line, (both["made_ms"].to_numpy(np.int64),))
    served, base = grid.lines.get(SERVED), grid.plain
    if served is None or base is None:
        empty = np.empty(0)
        return Track(np.empty(0, dtype=np.int64), empty, empty, empty)
    paired = served.known & base.known
    gain = base.loss - served.loss
    if slot.kind in _HITS:
        score, other = _hits(grid, served.raw), _hits(grid, base.raw)
    else:
        total = base.loss + served.loss
        score = np.divide(gain, total, out=np.zeros_like(gain), where=paired & (total > 0))
        gain, other = score, np.zeros_like(score)
    at = paired.any(axis=1)
    count = paired.sum(axis=1)[at]

    def mean(values: Floats) -> Floats:
        return np.asarray(np.where(paired, values, 0.0).sum(axis=1)[at] / count)

    return Track(ts=grid.ts[at], gain=mean(gain), score=mean(score), plain=mean(other))


def _hits(grid: Lines, raw: Floats) -> Floats:
    """Return 1 where a probability was on the right side, 0 where not, ½ for a coin."""
    p = raw[..., 0]
    return np.where(p == 0.5, 0.5, (p > 0.5) == (grid.outcome[..., 0] > 0.5)).astype(np.float64)


def _reign(served: pd.DataFrame, models: Mapping[str, ModelRecord]) -> pd.DataFrame:
    """Return the champions' rows after the last one of another recipe than the champion's."""
    champion = next((m for m in models.values() if m.status == "champion"), None)
    if champion is None:
        return served
    mine = [name for name, model in models.items() if recipe_of(model) == recipe_of(champion)]
    others = served["ts_ms"][~served["version"].isin(mine).to_numpy(bool)]
    return served[served["ts_ms"] > others.max()] if len(others) else served
