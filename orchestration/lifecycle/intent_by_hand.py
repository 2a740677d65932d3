"""What a promotion by a person changes, and how it is told: intent, sentence, record, tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from market.timeframes import utc
from models.common.bundle import Bundle
from models.common.slot import Slot
from orchestration.lifecycle.intent import DECISIONS, Intent
from orchestration.lifecycle.places import Places
from orchestration.lifecycle.state import PREVIOUS, SERVES_FROM, TENURE
from orchestration.lifecycle.transitions import IN_SERVICE, check_transition
from orchestration.store.errors import NoVerdict, UnknownModel
from orchestration.store.records import FELL, REIGN_BEGAN, REIGN_ENDED, ModelRecord


@dataclass(frozen=True)
class By:
    """Who decides, when and why.

    Parameters
    ----------
    who
        A person's or program's name.
    at_ms
        The moment, epoch milliseconds: from here on the version predicts as champion.
    reason
        In a sentence; may be empty.
    force
        Promote what is not proven all the same.
    figures
        What the decision rests on besides the verdict on who serves from now on; JSON-able.
    """

    who: str
    at_ms: int
    reason: str = ""
    force: bool = False
    figures: Mapping[str, Any] = field(default_factory=dict)


def record_of(slot: Slot, version: str | None, places: Places) -> ModelRecord | None:
    """Return a version as the store knows it; None where it does not."""
    if version is None:
        return None
    try:
        return places.store.get_model(f"{slot.key}/{version}")
    except UnknownModel:
        return None


def figures_of(model: ModelRecord, bundle: Bundle, places: Places) -> dict[str, Any]:
    """Return the last verdict on a version over its baseline; its bundle's where no turn gave any.

    A bundle's own figures are those of the holdout of its training.
    """
    try:
        found = places.store.get_last_backtest(model.key)
    except NoVerdict:
        found = dict(bundle.metrics)
    names = ("skill", "lower", "upper", "z", "n")
    baseline = bool(bundle.metadata["baseline"])
    market = {"baseline": baseline, "simulated": bool(bundle.metadata["simulated"])}
    return {**market, **{name: found.get(name) for name in names}}


def proven_lower(figures: dict[str, Any]) -> float | None:
    """Return the lower bound of skill as gates ask it; of a holdout there is only one."""
    lower: float | None = figures.get("sure_lower", figures["lower"])
    return lower


def words_of(figures: dict[str, Any]) -> str:
    """Say how sure a version's skill is, and whether the market was real."""
    market = ", simulated market" if figures["simulated"] else ""
    if figures["baseline"]:
        return f"the baseline{market}"
    if figures["skill"] is None:
        return f"never judged{market}"
    return (
        f"skill {figures['skill']:+.2%}, 95 % interval {figures['lower']:+.2%} to "
        f"{figures['upper']:+.2%}, n {figures['n']:,.0f}{_where(figures)}{market}"
    )


def _where(figures: dict[str, Any]) -> str:
    days = figures.get("days")
    return "" if days is None else f" on {days:.1f} days of its line's ledger"


def sentence_of(
    slot: Slot, version: str, before: str | None, figures: dict[str, Any], action: str
) -> str:
    """Say who serves from now on, in whose place, and what speaks for it."""
    lower = proven_lower(figures)
    proven = figures["baseline"] or (lower is not None and lower > 0 and not figures.get("worse"))
    insisted = "" if proven or action == "rollback" else "; not proven, promoted all the same"
    place = f" in place of {before}" if before else ""
    back = " again" if action == "rollback" else ""
    return f"{version} serves {slot}{back}{place} ({words_of(figures)}){insisted}"


def intent_of(
    slot: Slot,
    model: ModelRecord,
    leaving: ModelRecord | None,
    places: Places,
    by: By,
    action: str,
    sentence: str,
    figures: dict[str, Any],
) -> Intent:
    """Return all that the promotion of `model` changes; `leaving` has served until now."""
    before = places.tracking.champion(slot)
    statuses = {model.version: "champion"}
    statuses_before = {model.version: model.status}
    if leaving is not None:
        statuses[leaving.version] = _place_of(leaving, action)
        statuses_before[leaving.version] = leaving.status
    for version, status in statuses.items():
        check_transition(version, statuses_before[version], status)
    facts: dict[str, dict[str, Any]] = {}
    if leaving is not None:
        facts[leaving.version] = {REIGN_ENDED: by.at_ms}
        if action == "rollback" and not leaving.facts.get("baseline"):
            facts[leaving.version][FELL] = by.at_ms
    decision = {**_said(by, action), "before": before, "sentence": sentence, "figures": figures}
    shadow = places.tracking.challenger(slot)
    challenger = None if shadow == model.version else shadow
    if leaving is not None and statuses[leaving.version] == "challenger":
        challenger = leaving.version
    return Intent(
        slot_key=slot.key,
        action=action,
        champion=model.version,
        before=before,
        challenger=challenger,
        challenger_before=shadow,
        statuses=statuses,
        statuses_before=statuses_before,
        facts=facts | {model.version: _facts(model, before, by, action, decision)},
        tags=_tags(decision),
    )


def _said(by: By, action: str) -> dict[str, Any]:
    return {
        "at": utc(by.at_ms).isoformat(),
        "action": action,
        "who": by.who,
        "reason": by.reason,
        "forced": by.force,
        **({"because": dict(by.figures)} if by.figures else {}),
    }


def _place_of(leaving: ModelRecord, action: str) -> str:
    if leaving.facts.get("baseline"):
        return "baseline"
    return "archived" if action == "rollback" else "challenger"


def _facts(
    model: ModelRecord, before: str | None, by: By, action: str, decision: dict[str, Any]
) -> dict[str, Any]:
    previous = before
    if action == "rollback":  # what was left behind is no place to go back to
        own = model.facts.get(PREVIOUS)
        previous = None if own == before else own
    facts = {
        TENURE: 0,
        REIGN_BEGAN: by.at_ms,
        PREVIOUS: previous,
        DECISIONS: [*model.facts.get(DECISIONS, ()), decision],
    }
    if model.status not in IN_SERVICE or SERVES_FROM not in model.facts:
        facts[SERVES_FROM] = by.at_ms  # nobody asked it since, so it has nothing to catch up
    return facts


def _tags(decision: dict[str, Any]) -> dict[str, str]:
    tags = {
        "promoted_at": decision["at"],
        "promoted_by": decision["who"],
        "promoted_as": decision["action"],
        "promoted_over": decision["before"] or "nothing",
        "promoted_because": decision["reason"] or "no reason given",
        "promoted_unproven": str(bool(decision["forced"])).lower(),
    }
    return {name: str(value) for name, value in tags.items()}
