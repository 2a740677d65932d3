"""Every version of a home as one row: its bundle, its status, its role, and how it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from market.symbols import UNIVERSES
from models.common.bundle import Bundle
from models.common.errors import ModelError, ModelNotFound
from models.common.names import resolve
from models.common.registry import CHALLENGER, PredictionModelRegistry, letters, parse_kind
from models.common.slot import Slot
from orchestration.service.resources import registry_of, store_of
from orchestration.settings import Settings
from orchestration.store.errors import AmbiguousModel, UnknownModel
from orchestration.store.records import BACKFILL, ModelRecord

Json = dict[str, Any]
FIGURES = ("skill", "lower", "upper", "z", "n", "loss", "base_loss")
UNREGISTERED = "unregistered"
"""Status of a bundle that the store does not know: it was put into the folder by hand."""


def list_versions(
    settings: Settings,
    *,
    kind: str | None = None,
    scope: str | None = None,
    status: str | None = None,
    timeframe: str | None = None,
) -> list[Json]:
    """Return every version of a home by slot: champion, challenger, and then the newest first.

    Returns
    -------
    list of dict
        ``key``, ``slot``, ``scope``, ``kind``, ``timeframe``, ``version``, ``recipe``,
        ``baseline``, ``status``, ``role`` (champion, challenger or None: where the links point),
        ``skill``, ``lower``, ``upper``, ``z``, ``n``, ``loss``, ``base_loss`` (on the holdout
        of its own turn), ``trained_through``, ``created``, ``symbols``, ``simulated``,
        ``size`` (bytes on disk) and ``bundle`` (whether its documents are sound; the graph is
        verified by `orchestration.service.checking.validate`).
    """
    registry = registry_of(settings)
    bundles = {bundle.key: bundle for bundle in registry.list_bundles()}
    stored = store_of(settings).list_models()
    # What a back-fill left are rows of the ledger, with no bundle that anybody could load.
    records = {record.key: record for record in stored if not record.facts.get(BACKFILL)}
    rows = [_row(registry, bundles.get(key), records.get(key)) for key in {*bundles, *records}]
    wanted = {
        "kind": None if kind is None else parse_kind(kind),
        "scope": scope,
        "status": status,
        "timeframe": timeframe,
    }
    kept = [
        row
        for row in rows
        if all(value is None or row[name] == value for name, value in wanted.items())
    ]
    newest_first = sorted(kept, key=lambda row: str(row["version"]), reverse=True)
    return sorted(newest_first, key=lambda row: (str(row["slot"]), _RANK[row["role"]]))


_RANK = {"champion": 0, "challenger": 1, None: 2}


def _row(
    registry: PredictionModelRegistry, bundle: Bundle | None, record: ModelRecord | None
) -> Json:
    facts: Mapping[str, Any] = record.facts if record else {}
    about: Mapping[str, Any] = bundle.metadata if bundle else {}
    slot = bundle.slot if bundle else Slot.parse(record.slot_key if record else "")
    version = bundle.version_id if bundle else str(record.version if record else "")
    metrics = bundle.metrics if bundle else {}
    return {
        "key": f"{slot.key}/{version}",
        "slot": slot.key,
        "scope": slot.scope,
        "kind": slot.kind,
        "timeframe": slot.timeframe,
        "version": version,
        "recipe": about.get("recipe", facts.get("recipe")),
        "baseline": bool(about.get("baseline", facts.get("baseline", False))),
        "status": record.status if record else UNREGISTERED,
        "role": role_of(registry, slot, version),
        **{name: metrics.get(name) for name in FIGURES},
        "trained_through": about.get("trained_through", facts.get("trained_through")),
        "created": about.get("created_ts"),
        "symbols": list(about.get("training", {}).get("symbols", ())),
        "simulated": about.get("simulated", facts.get("simulated")),
        "size": size_of(bundle.folder) if bundle else None,
        "bundle": bundle is not None,
    }


def role_of(registry: PredictionModelRegistry, slot: Slot, version: str) -> str | None:
    """Return what the links of a slot make of a version: champion, challenger or nothing."""
    if registry.linked(slot) == version:
        return "champion"
    return "challenger" if registry.linked(slot, CHALLENGER) == version else None


def size_of(folder: Path) -> int:
    """Return the bytes of the files of a bundle."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def find_slot(
    rows: Iterable[Mapping[str, Any]],
    symbol: str,
    kind: str,
    timeframe: str | None,
    scope: str | None = None,
    *,
    usual: str | None = None,
) -> Slot:
    """Return the slot that serves `symbol`, by the rule of `PredictionModelRegistry.select_bundle`.

    Parameters
    ----------
    rows
        As `list_versions` returns them.
    symbol
        In any spelling, or a scope. Where it has no model of its own, a pooled one serves it.
    timeframe, scope
        Narrow it down; `usual` is the timeframe taken where there are several.

    Raises
    ------
    ModelNotFound
        Nothing serves it, or several slots do; the message lists them.
    """
    rows = list(rows)
    found = slots_of(rows, symbol, kind, timeframe, scope)
    if len(found) > 1 and any(slot.timeframe == usual for slot in found):
        found = [slot for slot in found if slot.timeframe == usual]
    if len(found) == 1:
        return found[0]
    lengths = ", ".join(slot.timeframe for slot in found)
    raise ModelNotFound(
        f"{found[0].kind} models of {symbol} have several timeframes: say which of {lengths} with "
        "--timeframe"
    )


