"""Versions of one slot side by side, and all that is known of one version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.common.errors import ModelError
from models.common.slot import Slot
from orchestration.lifecycle.intent import DECISIONS
from orchestration.service.listing import FIGURES, find_slot, list_versions, pick_any
from orchestration.service.resources import registry_of, store_of
from orchestration.settings import Settings
from orchestration.store.records import VerdictRecord

Json = dict[str, Any]


def compare(
    settings: Settings,
    symbol: str,
    timeframe: str | None,
    kind: str,
    *,
    scope: str | None = None,
    recent: int = 4,
) -> Json:
    """Return the figures of a slot's champion, challenger, baseline and most recent versions.

    Those that the last turn judged together were judged on the same bars: their figures are taken
    from there, and ``z_champion`` is paired with the champion. Any other keeps the figures of its
    own holdout, and says so.

    Returns
    -------
    dict
        ``slot``, ``simulated``, ``turn`` and ``holdout`` (of the common judgement, or None) and
        ``versions``: rows of `list_versions` with ``paired`` (bool), ``z_champion``,
        ``n_champion`` and ``metrics``.

    Raises
    ------
    ModelNotFound
        Nothing serves the symbol.
    """
    rows = list_versions(settings)
    slot = find_slot(rows, symbol, kind, timeframe, scope, usual=settings.timeframe)
    own = [row for row in rows if row["slot"] == slot.key]
    verdicts = store_of(settings).list_verdicts(slot_key=slot.key)
    last = _common(verdicts, own)
    shown = _chosen(own, recent)
    found = [_side(settings, slot, row, last.get(row["version"])) for row in shown]
    one = next(iter(last.values()), None)
    return {
        "slot": slot.key,
        "symbol": symbol,
        "simulated": any(row["simulated"] for row in found),
        "turn": one.turn_id if one else None,
        "holdout": one.figures.get("holdout") if one else None,
        "versions": found,
    }


def _common(verdicts: list[VerdictRecord], rows: list[Json]) -> dict[str, VerdictRecord]:
    """Return the verdicts over the baseline of the last turn that judged the champion."""
    champion = next((row["version"] for row in rows if row["role"] == "champion"), None)
    against = [verdict for verdict in verdicts if verdict.against == "baseline"]
    turn = next((v.turn_id for v in against if v.version == champion), None)
    if turn is None:
        turn = next((v.turn_id for v in against), None)
    return {v.version: v for v in against if v.turn_id == turn and v.figures.get("n")}


def _chosen(rows: list[Json], recent: int) -> list[Json]:
    """Return champion, challenger, the baseline in service, and the most recent of the rest."""
    order = {"champion": 0, "challenger": 1}
    led = sorted((row for row in rows if row["role"]), key=lambda row: order[row["role"]])
    naive = [row for row in rows if row["baseline"] and row["status"] == "baseline"]
    if not any(row["baseline"] for row in led):
        led += naive[:1]
    others = [row for row in rows if row not in led and row["bundle"] and not row["baseline"]]
    return led + others[:recent]


def _side(settings: Settings, slot: Slot, row: Json, verdict: VerdictRecord | None) -> Json:
    """Return one version's figures, from the common judgement where there is one."""
    if verdict is None:
        return row | {
            "paired": False,
            "z_champion": None,
            "n_champion": None,
            "metrics": _numbers(_documents(settings, slot, row["version"]).get("metrics", {})),
        }
    figures = verdict.figures
    return row | {
        "paired": True,
        **{name: figures.get(name) for name in FIGURES},
        "z_champion": figures.get("z_champion"),
        "n_champion": figures.get("n_champion"),
        "metrics": _numbers(figures),
    }


def _numbers(figures: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: value
        for name, value in figures.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _documents(settings: Settings, slot: Slot, version: str) -> Json:
    """Return metadata, metrics, schema and model card of a bundle; the reason if it is refused."""
    registry = registry_of(settings)
    folder = registry.folder(slot, version)
    try:
        bundle = registry.read(folder)
    except ModelError as error:
        return {"refused": str(error)}
    return {
        "folder": str(folder),
        # Its status is what it was when it was written; the store has what it is now.
        "metadata": {name: v for name, v in bundle.metadata.items() if name != "status"},
        "metrics": bundle.metrics,
        "features": list(bundle.schema.names),
        "feature_hashes": dict(bundle.schema.hashes),
        "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir())},
        "card": (folder / "README.md").read_text(),
    }


def show(settings: Settings, name: str) -> Json:
    """Return all that is known of one version.

    Parameters
    ----------
    name
        A version, the beginning of one, or anything `load_model` understands.

    Returns
    -------
    dict
        The row of `list_versions` and ``facts`` (what the store knows), ``verdicts`` (every
        comparison with figures, the newest first), ``decisions`` (made by people), ``metadata``,
        ``metrics``, ``features``, ``card``, ``files``; ``refused`` instead of these last where
        the bundle is not sound.

    Raises
    ------
    UnknownModel, AmbiguousModel
        `name` does not mean exactly one version.
    """
    row = pick_any(settings, name)
    slot, store = Slot.parse(row["slot"]), store_of(settings)
    record = next(
        (r for r in store.list_models(slot_key=slot.key) if r.version == row["version"]), None
    )
    verdicts = store.list_verdicts(slot_key=slot.key)
    facts = dict(record.facts) if record else {}
    return {
        **row,
        "facts": {key: value for key, value in facts.items() if key not in (DECISIONS, "head")},
        "decisions": list(facts.get(DECISIONS, ())),
        "verdicts": [v.as_dict() for v in verdicts if v.version == row["version"]],
        **_documents(settings, slot, row["version"]),
    }
