"""Promotion and rollback by a person: checked, recorded with who and why, and never half done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from features import hashes
from models.common.bundle import Bundle
from models.common.slot import Slot
from orchestration.lifecycle.enrol import enrol
from orchestration.lifecycle.errors import NoFooting, PromotionRefused, SyncRefused, Unproven
from orchestration.lifecycle.intent import one_at_a_time
from orchestration.lifecycle.intent_by_hand import (
    By,
    figures_of,
    intent_of,
    proven_lower,
    record_of,
    sentence_of,
    words_of,
)
from orchestration.lifecycle.moving import carry_out, settle
from orchestration.lifecycle.places import Places
from orchestration.lifecycle.state import PREVIOUS, adopt, champion_in_store
from orchestration.lifecycle.sync import sound_bundle, sync
from orchestration.lifecycle.transitions import IN_SERVICE
from orchestration.store.records import BACKFILL, ModelRecord
from orchestration.tracking.errors import UnknownVersion

__all__ = ["By", "Moved", "promote", "rollback"]

_MARKETS = {True: "a simulated market", False: "real candles"}


@dataclass(frozen=True)
class Moved:
    """What a promotion by hand came to; ``moved`` is False where it served already."""

    slot: str
    action: str
    champion: str
    before: str | None
    challenger: str | None
    moved: bool
    sentence: str


def promote(
    slot: Slot,
    version: str,
    places: Places,
    by: By,
    before_swap: Callable[[Slot, str | None], None] = lambda slot, before: None,
    ledger: Mapping[str, Any] | None = None,
) -> Moved:
    """Make a version the champion of its slot: alias, statuses and links as one operation.

    The bundle is verified first, graph included, and brought back from MLflow where its copy is
    damaged. A bundle that only lies in the folder is registered on the way.

    Parameters
    ----------
    before_swap
        Called when all checks are passed and nothing has moved yet, with the slot and the version
        that serves; what it raises stops the promotion.
    ledger
        What the ledger says of its line (`orchestration.service.lining.by_ledger`); where there is
        none, what its holdout said counts.

    Raises
    ------
    Unproven
        The lower bound of its skill is not above nought, or its line is provably worse than the one
        in service, and nobody insists.
    PromotionRefused
        It was refused by its turn, learnt on another market, or reads features that mean
        something else now.
    SyncRefused
        Its bundle is sound nowhere.
    TrackingError
        MLflow cannot be asked.
    PromotionRunning
        Somebody else is promoting in this slot.

    In each case nothing was moved.
    """
    with one_at_a_time(places.registry, slot):
        _take_stock(slot, places, by)
        return _promote(slot, version, places, by, "promote", before_swap, ledger)


def rollback(
    slot: Slot,
    places: Places,
    by: By,
    before_swap: Callable[[Slot, str | None], None] = lambda slot, before: None,
    previous: Sequence[str] | None = None,
) -> Moved:
    """Put the previous champion back, or the freshest baseline where there is none to go back to.

    What served is archived: no gate looks at it again unless a person brings it back.

    Parameters
    ----------
    before_swap
        As of `promote`.
    previous
        Versions to go back to before any baseline, best first; by default the champion before.

    Raises
    ------
    NoFooting
        There is nothing to go back to.
    SyncRefused, TrackingError, PromotionRunning
        As `promote` does.
    """
    with one_at_a_time(places.registry, slot):
        _take_stock(slot, places, by)
        target = _way_back(slot, places, previous)
        return _promote(slot, target, places, by, "rollback", before_swap)


def _take_stock(slot: Slot, places: Places, by: By) -> None:
    """Finish what was cut off, and let the statuses follow an alias that was moved by hand.

    A turn would do so; without it, what the store still calls champion would stay it beside the
    one that is promoted now.
    """
    settle(slot, places)
    known = champion_in_store(places.store, slot)
    serving = adopt(slot, places.store, places.tracking, by.at_ms)
    if serving is None or known is None or known.version == serving.version:
        return
    for version in (known.version, serving.version):
        status = places.store.get_model(f"{slot.key}/{version}").status
        with suppress(UnknownVersion):  # it was deleted there by hand too
            places.tracking.set_status(slot, version, status)


def _promote(
    slot: Slot,
    version: str,
    places: Places,
    by: By,
    action: str,
    before_swap: Callable[[Slot, str | None], None],
    ledger: Mapping[str, Any] | None = None,
) -> Moved:
    tracking = places.tracking
    before = tracking.champion(slot)  # first of all: with MLflow down, nothing moves
    bundle = sound_bundle(slot, version, tracking, places.registry)
    if before == version:
        synced = sync(slot, tracking, places.registry)
        said = f"{version} serves {slot} already; nothing was moved"
        return Moved(slot.key, action, version, before, synced.challenger, synced.moved, said)
    model = _registered(slot, version, bundle, places)
    figures = figures_of(model, bundle, places) | dict(ledger or {})
    _check(slot, model, bundle, places)
    if action == "promote":
        _check_proven(version, figures, by)
    leaving = record_of(slot, before, places)
    sentence = sentence_of(slot, version, before, figures, action)
    intent = intent_of(slot, model, leaving, places, by, action, sentence, figures)
    before_swap(slot, before)
    synced = carry_out(intent, places)
    return Moved(slot.key, action, version, before, synced.challenger, True, sentence)


def _registered(slot: Slot, version: str, bundle: Bundle, places: Places) -> ModelRecord:
    """Return a version as the store knows it, registered now where store or MLflow did not."""
    known = any(v.version == version for v in places.tracking.versions(slot))
    record = record_of(slot, version, places)
    if not known or record is None:
        enrol(bundle, places)
        record = places.store.get_model(f"{slot.key}/{version}")
    return record


def _check(slot: Slot, model: ModelRecord, bundle: Bundle, places: Places) -> None:
    """Refuse what must not serve, whoever asks."""
    if model.facts.get("faults") or model.status == "refused":
        why = "; ".join(model.facts.get("faults", ())) or "its turn refused it"
        raise PromotionRefused(f"{model.version} cannot serve {slot}: {why}")
    changed = hashes.changed(bundle.schema.hashes)
    if changed:
        raise PromotionRefused(
            f"{model.version} cannot serve {slot}: features mean something else now than when it "
            f"was trained ({', '.join(changed[:5])}); bring them back, or train it anew"
        )
    simulated = bool(bundle.metadata["simulated"])
    for other in places.store.list_models(slot_key=slot.key):
        other_market = bool(other.facts.get("simulated", simulated)) != simulated
        if other.status in IN_SERVICE and other_market:
            raise PromotionRefused(
                f"{model.version} learnt on {_MARKETS[simulated]}, {other.version} in service on "
                f"{_MARKETS[not simulated]}; keep each market in a home of its own"
            )


def _check_proven(version: str, figures: dict[str, Any], by: By) -> None:
    if figures["baseline"] or by.force:
        return
    lower = proven_lower(figures)
    if lower is None:
        raise Unproven(
            f"{version} was never judged on bars it has not seen, so nothing says that it beats "
            "its baseline; --force promotes it all the same"
        )
    if not lower > 0:
        raise Unproven(
            f"{version} is not proven to beat its baseline: {words_of(figures)}; --force promotes "
            "it all the same"
        )
    if figures.get("worse"):
        raise Unproven(
            f"{version} is not promoted: its line is provably worse than the one in service, z "
            f"{figures['sure_z_champion']:.2f} on the ledger; --force promotes it all the same"
        )


def _way_back(slot: Slot, places: Places, first: Sequence[str] | None = None) -> str:
    """Return the first version to go back to that can serve, or the freshest sound baseline."""
    version = places.tracking.champion(slot)
    champion = record_of(slot, version, places)
    models = {model.version: model for model in places.store.list_models(slot_key=slot.key)}
    naive = [m for m in models.values() if m.facts.get("baseline") and not m.facts.get("faults")]
    naive = [m for m in naive if not m.facts.get(BACKFILL)]  # a fold leaves no bundle
    choices = [*(_previous(champion, models) if first is None else first)]
    choices += [m.version for m in naive]
    refused: list[str] = []
    for choice in choices:
        if choice == version:
            continue
        if models[choice].facts.get("baseline") and champion and champion.facts.get("baseline"):
            break  # from one baseline to an older one is no way back
        try:
            bundle = sound_bundle(slot, choice, places.tracking, places.registry)
            _check(slot, models[choice], bundle, places)
        except (SyncRefused, PromotionRefused) as error:
            refused.append(str(error))
            continue
        return choice
    serving = f"{version} serves" if version else "nothing serves"
    why = "".join(f"; {reason}" for reason in refused)
    raise NoFooting(
        f"{slot}: {serving}, and there is neither a previous champion nor a baseline to go back to"
        f"{why}"
    )


def _previous(champion: ModelRecord | None, models: Mapping[str, ModelRecord]) -> list[str]:
    """Return the champion before, unless it is a baseline or was archived."""
    previous = models.get(str(champion.facts.get(PREVIOUS))) if champion else None
    if previous is None or previous.facts.get("baseline") or previous.status == "archived":
        return []
    return [previous.version]
