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
from models.common.slot import Slot
from orchestration.judge.lines import BASELINE, Lines, lines_of, recipe_of, settled
from orchestration.judge.served import SERVED
from orchestration.judge.verdicts import standings
from orchestration.service.beginning import turn_at
from orchestration.service.refs import Json
from orchestration.service.replays import record
from orchestration.service.replays.over_time import over_time, served_lines
from orchestration.service.replays.plan import Plan
from orchestration.service.resources import source_of, store_of
from orchestration.store.records import BACKFILL, ModelRecord

Floats = NDArray[np.float64]

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
    served, lines = served_lines(slot, rows, models), lines_of(slot, rows, models, whole=True)
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