def slots_of(
    rows: Iterable[Mapping[str, Any]],
    symbol: str,
    kind: str,
    timeframe: str | None = None,
    scope: str | None = None,
) -> list[Slot]:
    """Return the slots of one scope that serve `symbol`, one for each timeframe; see `find_slot`.

    Raises
    ------
    ModelNotFound
        Nothing serves it; the message lists the slots that there are.
    """
    kind = parse_kind(kind)
    own: dict[str, set[str]] = {}
    for row in rows:
        if row["kind"] == kind and timeframe in (None, row["timeframe"]):
            own.setdefault(row["slot"], set()).update(map(letters, row["symbols"]))
    slots = {Slot.parse(key): symbols | _members(key) for key, symbols in own.items()}
    if scope is not None:
        found = [slot for slot in slots if slot.scope == scope]
    else:
        named = [slot for slot in slots if letters(slot.scope) == letters(symbol)]
        pooled = sorted(slot for slot, symbols in slots.items() if letters(symbol) in symbols)
        found = named or [slot for slot in pooled if slot.scope == pooled[0].scope]
    if found:
        return sorted(found)
    there = ", ".join(sorted(own)) or "none"
    asked = " ".join(filter(None, (kind, timeframe)))
    raise ModelNotFound(
        f"no {asked} model serves {symbol if scope is None else scope}; slots there are: {there}"
    )


def pick(rows: Iterable[Json], name: str) -> Json:
    """Return the row of the version that `name` means among `rows`.

    A full key (``majors/price/1h/2024-03-01T0000Z_1h_network``), a version, or the beginning of
    either that fits one version only. A baseline is meant by a beginning only where nothing that
    has learnt fits it too.

    Raises
    ------
    UnknownModel
        None fits.
    AmbiguousModel
        Several do; the message lists them.
    """
    rows = list(rows)
    exact = [row for row in rows if name in (row["key"], row["version"], _short(row))]
    begun = [row for row in rows if row["key"].startswith(name) or row["version"].startswith(name)]
    found = exact or [row for row in begun if not row["baseline"]] or begun
    if len(found) == 1:
        return found[0]
    if not found:
        known = ", ".join(row["version"] for row in rows[:_SHOWN]) or "none"
        raise UnknownModel(f"no version is or begins with {name!r}; there are {known}{_more(rows)}")
    listed = ", ".join(row["key"] for row in found[:_SHOWN])
    raise AmbiguousModel(f"{name!r} could be {listed}{_more(found)}; write more of its name")


def pick_any(settings: Settings, name: str) -> Json:
    """Return the row that `name` means as `load_model` reads it, or else as `pick` does.

    Raises
    ------
    UnknownModel, AmbiguousModel
        As `pick` does.
    """
    rows = list_versions(settings)
    try:
        address = resolve(name, registry_of(settings))
    except ModelError:
        return pick(rows, name)
    meant = (address.folder.parent.name, address.folder.name, address.version())
    for row in rows:
        if (row["scope"], row["kind"], row["version"]) == meant:
            return row
    return pick(rows, name)


_SHOWN = 6


def _short(row: Mapping[str, Any]) -> str:
    """Return the version as `load_model` and the folders name it."""
    return f"{row['scope']}/{row['kind']}/{row['version']}"


def _more(rows: list[Json]) -> str:
    return f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""


def _members(slot_key: str) -> set[str]:
    scope = slot_key.split("/")[0]
    return set(map(letters, UNIVERSES.get(scope) or scope.split("+")))
