"""What the last decision in a slot left to this turn: counts of lines, and recipes that rest."""

from __future__ import annotations

from orchestration.lifecycle.retiring import Memory
from orchestration.service.refs import TurnRef
from orchestration.service.resources import store_of


def last_memory(turn: TurnRef, kind: str) -> Memory:
    """Return what the last decision before this turn left to it."""
    slot = turn.slot(kind)
    found = store_of(turn.settings).list_decisions(slot.key, limit=1, before=turn.turn_id)
    return Memory.of(found[0].figures if found else None)


def at_rest(turn: TurnRef, kind: str, names: tuple[str, ...]) -> dict[str, str]:
    """Return which of these recipes are not fitted in this turn, each with a sentence."""
    resting = last_memory(turn, kind).resting
    return {
        name: f"{kind}/{name} is left out: it was archived and rests for {resting[name]} more "
        f"turn{'' if resting[name] == 1 else 's'}"
        for name in names
        if name in resting
    }
