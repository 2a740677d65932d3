"""Between turns: what is in service predicts what has closed, outcomes come in, harm is seen."""

from __future__ import annotations

import shutil

from orchestration.service import steps
from orchestration.service.beginning import turn_at
from orchestration.service.refs import Json
from orchestration.service.replays.plan import Plan
from orchestration.service.replays.record import settings_at


def look(plan: Plan, moment: int) -> Json:
    """Do what the predict flow does, at a moment of the past; return what is worth recording."""
    turn = turn_at(settings_at(plan, moment), moment)
    for symbol in turn.settings.symbols:
        steps.fetch(turn, symbol)
    steps.dataset(turn)
    for kind in turn.settings.kinds:
        steps.ledger(turn, kind)
    shutil.rmtree(turn.folder)
    return {}
