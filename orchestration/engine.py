"""The prediction engine: what the versions in service say about closed bars, and what came of it.

A bar is predicted with the bytes that were in service when it closed, stored once, and resolved
when its horizon has passed; versions fitted later never rewrite what earlier ones said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import hashes
from market.timeframes import timeframe_ms
from ml_pipeline.errors import PanelError
from ml_pipeline.outcomes import KNOWN_AT, OUTCOMES, outcomes
from ml_pipeline.panel import Panel
from ml_pipeline.scoring import row_losses
from ml_pipeline.tasks import EVENT_THRESHOLD, TASKS, Task
from models.common.bundle import Bundle
from models.common.errors import FeatureError, ModelError
from models.common.registry import PredictionModelRegistry
from models.common.slot import Slot
from orchestration.drift import Track
from orchestration.store.records import ModelRecord
from orchestration.store.store import Store

Floats = NDArray[np.float64]

ROLES: Mapping[str, str] = MappingProxyType(
    {
        "champion": "champion",
        "challenger": "shadow",
        "unproven": "shadow",
        "baseline": "baseline",
    }
)
"""Statuses of versions that predict, and the role their predictions are stored under."""

SERVES_FROM = "serves_from_ms"
"""Fact of a version: the first bar, by opening time, that it predicts in service."""

_HITS = ("direction", "momentum")


@dataclass(frozen=True)
class Recorded:
    """Rows new in the ledger, and the versions that could not predict, with the reason."""

    rows: int
    broken: dict[str, str] = field(default_factory=dict)


def in_service(store: Store, slot: Slot) -> list[ModelRecord]:
    """Return the versions of a slot that predict, the champion first and then the freshest."""
    found = [model for model in store.list_models(slot_key=slot.key) if model.status in ROLES]
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
        serves_from = int(model.facts.get(SERVES_FROM, made_ms))
        last = store.last_predicted(slot.key, model.version)
        # By symbol: one whose candles came late has bars due that the others have not.
        first = [max(serves_from, last.get(symbol, -1) + 1) for symbol in panel.symbols]
        due = panel.rows(panel.ts >= np.array(first, dtype=np.int64)[panel.symbol])
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
                "raw": raw.tolist(),
            }
        )
        rows += store.add_predictions(
            slot.key, model.version, ROLES[model.status], frame, made_ms=made_ms
        )
    return Recorded(rows, broken)


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


def ledger_losses(slot: Slot, head: Mapping[str, object], rows: pd.DataFrame) -> Floats:
    """Return the loss of each ledger row of one version, float64 [n]; NaN where none counts.

    Parameters
    ----------
    head
        Head parameters of the version: a risk event is what the threshold in it makes one.
    rows
        Rows as `Store.ledger` returns them.
    """
    task = TASKS[slot.kind]
    return row_losses(task, head, _matrix(rows, "raw"), _labels(task, slot, rows))


def track(store: Store, slot: Slot, since_ms: int | None = None) -> Track:
    """Return what the champions of a slot did, bar by bar, each while it was champion.

    It begins where the recipe in service came into it: no champion answers for what another recipe
    did before. All are scored by one meaning of an event, that of the freshest baseline.

    Parameters
    ----------
    since_ms
        First bar to look at, by opening time; the whole ledger if None.
    """
    rows = store.ledger(slot.key, since_ms=since_ms)
    rows = rows[rows["resolved"]]
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    heads = _heads(rows, models)
    bars = ["symbol", "ts_ms"]
    served = _scored(slot, _reign(rows[rows["role"] == "champion"], models), heads)
    plain = _scored(slot, rows[rows["role"] == "baseline"], heads)
    joined = served.merge(plain, on=bars, how="left", suffixes=("", "_base"))
    # While the baseline itself is champion it has no shadow: it is compared with itself.
    for name in ("loss", "hit"):
        joined[f"{name}_base"] = joined[f"{name}_base"].fillna(joined[name])
    gain = joined["loss_base"] - joined["loss"]
    if slot.kind in _HITS:
        joined = joined.assign(gain=gain, score=joined["hit"], plain=joined["hit_base"])
    else:
        total = joined["loss_base"] + joined["loss"]
        share = (gain / total.where(total > 0)).fillna(0.0)
        joined = joined.assign(gain=share, score=share, plain=0.0)
    means = joined.groupby("ts_ms")[["gain", "score", "plain"]].mean()
    return Track(
        ts=means.index.to_numpy(np.int64),
        gain=means["gain"].to_numpy(np.float64),
        score=means["score"].to_numpy(np.float64),
        plain=means["plain"].to_numpy(np.float64),
    )


def _heads(
    rows: pd.DataFrame, models: Mapping[str, ModelRecord]
) -> dict[str, Mapping[str, object]]:
    """Return the head of each version in `rows`, all with the event of the freshest baseline.

    Each version was fitted with a threshold of its own; losses by different events are no pair.
    """
    versions = set(rows["version"])
    heads = {version: dict(models[version].facts.get("head", {})) for version in versions}
    plain = set(rows["version"][rows["role"] == "baseline"]) or versions
    event = heads[max(plain)].get(EVENT_THRESHOLD) if plain else None
    one = {} if event is None else {EVENT_THRESHOLD: event}
    return {version: {**head, **one} for version, head in heads.items()}


def _reign(served: pd.DataFrame, models: Mapping[str, ModelRecord]) -> pd.DataFrame:
    """Return the champions' rows after the last one of another recipe than the champion's."""
    champion = next((m for m in models.values() if m.status == "champion"), None)
    if champion is None:
        return served
    recipes = {v: models[v].facts.get("recipe", v) for v in set(served["version"])}
    own = champion.facts.get("recipe", champion.version)
    others = served["ts_ms"][served["version"].map(recipes) != own]
    return served[served["ts_ms"] > others.max()] if len(others) else served


def _scored(
    slot: Slot, rows: pd.DataFrame, heads: Mapping[str, Mapping[str, object]]
) -> pd.DataFrame:
    """Return loss and hit of each row that counts; of two versions at one bar, the later made."""
    parts = [pd.DataFrame({"symbol": [], "ts_ms": [], "loss": [], "hit": [], "made_ms": []})]
    for version, own in rows.groupby("version"):
        p, outcome = own["raw_0"].to_numpy(), own["outcome_0"].to_numpy()
        # A coin that says one half is right every other time.
        hit = np.where(p == 0.5, 0.5, (p > 0.5) == (outcome > 0.5))
        parts.append(
            pd.DataFrame(
                {
                    "symbol": own["symbol"].to_numpy(),
                    "ts_ms": own["ts_ms"].to_numpy(),
                    "loss": ledger_losses(slot, heads[str(version)], own),
                    "hit": hit.astype(np.float64),
                    "made_ms": own["made_ms"].to_numpy(),
                }
            )
        )
    scored = pd.concat([part for part in parts if len(part)] or parts[:1])
    scored = scored[np.isfinite(scored["loss"].astype(np.float64))].sort_values("made_ms")
    return scored.drop_duplicates(["symbol", "ts_ms"], keep="last").drop(columns="made_ms")


def _matrix(rows: pd.DataFrame, prefix: str) -> Floats:
    names = [name for name in rows.columns if str(name).startswith(f"{prefix}_")]
    return rows[names].to_numpy(np.float64)


def _labels(task: Task, slot: Slot, rows: pd.DataFrame) -> Panel:
    """Return ledger rows as a panel without features: what a task computes its targets from."""
    names = sorted(set(rows["symbol"]))
    outcome = _matrix(rows, "outcome")
    return Panel(
        timeframe=slot.timeframe,
        symbols=tuple(names),
        names=(),
        ts=rows["ts_ms"].to_numpy(np.int64),
        symbol=np.searchsorted(names, rows["symbol"]).astype(np.int16),
        X=np.empty((len(rows), 0), dtype=np.float32),
        close=np.ones(len(rows)),
        labels={label: outcome[:, k] for k, label in enumerate(task.target)},
    )
