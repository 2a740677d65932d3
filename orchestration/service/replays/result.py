"""How a replay ended: what served when, the skill of what served, and what it cost.

All skill is read from the ledger: rows that were written while the replay went on, joined with the
outcomes that came in later. *Served* are the rows of the role champion, whatever recipe they came
from: what users of the slot would really have got.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.timeframes import DAY_MS, utc
from ml_pipeline.errors import JudgingError
from ml_pipeline.hac import hac_mean
from ml_pipeline.skill import judging_lag
from ml_pipeline.tasks import TASKS
from models.common.slot import Slot
from orchestration.judge.lines import BASELINE, Line, Lines, grid_of, lines_of, recipe_of, settled
from orchestration.judge.served import SERVED
from orchestration.judge.verdicts import standings
from orchestration.service.beginning import turn_at
from orchestration.service.refs import Json
from orchestration.service.replays import record
from orchestration.service.replays.plan import Plan
from orchestration.service.resources import source_of, store_of
from orchestration.store.records import BACKFILL, ModelRecord

Floats = NDArray[np.float64]

POINTS = 120
"""Points of the cumulative curve, so that its picture is fine and its figures are few."""
_SHOWN = (
    "recipe", "baseline", "versions", "days", "skill", "lower", "upper", "z", "n", "effective_n",
    "loss", "base_loss", "p_value", "metrics", "reason",
)  # fmt: skip


def result(plan: Plan) -> Json:
    """Return how a replay ended, from its records and its ledger, as one JSON-able dict."""
    turn = turn_at(plan.settings, plan.first_ms)
    source = source_of(plan.settings)
    turns = [found for at in plan.turns if (found := record.turn_record(plan, at))]
    between = record.between_records(plan)
    return {
        "name": plan.name,
        "simulated": source.simulated,
        "source_name": source.name,
        "from": utc(plan.first_ms).isoformat(),
        "to": utc(plan.end_ms).isoformat(),
        "every_s": plan.every_ms // 1000,
        "symbols": list(plan.settings.symbols),
        "scope": turn.scope,
        "timeframe": plan.settings.timeframe,
        "days": plan.settings.days,
        "turns": len(turns),
        "slots": [_slot(plan, turn.slot(kind), turns, between) for kind in plan.settings.kinds],
        "flags": _flags(plan),
        "ensembles": _ensembles(turns),
        "failures": _failures(turns, between),
        "cost": _cost(plan),
    }


def _slot(plan: Plan, slot: Slot, turns: Sequence[Json], between: Sequence[Json]) -> Json:
    store = store_of(plan.settings)
    models = {model.version: model for model in store.list_models(slot_key=slot.key)}
    ledger = store.ledger(slot.key, since_ms=plan.first_ms, until_ms=plan.end_ms)
    rows = settled(ledger[(ledger["role"] != BACKFILL).to_numpy(bool)], models)
    served, lines = served_lines(slot, rows, models), lines_of(slot, rows, models)
    seed = plan.settings.seed
    events = _events(slot, turns, between)
    told: Json = {
        "slot": slot.key,
        "kind": slot.kind,
        "reigns": reigns(served, models, events),
        "events": events,
        "drift": _drift(slot.kind, turns),
        "retrained": _retrained(slot, turns),
        "served": _figures(standings(served, None, seed).get(SERVED)),
        "lines": [
            {**_figures(one), **over_time(lines, lines.lines[name])}
            for name, one in standings(lines, None, seed).items()
        ],
    }
    return told | over_time(served, served.lines.get(SERVED))


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


def served_lines(slot: Slot, rows: pd.DataFrame, models: Mapping[str, ModelRecord]) -> Lines:
    """Return what served and what the baseline said, as two lines on one grid."""
    role = rows["role"].astype(str).to_numpy()
    plain = {name for name, model in models.items() if recipe_of(model) == BASELINE}
    naive = rows["version"].isin(list(plain)).to_numpy(bool)
    own = rows[role == "champion"]
    both = pd.concat([own, rows[naive]])
    line = np.repeat(np.array([SERVED, BASELINE], dtype=object), [len(own), int(naive.sum())])
    return grid_of(slot, both, models, line, (both["made_ms"].to_numpy(np.int64),))


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


def reigns(served: Lines, models: Mapping[str, ModelRecord], events: Sequence[Json]) -> list[Json]:
    """Return which recipe served when: from its first to its last bar, with how it came to that."""
    line = served.lines.get(SERVED)
    if line is None:
        return []
    version = line.version.max(axis=1)
    at = np.flatnonzero(version >= 0)
    names = [recipe_of(models[served.versions[k]]) for k in version[at]]
    starts = [i for i in range(len(at)) if i == 0 or names[i] != names[i - 1]]
    found = []
    for start, end in zip(starts, [*starts[1:], len(at)], strict=True):
        first, last = int(served.ts[at[start]]), int(served.ts[at[end - 1]])
        came = [e for e in events if e["recipe"] == names[start] and e["at_ms"] <= first + DAY_MS]
        found.append(
            {
                "recipe": names[start],
                "baseline": names[start] == BASELINE,
                "from": utc(first).isoformat(),
                "until": utc(last).isoformat(),
                "versions": len(np.unique(version[at[start:end]])),
                "sentence": came[-1]["sentence"] if came else "",
            }
        )
    return found


def _events(slot: Slot, turns: Sequence[Json], between: Sequence[Json]) -> list[Json]:
    """Return what moved something: decisions but those to keep and to refresh, and harm undone."""
    names = ("recipe", "champion", "before", "sentence")
    decided = [
        (turn["at"], line["action"], line)
        for turn in turns
        for line in turn["summary"]["slots"]
        if line["slot"] == slot.key and line["action"] not in ("keep", "refresh")
    ]
    undone = [
        (found["at"], "HARM", line)
        for found in between
        for line in found.get("rolled_back", ())
        if line["slot"] == slot.key
    ]
    return [
        {
            "at": at,
            "at_ms": int(pd.Timestamp(at).timestamp() * 1000),
            "action": action,
            **{name: line.get(name) for name in names},
        }
        for at, action, line in sorted(decided + undone, key=lambda event: event[0])
    ]


def _drift(kind: str, turns: Sequence[Json]) -> list[Json]:
    """Return the drift verdicts that are neither fine nor still learning."""
    return [
        {"at": turn["at"], "status": row["status"], "sentence": row.get("sentence", "")}
        for turn in turns
        for row in turn["summary"].get("drift", ())
        if row["kind"] == kind and row["status"] not in ("OK", "LEARNING")
    ]


def _retrained(slot: Slot, turns: Sequence[Json]) -> list[Json]:
    """Return what was retrained because it was flagged, and what came of it."""
    names = ("recipe", "version", "variant", "kept", "sentence")
    return [
        {"at": turn["at"], **{name: done.get(name) for name in names}}
        for turn in turns
        for line in turn["summary"]["slots"]
        if line["slot"] == slot.key
        for done in line.get("retrained", ())
    ]


def _flags(plan: Plan) -> list[Json]:
    return [
        {
            "name": flag.name,
            "reason": flag.reason,
            "raised_at": flag.raised_at.isoformat(),
            "cleared_at": flag.cleared_at.isoformat() if flag.cleared_at else None,
        }
        for flag in store_of(plan.settings).list_flags()
    ]


def _ensembles(turns: Sequence[Json]) -> list[Json]:
    """Return of each slot how many turns had an ensemble, and how many had it in service."""
    told: dict[str, Json] = {}
    for turn in turns:
        for row in turn["summary"].get("ensembles", ()):
            one = told.setdefault(row["slot"], {"slot": row["slot"], "built": 0, "active": 0})
            one["built"] += bool(row["members"])
            one["active"] += bool(row["active"])
            one["sentence"] = row["sentence"]
    return list(told.values())


def _failures(turns: Sequence[Json], between: Sequence[Json]) -> list[Json]:
    failed = [(turn["at"], turn["summary"]["failures"]) for turn in turns]
    failed += [(found["at"], found["failures"]) for found in between]
    return [{"at": at, **failure} for at, failures in failed for failure in failures]


def _cost(plan: Plan) -> Json:
    """Return CPU and wall seconds, in all and a turn."""
    found = list(record.costs(plan).values())
    total = {name: sum(cost[name] for cost in found) for name in ("fits_cpu", "rest_cpu", "wall")}
    turns = max(1, len(found))
    return {
        **{name: round(value, 1) for name, value in total.items()},
        "turns": len(found),
        "versions": sum(cost["versions"] for cost in found),
        "cpu_a_turn": round((total["fits_cpu"] + total["rest_cpu"]) / turns, 2),
        "wall_a_turn": round(total["wall"] / turns, 2),
        "workers": plan.settings.workers,
    }


def _figures(standing: Any) -> Json:
    if standing is None:
        return {**dict.fromkeys(_SHOWN), "reason": "nothing served: the ledger has no such row"}
    told = asdict(standing)
    return {name: told[name] for name in _SHOWN}
