"""What was decided, by turns and by people: one row a decision, the newest first."""

from __future__ import annotations

from typing import Any

from market.timeframes import instant_ms
from orchestration.lifecycle.intent import DECISIONS
from orchestration.service.resources import store_of
from orchestration.settings import Settings
from orchestration.store.records import ModelRecord, VerdictRecord

Json = dict[str, Any]
_TURN = "turn"


def list_decisions(
    settings: Settings, slot: str | None = None, limit: int | None = None
) -> list[Json]:
    """Return who serves since when and why, the newest decision first.

    Parameters
    ----------
    slot
        ``majors/direction/1m``, or one word of it, such as a kind; all slots if None.
    limit
        How many at most.

    Returns
    -------
    list of dict
        ``at`` (ISO, UTC), ``slot``, ``by`` (``turn``, or who), ``action``, ``champion``,
        ``before``, ``sentence``, ``simulated``, and of a turn's also ``turn_id``, ``statuses``,
        ``incumbent``, ``gates``, ``tenure``, ``previous``, ``memory`` and ``lines``: of each line
        its verdict on the ledger, ``z_needed``, ``lacks`` (what kept it out) and ``archived``.
    """
    store = store_of(settings)
    models = store.list_models()
    simulated = {model.key: model.facts.get("simulated") for model in models}
    rows = [_of_turn(found, simulated) for found in store.list_decisions()]
    rows += [row for model in models for row in _by_hand(model)]
    wanted = [row for row in rows if slot is None or slot in (row["slot"], *row["slot"].split("/"))]
    wanted.sort(key=lambda row: (instant_ms(row["at"]), row["slot"]), reverse=True)
    return wanted[:limit]


def _of_turn(found: VerdictRecord, simulated: dict[str, Any]) -> Json:
    figures = found.figures
    names = ("before", "statuses", "incumbent", "gates", "tenure", "previous", "memory", "lines")
    return {
        "at": _moment(found.turn_id),
        "slot": found.slot_key,
        "by": _TURN,
        "action": found.decision,
        "champion": found.version,
        "sentence": found.sentence,
        "simulated": simulated.get(f"{found.slot_key}/{found.version}"),
        "turn_id": found.turn_id,
        **{name: figures.get(name) for name in names},
    }


def _moment(turn_id: str) -> str:
    """Return the moment of a turn from its name, ``2025-05-28T0000Z_majors_1m``."""
    stamp = turn_id.partition("_")[0]
    return f"{stamp[:13]}:{stamp[13:15]}:00+00:00"


def _by_hand(model: ModelRecord) -> list[Json]:
    return [
        {
            "at": said["at"],
            "slot": model.slot_key,
            "by": said["who"],
            "action": said["action"],
            "champion": model.version,
            "before": said.get("before"),
            "sentence": said["sentence"] + (f"; {said['reason']}" if said.get("reason") else ""),
            "simulated": model.facts.get("simulated"),
        }
        for said in model.facts.get(DECISIONS, ())
    ]
