"""Recording: what the versions in service say about closed bars, and what came of it.

A bar is predicted with the bytes that were in service when it closed, stored once, and resolved
when its horizon has passed; versions fitted later never rewrite what earlier ones said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import hashes
from market.timeframes import timeframe_ms
from ml_pipeline.errors import PanelError
from ml_pipeline.outcomes import KNOWN_AT, OUTCOMES, outcomes
from ml_pipeline.panel import Panel
from ml_pipeline.tasks import TASKS
from models.common.bundle import Bundle
from models.common.errors import FeatureError, ModelError
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.roles import roles
from orchestration.store.records import ROLE_OF_STATUS, ModelRecord
from orchestration.store.records import SERVES_FROM as SERVES_FROM
from orchestration.store.store import Store

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Recorded:
    """Rows new in the ledger, and the versions that could not predict, with the reason."""

    rows: int
    broken: dict[str, str] = field(default_factory=dict)


def in_service(store: Store, slot: Slot) -> list[ModelRecord]:
    """Return the versions of a slot that predict, the champion first and then the freshest."""
    found = [
        model for model in store.list_models(slot_key=slot.key) if model.status in ROLE_OF_STATUS
    ]
    return sorted(found, key=lambda model: model.status != "champion")


def raw_output(bundle: Bundle, panel: Panel) -> Floats:
    """Return a version's output on every row of `panel`, float64 [n, K], checked by its head.

    Raises
    ------
    ModelError
        The bundle's graph is refused, its output cannot be this kind's, or features of the user's
        own are defined otherwise than when it was trained.
    PanelError
        The panel lacks a column of the bundle's schema.
    """
    _check_definitions(bundle)
    raw = bundle.runner.run(panel.columns(bundle.schema.names)).astype(np.float64)
    bundle.head.check(raw)
    return np.asarray(raw)


def record(
    store: Store, registry: PredictionModelRegistry, slot: Slot, panel: Panel, made_ms: int
) -> Recorded:
    """Predict the bars of `panel` that versions in service have not predicted yet.

    Each version predicts from the bar at which it came into service, `SERVES_FROM`, onward; a bar
    that is in the ledger stays as it is. A version whose bundle is refused is named, the others go
    on.

    Parameters
    ----------
    made_ms
        When the predictions are made, epoch milliseconds.
    """
    rows, broken = 0, {}
    for model in in_service(store, slot):
        due = _due(store, slot, model, panel, made_ms)
        if not len(due):
            continue
        try:
            raw = raw_output(registry.read(registry.folder(slot, model.version)), due)
        except (ModelError, PanelError) as error:
            broken[model.version] = str(error)
            continue
        frame = pd.DataFrame(
            {
                "symbol": np.asarray(panel.symbols, dtype=object)[due.symbol],
                "ts_ms": due.ts,
                **{f"raw_{k}": raw[:, k] for k in range(raw.shape[1])},
            }
        )
        role = roles(model, due.ts)
        for word in np.unique(role):
            rows += store.add_predictions(
                slot.key, model.version, str(word), frame[role == word], made_ms=made_ms
            )
    return Recorded(rows, broken)


def _due(store: Store, slot: Slot, model: ModelRecord, panel: Panel, made_ms: int) -> Panel:
    """Return the bars of `panel` that a version in service has still to predict.

    By symbol: one whose candles came late has bars due that the others have not. And bar by bar
    where some are missing before the last: a strategy that predicts live writes only its own.
    """
    serves_from = int(model.facts.get(SERVES_FROM, made_ms))
    due = np.asarray(panel.ts >= serves_from)
    if not due.any():
        return panel.rows(due)
    since = int(panel.ts[due].min())
    known = store.coverage(slot.key, model.version, since)
    for k, symbol in enumerate(panel.symbols):
        own = due & (panel.symbol == k)
        count, last = known.get(symbol, (0, since - 1))
        due[own] = panel.ts[own] > last
        if count != np.count_nonzero(own & ~due):
            there = store.predicted(slot.key, model.version, since).get(symbol, ())
            due[own] = ~np.isin(panel.ts[own], there)
    return panel.rows(due)


def _check_definitions(bundle: Bundle) -> None:
    changed = hashes.changed(bundle.schema.hashes, listed=False)
    if changed:
        raise FeatureError(
            f"{bundle.key} was trained on other definitions of {', '.join(changed)}; bring them "
            "back, or train it anew"
        )


def resolve(
    store: Store, slot: Slot, candles: Mapping[str, pd.DataFrame], since_ms: int, at_ms: int
) -> int:
    """Store the outcomes of predicted bars whose horizon has passed; return how many were new.

    Parameters
    ----------
    candles
        Canonical candles by symbol, from well before `since_ms` up to `at_ms`.
    since_ms, at_ms
        First bar to look at, by opening time, and the moment that counts as now.

    Notes
    -----
    A bar whose outcome can never be known (the price did not move, or a bar of its horizon is
    missing) is settled as one that does not count.
    """
    horizon = TASKS[slot.kind].horizon_bars(slot.timeframe)
    through = at_ms - (horizon + 1) * timeframe_ms(slot.timeframe)
    due = store.unresolved(slot.key, through, since_ms=since_ms)
    new = 0
    for symbol, bars in due.groupby("symbol"):
        if symbol not in candles:
            continue
        known = outcomes(slot.kind, candles[str(symbol)], slot.timeframe)
        opened = pd.DatetimeIndex(known.index).as_unit("ms").asi8
        passed = np.isin(opened, bars["ts_ms"]) & known[KNOWN_AT].notna().to_numpy()
        found = known.loc[passed, list(OUTCOMES[slot.kind])]
        frame = pd.DataFrame(
            {
                "symbol": str(symbol),
                "ts_ms": opened[passed],
                "outcome": found.to_numpy(np.float64).tolist(),
            }
        )
        new += store.add_outcomes(slot.key, frame)
    return new
