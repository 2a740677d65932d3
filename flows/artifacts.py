"""What a turn leaves in the Prefect UI: leaderboard, drift table, pictures, a link to MLflow."""

from __future__ import annotations

from typing import Any

from orchestration.service.refs import TurnRef

Json = dict[str, Any]


def run_name() -> str:
    return "x"


def title(turn: TurnRef) -> str:
    return turn.turn_id


def show(turn: TurnRef, summary: Json) -> None:
    pass
