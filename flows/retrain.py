"""Retrain now, when asked: what is flagged, or other symbols, one kind, a longer window."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows import artifacts
from flows.cycle import turn_of
from flows.lock import one_turn
from flows.parameters import Days, Kinds, Recipes, Source, Symbols, Timeframe
from flows.recovery import alive
from flows.runners import task_runner
from flows.turn import nothing_to_do
from orchestration.service.drifting import retraining_of
from orchestration.settings import load_settings

Json = dict[str, Any]


@flow(
    name="retrain",
    flow_run_name=artifacts.run_name,
    task_runner=task_runner(load_settings()),
    persist_result=False,
)
def retrain(
    symbols: Symbols = None,
    kinds: Kinds = None,
    recipes: Recipes = None,
    days: Days = None,
    timeframe: Timeframe = None,
    source: Source = None,
) -> State[Json]:
    """Train and judge again at this moment, with other symbols, kinds or history.

    Without any parameter it retrains what is flagged, in variants; where nothing is, it ends as
    "Nothing to do". Otherwise what is left out comes from the settings (tidewheel.toml,
    TIDEWHEEL_*). A candidate has to pass the same gates as in a scheduled turn; one symbol alone is
    a slot of its own.

    Args:
        symbols: Trading pairs such as BTC-USDT, learnt together as one scope.
        kinds: Which models to train and judge.
        recipes: Which recipes compete: default, all, or names such as direction/logistic.
        days: History to work on, in days.
        timeframe: Bar length, such as 1m or 5m.
        source: Where candles come from (simulated, files:<folder>, exchange:<id>).
    """
    asked = {
        "symbols": symbols,
        "kinds": kinds,
        "recipes": recipes,
        "days": days,
        "timeframe": timeframe,
        "source": source,
    }
    settings = load_settings(**asked)
    with alive(settings.prefect_dir, str(flow_run.get_id())), one_turn(settings):
        if all(value is None for value in asked.values()):
            flagged = retraining_of(settings)
            get_run_logger().info(flagged.sentence)
            if flagged.settings is None:
                return nothing_to_do(flagged.sentence, {})
            settings = flagged.settings
        return turn_of(settings, datetime.now(UTC))
