"""Replay: the turns of a stretch of history, one after the other, in a home of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.utilities.annotations import quote
from pydantic import Field

from flows import replay_artifacts as artifacts
from flows.parameters import Days, Kinds, Recipes, Seed, Source, Symbols, Timeframe
from flows.recovery import alive
from orchestration.service import replaying
from orchestration.service.replays import ending
from orchestration.service.replays.plan import Plan, plan
from orchestration.settings import load_settings

Json = dict[str, Any]
Backfill = Annotated[float | None, Field(ge=0)]
Workers = Annotated[int | None, Field(ge=1)]


@task(task_run_name="turns", cache_policy=NO_CACHE)
def turns(made: Plan) -> None:
    """Run the turns that are not over yet; the progress artifact follows."""
    replaying.replay(made, artifacts.Follower(made))


@task(task_run_name="result", cache_policy=NO_CACHE)
def result(made: Plan) -> Json:
    """Read from the ledger what served when and how well; into files and MLflow."""
    return ending.end(made)


@flow(name="replay", flow_run_name=artifacts.run_name, persist_result=False)
def replay(
    first: datetime,
    end: datetime,
    every: str = "12h",
    predict_every: str | None = None,
    backfill_days: Backfill = None,
    train_days: Days = None,
    symbols: Symbols = None,
    kinds: Kinds = None,
    recipes: Recipes = None,
    timeframe: Timeframe = None,
    days: Days = None,
    source: Source = None,
    seed: Seed = None,
    workers: Workers = None,
    name: str | None = None,
) -> State[Json]:
    """Run the whole process over history with a virtual clock; begun again it goes on.

    What is left out comes from the settings (tidewheel.toml, TIDEWHEEL_*).

    Args:
        first: Moment of the first turn, with its zone.
        end: No turn at or after it.
        every: From turn to turn, such as 12h.
        predict_every: Predictions between turns, such as 1h; at turns only if left out.
        backfill_days: Days of ledger filled in before the first turn.
        train_days: Days that the longest recipes train on; days is then computed.
        symbols: Trading pairs such as BTC-USDT, learnt together as one scope.
        kinds: Which models to train and judge.
        recipes: Which recipes compete: default, all, or names such as direction/logistic.
        timeframe: Bar length, such as 1m or 5m.
        days: History that a turn works on, in days.
        source: Where candles come from (simulated, files:<folder>, exchange:<id>).
        seed: Seed of every random draw.
        workers: Turns fitted beside each other.
        name: Of its folder; made of the parameters if left out.
    """
    settings = load_settings(
        symbols=symbols, kinds=kinds, recipes=recipes, timeframe=timeframe, days=days,
        source=source, seed=seed, workers=workers, backfill_days=backfill_days,
    )  # fmt: skip
    made = plan(settings, first, end, every, predict_every, train_days=train_days, name=name)
    whole: Any = quote(made)  # Prefect would look for results of tasks in all of it
    with alive(settings.prefect_dir, str(flow_run.get_id())):
        turns(whole)
        found = result(whole)
        artifacts.show(made, found)
        return Completed(message=artifacts.headline(found), data=found)
